//! What holds where the file says nothing.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test")]

use std::path::{Path, PathBuf};
use std::time::Duration;

use config::{
    CallerIdPolicy, ChallengeStatus, Config, DEFAULT_SRTP_SUITES, DigestAlgorithm, Dtmf, Durability,
    IdentityHeader, Nat, NumberFormat, Owner, Prack, Refer, Srtp, Transport,
};

const MINIMAL: &str = r#"
listen = [{ address = "192.0.2.10" }, { address = "192.0.2.10", protocol = "tls", certificate = "c", key = "k" }]
phone_number = [{ number = "+12065550100", voice_connector = "office" }]
voice_connector_group = [{ id = "g", members = [{ voice_connector = "office" }] }]
[[voice_connector]]
id = "office"
termination = {}
origination = { route = [{ host = "192.0.2.20" }] }
emergency = [{ country = "US", digits = ["911"], routing_number = "+15105550111" }]
[[voice_connector]]
id = "off"
[[voice_connector]]
id = "encrypted"
encryption = true
origination = { route = [{ host = "sbc.example.com" }] }
[[carrier]]
name = "all"
host = [{ host = "192.0.2.30" }]
[[carrier]]
name = "some"
countries = ["GB"]
host = [{ host = "192.0.2.30" }]
"#;

fn config() -> Config {
    Config::parse(MINIMAL, Path::new("etc/f.toml")).map_err(|errors| errors.to_string()).unwrap().0
}

#[test]
fn of_the_gateway() {
    let config = config();
    let gateway = &config.gateway;
    assert_eq!(
        (gateway.region.as_str(), gateway.domain.as_str(), gateway.realm.as_str()),
        ("local", "localhost", "localhost")
    );
    assert!(!gateway.mask_numbers);
    assert_eq!(
        (&gateway.account, &gateway.default_calling_name, &gateway.phone_numbers),
        (&None, &None, &None)
    );
    let listen = &config.listen;
    assert_eq!(listen[0].protocol, Transport::Udp);
    assert_eq!(listen[0].address.to_string(), "192.0.2.10:5060");
    assert_eq!(listen[1].address.to_string(), "192.0.2.10:5061");
    assert_eq!(listen[0].advertised(), listen[0].address);
    assert_eq!((&listen[1].network, &listen[1].client_ca), (&None, &None));
    assert!(listen[1].client_names.is_empty());
    assert_eq!(listen[1].certificates[0].certificate, PathBuf::from("etc/c"));
    let media = &config.media;
    assert_eq!(media.address, [listen[0].address.ip()]);
    assert_eq!(media.advertised(listen[0].address.ip()), listen[0].address.ip());
    assert_eq!(media.ports.to_string(), "[5000, 65000]");
    assert_eq!(media.inactivity_timeout, Duration::from_secs(60));
    assert_eq!(media.hold_timeout, Duration::from_secs(30 * 60));
    assert_eq!(media.emergency_ports, 20);
    assert_eq!((&config.tls.ca, config.network.len()), (&None, 0));
    assert_eq!(config.records.directory, PathBuf::from("etc/records"));
    assert_eq!(config.records.durability, Durability::Kernel);
    assert_eq!((config.records.journal_limit, config.records.sinks.len()), (256 << 20, 0));
    assert_eq!(config.admin.address.to_string(), "127.0.0.1:9090");
    assert!(config.admin.token.is_none() && config.admin.socket.is_none());
    assert!(config.api.is_none());
}

