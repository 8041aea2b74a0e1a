//! A *document* is a workflow file as the command line names it: a path, or `-`
//! for standard input.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::Path;

use consort_core::plan::{Checked, Compiled, Known, Needs, check, compile_with_needs};
use consort_core::spec::limits::MAX_DOCUMENT;
use consort_core::spec::{self, Format};

use crate::diagnose;
use crate::error::CommandError;

/// Bytes of a file that are read: far more than a million tasks.
const MOST_BYTES: u64 = MAX_DOCUMENT as u64;

/// The text of a file and what to call it.
#[derive(Debug, Clone)]
pub(crate) struct Document {
    /// As it appears in messages.
    pub(crate) name: String,
    /// Its text.
    pub(crate) text: String,
    /// How it is written.
    pub(crate) format: Format,
}

impl Document {
    /// Reads a file, or standard input for `-`.
    ///
    /// # Errors
    ///
    /// The file cannot be read, is too large or is not UTF-8.
    pub(crate) fn read(path: &Path) -> Result<Self, CommandError> {
        let stdin = path.as_os_str() == "-";
        let name = if stdin { "<stdin>".to_owned() } else { path.display().to_string() };
        let bytes = if stdin {
            read_all(io::stdin().lock(), 0)
        } else {
            File::open(path).and_then(read_file)
        };
        let bytes = bytes.map_err(|error| {
            let problem = CommandError::invalid(format!("could not read '{name}': {error}"));
            match error.kind() {
                io::ErrorKind::NotFound => problem.hint("check the path; '-' reads standard input"),
                _ => problem,
            }
        })?;
        Self::new(name, bytes)
    }

    /// A file by this name.
    ///
    /// # Errors
    ///
    /// It is not UTF-8.
    pub(crate) fn new(name: String, bytes: Vec<u8>) -> Result<Self, CommandError> {
        match String::from_utf8(bytes) {
            Ok(text) => Ok(Self::of_text(name, text)),
            Err(error) => {
                let problems = spec::utf8(error.as_bytes()).err().unwrap_or_default();
                let text = String::from_utf8_lossy(error.as_bytes()).into_owned();
                Err(diagnose::problems(&Self::of_text(name, text), problems))
            }
        }
    }

    fn of_text(name: String, text: String) -> Self {
        let format = Format::guess(&name, &text);
        Self { name, text, format }
    }

    /// The workflow as a plan, checked against what a host knows, and what it needs.
    pub(crate) fn compile(&self, known: &Known) -> Compiled {
        match spec::parse(&self.text, self.format) {
            Ok(workflow) => compile_with_needs(workflow, known, consort_engine::now()),
            Err(problems) => Compiled { plan: Err(problems), needs: Needs::default() },
        }
    }

    /// The same without a plan, for whoever wants to know whether there is one.
    pub(crate) fn check(&self, known: &Known) -> Checked {
        match spec::parse(&self.text, self.format) {
            Ok(workflow) => check(workflow, known, consort_engine::now()),
            Err(problems) => Checked { tasks: 0, problems, needs: Needs::default() },
        }
    }
}

/// All of a file, up to a bound.
pub(crate) fn read_file(file: File) -> io::Result<Vec<u8>> {
    // Room for a byte more, or else it is doubled to see that there is none.
    let size = file.metadata().map_or(0, |about| about.len() + 1);
    read_all(file, size.min(MOST_BYTES + 1) as usize)
}

/// Everything there is, up to a bound.
fn read_all(from: impl io::Read, expected: usize) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::with_capacity(expected);
    from.take(MOST_BYTES + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > MOST_BYTES {
        return Err(io::Error::other(format!("it is larger than {MOST_BYTES} bytes")));
    }
    Ok(bytes)
}
