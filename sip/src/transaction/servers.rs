use std::collections::hash_map::DefaultHasher;
use std::collections::{HashMap, VecDeque};
use std::fmt::Debug;
use std::hash::{Hash, Hasher};
use std::time::Instant;

use super::class::Class;
use super::deadlines::Deadlines;
use super::kept::Kept;
use super::key::{InviteMark, Keys, MergeKey, ServerKey};
use super::server_invite::{ServerInvite, ServerInviteOutput};
use super::server_non_invite::{ServerNonInvite, ServerNonInviteOutput};
use super::{Event, Output, Owner, ServerId, Timers};
use crate::{Builder, Message, Method, StatusCode};

/// The server half of the table.
#[derive(Debug)]
pub(super) struct Servers<P> {
    timers: Timers,
    last_id: u64,
    /// Boxed: a table keeps the room of its busiest hour, and moves all that is in it when it grows.
    entries: HashMap<ServerId, Box<Entry<P>>>,
    key: Keys,
    ids: HashMap<ServerKey, ServerId>,
    /// How many transactions that began outside a dialog and were not refused share a From tag, Call-ID and CSeq.
    merges: HashMap<MergeKey, usize>,
    deadlines: Deadlines<ServerId>,
}

#[derive(Debug)]
struct Entry<P> {
    machine: Machine,
    /// The key; that of the newest INVITE under its branch; for an INVITE of an RFC 2543 peer those of its ACK.
    keys: Vec<ServerKey>,
    merge: Option<MergeKey>,
    from: P,
    /// The To tag that we gave, which the answer to a CANCEL repeats. RFC 3261 §9.2.
    to_tag: Option<Box<str>>,
    /// A CANCEL that the layer answers itself.
    internal: bool,
    deadline: Option<Instant>,
}

#[derive(Debug)]
enum Machine {
    /// With the INVITE, as long as the layer may have to answer it 100.
    Invite(ServerInvite<Kept>, Option<Message>),
    NonInvite(ServerNonInvite<Kept>),
}

impl<P: Clone + Debug> Servers<P> {
    pub(super) fn new(timers: Timers) -> Self {
        Servers {
            timers,
            last_id: 0,
            entries: HashMap::new(),
            key: Keys::default(),
            ids: HashMap::new(),
            merges: HashMap::new(),
            deadlines: Deadlines::new(),
        }
    }

    /// Whether a request would be taken by a transaction that is here already.
    pub(super) fn knows(&self, request: &Message) -> bool {
        let found = |key: Option<ServerKey>| key.is_some_and(|key| self.ids.contains_key(&key));
        match request.method() {
            Some(Method::Ack) => found(self.key.of_ack(request)),
            Some(Method::Cancel) => {
                found(self.key.of_request(request, &Method::Cancel)) || self.cancelled_by(request).is_some()
            }
            Some(method) => found(self.key.of_request(request, &method)),
            None => false,
        }
    }

    pub(super) fn mark(&self, request: &Message) -> Option<InviteMark> {
        self.key.mark(request)
    }

    pub(super) fn handle_request(
        &mut self,
        now: Instant,
        request: Message,
        from: P,
        reliable: bool,
        outputs: &mut VecDeque<Output<P>>,
    ) {
        match request.method() {
            Some(Method::Ack) => self.handle_ack(now, request, from, outputs),
            Some(Method::Cancel) => self.handle_cancel(now, request, from, reliable, outputs),
            Some(method) => {
                let Some(key) = self.key.of_request(&request, &method) else { return };
                match self.ids.get(&key) {
                    Some(&id) => self.repeat(now, id, outputs),
                    None => self.begin(now, key, request, from, reliable, outputs),
                }
            }
            None => {}
        }
    }

    pub(super) fn resume(
        &mut self,
        now: Instant,
        invite: &Message,
        from: P,
        reliable: bool,
    ) -> Option<ServerId> {
        let key = self.key.of_request(invite, &Method::Invite)?;
        if self.ids.contains_key(&key) {
            return None;
        }
        let keys = [Some(key), self.key.newest(invite)].into_iter().flatten().collect();
        let machine = Machine::Invite(ServerInvite::new(now, self.timers, reliable), None);
        Some(self.insert(machine, keys, None, from, false))
    }

