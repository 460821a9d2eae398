//! What belongs to a number.

use crate::{CallingName, ConnectorId, E164, GroupId};

use crate::check::Kind;
use crate::read::Table;

/// What belongs to a number: `[[phone_number]]`, or a line of the inventory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NumberEntry {
    /// Where inbound calls go, and who may show the number.
    pub owner: Owner,
    /// Default: none; see `gateway.default_calling_name`.
    pub calling_name: Option<CallingName>,
}

/// Who has a number: one connector or one group of this configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Owner {
    /// `voice_connector`.
    Connector(ConnectorId),
    /// `voice_connector_group`: every member owns it.
    Group(GroupId),
}

impl NumberEntry {
    /// The number and what belongs to it.
    pub(crate) fn read(table: &Table<'_>) -> Option<(E164, Self)> {
        let number = table.required("number", "number = \"+12065550100\"").and_then(|item| {
            let number: E164 = item.parse()?;
            table.reader().fact(|facts| facts.numbers.push((number.clone(), item.at())));
            Some(number)
        });
        let owner = |key, kind| {
            let item = table.get(key)?;
            let id = item.string()?;
            table.reader().fact(|facts| facts.refer(kind, id, item.at()));
            Some(id)
        };
        let connector = owner("voice_connector", Kind::Connector);
        let group = owner("voice_connector_group", Kind::Group);
        if let (Some(_), Some(group)) = (table.get("voice_connector"), table.get("voice_connector_group")) {
            group.error("the number has both a voice connector and a group", "remove one of the two");
        } else if table.get("voice_connector").is_none() && table.get("voice_connector_group").is_none() {
            let remedy = "write voice_connector = \"...\" or voice_connector_group = \"...\"";
            table.reader().error(table.at(), "the number has neither a voice connector nor a group", remedy);
        }
        let calling_name = table.get("calling_name").and_then(|item| item.parse());
        let owner = connector
            .map(|id| Owner::Connector(id.into()))
            .or_else(|| group.map(|id| Owner::Group(id.into())))?;
        Some((number?, Self { owner, calling_name }))
    }
}
