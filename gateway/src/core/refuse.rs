//! What becomes of an INVITE that is not admitted: the answer, the count, the record.

use config::ConnectorId;
use sip::text::phrase;
use sip::transaction::ServerId;
use sip::{Builder, Message, Name};

use super::fault::Fault;
use super::{Core, Live, Now};
use crate::admit::{Decision, Facts, Refusal};
use crate::call::{Account, Cause, Settled, Times};
use crate::record::{Direction, EndedBy};

impl Core {
    /// 407 with a challenge for each algorithm that the connector's users can answer. No call yet: no record.
    pub(super) fn challenge(
        &mut self,
        now: Now,
        live: &Live,
        server: ServerId,
        message: &Message,
        decision: &Decision,
        stale: bool,
    ) {
        let users = decision.connector.as_ref().and_then(|id| live.users.get(id.as_str()));
        let secrets: Vec<_> =
            users.into_iter().flatten().flat_map(|(_, secrets)| secrets.iter().cloned()).collect();
        let random = self.tokens.random().next_u64().to_be_bytes();
        let realm = live.config.gateway.realm.as_str();
        let source = self.arrived.remote.ip();
        let challenges = self.nonces.challenges(now.unix, random, source, realm, &secrets, stale);
        let text = if stale { "Credentials are stale" } else { "Proxy Authentication Required" };
        let tag = self.tokens.tag();
        let mut reply = Cause::new(407, text).reply(message, Some(&tag));
        for challenge in challenges {
            reply = reply.header(Name::ProxyAuthenticate, challenge.to_string());
        }
        let response = reply.build();
        let connector = decision.connector.as_ref().map(|id| id.as_str());
        self.log_outside(now, connector, message, &[message, &response]);
        self.transactions.respond(now.instant, server, response);
    }

    /// A refusal of the policy: its verdict says what the peer hears and what is counted.
    pub(super) fn refuse(
        &mut self,
        now: Now,
        server: ServerId,
        message: &Message,
        facts: &Facts,
        decision: &Decision,
        refusal: &Refusal,
    ) {
        let verdict = refusal.verdict();
        self.shared.metrics.refusal(verdict.cause);
        if verdict.throttle
            && let (Some(connector), Some(direction)) = (&decision.connector, decision.direction)
        {
            self.shared.metrics.connector(connector.as_str()).calls(direction).throttled();
        }
        if verdict.silence {
            self.shared.refused(now, facts.source);
        }
        self.turn_away(now, server, message, facts, decision, &Cause::from(verdict));
    }

    /// A fault of the request itself.
    pub(super) fn reject(
        &mut self,
        now: Now,
        server: ServerId,
        message: &Message,
        facts: &Facts,
        connector: Option<&ConnectorId>,
        fault: Fault,
    ) {
        self.shared.metrics.refusal("protocol");
        let reply = fault.reply(message, &self.tokens.tag());
        let whose = connector.map(|id| (id.clone(), Direction::Outbound));
        self.finish_refusal(now, server, message, facts, whose, fault.cause(), reply);
    }

    pub(super) fn turn_away(
        &mut self,
        now: Now,
        server: ServerId,
        message: &Message,
        facts: &Facts,
        decision: &Decision,
        cause: &Cause,
    ) {
        let tag = self.tokens.tag();
        let reply = cause.reply(message, Some(&tag));
        let whose = decision.connector.clone().zip(decision.direction);
        self.finish_refusal(now, server, message, facts, whose, cause, reply);
    }

    /// Answers, counts, logs and records a call that never began.
    ///
    /// - `whose`: the connector that it is recorded for, where it is known and the source is listed.
    #[expect(clippy::too_many_arguments, reason = "one step of one path, cut out for its length")]
    fn finish_refusal(
        &mut self,
        now: Now,
        server: ServerId,
        message: &Message,
        facts: &Facts,
        whose: Option<(ConnectorId, Direction)>,
        cause: &Cause,
        reply: Builder,
    ) {
        let response = reply.build();
        let connector = whose.as_ref().map(|(id, _)| id.as_str());
        self.log_outside(now, connector, message, &[message, &response]);
        self.transactions.respond(now.instant, server, response);
        tracing::info!(
            source = %facts.source,
            connector,
            status = cause.status.code(),
            cause = %masked(&cause.text),
            "call refused"
        );
        let Some((connector, direction)) = whose else { return };
        let calls = self.shared.metrics.connector(connector.as_str());
        calls.calls(direction).attempt();
        calls.calls(direction).failed();
        let number = |user: &str| crate::number::dialled_number(user);
        let caller = phrase(facts.from.as_deref().unwrap_or_default());
        let country = |user: &str| number(user).and_then(|number| crate::number::country(&number));
        let mut account = Account {
            caller_country: country(&caller).map(|country| country.to_string()),
            callee_country: country(&facts.user).map(|country| country.to_string()),
            caller,
            callee: phrase(&facts.user),
            ..Account::default()
        };
        match direction {
            Direction::Outbound => account.outbound = Some(connector.to_string()),
            Direction::Inbound => account.inbound = Some(connector.to_string()),
        }
        let call_id = message.call_id().unwrap_or_default().to_owned();
        let settled = Settled {
            transaction_id: self.transaction_id(),
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
        };
        self.write_refusal(now, connector.as_str(), &settled);
    }
}

/// Text for the log, subscriber numbers cut to their first digits.
pub(super) fn masked(text: &str) -> String {
    const SHOWN: usize = 4;
    let mut run = 0;
    let mask = |letter: char| {
        run = if letter.is_ascii_digit() { run + 1 } else { 0 };
        if run > SHOWN { 'x' } else { letter }
    };
    text.chars().map(mask).collect()
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
