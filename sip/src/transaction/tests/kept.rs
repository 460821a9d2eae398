//! What an answered server transaction keeps is enough: whatever is repeated, it says and sends what the machines of the
//! figures would, byte by byte, which keep everything.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;

#[derive(Debug, Clone)]
enum Operation {
    Receive { method: usize, branch: u8 },
    Respond { nth: usize, code: u16 },
    Error { nth: usize },
    Wait { ms: u64 },
}

const METHODS: [&str; 3] = ["INVITE", "BYE", "ACK"];

fn operation() -> impl Strategy<Value = Operation> {
    let code = || prop_oneof![100..=199_u16, 200..=202_u16, 300..=699_u16];
    prop_oneof![
        8 => (0..3_usize, 0..3_u8).prop_map(|(method, branch)| Operation::Receive { method, branch }),
        4 => (0..4_usize, code()).prop_map(|(nth, code)| Operation::Respond { nth, code }),
        1 => (0..4_usize).prop_map(|nth| Operation::Error { nth }),
        3 => prop_oneof![0..600_u64, 0..40_000_u64].prop_map(|ms| Operation::Wait { ms }),
    ]
}

fn message(method: usize, branch: u8) -> Message {
    request(METHODS[method], &format!("z9hG4bK{branch}"))
}

enum Machine {
    Invite(ServerInvite<Message>),
    NonInvite(ServerNonInvite<Message>),
}

/// The machines as the RFCs draw them, and nothing packed.
#[derive(Default)]
struct Reference {
    machines: BTreeMap<usize, (Message, Machine)>,
    /// Which of them a key leads to.
    newest: HashMap<(usize, u8), usize>,
    begun: usize,
    log: Vec<String>,
}

impl Reference {
    fn receive(&mut self, now: Instant, method: usize, branch: u8, reliable: bool) {
        let message = message(method, branch);
        let of = |method| self.newest.get(&(method, branch)).copied();
        let found = of(if METHODS[method] == "ACK" { 0 } else { method });
        let passed = match found.and_then(|at| self.machines.get_mut(&at)) {
            Some((_, Machine::Invite(machine))) if METHODS[method] == "ACK" => machine.handle_ack(now),
            Some((_, Machine::Invite(machine))) => {
                machine.handle_invite();
                false
            }
            Some((_, Machine::NonInvite(machine))) => {
                machine.handle_request();
                false
            }
            None if METHODS[method] == "ACK" => true,
            None => {
                let machine = match METHODS[method] {
                    "INVITE" => Machine::Invite(ServerInvite::new(now, Timers::default(), reliable)),
                    _ => Machine::NonInvite(ServerNonInvite::new(Timers::default(), reliable)),
                };
                self.newest.insert((method, branch), self.begun);
                self.machines.insert(self.begun, (message, machine));
                self.begun += 1;
                self.log.push("request".to_owned());
                false
            }
        };
        self.drain(now);
        if passed {
            self.log.push("ack".to_owned());
        }
    }

    fn act(&mut self, now: Instant, nth: usize, act: impl FnOnce(&mut Machine, &Message)) {
        let at = self.begun.checked_sub(nth + 1);
        if let Some((request, machine)) = at.and_then(|at| self.machines.get_mut(&at)) {
            act(machine, request);
        }
        self.drain(now);
    }

    fn run(&mut self, until: Instant) {
        let due = |machine: &Machine| match machine {
            Machine::Invite(machine) => machine.poll_timeout(),
            Machine::NonInvite(machine) => machine.poll_timeout(),
        };
        while let Some(now) =
            self.machines.values().filter_map(|(_, machine)| due(machine)).min().filter(|due| *due <= until)
        {
            for (_, machine) in self.machines.values_mut() {
                match machine {
                    Machine::Invite(machine) => machine.handle_timeout(now),
                    Machine::NonInvite(machine) => machine.handle_timeout(now),
                }
            }
            self.drain(now);
        }
    }

