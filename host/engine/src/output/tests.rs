use std::sync::Arc;

use consort_store::{Blob, Durability, Entry, NewRun, Options, RunJournal, Store};
use serde_json::json;
use tempfile::TempDir;

use super::*;

/// Recent payloads are the process's, and one test's at a time.
static ALONE: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());

/// A store with a run that payloads are recorded in.
struct Shelf {
    folder: TempDir,
    store: Store,
    journal: RunJournal,
    archive: Arc<Archive>,
    _alone: tokio::sync::MutexGuard<'static, ()>,
}

impl Shelf {
    async fn new() -> Self {
        let alone = ALONE.lock().await;
        forget_recent();
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&folder.path().join("s.db"), Options::default()).unwrap();
        let (id, name) = ("r".into(), "".into());
        let new = NewRun { id, name, tasks: 1, submitted_at: 0, about: String::new() };
        let first = Entry { at: 0, version: 1, body: Vec::new(), blobs: Vec::new() };
        let journal = store.create_run(new, first).await.unwrap();
        let archive = Archive::at(store.path());
        Self { folder, store, journal, archive, _alone: alone }
    }

    /// A payload that has been recorded.
    async fn record(&mut self, payload: Payload) -> Kept {
        let kept = self.archive.keep(payload).await;
        if let Packed::Stored { hash, unrecorded, .. } = kept.pack() {
            let payload = unrecorded.expect("it is fresh");
            let blob = Blob::hashed(hash, kept::bytes(&payload).to_vec());
            let entry = Entry { at: 0, version: 1, body: Vec::new(), blobs: vec![blob] };
            self.journal.append(entry, Durability::Synced).await.unwrap();
        }
        kept.let_go();
        kept
    }
}

fn large(what: &str, bytes: usize) -> String {
    format!("{what} \"\u{e9}\n\" ").repeat(bytes / 8)
}

/// The same as `kept`, as if another process had recorded it.
fn elsewhere(kept: &Kept, archive: &Arc<Archive>) -> Kept {
    match kept.pack() {
        Packed::Here(payload) => Kept::Here(payload.clone()),
        Packed::Stored { form, hash, len, len_within, .. } => {
            let lengths = (len, len_within);
            Kept::Stored(Arc::new(Stored::new(form.clone(), hash, lengths, archive.clone())))
        }
    }
}

fn forget_recent() {
    *recent::all() = recent::Recent::default();
}

fn written(output: &Output) -> Vec<u8> {
    let mut bytes = Vec::new();
    assert_eq!(output.write_to(&mut bytes).unwrap(), bytes.len() as u64);
    bytes
}

#[tokio::test]
async fn a_payload_is_the_same_wherever_it_is() {
    let mut shelf = Shelf::new().await;
    let text = large("the same", 200_000);
    for payload in [
        Payload::Text(text.as_str().into()),
        Payload::Json(format!(" {} ", json!({"a": text})).into()),
        Payload::Blob { media_type: "a/b".into(), data: text.clone().into_bytes().into() },
        Payload::Text("small".into()),
    ] {
        let kept = shelf.record(payload.clone()).await;
        let small = payload.len() <= INLINE;
        assert_eq!(matches!(kept, Kept::Here(_)), small);
        assert_eq!(kept.held(), if small { payload.len() as u64 } else { 0 });
        for kept in [elsewhere(&kept, &shelf.archive), kept] {
            let output = Output::from(kept);
            forget_recent();
            assert_eq!(output.len(), payload.len() as u64);
            assert_eq!(output.form(), Form::of(&payload));
            assert!(output.to_payload().unwrap() == payload);
            assert!(output.load().await.unwrap() == payload);
            assert!(written(&output) == kept::bytes(&payload));
            let expected = serde_json::to_string(&JsonPayload(&payload)).unwrap();
            assert!(serde_json::to_string(&output).unwrap() == expected);
        }
    }
}

#[tokio::test]
async fn the_bytes_go_when_they_have_been_recorded_and_nobody_uses_them() {
    let mut shelf = Shelf::new().await;
    let text: Arc<str> = large("going", 80 << 20).into();
    let bytes = Arc::downgrade(&text);
    let kept = shelf.record(Payload::Text(text)).await;
    assert_eq!(bytes.strong_count(), 0, "too large to be among the recent ones");
    let output = Output::from(kept);
    let (payload, lent) = output.lease().await.unwrap();
    let (Payload::Text(text), Some(lent)) = (payload, lent) else { panic!("it is text") };
    // Another who needs it now gets the same.
    let (Payload::Text(again), _) = output.lease().await.unwrap() else { panic!("it is text") };
    assert!(Arc::ptr_eq(&text, &again));
    let bytes = Arc::downgrade(&text);
    drop((text, again, lent));
    assert_eq!(bytes.strong_count(), 0);
}

#[tokio::test]
async fn what_was_recorded_last_need_not_be_read() {
    let mut shelf = Shelf::new().await;
    let text: Arc<str> = large("recent", 100_000).into();
    let kept = shelf.record(Payload::Text(text.clone())).await;
    // Nor by another who knows its hash.
    let other = Output::from(elsewhere(&kept, &shelf.archive));
    let Payload::Text(found) = other.load().await.unwrap() else { panic!("it is text") };
    assert!(Arc::ptr_eq(&text, &found));
}

