//! Both sides over a network that loses, delays, reorders and repeats.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use super::*;
use crate::transaction::Timers;
use crate::{CSeq, RAck, RSeq};

/// A datagram under way, or something that a user does.
#[derive(Debug, Clone)]
enum Event {
    /// The answering user sends its n-th provisional response.
    Send(usize),
    /// The answering user sends its 2xx.
    Accept,
    Provisional(RSeq, usize),
    Prack(RAck),
}

struct World {
    seed: u64,
    loss: u64,
    /// By millisecond, then in the order of their making.
    events: BTreeMap<(u64, usize), Event>,
    made: usize,
}

impl World {
    /// The next number below `below`, by a linear congruential generator.
    fn random(&mut self, below: u64) -> u64 {
        self.seed = self.seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.seed >> 33) % below
    }

    fn at(&mut self, at_ms: u64, event: Event) {
        self.made += 1;
        self.events.insert((at_ms, self.made), event);
    }

    /// Loses the datagram, or delivers it once or twice within a second.
    fn transmit(&mut self, now_ms: u64, event: Event) {
        for chance in [self.loss, 90] {
            if self.random(100) >= chance {
                let delay = self.random(1_000);
                self.at(now_ms + delay, event.clone());
            }
        }
    }
}

/// Which responses the caller went on with, in order; how many it had when the 2xx was sent; whether it gave up.
struct Outcome {
    heard: Vec<usize>,
    accepted_after: Option<usize>,
    gave_up: bool,
}

/// Runs until nothing happens any more. Response n describes a session if `n % 3 == 0`.
#[expect(clippy::disallowed_methods, reason = "a starting instant")]
fn run(seed: u64, responses: usize, loss: u64) -> Outcome {
    let (start, invite) = (Instant::now(), CSeq::parse("1 INVITE").unwrap());
    let mut world = World { seed, loss, events: BTreeMap::new(), made: 0 };
    let mut uas = UasReliable::new(invite.clone(), RSeq::first(u32::MAX), Timers::default());
    let mut uac = UacReliable::new(invite);
    for response in 0..responses {
        let at_ms = response as u64 * 400;
        world.at(at_ms, Event::Send(response));
    }
    let at_ms = responses as u64 * 400 + world.random(2_000);
    world.at(at_ms, Event::Accept);

    let mut outcome = Outcome { heard: Vec::new(), accepted_after: None, gave_up: false };
    let mut pracks = Vec::new(); // That the answering side's transactions have seen: repeats are theirs.
    loop {
        let due_ms = uas.poll_timeout().map(|due| u64::try_from((due - start).as_millis()).unwrap());
        let event_ms = world.events.keys().next().map(|(at_ms, _)| *at_ms);
        let now_ms = match (due_ms, event_ms) {
            (Some(due), Some(event)) => due.min(event),
            (Some(one), None) | (None, Some(one)) => one,
            (None, None) => return outcome,
        };
        let now = start + Duration::from_millis(now_ms);
        uas.handle_timeout(now);
        if event_ms == Some(now_ms) {
            match world.events.pop_first().unwrap().1 {
                Event::Send(response) => {
                    let _ = uas.send(now, Provisional { response, session: response % 3 == 0 });
                }
                Event::Accept => uas.accept(usize::MAX),
                Event::Provisional(rseq, response) => {
                    if let UacReliableVerdict::Acknowledge(rack) = uac.handle_response(rseq) {
                        outcome.heard.push(response);
                        for at_ms in [0, 500, 1_500, 3_500, 7_500, 11_500, 15_500, 19_500, 23_500, 27_500] {
                            world.transmit(now_ms + at_ms, Event::Prack(rack.clone()));
                        }
                    }
                }
                Event::Prack(rack) if !pracks.contains(&rack) => {
                    assert!(uas.handle_prack(now, &rack) || outcome.gave_up, "the only PRACK of {rack}");
                    pracks.push(rack);
                }
                Event::Prack(_) => {}
            }
        }
        while let Some(output) = uas.poll_output() {
            match output {
                UasReliableOutput::Provisional(rseq, response) => {
                    world.transmit(now_ms, Event::Provisional(rseq, response));
                }
                UasReliableOutput::Final(_) => outcome.accepted_after = Some(outcome.heard.len()),
                UasReliableOutput::NoPrack => outcome.gave_up = true,
            }
        }
    }
}

#[test]
fn every_session_is_heard_once_in_order_and_before_the_2xx() {
    let (mut accepted, mut gave_up) = (0, 0);
    for seed in 0..2_000 {
        let (responses, loss) = (seed as usize % 8, [0, 20, 50, 99][seed as usize / 8 % 4]);
        let outcome = run(seed, responses, loss);
        assert!(
            outcome.heard.is_sorted_by(|before, after| before < after),
            "seed {seed}: {:?}",
            outcome.heard
        );
        assert_ne!(outcome.accepted_after.is_some(), outcome.gave_up, "seed {seed}: one of both");
        if let Some(after) = outcome.accepted_after {
            let sessions: Vec<_> =
                outcome.heard[..after].iter().copied().filter(|response| response % 3 == 0).collect();
            let sent: Vec<_> = (0..responses).filter(|response| response % 3 == 0).collect();
            assert_eq!(sessions, sent, "seed {seed}");
            accepted += 1;
        } else {
            gave_up += 1;
        }
    }
    assert!(accepted > 1_000 && gave_up > 100, "{accepted} accepted, {gave_up} given up: a test of both");
}
