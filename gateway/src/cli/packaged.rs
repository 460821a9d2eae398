//! What the package brings along fits the program.

use std::path::Path;

use clap::Parser;

use super::Arguments;
use crate::admit::{self, Outcome};

/// A file of `packaging`.
fn packaged(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../packaging").join(name);
    std::fs::read_to_string(path).unwrap()
}

/// Nobody is known, and nobody from elsewhere is even heard.
#[test]
fn the_configuration_is_closed() {
    let text = packaged("voice-connector.toml");
    let (config, warnings) = config::Config::parse(&text, Path::new("/etc/voice-connector.toml")).unwrap();
    assert_eq!(warnings.len(), 0);
    assert!(config.voice_connector.is_empty() && config.carrier.is_empty() && config.numbers.is_empty());
    assert!(config.listen.iter().all(|listen| listen.address.ip().is_loopback()));
    assert!(config.admin.address.ip().is_loopback());
    let source = [127, 0, 0, 1].into();
    let facts = admit::Facts::new(source, crate::peer::Transport::Udp, "localhost", "+12065550123");
    assert!(matches!(admit::admit(&config, &facts).outcome, Outcome::Refuse(_)));
}

#[test]
fn the_unit_runs_a_command_that_there_is_where_the_configuration_writes() {
    let unit = packaged("voice-connector.service");
    let value = |key: &str| unit.lines().find_map(|line| line.strip_prefix(key)).unwrap();
    let command = value("ExecStart=").replace("$OPTIONS", "--log-format human --drain 5");
    assert!(Arguments::try_parse_from(command.split(' ')).is_ok(), "{command}");
    let config = packaged("voice-connector.toml");
    for (key, directory) in [("StateDirectory=", "/var/lib"), ("RuntimeDirectory=", "/run")] {
        let directory = format!("\"{directory}/{}/", value(key));
        assert!(config.contains(&directory), "{directory}");
    }
}

/// The image has no shell and nobody to mend what is not there.
#[test]
fn the_image_runs_a_command_that_there_is_where_the_configuration_writes() {
    let recipe = packaged("Containerfile");
    let words = |key: &str| {
        let words = recipe.lines().find_map(|line| line.strip_prefix(key)).unwrap();
        serde_json::from_str::<Vec<String>>(words).unwrap()
    };
    let command = [words("ENTRYPOINT "), words("CMD ")].concat();
    assert!(Arguments::try_parse_from(&command).is_ok(), "{command:?}");
    let config = packaged("voice-connector.toml");
    for directory in ["/var/lib/voice-connector", "/run/voice-connector"] {
        assert!(recipe.contains(&format!("COPY --chown=64321:64321 empty {directory}\n")), "{directory}");
        assert!(config.contains(&format!("\"{directory}/")), "{directory}");
    }
}
