//! The API as it is served: unmodified boto3 by HTTP over TLS, and keys that are made on the host.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::reload::{command, controlled, printed};
use super::support::Authority;
use super::support::{Gateway, Net, Office};

/// What `.ci/clients` makes of that kind; `None` where it can't be made and this is not CI.
pub fn client(kind: &str) -> Option<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    // Another version of any client is another number.
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("../clients-1").join(kind);
    let made = Command::new(root.join(".ci/clients")).arg(kind).arg(&folder).status();
    if made.is_ok_and(|status| status.success()) {
        return Some(folder);
    }
    assert!(std::env::var("CI").as_deref() != Ok("true"), "no client {kind} (.ci/setup test)");
    eprintln!("skipped: the client {kind} cannot be had here");
    None
}

/// The interpreter with boto3.
fn python() -> Option<PathBuf> {
    client("python").map(|folder| folder.join("bin/python"))
}

/// Makes a key by the command line: its id and secret.
pub fn key(gateway: &Gateway, arguments: &[&str]) -> [String; 2] {
    let arguments = [&["keys", "create", "gateway.toml"], arguments].concat();
    let (code, out, error) = printed(&command(gateway, &arguments));
    assert_eq!((code, error.as_str()), (Some(0), ""), "{out}");
    let value = |name: &str| {
        let mut lines = out.lines();
        lines.find_map(|line| line.strip_prefix(name)?.strip_prefix('=')).unwrap().to_owned()
    };
    ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"].map(value)
}

#[test]
fn boto3_makes_lists_and_deletes_a_connector_and_a_restart_keeps_it() {
    let Some(python) = python() else { return };
    let net = Net(375);
    let address = net.at(1, 8443);
    let authority = Authority::new("authority");
    let leaf = authority.leaf(&[&net.ip(1).to_string()]);
    let files = tempfile::tempdir().unwrap();
    let file = |name: &str, text: &str| {
        let path = files.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.display().to_string()
    };
    let (certificate, private) = (file("api.pem", &leaf.certificate), file("api.key", &leaf.key));
    let authorities = file("ca.pem", &authority.pem);
    let api = format!(
        "[api]\naddress = \"{address}\"\ncertificate = \"{certificate}\"\nkey = \"{private}\"\nbase_path = \"/chime\"\n\
         directory = \"api\"\n"
    );
    let config = controlled(net, "").replacen("[admin]", &format!("{api}[admin]"), 1);
    let mut gateway = Gateway::start(net, &config);
    let root = key(&gateway, &[]);
    let reader = key(&gateway, &["--role", "reader", "--user", "alice", "--days", "1"]);
    let play_with = |authorities: &str, part: &str, [id, secret]: &[String; 2]| {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/daemon/clients/api.py");
        let ended = Command::new(&python)
            .args([script.as_path(), Path::new(part)])
            .args([format!("https://{address}/chime").as_str(), authorities])
            .env("AWS_ACCESS_KEY_ID", id)
            .env("AWS_SECRET_ACCESS_KEY", secret)
            .env("AWS_CONFIG_FILE", "/dev/null")
            .env("AWS_SHARED_CREDENTIALS_FILE", "/dev/null")
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&ended.stderr).into_owned();
        assert!(ended.status.success(), "{part}: {said}\n{}", gateway.log());
    };
    let play = |part: &str, key: &[String; 2]| play_with(&authorities, part, key);
    play("life", &root);
    play("denied", &reader);
    play("wrong", &[root[0].clone(), "another".to_owned()]);
    play("leave", &root);
    gateway.tells("CreateVoiceConnector");
    let log = gateway.tells("API call");
    for secret in [&root[1], &reader[1], &"correct horse".to_owned()] {
        assert!(!log.contains(secret.as_str()), "a secret is in the log");
    }
    // Another certificate, of other authorities, holds from a reload on.
    let other = Authority::new("another authority");
    let leaf = other.leaf(&[&net.ip(1).to_string()]);
    std::fs::write(&certificate, &leaf.certificate).unwrap();
    std::fs::write(&private, &leaf.key).unwrap();
    let authorities = file("other.pem", &other.pem);
    let reloaded = printed(&command(&gateway, &["reload", "gateway.toml"]));
    assert_eq!(reloaded.0, Some(0), "{reloaded:?}");
    play_with(&authorities, "left", &root);
    std::fs::write(&private, "no key").unwrap();
    assert_eq!(printed(&command(&gateway, &["reload", "gateway.toml"])).0, Some(1));
    play_with(&authorities, "left", &root);
    std::fs::write(&private, &leaf.key).unwrap();

    gateway.restart();
    let play_again = |part: &str| {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/daemon/clients/api.py");
        let mut command = Command::new(&python);
        command
            .args([script.as_path(), Path::new(part)])
            .args([format!("https://{address}/chime"), authorities.clone()]);
        command.env("AWS_ACCESS_KEY_ID", &root[0]).env("AWS_SECRET_ACCESS_KEY", &root[1]);
        let ended = command.output().unwrap();
        assert!(ended.status.success(), "{part}: {}", String::from_utf8_lossy(&ended.stderr));
    };
    play_again("left");
    gateway.terminate();
}

/// The service manager holds the socket of the API while one gateway ends and the next one starts.
#[test]
fn a_restart_refuses_nobody_whose_socket_the_service_manager_holds() {
    let net = Net(456);
    let directory = tempfile::tempdir().unwrap();
    let api = format!("[api]\naddress = \"{}\"\ndirectory = \"api\"\n", net.at(1, 8443));
    let config = Office { more: &api, ..Office::new(net, "udp") }.config();
    std::fs::write(directory.path().join("gateway.toml"), config).unwrap();
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/daemon/clients/hand_over.py");
    let ended = Command::new("python3")
        .arg(script)
        .args([env!("CARGO_BIN_EXE_voice-connector"), &net.ip(1).to_string(), "8443"])
        .current_dir(directory.path())
        .output()
        .unwrap();
    let [said, told] = [ended.stdout, ended.stderr].map(|text| String::from_utf8_lossy(&text).into_owned());
    assert!(ended.status.success(), "{said}\n{told}");
}
