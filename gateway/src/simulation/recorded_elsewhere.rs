//! A connector has recording servers: each call of its is sent to one of them, by a session of its own that the call never hears of.

use sip::sdp::{Direction as Way, Sdp};
use sip::siprec::{DataMode, Metadata};
use sip::{Message, Method};

use super::phone::Stage;
use super::trunk::{Change, OUTSIDE, Trunk, over_udp};
use super::world::{CallId, PhoneId};
use crate::direction::Direction;
use crate::media::Command;
use crate::peer::Transport;

const SERVERS: &str =
    "siprec = { server = [{ host = \"10.0.2.2\", priority = 2 }, { host = \"10.0.2.1\" }] }";
const CONTINUE: Change = ("pbx", SERVERS);
const REFUSE: Change = (
    "pbx",
    "siprec = { server = [{ host = \"10.0.2.1\" }, { host = \"10.0.2.2\" }], on_failure = \"refuse\" }",
);

fn servers(trunk: &mut Trunk) -> [PhoneId; 2] {
    [("first", "10.0.2.1:5060"), ("second", "10.0.2.2:5060")]
        .map(|(name, at)| trunk.world.phone(name, at, Transport::Udp))
}

/// Where the copies of what is said go, as the media workers know it: from which session to which.
fn copied(trunk: &Trunk) -> Vec<bool> {
    let copy = |command: &Command| match command {
        Command::Copy { key, to } => {
            assert!(to.is_none_or(|to| to.recorder() == key.recorder() && to.is_recorder()));
            Some(to.is_some())
        }
        _ => None,
    };
    trunk.world.media_log.iter().filter_map(|(_, command)| copy(command)).collect()
}

fn sdp(message: &Message) -> Sdp {
    let body = message.body();
    let start = body.windows(4).position(|four| four == b"v=0\r").unwrap();
    let length = body[start..].windows(4).position(|four| four == b"\r\n--").unwrap();
    Sdp::parse(&body[start..start + length]).unwrap()
}

fn ends(trunk: &mut Trunk, a: CallId) {
    trunk.hang_up(a);
    trunk.run(2.0);
    let record = trunk.cdr("pbx", Direction::Outbound);
    assert_eq!(record.status_message, "OK");
}

#[test]
fn the_first_server_is_told_who_speaks_in_which_stream_and_hears_of_hold_and_end() {
    over_udp(&[CONTINUE], |trunk| {
        let [first, second] = servers(trunk);
        let (a, b) = trunk.connect(trunk.pbx, OUTSIDE, trunk.east);
        let session = trunk.incoming(first);
        let invite = trunk.call(session).invite.clone();
        assert_eq!(Trunk::header(&invite, "Require"), "siprec");
        assert!(Trunk::header(&invite, "Contact").ends_with(";+sip.src"));
        let streams: Vec<_> = sdp(&invite)
            .streams()
            .iter()
            .map(|one| (one.label.clone().unwrap().to_string(), one.direction, one.port != 0))
            .collect();
        assert_eq!(streams, [("1".to_owned(), Way::SendOnly, true), ("2".to_owned(), Way::SendOnly, true)]);
        let metadata = Metadata::of(&invite).unwrap().unwrap();
        let speaker = |label: &str| metadata.speaker(label).unwrap().aor().unwrap().to_owned();
        assert_eq!(
            [speaker("1"), speaker("2")],
            ["sip:+12065550100@vc.example.com", &format!("sip:{OUTSIDE}@vc.example.com")]
        );
        assert!(copied(trunk).is_empty());
        trunk.respond(session, 200);
        trunk.run(0.5);
        assert_eq!((copied(trunk), trunk.stage(session)), (vec![true], Stage::Up));
        trunk.request(a, Method::Invite, Some("sendonly"));
        trunk.run(1.0);
        let update = trunk.call(session).request(&Method::Update).unwrap();
        let news = Metadata::of(update).unwrap().unwrap();
        assert_eq!((news.mode, news.flows.len()), (DataMode::Partial, 2));
        let hears: Vec<usize> = news.flows.iter().map(|flow| flow.receives.len()).collect();
        assert_eq!(hears, [0, 1]);
        ends(trunk, a);
        assert_eq!((trunk.stage(session), trunk.stage(b)), (Stage::Over, Stage::Over));
        assert_eq!((copied(trunk), trunk.received(second)), (vec![true, false], 0));
    });
}

