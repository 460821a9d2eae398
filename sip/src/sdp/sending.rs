//! An offer of who only sends: copies of streams that others described.

use smol_str::SmolStr;

use super::anchor::carry;
use super::grammar::Attribute;
use super::stream::Direction;
use super::{Anchor, AnchorError, Sdp};

impl Sdp {
    /// An offer of ours to send what others are heard in, each as its own stream: `sendonly`, under its label. RFC 7866 §7.
    ///
    /// - `streams`: a description, whose relayed stream is copied; our port and keys for it, the first of which also says what the
    ///   session is; and its label.
    ///
    /// # Errors
    /// There is no stream, or one of them can't be carried.
    pub fn sending(streams: &[(&Sdp, Anchor, &str)]) -> Result<Sdp, AnchorError> {
        let (first, anchor, _) = streams.first().ok_or(AnchorError::NoStream)?;
        let mut session = first.session.clone();
        session.origin = anchor.origin();
        session.connection = Some(anchor.connection());
        session.name = SmolStr::new_static("-");
        session.attributes.clear();
        session.bandwidths.clear();
        session.emails.clear();
        session.phones.clear();
        (session.description, session.uri, session.key) = (None, None, None);
        session.medias.clear();
        for (source, anchor, label) in streams {
            let stream = source.relayed_stream().ok_or(AnchorError::NoStream)?;
            let media = source.session.medias.get(stream.index).ok_or(AnchorError::NoStream)?;
            let mut media = media.clone();
            (media.ports, media.key, media.title) = (None, None, None);
            carry(&mut media, stream, anchor)?;
            let is_ours = |attribute: &Attribute| {
                Direction::named(&attribute.name).is_some() || attribute.name == "label"
            };
            media.attributes.retain(|attribute| !is_ours(attribute));
            media.attributes.push(Attribute::new(Direction::SendOnly.as_str()));
            media.attributes.push(Attribute::with_value("label", (*label).into()));
            session.medias.push(media);
        }
        Ok(Self::of(session))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sdp(media: &str) -> Sdp {
        let lines: String = media.split('|').map(|line| format!("{line}\r\n")).collect();
        let head =
            "v=0\r\no=pbx 1 1 IN IP4 10.0.0.9\r\ns=secret\r\nc=IN IP4 10.0.0.9\r\nt=0 0\r\na=tool:x\r\n";
        Sdp::parse(format!("{head}{lines}").as_bytes()).unwrap()
    }

    fn anchor(port: u16) -> Anchor {
        Anchor::new(7, 1, format!("198.51.100.9:{port}").parse().unwrap())
    }

    #[test]
    fn each_party_is_offered_as_it_is_heard() {
        let caller = sdp("m=audio 4 RTP/AVP 0 101|a=rtpmap:101 telephone-event/8000|a=label:x|a=recvonly");
        let callee = sdp("m=video 0 RTP/AVP 96|m=audio 6 RTP/SAVP 8|a=crypto:1 X inline:THEIRS");
        let protocol = || Some("RTP/AVP".into());
        let streams = [
            (&caller, anchor(20_000), "1"),
            (&callee, Anchor { protocol: protocol(), ..anchor(20_002) }, "2"),
        ];
        let offer = Sdp::sending(&streams).unwrap().to_bytes();
        assert_eq!(
            String::from_utf8(offer.to_vec()).unwrap(),
            "v=0\r\no=- 7 1 IN IP4 198.51.100.9\r\ns=-\r\nc=IN IP4 198.51.100.9\r\nt=0 0\r\n\
             m=audio 20000 RTP/AVP 0 101\r\na=rtpmap:101 telephone-event/8000\r\na=sendonly\r\na=label:1\r\n\
             m=audio 20002 RTP/AVP 8\r\na=sendonly\r\na=label:2\r\n"
        );
    }

    #[test]
    fn what_can_not_be_carried_is_not_offered() {
        let none = sdp("m=audio 0 RTP/AVP 0");
        assert_eq!(Sdp::sending(&[(&none, anchor(4), "1")]), Err(AnchorError::NoStream));
        assert_eq!(Sdp::sending(&[]), Err(AnchorError::NoStream));
    }
}
