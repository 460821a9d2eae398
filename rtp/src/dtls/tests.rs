//! Two ends of an association over a link that loses and reorders, in virtual time.

use std::collections::VecDeque;
use std::slice;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use super::*;
use crate::srtp::SrtpKeys;

fn endpoint() -> Endpoint {
    let key = rcgen::KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256).unwrap();
    let certificate = rcgen::CertificateParams::default().self_signed(&key).unwrap();
    Endpoint::new(certificate.der().to_vec(), key.serialize_der()).unwrap()
}

/// Two of them: the test of the cryptography that each begins with takes its time.
fn endpoints() -> &'static [Arc<Endpoint>; 2] {
    static MADE: OnceLock<[Arc<Endpoint>; 2]> = OnceLock::new();
    MADE.get_or_init(|| [Arc::new(endpoint()), Arc::new(endpoint())])
}

/// A link of 20 ms.
const LATENCY: Duration = Duration::from_millis(20);

struct Ends {
    now: Instant,
    ends: [Association; 2],
    on_their_way: VecDeque<(Instant, usize, Vec<u8>)>,
    said: [Vec<Result<Box<SrtpKeys>, Failure>>; 2],
    sent: usize,
    random: u64,
    /// Of a hundred datagrams so many are lost.
    loss: u64,
    /// The next datagram overtakes the one before.
    reorders: bool,
}

impl Ends {
    fn new(seed: u64, loss: u64) -> Ends {
        let now = crate::test_start();
        let [client, server] = endpoints();
        let mut ends =
            [Association::new(now, client, Role::Active), Association::new(now, server, Role::Passive)];
        ends[0].handle_fingerprints(slice::from_ref(server.fingerprint()));
        ends[1].handle_fingerprints(slice::from_ref(client.fingerprint()));
        Ends {
            now,
            ends,
            on_their_way: VecDeque::new(),
            said: [Vec::new(), Vec::new()],
            sent: 0,
            random: seed.wrapping_mul(2).wrapping_add(1),
            loss,
            reorders: loss > 0,
        }
    }

    fn draw(&mut self, below: u64) -> u64 {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        self.random % below
    }

    fn drain(&mut self) {
        let mut buffer = [0; 2048];
        for end in 0..2 {
            self.said[end].extend(self.ends[end].take_outcome());
            while let Some(len) = self.ends[end].poll_transmit(&mut buffer) {
                self.sent += 1;
                if self.draw(100) < self.loss {
                    continue;
                }
                let late = if self.reorders && self.draw(4) == 0 { LATENCY * 2 } else { Duration::ZERO };
                self.on_their_way.push_back((self.now + LATENCY + late, 1 - end, buffer[..len].to_vec()));
            }
        }
    }

    /// Runs to the end of what happens within `period`.
    fn run(&mut self, period: Duration) {
        let until = self.now + period;
        loop {
            self.drain();
            let arrival = self.on_their_way.iter().map(|(at, ..)| *at).min();
            let timer = self.ends.iter().filter_map(Association::poll_timeout).min();
            let Some(next) = arrival.into_iter().chain(timer).min().filter(|next| *next <= until) else {
                break;
            };
            self.now = self.now.max(next);
            if let Some(place) = self.on_their_way.iter().position(|(at, ..)| *at <= self.now) {
                let (_, end, datagram) = self.on_their_way.remove(place).unwrap();
                self.ends[end].handle_datagram(self.now, &datagram);
                continue;
            }
            let now = self.now;
            self.ends.iter_mut().filter(|end| end.poll_timeout().is_some_and(|at| at <= now)).for_each(
                |end| {
                    end.handle_timeout(now);
                },
            );
        }
        self.now = until;
    }

    fn keys(&self) -> [&SrtpKeys; 2] {
        [0, 1].map(|end| match self.said[end].as_slice() {
            [Ok(keys)] => &**keys,
            other => panic!("{end}: {other:?}"),
        })
    }

    fn failures(&self) -> [Option<&Failure>; 2] {
        [0, 1].map(|end| match self.said[end].as_slice() {
            [] => None,
            [Err(failure)] => Some(failure),
            other => panic!("{end}: {other:?}"),
        })
    }
}

