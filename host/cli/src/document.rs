//! A *document* is a workflow file as the command line names it: a path, or `-`
//! for standard input.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::Path;

use consort_core::problem::Problem;
use consort_core::spec::{self, Format};

use crate::error::CommandError;

/// Bytes of a file that are read: far more than a million tasks.
const MOST_BYTES: u64 = 1 << 30;

/// The text of a file and what to call it.
#[derive(Debug)]
pub(crate) struct Document {
    /// As it appears in messages.
    pub(crate) name: String,
    /// Its text.
    pub(crate) text: String,
    format: Format,
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
        let text =
            if stdin { read_all(io::stdin().lock()) } else { File::open(path).and_then(read_all) };
        let text = text.map_err(|error| {
            let problem = CommandError::invalid(format!("could not read '{name}': {error}"));
            match error.kind() {
                io::ErrorKind::NotFound => problem.hint("check the path; '-' reads standard input"),
                _ => problem,
            }
        })?;
        let format = Format::guess(&name, &text);
        Ok(Self { name, text, format })
    }

    /// The document as the compiler takes it.
    pub(crate) fn parse(&self) -> Result<spec::Document, Vec<Problem>> {
        spec::parse(&self.text, self.format)
    }
}

/// Everything there is, up to a bound.
pub(crate) fn read_all(from: impl io::Read) -> io::Result<String> {
    let mut text = String::new();
    from.take(MOST_BYTES + 1).read_to_string(&mut text)?;
    if text.len() as u64 > MOST_BYTES {
        return Err(io::Error::other(format!("it is larger than {MOST_BYTES} bytes")));
    }
    Ok(text)
}
