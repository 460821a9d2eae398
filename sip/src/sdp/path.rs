//! What a description says of the path of its sender's media: DTLS (RFC 8842, RFC 5763) and ICE (RFC 8839).

use std::fmt;
use std::net::SocketAddr;

use smol_str::{SmolStr, format_smolstr};

use super::grammar::{Attribute, Media, Session};

/// `a=setup`: who begins the handshake. RFC 4145 §4.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Setup {
    /// The sender begins.
    Active,
    /// The sender waits.
    Passive,
    /// Whoever answers chooses.
    ActPass,
}

impl Setup {
    /// As written.
    pub fn as_str(self) -> &'static str {
        match self {
            Setup::Active => "active",
            Setup::Passive => "passive",
            Setup::ActPass => "actpass",
        }
    }

    /// Of those that DTLS-SRTP has; `holdconn` is none. RFC 5763 §5.
    fn named(value: &str) -> Option<Self> {
        let all = [Setup::Active, Setup::Passive, Setup::ActPass];
        all.into_iter().find(|setup| setup.as_str().eq_ignore_ascii_case(value.trim()))
    }
}

/// What a sender says of its agent of ICE.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IceAgent {
    /// `a=ice-ufrag`
    pub ufrag: SmolStr,
    /// `a=ice-lite`: it answers checks and makes none.
    pub is_lite: bool,
}

/// What a sender says of DTLS and ICE. Lines of the session hold for its streams.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct MediaPath {
    /// `a=setup`
    pub setup: Option<Setup>,
    /// The values of `a=fingerprint`, as written.
    pub fingerprints: Vec<SmolStr>,
    /// `a=tls-id`
    pub tls_id: Option<SmolStr>,
    /// There is an agent of ICE.
    pub ice: Option<IceAgent>,
    /// `a=mid`, where the session groups it by BUNDLE with nothing else before it. RFC 9143.
    pub bundled: Option<SmolStr>,
}

impl MediaPath {
    pub(super) fn of(session: &Session, media: &Media) -> Self {
        let of_session = |name: &str| {
            let found = session.attributes.iter().find(|attribute| attribute.name == name);
            found.and_then(|attribute| attribute.value.as_deref())
        };
        let value = |name: &'static str| media.value(name).or_else(|| of_session(name)).map(str::trim);
        let written = |attributes: &[Attribute]| -> Vec<SmolStr> {
            let lines = attributes.iter().filter(|attribute| attribute.name == "fingerprint");
            lines.filter_map(|attribute| attribute.value.clone()).collect()
        };
        let mut fingerprints = written(&media.attributes);
        if fingerprints.is_empty() {
            fingerprints = written(&session.attributes);
        }
        let is_lite = session.attributes.iter().any(|attribute| attribute.name == "ice-lite");
        let agent = |ufrag: &str| IceAgent { ufrag: ufrag.into(), is_lite };
        let has_password = value("ice-pwd").is_some();
        let mid = media.value("mid").map(str::trim);
        let heads = |mid: &&str| {
            let mut words = of_session("group").unwrap_or_default().split_ascii_whitespace();
            words.next().is_some_and(|kind| kind.eq_ignore_ascii_case("BUNDLE")) && words.next() == Some(*mid)
        };
        Self {
            setup: value("setup").and_then(Setup::named),
            fingerprints,
            tls_id: value("tls-id").map(SmolStr::from),
            ice: value("ice-ufrag").filter(|_| has_password).map(agent),
            bundled: mid.filter(heads).map(SmolStr::from),
        }
    }
}

/// What our copy says of our path.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct OwnPath {
    /// The value of `a=fingerprint`, and who begins.
    pub dtls: Option<(SmolStr, Setup)>,
    /// Our agent of ICE, which is lite.
    pub ice: Option<OwnAgent>,
    /// `a=mid`, bundled with nothing else.
    pub bundled: Option<SmolStr>,
}

