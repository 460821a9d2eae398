//! What it costs to read a message: allocations, counted.

#![allow(unsafe_code)] // A global allocator is unsafe by its signature; this one counts and passes on.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use bytes::Bytes;
use sip::{Builder, Message, Name, StatusCode};

struct Counting;

thread_local! {
    static COUNT: Cell<usize> = const { Cell::new(0) };
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

// SAFETY: every call goes to the system's allocator unchanged.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        COUNT.with(|count| count.set(count.get() + 1));
        // SAFETY: the caller's contract is the system's.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: likewise.
        unsafe { System.dealloc(pointer, layout) }
    }
}

fn count<T>(work: impl FnOnce() -> T) -> (T, usize) {
    let before = COUNT.get();
    let result = work();
    (result, COUNT.get() - before)
}

const INVITE: &str = "INVITE sip:+15550100@gw.example.com SIP/2.0\r\n\
    Via: SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bK776asdhds;rport\r\nMax-Forwards: 70\r\n\
    From: \"Bell, Alexander\" <sip:+15550101@example.com>;tag=1928301774\r\nTo: <sip:+15550100@gw.example.com>\r\n\
    Call-ID: a84b4c76e66710@192.0.2.1\r\nCSeq: 314159 INVITE\r\nContact: <sip:+15550101@192.0.2.1:5060>\r\n\
    User-Agent: PBX 1.0\r\nAllow: INVITE, ACK, CANCEL, BYE, OPTIONS\r\nSupported: timer, 100rel\r\n\
    P-Asserted-Identity: <sip:+15550101@example.com>\r\nX-Own: something\r\nSession-Expires: 1800\r\nMin-SE: 90\r\n\
    Content-Type: application/sdp\r\nContent-Length: 4\r\n\r\nv=0\n";

#[test]
fn few_allocations() {
    let datagram = Bytes::from(INVITE.to_owned().into_bytes());
    let (invite, parse) = count(|| Message::parse(datagram).unwrap());
    // The list of headers, the index behind its counter, and the counter of the shared bytes.
    assert!(parse <= 3, "parse: {parse}");

    let (_, clone) = count(|| invite.clone());
    assert_eq!(clone, 0, "clone");
    let (_, peek) = count(|| {
        (
            invite.method(),
            invite.call_id().map(str::len),
            invite.value(Name::Via).map(|via| via.len()),
            invite.cseq(),
        )
    });
    assert_eq!(peek, 0, "values that are borrowed");

    let (check, cost) = count(|| invite.check());
    assert_eq!(check, Ok(()));
    assert!(cost <= 30, "check: {cost}");

    let (reply, cost) = count(|| Builder::reply(&invite, StatusCode::OK, "OK", Some("tag")).build());
    assert_eq!(reply.check(), Ok(()));
    assert!(cost <= 16, "reply: {cost}");
    let (_, cost) = count(|| invite.with_received(([192, 0, 2, 9], 5060).into()));
    assert!(cost <= 24, "with_received: {cost}");
}
