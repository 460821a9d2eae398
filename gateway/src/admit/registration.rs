//! Who may register.

use std::sync::Arc;

use config::{Config, Registration, VoiceConnector};

use crate::number::dialled_number;

use super::digest::{self, Passed};
use super::source::{encrypted_media, encrypted_signalling, holds};
use super::{Challenge, Facts, Origin, Refusal, identify};

/// The connector whose customer sent a REGISTER, or why it is refused; `None`: this sender may not register, whatever
/// it says (405).
///
/// An encrypted connector takes it by TLS only. Termination need not be on: a customer may be called only.
pub fn registering(config: &Config, facts: &Facts) -> Option<Result<Arc<VoiceConnector>, Refusal>> {
    match identify(config, facts).outcome {
        Ok(Origin::Connector(connector)) => match connector.peer.registration {
            Registration::Off => None,
            Registration::Accept | Registration::On => {
                Some(encrypted_signalling(&connector, facts, &mut Vec::new()).map(|()| connector))
            }
        },
        Ok(Origin::Carrier(_)) => None,
        Err(refusal) => {
            let address = facts.source.to_canonical();
            let registers = |one: &&Arc<VoiceConnector>| one.peer.registration != Registration::Off;
            let mut registering = config.voice_connector.iter().filter(registers);
            registering.any(|one| holds(&one.termination.allowlist, address)).then_some(Err(refusal))
        }
    }
}

/// The registrant of `connector`: the digest user, none where it has no credentials; or the challenge that asks.
///
/// # Errors
/// Wrong credentials too often, or for somebody else.
pub fn registrant(
    config: &Config,
    connector: &VoiceConnector,
    facts: &Facts,
) -> Result<Result<Option<String>, Challenge>, Refusal> {
    digest::check(config, connector, facts, &mut Vec::new()).map(|passed| match passed {
        Passed::Yes { user } => Ok(user),
        Passed::Challenge(challenge) => Err(challenge),
    })
}

/// Whether whoever [`source`](super::source()) has identified may take a place in a call, which is no call of its own: by its
/// password and under its encryption; or the challenge that asks.
///
/// # Errors
/// It may not.
pub fn newcomer(config: &Config, origin: &Origin, facts: &Facts) -> Result<Option<Challenge>, Refusal> {
    let Origin::Connector(connector) = origin else { return Ok(None) };
    encrypted_media(connector, facts, &mut Vec::new())?;
    registrant(config, connector, facts).map(Result::err)
}

/// Whether a customer's system may send a recording session, by its password and under its connector's encryption: the digest
/// user, none where the connector has no credentials; or the challenge that asks.
///
/// # Errors
/// It may not.
pub fn recorder(
    config: &Config,
    connector: &VoiceConnector,
    facts: &Facts,
) -> Result<Result<Option<String>, Challenge>, Refusal> {
    if !connector.siprec.accept {
        return Err(Refusal::RecordingOff { connector: connector.id.clone() });
    }
    encrypted_media(connector, facts, &mut Vec::new())?;
    registrant(config, connector, facts)
}

/// Whether `user` may register as `record`, the user part of To: as itself, or as a number of the connector.
///
/// Source: RFC 3261 §10.3 steps 4 and 5.
pub fn may_register_as(config: &Config, connector: &VoiceConnector, user: &str, record: &str) -> bool {
    let bare = user.split_once('@').map_or(user, |(bare, _)| bare);
    record == user
        || record == bare
        || dialled_number(record).is_some_and(|number| config.owns(&connector.id, number.as_str()))
}
