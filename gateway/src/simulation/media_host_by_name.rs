//! A description names its host (`c=IN IP4 media.example`): it is looked up, and until then its media follows its source.

use std::net::SocketAddr;

use sip::Method;

use super::trunk::{OUTSIDE, Trunk, everywhere, over_udp};
use super::world::CallId;
use crate::media::Remote;

const NAME: &str = "media.example";

fn told(trunk: &Trunk, call: CallId) -> Remote {
    let port = trunk.call(call).media.agreed().unwrap().port;
    trunk.world.told_of(port).unwrap().clone()
}

fn at(text: &str) -> Option<SocketAddr> {
    text.parse().ok()
}

#[test]
fn a_name_is_looked_up() {
    everywhere(|trunk| {
        let addresses = ["[2001:db8::5]:0", "10.0.0.50:0"].map(|address| address.parse().unwrap());
        trunk.world.names.insert(NAME.into(), addresses.to_vec());
        trunk.phone(trunk.pbx).media_host = Some(NAME);
        let (a, b) = trunk.connect(trunk.pbx, OUTSIDE, trunk.east);
        let remote = told(trunk, a);
        assert_eq!((remote.rtp, remote.rtcp), (at("10.0.0.50:40000"), at("10.0.0.50:40001")));
        assert!(!remote.symmetric);
        // Said once more: it is known.
        trunk.world.names.clear();
        trunk.request(a, Method::Invite, Some("sendrecv"));
        trunk.run(1.0);
        assert_eq!(told(trunk, a).rtp, at("10.0.0.50:40000"));
        assert_eq!(told(trunk, b).rtp, at("10.0.1.1:40000"));
        trunk.hang_up(a);
        trunk.run(1.0);
    });
}

#[test]
fn who_is_not_found_is_followed() {
    over_udp(&[], |trunk| {
        trunk.phone(trunk.east).media_host = Some(NAME);
        let (a, b) = trunk.connect(trunk.pbx, OUTSIDE, trunk.east);
        let remote = told(trunk, b);
        assert_eq!((remote.rtp, remote.symmetric), (at("10.0.1.1:40000"), true));
        trunk.hang_up(a);
        trunk.run(1.0);
    });
}

/// The name may stand for the gateway.
#[test]
fn a_name_does_not_lead_back_to_us() {
    over_udp(&[], |trunk| {
        let (a, b) = trunk.connect(trunk.pbx, OUTSIDE, trunk.east);
        let port = trunk.call(b).media.agreed().unwrap().port;
        trunk.world.names.insert(NAME.into(), vec![SocketAddr::from(([192, 0, 2, 1], 0))]);
        trunk.phone(trunk.pbx).streams = format!("m=audio {port} RTP/AVP 0\r\n").leak();
        trunk.phone(trunk.pbx).media_host = Some(NAME);
        trunk.request(a, Method::Invite, None);
        trunk.run(1.0);
        assert_eq!((told(trunk, a).rtp, told(trunk, a).rtcp), (None, None));
        trunk.hang_up(a);
        trunk.run(1.0);
    });
}
