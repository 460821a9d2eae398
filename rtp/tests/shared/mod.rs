//! Finds the test data that lies beside the repository.

use std::path::PathBuf;

/// A file or folder under the shared directory. `None`: the directory is not there, which a lone clone may live with and CI
/// may not; the reason is printed.
pub fn path(name: &str) -> Option<PathBuf> {
    let beside = || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../shared");
    let directory = std::env::var_os("VOICE_CONNECTOR_SHARED").map_or_else(beside, PathBuf::from);
    let path = directory.join(name);
    if path.exists() {
        return Some(path);
    }
    assert!(std::env::var_os("CI").is_none_or(|ci| ci != "true"), "{} is missing", path.display());
    eprintln!("skipped: {} is missing; set VOICE_CONNECTOR_SHARED", path.display());
    None
}
