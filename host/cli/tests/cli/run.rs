//! `consort run`: what it prints and how it exits.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpListener;
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::support::{Ran, command, consort, consort_with, json, scratch};

const CHAIN: &str = "
name: Chain
inputs: {topic: tea}
tasks:
  - {task_id: a, agent: echo, description: 'About {{ inputs.topic }}'}
  - {task_id: b, agent: echo, description: '{{ results.a }}!', depends_on: [a], transform: [{transformer: jq, config: {filter: .description}}]}
";

#[test]
fn json_is_one_object_with_everything_about_the_run() {
    let ran = consort_with(&["run", "-", "--json"], CHAIN);
    assert_eq!((ran.code, ran.err.as_str()), (0, ""));
    let report = json(&ran.out);
    assert_eq!(report["status"], "succeeded");
    assert!(report["run_id"].as_str().is_some_and(|id| id.len() == 36));
    let task = &report["tasks"]["b"];
    for field in ["status", "attempts", "agent", "output", "error", "started", "finished", "usage"]
    {
        assert!(task.get(field).is_some(), "{field} is not in {task}");
    }
    assert_eq!(task["output"], "About tea!");
    assert_eq!(task["attempts"], 1);
    assert_eq!(report["metrics"]["tasks"]["succeeded"], 2);
    assert_eq!(report["metrics"]["longest_chain"], 2);
}

#[test]
fn people_get_a_table_and_the_last_results_and_lines_with_the_time() {
    let ran = consort_with(&["run", "-"], CHAIN);
    assert_eq!(ran.code, 0, "{}", ran.err);
    let lines: Vec<&str> = ran.out.lines().collect();
    assert!(lines[0].starts_with("TASK"), "{}", ran.out);
    assert!(lines[1].starts_with("a") && lines[1].contains("succeeded"), "{}", ran.out);
    assert!(ran.out.contains("run succeeded: 2 succeeded in "), "{}", ran.out);
    assert!(ran.out.ends_with("── b ──\nAbout tea!\n"), "{}", ran.out);
    let started = ran.err.lines().nth(1).unwrap_or_default();
    assert!(started.ends_with("Z a started (echo)"), "{}", ran.err);
    assert!(ran.err.contains("run succeeded after"), "{}", ran.err);
}

#[test]
fn quiet_prints_the_result_and_nothing_else() {
    let ran = consort_with(&["run", "-", "--quiet"], CHAIN);
    assert_eq!((ran.code, ran.out.as_str(), ran.err.as_str()), (0, "About tea!\n", ""));
}

#[test]
fn verbose_shows_what_plugins_log() {
    let workflow =
        "- {task_id: a, agent: local, description: 'Summarise: One thing. Another thing.'}";
    let log = "local debug: operation summary";
    assert!(consort_with(&["run", "-", "-v"], workflow).err.contains(log));
    assert!(!consort_with(&["run", "-"], workflow).err.contains(log));
}

#[test]
fn inputs_are_given_as_json_text_or_file() {
    let dir = scratch("run-inputs");
    std::fs::write(dir.join("t.txt"), "rivers").expect("writable");
    let file = format!("topic=@{}", dir.join("t.txt").display());
    for (set, output) in [
        ("topic=coffee", "About coffee!\n"),
        ("topic=[1, 2]", "About [1,2]!\n"),
        (file.as_str(), "About rivers!\n"),
    ] {
        let ran = consort_with(&["run", "-", "-q", "--set", set], CHAIN);
        assert_eq!((ran.out.as_str(), ran.err.as_str()), (output, ""), "{set}");
    }
    let ran = consort_with(&["run", "-", "--set", "topci=x"], CHAIN);
    assert_eq!((ran.code, ran.out.as_str()), (2, ""));
    assert!(ran.err.contains("did you mean '--set topic=…'"), "{}", ran.err);
}

#[test]
fn a_failed_run_exits_with_1_and_says_why() {
    let workflow = "
- {task_id: good, agent: echo}
- {task_id: bad, agent: echo, depends_on: [good], transform: [{transformer: json-schema, config: {schema: {type: string}}}]}
- {task_id: after, agent: echo, depends_on: [bad]}
";
    let ran = consort_with(&["run", "-", "--quiet"], workflow);
    assert_eq!((ran.code, ran.out.as_str()), (1, ""));
    assert!(ran.err.starts_with("error: task 'bad' failed: "), "{}", ran.err);
    let report = json(&consort_with(&["run", "-", "--json"], workflow).out);
    assert_eq!(report["status"], "failed");
    assert_eq!(report["tasks"]["good"]["status"], "succeeded");
    assert!(report["tasks"]["bad"]["error"]["message"].is_string());
    assert!(report["tasks"]["after"]["output"].is_null());
}

