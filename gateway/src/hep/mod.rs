//! A feed of what crosses, for collectors that speak HEP3, such as Homer: SIP messages and RTCP.
//!
//! ```text
//! core (SIP, before it is encrypted) ---\
//! media workers (RTCP, the same) --------> bounded queue -> thread of the collector -> HEP3 by UDP or TCP
//! ```
//!
//! Nobody waits for a collector, and nothing is kept for it: what finds no room is counted and left out. Nor does who feeds it wake
//! its thread, which looks by itself: the time that a message has is when it crossed.

mod collector;
mod packet;
mod report;

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::{Duration, Instant};

use bytes::Bytes;
use uuid::Uuid;

use crate::clock::Now;
use crate::metrics::{HepMetrics, Metrics};
use crate::peer::Transport;

pub use collector::HepError;

/// What waits for a collector, at most.
const SEEN: usize = 4_096;
/// Bytes of it.
const BYTES: usize = 8 << 20;

/// Something that crossed.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Seen {
    /// When, since the Unix epoch.
    at: Duration,
    from: SocketAddr,
    to: SocketAddr,
    /// The call's; `None`: it never became one.
    call: Option<Uuid>,
    what: What,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum What {
    /// A SIP message, with its secrets.
    Sip(Transport, Bytes),
    /// RTCP, without its encryption.
    Rtcp(Bytes),
}

impl What {
    fn len(&self) -> usize {
        let (What::Sip(_, bytes) | What::Rtcp(bytes)) = self;
        bytes.len()
    }
}

/// Where what crosses is told. A clone is the same.
#[derive(Debug, Clone, Default)]
pub struct Feed(Arc<[Outlet]>);

/// The way to one collector.
#[derive(Debug)]
struct Outlet {
    seen: SyncSender<Seen>,
    bytes: Arc<AtomicUsize>,
    metrics: HepMetrics,
}

/// What waits for one collector.
struct Inlet {
    seen: Receiver<Seen>,
    bytes: Arc<AtomicUsize>,
}

fn queue(metrics: HepMetrics) -> (Outlet, Inlet) {
    let ((sender, receiver), bytes) = (sync_channel(SEEN), Arc::<AtomicUsize>::default());
    (Outlet { seen: sender, bytes: bytes.clone(), metrics }, Inlet { seen: receiver, bytes })
}

impl Feed {
    /// Starts a thread for each collector. It ends when all clones of this are gone.
    ///
    /// # Errors
    /// A password can't be read, or the system has no thread.
    pub fn start(collectors: &[config::Hep], metrics: &Metrics) -> Result<Feed, HepError> {
        let outlet = |config: &config::Hep| {
            let metrics = metrics.hep(&config.name);
            let (outlet, inlet) = queue(metrics.clone());
            collector::start(config, inlet, metrics)?;
            Ok(outlet)
        };
        Ok(Feed(collectors.iter().map(outlet).collect::<Result<_, _>>()?))
    }

    /// Whether there is a collector.
    pub fn is_on(&self) -> bool {
        !self.0.is_empty()
    }

    /// A SIP message, before it is encrypted or after it was decrypted.
    ///
    /// - `call`: the call's; `None`: it never became one.
    /// - `from`, `to`: in the direction that it goes.
    pub fn message(
        &self,
        now: Now,
        call: Option<Uuid>,
        transport: Transport,
        (from, to): (SocketAddr, SocketAddr),
        message: &Bytes,
    ) {
        self.tell(Seen { at: now.unix, from, to, call, what: What::Sip(transport, message.clone()) });
    }

    fn tell(&self, seen: Seen) {
        if let Some((last, others)) = self.0.split_last() {
            others.iter().for_each(|outlet| outlet.put(seen.clone()));
            last.put(seen);
        }
    }
}

impl Outlet {
    /// Never waits.
    fn put(&self, seen: Seen) {
        let length = seen.what.len();
        if self.bytes.load(Relaxed) + length > BYTES {
            return self.metrics.dropped();
        }
        self.bytes.fetch_add(length, Relaxed);
        if self.seen.try_send(seen).is_err() {
            self.bytes.fetch_sub(length, Relaxed);
            self.metrics.dropped();
        }
    }
}

impl Inlet {
    /// What came first, if anything did; `Err`: nothing will come any more.
    fn next(&self) -> Result<Option<Seen>, ()> {
        use std::sync::mpsc::TryRecvError;
        match self.seen.try_recv() {
            Ok(seen) => {
                self.bytes.fetch_sub(seen.what.len(), Relaxed);
                Ok(Some(seen))
            }
            Err(TryRecvError::Empty) => Ok(None),
            Err(TryRecvError::Disconnected) => Err(()),
        }
    }
}

/// A call whose RTCP is told.
#[derive(Debug, Clone)]
pub struct Reports {
    feed: Feed,
    call: Uuid,
}

impl Reports {
    /// - `call`: the gateway's UUID of it.
    pub fn new(feed: Feed, call: Uuid) -> Reports {
        Reports { feed, call }
    }

    /// RTCP that came, or that goes.
    ///
    /// - `at`: when.
    /// - `from`, `to`: in the direction that it goes.
    /// - `bytes`: without its encryption.
    pub fn tell(&self, at: Instant, from: SocketAddr, to: SocketAddr, bytes: Vec<u8>) {
        let now = Now::read();
        let at = now.unix.saturating_sub(now.instant.saturating_duration_since(at));
        self.feed.tell(Seen { at, from, to, call: Some(self.call), what: What::Rtcp(bytes.into()) });
    }
}

impl PartialEq for Reports {
    fn eq(&self, other: &Reports) -> bool {
        Arc::ptr_eq(&self.feed.0, &other.feed.0) && self.call == other.call
    }
}

impl Eq for Reports {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_waits_for_a_collector_and_what_finds_no_room_is_counted() {
        let metrics = Metrics::new("r");
        let (outlet, inlet) = queue(metrics.hep("homer"));
        let feed = Feed([outlet].into());
        let tell = |message: &Bytes| {
            let ends = (([192, 0, 2, 1], 5060).into(), ([192, 0, 2, 2], 5060).into());
            feed.message(Now::read(), None, Transport::Udp, ends, message);
        };
        let dropped = |count: usize| {
            let series = format!("voice_connector_hep_dropped_total{{collector=\"homer\"}} {count}\n");
            assert!(metrics.render().contains(&series), "{series}");
        };
        for _ in 0..SEEN + 100 {
            tell(&"BYE".into());
        }
        dropped(100);
        for _ in 0..SEEN {
            assert!(inlet.next().unwrap().is_some());
        }
        assert_eq!(inlet.next(), Ok(None));
        let large = Bytes::from(vec![b'x'; 60_000]);
        for _ in 0..200 {
            tell(&large);
        }
        dropped(300 - BYTES / 60_000);
        drop(feed);
        while let Ok(Some(_)) = inlet.next() {}
        assert_eq!(inlet.next(), Err(()), "its thread ends");
        assert!(!Feed::default().is_on());
    }
}
