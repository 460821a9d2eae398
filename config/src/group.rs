use crate::{ConnectorId, GroupId, Priority};

/// `[[voice_connector_group]]`: inbound calls fail over across its members.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VoiceConnectorGroup {
    /// Unique.
    pub id: GroupId,
    /// For people. Default: the id.
    pub name: String,
    /// By priority, then in the file's order; not empty, no connector twice.
    pub members: Vec<Member>,
}

/// One connector of a group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// A connector of this configuration.
    pub voice_connector: ConnectorId,
    /// Default: 1.
    pub priority: Priority,
}
