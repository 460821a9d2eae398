//! Servers that the sinks are tested against.

#![allow(dead_code)] // Each test uses its part.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

pub mod kinesis;
pub mod matroska;
pub mod scripted;
pub mod signature;
pub mod websocket;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use audio::{Happening, Party};
use streaming::{Call, Direction, Input};

/// A client that trusts nobody: what is not encrypted needs no trust.
pub fn client() -> streaming::http::Client {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let tls = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(rustls::RootCertStore::empty())
        .with_no_client_auth();
    streaming::http::Client::new(Arc::new(tls))
}

/// A call that was answered now.
pub fn call() -> Arc<Call> {
    call_at(SystemTime::now())
}

static NUMBER: AtomicU64 = AtomicU64::new(1);

/// A call that was answered then.
pub fn call_at(answered: SystemTime) -> Arc<Call> {
    Arc::new(Call {
        transaction_id: uuid::Uuid::from_u64_pair(1, NUMBER.fetch_add(1, Ordering::Relaxed)),
        connector: "abcdef1ghij2klmno3pqr4".into(),
        call_id: "call@example.com".into(),
        direction: Direction::Outbound,
        from: "+15550100".into(),
        to: "+15550199".into(),
        answered,
    })
}

/// One sample of what a party says: a ramp of its own, so that each place in it is known.
pub fn sample(party: Party, at: usize) -> i16 {
    let value = i16::try_from(at % 10_000).unwrap();
    if party == Party::Caller { value } else { -1 - value }
}

/// Both parties' frame number `index`, of 20 ms at 8 kHz.
pub fn frames(index: usize) -> [Happening; 2] {
    [Party::Caller, Party::Callee].map(|party| Happening::Frame {
        party,
        start: Duration::from_millis(index as u64 * 20),
        rate: 8_000,
        samples: (index * 160..(index + 1) * 160).map(|at| sample(party, at)).collect(),
        concealed: false,
    })
}

/// Frames of both parties, faster than they would be spoken.
pub async fn speak(input: &Input, frames_from: usize, frames_to: usize) {
    for index in frames_from..frames_to {
        for frame in frames(index) {
            assert!(input.try_send(frame));
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}