#[test]
fn a_failure_says_what_it_came_of() {
    let nobody = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let url = format!("http://{}/", nobody.local_addr().expect("it is bound"));
    drop(nobody);
    let workflow = format!(
        "agents: {{A: {{adapter: http-json, url: '{url}'}}, B: {{adapter: http-json, url: '{url}'}}}}\n\
         tasks: [{{task_id: t, agent: A, description: x, on_failure: {{fallback: [B]}}}}]\n"
    );
    let ran = consort_with(&["run", "-", "--quiet"], &workflow);
    assert_eq!(ran.code, 1, "{}", ran.err);
    let after: Vec<&str> =
        ran.err.lines().filter_map(|line| line.strip_prefix("    after ")).collect();
    assert_eq!(after.len(), 3, "{}", ran.err);
    let of_network = format!("POST {url}: ");
    assert!(after[0].starts_with(&of_network) && after[0].contains("refused"), "{}", ran.err);
    assert!(after[1].starts_with("A: "), "{}", ran.err);
    assert!(after[2].starts_with(&format!("A: {of_network}")), "{}", ran.err);
}

#[test]
fn a_broken_limit_names_the_plugin_the_limit_and_the_remedy() {
    let workflow = "- {task_id: a, agent: echo, description: x, resources: {fuel: 10}}";
    let ran = consort_with(&["run", "-", "-q"], workflow);
    assert_eq!(ran.code, 1);
    for part in ["echo@", "'fuel'", "of 10 units", "hint: raise 'fuel'"] {
        assert!(ran.err.contains(part), "{part:?} is not in {}", ran.err);
    }
}

#[test]
fn what_is_not_valid_exits_with_2_before_anything_runs() {
    let ran = consort_with(&["run", "-", "--json"], "- {task_id: a, agent: nobody}");
    assert_eq!(ran.code, 2);
    let report = json(&ran.out);
    assert_eq!(report["status"], "invalid");
    assert_eq!(report["problems"][0]["code"], "unknown-agent");
    assert!(ran.err.contains("[<stdin>:1:23]"), "{}", ran.err);
    let ran = consort_with(&["run", "-", "--policy", "critical-paht"], CHAIN);
    assert_eq!(ran.code, 2);
    assert!(ran.err.contains("did you mean 'critical-path'"), "{}", ran.err);
    let ran = consort_with(&["run", "-", "--policy", "jq"], CHAIN);
    assert_eq!(ran.code, 2);
    assert!(ran.err.contains("transformer"), "{}", ran.err);
}

#[test]
fn every_policy_inside_runs_a_workflow() {
    for policy in ["priority", "critical-path", "deadline"] {
        let report = json(&consort_with(&["run", "-", "--json", "--policy", policy], CHAIN).out);
        assert_eq!(report["metrics"]["policy"]["name"], policy);
        assert_eq!(report["metrics"]["policy"]["faults"], 0, "{report}");
        assert_eq!(report["status"], "succeeded");
    }
}

#[test]
fn without_a_place_for_compiled_code_it_runs_all_the_same() {
    let run = |args: &[&str]| -> Ran {
        let mut command = command(args);
        command.env("CONSORT_CACHE_DIR", "/dev/null/nowhere");
        command.output().expect("the binary runs").into()
    };
    let quiet = run(&["run", "run/one.yaml", "--quiet"]);
    assert_eq!((quiet.code, quiet.err.as_str()), (0, ""));
    let verbose = run(&["run", "run/one.yaml", "-v"]);
    assert_eq!(verbose.code, 0);
    assert!(verbose.err.contains("not caching compiled code"), "{}", verbose.err);
}

