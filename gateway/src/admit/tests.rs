//! The table of the specification, row by row, and the laws behind it.

use std::net::IpAddr;

use config::E164;
use proptest::prelude::*;

use crate::direction::Direction;
use crate::peer::Transport;

use super::testing::{DOMAIN, call, config};
use super::*;

const OWNED: &str = "+12065550100";
const ABROAD: &str = "+12125550123";

fn admitted(facts: &Facts) -> Admitted {
    match admit(&config(), facts).outcome {
        Outcome::Admit(admitted) => *admitted,
        other => panic!("{other:?}"),
    }
}

/// Status, phrase and whether a record is written.
fn refused(facts: &Facts) -> (u16, String, bool) {
    let decision = admit(&config(), facts);
    let recorded = decision.is_recorded();
    match decision.outcome {
        Outcome::Refuse(refusal) => {
            let verdict = refusal.verdict();
            (verdict.status, verdict.phrase, recorded)
        }
        other => panic!("{other:?}"),
    }
}

fn at(mut facts: Facts, host: &str) -> Facts {
    facts.host = host.to_owned();
    facts
}

#[test]
fn every_cause_has_its_answer_its_words_and_its_record() {
    let anonymous = |asserted: &[&str]| {
        let mut facts = call("127.0.0.2", "anonymous", ABROAD);
        facts.asserted = asserted.iter().map(|user| (*user).to_owned()).collect();
        facts
    };
    let digest = |digest| Facts { digest, ..call("127.0.0.7", "+12065550104", ABROAD) };
    let tls = |media| Facts { transport: Transport::Tls, media, ..call("127.0.0.5", "+12065550105", ABROAD) };
    for (facts, status, phrase, recorded) in [
        // Source.
        (call("192.0.2.1", OWNED, ABROAD), 403, "Source 192.0.2.1 is not listed", false),
        (
            at(call("192.0.2.1", OWNED, ABROAD), "hq.vc.example.com"),
            403,
            "Source 192.0.2.1 is not listed",
            false,
        ),
        (
            at(call("127.0.0.7", OWNED, ABROAD), "hq.vc.example.com"),
            403,
            "Source 127.0.0.7 is not listed for voice connector hq",
            false,
        ),
        (
            at(call("127.0.0.2", OWNED, ABROAD), "nobody.vc.example.com"),
            404,
            "No voice connector at nobody.vc.example.com",
            false,
        ),
        (
            at(call("127.0.0.2", OWNED, ABROAD), "example.net"),
            404,
            "No voice connector at example.net",
            false,
        ),
        (
            call("127.0.0.9", "+12125550000", ABROAD),
            404,
            "Several voice connectors list 127.0.0.9, call one by its host name",
            false,
        ),
        // Off, or not encrypted.
        (call("127.0.0.8", OWNED, ABROAD), 403, "Termination is off for voice connector off", true),
        (call("127.0.0.8", OWNED, "911"), 403, "Termination is off for voice connector off", true),
        (call("127.0.0.5", OWNED, ABROAD), 403, "Voice connector locked takes TLS only, not udp", true),
        (tls(OfferedMedia::Plain), 488, "Voice connector locked takes SRTP only", true),
        // Digest.
        (digest(Digest::TooMany), 403, "Too many wrong credentials", true),
        // Emergency.
        (call("127.0.0.11", OWNED, "911"), 404, "No emergency entry for 911", true),
        (call("127.0.0.11", OWNED, "999"), 404, "No emergency entry for 999", true),
        (call("127.0.0.2", OWNED, "112"), 404, "No emergency entry for 112", true),
        (call("127.0.0.11", OWNED, "933"), 404, "No emergency entry for 933", true),
        // Not E.164.
        (call("127.0.0.2", OWNED, "999"), 484, "999 is not an E.164 number with +", true),
        (call("127.0.0.2", OWNED, "12125550123"), 484, "12125550123 is not an E.164 number with +", true),
        (call("127.0.0.2", OWNED, "1001"), 484, "1001 is not an E.164 number with +", true),
        (call("127.0.0.2", OWNED, ""), 484, "Nothing dialled is not an E.164 number with +", true),
        // Caller ID.
        (call("127.0.0.2", "+12125550000", ABROAD), 403, "Caller Id +12125550000 is not valid", true),
        (call("127.0.0.2", "+12065550101", ABROAD), 403, "Caller Id +12065550101 is not valid", true),
        (call("127.0.0.2", "12065550100", ABROAD), 403, "Caller Id 12065550100 is not valid", true),
        (call("127.0.0.2", "1001", ABROAD), 403, "Caller Id 1001 is not valid", true),
        (anonymous(&[]), 403, "Caller Id anonymous is not valid", true),
        (anonymous(&["+12125550000"]), 403, "Caller Id +12125550000 is not valid", true),
        // Calling plan.
        (
            call("127.0.0.2", OWNED, "+442079460958"),
            403,
            "GB is not in the calling plan: +442079460958",
            true,
        ),
        (call("127.0.0.2", OWNED, "+15555550123"), 403, "No country has the number +15555550123", true),
        (call("127.0.0.10", "x", "+4408712345678"), 403, "No country has the number +4408712345678", true),
        (call("127.0.0.2", OWNED, "+18765550123"), 403, "Prefix +1876 is denied: +18765550123", true),
        (
            call("127.0.0.2", OWNED, "+19005550123"),
            403,
            "Premium numbers are not allowed: +19005550123, premium rate",
            true,
        ),
        (
            call("127.0.0.10", "x", "+882123456789"),
            403,
            "Premium numbers are not allowed: +882123456789, +882 is a code of no country",
            true,
        ),
        // On-net, where the callee takes no calls.
        (call("127.0.0.2", OWNED, "+12065550102"), 403, "Origination is off for voice connector off", true),
        // From a carrier.
        (call("127.0.0.3", "+12125550000", ABROAD), 404, "Number +12125550123 is not assigned", false),
        (call("127.0.0.3", "+12125550000", "12065550100"), 404, "Number 12065550100 is not assigned", false),
        (call("127.0.0.3", "+12125550000", "911"), 404, "Number 911 is not assigned", false),
        (
            call("127.0.0.3", "+12125550000", "+12065550102"),
            403,
            "Origination is off for voice connector off",
            true,
        ),
        (
            call("127.0.0.3", "+12125550000", "+12065550198"),
            403,
            "Origination is off for voice connector off",
            true,
        ),
    ] {
        assert_eq!(refused(&facts), (status, phrase.to_owned(), recorded), "{facts:?}");
    }
}