    fn drain(&mut self, now: Instant) {
        for (request, machine) in self.machines.values_mut() {
            match machine {
                Machine::Invite(machine) => {
                    while let Some(output) = machine.poll_output() {
                        self.log.push(match output {
                            ServerInviteOutput::Transmit(response) => text(&response),
                            ServerInviteOutput::NoAck => "no ack".to_owned(),
                            ServerInviteOutput::TransportError => "error".to_owned(),
                            ServerInviteOutput::Trying => {
                                machine.respond(now, Class::Provisional, reply(request, 100));
                                continue;
                            }
                        });
                    }
                }
                Machine::NonInvite(machine) => {
                    while let Some(output) = machine.poll_output() {
                        self.log.push(match output {
                            ServerNonInviteOutput::Transmit(response) => text(&response),
                            ServerNonInviteOutput::TransportError => "error".to_owned(),
                        });
                    }
                }
            }
        }
        self.machines.retain(|_, (_, machine)| match machine {
            Machine::Invite(machine) => !machine.is_terminated(),
            Machine::NonInvite(machine) => !machine.is_terminated(),
        });
        self.newest.retain(|_, at| self.machines.contains_key(at));
    }
}

fn text(message: &Message) -> String {
    String::from_utf8(message.bytes().to_vec()).unwrap()
}

/// The table's own account, in the words of the reference. What happened at one moment is in no order.
fn said(transactions: &mut Transactions<&'static str>, ids: &mut Vec<(ServerId, Message)>) -> Vec<String> {
    let mut log = Vec::new();
    while let Some(output) = transactions.poll_output() {
        log.push(match output {
            Output::Transmit { message, .. } => text(&message),
            Output::Event(Event::Request { id, message, .. }) => {
                ids.push((id, message));
                "request".to_owned()
            }
            Output::Event(Event::Ack { .. }) => "ack".to_owned(),
            Output::Event(Event::NoAck { .. }) => "no ack".to_owned(),
            Output::Event(Event::ServerTransport { .. }) => "error".to_owned(),
            Output::Event(_) => continue,
        });
    }
    log.sort();
    log
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 600, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn repeats_are_answered_as_by_who_keeps_everything(
        operations in prop::collection::vec(operation(), 0..80), reliable: bool,
    ) {
        let mut now = Table::udp().now;
        let mut reference = Reference::default();
        let mut transactions = Transactions::new(Timers::default());
        let mut ids = Vec::new();
        for operation in operations {
            match operation {
                Operation::Receive { method, branch } => {
                    transactions.handle_message(now, message(method, branch), "peer", reliable);
                    reference.receive(now, method, branch, reliable);
                }
                Operation::Respond { nth, code } => {
                    if let Some((id, request)) = ids.iter().nth_back(nth).cloned() {
                        transactions.respond(now, id, reply(&request, code));
                        reference.act(now, nth, |machine, request| match machine {
                            Machine::Invite(machine) => {
                                machine.respond(now, Class::of(code), reply(request, code));
                            }
                            Machine::NonInvite(machine) => {
                                machine.respond(now, Class::of(code), reply(request, code));
                            }
                        });
                    }
                }
                Operation::Error { nth } => {
                    if let Some((id, _)) = ids.iter().nth_back(nth) {
                        transactions.handle_server_error(now, *id);
                        reference.act(now, nth, |machine, _| match machine {
                            Machine::Invite(machine) => machine.handle_transport_error(),
                            Machine::NonInvite(machine) => machine.handle_transport_error(),
                        });
                    }
                }
                Operation::Wait { ms } => {
                    let until = now + Duration::from_millis(ms);
                    while let Some(due) = transactions.poll_timeout().filter(|due| *due <= until) {
                        transactions.handle_timeout(due);
                    }
                    reference.run(until);
                    now = until;
                }
            }
            let mut expected = std::mem::take(&mut reference.log);
            expected.sort();
            prop_assert_eq!(said(&mut transactions, &mut ids), expected);
            prop_assert_eq!(transactions.server_len(), reference.machines.len());
        }
    }
}

#[test]
fn what_is_forgotten_is_new_when_it_is_repeated() {
    for method in ["INVITE", "BYE"] {
        let mut table = Table::udp();
        let message = request(method, "z9hG4bK1");
        table.receive(&message).respond(&reply(&message, 486)).receive(&message);
        let id = table.requests[0].0;
        for _ in 0..2 {
            table.transactions.forget(table.now, id);
            table.drain();
            assert_eq!(table.transactions.server_len(), 0);
        }
        table.receive(&message).respond(&reply(&message, 503)).receive(&request("ACK", "z9hG4bK1"));
        assert_eq!(
            table.finish()[..5],
            ["request", "send 486", "send 486", "request", "send 503"].map(|line| match line {
                "request" => format!("0 request {method}"),
                line => format!("0 {line} {method} to peer"),
            })
        );
    }
}