#[test]
fn a_server_that_refuses_is_silent_or_hangs_up_leaves_the_call_to_the_next() {
    over_udp(&[CONTINUE], |trunk| {
        let [first, second] = servers(trunk);
        let (a, _) = trunk.connect(trunk.pbx, OUTSIDE, trunk.east);
        trunk.respond(trunk.incoming(first), 486);
        trunk.run(0.5);
        let session = trunk.incoming(second);
        trunk.respond(session, 200);
        trunk.run(0.5);
        assert_eq!(copied(trunk), [true]);
        ends(trunk, a);
    });
    over_udp(&[CONTINUE], |trunk| {
        let [first, second] = servers(trunk);
        let (a, _) = trunk.connect(trunk.pbx, OUTSIDE, trunk.east);
        let slow = trunk.incoming(first);
        trunk.run(10.0);
        let session = trunk.incoming(second);
        trunk.respond(session, 200);
        trunk.respond(slow, 200);
        trunk.run(1.0);
        // It accepts too late.
        assert_eq!(trunk.stage(slow), Stage::Over);
        trunk.hang_up(session);
        trunk.run(1.0);
        assert_eq!((copied(trunk), trunk.stage(a)), (vec![true, false], Stage::Up));
        ends(trunk, a);
    });
}

#[test]
fn a_call_that_nobody_records_goes_on_or_not_as_the_operator_says() {
    for (change, goes_on) in [(CONTINUE, true), (REFUSE, false)] {
        over_udp(&[change], |trunk| {
            let [first, second] = servers(trunk);
            let (a, b) = trunk.connect(trunk.pbx, OUTSIDE, trunk.east);
            for server in [first, second] {
                trunk.respond(trunk.incoming(server), 603);
                trunk.run(0.5);
            }
            assert_eq!(trunk.stage(a) == Stage::Up, goes_on);
            if goes_on {
                trunk.hang_up(b);
            }
            trunk.run(2.0);
            assert_eq!((trunk.stage(a), copied(trunk).len()), (Stage::Over, 0));
        });
        // Who calls for help is not hung up.
        over_udp(&[change], |trunk| {
            let (a, _) = trunk.connect(trunk.pbx, "911", trunk.east);
            trunk.run(80.0);
            assert_eq!(trunk.stage(a), Stage::Up);
            trunk.hang_up(a);
            trunk.run(1.0);
        });
    }
}

/// The ACK of a late offer brings the caller's description: there is nothing to record before it.
#[test]
fn a_call_whose_ack_answers_is_recorded_from_then_on() {
    for records in [true, false] {
        over_udp(&[REFUSE], |trunk| {
            let [first, second] = servers(trunk);
            let a = trunk.dial_without_offer(trunk.pbx, OUTSIDE);
            trunk.phone(a.0).calls[a.1].acknowledges = false;
            trunk.run(0.5);
            let b = trunk.incoming(trunk.east);
            trunk.respond(b, 200);
            trunk.run(1.0);
            assert_eq!(trunk.received(first), 0);
            trunk.world.with(a.0, |phone, now| phone.acknowledge(now, a.1));
            trunk.run(0.5);
            if records {
                let session = trunk.incoming(first);
                assert_eq!(sdp(&trunk.call(session).invite).streams().len(), 2);
                trunk.respond(session, 200);
                trunk.run(0.5);
                assert_eq!((copied(trunk), trunk.stage(a)), (vec![true], Stage::Up));
                return ends(trunk, a);
            }
            for server in [first, second] {
                trunk.respond(trunk.incoming(server), 603);
                trunk.run(0.5);
            }
            trunk.run(2.0);
            assert_eq!((trunk.stage(a), trunk.stage(b)), (Stage::Over, Stage::Over));
        });
    }
}

