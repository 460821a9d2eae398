//! One `m=` section, read with what the session level adds to it.

use std::fmt;
use std::net::{IpAddr, SocketAddr};

use smol_str::SmolStr;

use super::codec::{self, Codec};
use super::crypto::Crypto;
use super::grammar::{Attribute, Connection, Media, Session};
use super::path::{MediaPath, is_dtls};

/// What a stream carries, as far as the gateway minds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum StreamKind {
    /// `m=audio`
    Audio,
    /// `m=image`: fax.
    Image,
    /// Anything else: never carried.
    Other,
}

/// Which way media may flow, as the description's sender sees it. RFC 8866 §6.7.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Direction {
    /// Both ways, also when nothing is said.
    #[default]
    SendRecv,
    /// The sender of the description only sends.
    SendOnly,
    /// The sender of the description only listens.
    RecvOnly,
    /// Neither way. RTCP goes on.
    Inactive,
}

impl Direction {
    pub(super) const ALL: [Self; 4] = [Self::SendRecv, Self::SendOnly, Self::RecvOnly, Self::Inactive];

    /// The attribute's name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::SendRecv => "sendrecv",
            Self::SendOnly => "sendonly",
            Self::RecvOnly => "recvonly",
            Self::Inactive => "inactive",
        }
    }

    /// The direction for a sender that wants to receive nothing: what an address of zeros means. RFC 3264 §8.4.
    pub(super) fn without_receiving(self) -> Self {
        match self {
            Self::SendRecv | Self::SendOnly => Self::SendOnly,
            Self::RecvOnly | Self::Inactive => Self::Inactive,
        }
    }

    /// The first direction among `attributes`.
    pub(super) fn of(attributes: &[Attribute]) -> Option<Self> {
        attributes.iter().find_map(|attribute| Self::named(&attribute.name))
    }

    /// The direction of an answer by who only listens. RFC 3264 §6.1, RFC 7866 §7.
    pub(super) fn listening(self) -> Self {
        match self {
            Self::SendRecv | Self::SendOnly => Self::RecvOnly,
            Self::RecvOnly | Self::Inactive => Self::Inactive,
        }
    }

    pub(super) fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|direction| direction.as_str() == name)
    }
}

/// Blocks of RTCP XR that a description asks for. RFC 3611 §5.1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct RtcpXr {
    /// `rcvr-rtt`: the receiver's reference time and its answer.
    pub rcvr_rtt: bool,
    /// `voip-metrics`
    pub voip_metrics: bool,
}

impl RtcpXr {
    /// The first `a=rtcp-xr` among `attributes`; it may ask for nothing.
    fn of(attributes: &[Attribute]) -> Option<Self> {
        let attribute = attributes.iter().find(|attribute| attribute.name == "rtcp-xr")?;
        let mut asked = Self::default();
        for format in attribute.value.as_deref().unwrap_or_default().split_ascii_whitespace() {
            match format.split(['=', ':']).next() {
                Some("rcvr-rtt") => asked.rcvr_rtt = true,
                Some("voip-metrics") => asked.voip_metrics = true,
                _ => {}
            }
        }
        Some(asked)
    }

    /// The value of `a=rtcp-xr`; `None`: nothing is asked for.
    pub(super) fn value(self) -> Option<&'static str> {
        match (self.rcvr_rtt, self.voip_metrics) {
            (true, true) => Some("rcvr-rtt=all voip-metrics"),
            (true, false) => Some("rcvr-rtt=all"),
            (false, true) => Some("voip-metrics"),
            (false, false) => None,
        }
    }
}

