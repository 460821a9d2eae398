//! Whom a request to a host names, and where it is sent.

use std::fmt;

use config::{OutboundProxy, Route, UriParameters};
use sip::SipUri;
use smol_str::{SmolStr, ToSmolStr, format_smolstr};

use crate::peer::Transport;
use crate::resolve::Lookup;

/// A host as the configuration or a registration names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// Host and port, as in a URI.
    host: SmolStr,
    /// The host's own transport, whatever carries a request to its outbound proxy, and what else the operator wants.
    parameters: SmolStr,
    user: Option<SmolStr>,
    to_user: Option<SmolStr>,
    /// The URI that a contact has registered under.
    contact: Option<SmolStr>,
    /// Where requests are sent: the host, or the outbound proxy in its place. RFC 3263.
    pub lookup: Lookup,
    /// The values of their Route header: the outbound proxy, a loose router (RFC 3261 §8.1.2), or what a contact registered
    /// through (RFC 3327 §5.3).
    pub route: Vec<String>,
    /// The Request-URI is more than the number at the host.
    is_unusual: bool,
}

impl Target {
    /// - `proxy`: the carrier's `outbound_proxy`.
    pub fn new(host: &Route, proxy: Option<&OutboundProxy>) -> Self {
        let at = |host: &config::Host, port, protocol: Transport| Lookup {
            host: host.to_string().into(),
            port,
            transport: protocol,
        };
        let lookup = match proxy {
            Some(proxy) => at(&proxy.host, proxy.port, proxy.protocol),
            None => at(&host.host, host.port, host.protocol),
        };
        let route = |proxy: &OutboundProxy| {
            let place = host_port(&proxy.host, proxy.port);
            format!("<sip:{place}{};lr>", transport_parameter(proxy.protocol))
        };
        Self {
            host: host_port(&host.host, host.port),
            parameters: format_smolstr!("{}{}", transport_parameter(host.protocol), host.uri_parameters),
            user: host.user.as_deref().map(SmolStr::from),
            to_user: host.to_user.as_deref().map(SmolStr::from),
            contact: None,
            lookup,
            route: proxy.map(route).into_iter().collect(),
            is_unusual: host.user.is_some() || host.uri_parameters != UriParameters::default(),
        }
    }

    /// A contact that has registered.
    ///
    /// - `route`: what it registered through.
    pub fn registered(uri: &SipUri, route: Vec<String>, lookup: Lookup) -> Self {
        Self {
            host: host_port(&uri.host, uri.port),
            parameters: SmolStr::default(),
            user: None,
            to_user: None,
            contact: Some(uri.to_smolstr()),
            lookup,
            route,
            is_unusual: false,
        }
    }

    /// Host and port, as in a URI.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The Request-URI of a call to `number`.
    pub fn request_uri<'a>(&'a self, number: &'a str) -> impl fmt::Display + use<'a> {
        let user = self.user.as_deref().unwrap_or(number);
        fmt::from_fn(move |f| match &self.contact {
            Some(contact) => f.write_str(contact),
            None => write!(f, "{}{}", uri(Some(user), &self.host), self.parameters),
        })
    }

    /// Whether the number that is called stands in Request-URI and To, and nothing else is said of it there.
    pub fn names_the_number(&self) -> bool {
        !self.is_unusual && self.to_user.is_none() && self.contact.is_none()
    }

    /// The Request-URI of a question to the host itself.
    pub fn host_uri(&self) -> String {
        format!("{}{}", uri(None, &self.host), self.parameters)
    }

    /// The user part of To, as it is meant.
    pub fn to_user<'a>(&'a self, number: &'a str) -> &'a str {
        self.to_user.as_deref().unwrap_or(number)
    }

    /// The URI of To, of a call to `number` or, without one, of a question to the host itself.
    pub fn to_uri<'a>(&'a self, number: Option<&'a str>) -> impl fmt::Display + use<'a> {
        uri(number.map(|number| self.to_user(number)), &self.host)
    }

