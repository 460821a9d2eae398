//! Plans, from carriers and connectors of one configuration.

use std::collections::HashMap;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use config::{Config, E164};
use proptest::prelude::*;

use crate::admit::testing::{call, config};
use crate::admit::{Admitted, Outcome, admit};
use crate::peer::Transport;
use crate::registrar::Registrar;

use super::*;

fn config_once() -> &'static Config {
    static CONFIG: OnceLock<Config> = OnceLock::new();
    CONFIG.get_or_init(config)
}

fn admitted(source: &str, from: &str, user: &str) -> Admitted {
    match admit(config_once(), &call(source, from, user)).outcome {
        Outcome::Admit(admitted) => *admitted,
        other => panic!("{other:?}"),
    }
}

fn plan(health: &Health, admitted: &Admitted, draw: u64) -> Plan {
    route(
        config_once(),
        health,
        &RouteFacts { admitted, draw, now: Instant::now(), registrar: &Registrar::default() },
    )
}

fn hosts(health: &Health, admitted: &Admitted, draw: u64) -> Vec<String> {
    let attempts = plan(health, admitted, draw).attempts.unwrap();
    attempts.iter().map(|attempt| attempt.lookup.host.to_string()).collect()
}

fn dead(health: &mut Health, address: &str, transport: Transport) {
    let host = HostKey { address: address.parse().unwrap(), transport };
    health.handle_probe(Instant::now(), host, ProbeResult::Silence);
}

#[test]
fn carriers_go_by_longest_prefix_and_then_by_the_next_shorter() {
    let health = Health::new();
    for (number, expected) in [
        // west by +1206, then east by +1.
        ("+12065550123", vec!["127.0.0.6", "127.0.0.3", "127.0.1.3"]),
        // britain by +447, then east by +.
        ("+447912345678", vec!["127.0.0.12", "127.0.0.3", "127.0.1.3"]),
        // britain by its country's +44.
        ("+442079460958", vec!["127.0.0.12", "127.0.0.3", "127.0.1.3"]),
    ] {
        for draw in 0..20 {
            assert_eq!(hosts(&health, &admitted("127.0.0.10", "x", number), draw), expected, "{number}");
        }
    }
}

#[test]
fn a_country_takes_its_own_numbers_and_not_its_neighbours() {
    let text = r#"
[[listen]]
address = "127.0.0.1:5060"
[[voice_connector]]
id = "a"
[voice_connector.termination]
allowlist = ["127.0.0.2"]
calling_plan = ["US", "CA", "JM", "KZ", "RU"]
caller_id_policy = "any"
[[carrier]]
name = "states"
countries = ["US"]
[[carrier.host]]
host = "192.0.2.1"
[[carrier]]
name = "jamaica"
countries = ["JM"]
[[carrier.host]]
host = "192.0.2.2"
[[carrier]]
name = "kazakhstan"
countries = ["KZ"]
[[carrier.host]]
host = "192.0.2.3"
"#;
    let config = Config::parse(text, std::path::Path::new("t.toml")).unwrap().0;
    for (number, expected) in [
        ("+12125550123", Some("states")),
        ("+16045550123", None),
        ("+18765550123", Some("jamaica")),
        ("+77012345678", Some("kazakhstan")),
        ("+79161234567", None),
    ] {
        let mut facts = call("127.0.0.2", "+12125550000", number);
        facts.host = "127.0.0.1".into();
        let Outcome::Admit(admitted) = admit(&config, &facts).outcome else { panic!("{number}") };
        let registrar = Registrar::default();
        let facts = RouteFacts { admitted: &admitted, draw: 1, now: Instant::now(), registrar: &registrar };
        match (route(&config, &Health::new(), &facts).attempts, expected) {
            (Ok(attempts), Some(name)) => assert_eq!(attempts[0].via.name(), name),
            (Err(refusal), None) => assert_eq!(refusal.to_string(), format!("No carrier for {number}")),
            (attempts, _) => panic!("{number}: {attempts:?}"),
        }
    }
}

#[test]
fn carriers_of_one_prefix_share_by_weight() {
    let health = Health::new();
    let admitted = admitted("127.0.0.10", "x", "+12125550123");
    for calls in [1_000u64, 10_000] {
        let mut first: HashMap<String, f64> = HashMap::new();
        for draw in 0..calls {
            let name = plan(&health, &admitted, draw).attempts.unwrap()[0].via.name().to_owned();
            *first.entry(name).or_default() += 100.0 / calls as f64;
        }
        // west has weight 3, east 1; both match by +1.
        assert!((first["west"] - 75.0).abs() < 5.0 && (first["east"] - 25.0).abs() < 5.0, "{first:?}");
    }
}

