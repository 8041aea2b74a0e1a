//! A *page* is an entry in the making. It is full long before the store would
//! refuse it, and what is too large by itself goes, as a whole, to where large
//! payloads are.

use consort_store::{Blob, Entry};

use super::wire::{Fetch, Unreadable, VERSION, Wire};

/// Bytes from which on nothing is added.
const FULL: usize = 4 << 20;

/// Bytes of a body that is kept apart. What fills a page may be as large as it
/// likes, and the store takes bodies of up to [`consort_store::MAX_BODY`].
const APART: usize = 2 * FULL;

const _: () = assert!(APART as u64 <= consort_store::MAX_BODY);

pub(super) struct Page {
    /// A list, as far as it has come.
    body: Vec<u8>,
    blobs: Vec<Blob>,
}

impl Page {
    pub(super) fn new() -> Self {
        Self { body: vec![b'['], blobs: Vec::new() }
    }

    /// Where large payloads go.
    pub(super) fn blobs(&mut self) -> &mut Vec<Blob> {
        &mut self.blobs
    }

    /// Whether any of it is there.
    pub(super) fn has_blobs(&self) -> bool {
        !self.blobs.is_empty()
    }

    pub(super) fn is_full(&self) -> bool {
        self.body.len() >= FULL
    }

    pub(super) fn add(&mut self, wire: &Wire) {
        if self.body.len() > 1 {
            self.body.push(b',');
        }
        serde_json::to_writer(&mut self.body, wire)
            .expect("all keys are strings, and memory takes everything");
    }

    pub(super) fn into_entry(mut self, at: i64) -> Entry {
        self.body.push(b']');
        if self.body.len() > APART {
            let blob = Blob::new(std::mem::take(&mut self.body));
            self.body.push(b'[');
            self.add(&Wire::Apart(blob.hash()));
            self.body.push(b']');
            self.blobs.push(blob);
        }
        Entry { at, version: VERSION, body: self.body, blobs: self.blobs }
    }
}

/// What is on the page that became this body.
pub(super) fn read(body: &[u8], fetch: Fetch<'_>) -> Result<Vec<Wire>, Unreadable> {
    let wires: Vec<Wire> = serde_json::from_slice(body)?;
    match wires[..] {
        [Wire::Apart(hash)] => {
            let apart = fetch(hash)?.ok_or(Unreadable::Missing(hash))?;
            Ok(serde_json::from_slice(&apart)?)
        }
        _ => Ok(wires),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scored(bytes: usize) -> Wire {
        Wire::Scored(Some("1".repeat(bytes)))
    }

    fn through(page: Page) -> (Entry, Vec<Wire>) {
        let entry = page.into_entry(7);
        let blobs = &entry.blobs;
        let find =
            |hash| Ok(blobs.iter().find(|b| b.hash() == hash).and_then(|b| b.bytes().cloned()));
        let wires = read(&entry.body, &find).expect("readable");
        (entry, wires)
    }

    #[test]
    fn what_is_written_is_read() {
        assert!(through(Page::new()).1.is_empty());
        let mut page = Page::new();
        page.add(&Wire::Timer);
        page.add(&scored(3));
        let (entry, wires) = through(page);
        assert_eq!(
            (entry.at, entry.body.as_slice()),
            (7, br#"["timer",{"scored":"111"}]"#.as_slice())
        );
        assert!(matches!(&wires[..], [Wire::Timer, Wire::Scored(Some(text))] if text == "111"));
    }

    #[test]
    fn a_page_is_full_before_the_store_refuses_it() {
        let mut page = Page::new();
        while !page.is_full() {
            page.add(&scored(100_000));
        }
        let (entry, wires) = through(page);
        assert!(entry.body.len() < APART && entry.blobs.is_empty() && wires.len() > 40);
    }

    #[test]
    fn what_is_too_large_by_itself_is_kept_apart() {
        let mut page = Page::new();
        page.add(&Wire::Timer);
        page.add(&scored(20 << 20));
        let (entry, wires) = through(page);
        assert!(entry.body.len() < 100 && entry.blobs.len() == 1);
        assert!(
            matches!(&wires[..], [Wire::Timer, Wire::Scored(Some(text))] if text.len() == 20 << 20)
        );
    }
}
