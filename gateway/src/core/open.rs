//! Whether new calls are taken at all.

use std::time::Duration;

use super::{Core, Draining};
use crate::admit::DRAINED_AFTER;
use crate::readiness::Obstacle;
use crate::reply::Cause;

/// When to ask again where the obstacle may go: what is missing is looked for every second.
const MENDED_AFTER: Duration = Duration::from_secs(2);

impl Core {
    /// Why no new calls are taken at all. Emergencies are until the very end, when nobody would hang them up.
    pub(super) fn closed(&self, emergency: bool) -> Option<Cause> {
        match self.draining {
            Draining::Stopped => Some(Cause::new(503, "Gateway is shutting down").later(DRAINED_AFTER)),
            _ if emergency => None,
            Draining::Yes => Some(told(Obstacle::Draining)),
            Draining::No if self.shared.drains.all() => Some(told(Obstacle::Draining)),
            Draining::No => (!self.shared.records_accept_calls()).then(|| told(Obstacle::Records)),
        }
    }

    /// Why an ordinary call would not be taken now, whoever placed it: what OPTIONS is answered with (RFC 3261
    /// §11.2).
    pub(super) fn would_refuse(&self) -> Option<Cause> {
        self.closed(false).or_else(|| self.shared.readiness.first().map(told))
    }
}

fn told(obstacle: Obstacle) -> Cause {
    let after = match obstacle {
        Obstacle::Draining => DRAINED_AFTER,
        _ => MENDED_AFTER,
    };
    Cause::new(503, obstacle.sentence()).later(after)
}
