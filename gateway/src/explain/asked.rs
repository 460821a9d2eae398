//! The INVITE of a question, read by the code that reads those of calls.

use std::net::{Ipv4Addr, SocketAddr};

use config::{Config, Peer, RuleDirection};
use sip::uri::escape_user;
use sip::{Builder, Message, Method, Name};

use super::{ExplainedStep, Question};
use crate::admit::{Digest, Facts, OfferedMedia, Origin, source};
use crate::call::heard;
use crate::peer::{ListenerId, Source};

/// What admission looks at, and what is taken for granted or was changed by rules.
pub(super) fn facts(config: &Config, question: &Question) -> (Facts, Vec<ExplainedStep>) {
    let from = Source {
        transport: question.transport,
        listener: ListenerId(0),
        local: SocketAddr::from((Ipv4Addr::LOCALHOST, 5060)),
        remote: SocketAddr::new(question.source, 5060),
        connection: None,
        secured: None,
    };
    let invite = invite(config, question);
    let mut facts = crate::core::facts(&invite, &from);
    let mut steps = Vec::new();
    let Ok(origin) = source(config, &facts).outcome else { return (facts, steps) };
    if let Some(heard) = heard(&invite, origin.peer()) {
        facts = crate::core::facts(&heard, &from);
        let whose = match &origin {
            Origin::Connector(connector) => format!("voice connector {}", connector.id),
            Origin::Carrier(carrier) => format!("carrier {}", carrier.name),
        };
        steps.extend(header_rules(&whose, origin.peer(), RuleDirection::From));
    }
    let whose = match &origin {
        Origin::Connector(connector) => connector.id.as_str(),
        Origin::Carrier(carrier) => carrier.name.as_str(),
    };
    steps.extend(response_rules(whose, origin.peer(), RuleDirection::To));
    if let Origin::Connector(connector) = origin {
        facts.media = if connector.encryption { OfferedMedia::Srtp } else { OfferedMedia::Plain };
        steps.push(ExplainedStep::Assumed("the offer is what the voice connector takes"));
        if let Some(user) = connector.termination.credentials.first() {
            facts.digest = Digest::Verified(user.username.clone());
            steps.push(ExplainedStep::Assumed("the caller answers the digest challenge rightly"));
        }
    }
    (facts, steps)
}

/// The header rules of a side that hold in one direction.
pub(super) fn header_rules<'p>(
    whose: &'p str,
    speech: &'p Peer,
    direction: RuleDirection,
) -> impl Iterator<Item = ExplainedStep> + 'p {
    let rules = speech.header_rules.iter().filter(move |rule| rule.direction == direction);
    rules.map(move |rule| ExplainedStep::HeaderRule { whose: whose.to_owned(), rule: rule.clone() })
}

/// The response rules of a side that hold in one direction.
pub(super) fn response_rules<'p>(
    whose: &'p str,
    speech: &'p Peer,
    direction: RuleDirection,
) -> impl Iterator<Item = ExplainedStep> + 'p {
    let rules = speech.response_rules.iter().filter(move |rule| rule.direction == direction);
    rules.map(move |rule| ExplainedStep::ResponseRule { whose: whose.to_owned(), rule: *rule })
}

fn invite(config: &Config, question: &Question) -> Message {
    let domain = &config.gateway.domain;
    let host = match &question.connector {
        Some(id) => format!("{id}.{domain}"),
        None => domain.clone(),
    };
    let at = |user: &str, host: &str| match user {
        "" => format!("sip:{host}"),
        user => format!("sip:{}@{host}", escape_user(user)),
    };
    let mut invite = Builder::request(Method::Invite, &at(&question.to, &host))
        .header(Name::From, format!("<{}>;tag=asked", at(&question.from, domain)));
    for (name, users) in
        [(Name::PAssertedIdentity, &question.asserted), (Name::Diversion, &question.diversion)]
    {
        for user in users {
            invite = invite.header(name.clone(), format!("<{}>", at(user, domain)));
        }
    }
    invite.build()
}
