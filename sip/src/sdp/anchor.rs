//! Our own copy of a description: the media comes to us, the rest of the text stays the peer's.

use std::fmt;
use std::net::SocketAddr;

use smol_str::{SmolStr, format_smolstr};

use super::grammar::{Attribute, Connection, Media, Origin};
use super::path::OwnPath;
use super::stream::Direction;
use super::{RtcpXr, Sdp, Stream, foreign};

/// What our copy says of us. Make one with [`Anchor::new`] and set what differs. `Debug` hides the keys.
#[derive(Clone, PartialEq, Eq)]
pub struct Anchor {
    /// The user of `o=`; `-` unless set.
    pub origin_user: SmolStr,
    /// The session id of `o=`: constant for the leg. RFC 3264 §8.
    pub session_id: u64,
    /// The version of `o=`: one more than before if the text differs from the last that the leg was sent.
    pub version: u64,
    /// Where we take media for this leg; its address stands in `o=` and `c=` too.
    pub rtp: SocketAddr,
    /// Where we take RTCP for this leg, muxed or not.
    pub rtcp: SocketAddr,
    /// Whether to offer or agree to RTP and RTCP on one port. RFC 5761.
    pub mux: bool,
    /// Whether to agree to RTCP that is no compound. RFC 5506.
    pub rsize: bool,
    /// The extended reports to agree to. RFC 3611 §5.2.
    pub xr: RtcpXr,
    /// Codecs that may pass, by name (`PCMU`, `opus/48000`); `None` lets all pass. The sender's order stays.
    /// `telephone-event` and `CN` always pass: they are no codec that a call could be made of.
    pub codecs: Option<Vec<String>>,
    /// The transport to write in place of the sender's: `RTP/AVP`, `RTP/SAVP`. Fax keeps its own.
    pub protocol: Option<SmolStr>,
    /// Values of `a=crypto` to write; the sender's never pass. See [`super::Crypto`].
    pub crypto: Vec<String>,
    /// What it says of DTLS and ICE.
    pub path: OwnPath,
    /// The stream to carry, by index; `None` is [`Sdp::relayed_stream`].
    pub stream: Option<usize>,
}

/// Why there is no copy of a description for the other side.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AnchorError {
    /// No stream is audio or fax with a port and an address, or none was answered: 488. RFC 3261 §21.4.26.
    #[error("no media stream that can be carried")]
    NoStream,
    /// No codec that may pass, or none of those that were offered: 488. RFC 3261 §21.4.26, RFC 3264 §6.1.
    #[error("no codec in common")]
    NoCommonCodec,
}

impl Anchor {
    /// RTCP on the port after RTP, no mux, all codecs, the sender's transport.
    pub fn new(session_id: u64, version: u64, rtp: SocketAddr) -> Self {
        // An RTP port is even, so there is one after it.
        let rtcp = SocketAddr::new(rtp.ip(), rtp.port().saturating_add(1));
        Self {
            origin_user: SmolStr::new_static("-"),
            session_id,
            version,
            rtp,
            rtcp,
            mux: false,
            rsize: false,
            xr: RtcpXr::default(),
            codecs: None,
            protocol: None,
            crypto: Vec::new(),
            path: OwnPath::default(),
            stream: None,
        }
    }

    pub(super) fn connection(&self) -> Connection {
        Connection::to(self.rtp.ip())
    }

    pub(super) fn origin(&self) -> Origin {
        let user: SmolStr = self.origin_user.chars().filter(|letter| !letter.is_whitespace()).collect();
        Origin {
            user: if user.is_empty() { SmolStr::new_static("-") } else { user },
            session_id: format_smolstr!("{}", self.session_id),
            version: self.version,
            connection: self.connection(),
        }
    }

    fn lets_pass(&self, codec: &super::Codec) -> bool {
        codec.is_among(self.codecs.as_deref())
    }
}