/// One `m=` section, with session-level lines already applied. `Debug` masks the keys.
#[derive(Clone, PartialEq, Eq)]
pub struct Stream {
    /// Position among the `m=` lines, from 0. An answer repeats the offer's positions (RFC 3264 §6).
    pub index: usize,
    /// Audio, image or neither.
    pub kind: StreamKind,
    /// The port of the `m=` line; 0 is a refused or disabled stream.
    pub port: u16,
    /// The transport as written: `RTP/AVP`, `RTP/SAVP`, `udptl` ... Compare with [`Stream::is_rtp`] and its like.
    pub protocol: SmolStr,
    /// The connection address, if it is an address (IPv4 in IPv6 is given as IPv4). `None` for a name and for nothing.
    pub address: Option<IpAddr>,
    /// The connection address as written, a TTL included; empty if there is no `c=` line.
    pub host: SmolStr,
    /// Where RTCP goes unless it is muxed: `a=rtcp` (RFC 3605), else the port after RTP. `None` for fax, for
    /// port 0, and where the address is not known or not usable.
    pub rtcp: Option<SocketAddr>,
    /// `a=rtcp-mux`: offered or agreed. RFC 5761 §5.1.
    pub rtcp_mux: bool,
    /// `a=rtcp-rsize`: RTCP need not be a compound. RFC 5506 §5.
    pub rtcp_rsize: bool,
    /// `a=rtcp-xr`: the extended reports that the sender asks for, of those that the gateway knows. RFC 3611 §5.1.
    pub rtcp_xr: RtcpXr,
    /// From the stream, else the session, else `sendrecv`. An address of zeros does not change it: see
    /// [`Stream::is_hold`].
    pub direction: Direction,
    /// Payload types in the sender's order; empty if this is no RTP.
    pub codecs: Vec<Codec>,
    /// `a=ptime`: milliseconds of audio in a packet.
    pub ptime: Option<u32>,
    /// `a=label`: what others call this stream. RFC 4574.
    pub label: Option<SmolStr>,
    /// The values of `a=crypto`, as written: secret. See [`Stream::cryptos`].
    pub crypto: Vec<String>,
    /// What is said of DTLS and ICE.
    pub path: MediaPath,
}

impl Stream {
    pub(super) fn new(session: &Session, index: usize, media: &Media) -> Self {
        let connection = media.connections.first().or(session.connection.as_ref());
        let is_rtp = is_rtp(&media.protocol);
        let mut stream = Self {
            index,
            kind: kind(&media.kind),
            port: media.port,
            protocol: media.protocol.clone(),
            address: connection.and_then(address),
            host: connection.map(|connection| connection.address.clone()).unwrap_or_default(),
            rtcp: None,
            rtcp_mux: media.has("rtcp-mux"),
            rtcp_rsize: media.has("rtcp-rsize"),
            rtcp_xr: RtcpXr::of(&media.attributes)
                .or_else(|| RtcpXr::of(&session.attributes))
                .unwrap_or_default(),
            direction: Direction::of(&media.attributes)
                .or_else(|| Direction::of(&session.attributes))
                .unwrap_or_default(),
            codecs: if is_rtp { codec::codecs(media) } else { Vec::new() },
            ptime: number(media, "ptime"),
            label: media.value("label").map(|label| label.trim().into()),
            crypto: crypto(media),
            path: MediaPath::of(session, media),
        };
        if is_rtp {
            stream.rtcp = rtcp(&stream, media.value("rtcp"));
        }
        stream
    }

    /// Where the sender wants RTP (or UDPTL): `None` if the port is 0 or the address is a name, zeros, multicast or
    /// broadcast, none of which the gateway sends to.
    pub fn rtp(&self) -> Option<SocketAddr> {
        (self.port != 0).then(|| usable(self.address)).flatten().map(|ip| SocketAddr::new(ip, self.port))
    }

    /// Whether the gateway would carry it: audio or image, not disabled, and with a place that packets may be sent to:
    /// an address, a name, the zeros of a hold, or whence its checks of ICE come.
    pub fn is_relayed(&self) -> bool {
        let checked = self.path.ice.is_some();
        let placed = usable(self.address).is_some() || self.names_host() || self.is_black_hole() || checked;
        self.kind != StreamKind::Other && self.port != 0 && placed
    }

    /// Whether the connection address is a name, and media is wanted there.
    pub fn names_host(&self) -> bool {
        self.address.is_none() && !self.host.is_empty() && self.port != 0 && !self.is_black_hole()
    }

    /// Whether the sender stopped the other side's media. See [`super::Sdp::is_hold`].
    pub fn is_hold(&self) -> bool {
        matches!(self.direction, Direction::SendOnly | Direction::Inactive) || self.is_black_hole()
    }

