//! A store that another process is *writing to*.

use consort_store::Reader;

use crate::place::Place;

#[test]
fn a_second_process_that_wants_to_write_is_told_who_does() {
    let place = Place::new();
    let parked = place.park();
    let holder = format!("is being written to by process {}", parked.pid());
    for words in [
        "run short.json --store runs.db",
        &format!("resume {} --store runs.db", parked.run),
        "gc --older-than 1d --store runs.db",
    ] {
        place.run(words, 1).says(&[&holder, "wait until it is done, or use another file"]);
    }
    assert_eq!(place.runs().concat(), parked.run, "and has begun nothing");
}

#[test]
fn a_store_is_read_while_it_is_written_to() {
    let place = Place::new();
    let parked = place.park();
    let run = &parked.run;
    let list = place.run("list --store runs.db --json", 0).json();
    assert_eq!(list[0]["id"], **run);
    assert_eq!(list[0]["status"], "running");
    let status = place.run(&format!("status {run} --store runs.db --json"), 0).json();
    let states = status["tasks"].as_array().unwrap().iter().map(|task| task["state"].clone());
    assert_eq!(states.collect::<Vec<_>>(), ["succeeded", "asking", "blocked"]);
    let history = place.run(&format!("history {run} --store runs.db"), 0);
    assert!(history.out.contains("before"), "{history:?}");
    let result = place.run(&format!("result {run} before --store runs.db"), 0);
    assert!(result.out.contains("one thing"), "{result:?}");
    place.run(&format!("result {run} --store runs.db"), 1).says(&["is not over"]);
}

#[test]
fn a_copy_of_a_store_in_use_is_a_store() {
    let place = Place::new();
    let parked = place.park();
    place.run("backup copy.db --store runs.db --quiet", 0);
    assert_eq!(Reader::open(&place.file("copy.db")).unwrap().check().unwrap(), [""; 0]);
    // Each goes its own way.
    let run = &parked.run;
    let words = format!("resume {run} --store copy.db --answer review=false --json");
    let report = place.run(&words, 1).json();
    assert_eq!(report["tasks"]["review"]["error"]["kind"], "refused");
    let run = parked.kill();
    let words = format!("resume {run} --store runs.db --answer review=true --json");
    let report = place.run(&words, 0).json();
    assert_eq!(report["tasks"]["after"]["output"], "gone on");
    place.run("backup copy.db --store runs.db", 2).says(&["exists already"]);
}

#[test]
fn a_run_in_memory_has_nothing_to_do_with_any_store() {
    let place = Place::new();
    place.run("run short.json", 0);
    assert!(!place.file("runs.db").exists());
    let parked = place.park();
    place.run("run short.json", 0);
    assert_eq!(place.runs().concat(), parked.run);
}
