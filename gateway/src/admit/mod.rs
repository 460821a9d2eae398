//! Who may call: the policy, pure and explained.
//!
//! Nothing here waits, reads a clock, counts or draws: the same [`Facts`] under the same configuration always
//! give the same [`Decision`]. Every function returns the steps that it took; the SIP answer and its `Reason`,
//! the log line, the record's status message and `voice-connector explain` are all made of them.
//!
//! The order on a new INVITE, and who calls what:
//!
//! 1. [`source()`]: whose allowlist holds the source, whether its connector may call at all, and over this
//!    transport. Then the caller's own protocol checks (method, scheme, Max-Forwards, Require, body).
//! 2. [`decide()`]: digest, emergency, caller ID, calling plan; or the number's owner for
//!    a call from a carrier.
//! 3. [`crate::limits::Limits::call`], [`crate::route::route()`], and for each attempt
//!    [`crate::limits::Limits::attempt`]: the limits alone have state.
//!
//! Requests that start no call (OPTIONS) need only [`identify()`], REGISTER [`registering()`] and [`registrant()`], who takes
//! a place in a call [`newcomer()`], who sends a recording session [`recorder()`]. A target that a peer hands us (3xx
//! Contact, Refer-To) goes through [`admit_target()`].
//!
//! Any doubt refuses.

mod allowlists;
mod caller;
mod decision;
mod digest;
mod emergency;
mod facts;
mod inbound;
mod plan;
mod refusal;
mod registration;
mod source;
mod step;

use std::borrow::Cow;

use config::{Config, ConnectorId, NumberRole, VoiceConnector};

use crate::direction::Direction;
use crate::number::Dialect;

pub use allowlists::Allowlists;
pub use caller::{Caller, CallerSource, calling_name};
pub use decision::{Admitted, Challenge, Decision, Destination, EmergencyCall, Origin, Outcome};
pub use facts::{Digest, Facts, OfferedMedia};
pub use refusal::{DRAINED_AFTER, Refusal, Verdict};
pub use registration::{may_register_as, newcomer, recorder, registering, registrant};
pub use source::{Identified, identify, source};
pub use step::{ConnectorBy, DigestStep, Listed, Step};

/// Decides whether a call is taken, in the order of the design: source, digest, emergency, caller ID, calling
/// plan. Limits come after, with [`crate::limits::Limits`].
///
/// Source: design §4.
pub fn admit(config: &Config, facts: &Facts) -> Decision {
    decide(config, facts, source(config, facts))
}

/// [`admit()`], of whom [`source()`] has identified.
pub fn decide(config: &Config, facts: &Facts, identified: Identified) -> Decision {
    let Identified { mut steps, connector, outcome } = identified;
    let origin = match outcome {
        Ok(origin) => origin,
        Err(refusal) => {
            let direction = connector.is_some().then_some(Direction::Outbound);
            return Decision { steps, connector, direction, outcome: Outcome::Refuse(refusal) };
        }
    };
    match &origin {
        Origin::Carrier(carrier) => inbound::admit(config, carrier, facts, steps),
        Origin::Connector(from) => {
            let outcome = match source::encrypted_media(from, facts, &mut steps)
                .and_then(|()| digest::check(config, from, facts, &mut steps))
            {
                Err(refusal) => Outcome::Refuse(refusal),
                Ok(digest::Passed::Challenge(challenge)) => Outcome::Challenge(challenge),
                Ok(digest::Passed::Yes { user }) => outbound(config, from, facts, user, &mut steps),
            };
            Decision { steps, connector, direction: Some(Direction::Outbound), outcome }
        }
    }
}

/// Whether emergency digits of its connector are dialled, so that a call goes before others, whoever it comes from.
/// Credentials are not asked.
pub fn asks_for_help(config: &Config, facts: &Facts) -> bool {
    source(config, facts).outcome.is_ok_and(|origin| is_for_help(config, &origin, facts))
}

/// [`asks_for_help()`], of a call from `origin`.
pub fn is_for_help(config: &Config, origin: &Origin, facts: &Facts) -> bool {
    match origin {
        Origin::Connector(from) => {
            matches!(dialled(config, from, facts, &mut Vec::new()), Ok(Dialled::Emergency(_)))
        }
        Origin::Carrier(_) => false,
    }
}

