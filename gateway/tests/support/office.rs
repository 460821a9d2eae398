//! The configuration of a small trunk: one connector, one number, one carrier.

use super::{Gateway, Net, Script, Sipp, SippRun};

/// The connector's number.
pub const OURS: &str = "+12065550100";

/// A number that any carrier reaches.
pub const THEIRS: &str = "+16285551212";

/// Calls from the PBX go to the carrier's port 5060, calls from the carrier to the PBX's port 5070.
pub struct Office<'a> {
    pub net: Net,
    pub protocol: &'a str,
    /// More keys of `[voice_connector.termination]`.
    pub termination: &'a str,
    /// More tables, after those of the carrier.
    pub more: &'a str,
}

impl<'a> Office<'a> {
    pub fn new(net: Net, protocol: &'a str) -> Office<'a> {
        Office { net, protocol, termination: "", more: "" }
    }

    /// The connector `office` and the carrier `carrier`.
    pub fn config(&self) -> String {
        let Office { net, protocol, termination, more } = self;
        let [gateway, admin] = [net.gateway(), net.admin()];
        let [pbx, carrier] = [net.pbx(), net.carrier()];
        format!(
            r#"
[[listen]]
protocol = "{protocol}"
address = "{gateway}"

[admin]
address = "{admin}"

[[voice_connector]]
id = "office"

[voice_connector.termination]
allowlist = ["{pbx}", "127.0.0.1"] # Some phones call over TCP from where the system has it.
calling_plan = ["US"]
{termination}

[[voice_connector.origination.route]]
host = "{pbx}"
port = 5070
protocol = "{protocol}"

[[phone_number]]
number = "{OURS}"
voice_connector = "office"

[[carrier]]
name = "carrier"
allowlist = ["{carrier}"]

[[carrier.host]]
host = "{carrier}"
port = 5060
protocol = "{protocol}"
{more}
"#
        )
    }
}

/// SIPp at 127.0.N.`host`:5060 over UDP, for one call.
pub fn listens(net: Net, host: u8, callee: Script) -> SippRun {
    Sipp::new("callee", callee, net.at(host, 5060), "u1").listen()
}

/// One call from the PBX to [`THEIRS`] over UDP.
pub fn calls(gateway: &Gateway, caller: Script) -> SippRun {
    let sipp = Sipp::new("caller", caller, gateway.net.at(2, 5061), "u1").key("from", OURS).to(THEIRS);
    sipp.call(gateway.net.gateway())
}