#[test]
fn a_reader_that_goes_away_is_no_panic() {
    let mut child = command(&["run", "run/one.yaml"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the binary runs");
    drop(child.stdout.take());
    let ran = Ran::from(child.wait_with_output().expect("the binary ends"));
    assert_eq!(ran.code, 0, "{}", ran.err);
    assert!(!ran.err.contains("panicked"), "{}", ran.err);
}

/// An agent that takes a request and keeps whoever sent it waiting.
struct SlowAgent {
    listener: TcpListener,
}

impl SlowAgent {
    fn workflow(&self) -> String {
        let port = self.listener.local_addr().expect("bound").port();
        format!(
            "agents: {{Slow: {{adapter: http-json, url: 'http://127.0.0.1:{port}/'}}}}\n\
             tasks: [{{task_id: done, agent: echo}}, {{task_id: slow, agent: Slow, depends_on: [done]}}]\n"
        )
    }
}

#[test]
fn a_signal_cancels_cleanly_and_the_report_says_what_was_done() {
    for signal in ["INT", "TERM"] {
        let agent = SlowAgent { listener: TcpListener::bind("127.0.0.1:0").expect("a port") };
        let file = scratch(&format!("run-{signal}")).join("slow.yaml");
        std::fs::write(&file, agent.workflow()).expect("writable");
        let child = command(&["run", file.to_str().expect("UTF-8"), "--json"])
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the binary runs");
        let connection = agent.listener.accept().expect("the agent is called");
        let kill = Command::new("kill").args(["-s", signal, &child.id().to_string()]).status();
        assert!(kill.expect("kill runs").success());
        let ran = Ran::from(child.wait_with_output().expect("the binary ends"));
        drop(connection);
        assert_eq!(ran.code, 130, "{signal}: {}", ran.err);
        let report = json(&ran.out);
        assert_eq!(report["status"], "cancelled", "{signal}");
        assert_eq!(report["tasks"]["done"]["status"], "succeeded", "{signal}");
        assert_eq!(report["tasks"]["slow"]["status"], "cancelled", "{signal}");
        assert!(ran.err.contains("stopping"), "{signal}: {}", ran.err);
    }
}

/// Serves one request and returns its head.
fn serve_once(listener: &TcpListener, body: &str) -> String {
    let (mut stream, _) = listener.accept().expect("a connection");
    let mut reader = BufReader::new(stream.try_clone().expect("a handle"));
    let mut head = String::new();
    let mut length = 0;
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).expect("a line");
        if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().expect("a number");
        }
        if line.trim().is_empty() {
            break;
        }
        head.push_str(&line);
    }
    reader.read_exact(&mut vec![0; length]).expect("the body");
    let size = body.len();
    write!(stream, "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {size}\r\nconnection: close\r\n\r\n{body}")
        .expect("the answer is taken");
    head
}

#[test]
fn a_secret_reaches_its_agent_and_nobody_else() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("bound").port();
    let file = scratch("run-secret").join("secret.yaml");
    let workflow = format!(
        "agents: {{Mine: {{adapter: http-json, url: 'http://127.0.0.1:{port}/', config: {{api_key: MY_KEY, answer: result}}}}}}\n\
         tasks: [{{task_id: a, agent: Mine, description: hello}}]\n"
    );
    std::fs::write(&file, workflow).expect("writable");
    let file = file.to_str().expect("UTF-8");
    let child = command(&["run", file, "--json", "-v", "--secret", "MY_KEY=env:FROM_HERE"])
        .env("FROM_HERE", "hunter2-hunter2")
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the binary runs");
    let head = serve_once(&listener, r#"{"result": 42}"#);
    let ran = Ran::from(child.wait_with_output().expect("the binary ends"));
    assert!(head.contains("Bearer hunter2-hunter2"), "{head}");
    assert_eq!(json(&ran.out)["tasks"]["a"]["output"], 42, "{}", ran.err);
    assert!(!ran.out.contains("hunter2") && !ran.err.contains("hunter2"), "{}", ran.err);
    let missing = consort(&["run", file, "--secret", "MY_KEY"]);
    assert_eq!(missing.code, 2);
    assert!(missing.err.contains("environment variable 'MY_KEY'"), "{}", missing.err);
}

#[test]
fn large_runs_are_shown_in_part() {
    let tasks: Vec<String> =
        (0..500).map(|n| format!("{{\"task_id\": \"t{n}\", \"agent\": \"echo\"}}")).collect();
    let ran = consort_with(&["run", "-"], &format!("[{}]", tasks.join(",")));
    assert_eq!(ran.code, 0, "{}", ran.err);
    assert!(ran.out.contains("… and 460 more\n"), "{}", ran.out);
    let report: Value =
        json(&consort_with(&["run", "-", "--json"], &format!("[{}]", tasks.join(","))).out);
    assert_eq!(report["tasks"].as_object().map(serde_json::Map::len), Some(500));
}
