//! What a listed peer can make the gateway hold has a limit.

use std::collections::HashSet;

use sip::{Builder, Message, Method, Name, StatusCode};

use super::phone::Stage;
use super::trunk::{BRANCH, OUTSIDE, Trunk, over_udp};
use super::world::{CallId, PhoneId};
use crate::direction::Direction;

#[test]
fn eight_requests_wait_in_a_call_and_the_others_come_again_later() {
    over_udp(&[], |trunk| {
        let (a, _) = trunk.connect(trunk.pbx, OUTSIDE, trunk.east);
        let east = trunk.phone(trunk.east).address;
        trunk.world.dead.insert(east, false);
        for _ in 0..12 {
            trunk.request(a, Method::Info, None);
            trunk.run(0.1);
        }
        assert_eq!(trunk.call(a).statuses(&Method::Info), [503; 4]);
        assert!(trunk.call(a).response(503).unwrap().has(Name::RetryAfter));
        trunk.world.dead.clear();
        trunk.run(1.0);
        assert_eq!(trunk.call(a).statuses(&Method::Info).len(), 12, "the eight were answered");
        trunk.request(a, Method::Info, None);
        trunk.run(0.5);
        assert_eq!(trunk.call(a).statuses(&Method::Info).last(), Some(&200));
        trunk.hang_up(a);
        trunk.run(1.0);
    });
}

/// A proxy behind the carrier forks without end. Sixteen are hung up, the others meet silence.
#[test]
fn answers_without_end_are_released_up_to_a_number() {
    over_udp(&[], |trunk| {
        let (a, b) = trunk.connect(trunk.pbx, OUTSIDE, trunk.east);
        let (invite, contact) = (trunk.call(b).invite.clone(), trunk.phone(b.0).contact());
        for fork in 0..40 {
            let tag = format!("fork{fork}");
            let answer = Builder::reply(&invite, StatusCode::OK, "OK", Some(&tag));
            trunk.world.send(b.0, answer.header(Name::Contact, contact.as_str()).build());
        }
        // What is not acknowledged is the forks' loss.
        trunk.world.unreached.insert(trunk.call(b).call_id());
        trunk.run(1.0);
        let tags = |method: Method| -> HashSet<String> {
            let sent = trunk.world.ladder.iter().filter(|line| line.from == "gw");
            let sent = sent.filter(|line| line.message.method() == Some(method.clone()));
            let tags = sent.filter_map(|line| line.message.to_tag());
            tags.filter(|tag| tag.starts_with("fork")).map(|tag| tag.into_owned()).collect()
        };
        assert_eq!((tags(Method::Ack).len(), tags(Method::Bye).len()), (16, 16));
        assert_eq!((trunk.stage(a), trunk.stage(b)), (Stage::Up, Stage::Up));
        trunk.hang_up(a);
        trunk.run(1.0);
        assert_eq!(trunk.stage(b), Stage::Over);
        trunk.finish();
        let cdr = trunk.cdr("pbx", Direction::Outbound);
        assert_eq!(cdr.status_message, "OK; 16 late answers of 10.0.1.1 released");
    });
}

/// A request of `phone` outside any dialog, as a stranger could forge it.
fn forged(trunk: &mut Trunk, phone: PhoneId, method: Method, number: usize) -> Message {
    let (via, contact) = (trunk.phone(phone).via(&format!("z9hG4bK{number}")), trunk.phone(phone).contact());
    Builder::request(method.clone(), "sip:+12125550123@vc.example.com")
        .header(Name::Via, via)
        .header(Name::MaxForwards, "70")
        .header(Name::From, format!("<sip:+12065550100@b>;tag={number}"))
        .header(Name::To, "<sip:c@d>")
        .header(Name::CallId, number.to_string())
        .header(Name::CSeq, format!("1 {method}"))
        .header(Name::Contact, contact)
        .build()
}

