//! What of a description stays on its own side: the sender's transport, and whatever names an address of its own.

use std::net::{Ipv4Addr, Ipv6Addr};

use smol_str::SmolStr;

use super::grammar::{Attribute, Media, Session};

/// Takes the sender's addresses out of the lines that are for people: `s`, `i`, `u`, `e`, `p`. RFC 8866 §5.3-§5.6.
pub(super) fn hide_session(session: &mut Session) {
    if session.name.is_empty() || names_address(&session.name) {
        session.name = SmolStr::new_static("-"); // Never empty: RFC 8866 §5.3.
    }
    for line in [&mut session.description, &mut session.uri] {
        *line = line.take().filter(|text| !names_address(text));
    }
    for lines in [&mut session.emails, &mut session.phones] {
        lines.retain(|text| !names_address(text));
    }
    session.key = None;
    session.attributes.retain(|attribute| !is_foreign(attribute) && attribute.name != "rtcp");
}

/// The same of a stream. Its `a=rtcp` stays where it stood, for ours.
pub(super) fn hide_stream(media: &mut Media) {
    media.title = media.title.take().filter(|text| !names_address(text));
    media.attributes.retain(|attribute| !is_foreign(attribute));
}

/// Whether an attribute speaks of the sender's own transport, or promises what ends at the gateway.
fn is_foreign(attribute: &Attribute) -> bool {
    let name = attribute.name.trim();
    let begins = |start: &str| name.get(..start.len()).is_some_and(|begin| begin.eq_ignore_ascii_case(start));
    FOREIGN.iter().any(|foreign| name.eq_ignore_ascii_case(foreign))
        || begins("ice-")
        || begins("omr-")
        || (!name.eq_ignore_ascii_case("rtcp") && attribute_names_address(attribute))
}

/// Names of attributes that stay on their side.
const FOREIGN: &[&str] = &[
    // ICE, RFC 8839; `alt` is its ancestor in old soft phones.
    "candidate",
    "remote-candidates",
    "end-of-candidates",
    "alt",
    // Keys: RFC 4568, RFC 4567, RFC 6189, DTLS RFC 5763, RFC 8842, RFC 4145.
    "crypto",
    "key-mgmt",
    "zrtp-hash",
    "fingerprint",
    "setup",
    "connection",
    "dtls-id",
    "tls-id",
    // Grouping of transports: RFC 5888, RFC 9143. RTCP, which ends here: RFC 5506, RFC 3611, RFC 8858.
    "group",
    "mid",
    "bundle-only",
    "rtcp-mux-only",
    "rtcp-rsize",
    "rtcp-xr",
    "rtcp-fb",
    // Sources: RFC 5576, RFC 8830, RFC 4570.
    "ssrc",
    "ssrc-group",
    "msid",
    "msid-semantic",
    "source-filter",
    // Capability negotiation may name transports and carry keys: RFC 5939, RFC 3407.
    "tcap",
    "acap",
    "pcfg",
    "acfg",
    "creq",
    "csup",
    "cpar",
    "cparmin",
    "cparmax",
    // Where media might go around us: optimal media routing (3GPP TS 29.079), connectivity of RFC 6947 and of
    // other relays.
    "visited-realm",
    "secondary-realm",
    "altc",
    "nat",
    "oldmediaip",
    "oldmediaport",
    "oldoip",
];

/// [`names_address`] of an attribute as its line had it: without a colon of its own, the first one in an address ends what
/// passes for its name.
fn attribute_names_address(attribute: &Attribute) -> bool {
    let Some(value) = attribute.value.as_deref() else { return names_address(&attribute.name) };
    // Nearly all have none of these, and so no address.
    let dotted = |text: &str| text.bytes().any(|byte| matches!(byte, b'.' | b':'));
    let typed = |text: &str| {
        let is_kind = |word: &[u8]| word.eq_ignore_ascii_case(b"IP4") || word.eq_ignore_ascii_case(b"IP6");
        text.as_bytes().windows(3).any(is_kind)
    };
    [&*attribute.name, value].into_iter().any(|text| dotted(text) || typed(text))
        && names_address(&format!("{}:{value}", attribute.name))
}

