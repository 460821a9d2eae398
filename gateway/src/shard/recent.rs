//! What was sent lately by UDP, so that an ICMP error finds its transaction.
//!
//! The kernel hands us the beginning of the datagram that did not arrive. It counts only when it holds one of our
//! branches whole: those are random, so a stranger who forges ICMP cannot fail a transaction that it has not seen.
//! Requests only: a response carries the peer's branch, and its loss shows by timer H or by the peer's repeats.

use std::collections::VecDeque;
use std::net::SocketAddr;

use bytes::Bytes;
use sip::transaction::Owner;

use crate::ids::{BRANCH_LENGTH, MAGIC_COOKIE, TokenInfo, token_info};

/// ICMP errors come within milliseconds; this many requests are sent in a few hundred of them at the most.
const KEPT: usize = 512;

#[derive(Debug, Default)]
pub(super) struct Recent {
    sent: VecDeque<Sent>,
}

#[derive(Debug)]
struct Sent {
    remote: SocketAddr,
    bytes: Bytes,
    owner: Owner,
}

impl Recent {
    pub(super) fn sent(&mut self, remote: SocketAddr, bytes: Bytes, owner: Owner) {
        if self.sent.len() >= KEPT {
            self.sent.pop_front();
        }
        self.sent.push_back(Sent { remote, bytes, owner });
    }

    /// Whose datagram to `remote` began with `quote`; each is told once.
    pub(super) fn unreachable(&mut self, remote: SocketAddr, quote: &[u8]) -> Option<Owner> {
        quoted_branch(quote)?;
        let matches = |sent: &Sent| sent.remote == remote && sent.bytes.starts_with(quote);
        let owner = self.sent.iter().rev().find(|sent| matches(sent))?.owner;
        self.sent.retain(|sent| !matches(sent));
        Some(owner)
    }
}

/// The first branch in a piece of a message, if it is one of ours.
pub(super) fn quoted_branch(quote: &[u8]) -> Option<TokenInfo> {
    let at = quote.windows(MAGIC_COOKIE.len()).position(|window| window == MAGIC_COOKIE.as_bytes())?;
    let branch = quote.get(at..at + BRANCH_LENGTH)?;
    token_info(std::str::from_utf8(branch).ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::Tokens;
    use crate::random::SeededRandom;
    use crate::shard::testing::clients;

    #[test]
    fn a_quotation_finds_its_owner_once_if_it_holds_the_branch() {
        let mut tokens = Tokens::new(0, 3, Box::new(SeededRandom::new(1)));
        let remote: SocketAddr = "192.0.2.1:5060".parse().unwrap();
        let mut recent = Recent::default();
        let [first, second] = clients();
        let datagram = |branch: &str| {
            Bytes::from(format!(
                "INVITE sip:a@b SIP/2.0\r\nVia: SIP/2.0/UDP gw;branch={branch}\r\nMax-Forwards: 70"
            ))
        };
        let (one, two) = (datagram(&tokens.branch().to_string()), datagram(&tokens.branch().to_string()));
        recent.sent(remote, one.clone(), first);
        recent.sent(remote, two.clone(), second);
        assert_eq!(quoted_branch(&one).map(|info| info.shard), Some(3));
        assert_eq!(recent.unreachable(remote, &one[..60]), None, "the branch is cut");
        assert_eq!(recent.unreachable("192.0.2.2:5060".parse().unwrap(), &one), None);
        assert_eq!(recent.unreachable(remote, &one[..one.len() - 5]), Some(first));
        assert_eq!(recent.unreachable(remote, &one), None);
        assert_eq!(recent.unreachable(remote, &two), Some(second));
        assert_eq!(quoted_branch(b"SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP pbx;branch=z9hG4bK776asdhds"), None);
    }

    #[test]
    fn what_is_kept_is_bounded() {
        let mut recent = Recent::default();
        let [client] = clients();
        for _ in 0..2_000 {
            recent.sent("192.0.2.1:5060".parse().unwrap(), Bytes::new(), client);
        }
        assert_eq!(recent.sent.len(), KEPT);
    }
}
