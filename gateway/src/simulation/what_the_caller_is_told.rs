//! No route takes the call: what the caller hears says why, and never who they were. 503 would be heard as "this trunk is
//! down" (RFC 3261 §16.7), which a failure of one carrier is not.

use sip::{Message, Method, Name};

use super::phone::CHALLENGE;
use super::trunk::{OUTSIDE, PBX, Trunk, everywhere, everywhere_with, over_udp};
use crate::direction::Direction;

/// How a carrier fails.
enum Fails {
    Answers(u16, &'static [(&'static str, &'static str)]),
    Refuses,
    Swallows,
}

/// Both carriers fail so; the answer that the caller hears.
fn told(trunk: &mut Trunk, fails: &Fails) -> Message {
    let phones = [trunk.east, trunk.west];
    for phone in phones {
        let address = trunk.world.phones[phone.0].address;
        match fails {
            Fails::Answers(..) => {}
            Fails::Refuses => drop(trunk.world.dead.insert(address, true)),
            Fails::Swallows => drop(trunk.world.dead.insert(address, false)),
        }
    }
    let a = trunk.dial(trunk.pbx, OUTSIDE);
    for phone in phones {
        trunk.run(0.5);
        if let Fails::Answers(status, headers) = fails
            && trunk.received(phone) > 0
        {
            let b = trunk.incoming(phone);
            trunk.respond_with(b, *status, headers);
        }
    }
    trunk.run(10.0);
    let heard = trunk.call(a).heard.last().unwrap().clone();
    assert_no_address(&heard);
    heard
}

/// Nothing that a person may read names an address of a carrier's or of ours.
fn assert_no_address(heard: &Message) {
    let phrase = String::from_utf8_lossy(heard.reason_phrase().unwrap()).into_owned();
    let read = [Name::Reason, Name::Warning]
        .into_iter()
        .flat_map(|name| heard.lines(name).map(|line| line.into_owned()).collect::<Vec<_>>());
    for text in std::iter::once(phrase).chain(read) {
        for address in ["10.0.1.", "192.0.2.", "10.9.", "carrier.example", "5060"] {
            assert!(!text.contains(address), "{address} in {text}");
        }
    }
}

#[test]
fn the_status_is_of_the_call_and_not_of_the_trunk() {
    let challenge: &[(&str, &str)] = &[("Proxy-Authenticate", CHALLENGE)];
    for (fails, status, phrase) in [
        (Fails::Refuses, 502, "No route took the call: unreachable"),
        (Fails::Swallows, 504, "No route took the call: no response"),
        (Fails::Answers(503, &[("Retry-After", "30")]), 500, "No route took the call: unavailable"),
        (Fails::Answers(408, &[]), 504, "No route took the call: timed out"),
        (Fails::Answers(430, &[]), 480, "No route took the call: flow failed"),
        (Fails::Answers(302, &[]), 480, "Redirected (302), not followed"),
        (Fails::Answers(407, challenge), 502, "No route took the call: authentication failed"),
    ] {
        everywhere(|trunk| {
            let heard = told(trunk, &fails);
            assert_eq!(heard.status().unwrap().code(), status, "{heard:?}");
            assert_eq!(String::from_utf8_lossy(heard.reason_phrase().unwrap()), phrase);
            assert!(!heard.has(Name::RetryAfter), "it is of one host, not of the trunk");
            trunk.finish();
            let recorded = &trunk.cdr("pbx", Direction::Outbound).status_message;
            assert_eq!(*recorded, format!("{status} {phrase}"));
        });
    }
}

/// A name without an address stays unsaid, too.
#[test]
fn a_name_that_does_not_resolve() {
    let named = "\n[[carrier]]\nname = \"named\"\nprefixes = [\"+1303\"]\n[[carrier.host]]\nhost = \"sip.carrier.example\"\n";
    let only = ("pbx_termination", "carriers = [\"named\"]");
    over_udp(&[("more", named), only], |trunk| {
        let a = trunk.dial(trunk.pbx, "+13035550123");
        trunk.run(1.0);
        let heard = trunk.call(a).response(502).unwrap();
        assert_no_address(heard);
        let phrase = "No route took the call: no address";
        assert_eq!(String::from_utf8_lossy(heard.reason_phrase().unwrap()), phrase);
    });
}

/// Words of the carrier's own cross, but not where they name its machines.
#[test]
fn addresses_in_a_carriers_own_words() {
    const SAYS: &[(&str, &str)] = &[
        ("Reason", "Q.850;cause=3;text=\"no route on 10.9.8.7:5060\""),
        ("Warning", "392 10.0.1.1:5060 \"Noisy feedback tells: pid=12 req_src_ip=192.0.2.1\""),
    ];
    everywhere(|trunk| {
        let (a, b) = trunk.reach(trunk.pbx, OUTSIDE, trunk.east);
        trunk.respond_with(b, 404, SAYS);
        trunk.run(0.5);
        let heard = trunk.call(a).response(404).unwrap();
        assert_no_address(heard);
        assert_eq!(Trunk::header(heard, "Reason"), "Q.850;cause=3;text=\"no route on *\"");
    });
}

/// Nor where they end the other leg.
#[test]
fn addresses_in_the_reason_of_a_bye_and_a_cancel() {
    everywhere(|trunk| {
        let (a, b) = trunk.connect(trunk.pbx, OUTSIDE, trunk.east);
        trunk.phone(trunk.east).says = &[("Reason", "Q.850;cause=41;text=\"10.9.8.7 went down\"")];
        trunk.hang_up(b);
        trunk.run(1.0);
        let bye = trunk.call(a).request(&Method::Bye).unwrap();
        assert_eq!(Trunk::header(bye, "Reason"), "Q.850;cause=41;text=\"* went down\"");

        let a = trunk.dial(trunk.pbx, OUTSIDE);
        trunk.run(0.5);
        let reason = [(Name::Reason, "SIP;cause=200;text=\"taken by 10.0.0.77:5060\"".to_owned())];
        trunk.world.with(a.0, |phone, now| phone.cancel_saying(now, a.1, &reason));
        trunk.run(1.0);
        let b = trunk.incoming(trunk.east);
        let cancel = trunk.call(b).request(&Method::Cancel).unwrap();
        assert_eq!(Trunk::header(cancel, "Reason"), "SIP;cause=200;text=\"taken by *\"");
    });
}

/// What a carrier may take is our own limit: neither a failure of the trunk, nor told by the carrier's name.
#[test]
fn a_carrier_has_no_room() {
    let full = [("east", "max_calls = 1"), ("west", "max_calls = 1")];
    everywhere_with(&full, |trunk| {
        let (a, _) = trunk.connect(trunk.pbx, OUTSIDE, trunk.east);
        let (b, _) = trunk.connect(trunk.pbx, OUTSIDE, trunk.west);
        let c = trunk.dial(trunk.pbx, OUTSIDE);
        trunk.run(0.5);
        let heard = trunk.call(c).response(480).unwrap();
        let phrase = String::from_utf8_lossy(heard.reason_phrase().unwrap()).into_owned();
        assert_eq!(phrase, "No route took the call: no room");
        assert_eq!(Trunk::header(heard, "Retry-After"), "5");
        trunk.hang_up(a);
        trunk.hang_up(b);
        trunk.run(1.0);
    });
}

/// A connector's customer is not told to the carrier either.
#[test]
fn a_pbx_that_is_gone() {
    everywhere(|trunk| {
        trunk.world.dead.insert("10.0.0.1:5060".parse().unwrap(), true);
        let a = trunk.dial(trunk.east, PBX);
        trunk.run(0.5);
        let heard = trunk.call(a).response(502).unwrap();
        assert!(!String::from_utf8_lossy(heard.reason_phrase().unwrap()).contains("10.0.0"), "{heard:?}");
    });
}