/// Fax is not recorded, and no reason to hang up; once it is a call, it is recorded.
#[test]
fn a_fax_goes_on_and_is_recorded_once_somebody_speaks() {
    fn fax(sdp: &[u8]) -> (String, bytes::Bytes) {
        let text = String::from_utf8_lossy(sdp);
        let session = text.split("m=").next().unwrap();
        let described = format!("{session}m=image 40000 udptl t38\r\na=T38FaxVersion:0\r\n");
        ("application/sdp".to_owned(), described.into())
    }
    over_udp(&[REFUSE], |trunk| {
        let [first, _] = servers(trunk);
        for phone in [trunk.pbx, trunk.east] {
            trunk.phone(phone).wraps = Some(fax);
        }
        let (a, b) = trunk.connect(trunk.pbx, OUTSIDE, trunk.east);
        assert_eq!((trunk.stage(a), trunk.received(first)), (Stage::Up, 0));
        for phone in [trunk.pbx, trunk.east] {
            trunk.phone(phone).wraps = None;
        }
        trunk.request(b, Method::Invite, Some("sendrecv"));
        trunk.run(0.5);
        trunk.respond(trunk.incoming(first), 200);
        trunk.run(0.5);
        assert_eq!((copied(trunk), trunk.stage(a)), (vec![true], Stage::Up));
        ends(trunk, a);
    });
}

/// A server that is gone is noticed when it is told something.
#[test]
fn a_server_that_is_gone_in_mid_call_leaves_the_call_to_the_next() {
    for says in [Some(481), Some(408), None] {
        over_udp(&[REFUSE], |trunk| {
            let [first, second] = servers(trunk);
            let (a, b) = trunk.connect(trunk.pbx, OUTSIDE, trunk.east);
            let session = trunk.incoming(first);
            trunk.respond(session, 200);
            trunk.run(0.5);
            let habits = &mut trunk.phone(first).habits;
            (habits.renegotiates, habits.deaf) = (says, says.is_none());
            trunk.request(a, Method::Invite, Some("sendonly"));
            for _ in 0..80 {
                if trunk.received(second) == 0 {
                    trunk.run(1.0);
                }
            }
            trunk.phone(first).habits.deaf = false;
            let next = trunk.incoming(second);
            trunk.respond(next, 200);
            trunk.run(5.0);
            assert_eq!((copied(trunk), trunk.stage(a)), (vec![true, false, true], Stage::Up), "{says:?}");
            assert_eq!((trunk.stage(session), trunk.stage(next)), (Stage::Over, Stage::Up), "{says:?}");
            // Nobody is left that could record it.
            trunk.phone(second).habits.renegotiates = Some(481);
            trunk.request(a, Method::Invite, Some("sendrecv"));
            trunk.run(2.0);
            assert_eq!((trunk.stage(a), trunk.stage(b)), (Stage::Over, Stage::Over), "{says:?}");
            assert_eq!(copied(trunk), [true, false, true, false], "{says:?}");
        });
    }
}

#[test]
fn what_a_fork_of_a_server_answers_too_is_ended() {
    over_udp(&[CONTINUE], |trunk| {
        let [first, second] = servers(trunk);
        let (a, _) = trunk.connect(trunk.pbx, OUTSIDE, trunk.east);
        let session = trunk.incoming(first);
        trunk.respond(session, 200);
        trunk.respond_as(session, 200, "second");
        trunk.run(1.0);
        let heard = trunk.call(session).heard.iter();
        let to_second = heard.filter(|one| one.to_tag().as_deref() == Some("second"));
        let to_second: Vec<_> = to_second.map(|one| one.method().unwrap().to_string()).collect();
        assert_eq!(to_second, ["ACK", "BYE"]);
        assert_eq!((copied(trunk), trunk.stage(session)), (vec![true], Stage::Up));
        ends(trunk, a);
        assert_eq!((trunk.stage(session), trunk.received(second)), (Stage::Over, 0));
    });
}

