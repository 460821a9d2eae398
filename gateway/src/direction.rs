//! Which way a call goes, seen from the customer.

use serde::{Deserialize, Serialize};

/// Which way a call went, seen from the customer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Direction {
    /// Origination: a carrier calls the customer.
    Inbound,
    /// Termination: the customer calls a carrier.
    Outbound,
}

impl Direction {
    /// `inbound` or `outbound`, as in metric labels and usage types.
    #[must_use]
    pub fn as_label(self) -> &'static str {
        match self {
            Direction::Inbound => "inbound",
            Direction::Outbound => "outbound",
        }
    }
}
