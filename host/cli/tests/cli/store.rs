//! Runs that are recorded: `run --store`, `list`, `status`, `history`, `result`,
//! `answer`, `cancel`, `resume`, `backup`, `gc`.

use std::io::{BufRead as _, BufReader, Lines};
use std::process::{Child, ChildStderr, Stdio};

use serde_json::json as value;

use crate::support::{Ran, command, consort, json, scratch};

const REVIEWED: &str = "
tasks:
  - {task_id: write, agent: echo, description: a draft}
  - {task_id: review, type: approval, description: 'Is it good?', depends_on: [write],
     schema: {type: object, required: [approved], properties: {approved: {type: boolean}}}}
  - {task_id: publish, agent: echo, description: published, depends_on: [review]}
";

/// A store of its own with one run of this workflow, and the run's id.
fn recorded(name: &str, workflow: &str, more: &[&str]) -> (String, String, Ran) {
    let dir = scratch(name);
    let file = dir.join("flow.yaml");
    std::fs::write(&file, workflow).expect("the file can be written");
    let store = dir.join("runs.db").display().to_string();
    let file = file.display().to_string();
    let ran = consort(&[&["run", &file, "--store", &store, "--quiet"], more].concat());
    let id = only_run(&store);
    (store, id, ran)
}

/// A run of [`REVIEWED`] in a store of its own, as far as its question, and what
/// it says.
fn asking(name: &str) -> (String, Child, Lines<BufReader<ChildStderr>>) {
    let dir = scratch(name);
    let store = dir.join("runs.db").display().to_string();
    let file = dir.join("flow.yaml");
    std::fs::write(&file, REVIEWED).expect("the file can be written");
    let file = file.display().to_string();
    let mut run = command(&["run", &file, "--store", &store])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the binary runs");
    let mut lines = BufReader::new(run.stderr.take().expect("it is piped")).lines();
    let asked = lines.by_ref().map_while(Result::ok).any(|line| line.contains("review asks"));
    assert!(asked, "nobody is asked");
    (store, run, lines)
}

/// The id of the only run of a store.
fn only_run(store: &str) -> String {
    let runs = json(&consort(&["list", "--store", store, "--json"]).out);
    runs[0]["id"].as_str().expect("a run").to_owned()
}

/// A store and its run, whose process died while it asked.
fn killed_while_it_asks(name: &str) -> (String, String) {
    let (store, mut run, _lines) = asking(name);
    run.kill().expect("it runs");
    run.wait().expect("it is dead");
    let id = only_run(&store);
    (store, id)
}

#[test]
fn what_is_recorded_can_be_read_in_every_way() {
    let workflow = "[{task_id: one, agent: echo, description: hello}]";
    let (store, id, ran) = recorded("store-read", workflow, &[]);
    assert_eq!((ran.code, ran.out.as_str()), (0, "hello\n"), "{}", ran.err);
    let on = |args: &[&str]| consort(&[args, &["--store", &store]].concat());
    assert!(on(&["list"]).out.contains(&format!("{id}  succeeded  1")));
    for (filter, count) in
        [(["--status", "failed"], 0), (["--limit", "0"], 0), (["--limit", "1"], 1)]
    {
        let runs = json(&on(&[&["list", "--json"], &filter[..]].concat()).out);
        assert_eq!(runs.as_array().map(Vec::len), Some(count), "{filter:?}");
    }
    let status = json(&on(&["status", &id[..13], "--json"]).out);
    assert_eq!(status["progress"]["share"], 1.0);
    assert_eq!(status["tasks"][0]["state"], "succeeded");
    let history = on(&["history", &id, "one", "--json"]).out;
    let events: Vec<_> = history.lines().map(|line| json(line)["event"].clone()).collect();
    assert_eq!(events, ["task_started", "task_finished"], "{history}");
    assert_eq!(on(&["result", &id, "one"]).out, "hello", "byte for byte");
    assert_eq!(on(&["result", &id]).out, "hello\n");
    let report = json(&on(&["result", &id, "--json"]).out);
    assert_eq!(
        (&report["status"], &report["tasks"]["one"]["output"]),
        (&value!("succeeded"), &value!("hello"))
    );
    assert_eq!(on(&["resume", &id]).code, 2);
    assert!(on(&["status", "nonsense"]).err.contains("consort list"));
    assert!(on(&["result", &id, "on"]).err.contains("did you mean 'one'?"));
}

#[test]
fn a_question_is_answered_from_another_process_and_the_run_goes_on() {
    let (store, run, lines) = asking("store-answer");
    let on = |args: &[&str]| consort(&[args, &["--store", &store]].concat());
    let id = only_run(&store);
    assert!(on(&["status", &id]).out.contains("Is it good?"));
    assert!(on(&["answer", &id, "write", "true"]).err.contains("asks nothing"));
    assert!(on(&["answer", &id, "review", "3"]).err.contains("does not fit"));
    assert!(on(&["answer", &id, "review", "yes"]).err.contains("is not JSON"));
    let answer = on(&["answer", &id, "review", "{\"approved\": true}"]);
    assert_eq!((answer.code, answer.err.as_str()), (0, ""));
    // Read to the end, or the run would wait for its reader.
    lines.for_each(drop);
    let ran = Ran::from(run.wait_with_output().expect("it ends"));
    assert_eq!(ran.code, 0, "{}", ran.out);
    assert!(on(&["history", &id, "review"]).out.contains("review is answered"));
}

