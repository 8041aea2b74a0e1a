//! The *workflow* that is killed over and over: every way in which a task can
//! be done, about a hundred tasks, one or two seconds; and what must come of it.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

/// Tasks whose agent works by itself.
const REMOTE: usize = 8;
/// Items of the fan-out.
const PIECES: usize = 24;

/// A workflow and what must come of it.
pub(crate) struct Workflow {
    pub(crate) document: Value,
    /// How each task must end, items and additions included, and its result.
    pub(crate) expected: BTreeMap<String, (&'static str, Value)>,
}

impl Workflow {
    /// The workflow, with the agent at this URL.
    pub(crate) fn new(server: &str) -> Self {
        let mut writer = Writer { server, tasks: Vec::new(), expected: BTreeMap::new() };
        writer.plain();
        writer.flaky();
        writer.fan_out();
        writer.equal();
        writer.remote();
        writer.approval();
        writer.spawned();
        writer.rescued();
        writer.collaborative();
        writer.conditional();
        writer.finish()
    }

    /// One task, whose agent does not answer when it is first told to stop.
    pub(crate) fn deaf(server: &str) -> Self {
        let mut writer = Writer { server, tasks: Vec::new(), expected: BTreeMap::new() };
        writer.stuck("/runs?polls=1000000&deaf=1");
        writer.finish()
    }
}

struct Writer<'a> {
    server: &'a str,
    tasks: Vec<Value>,
    expected: BTreeMap<String, (&'static str, Value)>,
}

impl Writer<'_> {
    fn finish(self) -> Workflow {
        let Self { server, tasks, expected } = self;
        let agent = |path: &str| {
            let config = json!({"answer": "answer"});
            json!({"adapter": "http-json", "url": format!("{server}{path}"), "config": config})
        };
        let document = json!({
            "name": "crash",
            "inputs": {"go": true},
            "agents": {
                "Worker": agent("/work?ms=15"),
                "Broken": agent("/work?fails=1000000&code=400"),
                "Remote": {"adapter": "./remote.wasm", "url": format!("{server}/runs?polls=2")},
                "Scripted": {"adapter": "./scripted.wasm"},
            },
            "tasks": tasks,
        });
        Workflow { document, expected }
    }

    /// A task that Worker does, with these fields besides, which must have this
    /// result.
    fn task(&mut self, id: &str, description: &str, more: Value, result: impl Into<Value>) {
        let mut task = json!({"task_id": id, "agent": "Worker", "description": description});
        merge(&mut task, more);
        self.tasks.push(task);
        self.expect(id, "succeeded", result);
    }

    fn expect(&mut self, id: &str, status: &'static str, result: impl Into<Value>) {
        self.expected.insert(id.to_owned(), (status, result.into()));
    }

    fn url(&self, path: &str) -> String {
        format!("{}{path}", self.server)
    }

    fn plain(&mut self) {
        for n in 0..20 {
            let words = format!("plain {n}");
            self.task(&format!("plain{n}"), &words, json!({}), format!("did {words}"));
        }
        self.task("chain0", "start", json!({}), "did start");
        let mut result = "did start".to_owned();
        for n in 1..6 {
            let before = format!("chain{}", n - 1);
            let words = format!("{{{{ results.{before} }}}} {n}");
            result = format!("did {result} {n}");
            let more = json!({"depends_on": [before]});
            self.task(&format!("chain{n}"), &words, more, result.clone());
        }
    }

    fn flaky(&mut self) {
        let retry = json!({"max_attempts": 3, "backoff": "exponential", "initial_delay": 0.02});
        for n in 0..8 {
            let more = json!({
                "url": self.url("/work?ms=5&fails=2&code=503"),
                "retry_policy": retry,
            });
            let words = format!("flaky {n}");
            self.task(&format!("flaky{n}"), &words, more, format!("did {words}"));
        }
    }

    fn fan_out(&mut self) {
        let list: Value = (0..PIECES).map(|n| json!(format!("piece {n}"))).collect();
        let more = json!({"url": self.url(&format!("/work?list={PIECES}"))});
        self.task("list", "piece", more, list);
        let of_item = |n: usize| format!("did work on piece {n}");
        let all: Value = (0..PIECES).map(|n| json!(of_item(n))).collect();
        let more = json!({"depends_on": ["list"], "for_each": "results.list", "max_parallel": 3});
        self.task("pieces", "work on {{ item }}", more, all);
        for n in 0..PIECES {
            self.expect(&format!("pieces[{n}]"), "succeeded", of_item(n));
        }
        let words = "{{ results.pieces | length }}, then {{ results.pieces | last }}";
        let result = format!("did {PIECES}, then {}", of_item(PIECES - 1));
        self.task("reduced", words, json!({"depends_on": ["pieces"]}), result);
    }

