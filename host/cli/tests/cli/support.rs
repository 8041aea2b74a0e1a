//! Runs the built `consort` and compares what it says with files.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

/// What a command did.
#[derive(Debug)]
pub(crate) struct Ran {
    /// The exit code; -1 if a signal ended it.
    pub(crate) code: i32,
    /// Standard output.
    pub(crate) out: String,
    /// Standard error.
    pub(crate) err: String,
}

impl From<Output> for Ran {
    fn from(output: Output) -> Self {
        Self {
            code: output.status.code().unwrap_or(-1),
            out: String::from_utf8(output.stdout).expect("standard output is UTF-8"),
            err: String::from_utf8(output.stderr).expect("standard error is UTF-8"),
        }
    }
}

/// The command, in `tests/cli/`, with nothing of this machine's configuration.
pub(crate) fn command(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_consort"));
    command.args(args).current_dir(tests_dir()).stdin(Stdio::null());
    for name in ["CONSORT_CONFIG", "CONSORT_PLUGINS", "CONSORT_STORE"] {
        command.env_remove(name);
    }
    command.env("CONSORT_CACHE_DIR", Path::new(env!("CARGO_TARGET_TMPDIR")).join("code"));
    command
}

/// Runs `consort` with these arguments.
pub(crate) fn consort(args: &[&str]) -> Ran {
    command(args).output().expect("the binary runs").into()
}

/// Runs `consort` with a text on standard input.
pub(crate) fn consort_with(args: &[&str], stdin: &str) -> Ran {
    let mut command = command(args);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("the binary runs");
    let mut pipe = child.stdin.take().expect("standard input is piped");
    let text = stdin.to_owned();
    let writer = std::thread::spawn(move || {
        // A command that does not read it all is free to.
        let _ = pipe.write_all(text.as_bytes());
    });
    let output = child.wait_with_output().expect("the binary ends");
    writer.join().expect("writing does not panic");
    output.into()
}

/// The folder of these tests and their files.
pub(crate) fn tests_dir() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cli")
}

/// An empty folder for the test of this name.
pub(crate) fn scratch(name: &str) -> PathBuf {
    let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let _ = std::fs::remove_dir_all(&dir);
    std::fs::create_dir_all(&dir).expect("the folder can be made");
    dir
}

/// Standard output as the one JSON document it should be.
#[track_caller]
pub(crate) fn json(text: &str) -> serde_json::Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error} in {text}"))
}

/// Compares with a file in `tests/cli/`; with `BLESS=1` writes it instead.
#[track_caller]
pub(crate) fn expect_file(path: &str, actual: &str) {
    let file = tests_dir().join(path);
    if std::env::var_os("BLESS").is_some() {
        std::fs::write(&file, actual).expect("the file can be written");
        return;
    }
    let expected = std::fs::read_to_string(&file).unwrap_or_default();
    assert!(
        expected == actual,
        "{path} differs; look, then run with BLESS=1 to accept\n--- expected\n{expected}\n--- actual\n{actual}"
    );
}
