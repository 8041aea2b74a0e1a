//! A *trial*: one run that is killed at moments of its progress and resumed,
//! again and again, until it ends.

use std::collections::BTreeMap;
use std::fs::File;
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use consort_store::{Reader, RunFilter, RunRow, RunStatus};
use consort_tests::command::{consort, target_dir};
use consort_tests::guests;
use consort_tests::receiver::{Receiver, Reply};
use consort_tests::server::Server;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::evidence::Evidence;
use crate::workflow::Workflow;

/// How many tasks may be at work at once.
pub(crate) const CONCURRENCY: usize = 4;
/// How long a process may go on before it is taken to be stuck.
const PATIENCE: Duration = Duration::from_secs(120);

/// When a process is killed: after so much progress of its own.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Moment {
    /// So many requests have reached the agent.
    Asked(usize),
    /// So many requests have been answered.
    Answered(usize),
    /// The journal has so many more entries.
    Recorded(u64),
    /// Some agent is being told to stop.
    Stopping,
}

/// What makes a process die.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Death {
    /// SIGKILL at that moment.
    Kill(Moment),
    /// It aborts when it passes that point for the N-th time.
    Failpoint(&'static str, u32),
    /// Nothing.
    None,
}

/// One run, and what is known of it.
pub(crate) struct Trial {
    folder: TempDir,
    pub(crate) server: Server,
    /// It does not take a message the first time, now and then.
    receiver: Receiver,
    workflow: Workflow,
    /// None until it has been seen in the store.
    run: Option<String>,
    /// How often a process died.
    pub(crate) deaths: usize,
    /// Processes to go before the approval is answered.
    silence: usize,
    /// It has been answered, and that cannot have been lost.
    answered: bool,
    /// The last process ended by itself.
    exited: bool,
    evidence: Evidence,
}

impl Trial {
    /// A run of everything that has not begun. Its approval is answered by the
    /// process after so many.
    pub(crate) async fn new(silence: usize) -> Self {
        Self { silence, ..Self::of(Workflow::new).await }
    }

    /// A run that has not begun, of a workflow for an agent with that URL.
    pub(crate) async fn of(workflow: fn(&str) -> Workflow) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let server = Server::start_counting().await;
        let workflow = workflow(&server.url(""));
        let receiver = Receiver::start(|_, same, all| {
            Reply::Status(if same == 0 && all % 3 == 0 { 503 } else { 200 })
        });
        let receiver = receiver.await;
        let host = json!({"snapshot_every": 1, "webhooks": [{
            "url": receiver.url(),
            "events": ["run-finished", "task-failed", "retrying", "fallback", "question"],
            "retry": {"initial_delay": 0.01},
        }]});
        std::fs::write(folder.path().join("consort.yaml"), host.to_string()).unwrap();
        std::fs::write(folder.path().join("flow.json"), workflow.document.to_string()).unwrap();
        for guest in ["remote", "scripted"] {
            let file = folder.path().join(format!("{guest}.wasm"));
            std::fs::write(file, guests::component(guest).0).unwrap();
        }
        let evidence = Evidence::default();
        Self {
            folder,
            server,
            receiver,
            workflow,
            run: None,
            deaths: 0,
            silence: 0,
            answered: false,
            exited: false,
            evidence,
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(consort());
        command
            .current_dir(self.folder.path())
            .args(args)
            .args(["--store", "runs.db"])
            .env("CONSORT_CACHE_DIR", code_cache())
            .stdin(Stdio::null());
        command
    }

    /// Begins or resumes the run, and waits until the process dies or the run
    /// ends. Says whether it is over, after looking at what is left.
    pub(crate) async fn go(&mut self, death: Death) -> bool {
        let slots = CONCURRENCY.to_string();
        let mut command = match &self.run {
            None => self.command(&["run", "flow.json", "--json", "--concurrency", &slots]),
            Some(run) => self.command(&["resume", run, "--json"]),
        };
        let asks = self.workflow.expected.contains_key("review");
        let answers = asks && !self.answered && self.deaths >= self.silence;
        if answers {
            command.args(["--answer", "review=true"]);
        }
        if let Death::Failpoint(name, times) = death {
            command.env("CONSORT_FAILPOINT", format!("{name}={times}"));
        }
        let asked = self.server.count();
        let status = self.watch(command, death).await;
        // Nothing is asked for before the answer is on disk.
        self.answered |= answers && self.server.count() > asked;
        self.server.settled().await;
        self.exited = match death {
            Death::Failpoint(..) => status.signal() != Some(6),
            _ => status.signal() != Some(9),
        };
        if self.exited {
            assert_eq!(status.code(), Some(0), "{}", self.said());
        } else {
            self.deaths += 1;
        }
        self.look();
        if self.run.is_some() {
            self.check_store();
        }
        self.is_over()
    }

    /// Whether the run is recorded as over.
    pub(crate) fn is_over(&self) -> bool {
        self.row().is_some_and(|row| row.status != RunStatus::Running)
    }

