//! Who looks, and where frames are taken.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::time::{Duration, Instant};

use arc_swap::ArcSwapOption;
use bytes::Bytes;
use tokio::sync::mpsc::{self, error::TrySendError};

use super::{Carried, Frame};
use crate::clock::Now;
use crate::peer::Transport;
use crate::record::mask;
use crate::why::Wanted;

/// Frames that wait for who looks.
const FRAMES: usize = 4_096;
/// Bytes of them.
const BYTES: usize = 8 << 20;

/// The one trace that there may be at a time. A clone is the same.
#[derive(Clone, Default)]
pub struct Tracer(Arc<ArcSwapOption<Inner>>);

/// What takes frames of the calls that are looked at. A clone is the same.
#[derive(Debug, Clone)]
pub struct Tap(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    wanted: Wanted,
    /// Keys, credentials and digits are shown, and media without its encryption.
    clear: bool,
    began: Now,
    frames: mpsc::Sender<Frame>,
    /// Bytes that wait.
    bytes: AtomicUsize,
    left_out: AtomicU64,
}

/// Who looks. Nobody does any more once it is dropped.
pub struct Looked {
    tracer: Tracer,
    tap: Tap,
    frames: mpsc::Receiver<Frame>,
}

impl Tracer {
    /// Begins to look; `None`: somebody looks already.
    ///
    /// - `clear`: secrets are shown.
    pub fn begin(&self, now: Now, wanted: Wanted, clear: bool) -> Option<Looked> {
        let (sender, frames) = mpsc::channel(FRAMES);
        let (bytes, left_out) = Default::default();
        let inner = Arc::new(Inner { wanted, clear, began: now, frames: sender, bytes, left_out });
        let before = self.0.compare_and_swap(&None::<Arc<Inner>>, Some(inner.clone()));
        before.is_none().then(|| Looked { tracer: self.clone(), tap: Tap(inner), frames })
    }

    /// The trace that there is.
    pub fn tap(&self) -> Option<Tap> {
        self.0.load().as_ref().map(|inner| Tap(inner.clone()))
    }
}

impl Tap {
    /// Which calls are looked at.
    pub fn wanted(&self) -> &Wanted {
        &self.0.wanted
    }

    /// Whether secrets are shown.
    pub fn is_clear(&self) -> bool {
        self.0.clear
    }

    /// A SIP message, before it is encrypted or after it was decrypted.
    ///
    /// - `from`, `to`: in the direction that it goes.
    pub fn message(&self, now: Now, transport: Transport, from: SocketAddr, to: SocketAddr, message: &Bytes) {
        if !self.has_room() {
            return;
        }
        let bytes = match self.0.clear {
            true => measured(renamed(message, &[KEYS, (b"RTP/SAVP", b"RTP/AVP")])),
            false => masked(message),
        };
        let (carried, note) = match transport {
            Transport::Udp => (Carried::Udp, None),
            Transport::Tcp => (Carried::Tcp, None),
            Transport::Tls => (Carried::Udp, Some("TLS".to_owned())),
        };
        self.take(Frame { at: now.unix, from, to, carried, note, bytes });
    }

    /// A datagram of media. Returns whether anybody looks at all.
    ///
    /// - `at`: when it came, or goes;
    /// - `from`, `to`: in the direction that it goes.
    pub fn datagram(&self, at: Instant, from: SocketAddr, to: SocketAddr, bytes: &[u8]) -> bool {
        if !self.has_room() {
            return !self.0.frames.is_closed();
        }
        let began = self.0.began;
        let at = match at.checked_duration_since(began.instant) {
            Some(after) => began.unix + after,
            None => began.unix.saturating_sub(began.instant.duration_since(at)),
        };
        self.take(Frame { at, from, to, carried: Carried::Udp, note: None, bytes: bytes.to_vec() })
    }

    fn has_room(&self) -> bool {
        let has = self.0.frames.capacity() > 0 && self.0.bytes.load(Relaxed) < BYTES;
        if !has {
            self.0.left_out.fetch_add(1, Relaxed);
        }
        has
    }

    /// Never waits.
    fn take(&self, frame: Frame) -> bool {
        let length = frame.bytes.len();
        self.0.bytes.fetch_add(length, Relaxed);
        let sent = self.0.frames.try_send(frame);
        if sent.is_err() {
            self.0.bytes.fetch_sub(length, Relaxed);
            self.0.left_out.fetch_add(1, Relaxed);
        }
        !matches!(sent, Err(TrySendError::Closed(_)))
    }
}

impl PartialEq for Tap {
    fn eq(&self, other: &Tap) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for Tap {}

impl Looked {
    /// The next frame; `None` where none comes within `patience`.
    pub async fn next(&mut self, patience: Duration) -> Option<Frame> {
        let frame = tokio::time::timeout(patience, self.frames.recv()).await.ok().flatten()?;
        self.tap.0.bytes.fetch_sub(frame.bytes.len(), Relaxed);
        Some(frame)
    }

