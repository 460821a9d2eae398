//! Every key that this version can act upon reaches its field.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test")]

use std::path::{Path, PathBuf};
use std::time::Duration;

use config::{
    CallerIdPolicy, ChallengeStatus, Config, DigestAlgorithm, Durability, Encryption, HepTransport,
    IdentityHeader, Nat, NatsLogin, NumberFormat, NumberRole, Owner, Privacy, Proof, RecordClass,
    RuleDirection, Secret, SinkKind, Srtp, Transport, VoiceConnector,
};

fn config() -> Config {
    let parsed = Config::parse(include_str!("everything.toml"), Path::new("etc/f.toml"));
    parsed.map_err(|errors| errors.to_string()).unwrap().0
}

fn texts<T: ToString>(values: &[T]) -> Vec<String> {
    values.iter().map(ToString::to_string).collect()
}

#[test]
fn the_gateway() {
    let config = config();
    let gateway = &config.gateway;
    assert_eq!((gateway.region.as_str(), gateway.account.as_deref()), ("eu-central-1", Some("111122223333")));
    assert_eq!((gateway.domain.as_str(), gateway.realm.as_str()), ("trunks.example.com", "trunks"));
    assert!(gateway.mask_numbers);
    assert_eq!(gateway.default_calling_name.as_ref().unwrap().as_str(), "Example Inc");
    assert_eq!(gateway.phone_numbers, Some(PathBuf::from("etc/numbers.csv")));
    let listen: Vec<_> = config
        .listen
        .iter()
        .map(|listen| format!("{} {} {}", listen.protocol, listen.address, listen.advertised()))
        .collect();
    assert_eq!(
        listen,
        [
            "udp 10.0.0.1:5070 203.0.113.10:5060",
            "tcp [::]:5070 [2001:db8::10]:5060",
            "tls 10.0.0.1:5061 10.0.0.1:5061",
        ]
    );
    assert_eq!(texts(&config.listen[2].client_names), ["sip.carrier.example", "203.0.113.130"]);
    let networks: Vec<_> = config.listen.iter().filter_map(|listen| listen.network.as_ref()).collect();
    assert_eq!(texts(&networks), ["outside", "outside", "inside"]);
    let inside = &config.network[1];
    assert_eq!((inside.name.as_str(), texts(&inside.local)), ("inside", texts(&["10.0.0.0/8", "fd00::/8"])));
    assert_eq!(texts(&inside.media_address), ["10.0.0.2", "fd00::2"]);
    assert!(config.network[0].local.is_empty() && config.network[0].media_address.is_empty());
    let certificate = &config.listen[2].certificates[0];
    assert_eq!(certificate.certificate, PathBuf::from("etc/tls/gateway.pem"));
    assert_eq!(certificate.key, PathBuf::from("/etc/tls/gateway.key"));
    assert_eq!(texts(&config.media.address), ["10.0.0.1", "::"]);
    assert_eq!(config.media.advertised("::".parse().unwrap()).to_string(), "2001:db8::10");
    assert_eq!((config.media.ports.first(), config.media.ports.last()), (16384, 32767));
    assert_eq!(config.media.inactivity_timeout, Duration::from_secs(90));
    assert_eq!(config.media.hold_timeout, Duration::from_secs(5400));
    assert_eq!(config.media.emergency_ports, 40);
    assert_eq!(config.records.directory, PathBuf::from("/var/lib/records"));
    assert_eq!(config.records.journal_limit, 64 << 20);
    assert_eq!(config.records.durability, Durability::Disk);
    assert_eq!(config.admin.address.to_string(), "0.0.0.0:9091");
    assert!(matches!(&config.admin.token, Some(Secret::Env(name)) if name == "ADMIN_TOKEN"));
    let api = config.api.as_ref().unwrap();
    assert_eq!((api.address.to_string().as_str(), api.base_path.as_str()), ("0.0.0.0:8443", "/chime/v1"));
    assert_eq!(api.certificate.as_ref().unwrap().key, PathBuf::from("etc/tls/api.key"));
    assert_eq!((api.directory.as_path(), api.rate, api.audit_reads), (Path::new("/var/lib/api"), 20, true));
    assert_eq!(api.number_pool.as_deref(), Some(Path::new("etc/pool.csv")));
    assert!(api.console);
}

