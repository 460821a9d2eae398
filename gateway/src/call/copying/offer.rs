//! The streams of a recording session of ours: the caller's is `1`, the callee's `2`.

use std::net::SocketAddr;

use bytes::Bytes;
use sip::sdp::{Anchor, Sdp};
use sip::siprec::{Attendance, DataMode, Flow, Metadata, NameId, Participant, Period};

use crate::call::cx::Cx;
use crate::call::leg::End;
use crate::call::sdes::Sdes;
use crate::media::{Remote, Side};
use crate::reply::Cause;

/// What `a=label` says of the streams.
pub const LABELS: [&str; 2] = ["1", "2"];
const SIDES: [Side; 2] = [Side::A, Side::B];

/// The keys of both.
#[derive(Debug)]
pub(super) struct Streams([Sdes; 2]);

impl Streams {
    pub fn new(end: &End) -> Self {
        let sdes = || Sdes::new(end.profile.srtp, &end.profile.srtp_suites);
        Streams([sdes(), sdes()])
    }

    /// What the server is offered: what each party was told that it may send.
    ///
    /// # Errors
    /// That can't be recorded.
    pub fn offer(&mut self, cx: &mut Cx<'_>, end: &mut End, told: &[Sdp; 2]) -> Result<Bytes, Cause> {
        let mut streams = Vec::new();
        for (((side, sdes), told), label) in SIDES.into_iter().zip(&mut self.0).zip(told).zip(LABELS) {
            let ports = cx.media.ports(side).ok_or_else(|| Cause::new(500, "No media ports are open"))?;
            let lines = sdes.offer(cx.tokens.random());
            let rtp = SocketAddr::new(end.local.media_advertise, ports.rtp);
            let mut anchor = Anchor::new(end.sdp.session_id, 1, rtp);
            anchor.rtcp.set_port(ports.rtcp);
            anchor.protocol = lines.protocol;
            anchor.crypto = lines.crypto;
            streams.push((told, anchor, label));
        }
        let offer = Sdp::sending(&streams).map_err(|error| Cause::new(488, error.to_string()))?;
        end.sdp.last = offer.to_bytes();
        Ok(end.sdp.last.clone())
    }

    /// Tells the media workers where the copies go.
    ///
    /// # Errors
    /// The answer takes no stream.
    pub fn take_answer(&mut self, cx: &mut Cx<'_>, end: &mut End, answer: &Sdp) -> Result<(), Cause> {
        let mut fault = Cause::new(502, "the answer takes no stream");
        let mut taken = 0;
        for ((index, side), sdes) in SIDES.into_iter().enumerate().zip(&mut self.0) {
            let stream = answer.streams().get(index).filter(|stream| stream.is_relayed() && stream.is_rtp());
            let keyed = stream.map(|stream| sdes.take_answer(stream).map(|_| stream));
            match keyed {
                Some(Ok(stream)) => {
                    cx.record_at(side, end, sdes.keys().cloned(), stream);
                    if side == Side::A {
                        end.sdes = sdes.clone();
                    }
                    taken += 1;
                }
                other => {
                    if let Some(Err(cause)) = other {
                        fault = cause;
                    }
                    cx.tell_remote(side, Remote { on_hold: true, ..Remote::default() });
                }
            }
        }
        if taken == 0 { Err(fault) } else { Ok(()) }
    }
}

/// The party of `side` hears the other one, or does not.
pub(super) fn hear(metadata: &mut Metadata, side: Side, hears: bool) {
    let place = |side: Side| usize::from(side == Side::B);
    let other = metadata.streams.get(place(side.other())).map(|stream| stream.id.clone());
    if let Some(flow) = metadata.flows.get_mut(place(side)) {
        flow.receives = other.into_iter().filter(|_| hears).collect();
    }
}

/// What says who hears whom.
pub(super) fn who_hears(metadata: &Metadata) -> Metadata {
    Metadata { mode: DataMode::Partial, flows: metadata.flows.clone(), ..Metadata::default() }
}

/// Somebody else speaks and hears on that side from now on, in the place of who did before. What is new.
///
/// - `now`: as RFC 3339 writes it.
pub(super) fn comes(metadata: &mut Metadata, side: Side, (id, aor): (String, String), now: &str) -> Metadata {
    let place = usize::from(side == Side::B);
    let mut news = Metadata { mode: DataMode::Partial, ..Metadata::default() };
    let since = || Period { since: Some(now.to_owned()), until: None };
    if let Some(flow) = metadata.flows.get_mut(place) {
        let before = Flow { participant: id.clone(), period: since(), ..flow.clone() };
        let mut left = std::mem::replace(flow, before);
        left.period.until = Some(now.to_owned());
        for one in metadata.attendances.iter().filter(|one| one.participant == left.participant) {
            let mut gone = one.clone();
            gone.period.until = Some(now.to_owned());
            let comes = Attendance { participant: id.clone(), period: since(), ..one.clone() };
            news.attendances.extend([gone, comes]);
        }
        news.flows = vec![left, flow.clone()];
    }
    news.participants = vec![Participant { id, names: vec![NameId { aor, name: None }] }];
    let held = Metadata { flows: Vec::new(), ..news.clone() };
    metadata.update(held);
    news
}
