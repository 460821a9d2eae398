//! What tests of listeners and shards have in common.

use std::time::Instant;

use sip::Message;
use sip::transaction::{Owner, Transactions};

/// `N` different owners: client transactions of a layer that exists for this only.
pub(crate) fn clients<const N: usize>() -> [Owner; N] {
    let mut transactions = Transactions::new(Default::default());
    std::array::from_fn(|n| {
        let request = format!(
            "OPTIONS sip:a@b SIP/2.0\r\nVia: SIP/2.0/TCP gw;branch=z9hG4bK{n}\r\nCall-ID: 1\r\nCSeq: 1 OPTIONS\r\n\r\n"
        );
        Owner::Client(transactions.request(Instant::now(), Message::parse(request.into()).unwrap(), (), true))
    })
}