/// Decides whether `connector` may send a call on to a target that a peer handed us: the Contact of a 3xx, or a
/// Refer-To. The target contributes its number and nothing else, and the call is billed to `connector`.
///
/// - `facts`: `user` is the target's user part; those that name the caller and who sent the call on are those of
///   the call that is sent on, with the number that was called added to `diversion` where the call was inbound.
///   Source, transport, host, digest and media are not looked at: the connector is known.
///
/// An unknown connector is refused (404). Source: design §4.
pub fn admit_target(config: &Config, connector: &ConnectorId, facts: &Facts) -> Decision {
    let Some(from) = config.connector(connector.as_str()) else {
        let refusal = Refusal::UnknownConnector { host: connector.to_string() };
        return Decision {
            steps: Vec::new(),
            connector: None,
            direction: None,
            outcome: Outcome::Refuse(refusal),
        };
    };
    let mut steps = Vec::new();
    let outcome = match source::termination(from, &mut steps) {
        Ok(()) => outbound(config, from, facts, None, &mut steps),
        Err(refusal) => Outcome::Refuse(refusal),
    };
    Decision { steps, connector: Some(from.id.clone()), direction: Some(Direction::Outbound), outcome }
}

/// All that comes after source and digest on a call of `from`.
fn outbound(
    config: &Config,
    from: &std::sync::Arc<VoiceConnector>,
    facts: &Facts,
    digest_user: Option<String>,
    steps: &mut Vec<Step>,
) -> Outcome {
    let admitted = match dialled(config, from, facts, steps) {
        Ok(Dialled::Emergency(call)) => {
            Ok(emergency::admitted(config, from, facts, call, digest_user, steps))
        }
        Ok(Dialled::Other(dialled)) => ordinary(config, from, facts, &dialled, digest_user, steps),
        Err(refusal) => Err(refusal),
    };
    match admitted {
        Ok(admitted) => Outcome::Admit(Box::new(admitted)),
        Err(refusal) => Outcome::Refuse(refusal),
    }
}

/// What a customer dialled.
enum Dialled<'f> {
    Emergency(emergency::Found),
    /// As its number rules leave it.
    Other(Cow<'f, str>),
}

/// Emergency digits are looked for as they were dialled, then as the number rules leave them: no rule hides a call for
/// help, and one may lay bare what a prefix hid.
fn dialled<'f>(
    config: &Config,
    from: &VoiceConnector,
    facts: &'f Facts,
    steps: &mut Vec<Step>,
) -> Result<Dialled<'f>, Refusal> {
    if let Some(call) = emergency::look(config, from, facts, &facts.user, steps)? {
        return Ok(Dialled::Emergency(call));
    }
    let (dialled, rewritten) = Dialect::from_connector(from).heard(NumberRole::Called, &facts.user);
    if let Some(rewritten) = rewritten {
        steps.push(Step::Rewritten(rewritten));
        if let Some(call) = emergency::look(config, from, facts, &dialled, steps)? {
            return Ok(Dialled::Emergency(call));
        }
    }
    Ok(Dialled::Other(dialled))
}

fn ordinary(
    config: &Config,
    from: &std::sync::Arc<VoiceConnector>,
    facts: &Facts,
    dialled: &str,
    digest_user: Option<String>,
    steps: &mut Vec<Step>,
) -> Result<Admitted, Refusal> {
    let number = plan::dialled(from, dialled, steps)?;
    let caller = caller::check(config, from, facts, steps)?;
    let plan = plan::check(from, &number, steps)?;
    let destination = match inbound::owners(config, &number, steps) {
        Some(owners) => inbound::open(config, owners, steps)?,
        None => Destination::Carriers,
    };
    Ok(Admitted {
        direction: Direction::Outbound,
        origin: Origin::Connector(from.clone()),
        connector: from.id.clone(),
        caller,
        dialled: number.as_str().to_owned(),
        number,
        plan,
        destination,
        emergency: None,
        digest_user,
    })
}

#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;
