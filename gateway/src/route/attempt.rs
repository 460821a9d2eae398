//! The places where a call may go, and what it is told there.

use std::sync::Arc;
use std::time::Duration;

use config::{Carrier, CarrierName, ConnectorId, E164, NumberRole, Peer, Route, VoiceConnector};
use sip::registration::Binding;

use crate::admit::Caller;
use crate::number::{Dialect, Rewritten};
use crate::peer::Party;
use crate::registrar::Way;
use crate::resolve::Lookup;
use crate::route::Target;

use super::RouteStep;
use super::plan::Steps;

/// One place where a call may go, and what it is told there.
#[derive(Debug, Clone)]
pub struct Attempt {
    /// Whose host it is: for its limits, its peer settings, its bill.
    pub via: Via,
    /// Whom the request names, and its Route header.
    pub target: Target,
    /// Where the request is sent: the host, or the carrier's outbound proxy in its place.
    pub lookup: Lookup,
    /// The number in the peer's format: user part of the Request-URI and To, unless the host has others.
    pub number: String,
    /// User part of From: the caller in the peer's format, or as shown where it is not a number.
    pub caller: String,
    /// The number that a peer that we trust is told, in its format; none where there is none.
    pub asserted: Option<String>,
    /// The host answered the last time that it was asked; else the attempt comes last.
    pub usable: bool,
    /// A contact that has registered.
    pub registered: Option<Arc<Registered>>,
}

/// How a contact is called that has registered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Registered {
    /// The flow that its REGISTER came by; none where it is called as the Contact says.
    pub flow: Option<crate::peer::Peer>,
}

/// The other side of an attempt. Shared with the configuration that it was planned by.
#[derive(Debug, Clone)]
pub enum Via {
    /// A carrier: the outbound way.
    Carrier(Arc<Carrier>),
    /// A connector of ours: the inbound and the on-net way. The leg is billed to it.
    Connector(Arc<VoiceConnector>),
}

impl Via {
    /// The connector that the leg belongs to; none for a carrier.
    pub fn connector(&self) -> Option<&ConnectorId> {
        match self {
            Via::Carrier(_) => None,
            Via::Connector(connector) => Some(&connector.id),
        }
    }

    /// The carrier's name or the connector's id.
    pub fn name(&self) -> &str {
        match self {
            Via::Carrier(carrier) => carrier.name.as_str(),
            Via::Connector(connector) => connector.id.as_str(),
        }
    }

    /// The carrier's name; none for a connector.
    pub fn carrier(&self) -> Option<&CarrierName> {
        match self {
            Via::Carrier(carrier) => Some(&carrier.name),
            Via::Connector(_) => None,
        }
    }

    /// Whose system it is, for TLS.
    pub fn party(&self) -> Party {
        match self {
            Via::Carrier(carrier) => Party::Carrier(carrier.name.as_str().into()),
            Via::Connector(connector) => Party::VoiceConnector(connector.id.as_str().into()),
        }
    }

    /// How that side speaks.
    pub fn peer(&self) -> &Peer {
        match self {
            Via::Carrier(carrier) => &carrier.peer,
            Via::Connector(connector) => &connector.peer,
        }
    }
}

impl Attempt {
    /// Answers that send the call on beside the standard ones: `carrier.failover_on`.
    pub fn failover_on(&self) -> &[u16] {
        match &self.via {
            Via::Carrier(carrier) => &carrier.failover_on,
            Via::Connector(_) => &[],
        }
    }

    /// How long to wait for the first word: `first_response_timeout` of the carrier, or of the connector's origination.
    pub fn first_response_timeout(&self) -> Duration {
        match &self.via {
            Via::Carrier(carrier) => carrier.first_response_timeout,
            Via::Connector(connector) => connector.origination.first_response_timeout,
        }
    }

    /// How long until it rings: `progress_timeout` of the carrier or of the connector's origination.
    pub fn progress_timeout(&self) -> Duration {
        match &self.via {
            Via::Carrier(carrier) => carrier.progress_timeout,
            Via::Connector(connector) => connector.origination.progress_timeout,
        }
    }

    pub(super) fn to_carrier(
        carrier: &Arc<Carrier>,
        host: &Route,
        number: &E164,
        caller: &Caller,
        steps: &mut Steps,
    ) -> Attempt {
        let target = Target::new(host, carrier.outbound_proxy.as_ref());
        let told = Told::new(Dialect::to_carrier(carrier), carrier.name.as_str(), number, caller, steps);
        Attempt {
            lookup: target.lookup.clone(),
            target,
            number: told.number,
            caller: told.caller,
            asserted: told.asserted,
            via: Via::Carrier(carrier.clone()),
            usable: true,
            registered: None,
        }
    }

    /// A contact of the connector's customer.
    pub(super) fn to_registered(
        connector: &Arc<VoiceConnector>,
        binding: &Binding<Way>,
        number: &E164,
        caller: &Caller,
        steps: &mut Steps,
    ) -> Attempt {
        let told = Told::new(Dialect::to_connector(connector), connector.id.as_str(), number, caller, steps);
        let (uri, flow) = (binding.contact.target(number.as_str()), &binding.flow.flow);
        let by_flow = || Lookup {
            host: sip::Host::from(flow.remote.ip()).to_string().into(),
            port: Some(flow.remote.port()),
            transport: flow.transport,
        };
        let registered = Registered { flow: binding.flow.place.is_none().then(|| flow.clone()) };
        let lookup = binding.flow.place.clone().unwrap_or_else(by_flow);
        Attempt {
            target: Target::registered(&uri, binding.path.clone(), lookup.clone()),
            lookup,
            number: told.number,
            caller: told.caller,
            asserted: told.asserted,
            via: Via::Connector(connector.clone()),
            usable: true,
            registered: Some(Arc::new(registered)),
        }
    }

    pub(super) fn to_connector(
        connector: &Arc<VoiceConnector>,
        route: &Route,
        number: &E164,
        caller: &Caller,
        steps: &mut Steps,
    ) -> Attempt {
        let target = Target::new(route, None);
        let told = Told::new(Dialect::to_connector(connector), connector.id.as_str(), number, caller, steps);
        Attempt {
            lookup: target.lookup.clone(),
            target,
            number: told.number,
            caller: told.caller,
            asserted: told.asserted,
            via: Via::Connector(connector.clone()),
            usable: true,
            registered: None,
        }
    }
}

/// The numbers of a call as one side is told them.
struct Told {
    number: String,
    caller: String,
    asserted: Option<String>,
}

impl Told {
    fn new(dialect: Dialect<'_>, whose: &str, number: &E164, caller: &Caller, steps: &mut Steps) -> Told {
        let mut seen = |(text, rewritten): (String, Option<Rewritten>)| {
            if let Some(rewritten) = rewritten {
                steps.push_once(|| RouteStep::Rewritten { whose: whose.to_owned(), rewritten });
            }
            text
        };
        Told {
            number: seen(dialect.write(NumberRole::Called, number)),
            caller: seen(match &caller.number {
                Some(number) => dialect.write(NumberRole::Caller, number),
                None => dialect.told(NumberRole::Caller, caller.text.clone()),
            }),
            asserted: caller.asserted.as_ref().map(|number| seen(dialect.write(NumberRole::Caller, number))),
        }
    }
}
