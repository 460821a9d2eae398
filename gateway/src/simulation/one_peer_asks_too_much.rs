//! What a listed peer can make the gateway hold has a limit.

use std::collections::HashSet;

use sip::{Builder, Method, Name, StatusCode};

use super::phone::Stage;
use super::trunk::{OUTSIDE, over_udp};
use crate::record::Direction;

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
            tags.filter(|tag| tag.starts_with("fork")).collect()
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

/// Half of the table of transactions is for one source at most, and help is found even then.
#[test]
fn one_source_does_not_keep_the_others_out() {
    over_udp(&[], |trunk| {
        let pbx = trunk.phone(trunk.pbx).contact();
        let (via, from) = (trunk.phone(trunk.pbx).via("z9hG4bKBRANCH"), "<sip:a@b>;tag=1");
        for number in 0..25_000 {
            let ping = Builder::request(Method::Options, "sip:vc.example.com")
                .header(Name::Via, via.replace("BRANCH", &number.to_string()))
                .header(Name::MaxForwards, "70")
                .header(Name::From, from)
                .header(Name::To, "<sip:c@d>")
                .header(Name::CallId, number.to_string())
                .header(Name::CSeq, "1 OPTIONS")
                .header(Name::Contact, pbx.as_str());
            trunk.world.send(trunk.pbx, ping.build());
        }
        trunk.run(0.1);
        let refused = trunk.dial(trunk.pbx, OUTSIDE);
        let emergency = trunk.dial(trunk.pbx, "911");
        let other = trunk.dial(trunk.branch, OUTSIDE);
        trunk.run(0.5);
        assert_eq!(trunk.heard(refused), [503]);
        assert!(trunk.call(refused).response(503).unwrap().has(Name::RetryAfter));
        assert_eq!(trunk.received(trunk.east), 2);
        for index in [0, 1] {
            trunk.respond(super::world::CallId(trunk.east, index), 200);
        }
        trunk.run(1.0);
        assert_eq!((trunk.stage(emergency), trunk.stage(other)), (Stage::Up, Stage::Up));
        trunk.hang_up(emergency);
        trunk.hang_up(other);
        trunk.run(1.0);
        assert_eq!((trunk.stage(emergency), trunk.stage(other)), (Stage::Over, Stage::Over));
    });
}
