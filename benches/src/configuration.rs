//! The daemon's configuration: one customer, one carrier, nobody limited.

use crate::daemon::{Options, Subject};

/// For the customer and the carrier of a subject.
pub fn configuration(subject: &Subject, driver: Option<&str>, options: &Options) -> String {
    let (protocol, gateway) = (options.transport.name(), subject.gateway());
    let (admin, customer, carrier) = (subject.address(1), subject.address(2), subject.address(3));
    let key = |name: &str, value: Option<&str>| {
        value.map_or(String::new(), |value| format!("{name} = \"{value}\""))
    };
    let kernel = key("kernel", options.kernel.then_some("auto"));
    let (driver, durability) = (key("driver", driver), key("durability", options.durability));
    let records = if durability.is_empty() { String::new() } else { format!("[records]\n{durability}") };
    let srtp = if options.srtp {
        "[carrier.peer]\nsrtp = \"required\"\nsrtp_suites = [\"AES_CM_128_HMAC_SHA1_80\"]"
    } else {
        ""
    };
    format!(
        r#"
[[listen]]
protocol = "{protocol}"
address = "{gateway}"

[admin]
address = "{admin}:9090"

[media]
ports = [1024, 65534]
{driver}
{kernel}

{records}

[[voice_connector]]
id = "office"

[voice_connector.termination]
allowlist = ["{customer}/32"]
calling_plan = ["US"]
cps_limit = 100000
max_calls = 100000

[[phone_number]]
number = "+12065550100"
voice_connector = "office"

[[carrier]]
name = "carrier"
allowlist = ["{carrier}/32"]
{srtp}

[[carrier.host]]
host = "{carrier}"
port = 5060
protocol = "{protocol}"
"#
    )
}
