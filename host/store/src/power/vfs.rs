//! What SQLite does to files, one layer above the operating system: a *VFS* that
//! hands everything on to the one there was, unless the power has failed.
//! <https://www.sqlite.org/vfs.html> says what each function has to do.

#![expect(unsafe_code, reason = "SQLite is C, and is handed functions and memory")]

use std::ffi::{CStr, OsStr, c_char, c_int, c_void};
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::ptr;

use rusqlite::ffi;

use super::{Change, Disk};

/// What SQLite has of an open file. The file as the layer below has it follows, as
/// well aligned: both begin with a pointer.
#[repr(C)]
struct File {
    base: ffi::sqlite3_file,
    /// Owned; null for a file that is on no such disk.
    place: *mut Place,
}

/// Where an open file is.
struct Place {
    disk: Disk,
    path: PathBuf,
}

static METHODS: ffi::sqlite3_io_methods = ffi::sqlite3_io_methods {
    iVersion: 3,
    xClose: Some(close),
    xRead: Some(read),
    xWrite: Some(write),
    xTruncate: Some(truncate),
    xSync: Some(sync),
    xFileSize: Some(file_size),
    xLock: Some(lock),
    xUnlock: Some(unlock),
    xCheckReservedLock: Some(check_reserved_lock),
    xFileControl: Some(file_control),
    xSectorSize: Some(sector_size),
    xDeviceCharacteristics: Some(device_characteristics),
    xShmMap: Some(shm_map),
    xShmLock: Some(shm_lock),
    xShmBarrier: Some(shm_barrier),
    xShmUnmap: Some(shm_unmap),
    xFetch: Some(fetch),
    xUnfetch: Some(unfetch),
};

pub(super) fn install() {
    // SAFETY: the VFS that is found lives as long as the process, and so does the
    // one that is made of it, since it is leaked; its functions hand on to those
    // of the first, with the first.
    let done = unsafe {
        ffi::sqlite3_initialize();
        let below = ffi::sqlite3_vfs_find(ptr::null());
        assert!(!below.is_null(), "SQLite has a VFS");
        let mut vfs = *below;
        vfs.szOsFile += size_of::<File>() as c_int;
        vfs.zName = c"unreliable".as_ptr();
        vfs.pNext = ptr::null_mut();
        vfs.pAppData = below.cast();
        vfs.xOpen = Some(open);
        vfs.xDelete = Some(delete);
        ffi::sqlite3_vfs_register(Box::leak(Box::new(vfs)), 1)
    };
    assert_eq!(done, ffi::SQLITE_OK, "SQLite takes it");
}

/// The file as the layer below has it.
///
/// # Safety
///
/// SQLite has given it `szOsFile` bytes of memory.
unsafe fn below(file: *mut ffi::sqlite3_file) -> *mut ffi::sqlite3_file {
    // SAFETY: these bytes are those of a `File` and then those of the layer below.
    unsafe { file.byte_add(size_of::<File>()) }
}

/// # Safety
///
/// The file is open.
unsafe fn place<'a>(file: *mut ffi::sqlite3_file) -> Option<&'a Place> {
    // SAFETY: it was set when the file was opened, and is freed when it is closed.
    unsafe { (*file.cast::<File>()).place.as_ref() }
}

/// Calls what the layer below has for an open file.
macro_rules! hand_on {
    ($file:ident . $method:ident ( $($argument:expr),* ), $otherwise:expr) => {{
        // SAFETY: the file is open, so the layer below has set its methods.
        unsafe {
            let below = below($file);
            match (*(*below).pMethods).$method {
                Some(method) => method(below $(, $argument)*),
                None => $otherwise,
            }
        }
    }};
}

fn path(name: *const c_char) -> Option<PathBuf> {
    if name.is_null() {
        return None;
    }
    // SAFETY: SQLite's names of files end with a zero.
    let name = unsafe { CStr::from_ptr(name) };
    Some(Path::new(OsStr::from_bytes(name.to_bytes())).to_owned())
}

