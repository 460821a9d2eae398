//! The questions that RFC 3263 asks of DNS, and hickory's resolver to ask them.

use std::future::Future;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use hickory_resolver::TokioResolver;
use hickory_resolver::config::{
    ConnectionConfig, LookupIpStrategy, NameServerConfig, ResolveHosts, ResolverConfig, ResolverOpts,
};
use hickory_resolver::net::NetError;
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::proto::rr::{RData, RecordType};
use hickory_resolver::system_conf::read_system_conf;

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
    /// The server answered with a failure, or the name is no name.
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
        let (config, options) = read_system_conf().unwrap_or_else(|error| {
            tracing::warn!(%error, "no name server configured, names will not be found");
            (ResolverConfig::default(), ResolverOpts::default())
        });
        SystemDns::with(config, options)
    }

    /// Asks these name servers by UDP (and TCP where an answer is too long), whatever the host's configuration says.
    pub fn asking(servers: &[SocketAddr]) -> SystemDns {
        let servers = servers.iter().map(|server| {
            let (mut udp, mut tcp) = (ConnectionConfig::udp(), ConnectionConfig::tcp());
            (udp.port, tcp.port) = (server.port(), server.port());
            NameServerConfig::new(server.ip(), true, vec![udp, tcp])
        });
        SystemDns::with(ResolverConfig::from_name_servers(servers.collect()), ResolverOpts::default())
    }

    fn with(config: ResolverConfig, options: ResolverOpts) -> SystemDns {
        let has_servers = !config.name_servers().is_empty();
        let provider = TokioRuntimeProvider::default();
        let mut builder = TokioResolver::builder_with_config(config, provider).with_options(options);
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
        let lookup = self.resolver()?.lookup(name, RecordType::NAPTR).await;
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
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

    use hickory_resolver::proto::op::{Message, ResponseCode};
    use hickory_resolver::proto::rr::{Name, Record, rdata};

    use super::*;
    use crate::peer::Transport;
    use crate::random::SeededRandom;
    use crate::resolve::{Lookup, locate};

    fn name(text: &str) -> Name {
        Name::from_ascii(text).unwrap()
    }

    /// A name server on loopback for carrier.example; what it does not know does not exist, `broken.*` fails.
    async fn name_server() -> (SocketAddr, Arc<AtomicUsize>) {
        let text = |text: &str| text.as_bytes().to_vec().into_boxed_slice();
        let naptr = |order, service: &str, replacement: &str| {
            RData::NAPTR(rdata::NAPTR::new(order, 0, text("s"), text(service), text(""), name(replacement)))
        };
        let srv = |priority, port, target: &str| RData::SRV(rdata::SRV::new(priority, 1, port, name(target)));
        let zone = [
            ("carrier.example.", naptr(1, "SIP+D2T", "_sip._tcp.carrier.example.")),
            ("carrier.example.", naptr(2, "SIP+D2U", "_sip._udp.east.carrier.example.")),
            ("_sip._udp.east.carrier.example.", srv(2, 5062, "b.carrier.example.")),
            ("_sip._udp.east.carrier.example.", srv(1, 5061, "a.carrier.example.")),
            ("a.carrier.example.", RData::A(rdata::A::new(192, 0, 2, 1))),
            ("a.carrier.example.", RData::AAAA(rdata::AAAA::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1))),
            ("b.carrier.example.", RData::A(rdata::A::new(192, 0, 2, 2))),
        ];
        let zone = zone.map(|(owner, data)| Record::from_rdata(name(owner), 300, data));
        let socket = tokio::net::UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let (address, asked) = (socket.local_addr().unwrap(), Arc::<AtomicUsize>::default());
        let count = asked.clone();
        tokio::spawn(async move {
            let mut buffer = [0; 2_048];
            while let Ok((length, asker)) = socket.recv_from(&mut buffer).await {
                count.fetch_add(1, Relaxed);
                let question = Message::from_vec(&buffer[..length]).unwrap();
                let mut answer = Message::response(question.metadata.id, question.metadata.op_code);
                let query = question.queries[0].clone();
                let of_name = zone.iter().filter(|record| record.name == *query.name());
                answer.metadata.response_code = match of_name.clone().count() {
                    _ if query.name().to_ascii().starts_with("broken") => ResponseCode::ServFail,
                    0 => ResponseCode::NXDomain,
                    _ => ResponseCode::NoError,
                };
                answer.add_answers(
                    of_name.filter(|record| record.record_type() == query.query_type()).cloned(),
                );
                answer.add_query(query);
                socket.send_to(&answer.to_vec().unwrap(), asker).await.unwrap();
            }
        });
        (address, asked)
    }

    #[tokio::test]
    async fn real_datagrams_lead_from_a_name_to_its_servers_and_are_cached() {
        let (server, asked) = name_server().await;
        let dns = Arc::new(SystemDns::asking(&[server]));
        let lookup = |host: &str| Lookup { host: host.into(), port: None, transport: Transport::Udp };
        let located = locate(&dns, &lookup("carrier.example")).await.unwrap();
        let addresses: Vec<String> =
            located.ordered(&mut SeededRandom::new(1)).iter().map(SocketAddr::to_string).collect();
        assert_eq!(addresses, ["192.0.2.1:5061", "[2001:db8::1]:5061", "192.0.2.2:5062"]);
        let before = asked.load(Relaxed);
        assert_eq!(locate(&dns, &lookup("carrier.example")).await, Ok(located));
        // Only what does not exist may be asked again: this zone gives no time to live for that.
        assert!(asked.load(Relaxed) - before <= 2, "{before} then {}", asked.load(Relaxed));
        assert_eq!(dns.addresses("nobody.carrier.example.").await, Err(DnsError::NoRecords));
        assert!(matches!(dns.addresses("broken.example.").await, Err(DnsError::Failed(_))));
    }

    #[tokio::test]
    async fn without_a_name_server_names_fail_clearly_and_the_hosts_file_works() {
        let dns = SystemDns::with(ResolverConfig::default(), ResolverOpts::default());
        assert_eq!(dns.addresses("carrier.example.").await, Err(DnsError::NoNameServer));
        assert_eq!(dns.srv("_sip._udp.carrier.example.").await, Err(DnsError::NoNameServer));
        assert!(dns.addresses("localhost").await.unwrap().iter().all(IpAddr::is_loopback));
    }

    #[tokio::test]
    async fn the_hosts_file_is_enough_for_localhost() {
        let addresses = SystemDns::new().addresses("localhost").await.unwrap();
        assert!(addresses.iter().all(IpAddr::is_loopback), "{addresses:?}");
        assert!(!addresses.is_empty());
    }
}
