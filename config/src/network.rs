use std::net::IpAddr;

use ipnet::IpNet;

use crate::NetworkName;

use crate::check::Kind;
use crate::read::{Item, Table};
use crate::value::{cidr, ip_address};

/// `[[network]]`: one side of a gateway with an inside and an outside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Network {
    /// Unique.
    pub name: NetworkName,
    /// Peers reached without the advertised address. Default: none.
    pub local: Vec<IpNet>,
    /// Where media of this side is relayed. Default: none, `media.address`.
    pub media_address: Option<IpAddr>,
}

impl Network {
    pub(crate) fn read(table: &Table<'_>) -> Option<Self> {
        let item = table.required("name", "name = \"inside\"")?;
        let name = item.name_text()?;
        table.reader().fact(|facts| facts.name(Kind::Network, name, item.at()));
        Some(Self {
            name: name.into(),
            local: nets(table.get("local")),
            media_address: table.get("media_address").and_then(|item| item.text(ip_address)),
        })
    }
}

/// The CIDRs of a list; none where it is not there.
pub(crate) fn nets(item: Option<Item<'_>>) -> Vec<IpNet> {
    let items = item.and_then(|item| item.list()).unwrap_or_default();
    items.iter().filter_map(|item| item.text(cidr)).collect()
}
