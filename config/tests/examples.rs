//! Every file of `examples/` loads, and there is little to warn of.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test")]

use std::path::Path;

use config::Config;

#[test]
fn the_examples_load() {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples");
    let mut seen = Vec::new();
    for path in std::fs::read_dir(&directory).unwrap().map(|entry| entry.unwrap().path()) {
        if path.extension().is_some_and(|extension| extension == "toml") {
            let text = std::fs::read_to_string(&path).unwrap();
            let (config, warnings) =
                Config::parse(&text, &path).unwrap_or_else(|errors| panic!("{}:\n{errors}", path.display()));
            let known = |text: &str| {
                text.contains("takes no emergency calls")
                    || text.contains("can call by UDP as voice connector")
            };
            assert!(warnings.iter().all(|warning| known(&warning.text)), "{warnings:?}");
            // Certificates are the operator's own.
            let is_certificate =
                |file: &Path| file.parent().is_some_and(|directory| directory.ends_with("tls"));
            let missing = config.missing();
            assert!(missing.iter().all(|one| one.file.as_deref().is_some_and(is_certificate)), "{missing:?}");
            seen.push(path.file_name().unwrap().to_string_lossy().into_owned());
        }
    }
    for name in ["voice-connector.toml", "embedded.toml", "teams-direct-routing.toml"] {
        assert!(seen.iter().any(|seen| seen == name), "{name}");
    }
}