impl fmt::Debug for Anchor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Anchor")
            .field("origin_user", &self.origin_user)
            .field("session_id", &self.session_id)
            .field("version", &self.version)
            .field("rtp", &self.rtp)
            .field("rtcp", &self.rtcp)
            .field("mux", &self.mux)
            .field("rsize", &self.rsize)
            .field("xr", &self.xr)
            .field("codecs", &self.codecs)
            .field("protocol", &self.protocol)
            .field("crypto", &format_args!("[*** x {}]", self.crypto.len()))
            .field("path", &self.path)
            .field("stream", &self.stream)
            .finish()
    }
}

impl Sdp {
    /// Our copy for the other side, offer or answer.
    ///
    /// Ours: `o=`, every `c=`, the relayed stream's port, `a=rtcp` (in place if there was one; added if our RTCP port
    /// is not the next one), `a=rtcp-mux`, `a=crypto`, and the transport if the anchor names one. Every other stream
    /// stays in its place as a bare `m=` line with port 0, so that the positions of offer and answer agree (RFC 3264
    /// §6).
    ///
    /// Dropped, for we do not carry it: ICE, DTLS and every key of the sender, BUNDLE, SSRC descriptions (RTCP ends at
    /// the gateway, with our CNAME), RTCP feedback, capability negotiation (RFC 5939), source filters. Dropped, too, is
    /// every line or attribute that has an address in it.
    ///
    /// An address of zeros becomes a direction: `sendonly` or `inactive`, RFC 3264 §8.4.
    ///
    /// All else stays, in its order: names, bandwidth, `ptime`, `rtpmap`, `fmtp`, direction, T.38, private attributes.
    ///
    /// Fails if there is no stream to carry, or nothing to speak with once the codecs are filtered.
    pub fn anchored(&self, anchor: &Anchor) -> Result<Self, AnchorError> {
        let mut session = self.session.clone();
        let carried = self.carried(anchor).ok_or(AnchorError::NoStream)?;
        session.origin = anchor.origin();
        session.connection = Some(anchor.connection());
        foreign::hide_session(&mut session);
        anchor.path.write_session(&mut session);
        for (index, media) in session.medias.iter_mut().enumerate() {
            media.ports = None;
            media.key = None;
            match carried.index == index {
                true => carry(media, carried, anchor)?,
                false => disable(media),
            }
        }
        Ok(Self::of(session))
    }

    fn carried(&self, anchor: &Anchor) -> Option<&Stream> {
        match anchor.stream {
            Some(index) => self.streams().get(index).filter(|stream| stream.is_relayed()),
            None => self.relayed_stream(),
        }
    }
}

/// Leaves the bare line: what a disabled stream says beyond it is ignored anyway. RFC 3264 §6.
pub(super) fn disable(media: &mut Media) {
    media.port = 0;
    media.title = None;
    media.connections.clear();
    media.bandwidths.clear();
    media.attributes.clear();
}

pub(super) fn carry(media: &mut Media, stream: &Stream, anchor: &Anchor) -> Result<(), AnchorError> {
    media.port = anchor.rtp.port();
    if !media.connections.is_empty() {
        media.connections = vec![anchor.connection()];
    }
    foreign::hide_stream(media);
    if stream.is_black_hole() {
        turn(media, stream.direction.without_receiving());
    }
    if !stream.is_rtp() {
        media.attributes.retain(|attribute| !matches!(attribute.name.as_str(), "rtcp" | "rtcp-mux"));
        return Ok(());
    }
    filter_codecs(media, stream, anchor)?;
    if let Some(protocol) = &anchor.protocol {
        media.protocol = protocol.clone();
    }
    place_rtcp(media, anchor);
    media.attributes.extend(anchor.crypto.iter().map(|value| Attribute::with_value("crypto", value.into())));
    anchor.path.write_stream(media, anchor.rtp, anchor.rtcp);
    Ok(())
}

/// Sets the direction, where one stood or at the end.
pub(super) fn turn(media: &mut Media, direction: Direction) {
    match media.attributes.iter_mut().find(|attribute| Direction::named(&attribute.name).is_some()) {
        Some(attribute) => attribute.name = SmolStr::new_static(direction.as_str()),
        None => media.attributes.push(Attribute::new(direction.as_str())),
    }
}

