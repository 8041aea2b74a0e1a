//! A *power failure*: what a disk is left with when nothing that it was not told
//! to keep need have got there. Killing a process shows less, since the operating
//! system writes down what it left behind. Only with the feature `failpoints`.
//!
//! Once [`install`]ed, everything SQLite does to files of this process goes
//! through here. In a folder that is [plugged in](Disk::plug), what was written to
//! a file since it was last synced is remembered. When the power fails, at some
//! write or sync, nothing works any more there, and an *image* is made of the
//! folder in which each of these writes is there, or not, or in part: in any
//! order, torn at any sector.

mod vfs;

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

/// Bytes that are written as a whole or not at all.
const SECTOR: u64 = 512;

/// The disks that are plugged in, by their folders.
static DISKS: Mutex<BTreeMap<PathBuf, Disk>> = Mutex::new(BTreeMap::new());

/// Lets everything go through here that this process does to files with SQLite,
/// from now on.
///
/// # Panics
///
/// SQLite does not want it.
pub fn install() {
    static DONE: OnceLock<()> = OnceLock::new();
    DONE.get_or_init(vfs::install);
}

/// A folder whose power may fail. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Disk(Arc<Mutex<State>>);

#[derive(Debug)]
struct State {
    folder: PathBuf,
    image: PathBuf,
    /// Writes and syncs until the power fails.
    left: Option<u64>,
    failed: bool,
    dice: Dice,
    /// What was done to each file since it was synced.
    unsynced: BTreeMap<PathBuf, Vec<Change>>,
}

/// Something that was done to a file.
#[derive(Debug)]
struct Change {
    at: u64,
    /// What was there and is not any more.
    before: Vec<u8>,
    /// How long the file was.
    size: u64,
    /// What was written; none: the file was cut off.
    written: Option<Vec<u8>>,
}

/// What becomes of what is not synced.
#[derive(Debug, Clone, Copy)]
enum Fate {
    Lost,
    Kept,
    /// The first ones are kept, and one is torn.
    Prefix,
    /// Every sector for itself.
    Sectors,
}

impl Disk {
    /// Plugs a folder in. Its power fails with the `after`-th write or sync from
    /// now on, if ever, and then the folder `image`, which must not exist, is made.
    ///
    /// # Panics
    ///
    /// The folder does not exist.
    pub fn plug(folder: &Path, image: &Path, after: Option<u64>, seed: u64) -> Self {
        let folder = folder.canonicalize().expect("the folder exists");
        let disk = Self(Arc::new(Mutex::new(State {
            folder: folder.clone(),
            image: image.to_owned(),
            left: after,
            failed: false,
            dice: Dice(seed),
            unsynced: BTreeMap::new(),
        })));
        disks().insert(folder, disk.clone());
        disk
    }

    /// Whether the power has failed.
    pub fn has_failed(&self) -> bool {
        self.state().failed
    }

    /// Forgets the folder, which works as any other again for files that are
    /// opened from now on.
    pub fn unplug(self) {
        disks().remove(&self.state().folder);
    }

    /// The disk that a file is on, if it is plugged in.
    fn of(file: &Path) -> Option<Self> {
        disks().get(file.parent()?).cloned()
    }

    /// Notes that something is about to be done to a file, if it still can be.
    fn change(&self, file: &Path, change: impl FnOnce() -> Option<Change>) -> io::Result<()> {
        let mut state = self.state();
        state.pass()?;
        let change = change().ok_or_else(|| io::Error::other("it cannot be read"))?;
        state.unsynced.entry(file.to_owned()).or_default().push(change);
        Ok(())
    }

    /// A file is to be synced: the power may fail before that, or right after.
    fn sync(&self, file: &Path, sync: impl FnOnce() -> bool) -> io::Result<bool> {
        let mut state = self.state();
        state.pass()?;
        if !sync() {
            return Ok(false);
        }
        state.unsynced.remove(file);
        state.pass().map(|()| true)
    }

    /// A file is deleted, and that is on disk.
    fn delete(&self, file: &Path) -> io::Result<()> {
        let mut state = self.state();
        state.pass()?;
        state.unsynced.remove(file);
        Ok(())
    }

