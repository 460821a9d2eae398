//! The operator's vocabulary, `voice-connector.toml` of the shared folder, against what this crate knows.

#![allow(clippy::panic, clippy::unwrap_used, clippy::indexing_slicing, reason = "a test")]

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
    let counts =
        (config.listen.len(), config.voice_connector.len(), config.carrier.len(), config.numbers.len());
    assert_eq!(counts, (3, 2, 2, 3));
    let texts: Vec<&str> = warnings.iter().map(|warning| warning.text.as_str()).collect();
    assert_eq!(
        texts,
        [
            "voice connector abcdef1ghij2klmno3pqr4 takes no emergency calls in CA: \
             it has no emergency table for them",
            "voice connector zyxwvu9tsrqp8onmlkj7ih takes no emergency calls in US, CA, GB, DE: \
             it has no emergency table for them",
        ]
    );
}

/// One commented key of the reference, uncommented.
struct Uncommented {
    line: usize,
    /// `table.key`, the table as its header has it.
    key: String,
    text: String,
}

/// Every `# key = value`, with the commented header above it where there is one. A table that is commented
/// out keeps its first key, without which it may make no sense.
fn uncommented(text: &str) -> Vec<Uncommented> {
    let lines: Vec<&str> = text.lines().collect();
    let mut found = Vec::new();
    let mut table = "";
    let mut commented_header: Option<(usize, usize)> = None;
    for (at, line) in lines.iter().enumerate() {
        let bare = line.strip_prefix("# ").unwrap_or(line);
        if bare.starts_with('[') {
            table = bare.split_whitespace().next().unwrap().trim_matches(['[', ']']);
            commented_header = line.starts_with("# ").then_some((at, at + 1));
        }
        let key = bare.split(" = ").next().unwrap();
        let is_key = line.starts_with("# ")
            && bare.contains(" = ")
            && key.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_' || byte.is_ascii_digit());
        if !is_key {
            continue;
        }
        let mut copy = lines.clone();
        copy[at] = bare;
        // One makes no sense without the other.
        match key {
            "client_certificate" => copy[at + 1] = lines[at + 1].strip_prefix("# ").unwrap(),
            "client_key" => copy[at - 1] = lines[at - 1].strip_prefix("# ").unwrap(),
            _ => {}
        }
        let network = "[[network]]\nname = \"outside\"";
        if key == "network" {
            copy.push(network);
        }
        if let Some((header, first)) = commented_header {
            copy[header] = lines[header].strip_prefix("# ").unwrap();
            if copy[header].starts_with("[[") {
                copy[first] = lines[first].strip_prefix("# ").unwrap();
            }
        }
        found.push(Uncommented { line: at + 1, key: format!("{table}.{key}"), text: copy.join("\n") });
    }
    found
}

/// Commented keys that show an example; all others show their default.
const EXAMPLES: [&str; 31] = [
    "gateway.phone_numbers",
    "listen.advertise",
    "listen.network",
    "listen.certificates",
    "listen.client_ca",
    "media.advertise",
    "tls.ca",
    "network.name",
    "network.local",
    "network.media_address",
    "admin.token",
    "admin.socket",
    "voice_connector.termination.denied_prefixes",
    "voice_connector.termination.daily_minutes",
    "voice_connector.termination.carriers",
    "voice_connector.termination.caller_id",
    "voice_connector.peer.srtp", // its default hangs on encryption and protocol
    "voice_connector.peer.codecs",
    "voice_connector.peer.session_timer",
    "voice_connector.peer.strip_headers",
    "voice_connector.peer.add_headers",
    "voice_connector.peer.ca",
    "voice_connector.peer.client_certificate",
    "voice_connector.peer.client_key",
    "carrier.countries",
    "carrier.country",
    "carrier.cps_limit",
    "carrier.max_calls",
    "carrier.register",
    "carrier.failover_on",
    "carrier.outbound_proxy",
];

#[test]
fn every_commented_key_is_known_and_every_default_is_as_told() {
    let Some((path, text)) = reference() else { return };
    let keys = uncommented(&text);
    assert!(keys.len() >= 55, "{} keys", keys.len());
    let (before, _) = Config::parse(&text, &path).unwrap();
    let mut checked = 0;
    for Uncommented { line, key, text } in keys {
        match Config::parse(&text, &path) {
            Ok((after, _)) => {
                let same = shown(&before) == shown(&after);
                assert_eq!(same, !EXAMPLES.contains(&key.as_str()), "{line}: {key}");
                checked += usize::from(same);
            }
            Err(errors) => {
                for error in errors.iter() {
                    assert!(error.problem.ends_with("is not available yet in this version"), "{error}");
                    assert!(error.position.line.abs_diff(line) <= 3, "{error}");
                }
            }
        }
    }
    assert!(checked >= 23, "{checked} defaults");
}

/// The configuration, less what has no order.
fn shown(config: &Config) -> String {
    let Config { gateway, listen, media, tls, network, records, admin, .. } = config;
    let Config { voice_connector, voice_connector_group, carrier, .. } = config;
    format!(
        "{gateway:?} {listen:?} {media:?} {tls:?} {network:?} {records:?} {admin:?} \
         {voice_connector:?} {voice_connector_group:?} {carrier:?}"
    )
}
