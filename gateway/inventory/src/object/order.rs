//! Orders of phone numbers.

use config::E164;
use serde::{Deserialize, Serialize};

use super::number::{ProductType, e164};
use crate::names::names;

/// An order: of numbers of the pool, or of numbers that come from another provider.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Order {
    /// `PhoneNumberOrderId`: a UUID.
    pub id: String,
    /// `ProductType`.
    pub product_type: ProductType,
    /// `Status`.
    pub status: OrderStatus,
    /// `OrderType`.
    pub order_type: OrderType,
    /// `OrderedPhoneNumbers`.
    pub numbers: Vec<OrderedNumber>,
    /// `FocDate`: the day when the number comes, as the losing provider confirmed it.
    pub foc_date: Option<String>,
}

/// `OrderedPhoneNumber`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OrderedNumber {
    /// `E164PhoneNumber`.
    #[serde(with = "e164")]
    pub number: E164,
    /// `Status`.
    pub status: OrderedNumberStatus,
}

names! {
    /// `OrderedPhoneNumberStatus`.
    OrderedNumberStatus {
        /// On its way.
        Processing = "Processing",
        /// Ours.
        Acquired = "Acquired",
        /// Not to be had.
        Failed = "Failed",
    }
}

names! {
    /// `PhoneNumberOrderType`.
    OrderType {
        /// Of the pool.
        New = "New",
        /// From another provider.
        Porting = "Porting",
    }
}

names! {
    /// `PhoneNumberOrderStatus`.
    OrderStatus {
        /// Begun.
        Processing = "Processing",
        /// Every number is ours.
        Successful = "Successful",
        /// None is.
        Failed = "Failed",
        /// Some are.
        Partial = "Partial",
        /// Porting: papers are missing.
        PendingDocuments = "PendingDocuments",
        /// Porting: the losing provider has it.
        Submitted = "Submitted",
        /// Porting: the day is confirmed.
        Foc = "FOC",
        /// Porting: another day is asked for.
        ChangeRequested = "ChangeRequested",
        /// Porting: something is wrong in what was said.
        Exception = "Exception",
        /// Porting: to be cancelled.
        CancelRequested = "CancelRequested",
        /// Porting: the number stays where it is.
        Cancelled = "Cancelled",
    }
}
