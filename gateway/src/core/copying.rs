//! Calls whose connector has recording servers, and the sessions that have them recorded: machines beside the calls, which hear of them
//! and are not heard. RFC 7866.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use config::{OnFailure, Srtp, VoiceConnector};
use sip::siprec::{self, Attendance, Flow, Metadata, NameId, Participant, Period, Recorded, Session, Stream};
use sip::uri::escape_user;
use smol_str::SmolStr;

use super::{CallKey, Core, Slot};
use crate::call::{Call, Event, LABELS, NewCopy, Profile, RecordingServer};
use crate::clock::Now;
use crate::media::{Command, MediaKey, Side};
use crate::peer::{Party, Transport};
use crate::question::CallState;
use crate::record::{Account, EndedBy, Settled, rfc3339};
use crate::reply::Cause;
use crate::route::Target;

/// Which call is recorded by which session, until the session is forgotten.
#[derive(Debug, Default)]
pub(super) struct Copies {
    by: HashMap<CallKey, Copy>,
    of: HashMap<CallKey, CallKey>,
    /// Answered calls whose sound is not described to both parties yet: the ACK of a late offer has to come, or the fax to end.
    waiting: HashSet<CallKey>,
}

#[derive(Debug)]
struct Copy {
    session: CallKey,
    /// A call that it does not record is hung up.
    must: bool,
    /// Who holds the other party.
    held: [bool; 2],
    /// Who is connected.
    numbers: [SmolStr; 2],
    /// Its call is over, or has left its party to another one.
    over: bool,
}

impl Copies {
    /// The call that a media session is of.
    pub fn call_of(&self, media: MediaKey) -> CallKey {
        let call = CallKey::from(media);
        let session = self.by.get(&call).filter(|_| media.is_recorder()).map(|copy| copy.session);
        session.unwrap_or(call)
    }

    /// Whether it is no call, but has one recorded.
    pub fn has(&self, session: CallKey) -> bool {
        self.of.contains_key(&session)
    }

    /// Nothing of it is left.
    pub fn forget(&mut self, session: CallKey) {
        self.waiting.remove(&session);
        if let Some(call) = self.of.remove(&session) {
            self.by.remove(&call);
        }
    }
}

impl Core {
    /// A call is answered: it is recorded where its connector has servers for that, from when its sound is described to both.
    pub(super) fn is_to_be_copied(&mut self, now: Now, key: CallKey) {
        self.copies.waiting.insert(key);
        self.begin_copying(now, key);
    }

    /// The caller's servers come before the callee's.
    fn begin_copying(&mut self, now: Now, key: CallKey) {
        let live = self.live.clone();
        let Some(slot) = self.calls.get(&key) else { return };
        let account = slot.call.account();
        let connectors = [&account.outbound, &account.inbound].into_iter().flatten();
        let connector = connectors
            .filter_map(|id| live.config.connector(id))
            .find(|connector| !connector.siprec.server.is_empty());
        let Some(connector) = connector.filter(|_| !self.copies.by.contains_key(&key)) else {
            self.copies.waiting.remove(&key);
            return;
        };
        let must = connector.siprec.on_failure == OnFailure::Refuse && !account.emergency;
        // Fax is not recorded.
        let Some((copied, told)) = slot.call.described_to_both() else {
            if must && slot.call.has_agreed_on_nothing() {
                self.copies.waiting.remove(&key);
                self.told.push_back((key, key, is_not_recorded()));
            }
            return;
        };
        self.copies.waiting.remove(&key);
        let (account, transaction_id) = (account.clone(), slot.call.transaction_id);
        let metadata = self.metadata(now, &account);
        let party = Party::VoiceConnector(connector.id.as_str().into());
        let servers = connector.siprec.server.iter().map(|server| {
            let target = Target::new(server, None);
            let uri = target.request_uri("recorder").to_string();
            RecordingServer { lookup: target.lookup, uri }
        });
        let new = NewCopy {
            transaction_id,
            copied,
            servers: servers.collect(),
            profile: self.recorders_profile(connector),
            party,
            locals: self.locals.clone(),
            told,
            metadata,
        };
        self.next_call += 1;
        let session = CallKey(self.next_call);
        let numbers = [account.caller.clone(), account.callee.clone()];
        self.copies.by.insert(key, Copy { session, must, held: [false; 2], numbers, over: false });
        self.copies.of.insert(session, key);
        let call = Call::copy(now, new, &mut self.tokens);
        self.calls.insert(session, Slot::new(now, call, Default::default()));
        self.drain(now, session);
    }

    /// How recording servers of a connector speak.
    fn recorders_profile(&self, connector: &VoiceConnector) -> Arc<Profile> {
        let party = Party::VoiceConnector(connector.id.as_str().into());
        let own = self.live.profiles.of(&party, Transport::Tls);
        let srtp = if connector.encryption { Srtp::Required } else { Srtp::Off };
        let srtp_suites = own.map(|own| own.srtp_suites.clone()).unwrap_or_default();
        Arc::new(Profile { srtp, srtp_suites, ..Profile::unknown() })
    }

