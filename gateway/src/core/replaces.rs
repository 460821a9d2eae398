//! An INVITE with Replaces: whose it is, which dialog it names, and whether its sender may have that place. RFC 3891.

use std::sync::Arc;

use sip::dialog::Dialog;
use sip::header::Replaces;
use sip::text::phrase;
use sip::{Message, Name};

use super::asked::Asked;
use super::{CallKey, Core, Live};
use crate::admit::{self, Origin};
use crate::call::{Event, Leg, LegRef, Newcomer, Place, Profile, heard};
use crate::clock::Now;
use crate::peer::{Party, Peer};
use crate::reply::Cause;
use crate::why::Crossed;

impl Core {
    /// Somebody wants to take a place in a call, instead of a call of its own. Its digest has been looked at.
    pub(super) fn take_place(&mut self, now: Now, live: &Live, asked: &Asked, origin: &Origin) {
        match admit::newcomer(&live.config, origin, &asked.facts) {
            Ok(None) => {}
            Ok(Some(challenge)) => return self.challenge(now, live, asked, challenge.stale),
            Err(refusal) => return self.refuse(now, asked, &refusal),
        }
        let place = self.place(now, &asked.message, &origin.party());
        match place.and_then(|(key, leg, place)| Ok((key, self.newcomer(live, asked, origin, leg, place)?))) {
            Ok((key, newcomer)) => {
                if let Some(transaction_id) = self.tells_of_call(now, key) {
                    tracing::info!(
                        %transaction_id,
                        call_id = phrase(asked.message.call_id().unwrap_or_default()),
                        party = %origin.party(),
                        "a place is asked for by Replaces"
                    );
                }
                self.servers.insert(asked.server, key);
                self.crossed(now, key, Crossed::Received(&asked.from.source), &asked.message);
                self.event(now, key, Event::Newcomer(Box::new(newcomer)));
            }
            Err(cause) => self.turn_away(now, asked, &cause),
        }
    }

    /// The place that Replaces names, where `party` may take it: it has it itself, or was asked to by who has it and talks there.
    fn place(&self, now: Now, message: &Message, party: &Party) -> Result<(CallKey, LegRef, Place), Cause> {
        let values: Vec<_> = message.lines(Name::Replaces).collect();
        let [value] = values.as_slice() else { return Err(Cause::new(400, "Not one Replaces")) };
        let replaces =
            Replaces::parse(value).map_err(|fault| Cause::new(400, format!("Replaces: {fault}")))?;
        if message.has(Name::Join) {
            return Err(Cause::new(400, "Replaces and Join"));
        }
        let none = || Cause::new(481, "Replaces names no dialog");
        let (key, leg) = *self.tags.get(replaces.to_tag.as_str()).ok_or_else(none)?;
        let place = self.calls.get(&key).ok_or_else(none)?.call.place(leg, &replaces)?;
        let asked = |by: &Party| !place.rings && self.shared.grants.hold(now, by, party, &replaces);
        let granted = |by: &Party| by == party || asked(by);
        match place.party.as_ref().is_some_and(granted) {
            true => Ok((key, leg, place)),
            false => Err(Cause::new(403, "Not a dialog of yours")),
        }
    }

    fn newcomer(
        &mut self,
        live: &Live,
        asked: &Asked,
        origin: &Origin,
        leg: LegRef,
        place: Place,
    ) -> Result<Newcomer, Cause> {
        let (source, party) = (asked.from.source, origin.party());
        let profile = live.profiles.of(&party, source.transport);
        let local = self.locals.by(source.listener, source.remote.ip(), Some(source.local.ip()));
        let (Some(local), Some(profile)) = (local, profile) else {
            return Err(Cause::new(503, "The listener is not configured any more"));
        };
        let local = local.named(origin.peer().contact.as_ref());
        let profile = match asked.facts.privacy {
            true => Arc::new(Profile { hidden: true, ..Profile::clone(&profile) }),
            false => profile,
        };
        let login = match origin {
            Origin::Connector(_) => None,
            Origin::Carrier(carrier) => live.carriers.get(carrier.name.as_str()).cloned(),
        };
        let invite = heard(&asked.message, origin.peer()).unwrap_or_else(|| asked.message.clone());
        let dialog = Dialog::uas(&invite, &self.tokens.tag())
            .map_err(|error| Cause::new(error.status().code(), error.to_string()))?;
        let flow = Peer { remote: source.remote, party: Some(party), ..asked.from.peer.clone() };
        let mut leg_of = Leg::new(dialog, flow, local, profile);
        leg_of.contact_user = place.contact_user;
        leg_of.heard(&invite);
        Ok(Newcomer { place: leg, leg: leg_of, login, server: asked.server, invite })
    }
}