unsafe extern "C" fn open(
    vfs: *mut ffi::sqlite3_vfs,
    name: ffi::sqlite3_filename,
    file: *mut ffi::sqlite3_file,
    flags: c_int,
    out_flags: *mut c_int,
) -> c_int {
    let place = path(name).and_then(|path| Some(Place { disk: Disk::of(&path)?, path }));
    // SAFETY: `pAppData` is the layer below, `file` has room for both layers.
    unsafe {
        (*file).pMethods = ptr::null();
        if place.as_ref().is_some_and(|place| place.disk.works().is_err()) {
            return ffi::SQLITE_CANTOPEN;
        }
        let lower = (*vfs).pAppData.cast::<ffi::sqlite3_vfs>();
        let Some(open) = (*lower).xOpen else { return ffi::SQLITE_CANTOPEN };
        let done = open(lower, name, below(file), flags, out_flags);
        if (*below(file)).pMethods.is_null() {
            return done;
        }
        let place = place.map_or(ptr::null_mut(), |place| Box::into_raw(Box::new(place)));
        file.cast::<File>().write(File { base: ffi::sqlite3_file { pMethods: &METHODS }, place });
        done
    }
}

unsafe extern "C" fn delete(
    vfs: *mut ffi::sqlite3_vfs,
    name: *const c_char,
    sync_folder: c_int,
) -> c_int {
    if let Some(path) = path(name)
        && let Some(disk) = Disk::of(&path)
        && disk.delete(&path).is_err()
    {
        return ffi::SQLITE_IOERR_DELETE;
    }
    // SAFETY: `pAppData` is the layer below.
    unsafe {
        let lower = (*vfs).pAppData.cast::<ffi::sqlite3_vfs>();
        match (*lower).xDelete {
            Some(delete) => delete(lower, name, sync_folder),
            None => ffi::SQLITE_IOERR_DELETE,
        }
    }
}

unsafe extern "C" fn close(file: *mut ffi::sqlite3_file) -> c_int {
    let done = hand_on!(file.xClose(), ffi::SQLITE_IOERR_CLOSE);
    // SAFETY: the file was open, and nobody uses it any more.
    unsafe {
        let own = file.cast::<File>();
        let place = std::mem::replace(&mut (*own).place, ptr::null_mut());
        if !place.is_null() {
            drop(Box::from_raw(place));
        }
        (*own).base.pMethods = ptr::null();
    }
    done
}

unsafe extern "C" fn read(
    file: *mut ffi::sqlite3_file,
    bytes: *mut c_void,
    count: c_int,
    at: ffi::sqlite3_int64,
) -> c_int {
    // SAFETY: the file is open.
    if unsafe { place(file) }.is_some_and(|place| place.disk.works().is_err()) {
        return ffi::SQLITE_IOERR_READ;
    }
    hand_on!(file.xRead(bytes, count, at), ffi::SQLITE_IOERR_READ)
}

unsafe extern "C" fn write(
    file: *mut ffi::sqlite3_file,
    bytes: *const c_void,
    count: c_int,
    at: ffi::sqlite3_int64,
) -> c_int {
    // SAFETY: the file is open.
    if let Some(Place { disk, path }) = unsafe { place(file) } {
        // SAFETY: SQLite gives as many bytes as it says.
        let given = unsafe { std::slice::from_raw_parts(bytes.cast::<u8>(), count as usize) };
        let end = at + i64::from(count);
        if disk.change(path, || change(file, at, end, Some(given.to_vec()))).is_err() {
            return ffi::SQLITE_IOERR_WRITE;
        }
    }
    hand_on!(file.xWrite(bytes, count, at), ffi::SQLITE_IOERR_WRITE)
}

unsafe extern "C" fn truncate(file: *mut ffi::sqlite3_file, size: ffi::sqlite3_int64) -> c_int {
    // SAFETY: the file is open.
    if let Some(Place { disk, path }) = unsafe { place(file) }
        && disk.change(path, || change(file, size, i64::MAX, None)).is_err()
    {
        return ffi::SQLITE_IOERR_TRUNCATE;
    }
    hand_on!(file.xTruncate(size), ffi::SQLITE_IOERR_TRUNCATE)
}

