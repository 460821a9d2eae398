//! Each `mistakes/*.toml` is told as the text beside it says, line by line.

#![allow(clippy::unwrap_used, reason = "a test")]

use std::path::{Path, PathBuf};

use config::Config;

#[test]
fn every_mistake_names_its_place_and_remedy() {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/mistakes");
    let mut files: Vec<PathBuf> =
        std::fs::read_dir(&directory).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|path| path.extension().is_some_and(|extension| extension == "toml"));
    files.sort();
    assert!(files.len() >= 24);
    for path in files {
        let name = Path::new(path.file_name().unwrap());
        let text = std::fs::read_to_string(&path).unwrap();
        let expected = std::fs::read_to_string(path.with_extension("txt")).unwrap();
        let errors = Config::parse(&text, name).unwrap_err();
        assert_eq!(errors.to_string(), expected.trim_end(), "{}", name.display());
        for secret in ["hunter2", "12345\""] {
            assert!(!errors.to_string().contains(secret), "{}", name.display());
        }
    }
}
