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
peer = { udp_size_limit = 1300 }
[[carrier]]
name = "far"
outbound_proxy = "sip:192.0.2.40;transport=tls;lr"
host = [{ host = "192.0.2.41", protocol = "tcp" }]
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
            "f.toml:10:27: no listener has tcp, so that large requests stay on UDP; write [[listen]] with protocol = \"tcp\"",
            "f.toml:13:18: no listener has tls, so that no call goes here; write [[listen]] with protocol = \"tls\"",
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

/// Each with what its warning says to write instead, which is not warned of.
#[test]
fn what_is_probably_meant_otherwise() {
    let text = |peer: &str, password: &str| {
        format!(
            "listen = [{{ address = \"192.0.2.10\" }}]\n[[carrier]]\nname = \"west\"\n\
             host = [{{ host = \"192.0.2.30\" }}]\npeer = {{ {peer} }}\n\
             credentials = {{ username = \"u\", password = {password} }}\n"
        )
    };
    let warnings = |peer: &str, password: &str| -> Vec<String> {
        let (_, warnings) = Config::parse(&text(peer, password), Path::new("f.toml")).unwrap();
        warnings.iter().map(ToString::to_string).collect()
    };
    for (wrong, right) in [
        ("PCMUU", "PCMU"),
        ("G.711", "PCMU"),
        ("ulaw", "PCMU"),
        ("G711a", "PCMA"),
        ("g.722", "G722"),
        ("G729a", "G729"),
        ("iLBC2", "iLBC"),
        ("rfc2833", "telephone-event"),
    ] {
        let expected = format!("f.toml:5:20: {wrong:?} is no codec that is known; write {right:?}");
        assert_eq!(warnings(&format!("codecs = [{wrong:?}]"), "\"p\""), [expected]);
        assert_eq!(warnings(&format!("codecs = [{right:?}]"), "\"p\""), [""; 0]);
    }
    assert!(
        warnings("codecs = [\"X-Ours\"]", "\"p\"")[0]
            .ends_with("write a name as SDP has it, as in \"PCMU\", \"PCMA\", \"opus\"")
    );
    for literal in [
        "$WEST_PASSWORD",
        "${WEST}",
        "$(west)",
        "%WEST%",
        "{{ west.password }}",
        "env:WEST",
        "<password>",
        "file:/run/west",
    ] {
        let told = warnings("", &format!("{literal:?}"));
        let expected = "f.toml:6:44: `password` is taken as it stands, though it looks like a variable; \
                        write { env = \"NAME\" } or { file = \"path\" } for one";
        assert_eq!(told, [expected], "{literal}");
    }
    for meant in ["\"$\"", "\"pa$$word\"", "\"$1x\"", "\"100%\"", "{ env = \"NAME\" }", "{ file = \"path\" }"]
    {
        assert_eq!(warnings("", meant), [""; 0], "{meant}");
    }
}

/// What a carrier may ask for at a customer's cost is told; a customer's own transfers are its own affair.
#[test]
fn a_carrier_that_may_have_others_call() {
    let warnings = |carrier: &str, customer: &str| -> Vec<String> {
        let text = format!(
            "listen = [{{ address = \"192.0.2.10\" }}]\n[[carrier]]\nname = \"west\"\n\
             host = [{{ host = \"192.0.2.30\" }}]\npeer = {{ refer = \"{carrier}\" }}\n\
             [[voice_connector]]\nid = \"pbx\"\ntermination = {{ enabled = false }}\npeer = {{ refer = \"{customer}\" }}\n"
        );
        let (_, warnings) = Config::parse(&text, Path::new("f.toml")).unwrap();
        warnings.iter().map(ToString::to_string).collect()
    };
    let told = warnings("pass", "off");
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(
        told[0].starts_with("f.toml:5:18: carrier west may ask a customer's phone to call any number"),
        "{told:?}"
    );
    for carrier in ["off", "handle"] {
        assert_eq!(warnings(carrier, "pass"), [""; 0]);
    }
}

#[test]
fn networks_that_do_not_fit_together() {
    let text = r#"
listen = [{ address = "10.1.1.5", network = "inside" }, { address = "192.0.2.10" }]
[[network]]
name = "inside"
local = ["10.1.0.0/16"]
[[network]]
name = "office"
local = ["10.0.0.0/8", "10.2.0.0/16"]
[[network]]
name = "outside"
[[network]]
name = "world"
"#;
    let (_, warnings) = Config::parse(text, Path::new("f.toml")).unwrap();
    let warnings: Vec<String> = warnings.iter().map(ToString::to_string).collect();
    assert_eq!(
        warnings,
        [
            "f.toml:2:57: other listeners have a `network` and this one has none: no peer of a network is called from \
             here while one of its own has the transport; write network = \"...\"",
            "f.toml:8:10: 10.0.0.0/8 of network office holds 10.1.0.0/16 of network inside (f.toml:5:10): \
             its peers are the latter's",
            "f.toml:11:1: network world has no `local`, and network outside has none either (f.toml:9:1): \
             whoever is in no other network is in outside",
        ]
    );
}