    fn equal(&mut self) {
        for id in ["equal0", "equal1"] {
            let more = json!({"url": self.url("/work?ms=40"), "cache": {"ttl": "1h"}});
            self.task(id, "equal", more, "did equal");
        }
    }

    fn remote(&mut self) {
        for n in 0..REMOTE {
            let words = format!("remote {n}");
            let more = json!({"agent": "Remote", "priority": 8});
            self.task(&format!("remote{n}"), &words, more, format!("by itself: {words}"));
        }
        let words = "{{ results.remote0 }} and {{ results.remote1 }}";
        let result = "did by itself: remote 0 and by itself: remote 1";
        let more = json!({"depends_on": ["remote0", "remote1"]});
        self.task("remotes", words, more, result);
        self.stuck("/runs?polls=1000000");
    }

    /// A task that is out of time before its agent is done.
    fn stuck(&mut self, path: &str) {
        let more = json!({
            "agent": "Remote",
            "url": self.url(path),
            "priority": 10,
            "timeout": 0.5,
            "on_failure": "continue",
        });
        self.task("stuck", "never", more, Value::Null);
        self.expect("stuck", "failed", Value::Null);
    }

    fn approval(&mut self) {
        let more = json!({"type": "approval", "agent": null, "depends_on": ["plain0"]});
        self.task("review", "Ship?", more, true);
        let more = json!({"depends_on": ["review"]});
        self.task("shipped", "ship {{ results.review }}", more, "did ship true");
        for n in 0..8 {
            let words = format!("after {n}");
            let more = json!({"depends_on": ["shipped"]});
            self.task(&format!("after{n}"), &words, more, format!("did {words}"));
        }
    }

    fn spawned(&mut self) {
        let spawned: Vec<Value> = (0..4)
            .map(|n| {
                let depends_on = if n == 0 { json!([]) } else { json!(["spawned0"]) };
                json!({
                    "task_id": format!("spawned{n}"),
                    "agent": "Worker",
                    "description": format!("spawned {n}"),
                    "depends_on": depends_on,
                })
            })
            .collect();
        let more = json!({"agent": "Scripted", "input": spawned, "depends_on": ["chain1"]});
        self.task("spawner", "spawn", more, "spawned");
        for n in 0..4 {
            self.expect(&format!("spawned{n}"), "succeeded", format!("did spawned {n}"));
        }
    }

    fn rescued(&mut self) {
        let more = json!({"agent": "Broken", "on_failure": {"fallback": ["Worker"]}});
        self.task("rescued", "rescue", more, "did rescue");
    }

    fn collaborative(&mut self) {
        let step = |id: &str| json!({"task_id": id, "agent": "Worker", "description": id});
        let mut parallel = step("step1");
        parallel["parallel"] = json!(true);
        let more = json!({
            "type": "collaborative_task",
            "agent": null,
            "steps": [step("step0"), parallel, step("step2")],
        });
        let results: Map<String, Value> = ["step0", "step1", "step2"]
            .into_iter()
            .map(|id| {
                self.expect(id, "succeeded", format!("did {id}"));
                (id.to_owned(), json!(format!("did {id}")))
            })
            .collect();
        self.task("team", "together", more, results);
    }

    fn conditional(&mut self) {
        self.task("yes", "yes", json!({"when": "inputs.go"}), "did yes");
        let more = json!({"when": "not inputs.go", "on_failure": "continue"});
        self.task("no", "no", more, Value::Null);
        self.expect("no", "skipped", Value::Null);
        let more = json!({"depends_on": ["yes", "no"]});
        self.task("either", "{{ results.no | default(results.yes) }}", more, "did did yes");
    }
}

/// Sets fields of an object; null takes one away.
fn merge(task: &mut Value, more: Value) {
    let (Value::Object(task), Value::Object(more)) = (task, more) else { return };
    for (field, value) in more {
        match value {
            Value::Null => drop(task.remove(&field)),
            value => drop(task.insert(field, value)),
        }
    }
}
