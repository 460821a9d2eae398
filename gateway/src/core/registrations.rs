//! Our registrations with carriers: one at each host, since calls may go by any of them, and each must know us. The first
//! shard keeps them all.

mod lines;

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::Instant;

use sip::registration::{ClientFailure, ClientOutput, Login};
use sip::{Builder, Message, Method, Name};

use super::flow::Flow;
use super::{Client, Core, Output, Query, Shared};
use crate::clock::Now;
use crate::metrics::{Page, as_f64};
use crate::peer::{ConnectionId, Party, Peer, Source};
use crate::random::Random;
use crate::registrar::{AtCarrier, Standing};
use crate::reply::ALLOW;
use crate::resolve::ResolveError;
pub(super) use lines::Registrations;
use lines::{Line, Ready, wanted};

/// Which REGISTER of which registration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Asking {
    line: u32,
    cseq: u32,
}

impl Shared {
    /// Writes the families of registrations: ours with carriers, and customers' with us.
    pub fn show_registrations(&self, now: Instant, page: &mut Page) {
        let lines = self.registrar.carriers.all();
        let mut family = |name, value: fn(&AtCarrier) -> f64| {
            let mut series = page.family(name);
            for line in &lines {
                let (host, transport) = (line.shown(), line.host.transport.parameter());
                let labels = [("carrier", &*line.carrier), ("host", &*host), ("transport", transport)];
                series.show(&labels, value(line));
            }
        };
        family("voice_connector_carrier_registered", |line| {
            f64::from(u8::from(matches!(line.standing, Standing::Registered(_))))
        });
        family("voice_connector_carrier_registration_changed_timestamp_seconds", |line| {
            line.since.as_secs_f64()
        });
        let mut contacts = page.family("voice_connector_registered_contacts");
        for (connector, count) in self.registrar.counts(now) {
            let labels = [("voice_connector_id", &*connector), ("region", self.metrics.region())];
            contacts.show(&labels, as_f64(count));
        }
    }
}

impl Core {
    /// The carrier whose registration of ours a message came by.
    pub(super) fn registered_with(&self, source: &Source) -> Option<String> {
        self.shared.registrar.carriers.carrier_at(source).map(|name| name.to_string())
    }

    /// Takes up what a configuration asks for.
    pub(super) fn configure_registrations(&mut self, now: Now) {
        if self.tokens.shard() != 0 {
            return;
        }
        let live = self.live.clone();
        let tokens = &mut self.tokens;
        let mut names: VecDeque<String> = VecDeque::new();
        for _ in 0..2 * wanted(&live.config).count() {
            names.push_back(tokens.tag().into());
        }
        let token = |_: &mut dyn Random| names.pop_front().unwrap_or_default();
        let shown = &self.shared.registrar.carriers;
        self.registrations.configure(now, &live.config, tokens.random(), token, shown);
        self.drain_registrations(now);
    }

    /// Sends what is due.
    pub(super) fn handle_registrations(&mut self, now: Now) {
        let mut ended = Vec::new();
        for line in &mut self.registrations.lines {
            let was = line.flow.is_some();
            line.machine.handle_timeout(now.instant);
            if was && !line.machine.is_registered(now.instant) {
                line.flow = None;
                ended.push((line.carrier.name.to_string(), line.host.clone()));
            }
        }
        for (carrier, host) in ended {
            let standing = Standing::Down("it ended, and could not be refreshed".into());
            self.shared.registrar.carriers.stands(&carrier, &host, standing, now.unix);
        }
        self.drain_registrations(now);
    }

    /// Takes them all back: no call may come any more.
    pub(super) fn stop_registrations(&mut self, now: Now) {
        self.registrations.lines.iter_mut().for_each(|line| line.machine.stop());
        self.drain_registrations(now);
    }

