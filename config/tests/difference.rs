//! What two configurations differ in, as it is told.

#![allow(clippy::unwrap_used)] // A test from its first line to its last.

use std::path::Path;

use config::Config;

const OLD: &str = r#"
[gateway]
domain = "gw.example.com"
[[listen]]
address = "192.0.2.10"
[[voice_connector]]
id = "office"
[voice_connector.termination]
allowlist = ["192.0.2.0/28", "192.0.2.32/28"]
calling_plan = ["US"]
cps_limit = 5
credentials = [{ username = "u", password = "first secret" }]
[voice_connector.peer]
add_headers = { X-Key = "second secret" }
[[voice_connector.origination.route]]
host = "192.0.2.5"
[[phone_number]]
number = "+12065550100"
voice_connector = "office"
[[phone_number]]
number = "+12065550101"
voice_connector = "office"
[[carrier]]
name = "east"
host = [{ host = "198.51.100.1" }]
register = { user = "u", domain = "d.example", password = "third secret" }
"#;

fn read(text: &str) -> Config {
    Config::parse(text, Path::new("f.toml")).unwrap().0
}

fn lines(change: impl Fn(&str) -> String) -> Vec<String> {
    read(OLD).difference(&read(&change(OLD))).iter().map(ToString::to_string).collect()
}

#[test]
fn what_is_written_otherwise_is_no_difference() {
    let reformatted =
        |text: &str| format!("# A note.\n{}", text.replace("cps_limit = 5", "cps_limit   =   5 # calls"));
    assert_eq!(lines(reformatted), [""; 0]);
}

#[test]
fn objects_and_keys_are_named_with_both_values() {
    let changed = |text: &str| {
        text.replace("cps_limit = 5", "cps_limit = 10")
            .replace("\"192.0.2.32/28\"", "\"192.0.2.64/28\"")
            .replace("calling_plan = [\"US\"]", "calling_plan = [\"US\"]\nmax_calls = 7")
            .replace("[gateway]", "[gateway]\nrealm = \"r\"")
            .replace(
                "host = \"192.0.2.5\"",
                "host = \"192.0.2.5\"\n[[voice_connector.origination.route]]\nhost = \"192.0.2.6\"",
            )
            .replace("+12065550101", "+12065550102")
            .replace("[[carrier]]\nname = \"east\"", "[[carrier]]\nname = \"west\"")
    };
    assert_eq!(
        lines(changed),
        [
            "+ [gateway] realm \"r\"",
            "+ voice_connector office origination.route { host = \"192.0.2.6\" }",
            "- voice_connector office termination.allowlist \"192.0.2.32/28\"",
            "+ voice_connector office termination.allowlist \"192.0.2.64/28\"",
            "~ voice_connector office termination.cps_limit 5 -> 10",
            "+ voice_connector office termination.max_calls 7",
            "- carrier east",
            "+ carrier west",
            "- phone_number +12065550101",
            "+ phone_number +12065550102",
        ]
    );
}

#[test]
fn a_secret_is_told_to_be_another_one_and_never_shown() {
    let changed = lines(|text| text.replace("secret", "word"));
    assert_eq!(
        changed,
        [
            "~ voice_connector office peer.add_headers ***, another one",
            "- voice_connector office termination.credentials { password = ***, username = \"u\" }",
            "+ voice_connector office termination.credentials { password = ***, username = \"u\" }",
            "~ carrier east register.password ***, another one",
        ]
    );
}

#[test]
fn a_number_that_moves_and_an_order_that_matters_are_told() {
    let changed = lines(|text| {
        text.replace("number = \"+12065550101\"", "number = \"+12065550101\"\ncalling_name = \"Desk\"")
            .replace("[\"192.0.2.0/28\", \"192.0.2.32/28\"]", "[\"192.0.2.32/28\", \"192.0.2.0/28\"]")
    });
    assert_eq!(
        changed,
        [
            "~ voice_connector office termination.allowlist, in another order",
            "~ phone_number +12065550101 calling_name none -> \"Desk\"",
        ]
    );
}

#[test]
fn a_file_that_another_one_continues_is_one_configuration() {
    let directory = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| std::fs::write(directory.path().join(name), text).unwrap();
    write("f.toml", OLD);
    std::fs::create_dir(directory.path().join("conf.d")).unwrap();
    let load = || Config::load(&directory.path().join("f.toml")).unwrap().0;
    let old = load();
    write("conf.d/1.toml", "[[carrier]]\nname = \"west\"\nhost = [{ host = \"198.51.100.2\" }]\n");
    let changes: Vec<String> = old.difference(&load()).iter().map(ToString::to_string).collect();
    assert_eq!(changes, ["+ carrier west"]);
}

/// Whoever moves a listener up in the file moves no socket.
#[test]
fn listeners_have_numbers_that_no_order_changes() {
    let old = read(&format!("{OLD}[[listen]]\naddress = \"192.0.2.11\"\n"));
    let numbers = |config: &Config| config.listen.iter().map(|listen| listen.number).collect::<Vec<_>>();
    assert_eq!(numbers(&old), [0, 1]);
    let mut new = read(&format!(
        "{}[[listen]]\naddress = \"192.0.2.10\"\n",
        OLD.replace("192.0.2.10\"", "192.0.2.11\"")
    ));
    new.number_listeners(|protocol, address| {
        let same = |one: &&config::Listen| (one.protocol, one.address) == (protocol, address);
        old.listen.iter().find(same).unwrap().number
    });
    assert_eq!(numbers(&new), [1, 0]);
    assert_eq!(old.difference(&new), []);
}