/// Takes out the payload types that may not pass, and the attributes that are about them.
fn filter_codecs(media: &mut Media, stream: &Stream, anchor: &Anchor) -> Result<(), AnchorError> {
    if !stream.has_codec(|codec| anchor.lets_pass(codec)) {
        return Err(AnchorError::NoCommonCodec);
    }
    if anchor.codecs.is_none() {
        return Ok(());
    }
    let passing = |codec: &&super::Codec| codec.is_companion() || anchor.lets_pass(codec);
    let kept: Vec<String> =
        stream.codecs.iter().filter(passing).map(|codec| codec.payload_type.to_string()).collect();
    media
        .attributes
        .retain(|attribute| payload_type(attribute).is_none_or(|number| kept.iter().any(|k| k == number)));
    media.formats = kept.join(" ").into();
    Ok(())
}

/// The payload type that an attribute is about, if it is about one.
fn payload_type(attribute: &Attribute) -> Option<&str> {
    matches!(attribute.name.as_str(), "rtpmap" | "fmtp" | "gpmd")
        .then(|| attribute.value.as_deref()?.split_ascii_whitespace().next())
        .flatten()
}

/// `a=rtcp` and `a=rtcp-mux`, where they stood; added where the other side could not know.
fn place_rtcp(media: &mut Media, anchor: &Anchor) {
    let family = if anchor.rtcp.is_ipv4() { "IP4" } else { "IP6" };
    let ours = Attribute::with_value(
        "rtcp",
        format_smolstr!("{} IN {family} {}", anchor.rtcp.port(), anchor.rtcp.ip()),
    );
    let expected = anchor.rtp.port().checked_add(1).map(|port| SocketAddr::new(anchor.rtp.ip(), port));
    let mut told = expected == Some(anchor.rtcp) || anchor.mux && anchor.rtcp == anchor.rtp;
    let mut agreed = !anchor.mux;
    media.attributes.retain_mut(|attribute| match attribute.name.as_str() {
        "rtcp" => {
            attribute.clone_from(&ours);
            told = true;
            true
        }
        "rtcp-mux" => {
            agreed = true;
            anchor.mux
        }
        _ => true,
    });
    if !told {
        media.attributes.push(ours);
    }
    if !agreed {
        media.attributes.push(Attribute::new("rtcp-mux"));
    }
    if anchor.rsize {
        media.attributes.push(Attribute::new("rtcp-rsize"));
    }
    if let Some(value) = anchor.xr.value() {
        media.attributes.push(Attribute::with_value("rtcp-xr", value.into()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SESSION: &str = "v=0\r\no=root 99 7 IN IP4 10.0.0.9\r\ns=PBX\r\nc=IN IP4 10.0.0.9\r\nt=0 0\r\n";
    const OURS: &str = "v=0\r\no=- 7 1 IN IP4 198.51.100.9\r\ns=PBX\r\nc=IN IP4 198.51.100.9\r\nt=0 0\r\n";

    fn anchor() -> Anchor {
        Anchor::new(7, 1, "198.51.100.9:20000".parse().unwrap())
    }

    fn anchored(media: &str, anchor: &Anchor) -> Result<String, AnchorError> {
        let sdp = Sdp::parse(format!("{SESSION}{media}").as_bytes()).unwrap();
        let text = String::from_utf8(sdp.anchored(anchor)?.to_bytes().to_vec()).unwrap();
        Ok(text.strip_prefix(OURS).unwrap_or_else(|| panic!("{text}")).to_owned())
    }

    /// Lines are joined by `|` to be readable.
    fn check(media: &str, anchor: &Anchor, expect: &str) {
        let wire = |lines: &str| lines.split('|').map(|line| format!("{line}\r\n")).collect::<String>();
        assert_eq!(anchored(&wire(media), anchor).unwrap(), wire(expect));
    }

    #[test]
    fn rtcp_is_corrected_in_place_or_told_when_unexpected() {
        let check = |media: &str, rtcp: &str, mux, expect: &str| {
            check(media, &Anchor { rtcp: rtcp.parse().unwrap(), mux, ..anchor() }, expect);
        };
        let next = "198.51.100.9:20001";
        check("m=audio 4 RTP/AVP 0|a=x", next, false, "m=audio 20000 RTP/AVP 0|a=x");
        check(
            "m=audio 4 RTP/AVP 0|a=rtcp:5|a=x",
            next,
            false,
            "m=audio 20000 RTP/AVP 0|a=rtcp:20001 IN IP4 198.51.100.9|a=x",
        );
        check(
            "m=audio 4 RTP/AVP 0|a=x",
            "198.51.100.9:30001",
            false,
            "m=audio 20000 RTP/AVP 0|a=x|a=rtcp:30001 IN IP4 198.51.100.9",
        );
        check("m=audio 4 RTP/AVP 0|a=rtcp-mux|a=x", next, false, "m=audio 20000 RTP/AVP 0|a=x");
        check("m=audio 4 RTP/AVP 0|a=rtcp-mux|a=x", next, true, "m=audio 20000 RTP/AVP 0|a=rtcp-mux|a=x");
        check(
            "m=audio 4 RTP/AVP 0|a=x",
            "198.51.100.9:20000",
            true,
            "m=audio 20000 RTP/AVP 0|a=x|a=rtcp-mux",
        );
        check("m=image 4 udptl t38|a=rtcp:5|a=rtcp-mux", next, true, "m=image 20000 udptl t38");
    }

    #[test]
    fn reports_end_here_and_are_agreed_to_by_us() {
        let offer = "m=audio 4 RTP/AVP 0|a=rtcp-rsize|a=rtcp-xr:stat-summary=loss voip-metrics|a=x";
        check(offer, &anchor(), "m=audio 20000 RTP/AVP 0|a=x");
        let xr = RtcpXr { rcvr_rtt: true, voip_metrics: true };
        check(
            offer,
            &Anchor { rsize: true, xr, ..anchor() },
            "m=audio 20000 RTP/AVP 0|a=x|a=rtcp-rsize|a=rtcp-xr:rcvr-rtt=all voip-metrics",
        );
    }

    #[test]
    fn other_streams_stay_in_place_disabled() {
        check(
            "m=video 4 RTP/AVP 96|c=IN IP4 10.1.1.1|b=AS:9|a=rtpmap:96 VP8/90000|m=audio 6/2 RTP/AVP 0|m=audio 8 RTP/AVP 8",
            &anchor(),
            "m=video 0 RTP/AVP 96|m=audio 20000 RTP/AVP 0|m=audio 0 RTP/AVP 8",
        );
        check(
            "m=audio 0 RTP/AVP 0|m=image 4 udptl t38",
            &anchor(),
            "m=audio 0 RTP/AVP 0|m=image 20000 udptl t38",
        );
        assert_eq!(anchored("m=audio 0 RTP/AVP 0\r\n", &anchor()), Err(AnchorError::NoStream));
        assert_eq!(anchored("m=video 4 RTP/AVP 96\r\n", &anchor()), Err(AnchorError::NoStream));
        let named = Anchor { stream: Some(0), ..anchor() };
        assert_eq!(
            anchored("m=audio 0 RTP/AVP 0\r\nm=audio 4 RTP/AVP 0\r\n", &named),
            Err(AnchorError::NoStream)
        );
        assert_eq!(
            anchored("m=audio 4 RTP/AVP 101\r\na=rtpmap:101 telephone-event/8000\r\n", &anchor()),
            Err(AnchorError::NoCommonCodec)
        );
    }

    #[test]
    fn the_stream_to_carry_can_be_named() {
        let second = Anchor { stream: Some(1), ..anchor() };
        check(
            "m=audio 4 RTP/SAVP 0|m=audio 6 RTP/AVP 0",
            &second,
            "m=audio 0 RTP/SAVP 0|m=audio 20000 RTP/AVP 0",
        );
    }

    #[test]
    fn the_filter_keeps_order_and_events() {
        let media = "m=audio 4 RTP/AVP 18 8 111 0 13 101|a=rtpmap:8 PCMA/8000|a=rtpmap:111 opus/48000/2|\
                     a=fmtp:111 x=1|a=rtpmap:101 telephone-event/8000|a=fmtp:101 0-15|a=ptime:20";
        let only = |names: &[&str]| Anchor {
            codecs: Some(names.iter().map(|name| (*name).to_owned()).collect()),
            ..anchor()
        };
        check(
            media,
            &only(&["pcmu", "PCMA"]),
            "m=audio 20000 RTP/AVP 8 0 13 101|a=rtpmap:8 PCMA/8000|a=rtpmap:101 telephone-event/8000|a=fmtp:101 0-15|a=ptime:20",
        );
        check(
            media,
            &only(&["opus/48000"]),
            "m=audio 20000 RTP/AVP 111 13 101|a=rtpmap:111 opus/48000/2|a=fmtp:111 x=1|a=rtpmap:101 telephone-event/8000|a=fmtp:101 0-15|a=ptime:20",
        );
        let wire = media.split('|').map(|line| format!("{line}\r\n")).collect::<String>();
        assert_eq!(anchored(&wire, &only(&["G722"])), Err(AnchorError::NoCommonCodec));
        assert_eq!(anchored(&wire, &only(&["telephone-event", "CN"])), Err(AnchorError::NoCommonCodec));
        assert_eq!(anchored(&wire, &only(&["opus/8000"])), Err(AnchorError::NoCommonCodec));
        check("m=image 4 udptl t38", &only(&["G722"]), "m=image 20000 udptl t38");
    }

    #[test]
    fn transport_and_keys_are_rewritten() {
        let secured = Anchor {
            protocol: Some("RTP/SAVP".into()),
            crypto: vec!["1 AES_CM_128_HMAC_SHA1_80 inline:OURS".to_owned()],
            ..anchor()
        };
        check(
            "m=audio 4 RTP/AVP 0|a=crypto:1 X inline:THEIRS|a=sendrecv",
            &secured,
            "m=audio 20000 RTP/SAVP 0|a=sendrecv|a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:OURS",
        );
        check("m=image 4 udptl t38", &secured, "m=image 20000 udptl t38");
        assert!(!format!("{secured:?}").contains("OURS"));
        let plain = Anchor { protocol: Some("RTP/AVP".into()), ..anchor() };
        check("m=audio 4 RTP/SAVP 0|a=crypto:1 X inline:THEIRS", &plain, "m=audio 20000 RTP/AVP 0");
    }

    #[test]
    fn an_address_of_zeros_becomes_a_direction() {
        let check = |media: &str, expect: &str| check(media, &anchor(), expect);
        check(
            "m=audio 4 RTP/AVP 0|c=IN IP4 0.0.0.0",
            "m=audio 20000 RTP/AVP 0|c=IN IP4 198.51.100.9|a=sendonly",
        );
        check(
            "m=audio 4 RTP/AVP 0|c=IN IP4 0.0.0.0|a=recvonly|a=x",
            "m=audio 20000 RTP/AVP 0|c=IN IP4 198.51.100.9|a=inactive|a=x",
        );
        check(
            "m=audio 4 RTP/AVP 0|c=IN IP4 0.0.0.0|a=sendrecv",
            "m=audio 20000 RTP/AVP 0|c=IN IP4 198.51.100.9|a=sendonly",
        );
    }

    #[test]
    fn ipv6_and_user_stand_in_the_origin() {
        let sdp = Sdp::parse(b"v=0\r\nc=IN IP4 10.0.0.9\r\nm=audio 4 RTP/AVP 0\r\na=rtcp:9\r\n").unwrap();
        let mut anchor = Anchor::new(1, 2, "[2001:db8::9]:20000".parse().unwrap());
        anchor.origin_user = "vc 1".into();
        assert_eq!(
            sdp.anchored(&anchor).unwrap().to_bytes(),
            "v=0\r\no=vc1 1 2 IN IP6 2001:db8::9\r\ns=-\r\nc=IN IP6 2001:db8::9\r\nt=0 0\r\n\
             m=audio 20000 RTP/AVP 0\r\na=rtcp:20001 IN IP6 2001:db8::9\r\n"
        );
    }
}
