//! Two ends on a lossless line do whatever their states let them do, at any time, and agree when all is said.

use std::collections::VecDeque;

use proptest::prelude::*;

use super::*;

enum Wire {
    /// A message, its description, and what its sender's state says that it is.
    Message(Carrier, Option<u32>, &'static str),
    Refusal(Refusable),
}

/// One end: its state, and what it must know of its transactions to send nothing that RFC 3261 forbids.
#[derive(Default)]
struct End {
    state: OfferAnswer<u32>,
    incoming: VecDeque<Wire>,
    /// Requests of its own that wait for a final response.
    asked: Vec<Refusable>,
    /// Requests of the other end that it has to answer.
    owed: Vec<Refusable>,
    /// What it shows of its answer to an INVITE, which must not change.
    shown: Option<u32>,
    unacknowledged_1xx: bool,
    owes_prack: bool,
    owes_ack: bool,
}

#[derive(Default)]
struct Line {
    ends: [End; 2],
    descriptions: u32,
    /// How many offers were answered.
    answers: usize,
}

impl Line {
    /// What end `at` and the other one are.
    fn pair(&mut self, at: usize) -> (&mut End, &mut End) {
        let [one, other] = &mut self.ends;
        if at == 0 { (one, other) } else { (other, one) }
    }

    fn description(&mut self, wanted: bool) -> Option<u32> {
        self.descriptions += 1;
        wanted.then_some(self.descriptions)
    }

    /// Sends a message if the state lets it.
    fn send(&mut self, at: usize, carrier: Carrier, description: Option<u32>) -> bool {
        let (end, other) = self.pair(at);
        let mut next = end.state.clone();
        let verdict = kind(&next.take(Side::Local, carrier, description));
        if matches!(verdict, "glare" | "early" | "missing" | "unexpected" | "changed") {
            return false;
        }
        end.state = next;
        other.incoming.push_back(Wire::Message(carrier, description, verdict));
        true
    }

    fn ask(&mut self, at: usize, request: Refusable, described: bool) {
        let end = &self.ends[at];
        let (carrier, may) = match request {
            Refusable::Invite => (Carrier::Invite, !end.owes_ack),
            Refusable::Update => (Carrier::Update, described),
            Refusable::Prack => (Carrier::Prack, end.owes_prack),
        };
        if !may || end.asked.contains(&request) {
            return;
        }
        // The offer of a reliable 1xx must be answered.
        let offered = end.state.open().map(|offer| (offer.by(), offer.carrier()));
        let must =
            request == Refusable::Prack && offered == Some((Side::Remote, Carrier::ReliableProvisional));
        let description = self.description(described || must);
        if self.send(at, carrier, description) {
            self.ends[at].asked.push(request);
            self.ends[at].owes_prack &= request != Refusable::Prack;
        }
    }

    /// Answers a request of the other end with 2xx.
    fn accept(&mut self, at: usize, request: Refusable, described: bool) {
        if !self.ends[at].owed.contains(&request) {
            return;
        }
        let carrier = match request {
            Refusable::Invite => Carrier::InviteOk,
            Refusable::Update => Carrier::UpdateOk,
            Refusable::Prack => Carrier::PrackOk,
        };
        let shown = self.ends[at].shown.filter(|_| request == Refusable::Invite);
        let description = match shown {
            Some(shown) if described => Some(shown),
            _ => self.description(described),
        };
        if self.send(at, carrier, description) {
            self.ends[at].owed.retain(|owed| *owed != request);
        }
    }

    fn refuse(&mut self, at: usize, request: Refusable) {
        let (end, other) = self.pair(at);
        if end.owed.contains(&request) {
            end.owed.retain(|owed| *owed != request);
            let _ = end.state.refused(Side::Remote, request);
            other.incoming.push_back(Wire::Refusal(request));
        }
    }

    fn ring(&mut self, at: usize, reliable: bool, described: bool) {
        let end = &self.ends[at];
        if !end.owed.contains(&Refusable::Invite) || (reliable && end.unacknowledged_1xx) {
            return;
        }
        let carrier = if reliable { Carrier::ReliableProvisional } else { Carrier::Provisional };
        let description = match end.shown {
            Some(shown) if described => Some(shown),
            _ => self.description(described),
        };
        if self.send(at, carrier, description) {
            self.ends[at].shown = description.or(self.ends[at].shown);
            self.ends[at].unacknowledged_1xx |= reliable;
        }
    }

    fn acknowledge(&mut self, at: usize) {
        if !self.ends[at].owes_ack {
            return;
        }
        let offered = self.ends[at].state.open().map(|offer| (offer.by(), offer.carrier()));
        let description = self.description(offered == Some((Side::Remote, Carrier::InviteOk)));
        assert!(self.send(at, Carrier::Ack, description));
        self.ends[at].owes_ack = false;
    }