#[test]
fn a_connector() {
    let config = config();
    let office: &VoiceConnector = config.connector("office").unwrap();
    assert_eq!((office.name.as_str(), office.encryption), ("Head office", false));
    let termination = &office.termination;
    assert!(termination.enabled);
    assert_eq!(texts(&termination.allowlist), ["192.0.2.0/24", "2001:db8:1::/48", "198.51.100.7/32"]);
    assert_eq!(texts(&termination.calling_plan), ["US", "GB"]);
    assert_eq!(texts(&termination.denied_prefixes), ["+1876"]);
    assert_eq!(texts(&termination.allow_premium), ["+1900"]);
    assert_eq!(termination.caller_id_policy, CallerIdPolicy::Forwarded);
    assert_eq!(termination.identity_header, IdentityHeader::RemotePartyId);
    assert_eq!(texts(termination.carriers.as_ref().unwrap()), ["carrier-a"]);
    assert_eq!(termination.max_duration, Duration::from_secs(4 * 3600));
    assert_eq!((termination.cps_limit, termination.max_calls), (10, 50));
    assert_eq!(termination.caller_id.as_ref().unwrap().digits(), "12065550100");
    assert_eq!(termination.challenge, ChallengeStatus::Unauthorized);
    assert_eq!(termination.digest_algorithms, [DigestAlgorithm::Sha256, DigestAlgorithm::Md5]);
    let credentials = &termination.credentials;
    assert_eq!(credentials.iter().map(|user| user.username.as_str()).collect::<Vec<_>>(), ["u", "v", "w"]);
    assert!(matches!(credentials[0].proof, Proof::Password(Secret::Literal(_))));
    assert!(matches!(credentials[1].proof, Proof::Ha1(Secret::Literal(_))));
    assert!(
        matches!(&credentials[2].proof, Proof::Password(Secret::File(path)) if *path == Path::new("etc/secrets/w"))
    );
    let origination = &office.origination;
    assert!(origination.enabled);
    assert_eq!((origination.cps_limit, origination.max_calls), (11, 51));
    assert_eq!(origination.first_response_timeout, Duration::from_millis(2500));
    assert_eq!(origination.progress_timeout, Duration::from_secs(30));
    assert_eq!(origination.options_interval, Duration::ZERO);
    assert_eq!(texts(office.country.as_slice()), ["DE"]);
    let formats = [termination.number_format, termination.caller_id_format];
    assert_eq!(formats, [NumberFormat::National, NumberFormat::International]);
    let formats = [origination.number_format, origination.caller_id_format];
    assert_eq!(formats, [NumberFormat::NationalWithoutTrunk; 2]);
    assert_eq!(origination.extension_digits, Some(4));
    let routes: Vec<_> = origination
        .route
        .iter()
        .map(|route| {
            format!("{} {:?} {} {} {}", route.host, route.port, route.protocol, route.priority, route.weight)
        })
        .collect();
    assert_eq!(
        routes,
        ["192.0.2.20 Some(5070) tcp 2 30", "pbx.example.com None udp 1 1", "[2001:db8::20] None tls 1 1"]
    );
    let told = &origination.route[1];
    assert_eq!((told.user.as_deref(), told.to_user.as_deref()), (Some("proj abc"), Some("desk")));
    assert_eq!(told.uri_parameters.to_string(), ";user=phone;x");
    let emergency = &office.emergency[0];
    assert_eq!(emergency.country.as_str(), "US");
    assert_eq!(
        (emergency.digits.as_slice(), emergency.test_digits.as_slice()),
        (&["911".into()][..], &["933".into()][..])
    );
    assert_eq!(emergency.routing_number.as_str(), "+15105550111");
    assert_eq!(emergency.test_routing_number.as_ref().unwrap().as_str(), "+15105550112");
    assert_eq!((office.logging.sip_messages, office.logging.media_metrics), (true, false));
    let recording = config::Recording {
        calls: config::Recorded::All,
        rate: config::SampleRate::Wide,
        retention: Some(Duration::from_secs(30 * 86_400)),
        on_failure: config::OnFailure::Refuse,
    };
    assert_eq!(office.recording, recording);
    assert!(office.siprec.accept && office.siprec.on_failure == config::OnFailure::Refuse);
    let servers: Vec<_> = office.siprec.server.iter().map(|server| server.host.to_string()).collect();
    assert_eq!(servers, ["recorder.example.com", "192.0.2.71"]);
    let [sink, bot] = office.streaming.sinks.as_slice() else { panic!("two sinks") };
    let config::StreamingKind::WebSocket(socket) = &bot.kind else { panic!("{bot:?}") };
    assert_eq!(
        (socket.servers[0].as_str(), bot.kept),
        ("https://bot.example.com/calls", Duration::from_secs(5))
    );
    assert!(matches!((socket.format, &socket.secret), (config::StreamFormat::Stereo, Some(Secret::Env(_)))));
    assert_eq!((sink.name.as_str(), sink.kept), ("transcriber", Duration::from_secs(60)));
    assert_eq!(sink.ca, Some(PathBuf::from("etc/tls/kinesis.pem")));
    let config::StreamingKind::Kinesis(kinesis) = &sink.kind else { panic!("{sink:?}") };
    assert_eq!((kinesis.region.as_str(), kinesis.endpoints.len()), ("eu-central-1", 2));
    assert_eq!(kinesis.endpoints[0].as_str(), "https://kinesis-1.example.com");
    assert!(matches!(&kinesis.keys, Some((id, Secret::Env(_))) if id == "AKIDEXAMPLE"));
    assert_eq!((kinesis.retention_hours, kinesis.streams), (24, 200));
    assert_eq!(kinesis.fragment, Duration::from_secs(2));
    let branch = config.connector("branch").unwrap();
    assert!(branch.encryption && branch.termination.enabled && !branch.origination.enabled);
}

