//! Session descriptions as a simple phone writes and reads them: one audio stream of PCMU.

use std::fmt;
use std::net::{IpAddr, SocketAddr};

use crate::demo::srtp::{MasterKey, SUITE};

/// Which way the audio goes, seen from who says it. RFC 4566 §6.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// Both ways.
    SendRecv,
    /// On hold: we send, you listen.
    SendOnly,
    /// The answer to it.
    RecvOnly,
}

impl Direction {
    const ALL: [(Direction, &str); 3] = [
        (Direction::SendRecv, "sendrecv"),
        (Direction::SendOnly, "sendonly"),
        (Direction::RecvOnly, "recvonly"),
    ];

    /// What the answer to an offer of this says.
    pub fn answer(self) -> Direction {
        match self {
            Direction::SendRecv => Direction::SendRecv,
            Direction::SendOnly => Direction::RecvOnly,
            Direction::RecvOnly => Direction::SendOnly,
        }
    }
}

impl fmt::Display for Direction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = Direction::ALL.iter().find(|(direction, _)| direction == self).map(|(_, name)| *name);
        f.write_str(name.unwrap_or("sendrecv"))
    }
}

/// What matters of a session description.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sdp {
    /// Where the audio goes to.
    pub rtp: SocketAddr,
    /// Which way it goes.
    pub direction: Direction,
    /// With SRTP: the tag and the key of what its author sends. RFC 4568.
    pub crypto: Option<(u32, MasterKey)>,
}

impl Sdp {
    /// The body, of that version (1 more for each change). RFC 4566 §5.2.
    pub fn body(&self, version: u32) -> String {
        let (ip, port) = (self.rtp.ip(), self.rtp.port());
        let family = if ip.is_ipv4() { "IP4" } else { "IP6" };
        let profile = if self.crypto.is_some() { "RTP/SAVP" } else { "RTP/AVP" };
        let crypto =
            self.crypto.map_or(String::new(), |(tag, key)| format!("a=crypto:{}\r\n", key.attribute(tag)));
        format!(
            "v=0\r\no=demo 1 {version} IN {family} {ip}\r\ns=-\r\nc=IN {family} {ip}\r\nt=0 0\r\n\
             m=audio {port} {profile} 0 101\r\na=rtpmap:0 PCMU/8000\r\na=rtpmap:101 telephone-event/8000\r\n\
             a=fmtp:101 0-15\r\na=ptime:20\r\n{crypto}a={}\r\n",
            self.direction
        )
    }

    /// The first audio stream of a body; `None` where there is none that a phone could use.
    pub fn parse(body: &[u8]) -> Option<Sdp> {
        let body = std::str::from_utf8(body).ok()?;
        let line = |start: &str| body.lines().find_map(|line| line.strip_prefix(start));
        let ip: IpAddr = line("c=IN IP4 ").or_else(|| line("c=IN IP6 "))?.trim().parse().ok()?;
        let mut media = line("m=audio ")?.split(' ');
        let port = media.next()?.parse().ok()?;
        let attributes = body.lines().filter_map(|line| line.strip_prefix("a=crypto:"));
        let crypto = match media.next()? {
            // Without a key that we understand there is nothing to be heard.
            "RTP/SAVP" => {
                Some(attributes.filter_map(MasterKey::parse).find(|(_, key)| key.suite() == SUITE)?)
            }
            _ => None,
        };
        let said = |name: &str| body.lines().any(|line| line.strip_prefix("a=") == Some(name));
        let direction =
            Direction::ALL.into_iter().find(|(_, name)| said(name)).map(|(direction, _)| direction);
        let direction = direction.unwrap_or(Direction::SendRecv);
        Some(Sdp { rtp: SocketAddr::new(ip, port), direction, crypto })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        for (direction, _) in Direction::ALL {
            for crypto in [None, Some((1, MasterKey::random().unwrap()))] {
                let sdp = Sdp { rtp: "127.0.0.2:4000".parse().unwrap(), direction, crypto };
                assert_eq!(Sdp::parse(sdp.body(1).as_bytes()), Some(sdp));
            }
        }
        assert_eq!(Sdp::parse(b"v=0\r\n"), None);
    }
}
