//! What can be used, and will not do what it seems to.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test")]

use std::path::Path;

use config::Config;

#[test]
fn what_no_listener_can_carry() {
    let text = r#"
listen = [{ address = "192.0.2.10" }]
[[voice_connector]]
id = "locked"
encryption = true
origination = { route = [{ host = "192.0.2.20" }] }
[[carrier]]
name = "west"
host = [{ host = "192.0.2.30" }, { host = "192.0.2.31", protocol = "tcp" }]
"#;
    let (_, warnings) = Config::parse(text, Path::new("f.toml")).unwrap();
    let warnings: Vec<String> = warnings.iter().map(ToString::to_string).collect();
    assert_eq!(
        warnings,
        [
            "f.toml:3:1: voice connector locked takes TLS only, and no listener has it; \
             write [[listen]] with protocol = \"tls\"",
            "f.toml:6:26: no listener has tls, so that no call goes here; write [[listen]] with protocol = \"tls\"",
            "f.toml:9:34: no listener has tcp, so that no call goes here; write [[listen]] with protocol = \"tcp\"",
        ]
    );
    let more = text.replace(
        "listen = [",
        "listen = [{ address = \"192.0.2.10\", protocol = \"tcp\" }, \
         { address = \"192.0.2.10\", protocol = \"tls\", certificate = \"c\", key = \"k\" }, ",
    );
    let (_, warnings) = Config::parse(&more, Path::new("f.toml")).unwrap();
    assert_eq!(warnings, []);
}
