//! Signals, as the real command gets them.

#![cfg(unix)]
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails there")]

use std::io::{BufRead as _, BufReader, Read as _};
use std::process::{Child, ChildStderr, Command, Stdio};

use consort_tests::receiver::{Receiver, Reply};
use consort_tests::{command, guests};

/// The command, with what it writes to standard error.
struct Consort {
    child: Child,
    errors: BufReader<ChildStderr>,
}

impl Consort {
    fn start(command: &mut Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let errors = BufReader::new(child.stderr.take().unwrap());
        Self { child, errors }
    }

    /// Reads until it has said this.
    fn wait_for(&mut self, text: &str) {
        let mut said = String::new();
        while !said.contains(text) {
            let before = said.len();
            self.errors.read_line(&mut said).unwrap();
            assert!(said.len() > before, "{text:?} is not in what it said:\n{said}");
        }
    }

    fn signal(&self, name: &str) {
        let kill = Command::new("kill").args(["-s", name, &self.child.id().to_string()]).status();
        assert!(kill.unwrap().success());
    }

    /// Waits for its end: the exit code and what it printed.
    fn end(mut self) -> (Option<i32>, String) {
        let mut rest = String::new();
        self.errors.read_to_string(&mut rest).unwrap();
        let output = self.child.wait_with_output().unwrap();
        (output.status.code(), String::from_utf8(output.stdout).unwrap())
    }
}

/// A run that is over waits for its webhooks. The first signal has nothing to
/// cancel any more; the second ends the waiting.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_signal_ends_the_waiting_for_webhooks() {
    let receiver = Receiver::start(|_, _, _| Reply::Never).await;
    let folder = tempfile::tempdir().unwrap();
    let config = format!("webhooks: [{{url: '{}'}}]", receiver.url());
    std::fs::write(folder.path().join("consort.yaml"), config).unwrap();
    let workflow = "[{task_id: a, agent: echo, description: x}]";
    std::fs::write(folder.path().join("flow.yaml"), workflow).unwrap();
    let mut consort = Consort::start(
        Command::new(command::consort())
            .current_dir(folder.path())
            .args(["run", "flow.yaml", "--json", "--verbose"])
            .env("CONSORT_CACHE_DIR", folder.path().join("code"))
            .env_remove("CONSORT_STORE")
            .stdin(Stdio::null()),
    );
    consort.wait_for("1 notification is to be delivered");
    receiver.until(1).await;
    consort.signal("INT");
    consort.wait_for("once more ends the process at once");
    consort.signal("INT");
    let (code, report) = consort.end();
    assert_eq!((code, report.as_str()), (Some(130), ""));
}

/// The agent takes its time to confirm that it stops, up to 10 s. The first
/// signal waits for it and then prints the report; the second does not.
#[test]
fn a_second_signal_ends_the_process_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let (component, _) = guests::component("scripted");
    std::fs::write(folder.path().join("scripted.wasm"), component).unwrap();
    let workflow = folder.path().join("flow.yaml");
    let text = "agents: {S: {adapter: ./scripted.wasm}}\n\
                tasks: [{task_id: a, agent: S, description: poll stubbornly}]\n";
    std::fs::write(&workflow, text).unwrap();
    for (first, second) in [("INT", "INT"), ("TERM", "INT"), ("INT", "TERM")] {
        let mut consort = Consort::start(
            Command::new(command::consort())
                .current_dir(folder.path())
                .args(["run", "flow.yaml", "--json", "--verbose"])
                .env("CONSORT_CACHE_DIR", folder.path().join("code"))
                .stdin(Stdio::null()),
        );
        consort.wait_for("working");
        consort.signal(first);
        consort.wait_for("told to stop");
        consort.signal(second);
        let (code, report) = consort.end();
        assert_eq!((code, report.as_str()), (Some(130), ""), "{first}, then {second}");
    }
}
