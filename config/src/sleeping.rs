use crate::{Config, available};

impl Config {
    /// What the file asks for and this version has not learnt yet without being an error: a line each, for
    /// the start of the daemon.
    pub fn sleeping(&self) -> Vec<String> {
        let mut lines = Vec::new();
        for listen in self.listen.iter().filter(|listen| listen.sleeps()) {
            lines.push(format!("listener {} {} sleeps: {TLS}", listen.protocol, listen.address));
        }
        for connector in &self.voice_connector {
            let id = &connector.id;
            if connector.sleeps() {
                lines.push(format!("voice connector {id} ({}) sleeps: {ENCRYPTION}", connector.name));
                continue;
            }
            for route in connector.origination.route.iter().filter(|route| route.sleeps()) {
                lines.push(format!("route {} of voice connector {id} sleeps: {TLS}", route.host));
            }
        }
        for carrier in &self.carrier {
            for host in carrier.host.iter().filter(|host| host.sleeps()) {
                lines.push(format!("host {} of carrier {} sleeps: {TLS}", host.host, carrier.name));
            }
        }
        lines
    }
}

const TLS: &str = "TLS is not available yet in this version";

const ENCRYPTION: &str = match (available::TLS, available::SRTP) {
    (true, false) => "SRTP is not available yet in this version",
    _ => "TLS and SRTP are not available yet in this version",
};
