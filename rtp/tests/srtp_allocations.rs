//! What a packet costs in allocations: none, after the first of its stream.

#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

#[path = "shared/counting.rs"]
mod counting;

use counting::allocations;
use rtp::srtp::{MasterKey, Session, SrtpKeys, Suite};

#[test]
fn a_packet_allocates_nothing() {
    for suite in Suite::ALL {
        let key = |byte| MasterKey::new(suite, &vec![byte; suite.inline_len()]).unwrap();
        let session = |send, receive| Session::new(&SrtpKeys::new(suite, send, receive)).unwrap();
        let (mut peer, mut session) = (session(key(1), key(2)), session(key(2), key(1)));
        let mut buffer = [0; 256];
        let mut before = 0;
        for seq in 0..1000_u16 {
            buffer[..12].copy_from_slice(&[0x80, 0, (seq >> 8) as u8, seq as u8, 0, 0, 0, 0, 0, 0, 0, 1]);
            let len = peer.protect_rtp(&mut buffer, 172).unwrap();
            assert!(peer.protect_rtp(&mut buffer, 172).is_err()); // a repeat
            assert_eq!(session.unprotect_rtp(&mut buffer, len).unwrap().len, 172);
            assert!(session.unprotect_rtp(&mut buffer, len).is_err()); // a replay
            buffer[8..12].copy_from_slice(&[9, 9, (seq >> 8) as u8, seq as u8]); // forgeries of ever new SSRCs
            assert!(session.unprotect_rtp(&mut buffer, len).is_err());
            buffer[..8].copy_from_slice(&[0x80, 201, 0, 1, 0, 0, 0, 1]);
            let len = peer.protect_rtcp(&mut buffer, 8).unwrap();
            assert_eq!(session.unprotect_rtcp(&mut buffer, len).unwrap().len, 8);
            if seq == 0 {
                before = allocations();
            }
        }
        assert_eq!(allocations(), before, "{suite}");
    }
}
