//! A request that asks for something of its own, a call or a registration, and what was found out of it.

use std::sync::Arc;

use config::{Carrier, ConnectorId};
use sip::Message;
use sip::transaction::ServerId;

use super::flow::Flow;
use crate::admit::{Decision, Facts, Identified, Origin, Outcome, Step};
use crate::direction::Direction;
use crate::number::Numbering;
use crate::route::RouteStep;

/// See the module.
pub(super) struct Asked {
    /// Its server transaction.
    pub server: ServerId,
    pub message: Message,
    pub from: Flow,
    pub facts: Facts,
    /// The carrier that it comes from; `None`: a connector's, or nobody's.
    pub carrier: Option<Arc<Carrier>>,
    /// The connector that a refusal is recorded for, where it is known and the source is listed.
    pub whose: Option<(ConnectorId, Direction)>,
    /// To whom the number belongs that it calls, where the policy has looked that up.
    pub numbering: Option<Numbering>,
    /// It asks for a call of its own, or a registration: a refusal of it is recorded.
    pub for_itself: bool,
    /// What admission looked at.
    pub steps: Vec<Step>,
    /// What routing looked at, where it found no way.
    pub routes: Vec<RouteStep>,
    /// Where it goes if it is an emergency call.
    pub help: Option<String>,
}

impl Asked {
    /// Its source is identified, or is not: nothing else is decided.
    pub(super) fn new(
        server: ServerId,
        message: Message,
        from: Flow,
        facts: Facts,
        identified: &Identified,
    ) -> Self {
        let carrier = match &identified.outcome {
            Ok(Origin::Carrier(carrier)) => Some(carrier.clone()),
            _ => None,
        };
        let whose = identified.connector.clone().map(|id| (id, Direction::Outbound));
        Self {
            server,
            message,
            from,
            facts,
            carrier,
            whose,
            numbering: None,
            for_itself: true,
            steps: Vec::new(),
            routes: Vec::new(),
            help: None,
        }
    }

    /// The policy has decided.
    pub(super) fn decided(&mut self, decision: &mut Decision) {
        self.whose = decision.connector.clone().zip(decision.direction);
        self.numbering = decision.steps.iter().find_map(|step| match step {
            Step::CallingPlan { numbering, .. } => Some(*numbering),
            _ => None,
        });
        self.help = match &decision.outcome {
            Outcome::Admit(admitted) if admitted.emergency.is_some() => Some(admitted.number.to_string()),
            _ => None,
        };
        self.steps = std::mem::take(&mut decision.steps);
    }

    /// The id of the connector that it is recorded for.
    pub(super) fn connector(&self) -> Option<&str> {
        self.whose.as_ref().map(|(id, _)| id.as_str())
    }
}
