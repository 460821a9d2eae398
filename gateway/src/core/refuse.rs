//! What becomes of an INVITE that is not admitted: the answer, the count, the record.

use config::{ChallengeStatus, DigestAlgorithm, NumberRole, Termination};
use sip::auth::{Algorithm, Protection};
use sip::text::{as_phrase, phrase};
use sip::{Builder, Method, Name};
use smol_str::{SmolStr, ToSmolStr};

use super::asked::Asked;
use super::fault::Fault;
use super::{Core, Live};
use crate::admit::Refusal;
use crate::call::told;
use crate::clock::Now;
use crate::direction::Direction;
use crate::number::Dialect;
use crate::record::{Account, EndedBy, LegDetail, Settled, Times};
use crate::reply::Cause;

impl Core {
    /// 407, or 401 where the connector says so, with a challenge for each algorithm that its users can answer. No call
    /// yet: no record. Nothing is kept either (RFC 3261 §8.2.7), for some clients never acknowledge it, and some answer it
    /// under the branch and CSeq of the first try.
    pub(super) fn challenge(&mut self, now: Now, live: &Live, asked: &Asked, stale: bool) {
        let (message, connector) = (&asked.message, asked.connector());
        let Some(termination) =
            connector.and_then(|id| live.config.connector(id)).map(|connector| &connector.termination)
        else {
            return;
        };
        let users = connector.and_then(|id| live.users.get(id));
        let secrets: Vec<_> = users
            .into_iter()
            .flat_map(|users| users.iter())
            .flat_map(|(_, secrets)| secrets.iter().cloned())
            .collect();
        let random = self.tokens.random().next_u64().to_be_bytes();
        let source = asked.from.source.remote.ip();
        let algorithms = algorithms(termination);
        let protection = Protection { realm: &live.config.gateway.realm, algorithms: &algorithms };
        let challenges = self.nonces.challenges(now.unix, random, source, protection, &secrets, stale);
        let (status, text, header) = match termination.challenge {
            // A registrar asks for itself: RFC 3261 §10.3 step 3.
            _ if message.method() == Some(Method::Register) => (401, "Unauthorized", Name::WwwAuthenticate),
            ChallengeStatus::Unauthorized => (401, "Unauthorized", Name::WwwAuthenticate),
            ChallengeStatus::ProxyAuthenticationRequired => {
                (407, "Proxy Authentication Required", Name::ProxyAuthenticate)
            }
        };
        let text = if stale { "Credentials are stale" } else { text };
        let tag = self.stateless_tag(message);
        let mut reply = Cause::new(status, text).reply(message, Some(&tag));
        for challenge in challenges {
            reply = reply.header(header.clone(), challenge.to_string());
        }
        let response = reply.build();
        self.log_outside(now, connector, message, &[message, &response]);
        self.tell_outside(now, None, &asked.from.source, message, &response);
        self.explain_challenge(now, asked, &response);
        self.transactions.dismiss(now.instant, asked.server, response);
    }

    /// A refusal of the policy: its verdict says what the peer hears and what is counted.
    pub(super) fn refuse(&mut self, now: Now, asked: &Asked, refusal: &Refusal) {
        let verdict = refusal.verdict();
        self.shared.metrics.refusal(verdict.cause);
        if verdict.throttle
            && let Some((connector, direction)) = &asked.whose
        {
            self.shared.metrics.connector(connector.as_str()).calls(*direction).throttled();
        }
        if verdict.silence {
            self.shared.refused(now, asked.facts.source);
        }
        self.turn_away_for(now, asked, &Cause::from(verdict), Some(refusal));
    }

    /// A fault of the request itself.
    pub(super) fn reject(&mut self, now: Now, asked: &Asked, fault: &Fault) {
        self.shared.metrics.refusal("protocol");
        let reply = fault.reply(&asked.message, &self.tokens.tag());
        self.finish_refusal(now, asked, fault.cause(), None, reply);
    }

    pub(super) fn turn_away(&mut self, now: Now, asked: &Asked, cause: &Cause) {
        self.turn_away_for(now, asked, cause, None);
    }

    fn turn_away_for(&mut self, now: Now, asked: &Asked, cause: &Cause, refusal: Option<&Refusal>) {
        let tag = self.tokens.tag();
        let connector = || asked.connector().and_then(|id| self.live.config.connector(id));
        let speech = match (&asked.carrier, &asked.whose) {
            (Some(carrier), _) => Some(&carrier.peer),
            (None, Some((_, Direction::Outbound))) => connector().map(|connector| &connector.peer),
            (None, _) => None,
        };
        let told = speech.map_or_else(|| cause.clone(), |speech| told(cause, speech));
        let reply = told.reply(&asked.message, Some(&tag));
        self.finish_refusal(now, asked, cause, refusal, reply);
    }

