//! `--help` of every command, and what the command line refuses.

use crate::support::{command, consort};

#[test]
fn every_command_explains_itself_with_an_example() {
    for command in [
        &[][..],
        &["validate"],
        &["run"],
        &["resume"],
        &["answer"],
        &["complete"],
        &["cancel"],
        &["graph"],
        &["list"],
        &["status"],
        &["history"],
        &["result"],
        &["gc"],
        &["backup"],
        &["check"],
        &["schema"],
        &["plugin"],
        &["plugin", "list"],
        &["plugin", "inspect"],
    ] {
        let ran = consort(&[command, &["--help"]].concat());
        assert_eq!((ran.code, ran.err.as_str()), (0, ""), "{command:?}");
        let example = format!("  consort {}", command.join(" "));
        let examples = ran.out.split("Examples:").nth(1).unwrap_or_default();
        assert!(examples.contains(example.trim_end()), "{command:?}: {}", ran.out);
    }
}

#[test]
fn help_that_cannot_be_written_is_a_failure() {
    let full = std::fs::OpenOptions::new().write(true).open("/dev/full");
    let Ok(full) = full else { return };
    let output = command(&["--help"]).stdout(full).output().expect("the binary runs");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.starts_with("error: could not write to standard output: "), "{said}");
}

#[test]
fn the_place_of_compiled_code_is_said() {
    let ran = consort(&["plugin", "--help"]);
    for part in ["$CONSORT_CACHE_DIR", "$XDG_CACHE_HOME/consort", "~/.cache/consort", "2 GiB"] {
        assert!(ran.out.contains(part), "{part:?} is not in {}", ran.out);
    }
}

#[test]
fn mistakes_on_the_command_line_exit_with_2_and_say_what_to_write() {
    for (args, says) in [
        (&["run", "x", "--set", "topic"][..], "KEY=VALUE"),
        (&["run", "x", "--set", "1=2"], "'1' is not a key"),
        (&["run", "x", "--concurrency", "0"], "0 is not in 1.."),
        (&["run", "x", "--allow", "gopher://x"], "gopher"),
        (&["run", "x", "--allow-private", "10.0.0.0/99"], "10.0.0.0/99"),
        (&["run", "x", "--quiet", "--verbose"], "--verbose"),
        (&["graph", "x", "--format", "png"], "mermaid"),
        (&["validate"], "<FILE>"),
        (&["valdiate"], "validate"),
    ] {
        let ran = consort(args);
        assert_eq!((ran.code, ran.out.as_str()), (2, ""), "{args:?}");
        assert!(ran.err.contains(says), "{args:?}: {}", ran.err);
    }
}

#[test]
fn a_secret_written_on_the_command_line_is_refused_and_not_repeated() {
    let ran = consort(&["run", "run/one.yaml", "--secret", "KEY=hunter2"]);
    assert_eq!((ran.code, ran.out.as_str()), (2, ""));
    assert!(ran.err.contains("env:VARIABLE"), "{}", ran.err);
    assert!(!ran.err.contains("hunter2"), "{}", ran.err);
}