fn talks(trunk: &mut Trunk, phone: PhoneId) {
    let (a, b) = trunk.connect(phone, OUTSIDE, trunk.east);
    trunk.hang_up(a);
    trunk.run(1.0);
    assert_eq!((trunk.stage(a), trunk.stage(b)), (Stage::Over, Stage::Over));
}

/// What begins no call is answered without a trace, so that a forged source costs its owner nothing.
#[test]
fn sixty_thousand_options_take_nobody_s_room() {
    over_udp(&[], |trunk| {
        for number in 0..60_000 {
            let ping = forged(trunk, trunk.pbx, Method::Options, number);
            trunk.world.send(trunk.pbx, ping);
        }
        trunk.run(0.1);
        assert_eq!(trunk.phone(trunk.pbx).strays.len(), 60_000);
        trunk.phone(trunk.pbx).strays.clear();
        for core in &trunk.world.cores {
            assert_eq!(core.held(), [0; 8]);
        }
        talks(trunk, trunk.pbx);
        talks(trunk, trunk.branch);
    });
}

/// INVITEs of `phone` that it never hears of again: how many were refused.
fn floods(trunk: &mut Trunk, phone: PhoneId, count: usize, number: &str) -> usize {
    let from = trunk.own_number(phone);
    trunk.phone(phone).strays.clear();
    for _ in 0..count {
        let invite =
            trunk.world.with(phone, |phone, _| phone.invite("vc.example.com", from, number, true).build());
        trunk.world.send(phone, invite);
    }
    trunk.run(0.1);
    let heard = &trunk.phone(phone).strays;
    let refused: Vec<_> = heard.iter().filter(|one| one.status().unwrap().code() == 503).collect();
    assert!(refused.iter().all(|one| one.has(Name::RetryAfter)));
    refused.len()
}

/// Refuses each call that rings at the phone.
fn is_busy(trunk: &mut Trunk, phone: PhoneId) {
    for index in 0..trunk.phone(phone).calls.len() {
        let call = &trunk.phone(phone).calls[index];
        if !call.caller && call.stage == Stage::Open {
            trunk.respond(CallId(phone, index), 486);
        }
    }
}

fn has_memory(trunk: &mut Trunk, bytes: u64) {
    trunk.world.cores.iter_mut().for_each(|core| core.has_memory(bytes));
}

/// Calls that wait for their answer: a source has half of what there is for its like, and help is found even then.
#[test]
fn one_source_does_not_keep_the_others_out() {
    over_udp(&[], |trunk| {
        has_memory(trunk, 16 << 20);
        let refused = floods(trunk, trunk.pbx, 200, OUTSIDE);
        assert!((150..170).contains(&refused), "{refused}");
        let emergency = trunk.dial(trunk.pbx, "911");
        trunk.run(0.1);
        let at = trunk.incoming(trunk.east);
        trunk.respond(at, 200);
        trunk.run(0.5);
        assert_eq!(trunk.stage(emergency), Stage::Up);
        talks(trunk, trunk.branch);
        trunk.hang_up(emergency);
        is_busy(trunk, trunk.east);
        trunk.run(1.0);
        // All were answered; their repeats are waited for, and take nobody's room.
        talks(trunk, trunk.pbx);
    });
}

/// Half of every limit is kept for those that have calls up.
#[test]
fn newcomers_do_not_keep_those_out_that_have_calls_up() {
    over_udp(&[], |trunk| {
        has_memory(trunk, 16 << 20);
        let (a, _) = trunk.connect(trunk.branch, OUTSIDE, trunk.east);
        for (source, number) in [(trunk.pbx, OUTSIDE), (trunk.west, BRANCH)] {
            assert!(floods(trunk, source, 80, number) > 30);
        }
        let refused = trunk.dial(trunk.pbx, OUTSIDE);
        trunk.run(0.1);
        assert_eq!(trunk.heard(refused), [503]);
        talks(trunk, trunk.branch);
        // The carrier of that call is one of them, too.
        let inbound = trunk.dial(trunk.east, BRANCH);
        trunk.run(0.1);
        let at = trunk.incoming(trunk.branch);
        trunk.respond(at, 200);
        trunk.run(1.0);
        assert_eq!(trunk.stage(inbound), Stage::Up);
        trunk.hang_up(inbound);
        trunk.hang_up(a);
        trunk.run(1.0);
        is_busy(trunk, trunk.east);
        is_busy(trunk, trunk.branch);
        trunk.run(1.0);
        talks(trunk, trunk.pbx);
    });
}