    /// Frames that found no room since the last time that this was asked.
    pub fn left_out(&self) -> u64 {
        self.tap.0.left_out.swap(0, Relaxed)
    }
}

impl Drop for Looked {
    fn drop(&mut self) {
        self.frames.close();
        self.tracer.0.store(None);
    }
}

/// A SIP message without its secrets, as others may see it.
pub fn masked(message: &Bytes) -> Vec<u8> {
    measured(renamed(&mask(message), &[KEYS]))
}

/// The keys of a description stand under another name: a reader would stumble over those that are masked, and take media for encrypted
/// that is shown in the clear.
const KEYS: (&[u8], &[u8]) = (b"a=crypto:", b"a=x-crypto:");

/// A message in which some words are replaced by others.
fn renamed(message: &[u8], words: &[(&[u8], &[u8])]) -> Vec<u8> {
    let mut out = Vec::with_capacity(message.len() + 8);
    let mut rest = message;
    while let Some((first, others)) = rest.split_first() {
        let replaced = words.iter().find_map(|(old, new)| Some((rest.strip_prefix(*old)?, new)));
        match replaced {
            Some((after, new)) => {
                out.extend_from_slice(new);
                rest = after;
            }
            None => {
                out.push(*first);
                rest = others;
            }
        }
    }
    out
}

/// The message with a Content-Length that is true: what was masked has another length.
fn measured(message: Vec<u8>) -> Vec<u8> {
    let Some(end) = message.windows(4).position(|four| four == b"\r\n\r\n") else { return message };
    let (head, body) = message.split_at(end + 4);
    let mut out = Vec::with_capacity(message.len());
    for line in head.split_inclusive(|byte| *byte == b'\n') {
        let name = line.split(|byte| *byte == b':').next().unwrap_or_default().trim_ascii();
        match name.eq_ignore_ascii_case(b"content-length") || name.eq_ignore_ascii_case(b"l") {
            true => out.extend(format!("Content-Length: {}\r\n", body.len()).into_bytes()),
            false => out.extend(line),
        }
    }
    out.extend(body);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn now() -> Now {
        Now { instant: Instant::now(), unix: Duration::from_secs(1_700_000_000) }
    }

    fn address(port: u16) -> SocketAddr {
        SocketAddr::from(([192, 0, 2, 1], port))
    }

    #[tokio::test(start_paused = true)]
    async fn nobody_waits_for_who_looks_and_what_finds_no_room_is_counted() {
        let tracer = Tracer::default();
        assert!(tracer.tap().is_none());
        let mut looked = tracer.begin(now(), Wanted("x".into()), false).unwrap();
        assert!(tracer.begin(now(), Wanted("y".into()), false).is_none(), "one at a time");
        let tap = tracer.tap().unwrap();
        for _ in 0..FRAMES + 100 {
            assert!(tap.datagram(Instant::now(), address(1), address(2), &[0; 172]));
        }
        assert_eq!((looked.left_out(), looked.left_out()), (100, 0));
        for _ in 0..FRAMES {
            assert!(looked.next(Duration::from_secs(1)).await.is_some());
        }
        assert_eq!(looked.next(Duration::from_secs(1)).await, None);
        let large = vec![0; 60_000];
        for _ in 0..200 {
            tap.datagram(Instant::now(), address(1), address(2), &large);
        }
        assert_eq!(looked.left_out(), 200 - (BYTES / 60_000 + 1) as u64, "bytes are bounded, too");
        drop(looked);
        assert!(tracer.tap().is_none());
        assert!(!tap.datagram(Instant::now(), address(1), address(2), &[0; 172]), "nobody looks any more");
        assert!(tracer.begin(now(), Wanted("y".into()), false).is_some());
    }

    #[tokio::test]
    async fn a_message_shows_no_key_unless_it_is_asked_for() {
        let body = "v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\nm=audio 9 RTP/SAVP 0\r\n\
                    a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:WVNfX19zZW1jdGwgKCkgewkyMjA7fQp9CnVubGVz\r\n";
        let message = sip::Builder::request(sip::Method::Invite, "sip:a@b")
            .body("application/sdp", body.into())
            .build();
        for clear in [false, true] {
            let tracer = Tracer::default();
            let mut looked = tracer.begin(now(), Wanted("x".into()), clear).unwrap();
            let tap = tracer.tap().unwrap();
            tap.message(now(), Transport::Tls, address(1), address(2), message.bytes());
            let frame = looked.next(Duration::from_secs(1)).await.unwrap();
            let shown = sip::Message::parse(frame.bytes.into()).unwrap();
            let body = String::from_utf8_lossy(shown.body()).into_owned();
            let key = if clear { "WVNfX19zZW1jdGwgKCkgewkyMjA7fQp9CnVubGVz" } else { "***" };
            let crypto = format!("a=x-crypto:1 AES_CM_128_HMAC_SHA1_80 inline:{key}\r\n");
            assert!(body.contains(&crypto) && !body.contains("a=crypto"), "{body}");
            assert!(body.contains(if clear { "RTP/AVP 0" } else { "RTP/SAVP 0" }), "{body}");
            let length = shown.value(sip::Name::ContentLength).unwrap().parse::<usize>().unwrap();
            assert_eq!(length, shown.body().len());
            assert_eq!((frame.carried, frame.note.as_deref()), (Carried::Udp, Some("TLS")));
        }
    }
}
