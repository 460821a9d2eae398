//! Values that cannot hold nonsense. Each parses from text by `FromStr` and says what to write instead.

mod calling_name;
mod cidr;
mod contact_name;
mod country;
mod dialling;
mod duration;
mod e164;
mod host;
mod host_port;
mod http_url;
mod nats;
mod pattern;
mod port_range;
mod prefix;
mod rank;
mod size;
mod socket_address;
mod transport;
mod uri_parameters;

pub use calling_name::CallingName;
pub(crate) use cidr::cidr;
pub use contact_name::ContactName;
pub use country::CountryCode;
pub use dialling::Dialling;
pub use duration::parse_duration;
pub use e164::E164;
pub use host::Host;
pub(crate) use host::is_domain_name;
pub use host_port::HostPort;
pub use http_url::HttpUrl;
pub use nats::{NatsSubject, NatsUrl};
pub use pattern::Pattern;
pub use port_range::PortRange;
pub use prefix::Prefix;
pub use rank::{Priority, Weight};
pub(crate) use size::parse_size;
pub(crate) use socket_address::{ip_address, socket_address};
pub use transport::Transport;
pub use uri_parameters::UriParameters;

/// A text or number that is none of the values asked for.
///
/// Displays as `problem; write remedy`, without the offending text's position: whoever read it knows that.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{problem}; write {remedy}")]
pub struct ValueError {
    /// What is wrong, naming the offending text.
    pub problem: String,
    /// What to write instead: follows the word "write".
    pub remedy: String,
}

impl ValueError {
    pub(crate) fn new(problem: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { problem: problem.into(), remedy: remedy.into() }
    }
}
