//! What the configuration says to the listeners.

use config::Config;
use ipnet::IpNet;

use super::bind::Listener;
use crate::peer::ListenerId;

/// The listeners of `config`, TLS too.
pub fn listeners(config: &Config) -> Vec<Listener> {
    config.listen.iter().map(listener).collect()
}

fn listener(listen: &config::Listen) -> Listener {
    Listener { id: ListenerId(listen.number), transport: listen.protocol, address: listen.address }
}

/// Every address that may call or is called: the allowlists of connectors and carriers, the hosts of both and proxies, for
/// [`super::Guard::exempt`]. A host that is a name is not looked up.
pub fn listed(config: &Config) -> Vec<IpNet> {
    let connectors = || config.voice_connector.iter();
    let carriers = || config.carrier.iter();
    let lists = connectors().flat_map(|connector| &connector.termination.allowlist);
    let lists = lists.chain(carriers().flat_map(|carrier| &carrier.allowlist)).copied();
    let hosts = connectors().flat_map(|connector| &connector.origination.route);
    let hosts = hosts.chain(carriers().flat_map(|carrier| &carrier.host)).map(|route| &route.host);
    let proxies = carriers().filter_map(|carrier| carrier.outbound_proxy.as_ref()).map(|proxy| &proxy.host);
    lists.chain(hosts.chain(proxies).filter_map(config::Host::ip).map(IpNet::from)).collect()
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::peer::Transport;

    const CONFIG: &str = r#"
        [gateway]
        domain = "gw.example.com"
        [[listen]]
        protocol = "udp"
        address = "127.0.0.1:5060"
        [[listen]]
        protocol = "tcp"
        address = "[::1]:5070"
        [[voice_connector]]
        id = "abc"
        [voice_connector.termination]
        allowlist = ["192.0.2.0/24"]
        [[carrier]]
        name = "carrier-a"
        allowlist = ["198.51.100.1/32"]
        prefixes = []
        outbound_proxy = "sip:198.51.100.8:5070;lr"
        [[carrier.host]]
        host = "198.51.100.9"
        [[carrier.host]]
        host = "carrier.example.com"
    "#;

    #[test]
    fn each_listener_has_its_number_and_every_address_counts() {
        let (config, _) = Config::parse(CONFIG, Path::new("gateway.toml")).unwrap();
        let listener = |id, transport, address: &str| Listener {
            id: ListenerId(id),
            transport,
            address: address.parse().unwrap(),
        };
        assert_eq!(
            listeners(&config),
            [listener(0, Transport::Udp, "127.0.0.1:5060"), listener(1, Transport::Tcp, "[::1]:5070")]
        );
        let networks: Vec<String> = listed(&config).iter().map(IpNet::to_string).collect();
        assert_eq!(networks, ["192.0.2.0/24", "198.51.100.1/32", "198.51.100.9/32", "198.51.100.8/32"]);
    }
}