#[test]
fn a_call_that_ends_before_a_server_accepts_takes_its_session_with_it() {
    for accepts in [true, false] {
        over_udp(&[CONTINUE], |trunk| {
            let [first, second] = servers(trunk);
            let (a, _) = trunk.connect(trunk.pbx, OUTSIDE, trunk.east);
            let session = trunk.incoming(first);
            trunk.respond(session, 180);
            trunk.run(0.5);
            trunk.hang_up(a);
            if accepts {
                trunk.respond(session, 200);
            }
            trunk.run(2.0);
            assert_eq!((trunk.stage(session), trunk.received(second)), (Stage::Over, 0));
            assert!(!copied(trunk).contains(&true));
        });
    }
}

/// Phones that transfer, and answer what they are offered inside a call.
fn answering(trunk: &mut Trunk) {
    for phone in [trunk.pbx, trunk.east, trunk.west] {
        trunk.phone(phone).habits.renegotiates = Some(200);
        trunk.phone(phone).abilities.refer = true;
    }
}

/// Who is transferred goes to a call of its own, which has a recording of its own; where a party takes another one's place in a
/// call, the server is told who.
#[test]
fn a_transferred_party_is_recorded_where_it_goes() {
    over_udp(&[CONTINUE, ("pbx_peer", "refer = \"handle\"")], |trunk| {
        let [first, _] = servers(trunk);
        answering(trunk);
        let (a, b) = trunk.connect(trunk.pbx, OUTSIDE, trunk.east);
        let before = trunk.incoming(first);
        trunk.respond(before, 200);
        trunk.run(0.5);
        trunk.refer(a, "sip:+12125550177@vc.example.com");
        trunk.run(1.0);
        let target = trunk.incoming(trunk.east);
        assert_ne!(target, b);
        trunk.respond(target, 200);
        trunk.run(2.0);
        let after = trunk.incoming(first);
        assert_ne!(after, before);
        trunk.respond(after, 200);
        trunk.run(1.0);
        assert_eq!((trunk.stage(before), trunk.stage(after)), (Stage::Over, Stage::Up));
        trunk.hang_up(target);
        trunk.run(2.0);
        assert_eq!(trunk.stage(after), Stage::Over);
    });
}

#[test]
fn who_comes_by_an_attended_transfer_is_named() {
    over_udp(&[CONTINUE, ("pbx_peer", "refer = \"handle\"")], |trunk| {
        let [first, _] = servers(trunk);
        answering(trunk);
        let (one, customer) = trunk.connect(trunk.pbx, OUTSIDE, trunk.east);
        let (two, colleague) = trunk.connect(trunk.pbx, "+12125550177", trunk.east);
        let sessions: Vec<CallId> = (0..2).map(|index| CallId(first, index)).collect();
        for session in &sessions {
            trunk.respond(*session, 200);
        }
        trunk.run(0.5);
        trunk.refer_attended(one, two, "sip:+12125550177@vc.example.com");
        trunk.run(3.0);
        let told: Vec<Metadata> = sessions
            .iter()
            .filter_map(|session| Metadata::of(trunk.call(*session).request(&Method::Update)?)?.ok())
            .collect();
        let named: Vec<&str> =
            told.iter().flat_map(|news| &news.participants).filter_map(|one| one.aor()).collect();
        assert!(named.iter().any(|aor| aor.starts_with(&format!("sip:{OUTSIDE}@"))), "{told:?}");
        let news = told.iter().find(|news| !news.participants.is_empty()).unwrap();
        assert!(news.attendances[0].period.until.is_some() && news.attendances[1].period.until.is_none());
        trunk.hang_up(colleague);
        trunk.run(2.0);
        assert_eq!(trunk.stage(customer), Stage::Over);
        assert!(sessions.iter().all(|session| trunk.stage(*session) == Stage::Over));
    });
}
