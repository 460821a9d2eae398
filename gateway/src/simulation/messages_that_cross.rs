//! Each race of RFC 5407 §3 that no other scenario has: two parties say something at one time, or a datagram is overtaken.

use sip::Method;

use super::ladder::Line;
use super::link::Link;
use super::phone::{Abilities, Stage};
use super::trunk::{OUTSIDE, Trunk, everywhere, everywhere_with, over_udp};
use super::world::CallId;

/// A call whose callee has accepted and whose caller, which has heard of it, has not acknowledged.
fn unacknowledged(trunk: &mut Trunk, offers: bool) -> (CallId, CallId) {
    let pbx = trunk.pbx;
    let a = if offers { trunk.dial(pbx, OUTSIDE) } else { trunk.dial_without_offer(pbx, OUTSIDE) };
    trunk.phone(a.0).calls[a.1].acknowledges = false;
    trunk.run(0.5);
    let b = trunk.incoming(trunk.east);
    trunk.respond(b, 200);
    trunk.run(0.1);
    assert_eq!(trunk.stage(a), Stage::Up);
    (a, b)
}

/// RFC 5407 §3.1.1: a copy of the INVITE comes after the 200, before the ACK. It begins nothing.
#[test]
fn a_late_copy_of_the_invite_meets_the_200() {
    over_udp(&[], |trunk| {
        let a = trunk.dial(trunk.pbx, OUTSIDE);
        trunk.phone(a.0).habits.deaf = true; // It repeats its INVITE after 0.5, 1.5 and 3.5 s.
        trunk.run(0.4);
        let b = trunk.incoming(trunk.east);
        trunk.respond(b, 200);
        trunk.run(2.0);
        let is_invite = |line: &&Line| line.message.method() == Some(Method::Invite) && line.from == "pbx";
        assert!(trunk.world.ladder.iter().filter(is_invite).count() > 1);
        trunk.phone(a.0).habits.deaf = false;
        trunk.run(4.0);
        assert_eq!((trunk.stage(a), trunk.stage(b)), (Stage::Up, Stage::Up));
        assert_eq!(trunk.call(b).requests(), ["INVITE", "ACK"]);
        trunk.hang_up(a);
        trunk.run(1.0);
        assert_eq!(trunk.received(trunk.east), 1);
    });
}

/// RFC 5407 §3.1.3: the caller ends its early dialog while the 200 is on its way to it.
#[test]
fn a_bye_of_the_early_dialog_crosses_the_200() {
    everywhere(|trunk| {
        let a = trunk.dial(trunk.pbx, OUTSIDE);
        trunk.phone(a.0).calls[a.1].acknowledges = false;
        trunk.run(0.5);
        let b = trunk.incoming(trunk.east);
        trunk.respond(b, 180);
        trunk.run(0.5);
        trunk.respond(b, 200);
        trunk.run(0.015);
        assert_eq!(trunk.heard(a), [180], "the 200 is on its way");
        trunk.early_bye(a);
        trunk.run(1.0);
        assert_eq!(trunk.call(a).statuses(&Method::Bye), [200]);
        assert_eq!(trunk.call(b).requests(), ["INVITE", "ACK", "BYE"]);
        assert_eq!((trunk.stage(a), trunk.stage(b)), (Stage::Over, Stage::Over));
    });
}

/// RFC 5407 §3.1.4, §3.1.5: the caller's re-INVITE overtakes its ACK, that of an answer or that with the answer. It waits
/// for the ACK, and crosses then.
#[test]
fn a_reinvite_overtakes_the_ack() {
    for offers in [true, false] {
        over_udp(&[], |trunk| {
            let (a, b) = unacknowledged(trunk, offers);
            let before = std::mem::replace(&mut trunk.world.link, Link { lost: 1000, ..Link::PERFECT });
            trunk.world.with(a.0, |phone, now| phone.acknowledge(now, a.1));
            trunk.world.link = before;
            let is_ack = |line: &&Line| line.from == "pbx" && line.message.method() == Some(Method::Ack);
            let ack = trunk.world.ladder.iter().rfind(is_ack).unwrap().message.clone();
            trunk.phone(a.0).calls[a.1].acknowledges = true;
            trunk.request(a, Method::Invite, Some("sendonly"));
            trunk.run(0.1);
            let asked = |trunk: &Trunk| {
                let requests = trunk.call(b).requests();
                requests.iter().filter(|one| *one == "INVITE").count()
            };
            assert_eq!(asked(trunk), 1, "it waits");
            trunk.world.send(a.0, ack);
            trunk.run(1.0);
            assert_eq!(asked(trunk), 2);
            assert_eq!(trunk.call(a).statuses(&Method::Invite).last(), Some(&200));
            assert_eq!((trunk.stage(a), trunk.stage(b)), (Stage::Up, Stage::Up));
            trunk.hang_up(b);
            trunk.run(1.0);
        });
    }
}

