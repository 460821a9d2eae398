//! RTCP ends at the gateway, so each leg agrees on its own: one port or two, compounds or not, extended reports.

use super::trunk::{OUTSIDE, Trunk, over_udp};
use super::world::CallId;
use crate::media::Remote;

const PLAIN: &str = "m=audio 40000 RTP/AVP 0\r\na=rtpmap:0 PCMU/8000\r\n";
const MUXED: &str = "m=audio 40000 RTP/AVP 0\r\na=rtpmap:0 PCMU/8000\r\na=rtcp-mux\r\n";
const ASKING: &str = "m=audio 40000 RTP/AVP 0\r\na=rtpmap:0 PCMU/8000\r\na=rtcp-mux\r\na=rtcp-rsize\r\n\
                      a=rtcp-xr:rcvr-rtt=all:10000 stat-summary=loss,dup,jitt,TTL voip-metrics\r\n";

fn told(trunk: &Trunk, call: CallId) -> Remote {
    let port = trunk.call(call).media.agreed().unwrap().port;
    trunk.world.told_of(port).unwrap().clone()
}

fn offered(trunk: &Trunk, call: CallId) -> String {
    String::from_utf8_lossy(trunk.call(call).invite.body()).into_owned()
}

fn answered(trunk: &Trunk, call: CallId) -> String {
    String::from_utf8_lossy(trunk.call(call).response(200).unwrap().body()).into_owned()
}

/// What a call says of RTCP: what the callee was offered, what the caller was answered, and on which legs one port is used.
fn call(trunk: &mut Trunk, caller: &'static str, callee: &'static str) -> (String, String, [Remote; 2]) {
    trunk.phone(trunk.pbx).streams = caller;
    trunk.phone(trunk.east).streams = callee;
    let (a, b) = trunk.connect(trunk.pbx, OUTSIDE, trunk.east);
    let said = (offered(trunk, b), answered(trunk, a), [told(trunk, a), told(trunk, b)]);
    trunk.hang_up(a);
    trunk.run(1.0);
    said
}

#[test]
fn who_offers_one_port_has_it_and_the_other_leg_has_two() {
    over_udp(&[], |trunk| {
        let (offer, answer, [a, b]) = call(trunk, MUXED, PLAIN);
        assert!(!offer.contains("rtcp-mux"), "{offer}");
        assert!(answer.contains("a=rtcp-mux\r\n"), "{answer}");
        assert_eq!((a.mux, b.mux), (true, false));
        let (_, answer, [a, b]) = call(trunk, PLAIN, PLAIN);
        assert!(!answer.contains("rtcp-mux"), "{answer}");
        assert_eq!((a.mux, b.mux), (false, false));
    });
}

/// RFC 5761 §5.1.1: an answer has it only if the offer had.
#[test]
fn one_port_that_nobody_offered_is_not_agreed_on() {
    over_udp(&[], |trunk| {
        let (_, answer, [a, b]) = call(trunk, PLAIN, MUXED);
        assert!(!answer.contains("rtcp-mux"), "{answer}");
        assert_eq!((a.mux, b.mux), (false, false));
    });
}

#[test]
fn a_peer_is_offered_one_port_where_its_key_says_so() {
    over_udp(&[("east_peer", "rtcp_mux = true")], |trunk| {
        let (offer, answer, [a, b]) = call(trunk, PLAIN, MUXED);
        assert!(offer.contains("a=rtcp-mux\r\n"), "{offer}");
        assert!(!answer.contains("rtcp-mux"), "{answer}");
        assert_eq!((a.mux, b.mux), (false, true));
        // It does not know it.
        let (offer, _, [a, b]) = call(trunk, PLAIN, PLAIN);
        assert!(offer.contains("a=rtcp-mux\r\n"), "{offer}");
        assert_eq!((a.mux, b.mux), (false, false));
    });
}

#[test]
fn extended_reports_go_to_who_asks_for_them() {
    over_udp(&[], |trunk| {
        let (offer, answer, [a, b]) = call(trunk, ASKING, PLAIN);
        assert!(!offer.contains("rtcp-xr") && !offer.contains("rtcp-rsize"), "{offer}");
        assert!(answer.contains("a=rtcp-xr:rcvr-rtt=all voip-metrics\r\n"), "{answer}");
        assert!(answer.contains("a=rtcp-rsize\r\n"), "{answer}");
        let asks = |remote: &Remote| (remote.extended.receiver_reference_time, remote.extended.voip_metrics);
        assert_eq!((asks(&a), asks(&b)), ((true, true), (false, false)));
        // Who answers asks likewise.
        let (_, answer, [a, b]) = call(trunk, PLAIN, ASKING);
        assert!(!answer.contains("rtcp-xr") && !answer.contains("rtcp-rsize"), "{answer}");
        assert_eq!((asks(&a), asks(&b)), ((false, false), (true, true)));
    });
}

/// A re-INVITE of the party's keeps what was agreed on, and one that leaves it out ends it.
#[test]
fn one_port_or_two_is_as_the_newest_description_has_it() {
    over_udp(&[], |trunk| {
        trunk.phone(trunk.pbx).streams = MUXED;
        let (a, _) = trunk.connect(trunk.pbx, OUTSIDE, trunk.east);
        trunk.request(a, sip::Method::Invite, Some("sendonly"));
        trunk.run(1.0);
        assert!(told(trunk, a).mux);
        trunk.phone(trunk.pbx).streams = PLAIN;
        trunk.request(a, sip::Method::Invite, Some("sendrecv"));
        trunk.run(1.0);
        assert!(!told(trunk, a).mux);
        trunk.hang_up(a);
        trunk.run(1.0);
    });
}

/// The party sends under a key for longer than it said that it would: the call goes on, for phones write `2^20` by habit.
#[test]
fn a_key_that_is_used_up_ends_no_call() {
    over_udp(&[], |trunk| {
        let (a, b) = trunk.connect(trunk.pbx, OUTSIDE, trunk.east);
        let key = *trunk.world.open_media.keys().next().unwrap();
        for side in [crate::media::Side::A, crate::media::Side::B] {
            let event = crate::media::MediaEvent::KeyUsedUp { key, side };
            trunk.world.input(key.shard(), crate::core::Input::Media(event));
            trunk.run(1.0);
        }
        assert!([a, b].into_iter().all(|call| trunk.stage(call) == super::phone::Stage::Up));
        trunk.hang_up(a);
        trunk.finish();
        assert_eq!(trunk.cdr("pbx", crate::direction::Direction::Outbound).status_message, "OK");
    });
}