    pub(super) fn respond(
        &mut self,
        now: Instant,
        id: ServerId,
        response: Message,
        outputs: &mut VecDeque<Output<P>>,
    ) {
        let Some(entry) = self.entries.get_mut(&id) else { return };
        let Some(status) = response.status() else { return };
        let class = Class::of(status.code());
        // An answered INVITE goes on for a while: a copy that took a detour is none of its own.
        let ongoing = class == Class::Provisional
            || class == Class::Success && matches!(entry.machine, Machine::Invite(..));
        let merge = if ongoing { None } else { entry.merge.take() };
        if entry.to_tag.is_none() {
            entry.to_tag = response.to_tag().map(Into::into);
        }
        if class == Class::Failure
            && entry.is_proceeding_invite()
            && let Some(ack) = entry.keys.first().and_then(|key| self.key.legacy_ack(key, &response))
        {
            self.ids.insert(ack, id);
            entry.keys.push(ack);
        }
        self.release(merge);
        self.step(now, id, outputs, |machine| match machine {
            Machine::Invite(machine, invite) => {
                *invite = None; // Only needed for a 100, and the user has been quicker.
                machine.respond(now, class, response.into());
            }
            Machine::NonInvite(machine) => machine.respond(now, class, response.into()),
        });
    }

    pub(super) fn trying(&mut self, now: Instant, id: ServerId, outputs: &mut VecDeque<Output<P>>) {
        self.step(now, id, outputs, |machine| match machine {
            Machine::Invite(machine, _) => machine.trying(),
            Machine::NonInvite(_) => {}
        });
    }

    pub(super) fn dismiss(
        &mut self,
        now: Instant,
        id: ServerId,
        response: Message,
        outputs: &mut VecDeque<Output<P>>,
    ) {
        self.respond(now, id, response, outputs);
        self.forget(now, id, outputs);
    }

    pub(super) fn forget(&mut self, now: Instant, id: ServerId, outputs: &mut VecDeque<Output<P>>) {
        self.step(now, id, outputs, |machine| match machine {
            Machine::Invite(machine, _) => machine.forget(),
            Machine::NonInvite(machine) => machine.forget(),
        });
    }

    pub(super) fn handle_error(&mut self, now: Instant, id: ServerId, outputs: &mut VecDeque<Output<P>>) {
        self.step(now, id, outputs, |machine| match machine {
            Machine::Invite(machine, _) => machine.handle_transport_error(),
            Machine::NonInvite(machine) => machine.handle_transport_error(),
        });
    }