#[test]
fn only_an_unlisted_source_is_met_with_silence() {
    let verdict = |facts: &Facts| match admit(&config(), facts).outcome {
        Outcome::Refuse(refusal) => refusal.verdict(),
        other => panic!("{other:?}"),
    };
    assert!(verdict(&call("192.0.2.1", OWNED, ABROAD)).silence);
    assert!(!verdict(&call("127.0.0.8", OWNED, ABROAD)).silence);
    let verdict = verdict(&call("127.0.0.2", "+12125550000", ABROAD));
    assert_eq!(verdict.reason(), "SIP;cause=403;text=\"Caller Id +12125550000 is not valid\"");
    assert_eq!(verdict.cause, "caller_id");
}

#[test]
fn an_ordinary_call_is_taken_with_its_steps() {
    let decision = admit(&config(), &call("127.0.0.2", OWNED, ABROAD));
    let steps: Vec<String> = decision.steps.iter().map(Step::to_string).collect();
    insta::assert_snapshot!(steps.join("\n"), @r"
    source: 127.0.0.2 over udp is listed for voice connector hq
    connector: Request-URI host vc.example.com is ours; the source means hq
    termination: on for hq
    signalling: udp; encryption is off
    media: plain RTP offered; encryption is off
    digest: no credentials are set; the allowlist alone admits
    emergency: +12125550123 are no emergency digits
    dialled: +12125550123 is E.164
    caller ID: +12065550100 of From is owned; the policy is owned
    calling plan: +12125550123 is US, in the calling plan
    denied prefixes: none matches
    premium: an ordinary number
    number: +12125550123 is not assigned here
    ");
    let Outcome::Admit(admitted) = decision.outcome else { panic!("{:?}", decision.outcome) };
    assert_eq!(admitted.direction, Direction::Outbound);
    assert_eq!(admitted.connector.as_str(), "hq");
    assert_eq!(admitted.number.as_str(), ABROAD);
    assert_eq!(admitted.destination, Destination::Carriers);
    assert_eq!(calling_name(&config(), &OWNED.parse().unwrap()), Some("Head office"));
    assert_eq!(calling_name(&config(), &"+12065550101".parse().unwrap()), Some("Example Inc"));
    assert_eq!(calling_name(&config(), &ABROAD.parse().unwrap()), None);
}

#[test]
fn the_connector_is_found_by_host_source_number_or_need() {
    for (facts, connector) in [
        (at(call("127.0.0.2", OWNED, ABROAD), "hq.vc.example.com"), "hq"),
        (at(call("127.0.0.2", OWNED, ABROAD), "HQ.VC.Example.com."), "hq"),
        (at(call("127.0.0.2", OWNED, ABROAD), "127.0.0.1"), "hq"),
        (at(call("127.0.0.2", OWNED, ABROAD), "[::1]"), "hq"),
        (at(call("127.0.0.2", OWNED, ABROAD), "localhost"), "hq"),
        (at(call("127.0.0.2", OWNED, ABROAD), ""), "hq"),
        (call("::ffff:127.0.0.2", OWNED, ABROAD), "hq"),
        (call("::2", OWNED, ABROAD), "hq"),
        (call("127.0.0.9", "+12065550103", ABROAD), "one"),
        (call("127.0.0.9", "+12065550101", ABROAD), "two"),
        (at(call("127.0.0.9", "+12065550101", ABROAD), "two.vc.example.com"), "two"),
        (call("127.0.0.9", "1001", "911"), "two"),
    ] {
        let admitted = admitted(&facts);
        assert_eq!(admitted.connector.as_str(), connector, "{facts:?}");
    }
}

#[test]
fn the_narrowest_network_names_the_carrier() {
    for (source, carrier) in [("10.2.0.1", "east"), ("10.1.0.1", "west"), ("127.0.0.3", "east")] {
        let identified = identify(&config(), &call(source, OWNED, ABROAD));
        match identified.outcome {
            Ok(Origin::Carrier(found)) => assert_eq!(found.name.as_str(), carrier),
            other => panic!("{source}: {other:?}"),
        }
    }
}

#[test]
fn credentials_hold_beside_the_allowlist() {
    let facts = |digest| Facts { digest, ..call("127.0.0.7", "+12065550104", ABROAD) };
    for (digest, stale) in [
        (Digest::NotAttempted, false),
        (Digest::Wrong, false),
        (Digest::Verified("somebody else".to_owned()), false),
        (Digest::Stale, true),
    ] {
        let decision = admit(&config(), &facts(digest));
        assert!(!decision.is_recorded());
        match decision.outcome {
            Outcome::Challenge(challenge) => {
                assert_eq!(challenge, Challenge { realm: DOMAIN.to_owned(), stale });
            }
            other => panic!("{other:?}"),
        }
    }
    let admitted = admitted(&facts(Digest::Verified("u".to_owned())));
    assert_eq!(admitted.digest_user.as_deref(), Some("u"));
    // Right credentials from a source that is not listed.
    let stranger = Facts { source: "192.0.2.7".parse().unwrap(), ..facts(Digest::Verified("u".to_owned())) };
    assert_eq!(refused(&at(stranger, "digest.vc.example.com")).0, 403);
}

#[test]
fn an_encrypted_connector_is_open_to_tls_and_srtp() {
    for media in [OfferedMedia::Srtp, OfferedMedia::None] {
        let facts = Facts { transport: Transport::Tls, media, ..call("127.0.0.5", "+12065550105", ABROAD) };
        assert_eq!(admitted(&facts).connector.as_str(), "locked");
    }
}

#[test]
fn emergency_digits_pass_all_that_follows() {
    for (source, from, digits, number, test, by) in [
        ("127.0.0.2", "1001", "911", "+15105550111", false, None),
        ("127.0.0.2", "anonymous", "911", "+15105550111", false, None),
        ("127.0.0.2", "+12125550000", "911", "+15105550111", false, Some("+12125550000")),
        ("127.0.0.2", OWNED, "911;phone-context=+1", "+15105550111", false, Some(OWNED)),
        ("127.0.0.2", OWNED, "933", "+15105550112", true, Some(OWNED)),
    ] {
        let admitted = admitted(&call(source, from, digits));
        let emergency = admitted.emergency.unwrap();
        assert_eq!((emergency.country.as_str(), emergency.test), ("US", test), "{from} {digits}");
        assert_eq!(admitted.number.as_str(), number);
        assert_eq!(admitted.dialled, digits[..3]);
        assert_eq!(admitted.destination, Destination::Carriers);
        assert_eq!(admitted.caller.number.as_ref().map(E164::as_str), by);
        assert!(!admitted.caller.private);
    }
}

#[test]
fn an_emergency_number_of_our_own_stays_on_net() {
    let admitted = admitted(&at(call("127.0.0.9", "1001", "911"), "two.vc.example.com"));
    assert_eq!(admitted.destination, Destination::Connectors(vec!["two".into()]));
}

#[test]
fn caller_ids_go_by_policy() {
    let with = |source: &str, from: &str, diversion: &str, asserted: &str, host: &str| {
        let mut facts = at(call(source, from, ABROAD), host);
        facts.diversion = Some(diversion.to_owned()).filter(|user| !user.is_empty()).into_iter().collect();
        facts.asserted = Some(asserted.to_owned()).filter(|user| !user.is_empty()).into_iter().collect();
        facts
    };
    let two = "two.vc.example.com";
    let foreign = "+12125550000";
    let member = "+12065550199";
    for (facts, caller, private, by) in [
        // Owned, by the connector and by its group.
        (with("127.0.0.2", OWNED, "", "", DOMAIN), OWNED, false, CallerSource::From),
        (with("127.0.0.2", member, "", "", DOMAIN), member, false, CallerSource::From),
        (with("127.0.0.2", "+1-206-555-0100", "", "", DOMAIN), OWNED, false, CallerSource::From),
        (with("127.0.0.2", "anonymous", "", OWNED, DOMAIN), OWNED, true, CallerSource::PAssertedIdentity),
        (with("127.0.0.2", "", "", OWNED, DOMAIN), OWNED, true, CallerSource::PAssertedIdentity),
        // Replaced.
        (with("127.0.0.10", foreign, "", "", DOMAIN), "+12065550107", false, CallerSource::Override),
        (with("127.0.0.10", "anonymous", "", "", DOMAIN), "+12065550107", true, CallerSource::Override),
        // Forwarded.
        (with("127.0.0.9", foreign, "+12065550101", "", two), foreign, false, CallerSource::From),
        (
            with("127.0.0.9", "anonymous", "+12065550101", "", two),
            "+12065550101",
            true,
            CallerSource::Diversion,
        ),
        (with("127.0.0.9", foreign, "", "+12065550101", two), foreign, false, CallerSource::From),
        // Owned by another header than From.
        (with("127.0.0.2", foreign, "", OWNED, DOMAIN), OWNED, false, CallerSource::PAssertedIdentity),
        (with("127.0.0.2", "200", "", OWNED, DOMAIN), OWNED, false, CallerSource::PAssertedIdentity),
        (with("127.0.0.2", OWNED, "", member, DOMAIN), member, false, CallerSource::PAssertedIdentity),
        // Any.
        (with("127.0.0.11", foreign, "", "", DOMAIN), foreign, false, CallerSource::From),
        (with("127.0.0.11", foreign, "", OWNED, DOMAIN), foreign, false, CallerSource::From),
        (
            with("127.0.0.11", "anonymous", "", foreign, DOMAIN),
            foreign,
            true,
            CallerSource::PAssertedIdentity,
        ),
    ] {
        let found = admitted(&facts).caller;
        assert_eq!(found.number.as_ref().map(E164::as_str), Some(caller), "{facts:?}");
        assert_eq!((found.private, found.by), (private, by), "{facts:?}");
    }
    for facts in [
        with("127.0.0.2", foreign, OWNED, "", DOMAIN),
        with("127.0.0.2", foreign, "", foreign, DOMAIN),
        with("127.0.0.9", foreign, "", "", two),
        with("127.0.0.9", foreign, OWNED, "", two),
        with("127.0.0.9", foreign, foreign, foreign, two),
        with("127.0.0.11", "anonymous", "", "1001", DOMAIN),
        with("127.0.0.11", "1001", "", "", DOMAIN),
    ] {
        let (status, phrase, _) = refused(&facts);
        assert_eq!(status, 403, "{facts:?}");
        assert!(phrase.starts_with("Caller Id ") && phrase.ends_with(" is not valid"), "{phrase}");
    }
}

/// Whoever is refused or taken can read where his number was looked for.
#[test]
fn every_place_that_names_the_caller_is_explained() {
    let lines = |facts: &Facts| {
        let decision = admit(&config(), facts);
        let lines: Vec<String> = decision.steps.iter().map(Step::to_string).collect();
        lines.into_iter().filter(|line| line.starts_with("caller ID")).collect::<Vec<_>>()
    };
    let mut facts = call("127.0.0.2", "200", ABROAD);
    facts.asserted = vec!["+12125550000".into()];
    facts.preferred = vec!["desk".into()];
    facts.remote_party = vec![OWNED.into()];
    assert_eq!(
        lines(&facts),
        [
            "caller ID: +12125550000 of P-Asserted-Identity is not owned; the policy is owned",
            "caller ID: desk of P-Preferred-Identity is not E.164 with +",
            "caller ID: +12065550100 of Remote-Party-ID is owned; the policy is owned",
        ]
    );
    facts.remote_party.clear();
    assert_eq!(lines(&facts).last().unwrap(), "caller ID: 200 of From is not E.164 with +");
    let mut forwarded = at(call("127.0.0.9", "+12125550000", ABROAD), "two.vc.example.com");
    forwarded.history = vec!["+12065550101".into(), ABROAD.into()];
    assert_eq!(
        lines(&forwarded),
        [
            "caller ID: +12125550000 of From is not owned, sent on by +12065550101 of History-Info; the policy is forwarded"
        ]
    );
    let two = admitted(&forwarded).caller;
    assert_eq!((two.number, two.asserted), ("+12125550000".parse().ok(), "+12065550101".parse().ok()));
}

#[test]
fn premium_numbers_need_their_name_and_their_country() {
    for number in ["+19005550123", "+881612345678"] {
        assert_eq!(admitted(&call("127.0.0.10", "x", number)).number.as_str(), number);
        assert_eq!(refused(&call("127.0.0.2", OWNED, number)).0, 403);
    }
    assert_eq!(refused(&call("127.0.0.10", "x", "+449098790000")).0, 403);
    assert_eq!(refused(&call("127.0.0.10", "x", "+499001234567")).0, 403);
}

#[test]
fn a_number_of_ours_is_called_straight() {
    let one = admitted(&call("127.0.0.10", "x", "+12065550100"));
    assert_eq!(one.destination, Destination::Connectors(vec!["hq".into()]));
    assert_eq!(one.connector.as_str(), "free");
    // A group's members by priority, less those that take no calls.
    let group = admitted(&call("127.0.0.10", "x", "+12065550199"));
    assert_eq!(group.destination, Destination::Connectors(vec!["hq".into(), "two".into()]));
}

#[test]
fn a_carriers_call_goes_to_the_owner_of_the_number() {
    for (source, from, user, asserted, number, caller) in [
        ("127.0.0.3", "+12125550000", "+12065550100", "", "+12065550100", Some("+12125550000")),
        ("127.0.0.3", "anonymous", "+12065550100", "+12125550000", "+12065550100", None),
        ("127.0.0.3", "12125550000", "+12065550100", "", "+12065550100", None),
        ("10.1.0.1", "2125550000", "2065550100", "", "+12065550100", Some("+12125550000")),
        ("10.1.0.1", "anonymous", "12065550100", "2125550000", "+12065550100", Some("+12125550000")),
        ("10.1.0.1", "011442079460958", "2065550100", "", "+12065550100", Some("+442079460958")),
    ] {
        let mut facts = call(source, from, user);
        facts.asserted = Some(asserted.to_owned()).filter(|user| !user.is_empty()).into_iter().collect();
        let admitted = admitted(&facts);
        assert_eq!(admitted.direction, Direction::Inbound);
        assert_eq!(admitted.connector.as_str(), "hq");
        assert_eq!(admitted.number.as_str(), number, "{facts:?}");
        assert_eq!(admitted.caller.number.as_ref().map(E164::as_str), caller, "{facts:?}");
    }
}

#[test]
fn a_target_handed_over_is_a_number_and_no_more() {
    let target = |connector: &str, from: &str, user: &str, diversion: &str| {
        let mut facts = call("192.0.2.1", from, user);
        facts.host = "evil.example.net".to_owned();
        facts.diversion = vec![diversion.to_owned()];
        admit_target(&config(), &connector.into(), &facts)
    };
    let refused = |decision: Decision| match decision.outcome {
        Outcome::Refuse(refusal) => refusal.verdict().status,
        other => panic!("{other:?}"),
    };
    // Sent on by a connector whose policy lets the foreign caller through, and by one whose does not.
    let taken = target("two", "+12125550000", ABROAD, "+12065550101");
    assert!(matches!(taken.outcome, Outcome::Admit(ref admitted) if admitted.connector.as_str() == "two"));
    assert_eq!(refused(target("hq", "+12125550000", ABROAD, OWNED)), 403);
    assert_eq!(refused(target("hq", OWNED, "+442079460958", OWNED)), 403);
    assert_eq!(refused(target("hq", OWNED, "bob", OWNED)), 484);
    assert_eq!(refused(target("off", OWNED, ABROAD, OWNED)), 403);
    assert_eq!(refused(target("nobody", OWNED, ABROAD, OWNED)), 404);
}

fn any_user() -> impl Strategy<Value = String> {
    prop_oneof![
        Just(OWNED.to_owned()),
        Just(ABROAD.to_owned()),
        Just("+12065550199".to_owned()),
        Just("anonymous".to_owned()),
        "[0-9]{2,4}",
        "\\+[1-9][0-9]{4,14}",
        "\\PC{0,20}",
    ]
}

fn any_facts() -> impl Strategy<Value = Facts> {
    let source = prop_oneof![
        (2u8..13).prop_map(|last| std::net::IpAddr::from([127, 0, 0, last])),
        any::<[u8; 4]>().prop_map(std::net::IpAddr::from),
        any::<[u8; 16]>().prop_map(std::net::IpAddr::from),
    ];
    let host = prop_oneof![
        Just(DOMAIN.to_owned()),
        "(hq|locked|digest|off|one|two|free|any|none)".prop_map(|id| format!("{id}.{DOMAIN}")),
        "\\PC{0,20}",
    ];
    let transport = prop_oneof![Just(Transport::Udp), Just(Transport::Tcp), Just(Transport::Tls)];
    let digest = prop_oneof![
        Just(Digest::NotAttempted),
        Just(Digest::Wrong),
        Just(Digest::Stale),
        Just(Digest::TooMany),
        Just(Digest::OtherTarget),
        "(u|v)".prop_map(Digest::Verified),
    ];
    let media = prop_oneof![Just(OfferedMedia::None), Just(OfferedMedia::Plain), Just(OfferedMedia::Srtp)];
    let users = || proptest::collection::vec(any_user(), 0..3);
    (source, host, transport, digest, media, any_user(), proptest::option::of(any_user()), users(), users())
        .prop_map(|(source, host, transport, digest, media, user, from, asserted, diversion)| Facts {
            from,
            asserted,
            diversion,
            digest,
            media,
            ..Facts::new(source, transport, host, user)
        })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    /// Whatever arrives, what is admitted holds every rule; the rules are written down here a second time, as
    /// laws about the result.
    #[test]
    fn nothing_is_admitted_against_the_rules(facts in any_facts()) {
        let config = config_once();
        let decision = admit(config, &facts);
        let address = facts.source.to_canonical();
        let connector = decision.connector.as_ref().and_then(|id| config.connector(id.as_str()));
        if let Outcome::Refuse(refusal) = &decision.outcome {
            prop_assert!(matches!(refusal.verdict().status, 403 | 404 | 484 | 488));
            prop_assert!(refusal.to_string().chars().all(|c| matches!(c, ' '..='~')));
            prop_assert!(!decision.steps.is_empty());
        }
        let Outcome::Admit(admitted) = &decision.outcome else { return Ok(()) };
        let connector = connector.unwrap();
        match &admitted.origin {
            Origin::Carrier(carrier) => {
                prop_assert!(carrier.allowlist.iter().any(|net| net.contains(&address)));
                prop_assert!(config.owns(&connector.id, admitted.number.as_str()));
                prop_assert!(connector.origination.enabled);
                prop_assert!(admitted.emergency.is_none());
            }
            Origin::Connector(from) => {
                let termination = &from.termination;
                prop_assert_eq!(&from.id, &connector.id);
                prop_assert!(termination.enabled);
                prop_assert!(termination.allowlist.iter().any(|net| net.contains(&address)));
                prop_assert!(!from.encryption || facts.transport == Transport::Tls);
                prop_assert!(!from.encryption || facts.media != OfferedMedia::Plain);
                prop_assert!(termination.credentials.is_empty() || facts.digest == Digest::Verified("u".into()));
                if admitted.emergency.is_none() {
                    let caller = admitted.caller.number.as_ref().unwrap();
                    let own = config.owns(&from.id, caller.as_str()) || termination.caller_id.as_ref() == Some(caller);
                    prop_assert!(own || termination.caller_id_policy != config::CallerIdPolicy::Owned);
                    let asserted = admitted.caller.asserted.as_ref().unwrap();
                    let own = config.owns(&from.id, asserted.as_str()) || termination.caller_id.as_ref() == Some(asserted);
                    prop_assert!(own || termination.caller_id_policy == config::CallerIdPolicy::Any);
                    let country = crate::number::country(&admitted.number);
                    prop_assert!(country.is_none_or(|country| termination.calling_plan.contains(&country)));
                    prop_assert!(!termination.denied_prefixes.iter().any(|prefix| prefix.matches(&admitted.number)));
                    let named = termination.allow_premium.iter().any(|prefix| prefix.matches(&admitted.number));
                    prop_assert!(named || (country.is_some() && crate::number::surcharge(&admitted.number, &admitted.plan).is_none()));
                }
            }
        }
        if let Destination::Connectors(connectors) = &admitted.destination {
            prop_assert!(!connectors.is_empty());
            for id in connectors {
                prop_assert!(config.connector(id.as_str()).unwrap().origination.enabled);
            }
        }
    }

    /// The first stage never says yes to what the whole would refuse by source, and the other way round.
    #[test]
    fn the_first_stage_is_the_beginning_of_the_whole(facts in any_facts()) {
        let config = config_once();
        let (first, whole) = (source(config, &facts), admit(config, &facts));
        prop_assert!(whole.steps.starts_with(&first.steps));
        if let Err(refusal) = first.outcome {
            prop_assert!(matches!(whole.outcome, Outcome::Refuse(other) if other == refusal));
        }
    }
}

fn config_once() -> &'static Config {
    static CONFIG: std::sync::OnceLock<Config> = std::sync::OnceLock::new();
    CONFIG.get_or_init(config)
}

