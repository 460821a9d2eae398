use std::path::Path;

use super::*;
use crate::listen::tls::certificates::{Authority, Leaf, Purpose};

fn config(text: &str) -> Arc<Config> {
    Arc::new(Config::parse(text, Path::new("gateway.toml")).unwrap().0)
}

fn find<'a>(findings: &'a [Finding], topic: &str, part: &str) -> &'a Finding {
    let found = findings.iter().find(|finding| finding.topic == topic && finding.text.contains(part));
    found.unwrap_or_else(|| panic!("no {topic} {part:?} in {findings:#?}"))
}

const OFFICE: &str = r#"
    listen = [{ address = "127.0.0.1:0" }, { protocol = "tcp", address = "192.0.2.77" }]
    [media]
    ports = [20000, 20999]
    [[voice_connector]]
    id = "office"
    termination = { allowlist = ["198.51.100.7"] }
    [[carrier]]
    name = "east"
    allowlist = ["203.0.113.0/24"]
    host = [{ host = "127.0.0.9" }, { host = "no-such-host.invalid" }, { host = "::1" }]
"#;

#[test]
fn what_calls_would_meet_is_told_with_what_to_do() {
    let diagnosis = examine(&config(OFFICE), Wanted { calls: Some(1_000_000) });
    let level = |topic, part| find(&diagnosis.findings, topic, part).level;
    assert_eq!(level("listen", "udp 127.0.0.1:0 can be had"), Level::Good);
    assert_eq!(level("listen", "tcp 192.0.2.77:5060 is no address of this machine"), Level::Bad);
    assert_eq!(level("ports", "has room for 490 calls"), Level::Bad);
    assert_eq!(level("files", "may be open"), Level::Bad);
    assert_eq!(level("processor", "too slow for 1000000 calls"), Level::Warning);
    assert_eq!(level("route", "carrier east: 127.0.0.9 is reached from 127.0.0.1"), Level::Good);
    assert_eq!(level("route", "carrier east: no listener has udp to [::1]"), Level::Bad);
    assert_eq!(level("dns", "carrier east: "), Level::Bad);
    let told = find(&diagnosis.findings, "firewall", "voice connector office: from 198.51.100.7/32 to udp ");
    assert!(
        told.text.ends_with("; from us to nothing; udp 127.0.0.1, 192.0.2.77 ports 20000 to 20999 both ways"),
        "{told:?}"
    );
    let carrier = find(&diagnosis.findings, "firewall", "carrier east: from 203.0.113.0/24");
    assert!(
        carrier.text.contains("from us to udp 127.0.0.9, udp [::1], udp no-such-host.invalid"),
        "{carrier:?}"
    );
    assert!(diagnosis.is_bad() && diagnosis.capacity.calls_by_room <= 980);
    for finding in diagnosis.findings.iter().filter(|finding| finding.level >= Level::Warning) {
        assert!(finding.remedy.as_ref().is_some_and(|remedy| !remedy.is_empty()), "{finding:?}");
    }
    let (text, json) = (diagnosis.to_string(), serde_json::to_value(&diagnosis).unwrap());
    assert!(text.contains("\nBAD  listen       tcp 192.0.2.77:5060 is no address"), "{text}");
    assert!(text.contains("\n                  -> "), "{text}");
    assert_eq!((&json["version"], &json["findings"][0]["topic"]), (&1.into(), &"files".into()));
    assert!(json["capacity"]["calls_per_second"].as_u64().unwrap() > 0, "{json}");
}

#[test]
fn a_private_address_means_nothing_to_a_peer_outside() {
    let told = |more: &str, peer: &str| {
        let text = format!(
            "[[listen]]\naddress = \"10.1.2.3\"\n{more}\n[[carrier]]\nname = \"east\"\nallowlist = [\"{peer}\"]\n\
             host = [{{ host = \"{peer}\" }}]\n"
        );
        find(&addresses::look(&config(&text)), "address", "peers are told").clone()
    };
    let private = told("", "198.51.100.7");
    assert_eq!(private.level, Level::Bad);
    assert_eq!(
        private.text,
        "udp 10.1.2.3:5060: peers are told 10.1.2.3:5060, which means nothing to 198.51.100.7"
    );
    assert_eq!(told("", "10.9.9.9").level, Level::Note);
    assert_eq!(told("advertise = \"203.0.113.5\"", "198.51.100.7").level, Level::Note);
}

#[test]
fn certificates_are_looked_at_for_their_end_their_chain_their_use_and_their_names() {
    let directory = tempfile::tempdir().unwrap();
    let authority = Authority::new("ours");
    let look = |leaf: &Leaf| {
        leaf.write(directory.path(), "gateway");
        let text = "[[listen]]\nprotocol = \"tls\"\naddress = \"127.0.0.1\"\ncertificate = \"gateway.pem\"\n\
                    key = \"gateway.key\"\n[[carrier]]\nname = \"east\"\nhost = [{ host = \"127.0.0.9\" }]\n\
                    peer = { contact = \"sip.example.com\" }\n";
        let (config, _) = Config::parse(text, &directory.path().join("gateway.toml")).unwrap();
        without_host(&config)
    };
    let good = look(&authority.expiring(&["sip.example.com", "192.0.2.1"], 90));
    assert!(good.iter().all(|finding| finding.level == Level::Note), "{good:#?}");
    find(&good, "certificate", "gateway.pem is for sip.example.com, 192.0.2.1");
    find(&good, "certificate", "gateway.pem (server) ends in 89 days");
    find(&good, "certificate", "no authority that this system knows has signed it");
    let named = look(&authority.leaf(&["other.example.com"]));
    let name = find(&named, "certificate", "gateway.pem is not for sip.example.com, by which peers call us");
    assert_eq!(name.level, Level::Warning);
    let soon = look(&authority.expiring(&["sip.example.com"], 3));
    assert_eq!(find(&soon, "certificate", "expires within 14 days").level, Level::Warning);
    let over = look(&authority.expired(&["sip.example.com"]));
    assert_eq!(find(&over, "certificate", "has expired").level, Level::Bad);
    let client = look(&authority.leaf_for(&["sip.example.com"], &[Purpose::ClientAuth]));
    assert_eq!(find(&client, "certificate", "lacks serverAuth").level, Level::Bad);
}
