//! An INVITE that asks for no call but for a recording session: whose it is, and who is recorded. RFC 7866, and network-based
//! recording as session border controllers of others fork it.

use std::sync::Arc;

use config::{NumberRole, VoiceConnector};
use sip::siprec::{self, Metadata};
use sip::text::{as_phrase, phrase, word};
use sip::{Message, Name, Uri};
use smol_str::{SmolStr, ToSmolStr};

use super::asked::Asked;
use super::parties::user_of;
use super::{CallKey, Core, Live, Slot, sound};
use crate::admit::{self, Refusal};
use crate::call::{Body, Call, NewRecording, heard};
use crate::clock::Now;
use crate::drains::Part;
use crate::limits::Permit;
use crate::number::Dialect;
use crate::peer::{Party, Peer};
use crate::record::Account;
use crate::reply::Cause;
use crate::why::Crossed;

/// Says that an INVITE brings a recording, as a header or as a parameter of the Request-URI: network-based recording.
const RECORD_ONLY: &str = "X-Voice-Connector-Record-Only";

/// Whether an INVITE asks for a recording session.
pub(super) fn asks_to_record(message: &Message) -> bool {
    let demands = |tag: &str| tag.eq_ignore_ascii_case(siprec::OPTION_TAG);
    let is_true = |value: &str| value.trim().eq_ignore_ascii_case("true");
    message.values(Name::Require).any(|tag| demands(&tag))
        || message.value(Name::from(RECORD_ONLY)).is_some_and(|value| is_true(&value))
        || match message.target() {
            Ok(Uri::Sip(uri)) => uri.params.value(RECORD_ONLY).is_some_and(is_true),
            _ => false,
        }
}

impl Core {
    /// A system of `connector`'s asks for a recording session. Its digest has been looked at.
    pub(super) fn record(
        &mut self,
        now: Now,
        live: &Live,
        asked: &Asked,
        connector: &Arc<VoiceConnector>,
        body: Result<Body, Cause>,
    ) {
        let user = match admit::recorder(&live.config, connector, &asked.facts) {
            Ok(Ok(user)) => user,
            Ok(Err(challenge)) => return self.challenge(now, live, asked, challenge.stale),
            Err(refusal) => return self.refuse(now, asked, &refusal),
        };
        if let Some(cause) = self.closed(false) {
            return self.turn_away(now, asked, &cause);
        }
        let part = Part::Connector(connector.id.to_string());
        if self.shared.drains.parts().contains(&part) {
            return self.refuse(now, asked, &Refusal::Draining { what: part.to_string() });
        }
        let body = match body {
            Ok(body) => body,
            Err(cause) => return self.turn_away(now, asked, &cause),
        };
        let permits = match self.shared.limits.recording(connector, self.shared.media.calls, now.unix) {
            Ok(permits) => permits,
            Err(refusal) => return self.refuse(now, asked, &refusal),
        };
        let (metadata, fault) = match Metadata::of(&asked.message) {
            Some(Ok(metadata)) => (metadata, None),
            // Whatever is wrong with it, what is said is recorded.
            Some(Err(error)) => (Metadata::default(), Some(error)),
            None => (Metadata::default(), None),
        };
        let account = account(connector, asked, &body, &metadata, user);
        self.next_call += 1;
        let key = CallKey(self.next_call);
        let transaction_id = self.transaction_id();
        tracing::info!(
            %transaction_id,
            call_id = phrase(asked.message.call_id().unwrap_or_default()),
            connector = asked.connector(),
            participants = metadata.participants.len(),
            metadata = fault.as_ref().map(tracing::field::display),
            "recording session begins"
        );
        match self.recording(
            live,
            asked,
            connector,
            NewParts { key, transaction_id, body, metadata, account },
        ) {
            Ok(new) => self.begin_recording(now, key, asked, new, permits),
            Err(cause) => self.turn_away(now, asked, &cause),
        }
    }

    fn recording(
        &mut self,
        live: &Live,
        asked: &Asked,
        connector: &Arc<VoiceConnector>,
        parts: NewParts,
    ) -> Result<NewRecording, Cause> {
        let NewParts { key, transaction_id, body, metadata, account } = parts;
        let source = asked.from.source;
        let party = Party::VoiceConnector(connector.id.as_str().into());
        let profile = live.profiles.of(&party, source.transport);
        let local = self.locals.by(source.listener, source.remote.ip(), Some(source.local.ip()));
        let (Some(local), Some(profile)) = (local, profile) else {
            return Err(Cause::new(503, "The listener is not configured any more"));
        };
        Ok(NewRecording {
            transaction_id,
            invite: heard(&asked.message, &connector.peer).unwrap_or_else(|| asked.message.clone()),
            body,
            server: asked.server,
            flow: Peer { remote: source.remote, party: Some(party), ..asked.from.peer.clone() },
            local_tag: self.tokens.tag(),
            local: local.named(connector.peer.contact.as_ref()),
            profile,
            account,
            metadata,
            media: key.media(),
            max_duration: connector.termination.max_duration,
        })
    }

    fn begin_recording(
        &mut self,
        now: Now,
        key: CallKey,
        asked: &Asked,
        new: NewRecording,
        permits: [Permit; 2],
    ) {
        let connector = asked.connector().unwrap_or_default();
        let streamed = sound::invite(&self.live.config, connector, &asked.message, Some(&new.body));
        let permits = self.open_permits(&new.account, permits);
        match Call::record(now, new, &mut self.tokens) {
            Ok(call) => {
                self.shared.call_began();
                let mut slot = Slot::new(now, call, permits);
                slot.invite = Some(asked.server);
                slot.keep_invite(streamed);
                self.calls.insert(key, slot);
                self.servers.insert(asked.server, key);
                self.crossed(now, key, Crossed::Received(&asked.from.source), &asked.message);
                self.drain(now, key);
            }
            Err(cause) => self.turn_away(now, asked, &cause),
        }
    }
}

/// What a recording session is made of beside its INVITE.
struct NewParts {
    key: CallKey,
    transaction_id: uuid::Uuid,
    body: Body,
    metadata: Metadata,
    account: Account,
}

/// Who is recorded: whose voice the first and the second stream have; where the metadata does not say, who the INVITE is from and
/// whom it calls.
fn account(
    connector: &VoiceConnector,
    asked: &Asked,
    body: &Body,
    metadata: &Metadata,
    user: Option<String>,
) -> Account {
    let streams: Vec<_> = body.relayed_streams().collect();
    let speaker = |index: usize| {
        let label = streams.get(index)?.label.as_deref()?;
        let uri = Uri::parse(metadata.speaker(label)?.aor()?).ok()?;
        user_of(&uri)
    };
    let from = || asked.facts.from.clone().unwrap_or_default();
    let caller = speaker(0).unwrap_or_else(from);
    let callee = speaker(1).unwrap_or_else(|| asked.facts.user.clone());
    let dialect = Dialect::from_connector(connector);
    let country = |role, user: &str| {
        let number = dialect.read(role, user)?;
        crate::number::country(&number).map(|country| country.to_smolstr())
    };
    Account {
        caller_country: country(NumberRole::Caller, &caller),
        callee_country: country(NumberRole::Called, &callee),
        caller: as_phrase(&word(&caller)).into(),
        callee: as_phrase(&word(&callee)).into(),
        outbound: Some(connector.id.as_str().into()),
        sip_auth_user: user.as_deref().map(SmolStr::from),
        recording: true,
        ..Account::default()
    }
}
