//! Why a call ended, and what its party says with it, reaches the other side whole.

use sip::{Message, Method, Name};

use super::trunk::{Change, OUTSIDE, Trunk, everywhere_with};

const PASSES: Change = ("east_peer", "pass_headers = [\"X-*\"]");

const SAID: &[(&str, &str)] = &[
    ("Reason", "SIP;cause=200;text=\"Call completed elsewhere\""),
    ("Reason", "Q.850;cause=16;text=\"Normal, clearing\", X.int;reasoncode=0x000005DC"),
    ("User-to-User", "56a390f3d2b7310023;encoding=hex"),
    ("X-Agent", "17"),
    ("P-Asserted-Identity", "<sip:+12125550777@x.example>"),
    ("Proxy-Authorization", "Digest username=\"x\""),
];

fn lines(message: &Message, name: &str) -> Vec<String> {
    message.lines(name.into()).map(|line| line.into_owned()).collect()
}

/// RFC 3326 §2: several values, of different protocols; RFC 7433 §4.1: user-to-user in a BYE.
#[test]
fn a_bye_crosses_with_all_that_it_says() {
    everywhere_with(&[PASSES], |trunk| {
        trunk.phone(trunk.pbx).says = SAID;
        trunk.phone(trunk.east).says = SAID;
        for caller_hangs_up in [true, false] {
            let (a, b) = trunk.connect(trunk.pbx, OUTSIDE, trunk.east);
            let (from, to) = if caller_hangs_up { (a, b) } else { (b, a) };
            trunk.hang_up(from);
            trunk.run(1.0);
            let bye = trunk.call(to).request(&Method::Bye).unwrap();
            assert_eq!(lines(bye, "Reason"), [SAID[0].1, SAID[1].1]);
            assert_eq!(lines(bye, "User-to-User"), [SAID[2].1]);
            assert_eq!(lines(bye, "X-Agent"), [SAID[3].1]);
            assert!(!bye.has(Name::PAssertedIdentity) && !bye.has(Name::ProxyAuthorization), "{bye:?}");
            assert_eq!((bye.lines(Name::Via).count(), bye.lines(Name::CSeq).count()), (1, 1));
        }
    });
}

/// The same by the operator's word: kept from a party, or said in the party's place.
#[test]
fn a_bye_obeys_the_operator() {
    let keys = "strip_headers = [\"User-to-User\", \"X-Agent\"]\nadd_headers = { \"X-Site\" = \"hq\" }";
    everywhere_with(&[PASSES, ("east_peer", keys)], |trunk| {
        trunk.phone(trunk.pbx).says = &[("User-to-User", "56"), ("X-Agent", "17"), ("X-Site", "forged")];
        let (a, b) = trunk.connect(trunk.pbx, OUTSIDE, trunk.east);
        trunk.hang_up(a);
        trunk.run(1.0);
        let bye = trunk.call(b).request(&Method::Bye).unwrap();
        assert_eq!(["User-to-User", "X-Agent"].map(|name| lines(bye, name).len()), [0, 0]);
        assert_eq!(lines(bye, "X-Site"), ["hq"]);
    });
}

/// A BYE that waits for an ACK says the same when it goes.
#[test]
fn a_bye_that_waited_says_it_too() {
    everywhere_with(&[PASSES], |trunk| {
        let a = trunk.dial(trunk.pbx, OUTSIDE);
        trunk.run(0.5);
        let index = a.1;
        trunk.phone(trunk.pbx).calls[index].acknowledges = false;
        let b = trunk.incoming(trunk.east);
        trunk.respond(b, 200);
        trunk.run(0.5);
        trunk.phone(trunk.east).says = SAID;
        trunk.hang_up(b);
        trunk.run(0.5);
        assert!(trunk.call(a).request(&Method::Bye).is_none());
        trunk.world.with(a.0, |phone, now| phone.acknowledge(now, index));
        trunk.run(0.5);
        let bye = trunk.call(a).request(&Method::Bye).unwrap();
        assert_eq!(lines(bye, "Reason"), [SAID[0].1, SAID[1].1]);
        assert_eq!(lines(bye, "X-Agent"), [SAID[3].1]);
    });
}

/// A CANCEL carries reasons (RFC 3326 §1) and private headers; user-to-user has no place in it (RFC 7433 §4.1).
#[test]
fn a_cancel_crosses_with_what_may_stand_in_it() {
    everywhere_with(&[PASSES], |trunk| {
        let (a, b) = trunk.reach(trunk.pbx, OUTSIDE, trunk.east);
        let extra: Vec<(Name, String)> =
            SAID.iter().map(|(name, value)| ((*name).into(), (*value).to_owned())).collect();
        trunk.world.with(a.0, |phone, now| phone.cancel_saying(now, a.1, &extra));
        trunk.run(1.0);
        let cancel = trunk.call(b).request(&Method::Cancel).unwrap();
        assert_eq!(lines(cancel, "Reason"), [SAID[0].1, SAID[1].1]);
        assert_eq!(lines(cancel, "X-Agent"), [SAID[3].1]);
        assert_eq!(["User-to-User", "P-Asserted-Identity"].map(|name| lines(cancel, name).len()), [0, 0]);
        assert_eq!(Trunk::header(cancel, "Content-Length"), "0");
    });
}

/// A caller may end its early dialog by BYE (RFC 3261 §15): the CANCEL that comes of it says the same.
#[test]
fn an_early_bye_is_a_cancel_that_says_why() {
    everywhere_with(&[PASSES], |trunk| {
        let (a, b) = trunk.reach(trunk.pbx, OUTSIDE, trunk.east);
        trunk.respond(b, 180);
        trunk.run(0.5);
        trunk.phone(trunk.pbx).says = SAID;
        trunk.early_bye(a);
        trunk.run(1.0);
        let cancel = trunk.call(b).request(&Method::Cancel).unwrap();
        assert_eq!(lines(cancel, "Reason"), [SAID[0].1, SAID[1].1]);
        assert_eq!(lines(cancel, "X-Agent"), [SAID[3].1]);
    });
}

/// Twenty thousand bytes of reasons reach nobody: what says protocol and cause does.
#[test]
fn a_reason_without_end_is_cut() {
    static LONG: std::sync::LazyLock<String> =
        std::sync::LazyLock::new(|| format!("SIP;cause=200;text=\"{}\"", "elsewhere ".repeat(2_000)));
    static SAYS: std::sync::LazyLock<[(&str, &str); 1]> = std::sync::LazyLock::new(|| [("Reason", &**LONG)]);
    everywhere_with(&[PASSES], |trunk| {
        trunk.phone(trunk.pbx).says = &*SAYS;
        let (a, b) = trunk.connect(trunk.pbx, OUTSIDE, trunk.east);
        trunk.hang_up(a);
        trunk.run(1.0);
        assert_eq!(lines(trunk.call(b).request(&Method::Bye).unwrap(), "Reason"), ["SIP;cause=200"]);
        let (a, b) = trunk.reach(trunk.pbx, OUTSIDE, trunk.east);
        let extra = [(Name::Reason, LONG.clone())];
        trunk.world.with(a.0, |phone, now| phone.cancel_saying(now, a.1, &extra));
        trunk.run(1.0);
        assert_eq!(lines(trunk.call(b).request(&Method::Cancel).unwrap(), "Reason"), ["SIP;cause=200"]);
    });
}