    fn deliver(&mut self, at: usize) {
        let (end, other) = self.pair(at);
        match end.incoming.pop_front() {
            Some(Wire::Refusal(request)) => {
                assert!(end.asked.contains(&request));
                end.asked.retain(|asked| *asked != request);
                let _ = end.state.refused(Side::Local, request);
            }
            Some(Wire::Message(carrier, description, sent)) => {
                let before = end.state.clone();
                let verdict = kind(&end.state.take(Side::Remote, carrier, description));
                let request = match carrier {
                    Carrier::Invite => Some(Refusable::Invite),
                    Carrier::Update => Some(Refusable::Update),
                    Carrier::Prack => Some(Refusable::Prack),
                    _ => None,
                };
                end.unacknowledged_1xx &= carrier != Carrier::Prack;
                match request {
                    Some(request) if verdict == sent => end.owed.push(request),
                    Some(request) => {
                        // Offers crossed, or the PRACK crossed the refusal of its INVITE.
                        assert!(matches!(verdict, "glare" | "early" | "unexpected"), "{carrier:?} {verdict}");
                        assert_eq!((end.state.agreed(), end.state.open()), (before.agreed(), before.open()));
                        other.incoming.push_back(Wire::Refusal(request));
                    }
                    None => assert_eq!(verdict, sent, "{carrier:?} {before:?}"),
                }
                if request == Some(Refusable::Invite) {
                    end.shown = None;
                }
                end.owes_prack |= carrier == Carrier::ReliableProvisional;
                end.owes_ack |= carrier == Carrier::InviteOk;
                let over = match carrier {
                    Carrier::InviteOk => Some(Refusable::Invite),
                    Carrier::UpdateOk => Some(Refusable::Update),
                    Carrier::PrackOk => Some(Refusable::Prack),
                    _ => None,
                };
                end.asked.retain(|asked| Some(*asked) != over);
                self.answers += usize::from(verdict == "answer");
            }
            None => {}
        }
    }

    fn act(&mut self, at: usize, action: u8) {
        match action {
            0..8 => self.deliver(at),
            8 => self.ask(at, Refusable::Invite, true),
            9 => self.ask(at, Refusable::Invite, false),
            10 | 11 => self.ask(at, Refusable::Update, true),
            12 | 13 => self.ask(at, Refusable::Prack, false),
            14 => self.ask(at, Refusable::Prack, true),
            15 => self.ring(at, false, true),
            16 | 17 => self.ring(at, true, true),
            18 => self.ring(at, true, false),
            19 => self.accept(at, Refusable::Invite, true),
            20 => self.accept(at, Refusable::Invite, false),
            21 | 22 => self.accept(at, Refusable::Prack, true),
            23 | 24 => self.accept(at, Refusable::Prack, false),
            25 => self.accept(at, Refusable::Update, true),
            26 => self.refuse(at, Refusable::Invite),
            27 => self.refuse(at, Refusable::Update),
            28 => self.refuse(at, Refusable::Prack),
            _ => self.acknowledge(at),
        }
    }

    /// Everything arrives, what is owed is sent, and what waits for an answer is refused.
    fn settle(&mut self) {
        for _ in 0..8 {
            for at in [0, 1] {
                while !self.ends[at].incoming.is_empty() {
                    self.deliver(at);
                }
                self.acknowledge(at);
                self.ask(at, Refusable::Prack, false);
                for request in [Refusable::Prack, Refusable::Update, Refusable::Invite] {
                    self.refuse(at, request);
                }
            }
        }
    }

    fn check(&self) {
        let [one, other] = &self.ends;
        assert!(mirrored(&one.state, &other.state), "{:?}\n{:?}", one.state, other.state);
        for end in &self.ends {
            assert!(end.state.open().is_none() && end.state.invite.is_none(), "{:?}", end.state);
            assert!(end.asked.is_empty() && end.owed.is_empty());
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: 2_000, ..Default::default() })]

    #[test]
    fn both_ends_agree(actions in proptest::collection::vec((0..2_usize, 0..30_u8), 0..200)) {
        let mut line = Line::default();
        for (at, action) in actions {
            line.act(at, action);
        }
        line.settle();
        line.check();
    }
}

/// The random ends do reach agreements, within INVITEs and without.
#[test]
fn the_random_ends_agree_on_something() {
    let mut line = Line::default();
    let mut random = 1_u64;
    for _ in 0..10_000 {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        line.act((random >> 40) as usize % 2, (random >> 33) as u8 % 30);
    }
    line.settle();
    line.check();
    assert!(line.answers > 50, "{}", line.answers);
}
