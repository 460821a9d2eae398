use std::collections::{HashMap, VecDeque};
use std::fmt::Debug;
use std::time::Instant;

use super::class::Class;
use super::client_invite::{ClientInvite, ClientInviteOutput};
use super::client_non_invite::{ClientNonInvite, ClientNonInviteOutput};
use super::deadlines::Deadlines;
use super::key::{ClientKey, Keys};
use super::{ClientId, Event, Output, Owner, Timers, follow_up};
use crate::{Message, Method, Name};

/// The client half of the table.
#[derive(Debug)]
pub(super) struct Clients<P> {
    timers: Timers,
    last_id: u64,
    /// Boxed, as those of servers are.
    entries: HashMap<ClientId, Box<Entry<P>>>,
    key: Keys,
    ids: HashMap<ClientKey, ClientId>,
    deadlines: Deadlines<ClientId>,
}

#[derive(Debug)]
struct Entry<P> {
    machine: Machine,
    key: ClientKey,
    to: P,
    reliable: bool,
    /// A CANCEL of ours: the user asked for it but hears nothing of it.
    internal: bool,
    deadline: Option<Instant>,
}

#[derive(Debug)]
enum Machine {
    Invite(ClientInvite<Message>),
    NonInvite(ClientNonInvite<Message>),
}

impl<P: Clone + Debug> Clients<P> {
    pub(super) fn new(timers: Timers) -> Self {
        Clients {
            timers,
            last_id: 0,
            entries: HashMap::new(),
            key: Keys::default(),
            ids: HashMap::new(),
            deadlines: Deadlines::new(),
        }
    }

    pub(super) fn request(
        &mut self,
        now: Instant,
        request: Message,
        to: P,
        reliable: bool,
        outputs: &mut VecDeque<Output<P>>,
    ) -> ClientId {
        self.start(now, request, to, reliable, false, outputs)
    }

    pub(super) fn resume(&mut self, invite: Message, to: P, reliable: bool) -> ClientId {
        let key = self.key.of_our_request(&invite);
        let machine = Machine::Invite(ClientInvite::resume(self.timers, reliable, invite));
        self.insert(machine, key, to, reliable, false)
    }

    /// `false` if the response belongs to no transaction.
    pub(super) fn handle_response(
        &mut self,
        now: Instant,
        response: &Message,
        from: &P,
        outputs: &mut VecDeque<Output<P>>,
    ) -> bool {
        let Some(status) = response.status() else { return false };
        let Some(id) = self.key.of_response(response).and_then(|key| self.ids.get(&key).copied()) else {
            return false;
        };
        let class = Class::of(status.code());
        self.step(now, id, from, outputs, |entry| match &mut entry.machine {
            Machine::Invite(machine) => machine.handle_response(now, class, response.clone()),
            Machine::NonInvite(machine) => machine.handle_response(now, class, response.clone()),
        });
        true
    }

    pub(super) fn cancel(
        &mut self,
        now: Instant,
        id: ClientId,
        extra: &[(Name, String)],
        outputs: &mut VecDeque<Output<P>>,
    ) {
        self.step_alone(now, id, outputs, |entry| {
            if let Machine::Invite(machine) = &mut entry.machine
                && let Some(invite) = machine.invite()
            {
                let cancel = follow_up::cancel(invite, extra);
                machine.cancel(now, cancel);
            }
        });
    }

    pub(super) fn leave(
        &mut self,
        now: Instant,
        id: ClientId,
        extra: &[(Name, String)],
        outputs: &mut VecDeque<Output<P>>,
    ) {
        self.step_alone(now, id, outputs, |entry| {
            if let Machine::Invite(machine) = &mut entry.machine
                && let Some(invite) = machine.invite()
            {
                let cancel = follow_up::cancel(invite, extra);
                machine.leave(now, cancel);
            }
        });
    }

    pub(super) fn handle_error(&mut self, now: Instant, id: ClientId, outputs: &mut VecDeque<Output<P>>) {
        self.step_alone(now, id, outputs, |entry| match &mut entry.machine {
            Machine::Invite(machine) => {
                if let Some(invite) = machine.invite() {
                    let cancel = follow_up::cancel(invite, &[]);
                    machine.handle_transport_error(now, cancel);
                }
            }
            Machine::NonInvite(machine) => machine.handle_transport_error(),
        });
    }