#[test]
fn what_came_of_a_task_elsewhere_is_delivered_from_another_process() {
    let (store, id) = killed_while_it_asks("store-complete");
    let on = |args: &[&str]| consort(&[args, &["--store", &store]].concat());
    let refused = on(&["complete", &id, "publish", "--result", "x"]);
    assert_eq!(refused.code, 2, "{}", refused.err);
    assert!(refused.err.contains("it is blocked"), "{}", refused.err);
    assert_eq!(on(&["complete", &id, "review"]).code, 2);
    assert_eq!(on(&["complete", &id, "review", "--result", "x", "--retry"]).code, 2);
    let misfit = on(&["complete", &id, "review", "--result", "3"]);
    assert!(misfit.err.contains("does not fit"), "{}", misfit.err);
    assert!(on(&["complete", &id, "review", "--result", "no"]).err.contains("is not JSON"));
    let noted = on(&["complete", &id, "review", "--error", "nobody has time"]);
    assert!(noted.err.contains("'consort resume"), "{}", noted.err);
    let resumed = on(&["resume", &id, "--json"]);
    let tasks = &json(&resumed.out)["tasks"];
    assert_eq!(tasks["review"]["status"], "failed");
    assert_eq!(tasks["review"]["error"]["kind"], "delivered");
    assert_eq!(tasks["review"]["error"]["message"], "nobody has time");
    let history = on(&["history", &id, "review"]).out;
    assert!(history.contains("review has a failure from outside"), "{history}");
}

#[test]
fn a_run_that_was_killed_is_resumed_and_takes_up_what_came_meanwhile() {
    let (store, id) = killed_while_it_asks("store-resume");
    let on = |args: &[&str]| consort(&[args, &["--store", &store]].concat());
    let answer = on(&["answer", &id, "review", "{\"approved\": true}"]);
    assert!(answer.err.contains("'consort resume"), "{}", answer.err);
    let resumed = on(&["resume", &id, "--json"]);
    assert_eq!(resumed.code, 0, "{}", resumed.err);
    let report = json(&resumed.out);
    assert_eq!(report["run_id"], id.as_str());
    assert_eq!(report["tasks"]["write"]["attempts"], 1);
    assert_eq!(report["tasks"]["publish"]["status"], "succeeded");
    // It is over.
    assert_eq!(on(&["cancel", &id]).code, 2);
}

#[test]
fn a_subtree_is_cancelled_when_its_run_is_resumed() {
    let (store, id) = killed_while_it_asks("store-cancel");
    let on = |args: &[&str]| consort(&[args, &["--store", &store]].concat());
    assert!(on(&["cancel", &id, "reveiw"]).err.contains("did you mean 'review'?"));
    assert_eq!(on(&["cancel", &id, "review", "--subtree"]).code, 0);
    let resumed = on(&["resume", &id, "--json"]);
    let tasks = &json(&resumed.out)["tasks"];
    let status = |task: &str| tasks[task]["status"].clone();
    assert_eq!(
        [status("write"), status("review"), status("publish")],
        ["succeeded", "cancelled", "cancelled"]
    );
}

#[test]
fn a_store_is_copied_and_cleaned() {
    let (store, id, _) = recorded("store-care", "[{task_id: one, agent: echo}]", &[]);
    let copy = format!("{store}.copy");
    let copied = consort(&["backup", &copy, "--store", &store]);
    assert_eq!(copied.code, 0, "{}", copied.err);
    assert_eq!(consort(&["backup", &copy, "--store", &store]).code, 2);
    let checked = consort(&["check", "--store", &copy, "--json"]);
    assert_eq!((checked.code, &json(&checked.out)["problems"]), (0, &value!([])));
    let flow = store.replace("runs.db", "flow.yaml");
    assert_eq!(consort(&["run", &flow, "--store", &copy, "--quiet"]).code, 0);
    let checked = consort(&["check", "--store", &copy]);
    assert_eq!(checked.err, "checked 50 % of 2 runs\n");
    assert!(checked.out.starts_with("2 runs with "), "{}", checked.out);
    assert_eq!(consort(&["check", "--store", &copy, "--quiet"]).err, "");
    let gc = |more: &[&str]| {
        let ran = consort(&[&["gc", "--store", &store, "--json", "--older-than"], more].concat());
        json(&ran.out)["runs"].clone()
    };
    assert_eq!((gc(&["1d"]), gc(&["0s", "--dry-run"])), (value!(0), value!(1)));
    assert_eq!(consort(&["status", &id, "--store", &store]).code, 0);
    assert_eq!(gc(&["0s"]), 1);
    assert_eq!(consort(&["status", &id, "--store", &store]).code, 2);
    assert_eq!(consort(&["status", &id, "--store", &copy]).code, 0);
    let wrong = consort(&["gc", "--older-than", "soon", "--store", &store]);
    assert!(wrong.err.contains("is not a span of time"), "{}", wrong.err);
}

