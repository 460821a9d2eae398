//! A party names the gateway's own ports as where it wants its media. Nothing is sent there: it would go round for ever.
//! That nothing was is a law of each run (`laws.rs`).

use std::net::SocketAddr;

use sip::Method;

use super::phone::Stage;
use super::trunk::{BRANCH, OUTSIDE, Trunk, everywhere, over_udp};
use super::world::CallId;

/// Where the gateway takes the media of this party.
fn taken_at(trunk: &Trunk, call: CallId) -> SocketAddr {
    let port = trunk.call(call).media.agreed().unwrap().port;
    SocketAddr::from(([192, 0, 2, 1], port))
}

/// The party wants its media there from now on.
fn moves_to(trunk: &mut Trunk, call: CallId, at: SocketAddr) {
    trunk.phone(call.0).media_at = Some(at);
    trunk.request(call, Method::Invite, None);
    trunk.run(1.0);
    trunk.phone(call.0).media_at = None;
}

fn sends_nothing(trunk: &Trunk, call: CallId) -> bool {
    let told = trunk.world.told_of(taken_at(trunk, call).port()).unwrap();
    (told.rtp, told.rtcp) == (None, None)
}

/// Two calls to oneself, then re-INVITEs: each call would send its media into the other one.
#[test]
fn two_calls_do_not_feed_each_other() {
    everywhere(|trunk| {
        let (a, b) = trunk.connect(trunk.pbx, BRANCH, trunk.branch);
        let (c, d) = trunk.connect(trunk.pbx, BRANCH, trunk.branch);
        for (call, other) in [(a, c), (c, a), (b, d), (d, b)] {
            let at = taken_at(trunk, other);
            moves_to(trunk, call, at);
            assert!(sends_nothing(trunk, call));
        }
        // Who names an address of its own again is heard again.
        trunk.request(a, Method::Invite, None);
        trunk.run(1.0);
        assert!(!sends_nothing(trunk, a));
        for call in [a, c] {
            trunk.hang_up(call);
        }
        trunk.run(1.0);
    });
}

#[test]
fn neither_an_offer_nor_an_answer_leads_to_a_listener() {
    over_udp(&[], |trunk| {
        let listener = "192.0.2.1:5060".parse().unwrap();
        trunk.phone(trunk.pbx).media_at = Some(listener);
        trunk.phone(trunk.east).media_at = Some(listener);
        let (a, b) = trunk.connect(trunk.pbx, OUTSIDE, trunk.east);
        assert!(sends_nothing(trunk, a) && sends_nothing(trunk, b));
        trunk.hang_up(a);
        trunk.run(1.0);
        assert_eq!(trunk.stage(b), Stage::Over);
    });
}

/// RTP goes to the party, its reports would come to us: the port before the gateway's is nobody's RTP port.
#[test]
fn reports_are_not_sent_to_ourselves_either() {
    over_udp(&[], |trunk| {
        let (a, b) = trunk.connect(trunk.pbx, OUTSIDE, trunk.east);
        let port = taken_at(trunk, b).port();
        let streams = format!("m=audio 40000 RTP/AVP 0\r\na=rtcp:{port} IN IP4 192.0.2.1\r\n");
        trunk.phone(trunk.pbx).streams = streams.leak();
        trunk.request(a, Method::Invite, None);
        trunk.run(1.0);
        let told = trunk.world.told_of(taken_at(trunk, a).port()).unwrap();
        assert_eq!((told.rtp.map(|rtp| rtp.port()), told.rtcp), (Some(40_000), None));
        trunk.hang_up(a);
        trunk.run(1.0);
    });
}
