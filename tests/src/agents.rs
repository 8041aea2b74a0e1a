//! Real *agents*: servers that nobody here wrote, installed from their registries
//! into `target/agents` and started for one test.
//!
//! An installation is made once, is used again as long as what is asked for is
//! the same, and says what it does. A server listens on a port it finds free,
//! says which, and ends with the value that stands for it.

use std::fs::{self, File};
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;

use crate::command;

/// Longer than any server takes to start on a busy machine.
const PATIENCE: Duration = Duration::from_secs(120);

/// A running server; stopped when dropped.
#[derive(Debug)]
pub struct Agent {
    child: Child,
    url: String,
    /// Where it keeps what it remembers.
    folder: Option<TempDir>,
}

impl Agent {
    /// A llama.cpp server with a small model.
    ///
    /// # Panics
    ///
    /// When it cannot be installed or started; the message says how to go on.
    pub fn llama() -> Self {
        let folder = source("llama");
        let python = python("llama", &folder.join("requirements.txt"), &["--no-deps"]);
        Self::start("llama.cpp", Command::new(python).arg(folder.join("server.py")))
    }

    /// A server that fails in the ways of `tests/agents/aimock/fixtures.json`.
    ///
    /// # Panics
    ///
    /// As [`llama`](Self::llama).
    pub fn aimock() -> Self {
        let folder = source("aimock");
        let modules = node("aimock", &folder.join("package.json"));
        let mut command = Command::new("node");
        command
            .arg(modules.join("@copilotkit/aimock/dist/cli.js"))
            .args(["--port", "0", "--host", "127.0.0.1", "--strict", "--fixtures"])
            .arg(folder.join("fixtures.json"));
        Self::start("aimock", &mut command)
    }

    /// LangGraph's server for development, with `tests/agents/langgraph/graph.py`.
    ///
    /// # Panics
    ///
    /// As [`llama`](Self::llama).
    pub fn langgraph() -> Self {
        let source = source("langgraph");
        let python = python("langgraph", &source.join("requirements.txt"), &[]);
        let folder = TempDir::new().expect("there is a place for temporary files");
        let mut command = Command::new(python);
        command.arg(source.join("server.py")).current_dir(&folder);
        let mut agent = Self::start("langgraph", &mut command);
        agent.folder = Some(folder);
        agent
    }

    /// Starts a server and waits until it prints its URL.
    fn start(name: &str, command: &mut Command) -> Self {
        let started =
            command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn();
        let mut child = started.unwrap_or_else(|e| panic!("{name} could not be started: {e}"));
        let output = child.stdout.take().expect("it is piped");
        let (found, finding) = mpsc::channel();
        // Goes on reading, so that the server never waits for a reader.
        thread::spawn(move || {
            for line in BufReader::new(output).lines().map_while(Result::ok) {
                if let Some(at) = line.find("http://127.0.0.1:") {
                    // Nobody listens for the second one.
                    let _ = found.send(line[at..].trim().to_owned());
                }
            }
        });
        let mut agent = Self { child, url: String::new(), folder: None };
        agent.url = finding
            .recv_timeout(PATIENCE)
            .unwrap_or_else(|_| panic!("{name} did not say where it listens"));
        agent
    }

    /// Where it listens, without a slash at the end.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Asks the server something behind the back of what is tested: a GET, or a
    /// POST of this document.
    ///
    /// # Panics
    ///
    /// When it does not answer with a document under a good status.
    pub fn ask(&self, path: &str, document: Option<&Value>) -> Value {
        let host = self.url.trim_start_matches("http://");
        let method = if document.is_some() { "POST" } else { "GET" };
        let body = document.map(Value::to_string).unwrap_or_default();
        let mut stream = TcpStream::connect(host).expect("it listens");
        write!(
            stream,
            "{method} {path} HTTP/1.0\r\nhost: {host}\r\ncontent-type: application/json\r\n\
             content-length: {}\r\n\r\n{body}",
            body.len()
        )
        .expect("it reads");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("it answers");
        let (head, body) = answer.split_once("\r\n\r\n").expect("it speaks HTTP");
        let is_good = head.split(' ').nth(1).is_some_and(|status| status.starts_with('2'));
        assert!(is_good, "{method} {path}: {answer}");
        serde_json::from_str(body).unwrap_or_else(|e| panic!("{method} {path}: {e}: {answer}"))
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Where an agent's scripts and pins are.
fn source(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("agents").join(name)
}

/// A Python with what the file asks for, in an environment of its own.
///
/// # Panics
///
/// When it cannot be made.
pub fn python(name: &str, requirements: &Path, options: &[&str]) -> PathBuf {
    let folder = install(name, requirements, |folder| {
        run(Command::new("python3").args(["-m", "venv"]).arg(folder), "python3 with venv");
        let pip = folder.join("bin/python");
        let mut command = Command::new(pip);
        command.args(["-m", "pip", "install", "--quiet"]).args(options);
        run(command.arg("--requirement").arg(requirements), "pip, and PyPI");
    });
    folder.join("bin/python")
}

/// The `node_modules` with what a `package.json` asks for.
///
/// # Panics
///
/// When it cannot be made.
pub fn node(name: &str, package: &Path) -> PathBuf {
    let folder = install(name, package, |folder| {
        fs::create_dir_all(folder).expect("the target directory can be written to");
        fs::copy(package, folder.join("package.json")).expect("it can be copied");
        let mut command = Command::new("npm");
        command.args(["install", "--no-audit", "--no-fund", "--no-package-lock"]);
        run(command.current_dir(folder).stdout(Stdio::null()), "npm, and its registry");
    });
    folder.join("node_modules")
}

/// Makes an installation in `target/agents`, unless there is one already made
/// from the same pins.
fn install(name: &str, pins: &Path, make: impl FnOnce(&Path)) -> PathBuf {
    const MARK: &str = ".installed";
    let agents = command::target_dir().join("agents");
    fs::create_dir_all(&agents).expect("the target directory can be written to");
    // Tests of several processes may want the same.
    let lock = File::create(agents.join(format!("{name}.lock"))).expect("it can be written to");
    lock.lock().expect("files can be locked");
    let folder = agents.join(name);
    let wanted = fs::read_to_string(pins).expect("the pins are part of the repository");
    if fs::read_to_string(folder.join(MARK)).is_ok_and(|made| made == wanted) {
        return folder;
    }
    println!("installing into {}:\n{wanted}", folder.display());
    if folder.exists() {
        fs::remove_dir_all(&folder).expect("what was made before can be removed");
    }
    make(&folder);
    fs::write(folder.join(MARK), wanted).expect("it can be written to");
    folder
}

fn run(command: &mut Command, needed: &str) {
    let status = command.status();
    let succeeded = status.as_ref().is_ok_and(|status| status.success());
    assert!(succeeded, "{command:?} failed ({status:?}); these tests need {needed}");
}
