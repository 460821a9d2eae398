//! The operator's vocabulary, `voice-connector.toml` of the shared folder, against what this crate knows.

#![allow(clippy::panic, clippy::unwrap_used, reason = "a test")]

use std::path::{Path, PathBuf};

use config::Config;

/// The reference file; `None`, with the reason printed, where there is no shared folder.
fn reference() -> Option<(PathBuf, String)> {
    let shared = match std::env::var_os("VOICE_CONNECTOR_SHARED") {
        Some(path) => PathBuf::from(path),
        None => Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared"),
    };
    let path = shared.join("reference/voice-connector.toml");
    match std::fs::read_to_string(&path) {
        Ok(text) => Some((path, text)),
        Err(error) if std::env::var("CI").is_ok_and(|ci| ci == "true") => {
            panic!("{}: {error}", path.display())
        }
        Err(error) => {
            println!("skipped: {}: {error}", path.display());
            None
        }
    }
}

#[test]
fn the_reference_loads_as_it_stands() {
    let Some((path, _)) = reference() else { return };
    let (config, warnings) = Config::load(&path).map_err(|errors| errors.to_string()).unwrap();
    assert_eq!(config.voice_connector.len(), 2);
    for warning in warnings {
        println!("{warning}");
    }
    for missing in config.missing() {
        println!("{missing}");
    }
    for sleeping in config.sleeping() {
        println!("{sleeping}");
    }
}