#[test]
fn who_is_in_no_allowlist_is_a_stranger_and_nobody_else() {
    let config = config();
    let allowlists = Allowlists::new(&config);
    let (mut strangers, mut listed) = (0, 0);
    let networks = config.voice_connector.iter().flat_map(|item| item.termination.allowlist.iter());
    let networks = networks.chain(config.carrier.iter().flat_map(|item| item.allowlist.iter()));
    let inside: Vec<IpAddr> = networks.flat_map(|network| [network.network(), network.broadcast()]).collect();
    let beside = |address: IpAddr| match address {
        IpAddr::V4(v4) => IpAddr::from((v4.to_bits() ^ 0x100).to_be_bytes()),
        IpAddr::V6(v6) => IpAddr::from((v6.to_bits() ^ (1 << 80)).to_be_bytes()),
    };
    for address in inside.iter().flat_map(|address| [*address, beside(*address)]) {
        let outcome = identify(&config, &Facts::new(address, Transport::Udp, "", "")).outcome;
        let stranger = matches!(outcome, Err(Refusal::UnknownSource { .. }));
        assert_eq!(allowlists.hold(address), !stranger, "{address}");
        strangers += usize::from(stranger);
        listed += usize::from(!stranger);
    }
    assert!(strangers > 2 && listed > 2);
}
