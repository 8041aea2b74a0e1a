//! A *disk* that is full, cannot be written to, or has changed what was on it.

use std::fs::{self, OpenOptions};
use std::io::{Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::PermissionsExt as _;

use consort_store::Reader;

use crate::place::Place;

/// Sixty results of 70 kB each, which no disk of a megabyte has room for.
fn large(place: &Place) {
    let task = |n: usize| {
        let filter = format!(". * {}", 7_000 + n);
        serde_json::json!({
            "task_id": format!("t{n}"),
            "agent": "echo",
            "description": "0123456789",
            "transform": [{"transformer": "jq", "config": {"filter": filter}}],
        })
    };
    let tasks: Vec<_> = (0..60).map(task).collect();
    place.write("large.json", &serde_json::json!({"tasks": tasks}).to_string());
}

/// All results are there.
fn check_large(place: &Place, report: &str) {
    let report: serde_json::Value =
        serde_json::from_str(&fs::read_to_string(place.file(report)).unwrap()).unwrap();
    assert_eq!(report["status"], "succeeded");
    for n in 0..60 {
        let output = report["tasks"][format!("t{n}")]["output"].as_str().unwrap();
        assert_eq!(output.len(), 10 * (7_000 + n));
    }
}

#[test]
fn a_run_that_fills_the_disk_stops_and_is_resumed_when_there_is_room() {
    let place = Place::new();
    large(&place);
    fs::create_dir(place.file("disk")).unwrap();
    let ended = place.script_that_mounts(
        "mount -t tmpfs -o size=1m none disk
         code=0
         \"$CONSORT\" run large.json --store disk/runs.db --concurrency 2 --quiet || code=$?
         test $code = 1
         \"$CONSORT\" list --store disk/runs.db
         mount -o remount,size=64m disk
         \"$CONSORT\" resume 01 --store disk/runs.db --json > report.json
         cp disk/runs.db copy.db",
    );
    let Some(ended) = ended else { return };
    assert_eq!(ended.code, Some(0), "{ended:#?}");
    ended.says(&["no space left on disk for store 'disk/runs.db'", "goes on"]);
    check_large(&place, "report.json");
    assert_eq!(Reader::open(&place.file("copy.db")).unwrap().check().unwrap(), [""; 0]);
}

#[test]
fn a_run_whose_store_must_not_grow_stops_and_is_resumed_when_it_may() {
    let place = Place::new();
    large(&place);
    // A signal that is ignored is an error of the write instead.
    let ended = place.script(
        "code=0
         (trap '' XFSZ; ulimit -f 1200
          exec \"$CONSORT\" run large.json --store runs.db --concurrency 2 --quiet) || code=$?
         test $code = 1
         \"$CONSORT\" resume 01 --store runs.db --json > report.json",
    );
    assert_eq!(ended.code, Some(0), "{ended:#?}");
    ended.says(&["could not read or write 'runs.db'", "'consort resume", "goes on"]);
    check_large(&place, "report.json");
}

#[test]
fn a_store_that_cannot_be_written_to_is_read() {
    let place = Place::new();
    fs::create_dir(place.file("disk")).unwrap();
    place.write("parked.json", crate::place::PARKED);
    place.run("run short.json --store disk/runs.db", 0);
    let ended = place.script_that_mounts(
        "mount --bind disk disk
         mount -o remount,ro,bind disk
         code=0
         \"$CONSORT\" run short.json --store disk/runs.db || code=$?
         test $code = 1
         \"$CONSORT\" status 01 --store disk/runs.db
         \"$CONSORT\" result 01 --store disk/runs.db",
    );
    if let Some(ended) = ended {
        assert_eq!(ended.code, Some(0), "{ended:#?}");
        ended.says(&["store 'disk/runs.db' cannot be written to", "change the permissions"]);
        assert!(ended.out.contains("said"), "{ended:?}");
    }
    let file = place.file("disk/runs.db");
    fs::set_permissions(&file, fs::Permissions::from_mode(0o400)).unwrap();
    if OpenOptions::new().write(true).open(&file).is_ok() {
        println!("skipped: permissions mean nothing to this user");
        return;
    }
    place.run("run short.json --store disk/runs.db", 1).says(&["cannot be written to"]);
    place.run("result 01 --store disk/runs.db", 0);
}

#[test]
fn a_file_that_is_no_store_is_not_touched() {
    let place = Place::new();
    place.write("runs.db", "dear diary");
    for words in ["run short.json", "list", "resume 01"] {
        place.run(&format!("{words} --store runs.db"), 2).says(&["is not a Consort store"]);
    }
    assert_eq!(fs::read_to_string(place.file("runs.db")).unwrap(), "dear diary");
}

#[test]
fn a_damaged_store_is_said_to_be() {
    let place = Place::new();
    place.run("run short.json --store runs.db", 0);
    let mut file = OpenOptions::new().write(true).open(place.file("runs.db")).unwrap();
    let length = file.metadata().unwrap().len();
    // All but the first page.
    file.seek(SeekFrom::Start(4_096)).unwrap();
    file.write_all(&vec![0xa5; usize::try_from(length).unwrap() - 4_096]).unwrap();
    drop(file);
    for words in ["list", "status 01", "history 01", "result 01", "resume 01"] {
        let ended = place.run(&format!("{words} --store runs.db"), 1);
        ended.says(&["store 'runs.db' is damaged", "restore it from a backup"]);
    }
}

/// A bit of a journal's entry.
#[test]
fn an_entry_that_is_not_as_it_was_written_is_named() {
    let place = Place::new();
    let run = place.interrupted();
    place.run("backup copy.db --store runs.db --quiet", 0);
    let mut bytes = fs::read(place.file("copy.db")).unwrap();
    let word = b"one thing.";
    let places: Vec<usize> =
        (0..bytes.len() - word.len()).filter(|at| bytes[*at..].starts_with(word)).collect();
    assert!(!places.is_empty());
    for at in places {
        bytes[at] ^= 1;
    }
    fs::write(place.file("copy.db"), bytes).unwrap();
    for words in [format!("status {run}"), format!("resume {run} --answer review=true")] {
        let ended = place.run(&format!("{words} --store copy.db"), 1);
        ended.says(&["store 'copy.db' is damaged: entry", "has other bytes"]);
    }
    place.run(&format!("resume {run} --store runs.db --answer review=true"), 0);
}