/// RFC 5407 §3.2.2: a re-INVITE is on its way to a party that has hung up.
#[test]
fn a_reinvite_crosses_a_bye() {
    everywhere(|trunk| {
        for (ends, asks) in [(0, 1), (1, 0)] {
            let (a, b) = trunk.connect(trunk.pbx, OUTSIDE, trunk.east);
            let both = [a, b];
            trunk.hang_up(both[ends]);
            trunk.request(both[asks], Method::Invite, Some("sendonly"));
            trunk.run(1.0);
            assert_eq!(trunk.call(both[ends]).statuses(&Method::Bye), [200]);
            let last = trunk.call(both[asks]).statuses(&Method::Invite).pop();
            assert!(matches!(last, Some(481 | 487)), "{last:?}");
            assert_eq!((trunk.stage(a), trunk.stage(b)), (Stage::Over, Stage::Over));
        }
    });
}

/// RFC 5407 §3.2.3: a re-INVITE is accepted while the BYE of its asker is on its way. The 200 has its ACK all the same.
#[test]
fn the_200_of_a_reinvite_crosses_a_bye() {
    everywhere(|trunk| {
        let (a, b) = trunk.connect(trunk.pbx, OUTSIDE, trunk.east);
        trunk.phone(b.0).habits.renegotiates = None;
        trunk.request(a, Method::Invite, Some("sendonly"));
        trunk.run(0.5);
        trunk.hang_up(a);
        trunk.run(0.015); // The gateway's BYE is on its way.
        assert_eq!(trunk.stage(b), Stage::Up);
        trunk.world.with(b.0, |phone, now| phone.answer_offer(now, b.1, 200));
        trunk.run(1.0);
        let asked = trunk.call(b).requests();
        assert_eq!(asked.iter().filter(|one| *one == "ACK").count(), 2, "{asked:?}");
        assert_eq!((trunk.stage(a), trunk.stage(b)), (Stage::Over, Stage::Over));
    });
}

/// RFC 5407 §3.3.2: one side offers by UPDATE, the other by INVITE. Each hears that it is not the time, and the call goes on.
#[test]
fn an_update_crosses_a_reinvite() {
    everywhere(|trunk| {
        for (updates, invites) in [(0, 1), (1, 0)] {
            let (a, b) = trunk.connect(trunk.pbx, OUTSIDE, trunk.east);
            let both = [a, b];
            trunk.request(both[updates], Method::Update, Some("sendonly"));
            trunk.request(both[invites], Method::Invite, Some("sendonly"));
            trunk.run(1.0);
            assert_eq!(trunk.call(both[updates]).statuses(&Method::Update).last(), Some(&491));
            assert_eq!(trunk.call(both[invites]).statuses(&Method::Invite).last(), Some(&491));
            assert_eq!((trunk.stage(a), trunk.stage(b)), (Stage::Up, Stage::Up));
            trunk.request(both[invites], Method::Invite, Some("sendonly"));
            trunk.run(1.0);
            assert_eq!(trunk.call(both[invites]).statuses(&Method::Invite).last(), Some(&200));
            trunk.hang_up(a);
            trunk.run(1.0);
        }
    });
}

/// RFC 5407 §3.3.3: a transfer is asked for in a call whose other party has hung up. Nobody is called.
#[test]
fn a_refer_crosses_a_bye() {
    everywhere_with(&[("pbx_peer", "refer = \"handle\"")], |trunk| {
        for phone in [trunk.pbx, trunk.east] {
            trunk.able(phone, Abilities { refer: true, ..Abilities::default() });
        }
        let (a, b) = trunk.connect(trunk.pbx, OUTSIDE, trunk.east);
        trunk.hang_up(b);
        trunk.run(0.015); // The gateway's BYE is on its way.
        assert_eq!(trunk.stage(a), Stage::Up);
        trunk.refer(a, "sip:+12125550177@vc.example.com");
        trunk.run(1.0);
        let responses: Vec<_> = trunk.call(a).subscriptions.iter().map(|one| one.response).collect();
        assert_eq!(responses, [Some(481)]);
        assert_eq!((trunk.stage(a), trunk.stage(b)), (Stage::Over, Stage::Over));
        assert_eq!(trunk.received(trunk.east), 1);
    });
}