    /// Whether requests go by way of an outbound proxy.
    pub fn has_proxy(&self) -> bool {
        self.contact.is_none() && !self.route.is_empty()
    }

    /// What a person should know of it beside the number: the Request-URI and To, where they are not just the number at
    /// the host, and the way there. Empty, or with a comma before it.
    pub fn notes(&self, number: &str) -> String {
        let mut notes = String::new();
        if self.is_unusual {
            notes.push_str(&format!(", Request-URI {}", self.request_uri(number)));
        }
        if self.to_user.is_some() {
            notes.push_str(&format!(", To {}", self.to_uri(Some(number))));
        }
        if self.has_proxy() {
            let Lookup { host, port, transport } = &self.lookup;
            notes.push_str(&format!(", by way of {} over {transport}", host_port(host, *port)));
        }
        notes
    }
}

/// - `host`: host and port.
fn uri<'a>(user: Option<&'a str>, host: &'a str) -> impl fmt::Display + use<'a> {
    fmt::from_fn(move |f| match user {
        Some(user) => write!(f, "sip:{}@{host}", sip::uri::escape_user(user)),
        None => write!(f, "sip:{host}"),
    })
}

fn host_port(host: impl fmt::Display, port: Option<u16>) -> SmolStr {
    match port {
        Some(port) => format_smolstr!("{host}:{port}"),
        None => host.to_smolstr(),
    }
}

fn transport_parameter(transport: Transport) -> &'static str {
    match transport {
        Transport::Udp => "",
        Transport::Tcp => ";transport=tcp",
        Transport::Tls => ";transport=tls",
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use config::Config;

    use super::*;

    /// Request-URI, To and Route of a call to +1206, the Request-URI of a probe, and where they go.
    fn check(host: &str, proxy: &str, expected: [&str; 5]) {
        let text = format!(
            "listen = [{{ address = \"192.0.2.10\" }}]\ncarrier = [{{ name = \"c\", {proxy} host = [{{ {host} }}] }}]"
        );
        let (config, _) = Config::parse(&text, Path::new("f.toml")).unwrap();
        let carrier = &config.carrier[0];
        let target = Target::new(&carrier.host[0], carrier.outbound_proxy.as_ref());
        let Lookup { host, port, transport } = &target.lookup;
        let way = format!("{host} {port:?} {transport}");
        let route = target.route.concat();
        let uris = [target.request_uri("+1206").to_string(), target.to_uri(Some("+1206")).to_string()];
        let [request_uri, to_uri] = uris;
        let told = [request_uri, to_uri, route, target.host_uri(), way];
        assert_eq!(told, expected);
    }

    #[test]
    fn a_request_names_the_host_wherever_it_goes() {
        check(
            "host = \"192.0.2.30\", port = 5070",
            "",
            [
                "sip:+1206@192.0.2.30:5070",
                "sip:+1206@192.0.2.30:5070",
                "",
                "sip:192.0.2.30:5070",
                "192.0.2.30 Some(5070) udp",
            ],
        );
        check(
            "host = \"sip.carrier.example\", protocol = \"tls\"",
            "outbound_proxy = \"sip:[2001:db8::1]:5070;transport=tcp;lr\",",
            [
                "sip:+1206@sip.carrier.example;transport=tls",
                "sip:+1206@sip.carrier.example",
                "<sip:[2001:db8::1]:5070;transport=tcp;lr>",
                "sip:sip.carrier.example;transport=tls",
                "[2001:db8::1] Some(5070) tcp",
            ],
        );
        check(
            "host = \"sip.api.example\", protocol = \"tls\", user = \"proj a\", to_user = \"desk\", uri_parameters = \"x=1\"",
            "",
            [
                "sip:proj%20a@sip.api.example;transport=tls;x=1",
                "sip:desk@sip.api.example",
                "",
                "sip:sip.api.example;transport=tls;x=1",
                "sip.api.example None tls",
            ],
        );
    }
}
