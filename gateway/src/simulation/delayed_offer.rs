//! The INVITE has no session description: the callee offers, the ACK answers. Early media, too.

use sip::sdp::Sdp;
use sip::{Message, Method};

use super::phone::Stage;
use super::trunk::{OUTSIDE, everywhere};
use crate::media::{Command, Side};

fn media_address(message: &Message) -> String {
    let sdp = Sdp::parse(message.body()).unwrap();
    sdp.relayed_stream().unwrap().rtp().unwrap().ip().to_string()
}

#[test]
fn the_callees_offer_and_the_callers_answer_cross() {
    everywhere(|trunk| {
        let a = trunk.dial_without_offer(trunk.pbx, OUTSIDE);
        trunk.run(0.5);
        let b = trunk.incoming(trunk.east);
        assert!(trunk.call(b).invite.body().is_empty());
        trunk.respond(b, 200);
        trunk.run(1.0);
        assert_eq!((trunk.stage(a), trunk.stage(b)), (Stage::Up, Stage::Up));
        let offer = trunk.call(a).response(200).unwrap();
        assert_eq!(media_address(offer), "192.0.2.1");
        let ack = trunk.call(b).request(&Method::Ack).unwrap();
        assert_eq!(media_address(ack), "192.0.2.1");
        trunk.hang_up(a);
        trunk.run(1.0);
    });
}

/// The caller hangs up instead of answering the offer: the callee still gets an ACK before its BYE.
#[test]
fn a_caller_that_hangs_up_before_its_ack_leaves_nothing_behind() {
    everywhere(|trunk| {
        let a = trunk.dial_without_offer(trunk.pbx, OUTSIDE);
        trunk.phone(a.0).calls[a.1].acknowledges = false;
        trunk.run(0.5);
        let b = trunk.incoming(trunk.east);
        trunk.respond(b, 200);
        trunk.run(1.0);
        trunk.hang_up(a);
        trunk.run(1.0);
        assert_eq!(trunk.call(b).requests(), ["INVITE", "ACK", "BYE"]);
    });
}

#[test]
fn early_media_is_told_to_both_sides() {
    everywhere(|trunk| {
        let (a, b) = trunk.reach(trunk.pbx, OUTSIDE, trunk.east);
        trunk.respond(b, 183);
        trunk.run(1.0);
        let early = trunk.call(a).response(183).unwrap();
        assert_eq!(media_address(early), "192.0.2.1");
        let told = |side| {
            let all = trunk.world.media_log.iter();
            all.filter(|(_, one)| matches!(one, Command::Remote { side: of, .. } if *of == side)).count()
        };
        assert_eq!((told(Side::A), told(Side::B)), (1, 1));
        trunk.respond(b, 200);
        trunk.run(1.0);
        // The same description keeps its version, RFC 3264 §8.
        let (early, answer) = (trunk.call(a).response(183).unwrap(), trunk.call(a).response(200).unwrap());
        assert_eq!(early.body(), answer.body());
        trunk.hang_up(b);
        trunk.run(1.0);
    });
}

/// The callee answers and hangs up before the caller's ACK; its 200, which it repeated until then, comes once more. That
/// dialog is over: it gets neither ACK nor BYE.
#[test]
fn a_repeated_200_after_the_callees_bye_is_passed_over() {
    everywhere(|trunk| {
        let a = trunk.dial_without_offer(trunk.pbx, OUTSIDE);
        trunk.phone(a.0).calls[a.1].acknowledges = false;
        trunk.run(0.5);
        let b = trunk.incoming(trunk.east);
        trunk.respond(b, 200);
        trunk.run(0.1);
        let said = |line: &&super::ladder::Line| line.from == "east" && !line.message.body().is_empty();
        let answer = trunk.world.ladder.iter().rev().find(said).unwrap().message.clone();
        trunk.hang_up(b);
        trunk.run(0.1);
        trunk.world.send(trunk.east, answer);
        trunk.run(0.5);
        assert_eq!(trunk.call(b).requests(), ["INVITE"]);
        trunk.world.with(a.0, |phone, now| phone.acknowledge(now, a.1));
        trunk.run(1.0);
        assert_eq!(trunk.stage(a), Stage::Over);
    });
}