    async fn watch(&self, mut command: Command, death: Death) -> ExitStatus {
        let file = |name| File::create(self.path(name)).unwrap();
        let mut child = command.stdout(file("stdout")).stderr(file("stderr")).spawn().unwrap();
        let (asked, answered) = (self.server.count(), self.server.answered());
        let recorded = self.row().map_or(0, |row| row.entries);
        let is_time = |server: &Server| match death {
            Death::Kill(Moment::Asked(more)) => server.count() >= asked + more,
            Death::Kill(Moment::Answered(more)) => server.answered() >= answered + more,
            Death::Kill(Moment::Recorded(more)) => {
                self.row().is_some_and(|row| row.entries >= recorded + more)
            }
            Death::Kill(Moment::Stopping) => {
                server.runs().values().any(|remote| remote.cancels > 0)
            }
            Death::Failpoint(..) | Death::None => false,
        };
        let begun = Instant::now();
        loop {
            if is_time(&self.server) {
                return kill(child);
            }
            if let Some(status) = child.try_wait().unwrap() {
                return status;
            }
            if begun.elapsed() > PATIENCE {
                kill(child);
                panic!("it is stuck: {:?}\n{}", self.row(), self.said());
            }
            // What the moment depends on may not be the server's to know.
            let pause = Duration::from_millis(2);
            let _ = tokio::time::timeout(pause, self.server.until(&is_time)).await;
        }
    }

    /// Adds what can be seen now to what is known, and compares.
    fn look(&mut self) {
        let Some(row) = self.row() else {
            assert!(self.server.calls().is_empty(), "asked before the run was recorded");
            return;
        };
        self.run = Some(row.id.clone());
        let reader = self.reader().expect("a row was read from it");
        self.evidence.look(&reader, &row.id, &self.server, self.deaths);
    }

    /// The run is over: all must be as it should.
    pub(crate) fn check_end(&self) {
        let row = self.row().expect("it is recorded");
        assert_eq!(row.status, RunStatus::Succeeded, "{}", self.said());
        let report = self.json(&["result", &row.id, "--json"]);
        if self.exited {
            let printed = std::fs::read(self.path("stdout")).unwrap();
            let printed: Value = serde_json::from_slice(&printed).unwrap();
            assert_eq!(printed["tasks"], report["tasks"], "what was printed is what is kept");
        }
        let tasks = report["tasks"].as_object().unwrap();
        for (id, (status, result)) in &self.workflow.expected {
            let task = &tasks.get(id).unwrap_or_else(|| panic!("there is no task {id}"));
            assert_eq!(task["status"], *status, "{id}: {task:#}");
            assert_eq!(task["output"], *result, "{id}: {task:#}");
        }
        assert_eq!(tasks.len(), self.workflow.expected.len(), "and no others: {report:#}");
        assert_eq!(self.check_store(), 1, "its state has been saved");
        let status = self.json(&["status", &row.id, "--json"]);
        for task in status["tasks"].as_array().unwrap() {
            let state = task["state"].as_str().unwrap();
            assert!(["succeeded", "failed", "skipped"].contains(&state), "{task:#}");
        }
        assert_eq!(status["progress"]["share"], 1.0, "{:#}", status["progress"]);
        let most = self.server.most_busy();
        assert!(most <= CONCURRENCY, "{most} requests at once");
        self.evidence.check_end(&row.id, &self.workflow, &self.server, self.deaths);
        self.check_notifications(&report["metrics"]["notifications"]);
    }

    /// The store is in order, and what is saved of the run is what its entries lead
    /// to.
    /// Says of how many runs there is something saved.
    fn check_store(&self) -> u64 {
        let found = self.json(&["check", "--json"]);
        assert_eq!(found["problems"], json!([]), "{found:#}");
        found["snapshots"].as_u64().unwrap()
    }

    /// Everything was told, under one id each, whoever told it.
    fn check_notifications(&self, metrics: &Value) {
        let mut told: BTreeMap<String, String> = BTreeMap::new();
        for message in self.receiver.messages() {
            let before = told.insert(message.id().to_owned(), message.summary());
            assert!(before.is_none_or(|before| before == message.summary()), "{message:?}");
        }
        assert_eq!(*metrics, json!({"delivered": told.len(), "failed": 0}), "{told:?}");
        let run = self.run.as_deref().unwrap_or_default();
        for number in 0..told.len() {
            assert!(told.contains_key(&format!("msg_{run}_{number}")), "{number}: {told:?}");
        }
        let ends = told.values().filter(|summary| *summary == "run-finished").count();
        assert_eq!(ends, 1, "{told:?}");
    }

    fn json(&self, args: &[&str]) -> Value {
        let output = self.command(args).output().unwrap();
        let error = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{args:?}: {error}");
        serde_json::from_slice(&output.stdout).unwrap()
    }

    fn reader(&self) -> Option<Reader> {
        Reader::open(&self.path("runs.db")).ok()
    }

    /// The run, if it is recorded yet.
    fn row(&self) -> Option<RunRow> {
        self.reader()?.runs(&RunFilter::default()).unwrap().pop()
    }

    /// What the last process wrote.
    fn said(&self) -> String {
        let read = |name| std::fs::read_to_string(self.path(name)).unwrap_or_default();
        format!("{}\n{}", read("stdout"), read("stderr"))
    }
}

fn kill(mut child: Child) -> ExitStatus {
    child.kill().unwrap();
    child.wait().unwrap()
}

/// Compiled once for all trials.
pub(crate) fn code_cache() -> PathBuf {
    Path::new(&target_dir()).join("tests/code")
}
