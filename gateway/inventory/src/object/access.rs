//! Who may use the API, and for what.

use serde::{Deserialize, Serialize};

use crate::Timestamp;
use crate::seal::Sealed;

/// A key that requests are signed with. Its secret is told once, when it is made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccessKey {
    /// The access key id: `AKIA` and 16 capital letters and digits.
    pub id: String,
    /// Whom it names in denials and in the audit.
    pub user: String,
    /// Made on the host: may do everything.
    pub root: bool,
    /// Names of policies. None: may do nothing.
    pub policies: Vec<String>,
    /// Refused from then on. Default: never.
    pub expires: Option<Timestamp>,
    /// Refused now.
    pub disabled: bool,
    pub(crate) secret: Sealed,
}

/// What a key may do: a document that the API's policy engine reads.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Policy {
    /// Unique.
    pub name: String,
    /// JSON.
    pub document: String,
}
