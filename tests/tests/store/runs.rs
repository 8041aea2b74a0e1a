//! Which *run* is meant, and what becomes of it.

use consort_store::{Durability, Entry, Options, Store};

use crate::place::Place;

#[test]
fn only_a_run_that_is_not_over_is_resumed() {
    let place = Place::new();
    let first = place.interrupted();
    let report = place.run("run short.json --store runs.db --json", 0).json();
    let over = report["run_id"].as_str().unwrap();
    let words = format!("resume {over} --store runs.db");
    place.run(&words, 2).says(&["is over: it has succeeded", &format!("consort result {over}")]);
    let words = "resume nightly --store runs.db";
    place.run(words, 2).says(&["there is no run 'nightly'", "consort list"]);
    // Ids begin with the time.
    place.run("resume 01 --store runs.db", 2).says(&["could be any of", &first, over]);
    place.run("resume 01 --store other.db", 2).says(&["there is no store at 'other.db'"]);
    // The end of an id is as good as its beginning.
    let end = &first[first.len() - 12..];
    let words = format!("resume {end} --store runs.db --answer review=true --json");
    assert_eq!(place.run(&words, 0).json()["status"], "succeeded");
    place.run(&format!("resume {first} --store runs.db"), 2).says(&["is over"]);
}

#[test]
fn an_answer_outlives_the_process_it_was_given_to() {
    let place = Place::new();
    let text = r#"{"tasks": [
        {"task_id": "first", "type": "approval", "description": "One?"},
        {"task_id": "second", "type": "approval", "description": "Two?", "depends_on": ["first"]}
    ]}"#;
    place.write("parked.json", &text.replace("first", "review"));
    let run = place.interrupted();
    let mut child = place
        .command(&format!("resume {run} --store runs.db --quiet --answer review={{\"by\":\"me\"}}"))
        .spawn()
        .unwrap();
    place.wait_until(&run, "second", "asking");
    child.kill().unwrap();
    child.wait().unwrap();
    let words = format!("resume {run} --store runs.db --json --answer second=true");
    let report = place.run(&words, 0).json();
    assert_eq!(report["tasks"]["review"]["output"]["by"], "me");
}

#[test]
fn what_is_over_is_forgotten_when_it_is_old_and_nothing_else() {
    let place = Place::new();
    place.run("run short.json --store runs.db", 0);
    let kept = place.interrupted();
    let gc = "gc --older-than 0s --store runs.db --json";
    assert_eq!(place.run(&format!("{gc} --dry-run"), 0).json()["runs"], 1);
    assert_eq!(place.runs().len(), 2);
    assert_eq!(place.run("gc --older-than 1d --store runs.db --json", 0).json()["runs"], 0);
    assert_eq!(place.run(gc, 0).json()["runs"], 1);
    assert_eq!(place.runs().concat(), kept);
    place.run(&format!("resume {kept} --store runs.db --answer review=true"), 0);
}

#[test]
fn a_retry_that_was_killed_still_has_what_it_took_over_though_the_earlier_run_is_gone() {
    let place = Place::new();
    place.run("run parked.json --store runs.db --answer review=false", 1);
    let earlier = place.runs().swap_remove(0);
    let retry = place.park_by(&format!("retry {earlier} --store runs.db --quiet")).kill();
    let gone = place.run("gc --older-than 0s --store runs.db --json", 0).json();
    assert_eq!((&gone["runs"], place.runs()), (&1.into(), vec![retry.clone()]));
    let words = format!("resume {retry} --store runs.db --answer review=true --json");
    let report = place.run(&words, 0).json();
    assert_eq!(report["tasks"]["before"]["reused"], true);
    assert_eq!(report["tasks"]["before"]["attempts"], 0);
    assert_eq!(report["tasks"]["after"]["output"], "gone on");
    assert_eq!(report["metrics"]["reused"], 1);
}

#[test]
fn an_entry_of_a_later_version_is_named_and_nothing_is_done() {
    let place = Place::new();
    let run = place.interrupted();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(async {
        let store = Store::open(&place.file("runs.db"), Options::default()).unwrap();
        let mut journal = store.continue_run(&run).await.unwrap();
        let body = br#"[{"dreamt": {}}]"#.to_vec();
        let entry = Entry { at: consort_engine::now(), version: 2, body, blobs: Vec::new() };
        journal.append(entry, Durability::Synced).await.unwrap();
    });
    for words in ["status", "history", "result", "resume"] {
        let ended = place.run(&format!("{words} {run} --store runs.db"), 1);
        ended.says(&["has version 2, and this Consort reads up to 1", "or a newer one"]);
    }
    // Listings do not read journals.
    place.run("list --store runs.db", 0);
}

#[test]
fn a_store_of_a_later_version_is_left_alone() {
    let place = Place::new();
    place.run("run short.json --store runs.db", 0);
    let mut bytes = std::fs::read(place.file("runs.db")).unwrap();
    // SQLite's `user_version`.
    bytes[60..64].copy_from_slice(&99_u32.to_be_bytes());
    std::fs::write(place.file("runs.db"), &bytes).unwrap();
    for words in ["list", "run short.json", "gc --older-than 1d", "resume 01"] {
        let ended = place.run(&format!("{words} --store runs.db"), 1);
        ended.says(&["has format 99", "use the newer version that wrote it"]);
    }
    assert_eq!(std::fs::read(place.file("runs.db")).unwrap(), bytes);
}