    /// Answers, counts, logs and records a call that never began.
    fn finish_refusal(
        &mut self,
        now: Now,
        asked: &Asked,
        cause: &Cause,
        refusal: Option<&Refusal>,
        reply: Builder,
    ) {
        let Asked { message, facts, .. } = asked;
        let response = reply.build();
        let connector = asked.connector();
        self.log_outside(now, connector, message, &[message, &response]);
        let transaction_id = self.transaction_id();
        self.tell_outside(now, Some(transaction_id), &asked.from.source, message, &response);
        self.explain_refusal(now, asked, cause, refusal, &response, transaction_id);
        self.answer(now, asked.server, response);
        let carrier = asked.carrier.as_ref().map(|carrier| SmolStr::from(carrier.name.as_str()));
        if self.refusal_lines.take(now.instant, facts.source) {
            tracing::info!(
                %transaction_id,
                source = %facts.source,
                connector,
                carrier = carrier.as_deref(),
                call_id = phrase(message.call_id().unwrap_or_default()),
                caller = self.shown(facts.from.as_deref().unwrap_or_default()),
                number = self.shown(&facts.user),
                status = cause.status.code(),
                cause = self.shown(&cause.text),
                "call refused"
            );
        }
        let Some((connector, direction)) = asked.whose.as_ref().filter(|_| asked.for_itself) else { return };
        let calls = self.shared.metrics.connector(connector.as_str());
        calls.calls(*direction).attempt();
        calls.calls(*direction).failed();
        let dialect = match (&asked.carrier, self.live.config.connector(connector.as_str())) {
            (Some(carrier), _) => Some(Dialect::from_carrier(carrier)),
            (None, connector) => connector.map(|connector| Dialect::from_connector(connector)),
        };
        let caller = as_phrase(facts.from.as_deref().unwrap_or_default());
        let country = |role, user: &str| {
            let number = dialect.and_then(|dialect| dialect.read(role, user));
            number.and_then(|number| crate::number::country(&number))
        };
        let callee_country = match asked.numbering {
            Some(numbering) => numbering.country(),
            None => country(NumberRole::Called, &facts.user),
        };
        let mut account = Account {
            caller_country: country(NumberRole::Caller, &caller).map(|country| country.to_smolstr()),
            callee_country: callee_country.map(|country| country.to_smolstr()),
            caller: caller.into(),
            callee: as_phrase(&facts.user).into(),
            emergency: asked.help.is_some(),
            routing_number: asked.help.as_deref().map(SmolStr::from),
            ..Account::default()
        };
        match direction {
            Direction::Outbound => account.outbound = Some(connector.as_str().into()),
            Direction::Inbound => {
                account.inbound = Some(connector.as_str().into());
                account.carrier = carrier;
            }
        }
        let (call_id, from) = (SmolStr::from(message.call_id().unwrap_or_default()), &asked.from.source);
        let mut settled = Settled {
            transaction_id: crate::record::transaction_id(transaction_id),
            account,
            times: Times { started: now.unix, ringing: None, answered: None, ended: Some(now.unix) },
            a_call_id: call_id.clone(),
            b_call_id: call_id,
            cause: cause.clone(),
            notes: Vec::new(),
            carrier: None,
            ended_by: EndedBy::Gateway,
            reason: None,
            attempts: Vec::new(),
            streamed: Vec::new(),
            caller_leg: Some(LegDetail::of(from.remote, from.transport, from.secured)),
            callee_leg: None,
        };
        self.watch_for_unanswered_emergency(now, &settled);
        self.write_refusal(now, connector.as_str(), &mut settled);
    }
}

impl Core {
    /// A peer's word for the log: bounded, without controls, and without subscribers' numbers where the operator wants
    /// none there.
    pub(super) fn shown(&self, text: &str) -> String {
        let text = phrase(text);
        if self.live.config.gateway.mask_numbers { masked(&text) } else { text }
    }
}

/// Subscriber numbers cut to their first digits.
fn masked(text: &str) -> String {
    const SHOWN: usize = 4;
    let mut run = 0;
    let mask = |letter: char| {
        run = if letter.is_ascii_digit() { run + 1 } else { 0 };
        if run > SHOWN { 'x' } else { letter }
    };
    text.chars().map(mask).collect()
}

/// What the users of a connector may prove themselves by, in the order in which it is offered.
pub(super) fn algorithms(termination: &Termination) -> Vec<Algorithm> {
    let algorithm = |configured: &DigestAlgorithm| match configured {
        DigestAlgorithm::Sha512_256 => Algorithm::Sha512_256,
        DigestAlgorithm::Sha256 => Algorithm::Sha256,
        DigestAlgorithm::Md5 => Algorithm::Md5,
    };
    termination.digest_algorithms.iter().map(algorithm).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_cut_in_the_log() {
        assert_eq!(
            masked("403 Caller Id +12065550100 is not valid"),
            "403 Caller Id +1206xxxxxxx is not valid"
        );
        assert_eq!(masked("No route at 192.0.2.30:5060"), "No route at 192.0.2.30:5060");
    }
}