    pub(super) fn handle_timeout(&mut self, now: Instant, outputs: &mut VecDeque<Output<P>>) {
        while let Some(id) = self.deadlines.due(now) {
            self.step(now, id, outputs, |machine| match machine {
                Machine::Invite(machine, _) => machine.handle_timeout(now),
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

    fn handle_ack(&mut self, now: Instant, ack: Message, from: P, outputs: &mut VecDeque<Output<P>>) {
        let id = self.key.of_ack(&ack).and_then(|key| self.ids.get(&key).copied());
        let Some(id) = id else {
            outputs.push_back(Output::Event(Event::Ack { message: ack, from }));
            return;
        };
        let mut acknowledges_2xx = false;
        self.step(now, id, outputs, |machine| {
            if let Machine::Invite(machine, _) = machine {
                acknowledges_2xx = machine.handle_ack(now);
            }
        });
        if acknowledges_2xx {
            outputs.push_back(Output::Event(Event::Ack { message: ack, from }));
        }
    }

    /// Answers 200 if there is an INVITE to give up, else 481. RFC 3261 §9.2.
    ///
    /// A CANCEL that matches nothing leaves no state, so that strangers cannot fill the table with them.
    fn handle_cancel(
        &mut self,
        now: Instant,
        cancel: Message,
        from: P,
        reliable: bool,
        outputs: &mut VecDeque<Output<P>>,
    ) {
        let Some(key) = self.key.of_request(&cancel, &Method::Cancel) else { return };
        if let Some(&id) = self.ids.get(&key) {
            return self.repeat(now, id, outputs);
        }
        let Some(invite) = self.cancelled_by(&cancel) else {
            let message = answer(&cancel, StatusCode::CALL_DOES_NOT_EXIST, &stateless_tag(&cancel));
            outputs.push_back(Output::Transmit { message, to: from, owner: Owner::Stateless });
            return;
        };
        let Some(entry) = self.entries.get(&invite) else { return };
        // One CANCEL for each INVITE, whatever its own CSeq.
        let key = entry.keys.first().map_or(key, |invite| self.key.of_cancel(invite, key));
        if let Some(&id) = self.ids.get(&key) {
            return self.repeat(now, id, outputs);
        }
        let (to_tag, proceeding) = (entry.to_tag.clone(), entry.is_proceeding_invite());
        let ok = answer(&cancel, StatusCode::OK, &to_tag.unwrap_or_else(|| stateless_tag(&cancel).into()));
        let machine = Machine::NonInvite(ServerNonInvite::new(self.timers, reliable));
        let id = self.insert(machine, vec![key], None, from, true);
        self.respond(now, id, ok, outputs);
        if proceeding {
            outputs.push_back(Output::Event(Event::Cancel { invite, message: cancel }));
        }
    }

    /// The INVITE that a CANCEL gives up.
    fn cancelled_by(&self, cancel: &Message) -> Option<ServerId> {
        let newest = || self.ids.get(&self.key.newest(cancel)?);
        self.ids.get(&self.key.of_request(cancel, &Method::Invite)?).or_else(newest).copied()
    }

    fn begin(
        &mut self,
        now: Instant,
        key: ServerKey,
        request: Message,
        from: P,
        reliable: bool,
        outputs: &mut VecDeque<Output<P>>,
    ) {
        let (machine, keys) = match request.method() {
            Some(Method::Invite) => {
                let machine = ServerInvite::new(now, self.timers, reliable);
                let keys = [Some(key), self.key.newest(&request)].into_iter().flatten().collect();
                (Machine::Invite(machine, Some(request.clone())), keys)
            }
            _ => (Machine::NonInvite(ServerNonInvite::new(self.timers, reliable)), vec![key]),
        };
        let merge = self.key.merge(&request);
        let merged = merge.is_some_and(|merge| self.merges.contains_key(&merge));
        let id = self.insert(machine, keys, merge, from.clone(), false);
        outputs.push_back(Output::Event(Event::Request { id, message: request, from, merged }));
        self.step(now, id, outputs, |_| {});
    }

    fn insert(
        &mut self,
        machine: Machine,
        keys: Vec<ServerKey>,
        merge: Option<MergeKey>,
        from: P,
        internal: bool,
    ) -> ServerId {
        self.last_id += 1;
        let id = ServerId(self.last_id);
        if let Some(merge) = merge {
            *self.merges.entry(merge).or_default() += 1;
        }
        self.ids.extend(keys.iter().map(|key| (*key, id)));
        let entry = Entry { machine, keys, merge, from, to_tag: None, internal, deadline: None };
        self.entries.insert(id, Box::new(entry));
        id
    }

    fn repeat(&mut self, now: Instant, id: ServerId, outputs: &mut VecDeque<Output<P>>) {
        self.step(now, id, outputs, |machine| match machine {
            Machine::Invite(machine, _) => machine.handle_invite(),
            Machine::NonInvite(machine) => machine.handle_request(),
        });
    }

    /// Does one thing to one transaction, passes on what it puts out, and notes its next deadline or its end.
    fn step(
        &mut self,
        now: Instant,
        id: ServerId,
        outputs: &mut VecDeque<Output<P>>,
        act: impl FnOnce(&mut Machine),
    ) {
        let Some(entry) = self.entries.get_mut(&id) else { return };
        act(&mut entry.machine);
        entry.drain(now, id, outputs);
        entry.pack();
        let (deadline, terminated) = entry.outlook();
        self.deadlines.schedule(id, &mut entry.deadline, deadline);
        if terminated {
            let internal = entry.internal;
            self.remove(id);
            if !internal {
                outputs.push_back(Output::Event(Event::ServerEnded { id }));
            }
        }
    }

    fn remove(&mut self, id: ServerId) {
        let Some(entry) = self.entries.remove(&id) else { return };
        for key in &entry.keys {
            if self.ids.get(key) == Some(&id) {
                self.ids.remove(key);
            }
        }
        self.release(entry.merge);
    }

    /// A transaction is not ongoing any more. RFC 3261 §8.2.2.2.
    fn release(&mut self, merge: Option<MergeKey>) {
        let Some(merge) = merge else { return };
        let Some(count) = self.merges.get_mut(&merge) else { return };
        *count = count.saturating_sub(1);
        if *count == 0 {
            self.merges.remove(&merge);
        }
    }
}

impl<P: Clone> Entry<P> {
    fn drain(&mut self, now: Instant, id: ServerId, outputs: &mut VecDeque<Output<P>>) {
        let owner = Owner::Server(id);
        let transmit = |kept: Kept| {
            kept.message().map(|message| Output::Transmit { message, to: self.from.clone(), owner })
        };
        match &mut self.machine {
            Machine::Invite(machine, invite) => {
                while let Some(output) = machine.poll_output() {
                    outputs.extend(match output {
                        ServerInviteOutput::Transmit(response) => transmit(response),
                        ServerInviteOutput::NoAck => Some(Output::Event(Event::NoAck { id })),
                        ServerInviteOutput::TransportError => {
                            Some(Output::Event(Event::ServerTransport { id }))
                        }
                        ServerInviteOutput::Trying => {
                            if let Some(invite) = invite.take() {
                                machine.respond(now, Class::Provisional, trying(&invite).into());
                            }
                            None
                        }
                    });
                }
            }
            Machine::NonInvite(machine) => {
                while let Some(output) = machine.poll_output() {
                    outputs.extend(match output {
                        ServerNonInviteOutput::Transmit(response) => transmit(response),
                        ServerNonInviteOutput::TransportError if self.internal => None,
                        ServerNonInviteOutput::TransportError => {
                            Some(Output::Event(Event::ServerTransport { id }))
                        }
                    });
                }
            }
        }
    }

    /// Once it has its final answer it is kept for repeats alone.
    fn pack(&mut self) {
        match &mut self.machine {
            Machine::Invite(machine, _) => machine.pack(Kept::pack),
            Machine::NonInvite(machine) => machine.pack(Kept::pack),
        }
    }

    fn outlook(&self) -> (Option<Instant>, bool) {
        match &self.machine {
            Machine::Invite(machine, _) => (machine.poll_timeout(), machine.is_terminated()),
            Machine::NonInvite(machine) => (machine.poll_timeout(), machine.is_terminated()),
        }
    }

    fn is_proceeding_invite(&self) -> bool {
        matches!(&self.machine, Machine::Invite(machine, _) if machine.is_proceeding())
    }
}

fn trying(invite: &Message) -> Message {
    Builder::reply(invite, StatusCode::TRYING, StatusCode::TRYING.default_reason(), None).build()
}

fn answer(request: &Message, status: StatusCode, to_tag: &str) -> Message {
    Builder::reply(request, status, status.default_reason(), Some(to_tag)).build()
}

/// A To tag for an answer that keeps no state: the same for every copy of the request. RFC 3261 §8.2.7.
fn stateless_tag(request: &Message) -> String {
    let mut hasher = DefaultHasher::new();
    request.call_id().unwrap_or_default().hash(&mut hasher);
    request.branch().hash(&mut hasher);
    format!("{:016x}", hasher.finish())
}
