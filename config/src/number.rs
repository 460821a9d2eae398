use crate::{CallingName, ConnectorId, GroupId};

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