/// Our agent of ICE.
#[derive(Clone, PartialEq, Eq)]
pub struct OwnAgent {
    /// `a=ice-ufrag`
    pub ufrag: SmolStr,
    /// `a=ice-pwd`: secret.
    pub password: SmolStr,
    /// RTCP may come to its port: an offer, or an answer that does not agree to one port.
    pub has_rtcp: bool,
}

impl fmt::Debug for OwnPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ufrag = self.ice.as_ref().map(|ice| &ice.ufrag);
        f.debug_struct("OwnPath").field("dtls", &self.dtls).field("ice_ufrag", &ufrag).finish_non_exhaustive()
    }
}

impl OwnPath {
    pub(super) fn write_session(&self, session: &mut Session) {
        if self.ice.is_some() {
            session.attributes.push(Attribute::new("ice-lite"));
        }
        if let Some(mid) = &self.bundled {
            session.attributes.push(Attribute::with_value("group", format_smolstr!("BUNDLE {mid}")));
        }
    }

    pub(super) fn write_stream(&self, media: &mut Media, rtp: SocketAddr, rtcp: SocketAddr) {
        let mut say = |name, value| media.attributes.push(Attribute::with_value(name, value));
        if let Some(mid) = &self.bundled {
            say("mid", mid.clone());
        }
        if let Some((fingerprint, setup)) = &self.dtls {
            say("fingerprint", fingerprint.clone());
            say("setup", SmolStr::new_static(setup.as_str()));
        }
        let Some(ice) = &self.ice else { return };
        say("ice-ufrag", ice.ufrag.clone());
        say("ice-pwd", ice.password.clone());
        let rtcp = Some(rtcp).filter(|_| ice.has_rtcp);
        for (component, address) in (1..).zip([Some(rtp), rtcp].into_iter().flatten()) {
            // RFC 8445 §5.1.2.1 with one address: type 126 (host), local preference 65,535.
            let priority = (126u32 << 24) + (65_535 << 8) + (256 - component);
            let (ip, port) = (address.ip(), address.port());
            say("candidate", format_smolstr!("1 {component} udp {priority} {ip} {port} typ host"));
        }
        media.attributes.push(Attribute::new("end-of-candidates"));
    }
}

/// Whether a transport is SRTP whose keys come of DTLS. RFC 5764 §8.
pub fn is_dtls(protocol: &str) -> bool {
    protocol.eq_ignore_ascii_case("UDP/TLS/RTP/SAVP") || protocol.eq_ignore_ascii_case("UDP/TLS/RTP/SAVPF")
}

#[cfg(test)]
mod tests {
    use super::super::{Anchor, Sdp};
    use super::*;

    /// As Chromium writes it, shortened.
    const BROWSER: &str = "v=0\r\no=- 46 2 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\na=group:BUNDLE 0\r\na=msid-semantic: WMS x\r\n\
        m=audio 9 UDP/TLS/RTP/SAVPF 0 101\r\nc=IN IP4 0.0.0.0\r\na=rtcp:9 IN IP4 0.0.0.0\r\n\
        a=candidate:1 1 udp 2113937151 3f2b.local 54321 typ host generation 0\r\na=ice-ufrag:them\r\n\
        a=ice-pwd:abcdefghijklmnopqrstuvwx\r\na=ice-options:trickle\r\na=fingerprint:sha-256 AB:CD\r\na=setup:actpass\r\n\
        a=mid:0\r\na=sendrecv\r\na=rtcp-mux\r\na=rtcp-rsize\r\na=rtpmap:0 PCMU/8000\r\na=rtpmap:101 telephone-event/8000\r\n\
        a=ssrc:1 cname:x\r\n";

