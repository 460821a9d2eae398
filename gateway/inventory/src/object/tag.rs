//! Tags of resources.

use serde::{Deserialize, Serialize};

/// `Tag`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tag {
    /// `Key`.
    pub key: String,
    /// `Value`.
    pub value: String,
}

/// The tags of one resource.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tags {
    /// The resource's part of its ARN: `vc/<id>`, `vcg/<id>`.
    pub resource: String,
    /// In the order of their keys, none twice.
    pub tags: Vec<Tag>,
}
