//! The answer of who only listens: several streams, each at a port of its own.

use super::anchor::{carry, disable, turn};
use super::stream::Direction;
use super::{Anchor, AnchorError, Sdp, foreign};

impl Sdp {
    /// Our answer to this offer, of which we take each stream that an anchor names and send nothing: `recvonly`, or `inactive`
    /// where its sender does not send. Every other stream is refused in its place (RFC 3264 §6). Labels stay.
    ///
    /// - `anchors`: one for each stream that is taken, with its index; the first also says what the session is.
    ///
    /// # Errors
    /// There is no anchor, none of its stream can be carried, or nothing to speak with is left of its codecs.
    pub fn listened_to(&self, anchors: &[Anchor]) -> Result<Sdp, AnchorError> {
        let first = anchors.first().ok_or(AnchorError::NoStream)?;
        let mut session = self.session.clone();
        session.origin = first.origin();
        session.connection = Some(first.connection());
        foreign::hide_session(&mut session);
        session.attributes.retain(|attribute| Direction::named(&attribute.name).is_none());
        let mut carried = 0;
        for (index, media) in session.medias.iter_mut().enumerate() {
            media.ports = None;
            media.key = None;
            let anchor = anchors.iter().find(|anchor| anchor.stream == Some(index));
            let stream = self.streams().get(index).filter(|stream| stream.is_relayed());
            match anchor.zip(stream) {
                Some((anchor, stream)) => {
                    carry(media, stream, anchor)?;
                    turn(media, stream.direction.listening());
                    carried += 1;
                }
                None => disable(media),
            }
        }
        match carried == anchors.len() {
            true => Ok(Self::of(session)),
            false => Err(AnchorError::NoStream),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sdp(media: &str) -> Sdp {
        let lines: String = media.split('|').map(|line| format!("{line}\r\n")).collect();
        Sdp::parse(format!("v=0\r\nc=IN IP4 192.0.2.1\r\n{lines}").as_bytes()).unwrap()
    }

    fn anchor(stream: usize) -> Anchor {
        let port = 20_000 + 10 * stream;
        let rtp = format!("198.51.100.9:{port}").parse().unwrap();
        Anchor { stream: Some(stream), ..Anchor::new(7, 1, rtp) }
    }

    fn answered(offer: &str, streams: &[usize]) -> Result<String, AnchorError> {
        let anchors: Vec<Anchor> = streams.iter().copied().map(anchor).collect();
        let answer = sdp(offer).listened_to(&anchors)?;
        let text = String::from_utf8(answer.to_bytes().to_vec()).unwrap();
        let media = text.split_once("t=0 0\r\n").unwrap().1;
        Ok(media.trim_end().replace("\r\n", "|"))
    }

    #[test]
    fn each_stream_is_taken_at_a_port_of_its_own_under_its_label() {
        let offer =
            "m=audio 4 RTP/AVP 0|a=label:a_leg|a=sendonly|m=video 6 RTP/AVP 96|m=audio 8 RTP/AVP 0|a=label:7";
        assert_eq!(
            answered(offer, &[0, 2]).unwrap(),
            "m=audio 20000 RTP/AVP 0|a=label:a_leg|a=recvonly|m=video 0 RTP/AVP 96|m=audio 20020 RTP/AVP 0|\
             a=label:7|a=recvonly"
        );
        assert_eq!(
            answered(offer, &[2]).unwrap(),
            "m=audio 0 RTP/AVP 0|m=video 0 RTP/AVP 96|m=audio 20020 RTP/AVP 0|a=label:7|a=recvonly"
        );
        let labels: Vec<_> = sdp(offer).streams().iter().map(|stream| stream.label.clone()).collect();
        assert_eq!(labels, [Some("a_leg".into()), None, Some("7".into())]);
    }

    #[test]
    fn who_does_not_send_is_answered_so_wherever_it_said_it() {
        assert_eq!(
            answered("a=inactive|m=audio 4 RTP/AVP 0|m=audio 8 RTP/AVP 0|a=sendonly", &[0, 1]).unwrap(),
            "m=audio 20000 RTP/AVP 0|a=inactive|m=audio 20010 RTP/AVP 0|a=recvonly"
        );
        assert_eq!(
            answered("a=sendonly|m=audio 4 RTP/AVP 0|c=IN IP4 0.0.0.0|a=recvonly", &[0]).unwrap(),
            "m=audio 20000 RTP/AVP 0|c=IN IP4 198.51.100.9|a=inactive"
        );
    }

    #[test]
    fn what_is_not_there_is_not_taken() {
        let offer = "m=audio 0 RTP/AVP 0|m=audio 8 RTP/AVP 0";
        for streams in [&[][..], &[0], &[0, 1], &[2]] {
            assert_eq!(answered(offer, streams), Err(AnchorError::NoStream), "{streams:?}");
        }
    }
}