#[test]
fn a_connectors_routes_share_by_weight_within_a_priority() {
    let health = Health::new();
    let admitted = admitted("127.0.0.3", "+12125550000", "+12065550100");
    for calls in [1_000u64, 10_000] {
        let mut first: HashMap<String, f64> = HashMap::new();
        for draw in 0..calls {
            let hosts = hosts(&health, &admitted, draw);
            assert_eq!(hosts[2], "pbx.example.com");
            *first.entry(hosts[0].clone()).or_default() += 100.0 / calls as f64;
        }
        assert!(
            (first["127.0.0.2"] - 75.0).abs() < 5.0 && (first["127.0.0.4"] - 25.0).abs() < 5.0,
            "{first:?}"
        );
    }
}

#[test]
fn a_group_is_called_by_priority_and_each_attempt_names_its_connector() {
    let admitted = admitted("127.0.0.3", "+12125550000", "+12065550199");
    let attempts = plan(&Health::new(), &admitted, 7).attempts.unwrap();
    let connectors: Vec<&str> =
        attempts.iter().map(|attempt| attempt.via.connector().unwrap().as_str()).collect();
    assert_eq!(connectors, ["hq", "hq", "hq", "two"]);
    assert_eq!(attempts[0].first_response_timeout(), Duration::from_secs(2));
    assert_eq!(attempts[3].first_response_timeout(), Duration::from_secs(4));
    assert_eq!(attempts[2].lookup.port, None);
    assert!(
        attempts.iter().all(|attempt| attempt.number == "+12065550199" && attempt.failover_on().is_empty())
    );
}

#[test]
fn hosts_that_do_not_answer_come_last_rather_than_never() {
    let mut health = Health::new();
    let outbound = admitted("127.0.0.10", "x", "+12065550123");
    dead(&mut health, "127.0.0.6:5060", Transport::Udp);
    assert_eq!(hosts(&health, &outbound, 1)[0], "127.0.0.6", "another transport says nothing");
    dead(&mut health, "127.0.0.6:5060", Transport::Tcp);
    assert_eq!(hosts(&health, &outbound, 1), ["127.0.0.3", "127.0.1.3", "127.0.0.6"]);
    dead(&mut health, "127.0.0.3:5060", Transport::Udp);
    dead(&mut health, "127.0.1.3:5060", Transport::Udp);
    assert_eq!(hosts(&health, &outbound, 1), ["127.0.0.6", "127.0.0.3", "127.0.1.3"]);

    // Across a group: the second member's live host before the first's dead ones.
    let inbound = admitted("127.0.0.3", "+12125550000", "+12065550199");
    dead(&mut health, "127.0.0.2:5070", Transport::Udp);
    dead(&mut health, "127.0.0.4:5070", Transport::Tcp);
    let order = hosts(&health, &inbound, 1);
    assert_eq!(order[..2], ["pbx.example.com", "127.0.0.9"]);
    assert_eq!(order.len(), 4);
}

#[test]
fn an_emergency_call_tries_every_carrier_whatever_its_prefix_and_health() {
    let mut health = Health::new();
    dead(&mut health, "127.0.0.3:5060", Transport::Udp);
    dead(&mut health, "127.0.0.6:5060", Transport::Tcp);
    let call = admitted("127.0.0.2", "1001", "911");
    for draw in 0..20 {
        let order = hosts(&health, &call, draw);
        let mut sorted = order.clone();
        sorted.sort();
        assert_eq!(sorted, ["127.0.0.12", "127.0.0.3", "127.0.0.6", "127.0.1.3"]);
        assert_eq!(order[3], "127.0.0.12", "the one whose prefix does not match comes last");
    }
    let attempts = plan(&health, &call, 1).attempts.unwrap();
    let west = attempts.iter().find(|attempt| attempt.via.name() == "west").unwrap();
    assert_eq!(west.number, "15105550111");
    assert_eq!(west.caller, "1001");
}