/// What was refused is kept for repeats as long as there is room, and counts against nobody.
#[test]
fn refusals_are_kept_as_long_as_there_is_room() {
    over_udp(&[("pbx_termination", "denied_prefixes = [\"+1212555\"]")], |trunk| {
        has_memory(trunk, 16 << 20);
        assert_eq!(floods(trunk, trunk.pbx, 5_000, OUTSIDE), 0);
        let answers = trunk.phone(trunk.pbx).strays.iter().map(|one| one.status().unwrap().code());
        assert_eq!(answers.filter(|code| *code == 403).count(), 5_000);
        let kept = trunk.world.cores[0].held()[3];
        assert!((400..1_000).contains(&kept), "{kept}");
        let a = trunk.dial(trunk.pbx, "+12065550101");
        trunk.run(0.1);
        let b = trunk.incoming(trunk.branch);
        trunk.respond(b, 200);
        trunk.run(1.0);
        assert_eq!(trunk.stage(a), Stage::Up);
        trunk.hang_up(a);
        trunk.run(1.0);
    });
}

/// A request that `phone` sent last, once more: what it hears.
fn repeated(trunk: &mut Trunk, phone: PhoneId, method: &Method) -> Option<Message> {
    let name = trunk.phone(phone).name;
    let sent =
        trunk.world.ladder.iter().rev().find(|line| {
            line.from == name && line.message.method().as_ref() == Some(method) && line.to == "gw"
        });
    let request = sent.unwrap().message.clone();
    let before = trunk.world.ladder.len();
    trunk.world.send(phone, request);
    trunk.run(0.1);
    let heard = trunk.world.ladder[before..].iter().find(|line| line.from == "gw");
    heard.map(|line| line.message.clone())
}

/// Calls that were answered and are over are no load: where there is no room for their answers the oldest go, and who
/// repeats the newest hears the same again.
#[test]
fn answered_requests_make_room_for_the_next() {
    over_udp(&[], |trunk| {
        has_memory(trunk, 256 << 10);
        for _ in 0..40 {
            talks(trunk, trunk.pbx);
            assert_eq!(repeated(trunk, trunk.pbx, &Method::Bye).unwrap().status().unwrap().code(), 200);
            let kept = trunk.world.cores[0].held()[3];
            assert!(kept < 40, "{kept}");
        }
        let metrics = trunk.world.metrics.render();
        assert!(!metrics.contains("cause=\"overload\""), "{metrics}");
        let forgotten =
            metrics.lines().find(|line| line.starts_with("voice_connector_transactions_forgotten"));
        let (_, count) = forgotten.unwrap().rsplit_once(' ').unwrap();
        assert!(count.parse::<u32>().unwrap() > 20, "{count}");
    });
}

/// However full it is: a copy that comes late is of the call that is up.
#[test]
fn a_late_copy_of_an_invite_is_no_second_call() {
    over_udp(&[], |trunk| {
        has_memory(trunk, 64 << 10);
        let (a, b) = trunk.connect(trunk.pbx, OUTSIDE, trunk.east);
        for _ in 0..8 {
            talks(trunk, trunk.branch);
            trunk.request(a, Method::Info, None);
            trunk.run(0.2);
        }
        let rung = trunk.phone(trunk.east).calls.len();
        let invite = trunk.call(a).invite.clone();
        trunk.world.send(trunk.pbx, invite);
        trunk.run(1.0);
        assert_eq!(trunk.phone(trunk.east).calls.len(), rung);
        assert_eq!((trunk.stage(a), trunk.stage(b)), (Stage::Up, Stage::Up));
        trunk.hang_up(a);
        trunk.run(1.0);
    });
}
