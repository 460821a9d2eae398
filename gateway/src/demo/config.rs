//! The gateway's configuration for the demo, as an operator would write it.

use std::net::SocketAddr;
use std::path::Path;

use config::{Config, ConfigErrors};

/// The domain of the connectors.
pub const DOMAIN: &str = "voice.example";

/// Where the phones are.
#[derive(Debug, Clone, Copy)]
pub struct Addresses {
    /// The head office's PBX.
    pub pbx: SocketAddr,
    /// The same over TLS.
    pub secure_pbx: SocketAddr,
    /// The branch's.
    pub branch: SocketAddr,
    /// The first carrier, which speaks UDP.
    pub carrier_a: SocketAddr,
    /// The second, which speaks TCP and wants numbers without `+`.
    pub carrier_b: SocketAddr,
}

/// The file, with the phones where they are. Port 0 lets the system pick the gateway's own.
///
/// - `directory`: has the certificates, and gets the records.
pub fn text(addresses: &Addresses, directory: &Path) -> String {
    let Addresses { pbx, secure_pbx, branch, carrier_a, carrier_b } = addresses;
    let directory = directory.display();
    format!(
        r#"
[gateway]
region = "us-east-1"
domain = "{DOMAIN}"
account = "111122223333"
default_calling_name = "Example Inc"

[[listen]]
protocol = "udp"
address = "127.0.0.1:0"

[[listen]]
protocol = "tcp"
address = "127.0.0.1:0"

[[listen]]
protocol = "tls"
address = "127.0.0.1:0"
certificate = '{directory}/gateway.pem'
key = '{directory}/gateway.key'

[tls]
ca = '{directory}/ca.pem'

[media]
ports = [20000, 29999]

[records]
directory = '{directory}/records'

[admin]
address = "127.0.0.1:0"

# ---- The head office: a plain trunk that does it all. ----

[[voice_connector]]
id = "headoffice"

[voice_connector.termination]
max_calls = 100
allowlist = ["{pbx_ip}/32"]
calling_plan = ["US", "CA", "GB", "FR"]
denied_prefixes = ["+1907"]

[voice_connector.origination]
max_calls = 100

[[voice_connector.origination.route]]
host = "{pbx_ip}"
port = {pbx_port}

[[voice_connector.emergency]]
country = "US"
digits = ["911"]
routing_number = "+15105550111"

[voice_connector.logging]
sip_messages = true

# ---- The branch: it has to prove who it is. ----

[[voice_connector]]
id = "branch"

[voice_connector.termination]
max_calls = 100
allowlist = ["{branch_ip}/32"]
calling_plan = ["US"]
credentials = [{{ username = "branch", password = "correct horse battery staple" }}]

[voice_connector.origination]
max_calls = 100
first_response_timeout = "1s"

[[voice_connector.origination.route]]
host = "{branch_ip}"
port = {branch_port}

# ---- A trunk that nobody can listen to: TLS and SRTP only. ----

[[voice_connector]]
id = "encrypted"
encryption = true

[voice_connector.termination]
max_calls = 100
allowlist = ["{pbx_ip}/32"]
calling_plan = ["US"]

[voice_connector.origination]
max_calls = 100

[[voice_connector.origination.route]]
host = "{pbx_ip}"
port = {secure_pbx_port}
protocol = "tls"

# ---- Three that have something to refuse. ----

[[voice_connector]]
id = "closed"

[voice_connector.termination]
enabled = false
allowlist = ["{pbx_ip}/32"]

[voice_connector.origination]
enabled = false

[[voice_connector.origination.route]]
host = "{pbx_ip}"
port = {pbx_port}

[[voice_connector]]
id = "single"

[voice_connector.termination]
allowlist = ["{pbx_ip}/32"]
calling_plan = ["US"]
max_calls = 1

[[voice_connector]]
id = "hasty"

[voice_connector.termination]
max_calls = 100
allowlist = ["{pbx_ip}/32"]
calling_plan = ["US"]
cps_limit = 1

# ---- Numbers ----

[[voice_connector_group]]
id = "mainline"
members = [
  {{ voice_connector = "branch", priority = 1 }},
  {{ voice_connector = "headoffice", priority = 2 }},
]

[[phone_number]]
number = "+12065550100"
voice_connector = "headoffice"
calling_name = "Head office"

[[phone_number]]
number = "+12065550101"
voice_connector = "branch"

[[phone_number]]
number = "+12065550102"
voice_connector = "closed"

[[phone_number]]
number = "+12065550103"
voice_connector = "single"

[[phone_number]]
number = "+12065550104"
voice_connector = "hasty"

[[phone_number]]
number = "+12065550105"
voice_connector = "encrypted"

[[phone_number]]
number = "+12065550199"
voice_connector_group = "mainline"

# ---- Carriers ----

[[carrier]]
name = "carrier-a"
allowlist = ["{a_ip}/32"]
prefixes = ["+1"]

[[carrier.host]]
host = "{a_ip}"
port = {a_port}

[carrier.peer]
pass_headers = ["X-*"]

[[carrier]]
name = "carrier-b"
allowlist = ["{b_ip}/32"]
prefixes = ["+1", "+44"]
priority = 2
number_format = "e164-without-plus"

[[carrier.host]]
host = "{b_ip}"
port = {b_port}
protocol = "tcp"
"#,
        pbx_ip = pbx.ip(),
        pbx_port = pbx.port(),
        secure_pbx_port = secure_pbx.port(),
        branch_ip = branch.ip(),
        branch_port = branch.port(),
        a_ip = carrier_a.ip(),
        a_port = carrier_a.port(),
        b_ip = carrier_b.ip(),
        b_port = carrier_b.port(),
    )
}

/// The configuration of [`text`].
///
/// # Errors
/// The configuration has mistakes.
pub fn parse(addresses: &Addresses, directory: &Path) -> Result<Config, ConfigErrors> {
    Config::parse(&text(addresses, directory), Path::new("demo.toml")).map(|(config, _)| config)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_is_a_configuration_that_warns_of_missing_emergency_entries_only() {
        let at = |text: &str| text.parse().unwrap();
        let addresses = Addresses {
            pbx: at("127.0.0.2:5060"),
            secure_pbx: at("127.0.0.2:5061"),
            branch: at("127.0.0.5:5060"),
            carrier_a: at("127.0.0.3:5060"),
            carrier_b: at("127.0.0.6:5060"),
        };
        let text = text(&addresses, Path::new("directory"));
        let (config, warnings) = Config::parse(&text, Path::new("demo.toml")).unwrap();
        // One of the refusals is just this.
        let told = |warning: &&config::Warning| !warning.text.contains("takes no emergency calls");
        assert_eq!(warnings.iter().find(told), None);
        assert_eq!(config.voice_connector.len(), 6);
    }
}