#[test]
fn of_a_connector() {
    let config = config();
    let office = config.connector("office").unwrap();
    assert_eq!((office.name.as_str(), office.encryption), ("office", false));
    let termination = &office.termination;
    assert!(termination.enabled && termination.allowlist.is_empty() && termination.calling_plan.is_empty());
    assert!(termination.denied_prefixes.is_empty() && termination.allow_premium.is_empty());
    assert!(termination.credentials.is_empty() && termination.carriers.is_none());
    assert!(termination.daily_minutes.is_none() && termination.caller_id.is_none());
    assert_eq!(termination.caller_id_policy, CallerIdPolicy::Owned);
    assert_eq!(termination.challenge, ChallengeStatus::ProxyAuthenticationRequired);
    let strongest_first = [DigestAlgorithm::Sha512_256, DigestAlgorithm::Sha256, DigestAlgorithm::Md5];
    assert_eq!(termination.digest_algorithms, strongest_first);
    assert_eq!(termination.identity_header, IdentityHeader::PAssertedIdentity);
    assert_eq!(termination.max_duration, Duration::from_secs(12 * 60 * 60));
    assert_eq!((termination.cps_limit, termination.max_calls), (100, 2000));
    let origination = &office.origination;
    assert!(origination.enabled);
    assert_eq!((origination.cps_limit, origination.max_calls), (100, 2000));
    assert_eq!(origination.first_response_timeout, Duration::from_secs(4));
    assert_eq!(origination.progress_timeout, Duration::from_secs(20));
    assert_eq!(origination.options_interval, Duration::from_secs(30));
    let route = &origination.route[0];
    assert_eq!((route.protocol, route.port), (Transport::Udp, None));
    assert_eq!((route.priority.value(), route.weight.value()), (1, 1));
    assert!(office.emergency[0].test_digits.is_empty() && office.emergency[0].test_routing_number.is_none());
    assert_eq!((office.logging.sip_messages, office.logging.media_metrics), (false, true));
    assert_eq!(office.recording, config::Recording::default());
    assert_eq!(office.recording.calls, config::Recorded::None);
    assert_eq!(office.siprec, config::Siprec::default());
    let off = config.connector("off").unwrap();
    assert!(!off.termination.enabled && !off.origination.enabled && off.emergency.is_empty());
    let encrypted = config.connector("encrypted").unwrap();
    assert_eq!(encrypted.origination.route[0].protocol, Transport::Tls);
    assert_eq!(config.group("g").unwrap().name, "g");
    assert_eq!(config.group("g").unwrap().members[0].priority.value(), 1);
    let entry = config.number("+12065550100").unwrap();
    assert_eq!((&entry.owner, &entry.calling_name), (&Owner::Connector("office".into()), &None));
}

#[test]
fn of_a_peer() {
    let config = config();
    let peer = &config.connector("office").unwrap().peer;
    assert_eq!((peer.srtp, peer.srtp_suites.as_slice()), (None, DEFAULT_SRTP_SUITES.as_slice()));
    assert_eq!(peer.srtp(false, Transport::Udp), Srtp::Off);
    assert_eq!(peer.srtp(false, Transport::Tcp), Srtp::Off);
    assert_eq!(peer.srtp(false, Transport::Tls), Srtp::Optional);
    assert_eq!(peer.srtp(true, Transport::Tls), Srtp::Required);
    assert_eq!(
        (peer.dtmf, peer.prack, peer.refer, peer.nat),
        (Dtmf::Rfc4733, Prack::Supported, Refer::Off, Nat::Auto)
    );
    assert_eq!((&peer.codecs, peer.session_timer, peer.udp_size_limit), (&None, None, None));
    assert!(!peer.symmetric && !peer.rtcp_mux && !peer.believe_identity && !peer.give_identity);
    assert!(peer.strip_headers.is_empty() && peer.add_headers.is_empty() && peer.pass_headers.is_none());
    assert_eq!(peer.registration, config::Registration::Off);
    assert_eq!(peer.contact, None);
    assert_eq!((&peer.ca, &peer.client_certificate, &peer.client_key), (&None, &None, &None));
}

#[test]
fn of_a_carrier() {
    let config = config();
    let all = config.carrier("all").unwrap();
    assert_eq!(all.prefixes.iter().map(|prefix| prefix.as_str()).collect::<Vec<_>>(), ["+"]);
    assert!(all.allowlist.is_empty() && all.countries.is_empty() && all.failover_on.is_empty());
    assert_eq!(all.progress_timeout, Duration::from_secs(20));
    assert_eq!((all.first_response_timeout.as_secs(), all.options_interval.as_secs()), (4, 30));
    assert_eq!(all.number_format, NumberFormat::E164);
    assert_eq!(all.inbound_number_format, NumberFormat::E164);
    assert_eq!(all.caller_id_format, NumberFormat::E164);
    assert_eq!((all.priority.value(), all.weight.value()), (1, 1));
    assert_eq!((all.cps_limit, all.max_calls, all.country), (None, None, None));
    assert!(all.outbound_proxy.is_none() && all.register.is_none() && all.credentials.is_none());
    let some = config.carrier("some").unwrap();
    assert!(some.prefixes.is_empty());
    assert_eq!(some.countries[0].as_str(), "GB");
}
