//! What a configuration promises and has no room for, and whom nothing but an address vouches for: warnings.

use crate::read::{At, Reader};
use crate::{Config, Transport, VoiceConnector};

/// Media ports that a call takes: RTP and RTCP for each leg.
const PORTS_OF_A_CALL: u64 = 4;

/// So many names stand in a warning.
const NAMED: usize = 3;

/// Warns where calls find no room or anybody could place them.
///
/// - `at`: where `[media]` is; the start of the first file where it is not.
pub(crate) fn warn(reader: &Reader<'_>, at: At, config: &Config) {
    warn_of_ports(reader, at, config);
    warn_of_forgers(reader, at, config);
}

fn warn_of_ports(reader: &Reader<'_>, at: At, config: &Config) {
    let media = &config.media;
    let ports = 2 * u64::from(media.ports.pairs());
    let addresses = config.media_addresses().len().max(1) as u64;
    let calls = addresses * ports.saturating_sub(u64::from(media.emergency_ports)) / PORTS_OF_A_CALL;
    if calls == 0 {
        let remedy = "write a wider range of ports";
        let text = format!("media.ports {} has no room for a call, which takes four; {remedy}", media.ports);
        return reader.warn(at, text);
    }
    let limits = |connector: &VoiceConnector| {
        let out = connector.termination.enabled.then_some(connector.termination.max_calls);
        let inward = connector.origination.enabled.then_some(connector.origination.max_calls);
        u64::from(out.unwrap_or(0)) + u64::from(inward.unwrap_or(0))
    };
    let promised: u64 = config.voice_connector.iter().map(|connector| limits(connector)).sum();
    if promised > calls {
        let text = format!(
            "the max_calls of all voice connectors are {promised} together, and media.ports has room for {calls} \
             calls, so that some get 503 below their limits; write a wider range or lower limits"
        );
        reader.warn(at, text);
    }
}

/// A datagram's source can be forged by whoever is not on the same host.
fn warn_of_forgers(reader: &Reader<'_>, at: At, config: &Config) {
    if config.listen.iter().all(|listen| listen.protocol != Transport::Udp) {
        return;
    }
    let by_address = |connector: &&std::sync::Arc<VoiceConnector>| {
        let termination = &connector.termination;
        termination.enabled
            && !connector.encryption
            && termination.credentials.is_empty()
            && termination.allowlist.iter().any(|net| !net.addr().is_loopback())
    };
    let ids: Vec<&str> =
        config.voice_connector.iter().filter(by_address).map(|connector| connector.id.as_str()).collect();
    let more = match ids.len().saturating_sub(NAMED) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    if !ids.is_empty() {
        let named: Vec<&str> = ids.iter().copied().take(NAMED).collect();
        let text = format!(
            "who forges an address of its allowlist can call by UDP as voice connector {}{more}; write credentials, or \
             call over TCP or TLS and leave UDP out",
            named.join(", ")
        );
        reader.warn(at, text);
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn warnings(text: &str) -> Vec<String> {
        let (_, warnings) = Config::parse(text, Path::new("f.toml")).unwrap();
        warnings.into_iter().map(|warning| warning.text).filter(|text| !text.contains("emergency")).collect()
    }

    fn with(listen: &str, media: &str, connector: &str) -> Vec<String> {
        warnings(&format!(
            "[[listen]]\nprotocol = \"{listen}\"\naddress = \"192.0.2.1:5060\"\n[media]\n{media}\n\
             [[voice_connector]]\nid = \"pbx\"\ntermination = {{ {connector} }}\n\
             origination = {{ route = [{{ host = \"192.0.2.20\", protocol = \"{listen}\" }}] }}\n"
        ))
    }

    const PBX: &str = "allowlist = [\"192.0.2.20/32\"], calling_plan = [\"US\"]";

    #[test]
    fn ports_without_room_for_a_call() {
        for ports in ["[5000, 5001]", "[5000, 5003]\nemergency_ports = 1"] {
            let found = with("tcp", &format!("ports = {ports}"), PBX);
            assert!(found[0].contains("has no room for a call, which takes four"), "{found:?}");
        }
    }

    #[test]
    fn limits_above_the_ports() {
        let found = with("tcp", "ports = [10000, 13999]", PBX);
        assert_eq!(found.len(), 1);
        assert!(found[0].contains("are 4000 together, and media.ports has room for 995 calls"), "{found:?}");
        assert_eq!(with("tcp", "ports = [10000, 26999]", PBX), [""; 0]);
    }

    #[test]
    fn udp_without_credentials() {
        let found = with("udp", "", PBX);
        assert!(found[0].contains("can call by UDP as voice connector pbx;"), "{found:?}");
        let proven = format!("{PBX}, credentials = [{{ username = \"a\", password = \"b\" }}]");
        assert_eq!(with("udp", "", &proven), [""; 0]);
        assert_eq!(with("udp", "", &PBX.replace("192.0.2.20/32", "127.0.0.2/32")), [""; 0]);
        assert_eq!(with("tcp", "", PBX), [""; 0]);
    }
}