    pub(super) fn handle_timeout(&mut self, now: Instant, outputs: &mut VecDeque<Output<P>>) {
        while let Some(id) = self.deadlines.due(now) {
            self.step_alone(now, id, outputs, |entry| match &mut entry.machine {
                Machine::Invite(machine) => machine.handle_timeout(now),
                Machine::NonInvite(machine) => machine.handle_timeout(now),
            });
        }
    }

    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        self.deadlines.first()
    }

    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    fn start(
        &mut self,
        now: Instant,
        request: Message,
        to: P,
        reliable: bool,
        internal: bool,
        outputs: &mut VecDeque<Output<P>>,
    ) -> ClientId {
        let key = self.key.of_our_request(&request);
        let machine = match request.method() {
            Some(Method::Invite) => Machine::Invite(ClientInvite::new(now, self.timers, reliable, request)),
            _ => Machine::NonInvite(ClientNonInvite::new(now, self.timers, reliable, request)),
        };
        let id = self.insert(machine, key, to, reliable, internal);
        self.step_alone(now, id, outputs, |_| {});
        id
    }

    fn insert(
        &mut self,
        machine: Machine,
        key: ClientKey,
        to: P,
        reliable: bool,
        internal: bool,
    ) -> ClientId {
        self.last_id += 1;
        let id = ClientId(self.last_id);
        self.ids.insert(key, id);
        self.entries.insert(id, Box::new(Entry { machine, key, to, reliable, internal, deadline: None }));
        id
    }

    /// A step that no response caused, so that nothing is reported as having come from somewhere.
    fn step_alone(
        &mut self,
        now: Instant,
        id: ClientId,
        outputs: &mut VecDeque<Output<P>>,
        act: impl FnOnce(&mut Entry<P>),
    ) {
        let Some(to) = self.entries.get(&id).map(|entry| entry.to.clone()) else { return };
        self.step(now, id, &to, outputs, act);
    }

    /// Does one thing to one transaction, passes on what it puts out, and notes its next deadline or its end.
    fn step(
        &mut self,
        now: Instant,
        id: ClientId,
        from: &P,
        outputs: &mut VecDeque<Output<P>>,
        act: impl FnOnce(&mut Entry<P>),
    ) {
        let Some(entry) = self.entries.get_mut(&id) else { return };
        act(entry);
        let cancel = entry.drain(id, from, outputs);
        entry.pack();
        let (deadline, terminated) = entry.outlook();
        self.deadlines.schedule(id, &mut entry.deadline, deadline);
        if let Some(cancel) = cancel {
            let (to, reliable) = (entry.to.clone(), entry.reliable);
            self.start(now, cancel, to, reliable, true, outputs);
        }
        if terminated && let Some(entry) = self.entries.remove(&id) {
            // A branch that the caller used twice belongs to the younger transaction.
            if self.ids.get(&entry.key) == Some(&id) {
                self.ids.remove(&entry.key);
            }
            if !entry.internal {
                outputs.push_back(Output::Event(Event::ClientEnded { id }));
            }
        }
    }
}

impl<P: Clone> Entry<P> {
    /// Passes on what the machine puts out; returns the CANCEL that it wants sent.
    fn drain(&mut self, id: ClientId, from: &P, outputs: &mut VecDeque<Output<P>>) -> Option<Message> {
        let mut cancel = None;
        let transmit = |message| Output::Transmit { message, to: self.to.clone(), owner: Owner::Client(id) };
        let response = |message| Output::Event(Event::Response { id, message, from: from.clone() });
        match &mut self.machine {
            Machine::Invite(machine) => {
                while let Some(output) = machine.poll_output() {
                    outputs.push_back(match output {
                        ClientInviteOutput::Transmit(invite) => transmit(invite),
                        ClientInviteOutput::Ack(refusal) => match machine.invite() {
                            Some(invite) => transmit(follow_up::ack(invite, &refusal)),
                            None => continue,
                        },
                        ClientInviteOutput::Response(message) => response(message),
                        ClientInviteOutput::Timeout => Output::Event(Event::Timeout { id }),
                        ClientInviteOutput::TransportError => Output::Event(Event::ClientTransport { id }),
                        ClientInviteOutput::Cancel(message) => {
                            cancel = Some(message);
                            continue;
                        }
                    });
                }
            }
            Machine::NonInvite(machine) => {
                while let Some(output) = machine.poll_output() {
                    outputs.push_back(match output {
                        ClientNonInviteOutput::Transmit(request) => transmit(request),
                        _ if self.internal => continue,
                        ClientNonInviteOutput::Response(message) => response(message),
                        ClientNonInviteOutput::Timeout => Output::Event(Event::Timeout { id }),
                        ClientNonInviteOutput::TransportError => Output::Event(Event::ClientTransport { id }),
                    });
                }
            }
        }
        cancel
    }

    /// Once it has its final response only repeats of that are waited for.
    fn pack(&mut self) {
        match &mut self.machine {
            Machine::Invite(machine) => machine.pack(),
            Machine::NonInvite(machine) => machine.pack(),
        }
    }

    fn outlook(&self) -> (Option<Instant>, bool) {
        match &self.machine {
            Machine::Invite(machine) => (machine.poll_timeout(), machine.is_terminated()),
            Machine::NonInvite(machine) => (machine.poll_timeout(), machine.is_terminated()),
        }
    }
}
