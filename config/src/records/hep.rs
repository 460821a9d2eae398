//! `[[records.hep]]`: a collector that speaks HEP3, such as Homer.

use crate::Secret;
use crate::read::Table;
use crate::value::HostPort;

/// A collector of SIP messages and RTCP reports, told as they cross.
#[derive(Debug, Clone)]
pub struct Hep {
    /// 1 to 64 letters, digits, `-` or `_`. Metrics have it as a label.
    pub name: String,
    /// Where it is.
    pub address: HostPort,
    /// How it is reached. Default: UDP.
    pub transport: HepTransport,
    /// Which agent we are to it. Default: 2001.
    pub capture_id: u32,
    /// What it knows us by.
    pub password: Option<Secret>,
}

/// What carries HEP3.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HepTransport {
    /// A datagram for each message.
    Udp,
    /// A connection.
    Tcp,
}

impl Hep {
    fn read(table: &Table<'_>, known: &[Hep]) -> Option<Self> {
        let item = table.required("name", "name = \"homer\"");
        let name = item.as_ref().and_then(crate::gateway::label);
        if let (Some(item), Some(name)) = (&item, &name)
            && known.iter().any(|hep| hep.name == *name)
        {
            item.wrong(format!("there is another collector {name:?}"), "another name");
        }
        let address = table.required("address", "address = \"homer.example.com:9060\"");
        let address = address.and_then(|item| item.parse());
        let choices = &[("udp", HepTransport::Udp), ("tcp", HepTransport::Tcp)];
        let transport = table.get("transport").and_then(|item| item.choice(choices));
        let capture_id = table.get("capture_id").and_then(|item| item.integer(1, u32::MAX.into()));
        let password = table.get("password").and_then(|item| Secret::read(&item));
        Some(Self {
            name: name?,
            address: address?,
            transport: transport.unwrap_or(HepTransport::Udp),
            capture_id: capture_id.unwrap_or(2_001),
            password,
        })
    }
}

/// All collectors.
pub(super) fn read(records: &Table<'_>) -> Vec<Hep> {
    let mut known = Vec::new();
    for table in records.get("hep").map(|item| item.tables("hep")).unwrap_or_default() {
        known.extend(Hep::read(&table, &known));
    }
    known
}
