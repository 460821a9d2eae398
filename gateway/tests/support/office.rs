//! The configuration of a small trunk: one connector, one number, one carrier.

use serde_json::Value;

use super::{Gateway, Net, Script, Sipp, SippRun, missing};

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

    /// The same where many calls come at one time: a host that answers late, for the machine has other work, is no host that
    /// does not answer.
    pub fn patient(&self) -> String {
        let [route, carrier] = ["[[voice_connector.origination.route]]\n", "name = \"carrier\"\n"];
        let timeout = "first_response_timeout = \"30s\"\n";
        let config = self.config();
        let config = config.replacen(route, &format!("[voice_connector.origination]\n{timeout}{route}"), 1);
        config.replacen(carrier, &format!("{carrier}{timeout}"), 1)
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

/// One call from the PBX to [`THEIRS`] over UDP through the trunk with the tables of `more`, and its record. `None`: SIPp is
/// missing.
pub fn one_call(net: Net, more: &str, caller: Script, callee: Script) -> Option<Value> {
    if missing(&["sipp"]) {
        return None;
    }
    let gateway = Gateway::start(net, &Office { more, ..Office::new(net, "udp") }.config());
    let callee = listens(net, 3, callee);
    calls(&gateway, caller).succeeded();
    callee.stop();
    Some(ended(gateway))
}

/// The record of the one call that there was.
pub fn ended(gateway: Gateway) -> Value {
    let record = gateway.call_details(1).remove(0);
    gateway.settled();
    assert_eq!(gateway.metrics().sum("call_attempts_total", &[]), 1.0);
    gateway.stop();
    record
}

/// The record of a call that was answered, and ended by who hung up.
pub fn is_completed(record: Option<Value>) {
    let Some(record) = &record else { return };
    assert_eq!(record["Status"], "Completed", "{record:#}");
    assert_eq!(record["StatusMessage"], "OK", "{record:#}");
    is_billed(record);
}

/// The record of a short call: six seconds, or twelve where the machine had other work.
pub fn is_billed(record: &Value) {
    let seconds = record["BillableDurationSeconds"].as_u64();
    assert!(matches!(seconds, Some(6 | 12)), "{record:#}");
}

/// The record of a call that never was.
pub fn is_failed(record: Option<Value>, message: &str) {
    let Some(record) = record else { return };
    assert_eq!(record["Status"], "Failed", "{record:#}");
    assert_eq!(record["StatusMessage"], message, "{record:#}");
    assert_eq!(record["BillableDurationSeconds"], 0, "{record:#}");
}
