//! A *step* is another program with its arguments, shown before it runs.

use std::ffi::OsStr;
use std::fmt;
use std::path::Path;
use std::process::Command;

/// Why a command of ours did not do its work.
#[derive(Debug)]
pub(crate) struct Failed(String);

impl Failed {
    pub(crate) fn new(message: impl Into<String>) -> Self {
        Self(message.into())
    }
}

impl fmt::Display for Failed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Another program, about to run.
pub(crate) struct Step {
    command: Command,
}

impl Step {
    /// A program that is found by its name.
    pub(crate) fn new(program: impl AsRef<OsStr>) -> Self {
        Self { command: Command::new(program) }
    }

    /// The cargo that runs this.
    pub(crate) fn cargo<const N: usize>(args: [&str; N]) -> Self {
        let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let mut step = Self::new(cargo);
        step.command.args(args).current_dir(workspace());
        step
    }

    pub(crate) fn args<A: AsRef<OsStr>>(mut self, args: impl IntoIterator<Item = A>) -> Self {
        self.command.args(args);
        self
    }

    pub(crate) fn env(mut self, name: &str, value: &str) -> Self {
        self.command.env(name, value);
        self
    }

    /// Where it runs; the workspace unless said otherwise.
    pub(crate) fn within(mut self, directory: &Path) -> Self {
        self.command.current_dir(directory);
        self
    }

    /// Runs it, with its output for all to see.
    pub(crate) fn run(mut self) -> Result<(), Failed> {
        // Standard output belongs to the program.
        eprintln!("$ {self}");
        match self.command.status() {
            Ok(status) if status.success() => Ok(()),
            Ok(status) => Err(Failed(format!("'{self}' ended with {status}"))),
            Err(error) => Err(Failed(format!("could not run '{self}': {error}"))),
        }
    }

    /// Runs it and returns what it prints; nothing if it cannot or fails.
    pub(crate) fn output(mut self) -> Option<String> {
        let output = self.command.output().ok().filter(|output| output.status.success())?;
        Some(String::from_utf8_lossy(&output.stdout).trim().to_owned())
    }
}

impl fmt::Display for Step {
    /// As one would type it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let program = Path::new(self.command.get_program());
        let name = program.file_name().unwrap_or(program.as_os_str());
        f.write_str(&name.to_string_lossy())?;
        for arg in self.command.get_args() {
            let arg = arg.to_string_lossy();
            if arg.is_empty() || arg.contains(char::is_whitespace) {
                write!(f, " '{arg}'")?;
            } else {
                write!(f, " {arg}")?;
            }
        }
        Ok(())
    }
}

/// The folder of the workspace.
pub(crate) fn workspace() -> &'static Path {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().unwrap_or(here)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_is_shown_as_one_would_type_it() {
        let step = Step::new("/usr/bin/cargo").args(["test", "two words", ""]);
        assert_eq!(step.to_string(), "cargo test 'two words' ''");
    }

    #[test]
    fn a_step_that_fails_or_is_not_there_is_an_error() {
        let gone = Step::new("no-such-program-anywhere").run();
        assert!(gone.unwrap_err().to_string().contains("could not run"));
        assert!(Step::cargo(["no-such-command"]).output().is_none());
    }

    #[test]
    fn the_workspace_is_the_folder_above() {
        assert!(workspace().join("Cargo.lock").is_file());
    }
}
