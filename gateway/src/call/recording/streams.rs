//! The streams of a recording session: which of an offer are taken, and what they are answered.
//!
//! The first audio stream has the place of the caller's, the second that of the callee's; each keeps it for as long as the
//! session lasts. There is a port for each, and nothing is sent from one.

use std::net::SocketAddr;

use bytes::Bytes;
use sip::sdp::{Anchor, AnchorError, Sdp, Stream, StreamKind};
use smol_str::SmolStr;

use crate::call::cx::Cx;
use crate::call::leg::{End, Leg};
use crate::call::negotiation::refused;
use crate::call::sdes::Sdes;
use crate::call::sides::Sides;
use crate::media::{Remote, Side};
use crate::reply::Cause;

const SIDES: [Side; 2] = [Side::A, Side::B];

/// One stream.
#[derive(Debug, Clone)]
struct Track {
    /// Its place in the description.
    index: usize,
    label: Option<SmolStr>,
    /// The keys of its media.
    sdes: Sdes,
    /// It flows, as the newest description has it.
    taken: bool,
}

/// Both.
#[derive(Debug, Clone, Default)]
pub(super) struct Tracks(Sides<Option<Track>>);

impl Tracks {
    /// Takes the streams of an offer of the recording client's.
    ///
    /// # Errors
    /// 488: there is none that can be taken.
    pub fn take(&mut self, cx: &mut Cx<'_>, end: &End, offer: &Sdp) -> Result<(), Cause> {
        let Sides { a, b } = &mut self.0;
        [a, b].into_iter().flatten().for_each(|track| track.taken = false);
        let mut fault = None;
        for stream in offer.streams().iter().filter(|one| one.kind == StreamKind::Audio && one.is_relayed()) {
            let Some(side) = self.place(stream) else { break };
            match usable(cx, end, stream, self.0.of(side).as_ref()) {
                Ok(track) => *self.0.of_mut(side) = Some(track),
                Err(cause) => fault = fault.or(Some(cause)),
            }
        }
        let taken = SIDES.into_iter().any(|side| self.is_taken(side));
        let none = || fault.unwrap_or_else(|| refused(AnchorError::NoStream));
        taken.then_some(()).ok_or_else(none)
    }

    /// Where a stream belongs: where it was, or the first place that nobody has.
    fn place(&self, stream: &Stream) -> Option<Side> {
        let index = |side: Side| self.0.of(side).as_ref().map(|track| track.index);
        let held = SIDES.into_iter().find(|side| index(*side) == Some(stream.index));
        held.or_else(|| SIDES.into_iter().find(|side| index(*side).is_none()))
    }

    fn is_taken(&self, side: Side) -> bool {
        self.0.of(side).as_ref().is_some_and(|track| track.taken)
    }

    /// The label of a stream that flows.
    pub fn label(&self, side: Side) -> Option<&SmolStr> {
        self.0.of(side).as_ref().filter(|track| track.taken)?.label.as_ref()
    }

    /// Our answer to the offer that was taken; the leg has said it.
    ///
    /// # Errors
    /// 488 where nothing to speak with is left, 500 without ports.
    pub fn answer(&self, cx: &Cx<'_>, leg: &mut Leg, offer: &Sdp) -> Result<Bytes, Cause> {
        let anchors = |version: u64| -> Result<Vec<Anchor>, Cause> {
            let mut anchors = Vec::new();
            for side in SIDES {
                let Some(track) = self.0.of(side).as_ref().filter(|track| track.taken) else { continue };
                let ports = cx.media.ports(side).ok_or_else(|| Cause::new(500, "No media ports are open"))?;
                let rtp = SocketAddr::new(leg.local.media_advertise, ports.rtp);
                let lines = track.sdes.answer();
                let mut anchor = Anchor::new(leg.sdp.session_id, version, rtp);
                anchor.rtcp.set_port(ports.rtcp);
                anchor.stream = Some(track.index);
                anchor.codecs.clone_from(&leg.profile.codecs);
                anchor.protocol = lines.protocol;
                anchor.crypto = lines.crypto;
                anchors.push(anchor);
            }
            Ok(anchors)
        };
        let said = |version| -> Result<Bytes, Cause> {
            let answer = offer.listened_to(&anchors(version)?);
            Ok(answer.map_err(|error| Cause::new(488, error.to_string()))?.to_bytes())
        };
        let repeated = said(leg.sdp.version)?;
        if !leg.sdp.last.is_empty() && leg.sdp.last == repeated {
            return Ok(repeated);
        }
        let version = leg.sdp.version + 1;
        let changed = said(version)?;
        leg.sdp.version = version;
        leg.sdp.last = changed.clone();
        Ok(changed)
    }

    /// Tells the media workers where the streams come from.
    pub fn tell(&self, cx: &mut Cx<'_>, leg: &mut Leg, offer: &Sdp) {
        let mut holds = true;
        for side in SIDES {
            let track = self.0.of(side).as_ref().filter(|track| track.taken);
            let stream = track.and_then(|track| offer.streams().get(track.index));
            match track.zip(stream) {
                Some((track, stream)) => {
                    holds &= cx.listen_to(side, &leg.end, track.sdes.keys().cloned(), stream);
                    if side == Side::A {
                        leg.end.sdes = track.sdes.clone();
                    }
                }
                // Where there is no stream nothing is missed.
                None => cx.tell_remote(side, Remote { on_hold: true, ends_here: true, ..Remote::default() }),
            }
        }
        leg.end.on_hold = holds;
        let first = SIDES.into_iter().find_map(|side| self.0.of(side).as_ref().filter(|track| track.taken));
        if let Some(stream) = first.and_then(|track| offer.streams().get(track.index)) {
            let codecs = leg.profile.codecs.clone();
            cx.media.speaks(stream.codecs.iter().filter(|codec| codec.is_among(codecs.as_deref())));
        }
    }
}

/// The stream as it is taken.
///
/// - `before`: what its place had.
fn usable(cx: &mut Cx<'_>, end: &End, stream: &Stream, before: Option<&Track>) -> Result<Track, Cause> {
    if !(stream.is_plain_rtp() || stream.is_srtp()) {
        return Err(Cause::new(488, "Not a media transport for recordings"));
    }
    if !stream.has_codec(|codec| codec.is_among(end.profile.codecs.as_deref())) {
        return Err(refused(AnchorError::NoCommonCodec));
    }
    let fresh = || Sdes::new(end.profile.srtp, &end.profile.srtp_suites);
    let mut sdes = before.map_or_else(fresh, |track| track.sdes.clone());
    sdes.take_offer(stream, cx.tokens.random())?;
    Ok(Track { index: stream.index, label: stream.label.clone(), sdes, taken: true })
}
