//! Random workflow *documents*, as people write them, with every field that the
//! scheduler knows.

use serde_json::{Map, Value, json};

use crate::dice::Dice;

/// A workflow: mostly small and intricate, at times a crowd of simple tasks.
pub(crate) fn workflow(dice: &mut Dice) -> Value {
    let agents: Vec<String> = (0..dice.between(1, 4)).map(|n| format!("agent-{n}")).collect();
    let crowd = dice.chance(6);
    let mut writer = Writer { dice, agents: &agents, ids: Vec::new(), crowd };
    let count = if crowd { writer.dice.between(90, 250) } else { writer.dice.between(1, 14) };
    let tasks: Vec<Value> = (0..count)
        .map(|n| {
            let id = format!("t{n}");
            let task = writer.task(&id, true);
            writer.ids.push(id);
            task
        })
        .collect();
    let mut document = json!({
        "name": "simulated",
        "inputs": {"go": true},
        "agents": agents.iter().map(|name| (name.clone(), agent(dice, crowd))).collect::<Map<_, _>>(),
        "tasks": tasks,
        "on_conflict": dice.pick(&["reject", "hold", "admit"]),
    });
    if dice.chance(50) {
        document["on_failure"] = json!(dice.pick(&["fail", "skip", "continue"]));
    }
    if dice.chance(8) {
        document["budget"] = match dice.chance(50) {
            true => json!({"tokens": dice.between(1, 2_000)}),
            false => json!({"cost": dice.between(1, 300) as f64 / 100.0}),
        };
    }
    if dice.chance(8) {
        document["deadline"] = deadline(dice);
    }
    document
}

fn agent(dice: &mut Dice, crowd: bool) -> Value {
    let mut agent = json!({"adapter": "simulated"});
    if dice.chance(if crowd { 15 } else { 50 }) {
        agent["max_concurrency"] = json!(dice.between(1, 5));
    }
    if dice.chance(20) {
        agent["rate_limit"] = match dice.chance(50) {
            true => json!(format!("{}/s", dice.between(1, 30))),
            false => json!({
                "attempts": dice.between(1, 8),
                "per": dice.between(1, 900) as f64 / 1_000.0,
                "burst": dice.between(1, 5),
            }),
        };
    }
    if dice.chance(40) {
        agent["batch"] = match dice.roll(3) {
            0 => json!(true),
            1 => json!({"max": dice.between(1, 6)}),
            _ => {
                json!({"max": dice.between(2, 6), "linger": dice.between(0, 700) as f64 / 1_000.0})
            }
        };
    }
    agent
}

fn seconds(dice: &mut Dice, low: u64, high: u64) -> Value {
    json!(dice.between(low, high) as f64 / 1_000.0)
}

/// In one of the ways to write it.
fn deadline(dice: &mut Dice) -> Value {
    match dice.roll(3) {
        0 => seconds(dice, 300, 9_000),
        1 => json!(format!("{}s", dice.between(1, 10))),
        _ => json!(format!("2027-01-15T08:00:{:02}Z", dice.between(1, 10))),
    }
}

struct Writer<'a> {
    dice: &'a mut Dice,
    agents: &'a [String],
    /// Tasks that others may wait for.
    ids: Vec<String>,
    crowd: bool,
}

