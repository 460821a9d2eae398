//! Streams that begin anew under their name where SRTP may not.
//!
//! Some devices reset their sequence numbers and keep their SSRC, after a hold say. In the clear that passes as it is.
//! Under SRTP those numbers were sent before, and none is sent twice under a key (RFC 3711 §9.1): the stream goes on under
//! an SSRC of ours, which its receiver takes for what it is, a new stream.

use crate::packet::Ssrc;

/// The names under which one leg is sent the other's streams.
#[derive(Debug, Clone, Copy)]
pub(super) struct Names {
    /// The stream that begins anew, and its name from then on.
    renamed: Option<(Ssrc, Ssrc)>,
    /// What must come next, after one number that was sent before, to prove it: the rule of RFC 3550 A.1.
    proof: Option<(Ssrc, u16)>,
    /// The next name of ours.
    next: Ssrc,
}

impl Names {
    /// Every stream goes out under its own name. `next` is random: the first name of ours.
    pub(super) fn new(next: Ssrc) -> Names {
        Names { renamed: None, proof: None, next }
    }

    /// The name of a stream that comes in as `ssrc`.
    pub(super) fn of(&self, ssrc: Ssrc) -> Ssrc {
        match self.renamed {
            Some((from, to)) if from == ssrc => to,
            _ => ssrc,
        }
    }

    /// A packet can go out under its name: nothing begins anew.
    pub(super) fn handle_sent(&mut self) {
        self.proof = None;
    }

    /// A packet is far behind what was sent under its name. Its new name, if it is the second in a row.
    pub(super) fn handle_left_behind(&mut self, ssrc: Ssrc, seq: u16) -> Option<Ssrc> {
        let proof = self.proof.replace((ssrc, seq.wrapping_add(1)));
        if proof != Some((ssrc, seq)) {
            return None;
        }
        let name = self.next;
        self.next = Ssrc(name.0.wrapping_add(1));
        self.renamed = Some((ssrc, name));
        self.proof = None;
        Some(name)
    }
}