    /// Whether the connection address is the old sign of a hold: `0.0.0.0`, `::` or a name under `.invalid`.
    /// With DTLS, ICE and port 9 it is none: that is a sender that shows its address by its checks alone, RFC 8839 §4.2.1.3. Of plain
    /// RTP nobody here hears checks, and nothing may be sent to such an address.
    pub fn is_black_hole(&self) -> bool {
        match self.address {
            _ if self.is_dtls() && self.path.ice.is_some() && self.port == 9 => false,
            Some(address) => address.is_unspecified(),
            None => ends_in_invalid(self.host.trim_end_matches('.')),
        }
    }

    /// Whether the transport is RTP in any profile, secured or not.
    pub fn is_rtp(&self) -> bool {
        is_rtp(&self.protocol)
    }

    /// Whether the transport is SRTP with keys in the description: `RTP/SAVP` or `RTP/SAVPF`. RFC 4568, RFC 5124.
    pub fn is_srtp(&self) -> bool {
        is_srtp(&self.protocol)
    }

    /// Whether the transport is SRTP whose keys come of DTLS: `UDP/TLS/RTP/SAVP` or `UDP/TLS/RTP/SAVPF`. RFC 5764 §8.
    pub fn is_dtls(&self) -> bool {
        is_dtls(&self.protocol)
    }

    /// Whether the transport is plain RTP: `RTP/AVP` or `RTP/AVPF`.
    pub fn is_plain_rtp(&self) -> bool {
        self.protocol.eq_ignore_ascii_case("RTP/AVP") || self.protocol.eq_ignore_ascii_case("RTP/AVPF")
    }

    /// Whether this is fax over UDPTL. T.38 Annex D.
    pub fn is_udptl(&self) -> bool {
        self.protocol.eq_ignore_ascii_case("udptl")
    }

    /// The `a=crypto` lines that parse, in the sender's order (its preference). RFC 4568 §5.1.1.
    pub fn cryptos(&self) -> Vec<Crypto> {
        self.crypto.iter().filter_map(|line| Crypto::parse(line).ok()).collect()
    }
}

impl fmt::Debug for Stream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stream")
            .field("index", &self.index)
            .field("kind", &self.kind)
            .field("port", &self.port)
            .field("protocol", &self.protocol)
            .field("address", &self.address)
            .field("host", &self.host)
            .field("rtcp", &self.rtcp)
            .field("rtcp_mux", &self.rtcp_mux)
            .field("rtcp_rsize", &self.rtcp_rsize)
            .field("rtcp_xr", &self.rtcp_xr)
            .field("direction", &self.direction)
            .field("codecs", &self.codecs)
            .field("ptime", &self.ptime)
            .field("label", &self.label)
            .field("crypto", &format_args!("[*** x {}]", self.crypto.len()))
            .field("path", &self.path)
            .finish()
    }
}

/// Whether a name is under `.invalid`.
fn ends_in_invalid(name: &str) -> bool {
    const INVALID: &str = ".invalid";
    let end = name.len().checked_sub(INVALID.len()).and_then(|at| name.get(at..));
    end.is_some_and(|end| end.eq_ignore_ascii_case(INVALID))
}

fn crypto(media: &Media) -> Vec<String> {
    media.named("crypto").filter_map(|attribute| attribute.value.as_ref()).map(ToString::to_string).collect()
}

fn kind(media: &str) -> StreamKind {
    match media {
        "audio" => StreamKind::Audio,
        "image" => StreamKind::Image,
        _ => StreamKind::Other,
    }
}

/// Whether a transport is SRTP with keys in the description: see [`Stream::is_srtp`].
pub fn is_srtp(protocol: &str) -> bool {
    protocol.eq_ignore_ascii_case("RTP/SAVP") || protocol.eq_ignore_ascii_case("RTP/SAVPF")
}

/// `RTP/AVP`, `RTP/SAVPF`, `UDP/TLS/RTP/SAVPF` ...
pub(super) fn is_rtp(protocol: &str) -> bool {
    protocol.split('/').any(|part| part.eq_ignore_ascii_case("RTP"))
}

fn address(connection: &Connection) -> Option<IpAddr> {
    let text = &connection.address;
    let address = text.split_once('/').map_or(text.as_str(), |(address, _ttl)| address);
    address.parse().ok().map(|address: IpAddr| address.to_canonical())
}

/// An address that a packet may be sent to.
fn usable(address: Option<IpAddr>) -> Option<IpAddr> {
    address.filter(|address| {
        let broadcast = matches!(address, IpAddr::V4(v4) if v4.is_broadcast());
        !(address.is_unspecified() || address.is_multicast() || broadcast)
    })
}