#[test]
fn a_peer() {
    let config = config();
    let peer = &config.connector("office").unwrap().peer;
    assert_eq!((peer.srtp, peer.srtp(true, Transport::Tls)), (Some(Srtp::Off), Srtp::Off));
    assert_eq!(peer.codecs.as_deref(), Some(&["PCMA".into(), "opus".into()][..]));
    assert_eq!(peer.nat, Nat::Always);
    assert!(peer.symmetric && peer.rtcp_mux && peer.believe_identity && !peer.give_identity);
    assert_eq!(peer.pass_headers.as_deref(), Some(&["x-*".to_owned(), "acme-token".to_owned()][..]));
    assert_eq!(peer.strip_headers, ["X-Internal"]);
    assert_eq!(peer.add_headers, [("X-Site".into(), "hq".into()), ("X-Area".into(), "1".into())]);
    assert_eq!(peer.udp_size_limit, Some(1300));
    assert_eq!(peer.contact.as_ref().unwrap().to_string(), "sbc.example.com:5071");
    assert_eq!(config.carrier("carrier-a").unwrap().peer.nat, Nat::Never);
    assert_eq!(config.carrier("carrier-a").unwrap().peer.from_user.as_deref(), Some("trunk77"));
    assert_eq!(texts(peer.from_domain.as_slice()), ["trunk.example.net"]);
    assert!(peer.user_phone && peer.privacy == Privacy::Domain);
    assert_eq!(texts(&peer.number_rules), ["9* -> *", "+49* -> 0*"]);
    let numbers: Vec<_> = peer.number_rules.iter().map(|rule| (rule.direction, rule.number)).collect();
    assert_eq!(numbers, [(RuleDirection::From, Some(NumberRole::Called)), (RuleDirection::To, None)]);
    let headers = ["Diversion is removed", "X-Trunk is set to 7", "Organization: Old * -> New *"];
    assert_eq!(texts(&peer.header_rules), headers);
    assert_eq!(texts(&peer.response_rules), ["603 -> 486"]);
}

#[test]
fn a_carrier() {
    let config = config();
    let carrier = config.carrier("carrier-a").unwrap();
    assert_eq!(texts(&carrier.allowlist), ["203.0.113.128/25"]);
    assert_eq!(texts(&carrier.prefixes), ["+44", "+1"]);
    assert_eq!(texts(&carrier.countries), ["DE"]);
    assert_eq!((carrier.number_format, carrier.country.unwrap().as_str()), (NumberFormat::National, "US"));
    assert_eq!(carrier.inbound_number_format, NumberFormat::E164WithoutPlus);
    assert_eq!(carrier.caller_id_format, NumberFormat::National);
    assert_eq!((carrier.priority.value(), carrier.weight.value()), (3, 40));
    assert_eq!((carrier.cps_limit, carrier.max_calls), (Some(5), Some(6)));
    assert_eq!(carrier.progress_timeout, Duration::from_secs(15));
    assert_eq!(carrier.failover_on, [404, 606]);
    assert_eq!((carrier.first_response_timeout.as_secs(), carrier.options_interval.as_secs()), (2, 0));
    let credentials = carrier.credentials.as_ref().unwrap();
    assert_eq!(credentials.username, "trunk");
    assert!(matches!(&credentials.proof, Proof::Password(Secret::Env(name)) if name == "CARRIER_PASSWORD"));
    assert_eq!((carrier.host[0].port, carrier.host[0].weight.value()), (Some(5080), 2));
    let proxy = carrier.outbound_proxy.as_ref().unwrap();
    assert_eq!(
        (proxy.host.to_string().as_str(), proxy.port, proxy.protocol),
        ("[2001:db8::30]", Some(5070), Transport::Tcp)
    );
    let inbound = config.carrier("inbound-only").unwrap();
    assert!(inbound.prefixes.is_empty() && inbound.host.is_empty());
}

