//! Connections and calls have lives of their own: which one carries what, and what becomes of a call whose connection
//! breaks. RFC 3261 §18.

use std::net::SocketAddr;

use sip::Method;

use super::phone::Stage;
use super::trunk::{OUTSIDE, PBX, Trunk, over_tcp};
use super::world::CallId;
use crate::direction::Direction;
use crate::peer::Transport;

const PBX_AT: &str = "10.0.0.1:5060";
const EAST_AT: &str = "10.0.1.1:5060";

fn address(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

fn is_over(trunk: &Trunk, calls: [CallId; 2]) {
    assert_eq!(calls.map(|call| trunk.stage(call)), [Stage::Over, Stage::Over]);
}

/// Requests in a dialog go by the connection that the peer opened; a new INVITE by one that we dialled.
#[test]
fn dialogs_use_the_peers_connection_and_new_calls_one_of_ours() {
    over_tcp(&[], |trunk| {
        let (a, b) = trunk.connect(trunk.pbx, OUTSIDE, trunk.east);
        let (c, d) = trunk.connect(trunk.east, PBX, trunk.pbx);
        trunk.hang_up(b);
        trunk.hang_up(d);
        trunk.run(1.0);
        let opened = trunk.went(a, &Method::Bye).connection;
        assert!(opened.is_some());
        for (call, at) in [(b, EAST_AT), (d, PBX_AT)] {
            let invite = trunk.went(call, &Method::Invite);
            assert_eq!((invite.connection, invite.remote), (None, address(at)));
            let ack = trunk.went(call, &Method::Ack);
            assert!(ack.connection.is_some() && ack.connection != opened, "the connection that we dialled");
        }
        is_over(trunk, [a, c]);
    });
}

#[test]
fn a_party_whose_connection_is_gone_is_dialled_at_its_contact() {
    over_tcp(&[], |trunk| {
        for hangs_up_first in [true, false] {
            let (a, b) = trunk.connect(trunk.pbx, OUTSIDE, trunk.east);
            trunk.world.lose_connections(trunk.pbx);
            trunk.world.lose_connections(trunk.east);
            let (asks, asked, at) = if hangs_up_first { (a, b, EAST_AT) } else { (b, a, PBX_AT) };
            trunk.request(asks, Method::Invite, Some("sendonly"));
            trunk.run(1.0);
            assert_eq!(trunk.call(asks).statuses(&Method::Invite).last(), Some(&200));
            assert_eq!(trunk.went(asked, &Method::Invite).remote, address(at));
            trunk.hang_up(asks);
            trunk.run(1.0);
            is_over(trunk, [a, b]);
        }
    });
}

/// Its Contact names a transport that it did not come by: the address is still the best there is.
#[test]
fn a_party_whose_contact_is_of_another_transport_is_dialled_there_by_its_own() {
    over_tcp(&[], |trunk| {
        trunk.phone(trunk.pbx).contact_uri = Some("sip:pbx@10.0.0.1:5060;transport=udp");
        let (a, b) = trunk.connect(trunk.pbx, OUTSIDE, trunk.east);
        trunk.world.lose_connections(trunk.pbx);
        trunk.hang_up(b);
        trunk.run(1.0);
        let bye = trunk.went(a, &Method::Bye);
        assert_eq!((bye.remote, bye.transport), (address(PBX_AT), Transport::Tcp));
        is_over(trunk, [a, b]);
    });
}

/// A callee behind NAT that talked by a connection of its own: its Contact leads nowhere, what we dialled does.
#[test]
fn what_was_dialled_before_is_dialled_again() {
    over_tcp(&[], |trunk| {
        trunk.world.hides_at(trunk.east, "172.16.0.9:5060");
        trunk.world.sends_from(trunk.east, EAST_AT);
        let (a, b) = trunk.connect(trunk.pbx, OUTSIDE, trunk.east);
        trunk.request(b, Method::Info, Some("Signal=1"));
        trunk.run(1.0);
        assert_eq!(trunk.call(b).statuses(&Method::Info), [200]);
        trunk.world.lose_connections(trunk.east);
        trunk.hang_up(a);
        trunk.run(1.0);
        assert_eq!(trunk.went(b, &Method::Bye).remote, address(EAST_AT));
        is_over(trunk, [a, b]);
    });
}

/// The firewall forgot the connection: what was written into it never arrived.
#[test]
fn a_bye_that_its_connection_lost_is_said_again() {
    over_tcp(&[], |trunk| {
        for callee_hangs_up in [true, false] {
            let (a, b) = trunk.connect(trunk.pbx, OUTSIDE, trunk.east);
            let (hangs_up, hears) = if callee_hangs_up { (b, a) } else { (a, b) };
            trunk.phone(hears.0).habits.deaf = true;
            trunk.hang_up(hangs_up);
            trunk.run(0.1);
            trunk.phone(hears.0).habits.deaf = false;
            trunk.world.lose_connections(hears.0);
            trunk.run(1.0);
            assert_eq!(trunk.call(hangs_up).statuses(&Method::Bye), [200]);
            is_over(trunk, [a, b]);
        }
    });
}

#[test]
fn a_call_goes_on_when_a_connection_breaks_under_a_request() {
    over_tcp(&[], |trunk| {
        for method in [Method::Info, Method::Update, Method::Invite] {
            let (a, b) = trunk.connect(trunk.pbx, OUTSIDE, trunk.east);
            trunk.phone(b.0).habits.deaf = true;
            trunk.request(a, method.clone(), Some("sendonly"));
            trunk.run(0.1);
            trunk.phone(b.0).habits.deaf = false;
            trunk.world.lose_connections(b.0);
            trunk.run(1.0);
            assert_eq!(trunk.call(a).statuses(&method).last(), Some(&200), "{method}");
            assert_eq!((trunk.stage(a), trunk.stage(b)), (Stage::Up, Stage::Up), "{method}");
            trunk.hang_up(b);
            trunk.run(1.0);
            is_over(trunk, [a, b]);
        }
    });
}

/// The callee had the re-INVITE and was thinking: it is cancelled there and asked again.
#[test]
fn a_call_goes_on_when_a_connection_breaks_under_a_reinvite_that_is_pending() {
    over_tcp(&[], |trunk| {
        let (a, b) = trunk.connect(trunk.pbx, OUTSIDE, trunk.east);
        trunk.phone(b.0).habits.renegotiates = None;
        trunk.request(a, Method::Invite, Some("sendonly"));
        trunk.run(1.0);
        trunk.phone(b.0).habits.renegotiates = Some(200);
        trunk.world.lose_connections(b.0);
        trunk.run(1.0);
        assert_eq!(trunk.call(b).requests(), ["INVITE", "ACK", "INVITE", "CANCEL", "INVITE", "ACK"]);
        assert_eq!(trunk.call(a).statuses(&Method::Invite).last(), Some(&200));
        trunk.hang_up(a);
        trunk.run(1.0);
        is_over(trunk, [a, b]);
    });
}

/// The same, and its answer crosses our CANCEL: it has its ACK, or it would end the call for want of it.
#[test]
fn an_answer_that_crosses_the_repeated_reinvite_is_acknowledged() {
    over_tcp(&[], |trunk| {
        let (a, b) = trunk.connect(trunk.pbx, OUTSIDE, trunk.east);
        trunk.phone(b.0).habits.renegotiates = None;
        trunk.request(a, Method::Invite, Some("sendonly"));
        trunk.run(1.0);
        trunk.world.lose_connections(b.0);
        trunk.phone(b.0).habits.renegotiates = Some(200);
        trunk.world.with(b.0, |phone, now| phone.answer_offer(now, b.1, 200));
        trunk.run(1.0);
        let requests = trunk.call(b).requests();
        let acks = requests.iter().filter(|method| *method == "ACK").count();
        assert_eq!(acks, 3, "{requests:?}");
        assert_eq!(trunk.call(a).statuses(&Method::Invite).last(), Some(&200));
        trunk.run(40.0);
        assert_eq!((trunk.stage(a), trunk.stage(b)), (Stage::Up, Stage::Up));
        trunk.hang_up(a);
        trunk.run(1.0);
    });
}

/// Who cannot be dialled either is gone: the other side is told why, and hung up.
#[test]
fn a_call_ends_when_its_party_cannot_be_reached_any_more() {
    over_tcp(&[], |trunk| {
        let (a, b) = trunk.connect(trunk.pbx, OUTSIDE, trunk.east);
        trunk.world.takes_no_connections(trunk.east);
        trunk.world.lose_connections(trunk.east);
        trunk.request(a, Method::Info, Some("Signal=1"));
        trunk.run(1.0);
        assert_eq!(trunk.call(a).statuses(&Method::Info), [502]);
        assert_eq!(trunk.stage(a), Stage::Over);
        let bye = trunk.call(a).request(&Method::Bye).unwrap();
        assert_eq!(Trunk::header(bye, "Reason"), "SIP;cause=502;text=\"The other side can't be reached\"");
        trunk.finish();
        let cdr = trunk.cdr("pbx", Direction::Outbound);
        assert_eq!(cdr.status_message, "502 The other side can't be reached");
        assert!(cdr.answered_at.is_some());
        assert_eq!(trunk.stage(b), Stage::Up, "nobody could tell it");
    });
}

/// Before anything was heard of it, the next carrier is tried at once.
#[test]
fn a_carrier_that_closes_on_an_invite_is_left_for_the_next() {
    over_tcp(&[], |trunk| {
        trunk.phone(trunk.east).habits.deaf = true;
        let a = trunk.dial(trunk.pbx, OUTSIDE);
        trunk.run(0.1);
        trunk.world.lose_connections(trunk.east);
        trunk.run(0.5);
        let b = trunk.incoming(trunk.west);
        trunk.respond(b, 200);
        trunk.run(0.5);
        assert_eq!((trunk.stage(a), trunk.stage(b)), (Stage::Up, Stage::Up));
        trunk.hang_up(a);
        trunk.run(1.0);
    });
}

/// It was heard of, but has not rung: it is cancelled, and the next one tried at once.
#[test]
fn a_carrier_that_closes_while_it_is_trying_is_left_for_the_next() {
    over_tcp(&[], |trunk| {
        let (a, east) = trunk.reach(trunk.pbx, OUTSIDE, trunk.east);
        trunk.world.lose_connections(trunk.east);
        trunk.run(0.5);
        assert_eq!(trunk.call(east).requests(), ["INVITE", "CANCEL"]);
        let west = trunk.incoming(trunk.west);
        trunk.respond(west, 200);
        trunk.run(0.5);
        assert_eq!((trunk.stage(a), trunk.stage(west)), (Stage::Up, Stage::Up));
        trunk.hang_up(a);
        trunk.run(1.0);
    });
}

/// The connection died over night, and nobody noticed before the first call of the day. There is no other route.
#[test]
fn a_call_into_a_dead_connection_is_placed_again_by_a_new_one() {
    over_tcp(&[], |trunk| {
        let (yesterday, _) = trunk.connect(trunk.east, PBX, trunk.pbx);
        trunk.hang_up(yesterday);
        trunk.run(60.0);
        trunk.phone(trunk.pbx).habits.deaf = true;
        let a = trunk.dial(trunk.east, PBX);
        trunk.run(0.1);
        trunk.phone(trunk.pbx).habits.deaf = false;
        trunk.world.lose_connections(trunk.pbx);
        trunk.run(0.5);
        let b = trunk.incoming(trunk.pbx);
        assert_eq!(trunk.call(b).requests(), ["INVITE"]);
        trunk.respond(b, 200);
        trunk.run(0.5);
        assert_eq!((trunk.stage(a), trunk.stage(b)), (Stage::Up, Stage::Up));
        trunk.hang_up(a);
        trunk.run(0.5);
    });
}

/// Who refuses the new one too is not asked a third time.
#[test]
fn a_host_that_refuses_twice_is_given_up() {
    over_tcp(&[], |trunk| {
        trunk.world.takes_no_connections(trunk.pbx);
        let a = trunk.dial(trunk.east, PBX);
        trunk.run(0.1);
        assert_eq!(trunk.heard(a), [502]);
        let invites = trunk.world.ladder.iter().filter(|line| line.to == "nobody");
        let marks: Vec<_> =
            invites.map(|line| (line.message.call_id().unwrap(), line.message.cseq())).collect();
        assert!(marks.len() == 2 && marks[0] == marks[1], "{marks:?}");
    });
}

/// Its phone rings: it is cancelled by a new connection, and the caller hears why.
#[test]
fn a_carrier_that_closes_while_it_rings_is_cancelled() {
    over_tcp(&[], |trunk| {
        let (a, b) = trunk.reach(trunk.pbx, OUTSIDE, trunk.east);
        trunk.respond(b, 180);
        trunk.run(1.0);
        trunk.world.lose_connections(trunk.east);
        trunk.run(1.0);
        assert_eq!(trunk.heard(a), [180, 502]);
        assert_eq!(trunk.call(b).requests(), ["INVITE", "CANCEL"]);
        is_over(trunk, [a, b]);
        assert_eq!(trunk.received(trunk.west), 0, "the caller has heard it ring");
        trunk.finish();
        let cdr = trunk.cdr("pbx", Direction::Outbound);
        let text = "502 No route took the call: unreachable";
        assert_eq!((cdr.status_message.as_str(), cdr.answered_at), (text, None));
    });
}

/// It answers at the same moment, by a connection of its own: the next carrier has the call, so it is released.
#[test]
fn a_carrier_that_answers_by_another_connection_after_it_was_left_is_released() {
    over_tcp(&[], |trunk| {
        let (a, east) = trunk.reach(trunk.pbx, "911", trunk.east);
        trunk.respond(east, 180);
        trunk.run(1.0);
        trunk.world.lose_connections(trunk.east);
        trunk.respond(east, 200);
        trunk.run(1.0);
        assert_eq!(trunk.stage(east), Stage::Over);
        assert!(trunk.call(east).requests().ends_with(&["ACK", "BYE"].map(str::to_owned)));
        let west = trunk.incoming(trunk.west);
        trunk.respond(west, 200);
        trunk.run(1.0);
        assert_eq!((trunk.stage(a), trunk.stage(west)), (Stage::Up, Stage::Up));
        trunk.hang_up(a);
        trunk.run(1.0);
    });
}

/// RFC 3261 §18.2.2: the answer is brought to where the caller says that it listens.
#[test]
fn a_caller_that_lost_its_connection_while_it_rang_is_dialled_with_the_answer() {
    over_tcp(&[], |trunk| {
        let (a, b) = trunk.reach(trunk.pbx, OUTSIDE, trunk.east);
        trunk.respond(b, 180);
        trunk.run(1.0);
        trunk.world.lose_connections(trunk.pbx);
        trunk.respond(b, 200);
        trunk.run(1.0);
        assert_eq!(trunk.heard(a), [180, 200]);
        assert_eq!((trunk.stage(a), trunk.stage(b)), (Stage::Up, Stage::Up));
        trunk.hang_up(b);
        trunk.run(1.0);
        is_over(trunk, [a, b]);
    });
}

/// It gives up by a new connection: the callee stops ringing, and the refusal is brought to where the caller listens.
#[test]
fn a_caller_that_lost_its_connection_while_it_rang_cancels_by_another() {
    over_tcp(&[], |trunk| {
        let (a, b) = trunk.reach(trunk.pbx, OUTSIDE, trunk.east);
        trunk.respond(b, 180);
        trunk.run(1.0);
        trunk.world.lose_connections(trunk.pbx);
        trunk.cancel(a);
        trunk.run(1.0);
        assert_eq!(trunk.heard(a), [180, 487]);
        assert_eq!(trunk.call(b).requests(), ["INVITE", "CANCEL"]);
    });
}

/// A NAT without a way in: its side hears nothing any more, but everybody else does, and nothing is held for it.
#[test]
fn a_caller_behind_nat_that_lost_its_connection_is_given_up() {
    over_tcp(&[], |trunk| {
        trunk.world.hides_at(trunk.pbx, "192.168.7.2:5060");
        trunk.world.sends_from(trunk.pbx, "10.0.0.1:51000");
        let (a, b) = trunk.connect(trunk.pbx, OUTSIDE, trunk.east);
        trunk.world.lose_connections(trunk.pbx);
        trunk.hang_up(b);
        trunk.run(1.0);
        assert_eq!(trunk.call(b).statuses(&Method::Bye), [200]);
        assert_eq!(trunk.went(a, &Method::Bye).remote, address("192.168.7.2:5060"));
        assert!(trunk.world.cores.iter().all(|core| core.live_calls() == 0));
        // The phone comes back with a word about a call that is over.
        trunk.request(a, Method::Info, Some("Signal=1"));
        trunk.run(1.0);
        assert_eq!(trunk.call(a).statuses(&Method::Info), [481]);
    });
}

/// Nobody can bring it the answer: the callee is hung up when the ACK has not come in time.
#[test]
fn a_caller_that_vanished_while_it_rang_costs_the_callee_half_a_minute() {
    over_tcp(&[], |trunk| {
        let (a, b) = trunk.reach(trunk.pbx, OUTSIDE, trunk.east);
        trunk.respond(b, 180);
        trunk.run(1.0);
        trunk.world.takes_no_connections(trunk.pbx);
        trunk.world.lose_connections(trunk.pbx);
        trunk.respond(b, 200);
        trunk.run(33.0);
        assert_eq!(trunk.stage(b), Stage::Over);
        let bye = trunk.call(b).request(&Method::Bye).unwrap();
        assert_eq!(Trunk::header(bye, "Reason"), "SIP;cause=408;text=\"ACK missing\"");
        assert_eq!(trunk.heard(a), [180]);
        trunk.finish();
        assert_eq!(trunk.cdr("pbx", Direction::Outbound).status_message, "408 ACK missing");
    });
}
