//! The *directories* of a nested build.

use std::path::{Path, PathBuf};

/// The folder of the workspace's `Cargo.toml`.
pub(crate) fn workspace() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.ancestors().nth(2).unwrap_or(here).to_owned()
}

/// Where the nested cargo works: `plugins` in the outer cargo's target
/// directory, so that neither waits for the other's lock.
pub(crate) fn nested_target(workspace: &Path) -> PathBuf {
    let outer = std::env::var_os("OUT_DIR").and_then(|out| outer_target(Path::new(&out)));
    outer.unwrap_or_else(|| workspace.join("target")).join("plugins")
}

/// The target directory that holds this `OUT_DIR`, however it was chosen: cargo
/// marks it as a cache. Looks no farther up than
/// `TARGET_DIR/TRIPLE/PROFILE/build/PACKAGE/HASH/out` goes.
fn outer_target(out: &Path) -> Option<PathBuf> {
    out.ancestors().take(7).find(|dir| dir.join("CACHEDIR.TAG").is_file()).map(Path::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_workspace_holds_the_contracts() {
        assert!(workspace().join("wit/plugin.wit").is_file());
    }

    #[test]
    fn a_target_directory_is_known_by_its_mark() {
        let root = std::env::temp_dir().join(format!("consort-build-{}", std::process::id()));
        let out = root.join("elsewhere/release/build/x-1234/out");
        std::fs::create_dir_all(&out).unwrap();
        std::fs::write(root.join("elsewhere/CACHEDIR.TAG"), "").unwrap();
        assert_eq!(outer_target(&out), Some(root.join("elsewhere")));
        assert_eq!(outer_target(&out.join("a/b/c")), None);
        std::fs::remove_dir_all(&root).unwrap();
    }
}
