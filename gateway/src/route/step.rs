//! What routing looked at, as lines.

use std::fmt;

use config::{CarrierName, ConnectorId};
use sip::text::word;

use crate::number::Rewritten;

use super::{Attempt, Via};

/// One thing that routing looked at, and what it found. Displays as one line.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum RouteStep {
    /// Whether a carrier takes the number.
    Carrier {
        /// The carrier.
        name: CarrierName,
        /// How many digits its longest matching prefix has; none where none matches.
        matched: Option<usize>,
        /// `termination.carriers` does not leave it out.
        allowed: bool,
    },
    /// How many contacts a connector's customer has registered, where it does.
    Registered {
        /// The connector.
        connector: ConnectorId,
        /// Contacts for this number.
        contacts: usize,
    },
    /// How many routes a connector has.
    Connector {
        /// The connector.
        connector: ConnectorId,
        /// Its `origination.route`.
        routes: usize,
    },
    /// A number rule of a side that is called was obeyed.
    Rewritten {
        /// The carrier or connector.
        whose: String,
        /// What became of the number.
        rewritten: Rewritten,
    },
    /// A place in the plan.
    Attempt {
        /// The carrier or connector.
        whose: String,
        /// Host, port where configured, and transport.
        target: String,
        /// The number, and what of the request and its way is not as usual.
        number: String,
        /// The caller's number as that side is told it, or what stands in its place.
        caller: String,
        /// Why it comes last, where it does.
        trouble: Option<&'static str>,
    },
}

impl RouteStep {
    /// - `unregistered`: its carrier wants a registration, which is down.
    pub(super) fn attempt(attempt: &Attempt, unregistered: bool) -> RouteStep {
        let whose = match &attempt.via {
            Via::Carrier(carrier) => format!("carrier {}", carrier.name),
            Via::Connector(connector) => format!("voice connector {}", connector.id),
        };
        let lookup = &attempt.lookup;
        let port = lookup.port.map_or_else(String::new, |port| format!(":{port}"));
        RouteStep::Attempt {
            whose,
            target: match &attempt.registered {
                // Nobody has registered in an explanation.
                Some(_) if lookup.port == Some(0) => "whatever contact has registered".to_owned(),
                Some(_) => format!("the contact at {}{port} over {}", lookup.host, lookup.transport),
                // What carries it belongs to the proxy.
                None if attempt.target.has_proxy() => attempt.target.host().to_owned(),
                None => format!("{} over {}", attempt.target.host(), lookup.transport),
            },
            number: format!("{}{}", attempt.number, attempt.target.notes(&attempt.number)),
            caller: attempt.caller.clone(),
            trouble: match attempt.usable {
                true => None,
                false if unregistered => Some("has not registered us"),
                false => Some("does not answer probes"),
            },
        }
    }
}

impl fmt::Display for RouteStep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            RouteStep::Carrier { name, allowed: false, .. } => {
                write!(f, "carrier: {name} is left out by termination.carriers")
            }
            RouteStep::Carrier { name, matched: None, .. } => {
                write!(f, "carrier: {name} has no matching prefix")
            }
            RouteStep::Carrier { name, matched: Some(0), .. } => {
                write!(f, "carrier: {name} takes any number")
            }
            RouteStep::Carrier { name, matched: Some(digits), .. } => {
                let plural = if *digits == 1 { "" } else { "s" };
                write!(f, "carrier: {name} takes it by {digits} digit{plural}")
            }
            RouteStep::Registered { connector, contacts } => {
                let plural = if *contacts == 1 { "" } else { "s" };
                write!(f, "registered: voice connector {connector} has {contacts} contact{plural}")
            }
            RouteStep::Connector { connector, routes } => match routes {
                0 => write!(f, "routes: voice connector {connector} has none that can be reached"),
                routes => write!(f, "routes: voice connector {connector} has {routes}"),
            },
            RouteStep::Rewritten { whose, rewritten } => write!(f, "number rule: for {whose} {rewritten}"),
            RouteStep::Attempt { whose, target, number, caller, trouble } => {
                write!(f, "route: {whose} at {target} as {number}")?;
                if !caller.starts_with('+') {
                    write!(f, ", from {}", word(caller))?;
                }
                match trouble {
                    Some(trouble) => write!(f, ", {trouble}"),
                    None => Ok(()),
                }
            }
        }
    }
}