    /// A response to a REGISTER of ours.
    pub(super) fn registration_answered(&mut self, now: Now, asking: Asking, message: &Message, from: Peer) {
        let (random, cnonce) = (self.tokens.random().next_u64(), self.tokens.cnonce());
        let Some(line) = self.registrations.line(asking.line).filter(|line| line.out == Some(asking.cseq))
        else {
            return;
        };
        let Some(status) = message.status().filter(|status| status.is_final()) else { return };
        line.out = None;
        if status.is_success() {
            if let Some(connection) = from.connection {
                self.outputs.push_back(Output::Watch(connection));
            }
            line.flow = Some(from);
        }
        let login = self.live.registrations.get(line.carrier.name.as_str());
        let uri = line.uri();
        let login = login.map(|(user, secret)| Login { user, secret, uri: &uri, cnonce: &cnonce });
        let contact = line.contact.clone();
        line.machine.handle_response(now.instant, message, &contact, login, random);
        self.drain_registrations(now);
    }

    /// A REGISTER of ours brought no response, or never left.
    pub(super) fn registration_lost(&mut self, now: Now, asking: Asking, cause: ClientFailure) {
        let random = self.tokens.random().next_u64();
        let Some(line) = self.registrations.line(asking.line).filter(|line| line.out == Some(asking.cseq))
        else {
            return;
        };
        line.out = None;
        line.machine.handle_failed(now.instant, cause, random);
        self.drain_registrations(now);
    }

    /// The addresses behind a registrar's name.
    pub(super) fn registration_resolved(
        &mut self,
        now: Now,
        number: u32,
        result: Result<Vec<SocketAddr>, ResolveError>,
    ) {
        let random = self.tokens.random().next_u64();
        let Some(line) = self.registrations.line(number) else { return };
        let Some(ready) = line.ready.take() else { return };
        line.addresses = result.unwrap_or_default().into();
        match line.addresses.is_empty() {
            true => line.machine.handle_failed(now.instant, ClientFailure::Transport, random),
            false => self.ask_at(now, number, ready),
        }
        self.drain_registrations(now);
    }

    /// A connection is gone: whoever registered us by it sends no calls any more.
    pub(super) fn registration_flow_lost(&mut self, now: Now, connection: ConnectionId) {
        let by_it =
            |line: &&mut Line| line.flow.as_ref().is_some_and(|flow| flow.connection == Some(connection));
        let mut lost = Vec::new();
        for line in self.registrations.lines.iter_mut().filter(by_it) {
            line.flow = None;
            line.machine.lost(now.instant);
            lost.push((line.carrier.name.to_string(), line.host.clone()));
        }
        for (carrier, host) in lost {
            tracing::warn!(carrier, host = %host.host, "the connection that we registered by is gone");
            let standing = Standing::Down("its connection is gone".into());
            self.shared.registrar.carriers.stands(&carrier, &host, standing, now.unix);
        }
    }

    fn drain_registrations(&mut self, now: Now) {
        // Each Ask is sent, and nothing here tells a machine at once, so that this ends.
        let numbers: Vec<u32> = self.registrations.lines.iter().map(|line| line.number).collect();
        for number in numbers {
            while let Some(output) =
                self.registrations.line(number).and_then(|line| line.machine.poll_output())
            {
                self.registration_wants(now, number, output);
            }
        }
        self.registrations.lines.retain(|line| !line.machine.is_over());
    }

    fn registration_wants(&mut self, now: Now, number: u32, output: ClientOutput) {
        let Some(line) = self.registrations.line(number) else { return };
        let (carrier, host) = (line.carrier.name.to_string(), line.host.clone());
        let shown = self.shared.registrar.carriers.clone();
        match output {
            ClientOutput::Ask { cseq, expires, credentials } => {
                self.ask_registrar(now, number, (cseq, expires, credentials));
            }
            ClientOutput::Registered { new, lasts } => {
                let Some(flow) = line.flow.clone() else { return };
                if new {
                    let seconds = lasts.as_secs();
                    tracing::info!(carrier, host = %host.host, address = %flow.remote, seconds, "registered with a carrier");
                }
                shown.stands(&carrier, &host, Standing::Registered(flow), now.unix);
            }
            ClientOutput::Failed { cause, again } => {
                // The next address of a name is asked at once.
                line.addresses.pop_front();
                let elsewhere = !line.addresses.is_empty();
                if elsewhere {
                    line.machine.renew(now.instant);
                }
                let why = words(cause);
                let seconds = if elsewhere { 0 } else { again.as_secs() };
                let up = line.machine.is_registered(now.instant);
                tracing::warn!(carrier, host = %host.host, cause = why, seconds, "registration with a carrier failed");
                self.shared.metrics.registration_failed(&carrier, label(cause));
                if !up {
                    line.flow = None;
                    shown.stands(&carrier, &host, Standing::Down(why.into()), now.unix);
                }
            }
            ClientOutput::Over => {
                let standing = Standing::Down("taken back".into());
                shown.stands(&carrier, &host, standing, now.unix);
            }
        }
    }

