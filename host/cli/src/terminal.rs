//! What is printed, and where: results on standard output, everything else on
//! standard error. Nobody reading any more is no error.

use std::io::{self, BufWriter, ErrorKind, Write};

use consort_engine::output::OutputError;
use serde::Serialize;

use crate::error::CommandError;

/// Prints a result.
///
/// # Errors
///
/// Standard output is full or broken, but not that its reader is gone.
pub(crate) fn print(text: &str) -> Result<(), CommandError> {
    let mut out = io::stdout().lock();
    printed(out.write_all(text.as_bytes()).and_then(|()| out.flush()))
}

/// Prints a result as indented JSON, piece by piece: it may be large.
///
/// # Errors
///
/// As [`print()`], or a part of it is not to be had.
pub(crate) fn print_json(value: &impl Serialize) -> Result<(), CommandError> {
    let mut out = BufWriter::with_capacity(64 << 10, io::stdout().lock());
    match serde_json::to_writer_pretty(&mut out, value) {
        Err(error) if !error.is_io() => {
            // What is there of it shows where it broke off.
            let _ = out.flush();
            Err(CommandError::cut_off(error.to_string()))
        }
        written => {
            let written = written.map_err(io::Error::from);
            printed(written.and_then(|()| out.write_all(b"\n")).and_then(|()| out.flush()))
        }
    }
}

/// Prints what `write` writes, piece by piece.
///
/// # Errors
///
/// As [`print()`], or a result is not to be had.
pub(crate) fn print_by(
    write: impl FnOnce(&mut dyn Write) -> Result<(), OutputError>,
) -> Result<(), CommandError> {
    let mut out = BufWriter::with_capacity(64 << 10, io::stdout().lock());
    match write(&mut out) {
        Ok(()) => printed(out.flush()),
        Err(OutputError::Write(error)) => printed(Err(error)),
        Err(error) => {
            let _ = out.flush();
            Err(CommandError::cut_off(error.to_string()))
        }
    }
}

fn printed(done: io::Result<()>) -> Result<(), CommandError> {
    match done {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => {
            Err(CommandError::failed(format!("could not write to standard output: {error}")))
        }
        _ => Ok(()),
    }
}

/// Tells the user something; where nobody listens, nothing is lost.
pub(crate) fn tell(text: &str) {
    let _ = writeln!(io::stderr().lock(), "{text}");
}

/// Shows why a command could not do its work. Reports about files are harmless
/// already, but for the colours they are meant to have.
pub(crate) fn complain(error: &CommandError) {
    match error {
        CommandError::Problems { .. } => tell(&error.to_string()),
        CommandError::Said { .. } => tell(&harmless(&error.to_string())),
    }
}

/// A text that came from elsewhere, without characters a terminal would obey.
/// Line breaks and tabs stay.
pub(crate) fn harmless(text: &str) -> String {
    let harmless = |c: char| !c.is_control() || matches!(c, '\n' | '\t');
    text.chars().map(|c| if harmless(c) { c } else { '\u{fffd}' }).collect()
}

/// So many of something: `1 task`, `2 tasks`, `3 entries`.
pub(crate) fn counted(count: u64, what: &str) -> String {
    match what.strip_suffix('y') {
        _ if count == 1 => format!("1 {what}"),
        Some(stem) => format!("{count} {stem}ies"),
        None => format!("{count} {what}s"),
    }
}

/// Text on one line, without characters that a terminal or a viewer would act
/// on, and no longer than `most` characters.
pub(crate) fn one_line(text: &str, most: usize) -> String {
    let clean = |c: char| if c.is_control() { ' ' } else { c };
    let mut line: String = text.trim().chars().take(most + 1).map(clean).collect();
    if line.chars().count() > most {
        line = line.chars().take(most.saturating_sub(1)).collect();
        line.push('…');
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escape_sequences_do_not_reach_the_terminal() {
        assert_eq!(harmless("a\u{1b}[31mb\r\n\tc\u{9b}d"), "a\u{fffd}[31mb\u{fffd}\n\tc\u{fffd}d");
    }
}
