//! A description that another party is to be offered: its sender's hold was meant for somebody else.

use std::net::IpAddr;

use super::Sdp;
use super::grammar::Connection;
use super::stream::{Direction, Stream};

impl Sdp {
    /// The same without a hold and without a direction: what its sender can do, whatever it has stopped for the party that
    /// it was talking to.
    ///
    /// - `place`: stands where the sender wrote an address of zeros, the old sign of a hold.
    #[must_use]
    pub fn resumed(&self, place: IpAddr) -> Sdp {
        let mut session = self.session.clone();
        let holes: Vec<bool> = self.streams().iter().map(Stream::is_black_hole).collect();
        session.attributes.retain(|attribute| Direction::named(&attribute.name).is_none());
        for (media, hole) in session.medias.iter_mut().zip(holes) {
            media.attributes.retain(|attribute| Direction::named(&attribute.name).is_none());
            if hole {
                media.connections = vec![Connection::to(place)];
            }
        }
        Sdp::of(session)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_held_any_more() {
        for held in [
            "c=IN IP4 192.0.2.1\r\nm=audio 4000 RTP/AVP 0\r\na=sendonly\r\n",
            "c=IN IP4 192.0.2.1\r\na=inactive\r\nm=audio 4000 RTP/AVP 0\r\n",
            "c=IN IP4 0.0.0.0\r\nm=audio 4000 RTP/AVP 0\r\na=recvonly\r\n",
        ] {
            let sdp = Sdp::parse(format!("v=0\r\n{held}").as_bytes()).unwrap();
            let resumed = sdp.resumed("192.0.2.1".parse().unwrap());
            let stream = resumed.relayed_stream().unwrap();
            assert_eq!((stream.direction, stream.is_hold()), (Direction::SendRecv, false), "{held}");
            assert_eq!(stream.rtp(), Some("192.0.2.1:4000".parse().unwrap()), "{held}");
        }
    }
}
