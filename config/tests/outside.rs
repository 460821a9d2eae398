//! What the file names and does not hold: other files, variables, secrets.

#![allow(clippy::unwrap_used, reason = "a test")]

use std::path::Path;

use config::{Config, Proof, Secret};
use secrecy::ExposeSecret;

const FILE: &str = r#"
[gateway]
phone_numbers = "numbers.csv"
[[listen]]
address = "127.0.0.1:5060"
[admin]
token = { env = "VOICE_CONNECTOR_TEST_NOT_SET" }
[[voice_connector]]
id = "office"
[[carrier]]
name = "c"
host = [{ host = "127.0.0.3" }]
credentials = { username = "u", password = { file = "secrets/c" } }
"#;

fn shown(missing: Vec<config::Missing>, directory: &Path) -> Vec<String> {
    let prefix = format!("{}/", directory.display());
    missing.iter().map(|missing| missing.to_string().replace(&prefix, "")).collect()
}

#[test]
fn what_is_missing_is_named() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("f.toml");
    let (config, _) = Config::parse(FILE, &file).unwrap();
    assert_eq!(
        shown(config.missing(), directory.path()),
        [
            "f.toml:3:17: phone_numbers: numbers.csv cannot be read (No such file or directory (os error 2)); \
             put the file there",
            "f.toml:7:17: token: the environment variable VOICE_CONNECTOR_TEST_NOT_SET is not set; set it",
            "f.toml:13:53: password: secrets/c cannot be read (No such file or directory (os error 2)); \
             put the file there",
        ]
    );
    std::fs::create_dir_all(directory.path().join("secrets/c")).unwrap();
    std::fs::write(directory.path().join("numbers.csv"), "number,voice_connector\n+12065550100,office\n")
        .unwrap();
    assert_eq!(
        shown(config.missing(), directory.path()),
        [
            "f.toml:7:17: token: the environment variable VOICE_CONNECTOR_TEST_NOT_SET is not set; set it",
            "f.toml:13:53: password: secrets/c is a directory; name a file",
        ]
    );
    let mut config = config;
    config.read_inventory().unwrap();
    assert!(config.number("+12065550100").is_some());
    std::fs::write(directory.path().join("numbers.csv"), "number,voice_connector\n+12065550101,\u{0}\n")
        .unwrap();
    let errors = config.read_inventory().unwrap_err();
    assert!(errors.to_string().contains("numbers.csv:2:14: there is no voice connector \"\\0\""), "{errors}");
}

#[test]
fn secrets_are_read_when_asked_for_and_never_shown() {
    let directory = tempfile::tempdir().unwrap();
    std::fs::create_dir(directory.path().join("secrets")).unwrap();
    let secret_file = directory.path().join("secrets/c");
    std::fs::write(&secret_file, "correct horse\r\n").unwrap();
    let (config, _) = Config::parse(FILE, &directory.path().join("f.toml")).unwrap();
    let Proof::Password(password) = &config.carrier("c").unwrap().credentials.as_ref().unwrap().proof else {
        unreachable!("the file has a password")
    };
    assert_eq!(password.resolve().unwrap().expose_secret(), "correct horse");
    std::fs::write(&secret_file, "\n").unwrap();
    assert!(password.resolve().unwrap_err().to_string().ends_with("secrets/c is empty"));
    assert_eq!(
        config.admin.token.as_ref().unwrap().resolve().unwrap_err().to_string(),
        "the environment variable VOICE_CONNECTOR_TEST_NOT_SET is not set"
    );
    let literal = Secret::Literal("hunter2".into());
    assert_eq!(literal.resolve().unwrap().expose_secret(), "hunter2");
    assert!(!format!("{literal:?}").contains("hunter2"));
}

#[test]
fn the_files_of_conf_d_belong_to_the_file() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("f.toml");
    std::fs::create_dir(directory.path().join("conf.d")).unwrap();
    let write = |name: &str, text: &str| std::fs::write(directory.path().join(name), text).unwrap();
    let load = || {
        let prefix = format!("{}/", directory.path().display());
        Config::load(&file)
            .map(|(config, _)| config)
            .map_err(|errors| errors.to_string().replace(&prefix, ""))
    };
    assert_eq!(
        load().unwrap_err(),
        "f.toml: cannot be read: No such file or directory (os error 2); put the file there"
    );
    write("f.toml", "listen = [{ address = \"127.0.0.1:5060\" }]\n[gateway]\nregion = \"a\"\n");
    write("conf.d/2.toml", "phone_number = [{ number = \"+12065550100\", voice_connector = \"office\" }]\n");
    write("conf.d/1.toml", "voice_connector = [{ id = \"office\" }]\nrecords = { directory = \"r\" }\n");
    write("conf.d/notes.txt", "not ours");
    let config = load().unwrap();
    assert!(config.owns(&"office".into(), "+12065550100"));
    assert_eq!(config.records.directory, directory.path().join("conf.d/r"));
    write("conf.d/3.toml", "voice_connector = [{ id = \"office\" }]\n[gateway]\nregion = \"b\"\n");
    assert_eq!(
        load().unwrap_err(),
        "conf.d/3.toml:1:27: voice connector \"office\" is already in conf.d/1.toml:1:27; \
         write another name, or remove one of the two\n\
         conf.d/3.toml:2:2: [gateway] is already in f.toml:2:1; write its keys there"
    );
    std::fs::write(directory.path().join("conf.d/3.toml"), b"a = 1\nb = \"\xff\"").unwrap();
    assert_eq!(load().unwrap_err(), "conf.d/3.toml:2:6: this is not UTF-8; write the file in UTF-8");
}
