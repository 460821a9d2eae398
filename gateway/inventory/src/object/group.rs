//! Groups of voice connectors.

use serde::{Deserialize, Serialize};

use crate::names::names;

/// A voice connector group: inbound calls fail over across its items.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Group {
    /// `VoiceConnectorGroupId`: a UUID where we made it.
    pub id: String,
    /// `Name`.
    pub name: String,
    /// `VoiceConnectorItems`. Without any, the group's numbers take no calls.
    pub items: Vec<GroupItem>,
    /// `CallDistributionType`.
    pub distribution: CallDistribution,
}

/// `VoiceConnectorItem`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GroupItem {
    /// `VoiceConnectorId`: of the store or of the files.
    pub connector: String,
    /// `Priority`, 1 to 99, lowest first.
    pub priority: u32,
}

names! {
    /// `CallDistributionType`.
    CallDistribution {
        /// By priority.
        PriorityWeighted = "PriorityWeightedDistribution",
        /// By load: not made here.
        LoadBalanced = "LoadBalancedDistribution",
    }
}