    /// Sends a REGISTER, once there is an address.
    fn ask_registrar(&mut self, now: Now, number: u32, ready: Ready) {
        let Some(line) = self.registrations.line(number) else { return };
        if line.addresses.is_empty() {
            match line.host.literal() {
                Some(address) => line.addresses.push_back(address),
                None => {
                    let lookup = line.host.clone();
                    let waits = line.ready.replace(ready).is_some();
                    if !waits {
                        self.resolve(Query::Registration(number), lookup);
                    }
                    return;
                }
            }
        }
        self.ask_at(now, number, ready);
    }

    fn ask_at(&mut self, now: Now, number: u32, ready: Ready) {
        let (cseq, expires, credentials) = ready;
        let Some(line) = self.registrations.lines.iter().find(|line| line.number == number) else { return };
        let Some(address) = line.addresses.front().copied() else { return };
        let transport = line.host.transport;
        let local = self.locals.towards(transport, address.ip());
        let local = local.map(|local| local.named(line.carrier.peer.contact.as_ref()));
        let branch = self.tokens.branch();
        let Some(line) = self.registrations.line(number) else { return };
        let Some(local) = local else {
            // The configuration has no such listener, which was told at the start.
            line.machine.handle_failed(now.instant, ClientFailure::Transport, u64::MAX);
            return;
        };
        let record = format!("<sip:{}@{}>", line.user(), line.uri().trim_start_matches("sip:"));
        let contact = local.contact(line.user()).to_string();
        line.contact = contact.trim_matches(['<', '>']).to_owned();
        let mut register = Builder::request(Method::Register, &line.uri())
            .shown(Name::Via, local.via(&branch))
            .header(Name::MaxForwards, "70")
            .header(Name::From, format!("{record};tag={}", line.tag))
            .header(Name::To, record)
            .header(Name::CallId, format!("{}@{}", line.call_id, local.host()))
            .header(Name::CSeq, format!("{cseq} REGISTER"))
            .header(Name::Contact, contact)
            .header(Name::Expires, expires.to_string())
            .header(Name::Allow, ALLOW);
        for hop in &line.route {
            register = register.header(Name::Route, hop);
        }
        for (name, value) in credentials {
            register = register.header(name, value);
        }
        for (name, value) in &line.carrier.peer.add_headers {
            register = register.set(name.as_str().into(), value);
        }
        let mut peer = Peer::new(transport, local.listener, address);
        if line.host.literal().is_none() {
            peer.server_name = Some(line.host.host.clone());
        }
        peer.party = Some(Party::Carrier(line.carrier.name.as_str().into()));
        line.out = Some(cseq);
        let id =
            self.transactions.request(now.instant, register.build(), Flow::to(peer), transport.is_reliable());
        self.clients.insert(id, Client::Registration(Asking { line: number, cseq }));
    }
}

/// The label of the counter of failures.
fn label(cause: ClientFailure) -> &'static str {
    match cause {
        ClientFailure::Timeout => "timeout",
        ClientFailure::Transport => "transport",
        ClientFailure::Credentials => "credentials",
        ClientFailure::Refused(_) => "refused",
        ClientFailure::NothingGranted => "nothing_granted",
    }
}

fn words(cause: ClientFailure) -> String {
    match cause {
        ClientFailure::Timeout => "it says nothing".to_owned(),
        ClientFailure::Transport => "it can't be reached".to_owned(),
        ClientFailure::Credentials => "it wants other credentials".to_owned(),
        ClientFailure::Refused(status) => format!("it says {status}"),
        ClientFailure::NothingGranted => "it grants no time".to_owned(),
    }
}
