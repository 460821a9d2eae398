//! An inventory beside an operator's files.

use std::path::Path;
use std::sync::Arc;

use config::Config;
use inventory::{Inventory, Limits, Memory, NewConnector, Random, SEAL_KEY, Setup, Store, Timestamp};

pub const FILES: &str = r#"
    listen = [{ address = "127.0.0.1:5060" }]
    voice_connector = [{ id = "hq", name = "Head office", termination = { allowlist = ["192.0.2.1"] } }]
    voice_connector_group = [{ id = "all", members = [{ voice_connector = "hq" }] }]
    phone_number = [{ number = "+12065550100", voice_connector = "hq" }]
    [gateway]
    region = "here"
    account = "111122223333"
    domain = "vc.example.com"
    [[carrier]]
    name = "west"
    allowlist = ["198.51.100.0/24"]
    host = [{ host = "198.51.100.1" }]
"#;

pub const KEY: [u8; SEAL_KEY] = [7; SEAL_KEY];

pub const NOW: Timestamp = Timestamp(1_800_000_000_000);

pub fn files(text: &str) -> Arc<Config> {
    Arc::new(Config::parse(text, Path::new("f.toml")).map_err(|errors| errors.to_string()).unwrap().0)
}

/// Different bytes each time, and the same in each test.
pub fn random() -> Random {
    let mut state = 0x9E37_79B9_7F4A_7C15_u64;
    Box::new(move |bytes| {
        for byte in bytes {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            *byte = state.to_be_bytes()[3];
        }
    })
}

pub fn setup(store: Box<dyn Store>) -> Setup {
    Setup { store, seal: KEY, random: random(), limits: Limits::default() }
}

pub fn inventory() -> Inventory {
    Inventory::open(setup(Box::<Memory>::default()), files(FILES), NOW).unwrap()
}

pub fn new_connector(name: &str) -> NewConnector {
    NewConnector {
        name: name.to_owned(),
        region: None,
        require_encryption: false,
        integration_type: None,
        network_type: None,
        tags: Vec::new(),
    }
}