impl Writer<'_> {
    fn task(&mut self, id: &str, top: bool) -> Value {
        let mut task = json!({"task_id": id});
        if self.crowd {
            self.plain(&mut task);
            return task;
        }
        if top {
            self.dependencies(&mut task);
        }
        let dice = &mut *self.dice;
        if dice.chance(15) {
            task["when"] = json!("inputs.go");
        }
        if dice.chance(30) {
            task["priority"] = json!(dice.between(1, 11));
        }
        if dice.chance(6) {
            task["deadline"] = deadline(dice);
        }
        if dice.chance(40) {
            task["on_failure"] = json!(dice.pick(&["fail", "skip", "skip", "continue"]));
        }
        match self.dice.roll(100) {
            0..10 if top => self.group(&mut task, id),
            10..18 => self.approval(&mut task),
            _ => self.work(&mut task),
        }
        task
    }

    fn dependencies(&mut self, task: &mut Value) {
        let wanted = if self.ids.is_empty() { 0 } else { self.dice.roll(4) };
        let mut depends_on: Vec<Value> = Vec::new();
        for _ in 0..wanted {
            let id = json!(self.dice.pick(&self.ids));
            if !depends_on.iter().any(|edge| *edge == id || edge["task"] == id) {
                let edge = if self.dice.chance(20) { json!({"task": id}) } else { id };
                depends_on.push(edge);
            }
        }
        task["depends_on"] = depends_on.into();
    }

    /// What decides with which tasks it is started together.
    fn likeness(&mut self, task: &mut Value) {
        let dice = &mut *self.dice;
        if dice.chance(40) {
            task["type"] = json!(dice.pick(&["summary", "translation"]));
        }
        if dice.chance(25) {
            task["batch"] = json!(dice.chance(60));
        }
    }

    fn plain(&mut self, task: &mut Value) {
        self.likeness(task);
        let dice = &mut *self.dice;
        task["agent"] = json!(dice.pick(self.agents));
        if !self.ids.is_empty() && dice.chance(15) {
            task["depends_on"] = json!([dice.pick(&self.ids)]);
        }
        if dice.chance(15) {
            task["resources"] = json!({"slots": dice.between(1, 8)});
        }
        if dice.chance(20) {
            task["priority"] = json!(dice.between(1, 11));
        }
        task["on_failure"] = json!("continue");
    }

    fn group(&mut self, task: &mut Value, id: &str) {
        task["type"] = json!("collaborative_task");
        let steps: Vec<Value> = (0..self.dice.between(1, 5))
            .map(|n| {
                let mut step = self.task(&format!("{id}-{n}"), false);
                if self.dice.chance(30) {
                    step["parallel"] = json!(true);
                }
                if n > 0 && self.dice.chance(20) {
                    step["depends_on"] = json!([format!("{id}-{}", self.dice.roll(n))]);
                }
                step
            })
            .collect();
        task["steps"] = steps.into();
    }

    fn approval(&mut self, task: &mut Value) {
        task["type"] = json!("approval");
        task["description"] = json!("May it go on?");
        if self.dice.chance(30) {
            task["timeout"] = seconds(self.dice, 200, 3_000);
        }
        self.for_each(task, 10);
    }

    fn work(&mut self, task: &mut Value) {
        task["agent"] = json!(self.dice.pick(self.agents));
        self.likeness(task);
        self.for_each(task, 15);
        let dice = &mut *self.dice;
        task["timeout"] = seconds(dice, 100, 4_000);
        let mut timeouts = json!({});
        for (limit, low, high) in [("queue", 50, 1_500), ("idle", 50, 800), ("total", 300, 5_000)] {
            if dice.chance(12) {
                timeouts[limit] = seconds(dice, low, high);
            }
        }
        task["timeouts"] = timeouts;
        if dice.chance(50) {
            let initial = dice.between(0, 400);
            task["retry_policy"] = json!({
                "max_attempts": dice.between(1, 5),
                "backoff": dice.pick(&["none", "fixed", "linear", "exponential"]),
                "initial_delay": initial as f64 / 1_000.0,
                "max_delay": dice.between(initial.max(1), 2_000) as f64 / 1_000.0,
                "jitter": dice.pick(&[json!(true), json!(false), json!(0.3)]),
            });
        }
        if dice.chance(25) {
            task["resources"] = json!({"slots": dice.between(1, 6)});
        }
        if dice.chance(12) {
            task["on_failure"] = json!({"fallback": [dice.pick(self.agents)]});
        }
    }

    fn for_each(&mut self, task: &mut Value, percent: u64) {
        let dice = &mut *self.dice;
        if dice.chance(percent) {
            task["for_each"] = match dice.chance(50) {
                true => json!("inputs.items"),
                false => json!(["a", "b", "c"]),
            };
            if dice.chance(60) {
                task["max_parallel"] = json!(dice.between(1, 4));
            }
        }
    }
}