#[test]
fn both_ends_have_each_others_keys() {
    let mut ends = Ends::new(1, 0);
    ends.run(Duration::from_secs(1));
    let [client, server] = ends.keys();
    assert_eq!((client.suite, &client.send, &client.receive), (server.suite, &server.receive, &server.send));
    assert_ne!(client.send, client.receive);
    assert_eq!(client.suite, crate::srtp::Suite::AeadAes256Gcm);
    assert!(ends.ends.iter().all(|end| end.poll_timeout().is_none()), "nothing waits once it is done");
}

#[test]
fn lost_and_reordered_flights_are_said_again() {
    for seed in 1..40 {
        let mut ends = Ends::new(seed, 30);
        ends.run(Duration::from_secs(20));
        let said: Vec<_> = ends.said.iter().map(Vec::len).collect();
        assert_eq!(said, [1, 1], "seed {seed}");
        let [client, server] = ends.keys();
        assert_eq!((&client.send, &client.receive), (&server.receive, &server.send), "seed {seed}");
    }
}

#[test]
fn nobody_there_is_given_up() {
    let mut ends = Ends::new(1, 100);
    ends.run(Duration::from_secs(60));
    assert_eq!(ends.failures(), [Some(&Failure::TimedOut), None], "the server has heard nothing");
    assert!((6..16).contains(&ends.sent), "{}", ends.sent);
    assert!(ends.ends.iter().all(|end| end.poll_timeout().is_none()));
}

#[test]
fn another_certificate_than_that_of_the_sdp_gives_no_keys() {
    let mut ends = Ends::new(1, 0);
    let [client, _] = endpoints();
    ends.ends[0].handle_fingerprints(slice::from_ref(client.fingerprint()));
    ends.run(Duration::from_secs(1));
    assert_eq!(ends.said[0], [Err(Failure::Fingerprint)]);
}

#[test]
fn a_handshake_may_come_before_the_answer() {
    for right in [true, false] {
        let mut ends = Ends::new(1, 0);
        let [client, server] = endpoints();
        ends.ends[1] = Association::new(ends.now, server, Role::Passive);
        ends.run(Duration::from_secs(1));
        assert!(ends.said[1].is_empty(), "nobody has proved anything yet: {:?}", ends.said[1]);
        let told = if right { client } else { server };
        ends.ends[1].handle_fingerprints(slice::from_ref(told.fingerprint()));
        ends.drain();
        match right {
            true => assert_eq!(ends.keys()[0].send, ends.keys()[1].receive),
            false => assert_eq!(ends.said[1], [Err(Failure::Fingerprint)]),
        }
    }
}

#[test]
fn what_is_forged_takes_no_keys_away() {
    let mut ends = Ends::new(1, 0);
    ends.run(Duration::from_secs(1));
    let fatal_alert = [21, 0xfe, 0xfd, 0, 0, 0, 0, 0, 0, 0, 99, 0, 2, 2, 40];
    for end in 0..2 {
        ends.ends[end].handle_datagram(ends.now, &fatal_alert);
        for byte in 20..64 {
            ends.ends[end].handle_datagram(ends.now, &[byte; 60]);
        }
    }
    ends.run(Duration::from_secs(60));
    ends.keys();
}

#[test]
fn a_flood_makes_no_work_without_end() {
    let [_, server] = endpoints();
    let now = crate::test_start();
    let mut association = Association::new(now, server, Role::Passive);
    let [client, _] = endpoints();
    let mut hello = [0; 2048];
    let mut taken = 0;
    for _ in 0..1000 {
        // Each is another client's first flight.
        let mut stranger = Association::new(now, client, Role::Active);
        let Some(len) = stranger.poll_transmit(&mut hello) else { panic!() };
        taken += u32::from(association.handle_datagram(now, &hello[..len]));
        let mut sink = [0; 2048];
        while association.poll_transmit(&mut sink).is_some() {}
    }
    assert!(taken <= 200, "{taken}");
}

#[test]
fn the_first_byte_says_what_a_datagram_is() {
    let check = |byte: u8, expect| assert_eq!(Demultiplexed::of(&[byte, 0]), expect, "{byte}");
    for byte in 0..=255 {
        let expect = match byte {
            0..=3 => Demultiplexed::Stun,
            20..=63 => Demultiplexed::Dtls,
            128..=191 => Demultiplexed::Rtp,
            _ => Demultiplexed::Other,
        };
        check(byte, expect);
    }
    assert_eq!(Demultiplexed::of(&[]), Demultiplexed::Other);
}