#[tokio::test]
async fn what_is_gathered_is_what_its_parts_are() {
    let mut shelf = Shelf::new().await;
    let text = large("gathered", 100_000);
    let mut parts = Vec::new();
    for payload in [
        Payload::Text(text.as_str().into()),
        Payload::Text("small".into()),
        Payload::Json(format!("\n[{}]\n", json!(text)).into()),
        Payload::Blob { media_type: "a/b".into(), data: text.into_bytes().into() },
        Payload::Json(" 7 ".into()),
    ] {
        parts.push((payload.clone(), Output::from(shelf.record(payload).await)));
    }
    let names: Vec<Arc<str>> = ["a", "b\"", "c", "d", "e"].map(Into::into).to_vec();
    // The same, all of it here.
    let here: Vec<Output> = parts.iter().map(|(payload, _)| payload.clone().into()).collect();
    let list = Output::list(|| here.iter().map(Some).chain([None]));
    let object = Output::object(names.iter().zip(&here));
    assert!(list.here().is_some() && object.here().is_some());
    let stored: Vec<Output> = parts.into_iter().map(|(_, output)| output).collect();
    let stored_list = Output::list(|| stored.iter().map(Some).chain([None]));
    let stored_object = Output::object(names.iter().zip(&stored));
    // One within another.
    let both = |list: &Output, object: &Output| {
        let parts = [list.clone(), object.clone()];
        Output::object(names.iter().zip(&parts))
    };
    let stored_both = both(&stored_list, &stored_object);
    for (stored, here) in
        [(&stored_list, &list), (&stored_object, &object), (&stored_both, &both(&list, &object))]
    {
        forget_recent();
        assert!(stored.here().is_none() && stored.held() == 0 && stored.kept().is_none());
        let expected = here.here().unwrap();
        assert_eq!(stored.len(), here.len());
        assert_eq!(stored.form(), Form::Json);
        assert!(&stored.to_payload().unwrap() == expected);
        assert!(&stored.load().await.unwrap() == expected);
        assert!(written(stored) == kept::bytes(expected));
        let text = serde_json::to_string(stored).unwrap();
        assert!(text.as_bytes() == kept::bytes(expected));
    }
}

#[tokio::test]
async fn what_cannot_be_read_is_an_error_that_names_it() {
    let mut shelf = Shelf::new().await;
    let kept = shelf.record(Payload::Text(large("broken", 3 << 20).into())).await;
    let Packed::Stored { form, hash, len, .. } = kept.pack() else { panic!("it is large") };
    let other = Hash::of(b"another");
    let missing = Stored::new(form.clone(), other, (9, 11), shelf.archive.clone());
    let missing = Output::from(Kept::Stored(Arc::new(missing)));
    forget_recent();
    let gathered = Output::list(|| [Some(&missing), None].into_iter());
    for error in [
        missing.load().await.unwrap_err(),
        missing.to_payload().unwrap_err(),
        missing.write_to(&mut Vec::new()).unwrap_err(),
        gathered.load().await.unwrap_err(),
        gathered.to_payload().unwrap_err(),
        gathered.write_to(&mut Vec::new()).unwrap_err(),
    ] {
        let said = error.to_string();
        let expected = format!("payload {other} of 9 bytes cannot be read: there is no payload");
        assert!(said.starts_with(&expected) && error.is_final(), "{said}");
    }
    let said = serde_json::to_string(&gathered).unwrap_err().to_string();
    assert!(said.contains(&other.to_string()), "{said}");
    // What is in the file is not what was written there.
    let file = shelf.folder.path().join("s.db");
    shelf.store.flush().await.unwrap();
    drop((shelf.journal, shelf.store));
    let mut bytes = std::fs::read(&file).unwrap();
    // It is most of the file, and thus in its middle.
    let middle = bytes.len() / 2;
    let at = bytes[middle..].windows(6).position(|window| window == b"broken");
    bytes[middle + at.expect("it is in the file")] ^= 1;
    std::fs::write(&file, bytes).unwrap();
    let damaged = Output::from(elsewhere(&kept, &shelf.archive));
    let said = damaged.to_payload().unwrap_err().to_string();
    let expected = format!("payload {hash} of {len} bytes cannot be read: store '");
    assert!(said.starts_with(&expected) && said.contains("is damaged"), "{said}");
    assert!(damaged.write_to(&mut Vec::new()).is_err());
    std::fs::remove_file(&file).unwrap();
    let gone = Output::from(elsewhere(&kept, &Archive::at(&file)));
    let said = gone.to_payload().unwrap_err().to_string();
    assert!(said.contains("there is no store at"), "{said}");
}

#[tokio::test]
async fn what_would_take_all_memory_is_not_put_together() {
    let archive = Archive::at("nowhere.db".as_ref());
    let stored = |n: u64| {
        let hash = Hash::of(&n.to_le_bytes());
        let stored = Stored::new(Form::Json, hash, (100 << 20, 100 << 20), archive.clone());
        Output::from(Kept::Stored(Arc::new(stored)))
    };
    let parts: Vec<Output> = (0..200).map(stored).collect();
    let gathered = Output::list(|| parts.iter().map(Some));
    assert_eq!(gathered.len(), (200 * (100 << 20)) + 201);
    for error in [gathered.load().await.unwrap_err(), gathered.to_payload().unwrap_err()] {
        let said = error.to_string();
        assert!(said.starts_with("it has 20971520201 bytes") && error.is_final(), "{said}");
    }
}

#[tokio::test]
async fn that_nobody_takes_it_is_another_error() {
    struct Full;
    impl Write for Full {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(io::ErrorKind::BrokenPipe.into())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let mut shelf = Shelf::new().await;
    let kept = shelf.record(Payload::Text(large("unwanted", 100_000).into())).await;
    let output = Output::from(kept);
    let gathered = Output::list(|| [Some(&output)].into_iter());
    for recent in [true, false] {
        if !recent {
            forget_recent();
        }
        for output in [&output, &gathered] {
            let error = output.write_to(&mut Full).unwrap_err();
            let OutputError::Write(error) = error else { panic!("{error}") };
            assert_eq!(error.kind(), io::ErrorKind::BrokenPipe);
        }
    }
}
