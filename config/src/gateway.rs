use std::path::PathBuf;

use crate::CallingName;

/// `[gateway]`: what holds for all connectors.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Gateway {
    /// In records and metrics. Default: `local`.
    pub region: String,
    /// `AwsAccountId` of records. Default: none.
    pub account: Option<String>,
    /// A connector answers to `<id>.<domain>`. Lower case. Default: `localhost`.
    pub domain: String,
    /// The calling name of numbers that have none of their own. Default: none.
    pub default_calling_name: Option<CallingName>,
    /// The number inventory, a CSV. Default: none.
    pub phone_numbers: Option<PathBuf>,
    /// The realm of digest challenges. Default: the domain.
    pub realm: String,
}
