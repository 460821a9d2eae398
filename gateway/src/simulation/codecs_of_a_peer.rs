//! The operator says which codecs a party speaks: nothing else is offered to it, nor taken from it.

use sip::sdp::Sdp;
use sip::{Message, Method};

use super::phone::{STREAMS, Stage};
use super::trunk::{Change, OUTSIDE, PBX, Trunk, everywhere, everywhere_with};
use super::world::CallId;
use crate::direction::Direction;

/// A PBX that speaks a good deal, each codec under a number of its own.
const MUCH: &str = "m=audio 40000 RTP/AVP 96 9 8 0 13 111 101\r\na=rtpmap:96 opus/48000/2\r\na=fmtp:96 useinbandfec=1\r\n\
                    a=rtpmap:111 iLBC/8000\r\na=fmtp:111 mode=30\r\na=rtpmap:101 telephone-event/8000\r\n\
                    a=fmtp:101 0-16\r\na=ptime:20\r\n";
const PCMA_ONLY: &str = "m=audio 40000 RTP/AVP 8 101\r\na=rtpmap:101 telephone-event/8000\r\n";

/// The list is in another order and case than the offer.
const EAST: Change = ("east_peer", "codecs = [\"pcma\", \"OPUS\"]");

/// The formats of the audio line, and the payload types that attributes are about.
fn formats(message: &Message) -> (String, Vec<String>) {
    let sdp = String::from_utf8(Sdp::parse(message.body()).unwrap().to_bytes().to_vec()).unwrap();
    let line = sdp.lines().find_map(|line| line.strip_prefix("m=audio ")).unwrap();
    let formats = line.splitn(3, ' ').nth(2).unwrap().to_owned();
    let about = sdp.lines().filter_map(|line| {
        let (name, value) = line.strip_prefix("a=")?.split_once(':')?;
        matches!(name, "rtpmap" | "fmtp").then(|| value.split(' ').next().unwrap_or_default().to_owned())
    });
    (formats, about.collect())
}

fn invite(trunk: &Trunk, call: CallId) -> &Message {
    trunk.call(call).request(&Method::Invite).unwrap()
}

/// Order, payload types and parameters are the offerer's; events and comfort noise go along.
#[test]
fn only_what_the_party_speaks_is_offered() {
    everywhere_with(&[EAST], |trunk| {
        trunk.phone(trunk.pbx).streams = MUCH;
        trunk.phone(trunk.east).streams = PCMA_ONLY;
        let (a, b) = trunk.connect(trunk.pbx, OUTSIDE, trunk.east);
        let about = ["96", "96", "101", "101"].map(str::to_owned).to_vec();
        assert_eq!(formats(invite(trunk, b)), ("96 8 13 101".to_owned(), about.clone()));
        // The answer is the answerer's own, whatever the list says.
        let answer = trunk.call(a).response(200).unwrap();
        assert_eq!(formats(answer), ("8 101".to_owned(), vec!["101".to_owned()]));
        trunk.request(a, Method::Invite, Some("sendonly"));
        trunk.run(1.0);
        assert_eq!(formats(invite(trunk, b)), ("96 8 13 101".to_owned(), about));
        trunk.hang_up(a);
        trunk.run(1.0);
    });
}

/// The party is not asked either for what it should not offer: from its side the same list holds.
#[test]
fn only_what_the_party_speaks_is_taken_from_it() {
    everywhere_with(&[EAST], |trunk| {
        trunk.phone(trunk.east).streams = MUCH;
        trunk.phone(trunk.pbx).streams = PCMA_ONLY;
        let (a, b) = trunk.connect(trunk.east, PBX, trunk.pbx);
        assert_eq!(formats(invite(trunk, b)).0, "96 8 13 101");
        // Its re-INVITE, and an offer in its answer, are no other.
        trunk.request(a, Method::Invite, Some("sendonly"));
        trunk.run(1.0);
        assert_eq!(formats(invite(trunk, b)).0, "96 8 13 101");
        trunk.hang_up(a);
        trunk.run(1.0);
        let c = trunk.dial_without_offer(trunk.pbx, OUTSIDE);
        trunk.run(0.5);
        let d = trunk.incoming(trunk.east);
        trunk.respond(d, 200);
        trunk.run(0.5);
        assert_eq!(formats(trunk.call(c).response(200).unwrap()).0, "96 8 13 101");
        assert_eq!(formats(trunk.call(d).request(&Method::Ack).unwrap()).0, "8 101");
        trunk.hang_up(c);
        trunk.run(1.0);
    });
}

/// Two lists: what both name.
#[test]
fn two_parties_speak_what_both_lists_name() {
    everywhere_with(&[EAST, ("pbx_peer", "codecs = [\"G722\", \"PCMA\"]")], |trunk| {
        trunk.phone(trunk.pbx).streams = MUCH;
        trunk.phone(trunk.east).streams = PCMA_ONLY;
        let (a, b) = trunk.connect(trunk.pbx, OUTSIDE, trunk.east);
        assert_eq!(formats(invite(trunk, b)).0, "8 13 101");
        trunk.hang_up(a);
        trunk.run(1.0);
    });
}

/// Events alone are no call. The next carrier may take what the first one may not be offered.
#[test]
fn a_carrier_that_may_be_offered_nothing_is_passed_over() {
    everywhere_with(&[EAST], |trunk| {
        let (a, b) = trunk.connect(trunk.pbx, OUTSIDE, trunk.west);
        assert_eq!(trunk.received(trunk.east), 0);
        assert_eq!(formats(invite(trunk, b)).0, "0 101");
        trunk.hang_up(a);
        trunk.run(1.0);
    });
}

#[test]
fn an_offer_that_no_carrier_may_have_is_refused_with_488() {
    everywhere_with(&[EAST, ("west_peer", "codecs = [\"G729\"]")], |trunk| {
        let a = trunk.dial(trunk.pbx, OUTSIDE);
        trunk.run(0.5);
        assert_eq!(trunk.heard(a), [488]);
        let answer = trunk.call(a).response(488).unwrap();
        assert_eq!(Trunk::header(answer, "Reason"), "SIP;cause=488;text=\"no codec in common\"");
        trunk.finish();
        assert_eq!(trunk.cdr("pbx", Direction::Outbound).status_message, "488 no codec in common");
    });
}

/// The call goes on as it was agreed.
#[test]
fn a_reinvite_with_nothing_left_is_refused_and_the_call_goes_on() {
    everywhere_with(&[EAST], |trunk| {
        trunk.phone(trunk.pbx).streams = MUCH;
        trunk.phone(trunk.east).streams = PCMA_ONLY;
        let (a, b) = trunk.connect(trunk.pbx, OUTSIDE, trunk.east);
        trunk.phone(trunk.pbx).streams = STREAMS;
        trunk.request(a, Method::Invite, Some("sendonly"));
        trunk.run(1.0);
        assert_eq!(trunk.call(a).statuses(&Method::Invite).last(), Some(&488));
        assert_eq!(trunk.call(b).requests(), ["INVITE", "ACK"]);
        assert_eq!((trunk.stage(a), trunk.stage(b)), (Stage::Up, Stage::Up));
        trunk.hang_up(b);
        trunk.run(1.0);
    });
}

#[test]
fn without_a_list_everything_passes_in_its_order() {
    everywhere(|trunk| {
        trunk.phone(trunk.pbx).streams = MUCH;
        let (a, b) = trunk.connect(trunk.pbx, OUTSIDE, trunk.east);
        assert_eq!(formats(invite(trunk, b)).0, "96 9 8 0 13 111 101");
        trunk.hang_up(a);
        trunk.run(1.0);
    });
}
