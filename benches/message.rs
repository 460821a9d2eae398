//! What does a message cost to read, to check, to answer and to write? An INVITE as a PBX sends it, 1.1 kB with SDP.
//!
//! `cargo bench --package benches --bench message`

#![expect(clippy::panic, reason = "a bench that does not measure what it says must stop")]

use bytes::Bytes;
use divan::{Bencher, black_box};
use sip::{Builder, Message, StatusCode};

const INVITE: &str = "INVITE sip:+16285551212@trunk.example.com SIP/2.0\r\n\
Via: SIP/2.0/UDP 192.0.2.10:5060;branch=z9hG4bKPjn4yJ6ud0oXyo6cVqcFfHjJcXH6.3KZfF;rport\r\n\
Max-Forwards: 70\r\n\
From: \"Front Desk\" <sip:+12065550100@192.0.2.10>;tag=8d1b8d6cfe4f4d1f\r\n\
To: <sip:+16285551212@trunk.example.com>\r\n\
Contact: <sip:desk@192.0.2.10:5060;transport=udp>\r\n\
Call-ID: 0c4a2d1e-7d5a-4f7e-8a63-2e3f6a3c5b8e@192.0.2.10\r\n\
CSeq: 21034 INVITE\r\n\
Allow: OPTIONS, REGISTER, SUBSCRIBE, NOTIFY, PUBLISH, INVITE, ACK, BYE, CANCEL, UPDATE, PRACK, MESSAGE, REFER\r\n\
Supported: 100rel, timer, replaces, norefersub, histinfo\r\n\
Session-Expires: 1800\r\n\
Min-SE: 90\r\n\
P-Asserted-Identity: \"Front Desk\" <sip:+12065550100@192.0.2.10>\r\n\
User-Agent: Example PBX 18.4\r\n\
Content-Type: application/sdp\r\n\
Content-Length: 280\r\n\
\r\n\
v=0\r\n\
o=- 1807216233 1807216233 IN IP4 192.0.2.10\r\n\
s=Example\r\n\
c=IN IP4 192.0.2.10\r\n\
t=0 0\r\n\
m=audio 14762 RTP/AVP 9 0 8 101\r\n\
a=rtpmap:9 G722/8000\r\n\
a=rtpmap:0 PCMU/8000\r\n\
a=rtpmap:8 PCMA/8000\r\n\
a=rtpmap:101 telephone-event/8000\r\n\
a=fmtp:101 0-16\r\n\
a=ptime:20\r\n\
a=maxptime:150\r\n\
a=sendrecv\r\n";

fn main() {
    divan::main();
}

fn invite() -> Message {
    let message = match Message::parse(Bytes::from_static(INVITE.as_bytes())) {
        Ok(message) => message,
        Err(error) => panic!("{error:?}"),
    };
    if let Err(fault) = message.check() {
        panic!("{fault:?}");
    }
    message
}

#[divan::bench]
fn parse(bencher: Bencher<'_, '_>) {
    let _ = invite();
    let bytes = Bytes::from_static(INVITE.as_bytes());
    bencher.bench_local(|| Message::parse(black_box(bytes.clone())));
}

#[divan::bench]
fn check(bencher: Bencher<'_, '_>) {
    let message = invite();
    bencher.bench_local(|| black_box(&message).check());
}

/// The same message written anew from its parts.
#[divan::bench]
fn build(bencher: Bencher<'_, '_>) {
    let message = invite();
    bencher.bench_local(|| black_box(&message).edit().build());
}

#[divan::bench]
fn reply(bencher: Bencher<'_, '_>) {
    let message = invite();
    let Some(ringing) = StatusCode::new(180) else { panic!("180") };
    bencher.bench_local(|| Builder::reply(black_box(&message), ringing, "Ringing", Some("a6c85cf")).build());
}

#[divan::bench]
fn read_description(bencher: Bencher<'_, '_>) {
    let message = invite();
    bencher.bench_local(|| sip::sdp::Sdp::parse(black_box(message.body())));
}
