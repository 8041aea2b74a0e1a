use super::*;

const DIGEST: &str = "sha256:00ff";

fn component() -> Vec<u8> {
    wat::parse_str("(component)").expect("a valid component")
}

fn cache(directory: &tempfile::TempDir) -> CodeCache {
    CodeCache::open(&directory.path().join("code"), 7, 1 << 20).expect("a private directory")
}

/// A cache with the code of `component` in it, and the path of that file.
fn filled(directory: &tempfile::TempDir, engine: &Engine) -> (CodeCache, PathBuf) {
    let cache = cache(directory);
    assert!(cache.get(DIGEST).is_none());
    cache.put(DIGEST, &Code::compile(engine, &component()).expect("compiles"));
    let path = cache.directory.join(cache.key(DIGEST));
    (cache, path)
}

#[test]
fn what_was_put_can_be_loaded() {
    let (directory, engine) = (tempfile::tempdir().expect("a directory"), Engine::default());
    let (cache, _) = filled(&directory, &engine);
    let code = cache.get(DIGEST).expect("just put");
    code.load(&engine).expect("sound");
    let again = Code::of(&code.load(&engine).expect("sound")).expect("serialisable");
    again.load(&Engine::default()).expect("in another engine too");
}

#[test]
fn every_flipped_byte_and_every_cut_is_noticed() {
    let (directory, engine) = (tempfile::tempdir().expect("a directory"), Engine::default());
    let (cache, path) = filled(&directory, &engine);
    let sound = fs::read(&path).expect("readable");
    for at in (0..sound.len()).step_by(97).chain([sound.len() - 1]) {
        let mut broken = sound.clone();
        broken[at] ^= 1;
        fs::write(&path, &broken).expect("writable");
        assert!(cache.get(DIGEST).is_none(), "byte {at}");
    }
    for length in [0, 1, CHECKSUM, sound.len() - 1] {
        fs::write(&path, &sound[..length]).expect("writable");
        assert!(cache.get(DIGEST).is_none(), "length {length}");
    }
    fs::write(&path, &sound).expect("writable");
    assert!(cache.get(DIGEST).is_some());
}

#[test]
fn code_of_another_component_or_engine_is_foreign() {
    let (directory, engine) = (tempfile::tempdir().expect("a directory"), Engine::default());
    let (mut cache, path) = filled(&directory, &engine);
    fs::copy(&path, cache.directory.join(cache.key("sha256:11"))).expect("copied");
    assert!(cache.get("sha256:11").is_none(), "the checksum covers the name");
    cache.compatibility = 8;
    assert!(cache.get(DIGEST).is_none(), "the name covers the engine");
}

#[test]
fn a_broken_file_is_replaced() {
    let (directory, engine) = (tempfile::tempdir().expect("a directory"), Engine::default());
    let (cache, path) = filled(&directory, &engine);
    fs::write(&path, b"not code").expect("writable");
    assert!(cache.get(DIGEST).is_none());
    cache.put(DIGEST, &Code::compile(&engine, &component()).expect("compiles"));
    assert!(cache.get(DIGEST).is_some());
    let left: Vec<_> = fs::read_dir(&cache.directory).expect("readable").collect();
    assert_eq!(left.len(), 1, "no temporary files: {left:?}");
}

#[cfg(unix)]
#[test]
fn what_others_may_write_is_not_run() {
    use std::os::unix::fs::PermissionsExt;

    let (directory, engine) = (tempfile::tempdir().expect("a directory"), Engine::default());
    let (cache, path) = filled(&directory, &engine);
    fs::set_permissions(&path, fs::Permissions::from_mode(0o620)).expect("ours");
    assert!(cache.get(DIGEST).is_none());
    fs::set_permissions(&cache.directory, fs::Permissions::from_mode(0o770)).expect("ours");
    CodeCache::open(&cache.directory, 7, 1 << 20).expect_err("others may replace files");
}

#[test]
fn what_was_not_used_for_longest_makes_room() {
    let (directory, engine) = (tempfile::tempdir().expect("a directory"), Engine::default());
    let (mut cache, path) = filled(&directory, &engine);
    let code = Code::compile(&engine, &component()).expect("compiles");
    let size = fs::metadata(&path).expect("there").len();
    // Room for two, and a bit.
    cache.capacity = 2 * size + size / 2;
    cache.put("sha256:22", &code);
    let hour = std::time::Duration::from_secs(3_600);
    for (digest, age) in [(DIGEST, 3), ("sha256:22", 2)] {
        let path = cache.directory.join(cache.key(digest));
        evict::touch(&path, SystemTime::now() - hour * age);
    }
    // Using the older one makes the other the one that goes.
    assert!(cache.get(DIGEST).is_some());
    cache.put("sha256:33", &code);
    let kept = [DIGEST, "sha256:22", "sha256:33"].map(|digest| cache.get(digest).is_some());
    assert_eq!(kept, [true, false, true]);
}

#[test]
fn a_cache_is_never_larger_than_it_may_be() {
    let (directory, engine) = (tempfile::tempdir().expect("a directory"), Engine::default());
    let (mut cache, path) = filled(&directory, &engine);
    let code = Code::compile(&engine, &component()).expect("compiles");
    let size = fs::metadata(&path).expect("there").len();
    cache.capacity = size - 1;
    cache.put("sha256:22", &code);
    assert!(cache.get("sha256:22").is_none(), "it alone is too large");
    assert!(cache.get(DIGEST).is_some(), "nothing makes room for what is not kept");
}

/// Two caches on one directory, as two processes have them, with room for one
/// file each time: whatever is found is sound, and there is never too much.
#[test]
fn two_at_once_do_not_disturb_each_other() {
    let (directory, engine) = (tempfile::tempdir().expect("a directory"), Engine::default());
    let (cache, path) = filled(&directory, &engine);
    let size = fs::metadata(&path).expect("there").len();
    let code = Code::compile(&engine, &component()).expect("compiles");
    thread::scope(|scope| {
        for process in 0..2 {
            let (engine, code, directory) = (&engine, &code, &cache.directory);
            scope.spawn(move || {
                let cache = CodeCache::open(directory, 7, 2 * size).expect("a private directory");
                for n in 0..50 {
                    cache.put(&format!("sha256:{:02x}", (n + process) % 5), code);
                    if let Some(found) = cache.get(&format!("sha256:{:02x}", n % 5)) {
                        // Gone again, perhaps, but never wrong.
                        if let Err(error) = found.load(engine) {
                            let error = format!("{error:#}");
                            assert!(error.contains("No such file"), "{error}");
                        }
                    }
                }
            });
        }
    });
    evict::make_room(&cache.directory, 2 * size, SystemTime::now()).expect("readable");
    let left: u64 = fs::read_dir(&cache.directory)
        .expect("readable")
        .map(|entry| entry.expect("readable").metadata().expect("there").len())
        .sum();
    assert!(left <= 2 * size, "{left} bytes");
}
