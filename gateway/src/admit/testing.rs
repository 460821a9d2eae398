//! A configuration with something of everything.

use std::path::Path;

use config::Config;

use crate::peer::Transport;

use super::{Facts, OfferedMedia};

pub(crate) const DOMAIN: &str = "vc.example.com";

pub(crate) const TEXT: &str = r#"
[gateway]
domain = "vc.example.com"
default_calling_name = "Example Inc"

[[listen]]
protocol = "udp"
address = "127.0.0.1:5060"

[media]
address = "127.0.0.1"

[[voice_connector]]
id = "hq"
[voice_connector.termination]
allowlist = ["127.0.0.2/32", "::2/128"]
calling_plan = ["US", "CA", "JM"]
denied_prefixes = ["+1876"]
[voice_connector.origination]
first_response_timeout = "2s"
[[voice_connector.origination.route]]
host = "127.0.0.2"
port = 5070
priority = 1
weight = 3
[[voice_connector.origination.route]]
host = "127.0.0.4"
port = 5070
protocol = "tcp"
priority = 1
weight = 1
[[voice_connector.origination.route]]
host = "pbx.example.com"
priority = 2
[[voice_connector.emergency]]
country = "US"
digits = ["911"]
routing_number = "+15105550111"
test_digits = ["933"]
test_routing_number = "+15105550112"

[[voice_connector]]
id = "locked"
encryption = true
[voice_connector.termination]
allowlist = ["127.0.0.5/32"]
calling_plan = ["US"]

[[voice_connector]]
id = "digest"
[voice_connector.termination]
allowlist = ["127.0.0.7/32"]
calling_plan = ["US"]
credentials = [{ username = "u", password = "p" }]

[[voice_connector]]
id = "off"
[voice_connector.termination]
enabled = false
allowlist = ["127.0.0.8/32"]

[[voice_connector]]
id = "one"
[voice_connector.termination]
allowlist = ["127.0.0.9/32"]
calling_plan = ["US"]
carriers = ["west"]

[[voice_connector]]
id = "two"
[voice_connector.termination]
allowlist = ["127.0.0.9/32"]
calling_plan = ["US"]
caller_id_policy = "forwarded"
[voice_connector.origination]
cps_limit = 7
[[voice_connector.origination.route]]
host = "127.0.0.9"
[[voice_connector.emergency]]
country = "US"
digits = ["911"]
routing_number = "+12065550101"

[[voice_connector]]
id = "free"
[voice_connector.termination]
allowlist = ["127.0.0.10/32"]
calling_plan = ["US", "GB", "CA", "JM"]
allow_premium = ["+1900", "+881"]
caller_id = "+12065550107"
cps_limit = 5
max_calls = 6

[[voice_connector]]
id = "any"
[voice_connector.termination]
allowlist = ["127.0.0.11/32"]
calling_plan = ["US", "GB"]
caller_id_policy = "any"
identity_header = "from"

[[voice_connector_group]]
id = "main"
members = [
  { voice_connector = "two", priority = 2 },
  { voice_connector = "hq", priority = 1 },
  { voice_connector = "off", priority = 3 },
]

[[voice_connector_group]]
id = "asleep"
members = [{ voice_connector = "off", priority = 1 }, { voice_connector = "locked", priority = 2 }]

[[phone_number]]
number = "+12065550100"
voice_connector = "hq"
calling_name = "Head office"
[[phone_number]]
number = "+12065550101"
voice_connector = "two"
[[phone_number]]
number = "+12065550102"
voice_connector = "off"
[[phone_number]]
number = "+12065550103"
voice_connector = "one"
[[phone_number]]
number = "+12065550104"
voice_connector = "digest"
[[phone_number]]
number = "+12065550105"
voice_connector = "locked"
[[phone_number]]
number = "+12065550198"
voice_connector_group = "asleep"
[[phone_number]]
number = "+12065550199"
voice_connector_group = "main"

[[carrier]]
name = "east"
allowlist = ["127.0.0.3/32", "10.0.0.0/8"]
prefixes = ["+", "+1"]
failover_on = [404]
[[carrier.host]]
host = "127.0.0.3"
port = 5060
priority = 1
weight = 1
[[carrier.host]]
host = "127.0.1.3"
port = 5060
priority = 2
weight = 1

[[carrier]]
name = "west"
allowlist = ["10.1.0.0/16"]
prefixes = ["+1206", "+1"]
number_format = "e164-without-plus"
inbound_number_format = "national"
caller_id_format = "national"
country = "US"
weight = 3
[[carrier.host]]
host = "127.0.0.6"
protocol = "tcp"
[carrier.peer]
trusted = true

[[carrier]]
name = "britain"
prefixes = ["+447"]
countries = ["GB"]
[[carrier.host]]
host = "127.0.0.12"
"#;

/// The configuration of these tests.
pub(crate) fn config() -> Config {
    match Config::parse(TEXT, Path::new("test.toml")) {
        Ok((config, _)) => config,
        Err(errors) => panic!("{errors}"),
    }
}

/// A plain UDP call from `source` to `user` at the bare domain.
pub(crate) fn call(source: &str, from: &str, user: &str) -> Facts {
    let mut facts = Facts::new(source.parse().unwrap(), Transport::Udp, DOMAIN, user);
    facts.from = Some(from.to_owned());
    facts.from_host = "pbx.example.com".to_owned();
    facts.media = OfferedMedia::Plain;
    facts
}
