//! An answer, held against the offer that it answers. RFC 3264 §6.

use std::borrow::Cow;

use super::grammar::Media;
use super::stream::{Stream, StreamKind};
use super::{AnchorError, Sdp};

impl Sdp {
    /// The answer with as many streams as `offer` has, in its order.
    ///
    /// - `offer`: what the sender was offered, with one stream that is carried.
    ///
    /// That stream is answered by the one at its place, or where that is refused, by the first of its kind: some leave
    /// out what was offered with port 0. Every other stream is refused as the offer named it.
    ///
    /// Fails if that stream is not answered, or with no codec that was offered: digits and silence are none.
    pub fn answering(&self, offer: &Sdp) -> Result<Cow<'_, Sdp>, AnchorError> {
        let offered = offer.relayed_stream().ok_or(AnchorError::NoStream)?;
        let answers = |stream: &Stream| {
            stream.kind == offered.kind && stream.is_rtp() == offered.is_rtp() && stream.is_relayed()
        };
        let mut streams = self.streams().iter().filter(|stream| answers(stream));
        let in_place = self.streams().get(offered.index).filter(|stream| answers(stream));
        let answer = in_place.or_else(|| streams.next()).ok_or(AnchorError::NoStream)?;
        if answer.is_rtp() && !shares_codec(answer, offered) {
            return Err(AnchorError::NoCommonCodec);
        }
        // Mostly there is one stream, and that is answered.
        if self.session.medias.len() == 1 && offer.session.medias.len() == 1 {
            return Ok(Cow::Borrowed(self));
        }
        let mut session = self.session.clone();
        let mut carried = session.medias.get(answer.index).cloned();
        let stands_for = |(index, media): (usize, &Media)| {
            let own = if index == offered.index { carried.take() } else { None };
            own.unwrap_or_else(|| Media { port: 0, ..media.clone() })
        };
        session.medias = offer.session.medias.iter().enumerate().map(stands_for).collect();
        Ok(Cow::Owned(Sdp::of(session)))
    }
}

fn shares_codec(answer: &Stream, offer: &Stream) -> bool {
    let speech = answer.codecs.iter().filter(|codec| !codec.is_companion());
    speech.into_iter().any(|codec| offer.codecs.iter().any(|offered| codec.is_same(offered)))
}

impl Stream {
    /// Whether there is something to speak with: for RTP a codec, which digits and silence are not.
    pub fn has_codec(&self, lets_pass: impl Fn(&super::Codec) -> bool) -> bool {
        let speaks = |codec: &super::Codec| !codec.is_companion() && lets_pass(codec);
        self.kind != StreamKind::Audio || !self.is_rtp() || self.codecs.iter().any(speaks)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sdp(media: &str) -> Sdp {
        let lines: String = media.split('|').map(|line| format!("{line}\r\n")).collect();
        Sdp::parse(format!("v=0\r\nc=IN IP4 192.0.2.1\r\n{lines}").as_bytes()).unwrap()
    }

    fn check(offer: &str, answer: &str, expect: Result<&str, AnchorError>) {
        let streams = |sdp: Cow<'_, Sdp>| {
            let all: Vec<_> =
                sdp.streams().iter().map(|one| format!("{:?} {}", one.kind, one.port)).collect();
            all.join(", ")
        };
        let said = sdp(answer);
        let answered = said.answering(&sdp(offer)).map(streams);
        assert_eq!(answered.as_deref(), expect.as_ref().map(|text| *text), "{offer} <- {answer}");
    }

    #[test]
    fn an_answer_has_the_streams_of_its_offer() {
        let (one, two) = ("m=audio 4 RTP/AVP 0", "m=video 0 RTP/AVP 96|m=audio 4 RTP/AVP 0");
        check(one, "m=audio 6 RTP/AVP 0", Ok("Audio 6"));
        check(one, "m=audio 6 RTP/AVP 0|m=video 8 RTP/AVP 96", Ok("Audio 6"));
        check(one, "m=video 8 RTP/AVP 96|m=audio 6 RTP/AVP 0", Ok("Audio 6"));
        check(one, "m=audio 6 RTP/AVP 0|m=audio 8 RTP/AVP 0", Ok("Audio 6"));
        check(two, "m=video 0 RTP/AVP 96|m=audio 6 RTP/AVP 0", Ok("Other 0, Audio 6"));
        check(two, "m=audio 6 RTP/AVP 0", Ok("Other 0, Audio 6"));
        check(two, "m=audio 8 RTP/AVP 0|m=audio 6 RTP/AVP 0", Ok("Other 0, Audio 6"));
        check("m=audio 0 RTP/AVP 0|m=image 4 udptl t38", "m=image 6 udptl t38", Ok("Audio 0, Image 6"));
    }

    #[test]
    fn what_was_offered_must_be_answered() {
        let offer = "m=audio 4 RTP/AVP 0";
        for answer in [
            "t=0 0",
            "m=audio 0 RTP/AVP 0",
            "m=image 6 udptl t38",
            "m=audio 6 udptl 0",
            "m=video 6 RTP/AVP 0",
            "m=audio 6 RTP/AVP 0|c=IN IP4 239.1.1.1/127",
        ] {
            check(offer, answer, Err(AnchorError::NoStream));
        }
        check("m=audio 0 RTP/AVP 0", "m=audio 6 RTP/AVP 0", Err(AnchorError::NoStream));
    }

    #[test]
    fn one_codec_must_have_been_offered() {
        let none = Err(AnchorError::NoCommonCodec);
        let offer = "m=audio 4 RTP/AVP 0 97 101|a=rtpmap:97 opus/48000/2|a=rtpmap:101 telephone-event/8000";
        check(offer, "m=audio 6 RTP/AVP 8", none);
        check(offer, "m=audio 6 RTP/AVP 101 13|a=rtpmap:101 telephone-event/8000", none);
        check(offer, "m=audio 6 RTP/AVP 97|a=rtpmap:97 G726-32/8000", none);
        check(offer, "m=audio 6 RTP/AVP 96|a=rtpmap:96 opus/24000/2", none);
        check(offer, "m=audio 6 RTP/AVP 8 0", Ok("Audio 6"));
        check(offer, "m=audio 6 RTP/AVP 97", Ok("Audio 6"));
        check(offer, "m=audio 6 RTP/AVP 96|a=rtpmap:96 OPUS/48000", Ok("Audio 6"));
        check(offer, "m=audio 6 RTP/AVP 96|a=rtpmap:96 pcmu/8000", Ok("Audio 6"));
        check("m=image 4 udptl t38", "m=image 6 UDPTL t38", Ok("Image 6"));
    }
}