/// Whether text has an address in it: one of IPv4 or IPv6 as such, or a name after `IN IP4`.
fn names_address(text: &str) -> bool {
    let words = || text.split_ascii_whitespace();
    let typed = |(net, kind): (&str, &str)| {
        net.eq_ignore_ascii_case("IN")
            && (kind.eq_ignore_ascii_case("IP4") || kind.eq_ignore_ascii_case("IP6"))
    };
    let is_v4 = |piece: &str| piece.trim_matches('.').parse::<Ipv4Addr>().is_ok();
    let is_v6 = |piece: &str| {
        let bare = piece.strip_prefix(':').unwrap_or(piece);
        [piece, bare].iter().any(|one| one.parse::<Ipv6Addr>().is_ok())
    };
    words().zip(words().skip(1)).any(typed)
        || text.split(|letter: char| !(letter.is_ascii_digit() || letter == '.')).any(is_v4)
        || text.split(|letter: char| !(letter.is_ascii_hexdigit() || matches!(letter, '.' | ':'))).any(is_v6)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sdp::{Anchor, Sdp};

    #[test]
    fn addresses_are_found_wherever_they_stand() {
        for text in [
            "10.0.0.9",
            "x 10.0.0.9:4000 y",
            "addr=10.0.0.9,port=4",
            "sip:a@10.0.0.9;x",
            "at 10.0.0.9.",
            "1 IN IP4 pbx.example.com 5",
            "in ip6 pbx",
            "2001:db8::9",
            "[2001:db8::9]:4000",
            "to:2001:db8::9",
            "fe80::1%eth0",
            "::ffff:10.0.0.9",
        ] {
            assert!(names_address(text), "{text}");
        }
        for text in [
            "",
            "telephone-event/8000",
            "101 0-16",
            "96 useinbandfec=1;minptime=10",
            "1.2.3",
            "10:20",
            "Phone 2.0.1",
            "97 profile-level-id=42e01f",
            "IN time",
        ] {
            assert!(!names_address(text), "{text}");
        }
    }

    #[test]
    fn no_address_of_the_sender_is_left() {
        let description = "v=0\r\no=10.0.0.9 1 1 IN IP4 10.0.0.9\r\ns=PBX at 10.0.0.9\r\ni=10.0.0.9\r\n\
            u=http://10.0.0.9/\r\ne=admin@10.0.0.9\r\np=10.0.0.9\r\nc=IN IP4 10.0.0.9\r\nt=0 0\r\n\
            a=visited-realm:1 ims.example IN IP4 10.0.0.9 4\r\na=Secondary-Realm:1 ims.example IN IP4 x 4\r\n\
            a=rtcp:5 IN IP4 10.0.0.9\r\na=X-Relay:10.0.0.9\r\na=tool:x\r\n\
            m=audio 4 RTP/AVP 0\r\ni=10.0.0.9\r\nc=IN IP4 10.0.0.9\r\na=rtcp:5 IN IP4 10.0.0.9\r\n\
            a=candidate:1 1 udp 1 10.0.0.9 4 typ host\r\na=remote-candidates:1 10.0.0.9 4\r\na=ICE-ufrag:x\r\n\
            a=alt:1 1 x x 10.0.0.9 4\r\na=altc:1 IP4 10.0.0.9 4\r\na=nat:10.0.0.9\r\na=omr-m-cksum:AB\r\n\
            a=x-media-addr:[2001:db8::9]:4\r\na=oldmediaip:10.0.0.9\r\na=oldmediaport:4\r\na=cpar:a=crypto:1 x\r\n\
            a=relay 2001:db8::9\r\na=relay=10.0.0.9\r\n\
            a=rtpmap:0 PCMU/8000\r\na=fmtp:0 x\r\na=x-harmless:1\r\n";
        let sdp = Sdp::parse(description.as_bytes()).unwrap();
        let ours = sdp.anchored(&Anchor::new(7, 1, "198.51.100.9:20000".parse().unwrap())).unwrap();
        assert_eq!(
            String::from_utf8(ours.to_bytes().to_vec()).unwrap(),
            "v=0\r\no=- 7 1 IN IP4 198.51.100.9\r\ns=-\r\nc=IN IP4 198.51.100.9\r\nt=0 0\r\na=tool:x\r\n\
             m=audio 20000 RTP/AVP 0\r\nc=IN IP4 198.51.100.9\r\na=rtcp:20001 IN IP4 198.51.100.9\r\n\
             a=rtpmap:0 PCMU/8000\r\na=fmtp:0 x\r\na=x-harmless:1\r\n"
        );
    }

    #[test]
    fn words_without_an_address_stay() {
        let lines = "v=0\r\ns=PBX 1.2\r\ni=About\r\nu=http://pbx.example/\r\ne=a@pbx.example\r\np=+1 206 555 0100\r\n";
        let sdp =
            Sdp::parse(format!("{lines}c=IN IP4 10.0.0.9\r\nm=audio 4 RTP/AVP 0\r\n").as_bytes()).unwrap();
        let ours = sdp.anchored(&Anchor::new(7, 1, "198.51.100.9:20000".parse().unwrap())).unwrap();
        let ours = String::from_utf8(ours.to_bytes().to_vec()).unwrap();
        for line in lines.lines().skip(1) {
            assert!(ours.contains(line), "{line} in {ours}");
        }
    }
}
