//! The sources that are no strangers.

use std::collections::{BTreeSet, HashSet};
use std::net::IpAddr;

use config::Config;
use ipnet::IpNet;

/// The networks of all allowlists: who is in none of them is a stranger, whatever the message says
/// ([`Refusal::UnknownSource`](super::Refusal::UnknownSource)).
#[derive(Debug, Clone, Default)]
pub struct Allowlists {
    networks: HashSet<IpNet>,
    /// The lengths of their prefixes: few, whatever the number of networks.
    lengths: BTreeSet<u8>,
}

impl Allowlists {
    /// The allowlists of the connectors and carriers of `config`.
    pub fn new(config: &Config) -> Self {
        let connectors = config.voice_connector.iter().flat_map(|item| &item.termination.allowlist);
        let carriers = config.carrier.iter().flat_map(|item| &item.allowlist);
        let networks: HashSet<IpNet> = connectors.chain(carriers).map(IpNet::trunc).collect();
        let lengths = networks.iter().map(IpNet::prefix_len).collect();
        Self { networks, lengths }
    }

    /// Whether one of them holds `source`.
    pub fn hold(&self, source: IpAddr) -> bool {
        let source = source.to_canonical();
        let network = |length: &u8| IpNet::new(source, *length).ok().map(|network| network.trunc());
        self.lengths.iter().filter_map(network).any(|network| self.networks.contains(&network))
    }
}