    /// Who the parties of a call are, and whose voice each stream has.
    fn metadata(&mut self, now: Now, account: &Account) -> Metadata {
        let mut id = || {
            let random = self.tokens.random();
            let bytes = u128::from(random.next_u64()) << 64 | u128::from(random.next_u64());
            siprec::id(uuid::Builder::from_random_bytes(bytes.to_be_bytes()).into_uuid().into_bytes())
        };
        let since = Some(rfc3339(now.unix));
        let period = || Period { since: since.clone(), until: None };
        let (session, people, streams) = (id(), [id(), id()], [id(), id()]);
        let name = |user: &SmolStr, name: &Option<SmolStr>| NameId {
            aor: self.aor(user),
            name: name.as_ref().map(ToString::to_string),
        };
        let names =
            [name(&account.caller, &account.caller_name), name(&account.callee, &account.callee_name)];
        let [one, other] = &streams;
        let flows = [(one, other), (other, one)];
        Metadata {
            sessions: vec![Session { id: session.clone(), start: since.clone(), ..Session::default() }],
            recorded: vec![Recorded { session: session.clone(), period: period() }],
            attendances: people
                .iter()
                .map(|participant| Attendance {
                    participant: participant.clone(),
                    session: session.clone(),
                    period: period(),
                })
                .collect(),
            flows: people
                .iter()
                .zip(flows)
                .map(|(participant, (sends, hears))| Flow {
                    participant: participant.clone(),
                    sends: vec![sends.clone()],
                    receives: vec![hears.clone()],
                    period: period(),
                })
                .collect(),
            participants: people
                .iter()
                .zip(names)
                .map(|(id, name)| Participant { id: id.clone(), names: vec![name] })
                .collect(),
            streams: streams
                .iter()
                .zip(LABELS)
                .map(|(id, label)| Stream {
                    id: id.clone(),
                    session: Some(session.clone()),
                    label: Some(label.to_owned()),
                })
                .collect(),
            ..Metadata::default()
        }
    }

    /// A word of a call to the media workers, which who records it may have to know.
    pub(super) fn copy_hears(&mut self, key: CallKey, command: &Command) {
        let Command::Remote { side, remote, .. } = command else { return };
        let Some(copy) = self.copies.by.get_mut(&key) else { return };
        let [a, b] = &mut copy.held;
        let held = match side {
            Side::A => a,
            Side::B => b,
        };
        if std::mem::replace(held, remote.on_hold) != remote.on_hold {
            let event = Event::Held { side: *side, held: remote.on_hold };
            let session = copy.session;
            self.told.push_back((key, session, event));
        }
    }

    /// A call has moved: perhaps its sound is described now, or somebody else is connected, or a party has gone to another call,
    /// which is recorded by itself.
    pub(super) fn copied_moved(&mut self, now: Now, key: CallKey) {
        if self.copies.waiting.contains(&key) {
            self.begin_copying(now, key);
        }
        let Some(copy) = self.copies.by.get_mut(&key) else { return };
        let Some(slot) = self.calls.get(&key) else { return };
        if slot.call.state() == CallState::Handed {
            return self.copied_is_over(key);
        }
        let Some(now) = slot.call.connected() else { return };
        let before = std::mem::replace(&mut copy.numbers, now.clone());
        let session = copy.session;
        for (side, (before, now)) in [Side::A, Side::B].into_iter().zip(before.iter().zip(&now)) {
            if before != now {
                let aor = self.aor(now);
                self.told.push_back((key, session, Event::Comes { side, aor }));
            }
        }
    }

    fn aor(&self, number: &str) -> String {
        format!("sip:{}@{}", escape_user(number), self.live.config.gateway.domain)
    }

    /// A call is over, and so is its recording.
    pub(super) fn copied_is_over(&mut self, key: CallKey) {
        if let Some(copy) = self.copies.by.get_mut(&key).filter(|copy| !copy.over) {
            copy.over = true;
            let cause = Cause::new(200, "The call is over");
            self.told.push_back((key, copy.session, Event::HangUp { cause, by: EndedBy::Gateway }));
        }
    }

    /// A recording is over: with its call, or since no server records it.
    pub(super) fn copy_is_over(&mut self, session: CallKey, settled: &Settled) {
        let Some(call) = self.copies.of.get(&session).copied() else { return };
        let must = self.copies.by.get(&call).is_some_and(|copy| copy.must);
        if settled.cause.status.is_success() {
            return;
        }
        tracing::warn!(
            transaction_id = %settled.transaction_id,
            cause = self.shown(&settled.cause.text),
            "a call is not recorded"
        );
        if must {
            self.told.push_back((session, call, is_not_recorded()));
        }
    }
}

/// Its operator wants no call without a recording.
fn is_not_recorded() -> Event {
    Event::HangUp { cause: Cause::new(503, "The call can't be recorded"), by: EndedBy::Gateway }
}
