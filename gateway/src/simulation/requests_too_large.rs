//! A request that is too large for a datagram goes by TCP, and by UDP where no connection is taken. RFC 3261 §18.1.1.

use sip::{Message, Method};

use super::ladder::Line;
use super::phone::Stage;
use super::trunk::{Change, OUTSIDE, Trunk, over_udp};
use crate::peer::Transport;

/// An INVITE with an offer has more bytes than that, and a BYE fewer.
const LIMIT: &[Change] = &[("east_peer", "udp_size_limit = 560"), ("pbx_peer", "udp_size_limit = 560")];

fn transport(message: &Message) -> (String, bool) {
    let via = message.via().unwrap().transport.to_string();
    (via, Trunk::header(message, "Contact").ends_with(";transport=tcp>"))
}

/// How the INVITEs of a call left, and their branches.
fn invites(trunk: &Trunk, call_id: &str) -> Vec<(Transport, String)> {
    let mine = |line: &&Line| {
        line.message.method() == Some(Method::Invite)
            && line.message.call_id().is_ok_and(|own| own == call_id)
    };
    let branch = |line: &Line| line.message.via().unwrap().branch().unwrap().to_owned();
    let all = trunk.world.ladder.iter().filter(mine);
    all.filter_map(|line| Some((line.peer.as_ref()?.transport, branch(line)))).collect()
}

#[test]
fn a_large_invite_goes_by_tcp_and_a_small_bye_by_udp() {
    over_udp(LIMIT, |trunk| {
        trunk.world.takes_tcp(trunk.east);
        let (a, b) = trunk.connect(trunk.pbx, OUTSIDE, trunk.east);
        let invite = trunk.call(b).request(&Method::Invite).unwrap();
        assert!(invite.bytes().len() > 560, "{}", invite.bytes().len());
        assert_eq!(transport(invite), ("TCP".to_owned(), true));
        assert_eq!(trunk.went(b, &Method::Invite).transport, Transport::Tcp);
        // The way of the dialog is the Contact of who answered: by UDP.
        assert_eq!(trunk.went(b, &Method::Ack).transport, Transport::Udp);
        trunk.hang_up(a);
        trunk.run(1.0);
        let bye = trunk.call(b).request(&Method::Bye).unwrap();
        assert!(bye.bytes().len() <= 560, "{}", bye.bytes().len());
        assert_eq!(transport(bye), ("UDP".to_owned(), false));
        assert_eq!((trunk.stage(a), trunk.stage(b)), (Stage::Over, Stage::Over));
        assert_eq!(trunk.received(trunk.west), 0);
    });
}

#[test]
fn a_large_request_inside_a_call_goes_by_tcp_too() {
    over_udp(LIMIT, |trunk| {
        trunk.world.takes_tcp(trunk.pbx);
        trunk.world.takes_tcp(trunk.east);
        let (a, b) = trunk.connect(trunk.pbx, OUTSIDE, trunk.east);
        trunk.request(b, Method::Invite, Some("sendonly"));
        trunk.run(1.0);
        let held = trunk.call(a).request(&Method::Invite).unwrap();
        assert_eq!(transport(held), ("TCP".to_owned(), true));
        assert_eq!(trunk.call(b).statuses(&Method::Invite).last(), Some(&200));
        trunk.hang_up(b);
        trunk.run(1.0);
        assert_eq!((trunk.stage(a), trunk.stage(b)), (Stage::Over, Stage::Over));
    });
}

