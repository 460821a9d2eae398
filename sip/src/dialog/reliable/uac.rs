//! Reliable provisional responses, the caller's side. RFC 3262 §4.

use crate::{CSeq, RAck, RSeq};

/// The calling user's side of reliable provisional responses: which of them count, and what their PRACK says.
///
/// One per early dialog, that is per To tag of the INVITE's responses: every fork counts for itself. It lasts until the
/// final response, after which reliable provisional responses may be discarded. An INVITE sent again with another
/// CSeq (after a challenge) begins anew.
///
/// ```text
///   first reliable 1xx: PRACK        RSeq = last + 1: PRACK
///  Nothing -------------> last = RSeq <--+    any other RSeq: nothing
///                            |___________|
/// ```
///
/// Source: RFC 3262 §4.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UacReliable {
    invite: CSeq,
    last: Option<RSeq>,
}

/// What becomes of a reliable provisional response.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum UacReliableVerdict {
    /// The response counts: go on with it, and send a PRACK with this RAck inside its dialog.
    Acknowledge(RAck),
    /// The response came before: its PRACK is on its way, and repeated by its own transaction. Do nothing.
    Repeated,
    /// One before it is missing: do nothing. The peer repeats both.
    OutOfOrder,
}

impl UacReliable {
    /// Nothing came yet; `invite` is the CSeq of the INVITE.
    pub fn new(invite: CSeq) -> Self {
        UacReliable { invite, last: None }
    }

    /// A provisional response other than 100 came that requires `100rel`:
    /// [`Message::reliable`](crate::Message::reliable) reads `rseq`.
    pub fn handle_response(&mut self, rseq: RSeq) -> UacReliableVerdict {
        match self.last {
            Some(last) if rseq.get() <= last.get() => return UacReliableVerdict::Repeated,
            Some(last) if last.next() != Some(rseq) => return UacReliableVerdict::OutOfOrder,
            Some(_) | None => {}
        }
        self.last = Some(rseq);
        UacReliableVerdict::Acknowledge(RAck { rseq, cseq: self.invite.clone() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Method;

    #[test]
    fn each_counts_once_and_in_order() {
        let mut reliable = UacReliable::new(CSeq { number: 7, method: Method::Invite });
        for (rseq, expect) in [
            (988_789, "988789 7 INVITE"),
            (988_789, "repeated"),
            (988_791, "out of order"),
            (988_790, "988790 7 INVITE"),
            (988_791, "988791 7 INVITE"), // Repeated by the peer, now in order.
            (988_789, "repeated"),
            (1, "repeated"),
            (u32::MAX, "out of order"),
        ] {
            let verdict = match reliable.handle_response(RSeq::parse(&rseq.to_string()).unwrap()) {
                UacReliableVerdict::Acknowledge(rack) => rack.to_string(),
                UacReliableVerdict::Repeated => "repeated".to_owned(),
                UacReliableVerdict::OutOfOrder => "out of order".to_owned(),
            };
            assert_eq!(verdict, expect, "{rseq}");
        }
    }

    #[test]
    fn the_last_number_has_none_after_it() {
        let mut reliable = UacReliable::new(CSeq { number: 7, method: Method::Invite });
        let [last, one] = [u32::MAX, 1].map(|rseq| RSeq::parse(&rseq.to_string()).unwrap());
        assert!(matches!(reliable.handle_response(last), UacReliableVerdict::Acknowledge(_)));
        assert_eq!(reliable.handle_response(last), UacReliableVerdict::Repeated);
        assert_eq!(reliable.handle_response(one), UacReliableVerdict::Repeated);
    }
}