/// What is about to be done to an open file, between these bytes. They are read by
/// the layer below: whoever opened the file once more and closed it would take
/// SQLite's locks from it.
fn change(
    file: *mut ffi::sqlite3_file,
    at: i64,
    end: i64,
    written: Option<Vec<u8>>,
) -> Option<Change> {
    let mut size = 0;
    if hand_on!(file.xFileSize(&mut size), ffi::SQLITE_IOERR_FSTAT) != ffi::SQLITE_OK {
        return None;
    }
    let mut before = vec![0_u8; (end.min(size) - at).max(0) as usize];
    if !before.is_empty() {
        let (bytes, count) = (before.as_mut_ptr().cast(), before.len() as c_int);
        if hand_on!(file.xRead(bytes, count, at), ffi::SQLITE_IOERR_READ) != ffi::SQLITE_OK {
            return None;
        }
    }
    Some(Change { at: at as u64, before, size: size as u64, written })
}

unsafe extern "C" fn sync(file: *mut ffi::sqlite3_file, flags: c_int) -> c_int {
    let mut done = ffi::SQLITE_OK;
    let mut sync = || {
        done = hand_on!(file.xSync(flags), ffi::SQLITE_IOERR_FSYNC);
        done == ffi::SQLITE_OK
    };
    // SAFETY: the file is open.
    let failed = match unsafe { place(file) } {
        Some(Place { disk, path }) => disk.sync(path, sync).is_err(),
        None => {
            sync();
            false
        }
    };
    if failed { ffi::SQLITE_IOERR_FSYNC } else { done }
}

unsafe extern "C" fn file_size(
    file: *mut ffi::sqlite3_file,
    size: *mut ffi::sqlite3_int64,
) -> c_int {
    hand_on!(file.xFileSize(size), ffi::SQLITE_IOERR_FSTAT)
}

unsafe extern "C" fn lock(file: *mut ffi::sqlite3_file, level: c_int) -> c_int {
    hand_on!(file.xLock(level), ffi::SQLITE_IOERR_LOCK)
}

unsafe extern "C" fn unlock(file: *mut ffi::sqlite3_file, level: c_int) -> c_int {
    hand_on!(file.xUnlock(level), ffi::SQLITE_IOERR_UNLOCK)
}

unsafe extern "C" fn check_reserved_lock(
    file: *mut ffi::sqlite3_file,
    result: *mut c_int,
) -> c_int {
    hand_on!(file.xCheckReservedLock(result), ffi::SQLITE_IOERR_CHECKRESERVEDLOCK)
}

unsafe extern "C" fn file_control(
    file: *mut ffi::sqlite3_file,
    what: c_int,
    argument: *mut c_void,
) -> c_int {
    hand_on!(file.xFileControl(what, argument), ffi::SQLITE_NOTFOUND)
}

unsafe extern "C" fn sector_size(file: *mut ffi::sqlite3_file) -> c_int {
    hand_on!(file.xSectorSize(), super::SECTOR as c_int)
}

unsafe extern "C" fn device_characteristics(file: *mut ffi::sqlite3_file) -> c_int {
    hand_on!(file.xDeviceCharacteristics(), 0)
}

unsafe extern "C" fn shm_map(
    file: *mut ffi::sqlite3_file,
    page: c_int,
    size: c_int,
    extend: c_int,
    result: *mut *mut c_void,
) -> c_int {
    hand_on!(file.xShmMap(page, size, extend, result), ffi::SQLITE_IOERR_SHMMAP)
}

unsafe extern "C" fn shm_lock(
    file: *mut ffi::sqlite3_file,
    offset: c_int,
    count: c_int,
    flags: c_int,
) -> c_int {
    hand_on!(file.xShmLock(offset, count, flags), ffi::SQLITE_IOERR_SHMLOCK)
}

unsafe extern "C" fn shm_barrier(file: *mut ffi::sqlite3_file) {
    hand_on!(file.xShmBarrier(), ());
}

unsafe extern "C" fn shm_unmap(file: *mut ffi::sqlite3_file, delete: c_int) -> c_int {
    hand_on!(file.xShmUnmap(delete), ffi::SQLITE_OK)
}

unsafe extern "C" fn fetch(
    file: *mut ffi::sqlite3_file,
    at: ffi::sqlite3_int64,
    count: c_int,
    result: *mut *mut c_void,
) -> c_int {
    hand_on!(file.xFetch(at, count, result), ffi::SQLITE_OK)
}

unsafe extern "C" fn unfetch(
    file: *mut ffi::sqlite3_file,
    at: ffi::sqlite3_int64,
    page: *mut c_void,
) -> c_int {
    hand_on!(file.xUnfetch(at, page), ffi::SQLITE_OK)
}
