//! Results that are *large*: they are in the file, and not in the memory of the
//! process that carries the run out or reads it.

use serde_json::{Value, json};

use crate::place::Place;

/// The bytes of each large result.
const BYTES: usize = 4_000_000;

/// A workflow with so many large results, a person's answer, and a task that
/// needs the first of them afterwards.
fn workflow(large: usize) -> Value {
    let transform = json!([{"transformer": "jq", "config": {"filter": ". * 400000"}}]);
    let limits = json!({"memory": 256 << 20, "fuel": 100_000_000_000_u64, "output": 64 << 20});
    let agent = json!({"adapter": "./scripted.wasm", "limits": limits});
    let mut tasks = vec![];
    for n in 0..large {
        // Equal ones are once in the file; each takes its room in memory.
        let what = n % 20;
        tasks.push(json!({"task_id": format!("large{n}"), "agent": "S",
            "description": format!("{what:09}\n"), "transform": transform}));
    }
    let length = json!([{"transformer": "jq", "config": {"filter": "length"}}]);
    let all = (0..large).map(|n| json!({"task": format!("large{n}"), "transform": length}));
    tasks.push(json!({"task_id": "all", "agent": "S", "description": "done",
        "depends_on": all.collect::<Value>()}));
    tasks.push(json!({"task_id": "review", "type": "approval", "description": "Go on?",
        "depends_on": ["all"]}));
    tasks.push(
        json!({"task_id": "after", "agent": "S", "description": "{{ results.large0 | length }}",
        "depends_on": ["large0", "review"]}),
    );
    json!({"name": "large", "agents": {"S": agent}, "tasks": tasks})
}

/// What a task came to.
fn result(n: usize) -> String {
    format!("{n:09}\n").repeat(BYTES / 10)
}

/// Some bytes of the first large result are others now.
fn damage(place: &Place) {
    // Whatever is in the log gets into the file.
    place.run("gc --older-than 10000d --store runs.db", 0);
    let file = place.file("runs.db");
    let mut bytes = std::fs::read(&file).unwrap();
    let what = "000000000\n".repeat(100);
    let places = bytes.windows(what.len()).enumerate();
    let places = places.filter(|(_, bytes)| *bytes == what.as_bytes());
    let places: Vec<usize> = places.map(|(place, _)| place).collect();
    assert!(!places.is_empty());
    // Some may be older copies of a page.
    places.into_iter().for_each(|place| bytes[place] = b'x');
    std::fs::write(file, bytes).unwrap();
}

#[test]
#[cfg(target_os = "linux")]
fn a_run_with_many_large_results_does_not_hold_them() {
    const LARGE: usize = 100;
    let place = Place::new();
    place.write("parked.json", &workflow(LARGE).to_string());
    let parked = place.park_by("run parked.json --store runs.db --quiet --concurrency 2");
    let peak = peak(parked.pid());
    let all = LARGE * BYTES;
    assert!(peak < all * 3 / 4, "{peak} bytes of memory for {all} bytes of results");
    let run = parked.kill();
    // Whoever goes on with it needs less.
    let words = format!("resume {run} --store runs.db --quiet");
    let parked = place.park_again(&words, run);
    let peak = self::peak(parked.pid());
    assert!(peak < all / 2, "{peak} bytes of memory for {all} bytes of results");
}

/// The most memory that a process has had.
#[cfg(target_os = "linux")]
fn peak(pid: u32) -> usize {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().strip_suffix(" kB").unwrap().trim().parse::<usize>().unwrap() * 1024
}

#[test]
fn a_run_that_was_killed_goes_on_with_its_large_results() {
    let place = Place::new();
    place.write("parked.json", &workflow(3).to_string());
    let run = place.interrupted();
    let words = format!("resume {run} --store runs.db --json --answer review=true");
    let resumed = place.run(&words, 0).json();
    let report = place.run(&format!("result {run} --store runs.db --json"), 0).json();
    for report in [&resumed, &report] {
        for n in 0..3 {
            assert!(report["tasks"][format!("large{n}")]["output"] == result(n), "{n}");
        }
        assert_eq!(report["tasks"]["after"]["output"], BYTES.to_string());
    }
    let large = place.run(&format!("result {run} large2 --store runs.db"), 0);
    assert!(large.out == result(2), "byte for byte: {}", large.out.len());
}

#[test]
fn a_payload_that_is_damaged_fails_who_needs_it_and_says_so() {
    let place = Place::new();
    place.write("parked.json", &workflow(2).to_string());
    let run = place.interrupted();
    damage(&place);
    // What does not need it goes on.
    let status = place.run(&format!("status {run} --store runs.db --json"), 0).json();
    assert_eq!(status["tasks"].as_array().unwrap().len(), 5);
    let words = format!("resume {run} --store runs.db --quiet --answer review=true");
    place.run(&words, 1).says(&[
        "task 'after' failed: the result of 'large0' is not to be had: payload ",
        "cannot be read: store '",
        "is damaged: payload ",
        "has other bytes; restore it from a backup",
    ]);
    let status = place.run(&format!("status {run} --store runs.db --json"), 0).json();
    let mut tasks = status["tasks"].as_array().unwrap().iter();
    let after = tasks.find(|task| task["task_id"] == "after").unwrap();
    assert_eq!(after["error"]["kind"], "payload", "{after:#}");
    place.run(&format!("result {run} large1 --store runs.db"), 0);
    for words in [format!("result {run} large0"), format!("result {run} --json")] {
        let ended = place.run(&format!("{words} --store runs.db"), 1);
        ended.says(&[
            "error: the result of task 'large0' is not to be had: payload ",
            "cannot be read: store '",
            "has other bytes",
            "'consort check'",
        ]);
        assert!(!ended.out.contains("problems"), "nothing is printed behind it");
    }
    let found = place.run("check --store runs.db", 1).out;
    assert!(found.contains(&format!(", of run {run}, has other bytes")), "{found}");
}
