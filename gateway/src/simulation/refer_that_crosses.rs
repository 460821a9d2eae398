//! `peer.refer = "pass"`: the other party is asked for a transfer itself, places the call, and tells what comes of it.

use sip::{Message, Method, Name};

use super::blind_transfer::{TARGET, refer, told, uri};
use super::phone::{Abilities, Stage};
use super::trunk::{BRANCH, Change, OUTSIDE, PBX, Trunk, everywhere_with, over_udp};
use super::world::CallId;

const PASSED: [Change; 1] = [("pbx_peer", "refer = \"pass\"")];

/// A call between the two customers, both of which know REFER, and whose caller asks for a transfer to `target`.
fn referred(trunk: &mut Trunk, target: &str) -> (CallId, CallId) {
    for phone in [trunk.pbx, trunk.branch] {
        trunk.able(phone, Abilities { refer: true, ..Abilities::default() });
    }
    let (x, y) = trunk.connect(trunk.pbx, BRANCH, trunk.branch);
    refer(trunk, x, &uri(target));
    trunk.run(1.0);
    (x, y)
}

fn asked<'a>(trunk: &'a Trunk, call: CallId, method: &Method) -> &'a Message {
    let mine = trunk.call(call).heard.iter().rev();
    mine.into_iter().find(|one| one.method().as_ref() == Some(method)).unwrap()
}

#[test]
fn the_other_party_calls_the_target_and_tells_of_it() {
    everywhere_with(&PASSED, |trunk| {
        let (x, y) = referred(trunk, TARGET);
        let refer = asked(trunk, y, &Method::Refer);
        let to = refer.value(Name::ReferTo).unwrap().into_owned();
        assert!(to.contains(&format!("{TARGET}@192.0.2.1")), "{to}");
        assert!(!refer.has(Name::ReferredBy), "nobody is believed here");
        let t = trunk.incoming(trunk.east);
        assert!(trunk.call(t).invite.from().unwrap().uri.to_string().contains(BRANCH), "who calls now");
        assert_eq!(told(trunk, x), (202, vec![100]));
        trunk.respond(t, 180);
        trunk.run(1.0);
        trunk.respond(t, 200);
        trunk.run(1.0);
        assert_eq!(told(trunk, x).0, 202);
        assert_eq!(told(trunk, x).1.last(), Some(&200), "{:?}", told(trunk, x));
        let notify = asked(trunk, x, &Method::Notify);
        assert_eq!(notify.body().as_ref(), b"SIP/2.0 200 OK\r\n");
        trunk.hang_up(x);
        trunk.run(1.0);
        assert_eq!((trunk.stage(y), trunk.stage(t)), (Stage::Over, Stage::Up));
        trunk.hang_up(t);
        trunk.run(1.0);
        trunk.finish();
        let bills = |id: &str, number: &str| {
            let mine = trunk.world.cdrs.iter().filter(|cdr| cdr.voice_connector_id == id);
            mine.filter(|cdr| cdr.destination.number == number && cdr.answered_at.is_some()).count()
        };
        assert_eq!((bills("pbx", BRANCH), bills("branch", BRANCH), bills("branch", TARGET)), (1, 1, 1));
        assert_eq!(trunk.world.cdrs.len(), 3, "the new call is whoever's places it");
    });
}

#[test]
fn a_target_that_is_busy_is_told_as_it_is() {
    everywhere_with(&PASSED, |trunk| {
        let (x, y) = referred(trunk, TARGET);
        let t = trunk.incoming(trunk.east);
        trunk.respond(t, 486);
        trunk.run(1.0);
        assert_eq!(told(trunk, x).1.last(), Some(&486));
        assert_eq!((trunk.stage(x), trunk.stage(y)), (Stage::Up, Stage::Up));
        // What comes after the end belongs to nothing.
        let cseq = asked(trunk, y, &Method::Refer).cseq().unwrap().number;
        let heard = trunk.call(x).requests().len();
        for (event, status) in [
            (format!("refer;id={cseq}"), 481),
            ("refer;id=4711".to_owned(), 481),
            ("refer".to_owned(), 481),
            ("presence".to_owned(), 489),
        ] {
            trunk.world.with(y.0, |phone, now| phone.notify_of(now, y.1, &event));
            trunk.run(0.5);
            assert_eq!(trunk.call(y).statuses(&Method::Notify).last(), Some(&status), "{event}");
        }
        assert_eq!(trunk.call(x).requests().len(), heard, "we refuse it");
        // The next transfer is another one.
        refer(trunk, x, &uri("+12125550178"));
        trunk.run(1.0);
        let t = trunk.incoming(trunk.east);
        trunk.respond(t, 603);
        trunk.run(1.0);
        assert_eq!(told(trunk, x).1.last(), Some(&603));
        trunk.hang_up(x);
        trunk.run(1.0);
    });
}

