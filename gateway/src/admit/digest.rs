//! Credentials beside the allowlist.

use config::{Config, VoiceConnector};

use super::{Challenge, Digest, DigestStep, Facts, Refusal, Step};

pub(super) enum Passed {
    Yes { user: Option<String> },
    Challenge(Challenge),
}

/// Credentials must hold beside the allowlist where the connector has any.
pub(super) fn check(
    config: &Config,
    connector: &VoiceConnector,
    facts: &Facts,
    steps: &mut Vec<Step>,
) -> Result<Passed, Refusal> {
    let users = &connector.termination.credentials;
    if users.is_empty() {
        steps.push(Step::Digest(DigestStep::NotAsked));
        return Ok(Passed::Yes { user: None });
    }
    let challenge = |stale| Challenge { realm: config.gateway.realm.clone(), stale };
    let (step, passed) = match &facts.digest {
        // The digest may have been checked by another connector's users.
        Digest::Verified(user) if users.iter().any(|known| known.username == *user) => {
            (DigestStep::Verified(user.clone()), Ok(Passed::Yes { user: Some(user.clone()) }))
        }
        Digest::NotAttempted => (DigestStep::Missing, Ok(Passed::Challenge(challenge(false)))),
        Digest::Stale => (DigestStep::Stale, Ok(Passed::Challenge(challenge(true)))),
        Digest::Verified(_) | Digest::Wrong => (DigestStep::Wrong, Ok(Passed::Challenge(challenge(false)))),
        Digest::OtherTarget => {
            (DigestStep::OtherTarget, Err(Refusal::DigestTarget { connector: connector.id.clone() }))
        }
        Digest::TooMany => (DigestStep::TooMany, Err(Refusal::Digest { connector: connector.id.clone() })),
    };
    steps.push(Step::Digest(step));
    passed
}
