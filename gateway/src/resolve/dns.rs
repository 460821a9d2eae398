//! The questions that RFC 3263 asks of DNS, and hickory's resolver to ask them.

use std::future::Future;
use std::net::IpAddr;
use std::time::Duration;

use hickory_resolver::TokioResolver;
use hickory_resolver::config::{LookupIpStrategy, ResolveHosts, ResolverConfig};
use hickory_resolver::net::NetError;
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::proto::rr::RData;

/// A NAPTR record. RFC 3403.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Naptr {
    /// Lowest first.
    pub order: u16,
    /// Lowest first within an order.
    pub preference: u16,
    /// `s`: the replacement has SRV records.
    pub flags: String,
    /// `SIP+D2U`, `SIP+D2T`, `SIPS+D2T`.
    pub services: String,
    /// The name to ask next.
    pub replacement: String,
}

/// An SRV record. RFC 2782.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Srv {
    /// Lowest first.
    pub priority: u16,
    /// Share among equals.
    pub weight: u16,
    /// The port of the service.
    pub port: u16,
    /// Its host; `.` says that there is no such service.
    pub target: String,
}

/// Why a question has no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DnsError {
    /// No such name or no such records.
    #[error("no records")]
    NoRecords,
    /// Nobody to ask.
    #[error("no name server configured")]
    NoNameServer,
    /// The name server did not answer.
    #[error("timed out")]
    TimedOut,
    /// It answered with a failure, or the name is no name.
    #[error("{0}")]
    Failed(String),
}

/// DNS, or a test's idea of it. Caching by time to live is its business.
pub trait Dns: Send + Sync + 'static {
    /// NAPTR records of `name`.
    fn naptr(&self, name: &str) -> impl Future<Output = Result<Vec<Naptr>, DnsError>> + Send;
    /// SRV records of `name`, such as `_sip._udp.example.com`.
    fn srv(&self, name: &str) -> impl Future<Output = Result<Vec<Srv>, DnsError>> + Send;
    /// A and AAAA records of `name`, or what the hosts file says.
    fn addresses(&self, name: &str) -> impl Future<Output = Result<Vec<IpAddr>, DnsError>> + Send;
}

/// The name servers of `/etc/resolv.conf` and the names of `/etc/hosts`; answers are cached by their time to live.
pub struct SystemDns {
    resolver: Result<TokioResolver, DnsError>,
    has_servers: bool,
}

impl SystemDns {
    /// Reads the host's configuration. Without a usable one, `/etc/hosts` still works and every other name fails
    /// with [`DnsError::NoNameServer`].
    pub fn new() -> SystemDns {
        let system = TokioResolver::builder_tokio();
        if let Err(error) = &system {
            tracing::warn!(%error, "no name server configured, names will not be found");
        }
        let has_servers = system.is_ok();
        let mut builder = system.unwrap_or_else(|_| {
            TokioResolver::builder_with_config(ResolverConfig::default(), TokioRuntimeProvider::default())
        });
        let options = builder.options_mut();
        options.ip_strategy = LookupIpStrategy::Ipv4AndIpv6;
        options.use_hosts_file = ResolveHosts::Always;
        // Two tries fit into the time that a call can wait.
        options.timeout = Duration::from_millis(1_400);
        options.attempts = 1;
        let resolver = builder.build().map_err(|error| DnsError::Failed(error.to_string()));
        SystemDns { resolver, has_servers }
    }

    fn resolver(&self) -> Result<&TokioResolver, DnsError> {
        self.resolver.as_ref().map_err(Clone::clone)
    }

    fn error(&self, error: &NetError) -> DnsError {
        match error {
            _ if !self.has_servers => DnsError::NoNameServer,
            error if error.is_no_records_found() => DnsError::NoRecords,
            NetError::NoConnections => DnsError::NoNameServer,
            NetError::Timeout => DnsError::TimedOut,
            error => DnsError::Failed(error.to_string()),
        }
    }
}

impl Default for SystemDns {
    fn default() -> SystemDns {
        SystemDns::new()
    }
}

impl Dns for SystemDns {
    async fn naptr(&self, name: &str) -> Result<Vec<Naptr>, DnsError> {
        let lookup = self.resolver()?.lookup(name, hickory_resolver::proto::rr::RecordType::NAPTR).await;
        let lookup = lookup.map_err(|error| self.error(&error))?;
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let records = lookup.answers().iter().filter_map(|record| match &record.data {
            RData::NAPTR(naptr) => Some(Naptr {
                order: naptr.order,
                preference: naptr.preference,
                flags: text(&naptr.flags),
                services: text(&naptr.services),
                replacement: naptr.replacement.to_string(),
            }),
            _ => None,
        });
        Ok(records.collect())
    }

    async fn srv(&self, name: &str) -> Result<Vec<Srv>, DnsError> {
        let lookup = self.resolver()?.srv_lookup(name).await.map_err(|error| self.error(&error))?;
        let records = lookup.answers().iter().filter_map(|record| match &record.data {
            RData::SRV(srv) => Some(Srv {
                priority: srv.priority,
                weight: srv.weight,
                port: srv.port,
                target: srv.target.to_string(),
            }),
            _ => None,
        });
        Ok(records.collect())
    }

    async fn addresses(&self, name: &str) -> Result<Vec<IpAddr>, DnsError> {
        let lookup = self.resolver()?.lookup_ip(name).await.map_err(|error| self.error(&error))?;
        Ok(lookup.iter().collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_hosts_file_is_enough_for_localhost() {
        let addresses = SystemDns::new().addresses("localhost").await.unwrap();
        assert!(addresses.iter().all(IpAddr::is_loopback), "{addresses:?}");
        assert!(!addresses.is_empty());
    }
}