/// `a=rtcp:<port> [IN IP4|IP6 <address>]`, RFC 3605 §2.1.
fn rtcp(stream: &Stream, attribute: Option<&str>) -> Option<SocketAddr> {
    let rtp = stream.rtp()?;
    let next = || rtp.port().checked_add(1).map(|port| SocketAddr::new(rtp.ip(), port));
    let Some(attribute) = attribute else { return next() };
    let mut fields = attribute.split_ascii_whitespace();
    let Some(port) = fields.next().and_then(|port| port.parse().ok()).filter(|port| *port != 0) else {
        return next();
    };
    // An address that is a name or not usable: reports go beside the media.
    let address =
        fields.nth(2).and_then(|address| address.parse().ok()).map(|address: IpAddr| address.to_canonical());
    Some(SocketAddr::new(usable(address).unwrap_or(rtp.ip()), port))
}

fn number(media: &Media, name: &str) -> Option<u32> {
    media.value(name)?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sdp::Sdp;

    fn stream(lines: &str) -> Stream {
        Sdp::parse(format!("v=0\r\n{lines}").as_bytes()).unwrap().streams()[0].clone()
    }

    fn at(text: &str) -> Option<SocketAddr> {
        Some(text.parse().unwrap())
    }

    #[test]
    fn direction_is_the_streams_else_the_sessions() {
        let check = |lines: &str, expect| assert_eq!(stream(lines).direction, expect, "{lines}");
        check("m=audio 4000 RTP/AVP 0", Direction::SendRecv);
        check("a=sendonly\nm=audio 4000 RTP/AVP 0", Direction::SendOnly);
        check("a=sendonly\nm=audio 4000 RTP/AVP 0\na=sendrecv", Direction::SendRecv);
        check("m=audio 4000 RTP/AVP 0\na=inactive", Direction::Inactive);
        check("m=audio 4000 RTP/AVP 0\na=recvonly", Direction::RecvOnly);
    }

    #[test]
    fn hold_is_a_direction_or_an_address_of_zeros() {
        let check = |lines: &str, expect| {
            let sdp = Sdp::parse(format!("v=0\n{lines}").as_bytes()).unwrap();
            assert_eq!(sdp.is_hold(), expect, "{lines}");
        };
        check("c=IN IP4 192.0.2.1\nm=audio 4000 RTP/AVP 0", false);
        check("c=IN IP4 192.0.2.1\nm=audio 4000 RTP/AVP 0\na=recvonly", false);
        check("c=IN IP4 192.0.2.1\nm=audio 4000 RTP/AVP 0\na=sendonly", true);
        check("c=IN IP4 192.0.2.1\na=inactive\nm=audio 4000 RTP/AVP 0", true);
        check("c=IN IP4 0.0.0.0\nm=audio 4000 RTP/AVP 0", true);
        check("c=IN IP4 192.0.2.1\nm=audio 4000 RTP/AVP 0\nc=IN IP4 0.0.0.0", true);
        check("c=IN IP4 0.0.0.0\nm=audio 4000 RTP/AVP 0\nc=IN IP4 192.0.2.1", false);
        check("c=IN IP6 ::\nm=audio 4000 RTP/AVP 0", true);
        check("c=IN IP6 hold.invalid\nm=audio 4000 RTP/AVP 0", true);
        check("c=IN IP4 0.0.0.0\nm=audio 0 RTP/AVP 0", false);
    }

    #[test]
    fn addresses_are_taken_from_where_they_stand() {
        let check = |lines: &str, rtp, rtcp| {
            let stream = stream(lines);
            assert_eq!((stream.rtp(), stream.rtcp), (rtp, rtcp), "{lines}");
        };
        check("c=IN IP4 192.0.2.1\nm=audio 4000 RTP/AVP 0", at("192.0.2.1:4000"), at("192.0.2.1:4001"));
        check(
            "c=IN IP4 192.0.2.1\nm=audio 4000 RTP/AVP 0\nc=IN IP6 2001:db8::1",
            at("[2001:db8::1]:4000"),
            at("[2001:db8::1]:4001"),
        );
        check(
            "c=IN IP6 ::ffff:192.0.2.1\nm=audio 4000 RTP/AVP 0",
            at("192.0.2.1:4000"),
            at("192.0.2.1:4001"),
        );
        check(
            "c=IN IP4 192.0.2.1\nm=audio 4000 RTP/AVP 0\na=rtcp:5000",
            at("192.0.2.1:4000"),
            at("192.0.2.1:5000"),
        );
        check(
            "c=IN IP4 192.0.2.1\nm=audio 4000 RTP/AVP 0\na=rtcp:5000 IN IP4 192.0.2.2",
            at("192.0.2.1:4000"),
            at("192.0.2.2:5000"),
        );
        check(
            "c=IN IP4 192.0.2.1\nm=audio 4000 RTP/AVP 0\na=rtcp:x",
            at("192.0.2.1:4000"),
            at("192.0.2.1:4001"),
        );
        check("c=IN IP4 192.0.2.1\nm=audio 65535 RTP/AVP 0", at("192.0.2.1:65535"), None);
        check("c=IN IP4 192.0.2.1\nm=image 4000 udptl t38", at("192.0.2.1:4000"), None);
        check("c=IN IP4 192.0.2.1\nm=audio 0 RTP/AVP 0", None, None);
        check("c=IN IP4 0.0.0.0\nm=audio 4000 RTP/AVP 0", None, None);
        check("c=IN IP4 239.1.1.1/127\nm=audio 4000 RTP/AVP 0", None, None);
        check("c=IN IP4 media.example.com\nm=audio 4000 RTP/AVP 0", None, None);
        check("m=audio 4000 RTP/AVP 0", None, None);
    }

    #[test]
    fn a_name_is_kept_as_text() {
        let named = stream("c=IN IP4 media.example.com\nm=audio 4000 RTP/AVP 0");
        assert_eq!((named.address, named.host.as_str()), (None, "media.example.com"));
    }

    #[test]
    fn transports_are_told_apart_without_case() {
        let check = |protocol: &str, expect: [bool; 4]| {
            let stream = stream(&format!("c=IN IP4 192.0.2.1\nm=audio 4000 {protocol} 0"));
            let seen = [stream.is_rtp(), stream.is_plain_rtp(), stream.is_srtp(), stream.is_udptl()];
            assert_eq!(seen, expect, "{protocol}");
        };
        check("RTP/AVP", [true, true, false, false]);
        check("RTP/AVPF", [true, true, false, false]);
        check("RTP/SAVP", [true, false, true, false]);
        check("UDP/TLS/RTP/SAVPF", [true, false, false, false]);
        check("UDPTL", [false, false, false, true]);
        check("TCP/MSRP", [false, false, false, false]);
    }

    #[test]
    fn the_extended_reports_that_are_asked_for() {
        let check = |line: &str, rcvr_rtt, voip_metrics| {
            let stream = stream(&format!("m=audio 4000 RTP/AVP 0\r\n{line}"));
            assert_eq!(stream.rtcp_xr, RtcpXr { rcvr_rtt, voip_metrics }, "{line}");
        };
        check("", false, false);
        check("a=rtcp-xr:\r\n", false, false);
        check("a=rtcp-xr\r\n", false, false);
        check("a=rtcp-xr:voip-metrics\r\n", false, true);
        check("a=rtcp-xr:pkt-loss-rle=30 rcvr-rtt=all:30 stat-summary=loss,dup\r\n", true, false);
        check("a=rtcp-xr:rcvr-rtt=sender voip-metrics\r\n", true, true);
    }

    #[test]
    fn debug_hides_keys() {
        let secret = "1 AES_CM_128_HMAC_SHA1_80 inline:WVNfX19zZW1jdGwgKCkgewkyMjA7fQp9CnVubGVz";
        let text = format!("c=IN IP4 192.0.2.1\nm=audio 4000 RTP/SAVP 0\na=crypto:{secret}");
        let stream = stream(&text);
        assert_eq!(stream.crypto, [secret]);
        assert_eq!(stream.cryptos().len(), 1);
        assert!(!format!("{stream:?}").contains("WVNfX19"));
        let sdp = Sdp::parse(format!("v=0\n{text}").as_bytes()).unwrap();
        assert!(!format!("{sdp:?}").contains("WVNfX19"));
        assert!(format!("{sdp:?}").contains("inline:***"));
    }
}
