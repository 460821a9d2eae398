//! How a contact is reached.

use config::Nat;
use sip::registration::{Asked, Contact};
use sip::{NameAddr, SipUri, Uri};

use crate::peer::{Peer, Transport};
use crate::realm::leads_nowhere;
use crate::resolve::Lookup;

/// How a contact is reached: by the flow that its REGISTER came by, or where it says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Way {
    /// Where the REGISTER came from: a datagram's address, a connection. For a connection `remote` is where it may be
    /// dialled again.
    pub flow: Peer,
    /// Where the Contact or the first Path says, where that counts.
    pub place: Option<Lookup>,
    /// The connection can be opened anew from here.
    dialable: bool,
}

impl Way {
    /// By a flow alone.
    pub fn by(flow: Peer) -> Way {
        Way { flow, place: None, dialable: false }
    }

    /// How `contact` is reached, whose REGISTER came by `flow`, as the `nat` key has it.
    pub fn new(nat: Nat, asked: &Asked, contact: &Contact, flow: Peer) -> Way {
        let first = asked.path.first().and_then(|path| sip_uri(path));
        let uri = first.as_ref().unwrap_or(&contact.uri);
        let source = flow.remote.ip();
        let address = uri.host.address().filter(|ip| !leads_nowhere(*ip, source));
        let elsewhere = address.is_some_and(|ip| ip.to_canonical() != source.to_canonical());
        let by_contact = match nat {
            Nat::Never => true,
            Nat::Auto => elsewhere && flow.connection.is_none(),
            Nat::Always => false,
        };
        if by_contact {
            let transport = transport_of(uri).unwrap_or(flow.transport);
            let place = Lookup { host: uri.host.to_string().into(), port: uri.port, transport };
            return Way { place: Some(place), ..Way::by(flow) };
        }
        let mut way = Way::by(flow);
        if way.flow.connection.is_some() && address.is_some() && !elsewhere {
            way.dialable = true;
            way.flow.remote.set_port(uri.port.unwrap_or_else(|| way.flow.transport.default_port()));
        }
        way
    }

    /// Whether the Contact is not where its REGISTER came from, so that something between them translates.
    pub fn is_behind_nat(contact: &Contact, flow: &Peer) -> bool {
        let source = flow.remote.ip().to_canonical();
        flow.transport == Transport::Udp
            && contact.uri.host.address().is_none_or(|ip| ip.to_canonical() != source)
    }

    /// The same once its connection is gone; `None`: then it leads nowhere.
    pub(super) fn without_connection(&self) -> Option<Way> {
        let flow = Peer { connection: None, ..self.flow.clone() };
        (self.dialable || self.place.is_some()).then(|| Way { flow, ..self.clone() })
    }
}

fn sip_uri(value: &str) -> Option<SipUri> {
    match NameAddr::parse(value).ok()?.uri {
        Uri::Sip(uri) => Some(uri),
        _ => None,
    }
}

fn transport_of(uri: &SipUri) -> Option<Transport> {
    if uri.secure {
        return Some(Transport::Tls);
    }
    let asked = uri.param("transport")?;
    [Transport::Udp, Transport::Tcp, Transport::Tls]
        .into_iter()
        .find(|transport| transport.parameter().eq_ignore_ascii_case(asked))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::peer::{ConnectionId, ListenerId};
    use sip::registration::Change;

    fn way(nat: Nat, contact: &str, path: &[&str], connection: Option<u64>) -> String {
        let Uri::Sip(uri) = Uri::parse(contact).unwrap() else { panic!() };
        let contact = Contact { uri, expires: None, q: 1000, instance: None, reg_id: None, bulk: false };
        let path = path.iter().map(|path| (*path).to_owned()).collect();
        let asked = Asked { call_id: String::new(), cseq: 1, change: Change::Fetch, path };
        let transport = if connection.is_some() { Transport::Tcp } else { Transport::Udp };
        let mut flow = Peer::new(transport, ListenerId(0), "198.51.100.1:6000".parse().unwrap());
        flow.connection = connection.map(ConnectionId);
        let way = Way::new(nat, &asked, &contact, flow);
        let place =
            way.place.as_ref().map(|place| format!("{} {:?} {}", place.host, place.port, place.transport));
        let lost = way.without_connection().is_some();
        place.unwrap_or_else(|| format!("flow {}{}", way.flow.remote, if lost { ", dialled" } else { "" }))
    }

    #[test]
    fn where_a_contact_is() {
        let there = "sip:a@203.0.113.9:5070";
        for (nat, contact, path, connection, expect) in [
            (Nat::Auto, "sip:a@10.0.0.9", &[][..], None, "flow 198.51.100.1:6000"),
            (Nat::Auto, "sip:a@198.51.100.1:5070", &[], None, "flow 198.51.100.1:6000"),
            (Nat::Auto, "sip:pbx.example.com", &[], None, "flow 198.51.100.1:6000"),
            (Nat::Auto, there, &[], None, "203.0.113.9 Some(5070) udp"),
            (Nat::Always, there, &[], None, "flow 198.51.100.1:6000"),
            (Nat::Never, "sip:a@10.0.0.9;transport=tcp", &[], None, "10.0.0.9 None tcp"),
            (Nat::Never, "sip:pbx.example.com", &[], None, "pbx.example.com None udp"),
            (Nat::Never, "sips:pbx.example.com", &[], None, "pbx.example.com None tls"),
            (Nat::Never, there, &["<sip:203.0.113.7;lr>"], None, "203.0.113.7 None udp"),
            (Nat::Auto, "sip:a@10.0.0.9", &[], Some(1), "flow 198.51.100.1:6000"),
            (Nat::Auto, there, &[], Some(1), "flow 198.51.100.1:6000"),
            (Nat::Auto, "sip:a@198.51.100.1", &[], Some(1), "flow 198.51.100.1:5060, dialled"),
            (Nat::Auto, "sip:a@198.51.100.1:5070", &[], Some(1), "flow 198.51.100.1:5070, dialled"),
        ] {
            assert_eq!(
                way(nat, contact, path, connection),
                expect,
                "{nat:?} {contact} {path:?} {connection:?}"
            );
        }
    }
}
