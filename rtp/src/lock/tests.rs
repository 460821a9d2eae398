//! The source lock's scenarios.

use super::*;

const PHONE: &str = "203.0.113.5:4000";
const PRIVATE: &str = "192.168.1.9:4000";
const NAT: &str = "198.51.100.7:61000";
const NAT_REBOUND: &str = "198.51.100.7:62000";
const SERVER: &str = "203.0.113.77:9000";
const ATTACKER: &str = "192.0.2.66:1234";

enum Step {
    /// SDP with this address.
    Sdp(&'static str),
    /// SDP with this address, signalled from `NAT`'s host.
    Signalled(&'static str),
    /// SDP of a symmetric peer.
    Symmetric(&'static str),
    /// A packet at ms, from, SSRC, seq: passed or not.
    Rtp(u64, &'static str, u32, u16, bool),
    /// Where we send now.
    SendsTo(Option<&'static str>),
}
use Step::{Rtp, Sdp, SendsTo, Signalled, Symmetric};

fn run(name: &str, steps: &[Step]) {
    let start = crate::test_start();
    let address = |text: &str| text.parse::<SocketAddr>().unwrap();
    let mut lock = SourceLock::new();
    for (n, step) in steps.iter().enumerate() {
        match step {
            Sdp(sdp) => lock.reopen(Some(address(sdp)), false, None),
            Signalled(sdp) => lock.reopen(Some(address(sdp)), false, Some(address(NAT).ip())),
            Symmetric(sdp) => lock.reopen(Some(address(sdp)), true, None),
            Rtp(ms, from, ssrc, seq, passed) => {
                let (now, from) = (start + Duration::from_millis(*ms), address(from));
                let position = Position { ssrc: Ssrc(*ssrc), seq: Some(*seq) };
                let accept = match lock.judge(now, from) {
                    Judgement::Accept | Judgement::Learn => true,
                    Judgement::Continue => lock.continues(&position),
                    Judgement::Refuse => false,
                };
                assert_eq!(accept, *passed, "{name}, step {n}: {from} at {ms} ms");
                if accept {
                    lock.accept(now, from, position);
                }
            }
            SendsTo(to) => assert_eq!(lock.destination(), to.map(address), "{name}, step {n}"),
        }
    }
}

#[test]
fn scenarios() {
    run(
        "an ordinary call",
        &[
            SendsTo(None),
            Sdp(PHONE),
            SendsTo(Some(PHONE)),
            Rtp(0, PHONE, 1, 1, true),
            Rtp(20, ATTACKER, 9, 1, false),
            Rtp(20, PHONE, 1, 2, true),
            SendsTo(Some(PHONE)),
        ],
    );
    run(
        "the phone behind NAT takes its place from a stranger that was faster, however late",
        &[
            Signalled(PRIVATE),
            Rtp(0, ATTACKER, 9, 1, true),
            SendsTo(Some(ATTACKER)), // for all we know
            Rtp(2_999, ATTACKER, 9, 150, true),
            Rtp(20_000, ATTACKER, 9, 1_000, true),
            Rtp(20_010, SERVER, 8, 1, false), // another stranger
            Rtp(20_020, NAT, 1, 1, true),
            SendsTo(Some(NAT)),
            Rtp(20_040, ATTACKER, 9, 1_001, false),
            Rtp(20_040, NAT_REBOUND, 2, 1, false), // another port of a host that was heard
            Rtp(22_000, ATTACKER, 9, 1_100, false), // who does not go on where the phone was
            SendsTo(Some(NAT)),
        ],
    );
    run(
        "also after a hold, which makes a stranger's host no familiar one",
        &[
            Signalled(PRIVATE),
            Rtp(0, ATTACKER, 9, 1, true),
            Rtp(5_000, ATTACKER, 9, 250, true),
            Signalled(PRIVATE),
            Rtp(5_020, ATTACKER, 9, 251, true),
            Rtp(5_040, NAT, 1, 1, true),
            Rtp(5_060, ATTACKER, 9, 252, false),
            SendsTo(Some(NAT)),
        ],
    );
    run(
        "a stranger does not follow on a phone that was heard and falls silent while learning",
        &[Signalled(PRIVATE), Rtp(0, NAT, 1, 1, true), Rtp(1_500, ATTACKER, 9, 1, false), SendsTo(Some(NAT))],
    );
    run(
        "a public phone that sends from another address keeps its destination",
        &[Sdp(PHONE), Rtp(0, SERVER, 1, 1, true), SendsTo(Some(PHONE))],
    );
    run(
        "the SDP's address beats any other while learning, and only then",
        &[
            Sdp(PHONE),
            Rtp(0, ATTACKER, 9, 1, true),
            Rtp(20, ATTACKER, 9, 2, true),
            Rtp(100, PHONE, 1, 1, true),
            Rtp(120, ATTACKER, 9, 3, false),
            SendsTo(Some(PHONE)),
        ],
    );
    run(
        "a stray that came while the phone rang does not keep the caller out",
        &[
            Sdp(PHONE),
            Rtp(0, ATTACKER, 9, 1, true),
            Rtp(20_000, ATTACKER, 9, 1_000, true),
            Rtp(20_010, NAT, 3, 1, false), // whom nothing speaks for
            Rtp(20_020, PHONE, 1, 1, true),
            Rtp(20_040, ATTACKER, 9, 1_001, false),
            Rtp(22_000, ATTACKER, 9, 1_099, false),
        ],
    );
    run(
        "nor the SDP's host",
        &[
            Sdp(PHONE),
            Rtp(0, ATTACKER, 9, 1, true),
            Rtp(20_000, ATTACKER, 9, 1_000, true),
            Rtp(20_020, "203.0.113.5:4444", 1, 1, true),
            Rtp(20_040, PHONE, 2, 1, false), // another port of one that fits
            Rtp(20_040, ATTACKER, 9, 1_001, false),
        ],
    );
    run(
        "the phone that moved on is not thrown out in the name of where it was",
        &[
            Sdp(PHONE),
            Rtp(0, PHONE, 1, 1, true),
            Rtp(1_000, NAT, 1, 51, true),
            Rtp(1_020, PHONE, 2, 1, false),
            Rtp(2_000, NAT, 1, 101, true),
            Rtp(3_001, PHONE, 2, 50, true), // it fell silent; the SDP needs no continuity
        ],
    );
    run(
        "the SDP's host beats a stranger",
        &[
            Sdp(PHONE),
            Rtp(0, ATTACKER, 9, 1, true),
            Rtp(20, "203.0.113.5:4444", 1, 1, true),
            Rtp(40, ATTACKER, 9, 2, false),
            Rtp(60, PHONE, 2, 1, true),
        ],
    );
    run(
        "a phone behind NAT is followed",
        &[
            Sdp(PRIVATE),
            SendsTo(Some(PRIVATE)),
            Rtp(0, NAT, 1, 1, true),
            SendsTo(Some(NAT)),
            Rtp(20, ATTACKER, 9, 1, false),
            SendsTo(Some(NAT)),
        ],
    );
    run(
        "a symmetric peer is followed from a public address too",
        &[Symmetric(PHONE), SendsTo(Some(PHONE)), Rtp(0, NAT, 1, 1, true), SendsTo(Some(NAT))],
    );
    run(
        "early media from another address, answer from a third",
        &[
            Rtp(0, SERVER, 1, 1, true), // before any SDP
            SendsTo(None),
            Sdp(PHONE), // 183
            Rtp(20, SERVER, 1, 2, true),
            SendsTo(Some(PHONE)),
            Sdp("203.0.113.90:7000"), // 200 with a new To tag
            SendsTo(Some("203.0.113.90:7000")),
            Rtp(40, SERVER, 1, 3, true), // its last packets
            Rtp(60, "203.0.113.91:7002", 2, 1, true),
            Rtp(80, SERVER, 1, 4, false),
            Rtp(100, "203.0.113.90:7000", 2, 2, true),
            SendsTo(Some("203.0.113.90:7000")),
        ],
    );
    run(
        "a symmetric peer moves, and what trails after it does not draw us back",
        &[
            Symmetric(PHONE),
            Rtp(0, NAT, 1, 1, true),
            SendsTo(Some(NAT)),
            Rtp(4_000, NAT, 1, 200, true),
            Symmetric(SERVER),
            SendsTo(Some(SERVER)),
            Rtp(4_020, NAT, 1, 201, true),
            SendsTo(Some(SERVER)), // which may wait for us to speak first
            Rtp(4_040, SERVER, 2, 1, true),
            SendsTo(Some(SERVER)),
            Rtp(4_060, NAT, 1, 202, false),
        ],
    );
    run(
        "a symmetric peer that does not move after all",
        &[
            Symmetric(PHONE),
            Rtp(0, NAT, 1, 1, true),
            Symmetric(SERVER),
            Rtp(20, NAT, 1, 2, true),
            SendsTo(Some(SERVER)),
            Rtp(3_020, NAT, 1, 152, true),
            SendsTo(Some(NAT)),
        ],
    );
    run(
        "behind NAT there is nowhere else to send to",
        &[
            Sdp(PRIVATE),
            Rtp(0, NAT, 1, 1, true),
            Sdp("192.168.1.9:4002"),
            SendsTo(Some("192.168.1.9:4002")),
            Rtp(20, NAT, 1, 2, true),
            SendsTo(Some(NAT)),
            Rtp(40, NAT_REBOUND, 1, 3, true),
            SendsTo(Some(NAT_REBOUND)),
        ],
    );
    run(
        "hold and resume",
        &[
            Sdp(PRIVATE),
            Rtp(0, NAT, 1, 1, true),
            Sdp("0.0.0.0:4000"),
            SendsTo(None),
            Rtp(20, NAT, 1, 2, true),
            Rtp(1_020, ATTACKER, 9, 1, false),
            Rtp(1_040, NAT_REBOUND, 3, 1, true), // music from the same house
            SendsTo(None),
            Sdp(PRIVATE),
            SendsTo(Some(NAT_REBOUND)),
            Rtp(9_000, ATTACKER, 9, 2, false),
            Rtp(9_010, NAT, 4, 1, true),
            SendsTo(Some(NAT)),
        ],
    );
    run(
        "a rebind of NAT that nobody signalled",
        &[
            Sdp(PRIVATE),
            Rtp(0, NAT, 1, 65530, true),
            Rtp(3_500, NAT, 1, 65535, true),
            Rtp(3_520, NAT_REBOUND, 1, 0, false), // too early
            Rtp(4_499, NAT_REBOUND, 1, 48, false),
            Rtp(4_500, ATTACKER, 9, 49, false),    // another stream
            Rtp(4_500, ATTACKER, 1, 65535, false), // does not continue
            Rtp(4_500, NAT_REBOUND, 1, 49, true),
            SendsTo(Some(NAT_REBOUND)),
            Rtp(4_520, NAT, 1, 50, false),
        ],
    );
    run(
        "learning ends, spray or not",
        &[
            Sdp(PRIVATE),
            Rtp(0, NAT, 1, 1, true),
            Rtp(500, ATTACKER, 9, 1, false),
            Rtp(1_000, NAT, 1, 50, true),
            Rtp(2_000, NAT, 1, 100, true),
            Rtp(3_000, NAT, 1, 150, true),
            Rtp(3_999, ATTACKER, 9, 2, false),
            Rtp(4_500, ATTACKER, 9, 3, false),
            Rtp(4_520, NAT, 1, 200, true),
        ],
    );
}

#[test]
fn the_host_of_the_signalling_beats_a_stranger() {
    let now = crate::test_start();
    let mut lock = SourceLock::new();
    let (nat, attacker): (SocketAddr, SocketAddr) = (NAT.parse().unwrap(), ATTACKER.parse().unwrap());
    lock.reopen(PRIVATE.parse().ok(), false, Some(nat.ip()));
    let position = Position { ssrc: Ssrc(9), seq: Some(1) };
    lock.accept(now, attacker, position);
    assert_eq!(lock.judge(now, nat), Judgement::Learn);
    lock.accept(now, nat, position);
    assert_eq!(lock.judge(now, attacker), Judgement::Refuse);
}

#[test]
fn learning_opens_again_when_the_far_side_answers() {
    let start = crate::test_start();
    let address = |text: &str| text.parse::<SocketAddr>().unwrap();
    let at = |seconds| start + Duration::from_secs(seconds);
    let position = |seq| Position { ssrc: Ssrc(9), seq: Some(seq) };
    let rung = || {
        let mut lock = SourceLock::new();
        lock.reopen(Some(address(PRIVATE)), false, Some(address(NAT).ip()));
        lock.accept(at(0), address(ATTACKER), position(1));
        lock
    };
    // The call rang for long: a talking stray is the source, unless who was signalled speaks.
    let mut lock = rung();
    lock.accept(at(20), address(ATTACKER), position(2));
    assert_eq!(lock.judge(at(20), address(SERVER)), Judgement::Refuse);
    lock.reopen_by_answer(at(20), true);
    assert_eq!(lock.judge(at(20), address(NAT)), Judgement::Learn);
    assert_eq!(lock.judge(at(20), address(SERVER)), Judgement::Refuse);
    // A silent one gives way to whoever speaks first, as if it had never been; later on, only to its own stream.
    assert_eq!(lock.judge(at(21), address(SERVER)), Judgement::Learn);
    lock.accept(at(21), address(NAT), position(3));
    lock.accept(at(30), address(NAT), position(4));
    lock.reopen_by_answer(at(30), false);
    assert_eq!(lock.judge(at(31), address(SERVER)), Judgement::Continue);

    // A phone that was heard from where it said is in no doubt.
    let mut lock = rung();
    lock.accept(at(1), address(PRIVATE), position(1));
    lock.reopen_by_answer(at(20), true);
    assert_eq!(lock.judge(at(20), address(NAT)), Judgement::Continue);
}

#[test]
fn what_counts_as_private() {
    for private in
        ["10.1.2.3", "172.31.0.1", "192.168.0.1", "100.64.0.1", "169.254.1.1", "fd00::1", "fe80::1"]
    {
        assert!(is_private(private.parse().unwrap()), "{private}");
    }
    for public in ["127.0.0.1", "172.32.0.1", "100.128.0.1", "203.0.113.1", "2001:db8::1", "::1"] {
        assert!(!is_private(public.parse().unwrap()), "{public}");
    }
}