    /// Whether anything works.
    fn works(&self) -> io::Result<()> {
        if self.state().failed { Err(no_power()) } else { Ok(()) }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// One more write or sync; the power may fail instead.
    fn pass(&mut self) -> io::Result<()> {
        if self.failed {
            return Err(no_power());
        }
        let Some(left) = &mut self.left else { return Ok(()) };
        *left = left.saturating_sub(1);
        if *left > 0 {
            return Ok(());
        }
        self.failed = true;
        self.make_image()?;
        Err(no_power())
    }

    fn make_image(&mut self) -> io::Result<()> {
        fs::create_dir(&self.image)?;
        let fates = [Fate::Lost, Fate::Kept, Fate::Prefix, Fate::Sectors];
        let fate = fates[self.dice.roll(4) as usize];
        for entry in fs::read_dir(&self.folder)? {
            let file = entry?.path();
            let name = file.file_name().unwrap_or_default().to_owned();
            // Shared memory is gone with the process, and locks are.
            let hidden = ["-shm", ".lock"].map(|end| name.to_string_lossy().ends_with(end));
            if !file.is_file() || hidden.contains(&true) {
                continue;
            }
            let mut contents = fs::read(&file)?;
            let changes = self.unsynced.get(&file).map(Vec::as_slice).unwrap_or_default();
            survive(&mut contents, changes, fate, &mut self.dice);
            fs::write(self.image.join(name), contents)?;
        }
        Ok(())
    }
}

/// Makes of a file what is left of it.
fn survive(contents: &mut Vec<u8>, changes: &[Change], fate: Fate, dice: &mut Dice) {
    for change in changes.iter().rev() {
        contents.resize(change.size as usize, 0);
        let start = change.at.min(change.size) as usize;
        contents[start..start + change.before.len()].copy_from_slice(&change.before);
    }
    let whole = dice.roll(changes.len() as u64 + 1) as usize;
    for (number, change) in changes.iter().enumerate() {
        let mut is_kept = || match fate {
            Fate::Lost => false,
            Fate::Kept => true,
            Fate::Prefix => number < whole || (number == whole && dice.roll(2) == 0),
            Fate::Sectors => dice.roll(2) == 0,
        };
        let Some(written) = &change.written else {
            if is_kept() {
                contents.resize(change.at as usize, 0);
            }
            continue;
        };
        let end = change.at + written.len() as u64;
        let mut at = change.at;
        while at < end {
            let next = (at / SECTOR * SECTOR + SECTOR).min(end);
            if is_kept() {
                if contents.len() < next as usize {
                    contents.resize(next as usize, 0);
                }
                let part = (at - change.at) as usize..(next - change.at) as usize;
                contents[at as usize..next as usize].copy_from_slice(&written[part]);
            }
            at = next;
        }
    }
}

fn no_power() -> io::Error {
    io::Error::other("the power has failed")
}

fn disks() -> MutexGuard<'static, BTreeMap<PathBuf, Disk>> {
    DISKS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Random numbers of a seed, by Steele's SplitMix64.
#[derive(Debug)]
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % sides
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A file that was `before`, after these writes.
    fn left(before: &[u8], writes: &[(u64, &[u8])], fate: Fate) -> Vec<u8> {
        let (mut contents, mut changes) = (before.to_vec(), Vec::new());
        for &(at, written) in writes {
            let (size, start) = (contents.len(), at as usize);
            let end = start + written.len();
            let before = contents[start.min(size)..end.min(size)].to_vec();
            contents.resize(size.max(end), 0);
            contents[start..end].copy_from_slice(written);
            let written = Some(written.to_vec());
            changes.push(Change { at, before, size: size as u64, written });
        }
        survive(&mut contents, &changes, fate, &mut Dice(1));
        contents
    }

    #[test]
    fn what_is_lost_was_never_there() {
        let before = b"0123456789";
        let writes: [(u64, &[u8]); 3] = [(2, b"ab"), (8, b"cdef"), (0, b"x")];
        assert_eq!(left(before, &writes, Fate::Lost), before);
        assert_eq!(left(before, &writes, Fate::Kept), b"x1ab4567cdef");
    }

    #[test]
    fn writes_are_torn_at_sectors() {
        let (before, after) = ([0; 4 * SECTOR as usize], [1; 4 * SECTOR as usize]);
        let torn = left(&before, &[(0, &after)], Fate::Sectors);
        let sectors: Vec<&[u8]> = torn.chunks(SECTOR as usize).collect();
        assert!(sectors.iter().all(|sector| sector.iter().all(|byte| *byte == sector[0])));
        assert!(torn != before && torn != after, "some are there, and some are not");
    }
}