/// Who does not know REFER is not asked; nor is anybody in an emergency call, twice at one time, or by who may not.
#[test]
fn a_refer_that_does_not_cross() {
    over_udp(&PASSED, |trunk| {
        trunk.able(trunk.pbx, Abilities { refer: true, ..Abilities::default() });
        trunk.able(trunk.branch, Abilities::default());
        let (x, y) = trunk.connect(trunk.pbx, BRANCH, trunk.branch);
        refer(trunk, x, &uri(TARGET));
        trunk.run(0.5);
        assert_eq!(told(trunk, x), (405, vec![]));
        assert!(!trunk.call(y).requests().contains(&"REFER".to_owned()));
        let accepted =
            trunk.call(x).heard.iter().rfind(|one| one.status().is_some_and(|one| one.is_success()));
        assert!(!accepted.unwrap().values(Name::Allow).any(|one| one == "REFER"), "Allow is true");
        // Nothing is configured of the other side.
        trunk.able(trunk.branch, Abilities { refer: true, ..Abilities::default() });
        refer(trunk, y, &uri(TARGET));
        trunk.run(0.5);
        assert_eq!(told(trunk, y), (405, vec![]));
        trunk.hang_up(x);
        trunk.run(1.0);
        let (x, _) = referred(trunk, TARGET);
        let t = trunk.incoming(trunk.east);
        for (target, status) in [(uri(TARGET), 491), (format!("{};method=BYE", uri(TARGET)), 491)] {
            refer(trunk, x, &target);
            trunk.run(0.5);
            assert_eq!(told(trunk, x), (status, vec![]), "{target}");
        }
        trunk.respond(t, 486);
        trunk.run(1.0);
        for (target, status) in
            [(format!("{};method=BYE", uri(TARGET)), 403), ("http://vc.example.com/".to_owned(), 416)]
        {
            refer(trunk, x, &target);
            trunk.run(0.5);
            assert_eq!(told(trunk, x), (status, vec![]), "{target}");
        }
        trunk.hang_up(x);
        trunk.run(1.0);
        let (help, _) = trunk.connect(trunk.pbx, "911", trunk.east);
        refer(trunk, help, &uri(TARGET));
        trunk.run(0.5);
        assert_eq!(told(trunk, help), (403, vec![]));
        trunk.hang_up(help);
        trunk.run(1.0);
    });
}

/// A carrier asks where the operator has said so; the customer's system calls on its own bill, and by its own rules.
#[test]
fn a_carrier_asks_a_customer() {
    everywhere_with(&[("east_peer", "refer = \"pass\"")], |trunk| {
        for phone in [trunk.pbx, trunk.east] {
            trunk.able(phone, Abilities { refer: true, ..Abilities::default() });
        }
        let (y, x) = trunk.connect(trunk.pbx, OUTSIDE, trunk.east);
        refer(trunk, x, &uri("+442079460123"));
        trunk.run(1.0);
        assert_eq!(told(trunk, x), (202, vec![100, 403]), "no calling plan has it");
        refer(trunk, x, &uri(BRANCH));
        trunk.run(1.0);
        let t = trunk.incoming(trunk.branch);
        assert!(trunk.call(t).invite.from().unwrap().uri.to_string().contains(PBX));
        trunk.respond(t, 200);
        trunk.run(1.0);
        assert_eq!(told(trunk, x).1.last(), Some(&200));
        trunk.hang_up(x);
        trunk.hang_up(t);
        trunk.run(1.0);
        assert_eq!(trunk.stage(y), Stage::Over);
    });
}

/// The number as the other party dials it, at our address; who asks is named where the one is believed and the other is told.
#[test]
fn the_other_party_is_told_in_its_own_words() {
    let changes = [
        ("pbx_peer", "refer = \"pass\"\ntrusted = true"),
        ("east_peer", "trusted = true"),
        ("east", "inbound_number_format = \"e164-without-plus\""),
    ];
    over_udp(&changes, |trunk| {
        for phone in [trunk.pbx, trunk.east] {
            trunk.able(phone, Abilities { refer: true, ..Abilities::default() });
        }
        let (x, y) = trunk.connect(trunk.pbx, OUTSIDE, trunk.east);
        let to = format!("{};method=INVITE?Subject=x&Replaces=a%3Bto-tag%3D1%3Bfrom-tag%3D2", uri(BRANCH));
        refer(trunk, x, &to);
        trunk.run(1.0);
        let refer = asked(trunk, y, &Method::Refer);
        let value = |name| refer.value(name).unwrap().into_owned();
        let to = "<sip:12065550101@192.0.2.1:5060?Replaces=a%3Bto-tag%3D1%3Bfrom-tag%3D2>";
        assert_eq!(value(Name::ReferTo), to);
        assert_eq!(value(Name::ReferredBy), "<sip:pbx@192.0.2.1>");
        assert_eq!(told(trunk, x), (202, vec![100, 481]), "no dialog has that name");
        trunk.hang_up(x);
        trunk.run(1.0);
    });
}