    #[test]
    fn a_browsers_offer_is_read() {
        let sdp = Sdp::parse(BROWSER.as_bytes()).unwrap();
        let stream = sdp.relayed_stream().unwrap();
        assert!(!stream.is_hold() && stream.is_dtls() && !stream.is_srtp());
        assert_eq!(stream.rtp(), None);
        let expect = MediaPath {
            setup: Some(Setup::ActPass),
            fingerprints: vec!["sha-256 AB:CD".into()],
            tls_id: None,
            ice: Some(IceAgent { ufrag: "them".into(), is_lite: false }),
            bundled: Some("0".into()),
        };
        assert_eq!(stream.path, expect);
        assert!(!format!("{sdp:?}").contains("abcdefghijklmnopqrstuvwx"));
    }

    #[test]
    fn lines_of_the_session_hold_for_its_streams() {
        let text = "v=0\r\nc=IN IP4 192.0.2.1\r\na=ice-lite\r\na=ice-ufrag:them\r\na=ice-pwd:x\r\na=setup:holdconn\r\n\
            a=fingerprint:sha-256 AB\r\nm=audio 4 UDP/TLS/RTP/SAVP 0\r\na=mid:1\r\na=tls-id:abc\r\n";
        let sdp = Sdp::parse(text.as_bytes()).unwrap();
        let expect = MediaPath {
            setup: None,
            fingerprints: vec!["sha-256 AB".into()],
            tls_id: Some("abc".into()),
            ice: Some(IceAgent { ufrag: "them".into(), is_lite: true }),
            bundled: None,
        };
        assert_eq!(sdp.relayed_stream().unwrap().path, expect);
    }

    #[test]
    fn nothing_of_the_senders_path_passes_and_ours_is_told() {
        let sdp = Sdp::parse(BROWSER.as_bytes()).unwrap();
        let mut anchor = Anchor::new(7, 1, "198.51.100.9:20000".parse().unwrap());
        anchor.protocol = Some("RTP/AVP".into());
        let plain = String::from_utf8(sdp.anchored(&anchor).unwrap().to_bytes().to_vec()).unwrap();
        let expect = "v=0\r\no=- 7 1 IN IP4 198.51.100.9\r\ns=-\r\nc=IN IP4 198.51.100.9\r\nt=0 0\r\n\
            m=audio 20000 RTP/AVP 0 101\r\nc=IN IP4 198.51.100.9\r\na=rtcp:20001 IN IP4 198.51.100.9\r\na=sendrecv\r\n\
            a=rtpmap:0 PCMU/8000\r\na=rtpmap:101 telephone-event/8000\r\n";
        assert_eq!(plain, expect);

        let agent = OwnAgent { ufrag: "ours".into(), password: "secret".into(), has_rtcp: true };
        anchor.protocol = None;
        anchor.path = OwnPath {
            dtls: Some(("sha-256 EF".into(), Setup::Passive)),
            ice: Some(agent),
            bundled: Some("0".into()),
        };
        assert!(!format!("{anchor:?}").contains("secret"));
        let lines = |anchor: &Anchor| {
            let text = String::from_utf8(sdp.anchored(anchor).unwrap().to_bytes().to_vec()).unwrap();
            let ours = |line: &&str| {
                ["ice", "cand", "end", "fing", "setup", "mid", "group"]
                    .iter()
                    .any(|word| line[2..].starts_with(word))
            };
            text.lines().filter(ours).map(str::to_owned).collect::<Vec<_>>()
        };
        let session = ["a=ice-lite", "a=group:BUNDLE 0"];
        let stream = [
            "a=mid:0",
            "a=fingerprint:sha-256 EF",
            "a=setup:passive",
            "a=ice-ufrag:ours",
            "a=ice-pwd:secret",
            "a=candidate:1 1 udp 2130706431 198.51.100.9 20000 typ host",
        ];
        let second = ["a=candidate:1 2 udp 2130706430 198.51.100.9 20001 typ host"];
        let end = ["a=end-of-candidates"];
        assert_eq!(lines(&anchor), [&session[..], &stream, &second, &end].concat());
        anchor.path.ice.iter_mut().for_each(|ice| ice.has_rtcp = false);
        assert_eq!(lines(&anchor), [&session[..], &stream, &end].concat());
    }
}