#[test]
fn what_refers_to_each_other_is_found() {
    let config = config();
    let group = config.group("main").unwrap();
    let members: Vec<_> = group.members.iter().map(|member| member.voice_connector.as_str()).collect();
    assert_eq!((group.name.as_str(), members), ("Main number", vec!["office", "branch"]));
    let entry = config.number("+12065550199").unwrap();
    assert_eq!(entry.owner, Owner::Group("main".into()));
    let entry = config.number("+12065550100").unwrap();
    assert_eq!(entry.calling_name.as_ref().unwrap().as_str(), "Office");
    assert!(config.owns(&"branch".into(), "+12065550199") && !config.owns(&"branch".into(), "+12065550100"));
    for (host, id) in [
        ("office.trunks.example.com", Some("office")),
        ("OFFICE.Trunks.Example.COM.", Some("office")),
        ("trunks.example.com", None),
        ("nobody.trunks.example.com", None),
        ("office.example.com", None),
        ("office", None),
    ] {
        assert_eq!(config.connector_by_host(host).map(|connector| connector.id.as_str()), id, "{host}");
    }
    let ids = |address: &str| {
        config
            .connectors_at(address.parse().unwrap())
            .map(|connector| connector.id.as_str())
            .collect::<Vec<_>>()
    };
    assert_eq!(ids("192.0.2.9"), ["office", "branch"]);
    assert_eq!(ids("198.51.100.7"), ["office"]);
    assert_eq!(ids("203.0.113.130"), [""; 0]);
    let carrier =
        |address: &str| config.carrier_at(address.parse().unwrap()).map(|carrier| carrier.name.as_str());
    assert_eq!(carrier("203.0.113.129"), Some("carrier-a"));
    assert_eq!(carrier("203.0.113.130"), Some("inbound-only"));
    assert_eq!(carrier("192.0.2.9"), None);
}

#[test]
fn the_sinks_of_records() {
    let config = config();
    let [s3, webhook, nats] = config.records.sinks.as_slice() else { panic!("three sinks") };
    assert_eq!((s3.name.as_str(), s3.must_have), ("archive", true));
    assert_eq!((webhook.name.as_str(), webhook.must_have), ("billing", true));
    assert_eq!(
        (s3.records.as_slice(), webhook.records.as_slice()),
        (
            &[RecordClass::CallDetail, RecordClass::Quality, RecordClass::SipMessage][..],
            &[RecordClass::Call][..]
        )
    );
    let (SinkKind::S3(s3), SinkKind::Webhook(webhook)) = (&s3.kind, &webhook.kind) else { panic!() };
    assert_eq!(
        (s3.bucket.as_str(), s3.region.as_str(), s3.prefix.as_str()),
        ("call-records", "eu-central-1", "gateways/one/")
    );
    assert_eq!(s3.endpoint.as_ref().map(|url| url.as_str()), Some("https://s3.example.com"));
    let (access, secret) = s3.keys.as_ref().unwrap();
    assert!(access == "AKIAEXAMPLE" && matches!(secret, Secret::Env(name) if name == "S3_SECRET"));
    assert_eq!(s3.encryption, Some(Encryption::Kms("alias/records".to_owned())));
    assert!(s3.bucket_owner_full_control && !s3.path_style);
    assert_eq!(s3.ca, Some(PathBuf::from("etc/tls/s3.pem")));
    assert_eq!((webhook.url.as_str(), webhook.batch), ("https://billing.example.com/calls", 20));
    assert!(matches!(&webhook.secret, Secret::File(path) if path.ends_with("etc/webhook.key")));
    assert_eq!(webhook.ca, Some(PathBuf::from("etc/tls/billing.pem")));
    assert_eq!(
        (nats.name.as_str(), nats.must_have, nats.records.as_slice()),
        ("stream", true, &[RecordClass::Call][..])
    );
    let SinkKind::Nats(nats) = &nats.kind else { panic!() };
    let servers: Vec<String> = nats.servers.iter().map(ToString::to_string).collect();
    assert_eq!(servers, ["tls://a.nats.example.com:4222", "tls://b.nats.example.com:4223"]);
    assert_eq!(nats.subject.of("call", Some("office")), "calls.office.call");
    assert!(matches!(&nats.login, Some(NatsLogin::Nkey(Secret::Env(name))) if name == "NATS_SEED"));
    assert_eq!(nats.ca, Some(PathBuf::from("etc/tls/nats.pem")));
}

#[test]
fn the_collectors_of_what_crosses() {
    let [homer] = config().records.hep.try_into().unwrap();
    assert_eq!(
        (homer.name.as_str(), homer.address.to_string().as_str()),
        ("homer", "homer.example.com:9061")
    );
    assert_eq!((homer.transport, homer.capture_id), (HepTransport::Tcp, 7));
    assert!(matches!(&homer.password, Some(Secret::File(path)) if path.ends_with("etc/homer.key")));
}