#[test]
fn who_takes_no_connection_is_asked_by_udp_after_all() {
    over_udp(LIMIT, |trunk| {
        let (a, b) = trunk.connect(trunk.pbx, OUTSIDE, trunk.east);
        assert_eq!(transport(trunk.call(b).request(&Method::Invite).unwrap()), ("UDP".to_owned(), false));
        let sent = invites(trunk, &trunk.call(b).call_id());
        let sent: Vec<Transport> = sent.iter().map(|(transport, _)| *transport).collect();
        assert_eq!(sent, [Transport::Tcp, Transport::Udp]);
        trunk.hang_up(b);
        trunk.run(1.0);
        assert_eq!((trunk.stage(a), trunk.stage(b)), (Stage::Over, Stage::Over));
        // The next one wastes no time on a connection, until a minute has passed.
        for (pause, expected) in [(0.1, &[Transport::Udp][..]), (60.0, &[Transport::Tcp, Transport::Udp])] {
            trunk.run(pause);
            let (a, b) = trunk.connect(trunk.pbx, OUTSIDE, trunk.east);
            let sent = invites(trunk, &trunk.call(b).call_id());
            assert_eq!(sent.iter().map(|(transport, _)| *transport).collect::<Vec<_>>(), expected);
            trunk.hang_up(a);
            trunk.run(1.0);
        }
        // One host was tried, once.
        assert_eq!(trunk.received(trunk.west), 0);
        trunk.finish();
        assert_eq!(trunk.world.details[0].attempts.len(), 1);
    });
}

/// Nobody rings for a caller that gave up before the connection was lost; and a lost one is made up for while he waits.
#[test]
fn only_who_still_waits_is_put_through_by_udp() {
    over_udp(LIMIT, |trunk| {
        trunk.world.takes_tcp(trunk.east);
        for gives_up in [true, false] {
            trunk.phone(trunk.east).habits.deaf = true;
            let a = trunk.dial(trunk.pbx, OUTSIDE);
            trunk.run(0.5);
            if gives_up {
                trunk.cancel(a);
                trunk.run(0.2);
            }
            trunk.world.lose_connections(trunk.east);
            trunk.phone(trunk.east).habits.deaf = false;
            trunk.run(1.0);
            assert_eq!(trunk.received(trunk.east), usize::from(!gives_up));
            if gives_up {
                assert_eq!(trunk.heard(a), [487]);
                continue;
            }
            let b = trunk.incoming(trunk.east);
            let sent: Vec<(Transport, String)> = invites(trunk, &trunk.call(b).call_id());
            let [(Transport::Tcp, first), (Transport::Udp, second)] = &sent[..] else { panic!("{sent:?}") };
            assert_eq!(first, second, "who got it twice knows it by its branch");
            trunk.respond(b, 486);
            trunk.run(1.0);
            assert_eq!(trunk.heard(a), [486]);
        }
        assert_eq!(trunk.received(trunk.west), 0);
    });
}

#[test]
fn without_a_limit_everything_stays_on_udp() {
    over_udp(&[], |trunk| {
        trunk.world.takes_tcp(trunk.east);
        let (a, b) = trunk.connect(trunk.pbx, OUTSIDE, trunk.east);
        assert_eq!(transport(trunk.call(b).request(&Method::Invite).unwrap()), ("UDP".to_owned(), false));
        trunk.hang_up(a);
        trunk.run(1.0);
    });
}

/// A phone that called by UDP holds by TCP, for the size of its request: what it is asked by that connection says so.
#[test]
fn a_phone_that_changes_to_tcp_is_answered_and_asked_there() {
    over_udp(&[], |trunk| {
        let (a, b) = trunk.connect(trunk.pbx, OUTSIDE, trunk.east);
        let phone = trunk.phone(trunk.pbx);
        let branch = phone.branch();
        let info = phone.calls[a.1].dialog.as_mut().unwrap().request(Method::Info);
        let info = info
            .header(sip::Name::Via, format!("SIP/2.0/TCP 10.0.0.1:5060;branch={branch}"))
            .header(sip::Name::MaxForwards, "70");
        trunk.world.send_by_tcp(trunk.pbx, info.build());
        trunk.run(1.0);
        trunk.hang_up(b);
        trunk.run(1.0);
        let bye = trunk.call(a).request(&Method::Bye).unwrap();
        assert_eq!(trunk.went(a, &Method::Bye).transport, Transport::Tcp);
        assert_eq!(bye.via().unwrap().transport, "TCP");
        assert!(Trunk::header(bye, "Contact").starts_with(&format!("<sip:{OUTSIDE}@")));
        assert!(Trunk::header(bye, "Contact").ends_with(";transport=tcp>"), "{bye:?}");
        assert_eq!((trunk.stage(a), trunk.stage(b)), (Stage::Over, Stage::Over));
    });
}
