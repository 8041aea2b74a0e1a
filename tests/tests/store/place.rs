//! A *place* is a folder with workflows and a store, where the real command is
//! run.

use std::io::{BufRead as _, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use consort_engine::PastRun;
use consort_store::Reader;
use consort_tests::command::{consort, target_dir};
use consort_tests::guests;
use serde_json::Value;
use tempfile::TempDir;

/// A workflow that waits for a person between two tasks.
pub(crate) const PARKED: &str = r#"{"name": "parked", "tasks": [
    {"task_id": "before", "agent": "local", "description": "Summarise: one thing."},
    {"task_id": "review", "type": "approval", "description": "Go on?", "depends_on": ["before"]},
    {"task_id": "after", "agent": "echo", "description": "gone on", "depends_on": ["review"],
     "transform": [{"transformer": "jq", "config": {"filter": ".description"}}]}
]}"#;

/// A workflow that is over at once.
pub(crate) const SHORT: &str = r#"{"name": "short", "tasks": [
    {"task_id": "only", "agent": "echo", "description": "said"}
]}"#;

/// A folder to run the command in.
pub(crate) struct Place(TempDir);

/// What came of a command.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
    pub(crate) error: String,
}

impl Place {
    pub(crate) fn new() -> Self {
        let place = Self(tempfile::tempdir().unwrap());
        place.write("parked.json", PARKED);
        place.write("short.json", SHORT);
        std::fs::write(place.file("scripted.wasm"), guests::component("scripted").0).unwrap();
        place
    }

    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, text: &str) {
        std::fs::write(self.file(name), text).unwrap();
    }

    /// The command with these words, here.
    pub(crate) fn command(&self, words: &str) -> Command {
        let mut command = Command::new(consort());
        command.args(words.split_whitespace());
        self.here(&mut command);
        command
    }

    /// Lets a program run here.
    pub(crate) fn here(&self, command: &mut Command) {
        command
            .current_dir(self.0.path())
            .env("CONSORT_CACHE_DIR", target_dir().join("tests/code"))
            .env("CONSORT", consort())
            .env_remove("CONSORT_STORE")
            .stdin(Stdio::null());
    }

    /// Runs the command with these words, which must end like this.
    pub(crate) fn run(&self, words: &str, code: i32) -> Ended {
        let ended = Ended::from(self.command(words).output().unwrap());
        assert_eq!(ended.code, Some(code), "consort {words}: {ended:#?}");
        ended
    }

    /// Runs a script of the shell that has `$CONSORT`.
    pub(crate) fn script(&self, script: &str) -> Ended {
        let mut command = Command::new("sh");
        command.args(["-eu", "-c", script]);
        self.here(&mut command);
        Ended::from(command.output().unwrap())
    }

    /// The same, where it may mount file systems that nobody else sees. None if
    /// this machine does not let us.
    pub(crate) fn script_that_mounts(&self, script: &str) -> Option<Ended> {
        let may = Command::new("unshare")
            .args(["--map-root-user", "--mount", "sh", "-c", "mount -t tmpfs none /mnt"])
            .output();
        if !may.is_ok_and(|output| output.status.success()) {
            println!("skipped: file systems cannot be mounted here");
            return None;
        }
        let mut command = Command::new("unshare");
        command.args(["--map-root-user", "--mount", "sh", "-eu", "-c", script]);
        self.here(&mut command);
        Some(Ended::from(command.output().unwrap()))
    }

    /// Begins the run of `parked.json` and waits until it asks.
    pub(crate) fn park(&self) -> Parked {
        self.park_by("run parked.json --store runs.db --quiet")
    }

    /// Begins a run of `parked.json` with these words and waits until it asks.
    pub(crate) fn park_by(&self, words: &str) -> Parked {
        let before = self.runs().len();
        let mut command = self.command(words);
        let child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let mut parked = Parked { child, run: String::new() };
        let begun = Instant::now();
        while self.runs().len() == before {
            assert!(begun.elapsed() < Duration::from_secs(60), "it does not begin");
            std::thread::sleep(Duration::from_millis(5));
        }
        parked.run = self.runs().swap_remove(0);
        self.wait_until(&parked.run, "review", "asking");
        parked
    }

    /// Goes on with a run by these words and waits until it asks again, which is
    /// when a process has told so.
    pub(crate) fn park_again(&self, words: &str, run: String) -> Parked {
        let mut child = self.command(words).stderr(Stdio::piped()).spawn().unwrap();
        let said = BufReader::new(child.stderr.take().unwrap()).lines();
        let asks = said.map_while(Result::ok).any(|line| line.contains("review asks"));
        assert!(asks, "it does not ask");
        Parked { child, run }
    }

    /// Leaves a run behind that asks, and whose process was killed.
    pub(crate) fn interrupted(&self) -> String {
        self.park().kill()
    }

    /// The ids of all runs, the newest first.
    pub(crate) fn runs(&self) -> Vec<String> {
        let Ok(reader) = Reader::open(&self.file("runs.db")) else { return Vec::new() };
        let rows = reader.runs(&Default::default()).unwrap();
        rows.into_iter().map(|row| row.id).collect()
    }

    /// Waits until a task of a run is in that state.
    pub(crate) fn wait_until(&self, run: &str, task: &str, state: &str) {
        let begun = Instant::now();
        while self.state(run, task) != state {
            assert!(begun.elapsed() < Duration::from_secs(60), "{task} is not {state}");
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    fn state(&self, run: &str, task: &str) -> &'static str {
        let reader = Reader::open(&self.file("runs.db")).unwrap();
        PastRun::read(&reader, run).unwrap().task(task).unwrap().state
    }
}

/// A process whose run waits for a person.
pub(crate) struct Parked {
    child: Child,
    pub(crate) run: String,
}

impl Parked {
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Kills the process. Returns the run.
    pub(crate) fn kill(mut self) -> String {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        std::mem::take(&mut self.run)
    }
}

impl Drop for Parked {
    fn drop(&mut self) {
        // It may have been killed already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Ended {
    /// What it printed, as JSON.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("{error}: {self:#?}"))
    }

    /// All of these are in what it says on standard error, broken into lines as
    /// it may be.
    pub(crate) fn says(&self, texts: &[&str]) {
        let words = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
        let said = words(&self.error);
        for text in texts {
            assert!(said.contains(&words(text)), "{text:?} is not in {said:?}");
        }
    }
}

impl From<Output> for Ended {
    fn from(output: Output) -> Self {
        let text = |bytes| String::from_utf8(bytes).unwrap();
        Self { code: output.status.code(), out: text(output.stdout), error: text(output.stderr) }
    }
}