#[test]
fn a_desk_of_our_own_is_tried_before_the_carriers() {
    let mut facts = call("127.0.0.9", "1001", "911");
    facts.host = "two.vc.example.com".into();
    let Outcome::Admit(admitted) = admit(config_once(), &facts).outcome else { panic!() };
    let attempts = plan(&Health::new(), &admitted, 1).attempts.unwrap();
    assert_eq!(attempts[0].via.name(), "two");
    assert_eq!(attempts.len(), 5);
}

#[test]
fn termination_carriers_leaves_the_others_out() {
    let admitted = admitted("127.0.0.9", "+12065550103", "+12125550123");
    let plan = plan(&Health::new(), &admitted, 1);
    let attempts = plan.attempts.unwrap();
    assert!(attempts.iter().all(|attempt| attempt.via.name() == "west"));
    let steps: Vec<String> = plan.steps.iter().map(ToString::to_string).collect();
    assert_eq!(
        steps,
        [
            "carrier: east is left out by termination.carriers",
            "carrier: west takes it by 1 digit",
            "carrier: britain is left out by termination.carriers",
            "route: carrier west at 127.0.0.6 over tcp as 12125550123, from 2065550103",
        ]
    );
}

#[test]
fn each_carrier_gets_numbers_in_its_own_writing() {
    let mut call = admitted("127.0.0.10", "x", "+12125550123");
    let written = |call: &Admitted, name: &str| {
        let attempts = plan(&Health::new(), call, 1).attempts.unwrap();
        let attempt = attempts.into_iter().find(|attempt| attempt.via.name() == name).unwrap();
        (attempt.number, attempt.caller)
    };
    assert_eq!(written(&call, "east"), ("+12125550123".to_owned(), "+12065550107".to_owned()));
    assert_eq!(written(&call, "west"), ("12125550123".to_owned(), "2065550107".to_owned()));
    call.caller.number = "+442079460958".parse().ok();
    assert_eq!(written(&call, "west").1, "011442079460958");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    /// Every plan names each host once, live hosts first, and the same draw gives the same plan.
    #[test]
    fn plans_keep_their_laws(draw: u64, digits in "[2-9][0-9]{9}", down in proptest::collection::vec(0usize..4, 0..4)) {
        let number: E164 = format!("+1{digits}").parse().unwrap();
        let mut call = admitted("127.0.0.10", "x", "+12125550123");
        call.number = number;
        let mut health = Health::new();
        for host in down {
            let (address, transport) = [
                ("127.0.0.3:5060", Transport::Udp),
                ("127.0.1.3:5060", Transport::Udp),
                ("127.0.0.6:5060", Transport::Tcp),
                ("127.0.0.12:5060", Transport::Udp),
            ][host];
            dead(&mut health, address, transport);
        }
        let attempts = plan(&health, &call, draw).attempts.unwrap();
        let order: Vec<_> = attempts.iter().map(|attempt| attempt.lookup.clone()).collect();
        let unique: std::collections::HashSet<_> = order.iter().collect();
        prop_assert_eq!(unique.len(), order.len());
        prop_assert!(attempts.is_sorted_by_key(|attempt| !attempt.usable));
        let again: Vec<_> = plan(&health, &call, draw).attempts.unwrap().into_iter().map(|attempt| attempt.lookup).collect();
        prop_assert_eq!(order, again);
    }
}

/// A connector whose customer registers and has no route: nobody is there, and that is no trouble of the trunk.
#[test]
fn a_number_that_nobody_has_registered_for_is_unavailable() {
    let text = r#"
listen = [{ address = "192.0.2.10" }]
[[voice_connector]]
id = "office"
origination = { }
peer = { registration = true }
termination = { credentials = [{ username = "u", password = "p" }] }
[[phone_number]]
number = "+12065550100"
voice_connector = "office"
[[carrier]]
name = "far"
prefixes = []
allowlist = ["127.0.0.3"]
"#;
    let (config, _) = Config::parse(text, std::path::Path::new("f.toml")).unwrap();
    let Outcome::Admit(admitted) = admit(&config, &call("127.0.0.3", "+12125550000", "+12065550100")).outcome
    else {
        panic!()
    };
    let registrar = Registrar::default();
    registrar.configure(&config);
    let facts = RouteFacts { admitted: &admitted, draw: 1, now: Instant::now(), registrar: &registrar };
    let refusal = route(&config, &Health::new(), &facts).attempts.unwrap_err();
    assert_eq!(
        (refusal.verdict().status, refusal.to_string().as_str()),
        (480, "Nobody has registered for +12065550100")
    );
}