#[test]
fn a_store_that_is_not_there_is_said_with_a_remedy() {
    for args in [&["list"][..], &["status", "x"], &["resume", "x"], &["gc", "--older-than", "1d"]] {
        let ran = consort(&[args, &["--store", "/nonexistent/runs.db"]].concat());
        assert_eq!(ran.code, 2, "{args:?}: {}", ran.err);
        assert!(ran.err.contains("CONSORT_STORE"), "{args:?}: {}", ran.err);
    }
}

#[test]
fn results_and_inputs_may_be_large_and_many() {
    let dir = scratch("store-large");
    let (result, input) = (dir.join("result.txt"), dir.join("input.txt"));
    std::fs::write(&result, "x".repeat(60_000)).expect("the file can be written");
    std::fs::write(&input, "y".repeat(20 << 20)).expect("the file can be written");
    let set = |key: &str, file: &std::path::Path| format!("{key}=@{}", file.display());
    let (result, input) = (set("result", &result), set("input", &input));
    // More at once than one entry of the journal holds, and an input that is
    // larger than any.
    let tasks: Vec<_> = (0..400)
        .map(|n| value!({"task_id": format!("t{n}"), "agent": "echo", "description": "{{ inputs.result }}"}))
        .chain([value!({"task_id": "length", "agent": "echo", "description": "{{ inputs.input | length }}"})])
        .collect();
    let (store, id, ran) = recorded(
        "store-large-run",
        &value!(tasks).to_string(),
        &["--set", &result, "--set", &input],
    );
    assert_eq!(ran.code, 0, "{}", ran.err);
    let of = |task: &str| consort(&["result", &id, task, "--store", &store]).out;
    assert_eq!(of("length"), "20971520");
    assert_eq!(of("t399").len(), 60_000);
}

#[test]
fn what_failed_is_done_again_and_the_rest_is_reused() {
    let (store, id, ran) =
        recorded("store-retry", REVIEWED, &["--answer", "review={\"approved\": false}"]);
    assert_eq!(ran.code, 1, "{}", ran.err);
    let on = |args: &[&str]| consort(&[args, &["--store", &store]].concat());
    let dry = on(&["retry", &id, "--dry-run"]);
    assert_eq!(dry.code, 0, "{}", dry.err);
    assert!(dry.out.contains("2 tasks again, 1 result reused"), "{}", dry.out);
    let dry = json(&on(&["retry", &id, "--from", "write", "--dry-run", "--json"]).out);
    assert_eq!(dry["retry_of"], id.as_str());
    assert_eq!(
        dry["tasks"][0],
        value!({"task_id": "write", "was": "succeeded", "becomes": "again"})
    );
    let again = on(&["retry", &id, "--answer", "review={\"approved\": true}", "--json"]);
    assert_eq!(again.code, 0, "{}", again.err);
    let report = json(&again.out);
    assert_eq!(report["tasks"]["write"]["reused"], true);
    assert_eq!(report["tasks"]["publish"]["output"]["description"], "published");
    assert_eq!(report["metrics"]["reused"], 1);
    let runs = json(&on(&["list", "--json"]).out);
    let about = json(runs[0]["about"].as_str().expect("JSON in JSON"));
    assert_eq!(about["retry_of"], id.as_str());
    let new = runs[0]["id"].as_str().expect("a run");
    assert!(on(&["status", new]).out.contains("reused"));
    assert!(
        on(&["history", new]).out.contains("write has the result that it had in the earlier run")
    );
    // What is over and well is not done again, unless somebody says so.
    for (args, code, says) in [
        (&["retry", new][..], 2, "'--from TASK' does a task again"),
        (&["retry", new, "--from", "writ"], 2, "did you mean 'write'?"),
        (&["retry", new, "--from", "publish", "--answer", "reviw=true"], 2, "--answer review=…"),
        (
            &["retry", new, "--from", "publish", "--answer", "review=true"],
            2,
            "its result is reused",
        ),
        (&["retry", new, "--from", "publish", "--policy", "deadline"], 2, "unexpected argument"),
        (&["retry", new, "--from", "write", "--failed"], 2, "cannot be used with"),
        (&["retry", "nothing"], 2, "consort list"),
    ] {
        let ran = on(args);
        assert!(ran.code == code && ran.err.contains(says), "{args:?}: {}", ran.err);
    }
}

#[test]
fn what_goes_on_is_not_done_again() {
    let (store, id) = killed_while_it_asks("store-retry-running");
    let ran = consort(&["retry", &id, "--store", &store]);
    assert!(ran.code == 2 && ran.err.contains("consort resume"), "{}", ran.err);
}
