//! What admission decides, and what an admitted call is.

use std::sync::Arc;

use config::{Carrier, ConnectorId, CountryCode, E164, Peer, VoiceConnector};

use crate::direction::Direction;
use crate::number::PlanEntry;
use crate::peer::Party;

use super::{Caller, Refusal, Step};

/// What became of an INVITE at the door, and why.
#[derive(Debug, Clone)]
pub struct Decision {
    /// What was looked at, in order, each with its result.
    pub steps: Vec<Step>,
    /// The connector that the call is billed to; none as long as it is unknown or the source is not listed.
    pub connector: Option<ConnectorId>,
    /// Which way the call goes; none where that is unknown.
    pub direction: Option<Direction>,
    /// Taken, challenged or refused.
    pub outcome: Outcome,
}

impl Decision {
    /// Whether a refusal is written as a call detail record: once the connector is known and the source is
    /// listed. A challenge writes none; the call has not been refused.
    pub fn is_recorded(&self) -> bool {
        self.connector.is_some() && !matches!(self.outcome, Outcome::Challenge(_))
    }
}

/// How a decision ends.
#[derive(Debug, Clone)]
pub enum Outcome {
    /// The call is taken, as far as it depends on who calls whom; limits come next.
    Admit(Box<Admitted>),
    /// 407: the connector asks for credentials.
    Challenge(Challenge),
    /// The call is refused.
    Refuse(Refusal),
}

/// What a 407 says. RFC 7616 §3.3.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Challenge {
    /// The realm.
    pub realm: String,
    /// The credentials were right but for their nonce.
    pub stale: bool,
}

/// A call that may go on.
#[derive(Debug, Clone)]
pub struct Admitted {
    /// Which way it goes.
    pub direction: Direction,
    /// The party that handed the call to us.
    pub origin: Origin,
    /// The connector that it is billed to. On an inbound call to a group: the first member that takes calls;
    /// each attempt of the route names its own.
    pub connector: ConnectorId,
    /// The caller.
    pub caller: Caller,
    /// What was dialled: a number, or emergency digits as they came.
    pub dialled: String,
    /// The number that the call is routed by: the dialled one, or where the emergency digits lead.
    pub number: E164,
    /// What the numbering plans say of that number.
    pub plan: PlanEntry,
    /// Where that number lives.
    pub destination: Destination,
    /// What makes it an emergency call: limits, health and drain do not stop one.
    pub emergency: Option<EmergencyCall>,
    /// The digest user that proved itself.
    pub digest_user: Option<String>,
}

/// The party that handed us a message. Shared with the configuration that it was decided by.
#[derive(Debug, Clone)]
pub enum Origin {
    /// A customer: termination, outbound.
    Connector(Arc<VoiceConnector>),
    /// A carrier: origination, inbound.
    Carrier(Arc<Carrier>),
}

impl Origin {
    /// How that side speaks.
    pub fn peer(&self) -> &Peer {
        match self {
            Origin::Connector(connector) => &connector.peer,
            Origin::Carrier(carrier) => &carrier.peer,
        }
    }

    /// Who it is.
    pub fn party(&self) -> Party {
        match self {
            Origin::Connector(connector) => Party::VoiceConnector(connector.id.as_str().into()),
            Origin::Carrier(carrier) => Party::Carrier(carrier.name.as_str().into()),
        }
    }
}

/// Where a number lives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Destination {
    /// Behind the carriers.
    Carriers,
    /// At these connectors, which take calls, best first. On an outbound call: on-net, and the callee's
    /// connector writes a record of its own, Inbound.
    Connectors(Vec<ConnectorId>),
}

/// What makes a call an emergency call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EmergencyCall {
    /// The country of the entry.
    pub country: CountryCode,
    /// What was dialled, as `911`, or the service that was asked for, as `urn:service:sos`.
    pub digits: String,
    /// The call goes to the test number; everything else is as in earnest, or the test would prove nothing.
    pub test: bool,
}
