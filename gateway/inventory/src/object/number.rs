//! Phone numbers.

use config::E164;
use serde::{Deserialize, Serialize};

use crate::Timestamp;
use crate::names::names;

/// A number that was ordered, and what became of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PhoneNumber {
    /// `E164PhoneNumber` and `PhoneNumberId`, with its `+`.
    #[serde(with = "e164")]
    pub number: E164,
    /// `Country`: ISO 3166-1 alpha-2. None where a file has the number: it does not say.
    pub country: Option<String>,
    /// `Type`. None where a file has the number.
    pub number_type: Option<NumberType>,
    /// `ProductType`.
    pub product_type: ProductType,
    /// `Status`.
    pub status: NumberStatus,
    /// `Associations`: one at most.
    pub association: Option<Association>,
    /// `CallingName`. Default: none, that of the account.
    pub calling_name: Option<String>,
    /// `CallingNameStatus`.
    pub calling_name_status: CallingNameStatus,
    /// `Name`: for people.
    pub name: Option<String>,
    /// `OrderId`.
    pub order_id: Option<String>,
    /// `DeletionTimestamp`: when it leaves the deletion queue. None: it is not in there.
    pub deletion: Option<Timestamp>,
}

/// `PhoneNumberAssociation`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Association {
    /// `Name`: of what kind the owner is.
    pub name: AssociationName,
    /// `Value`: the owner's id.
    pub value: String,
    /// `AssociatedTimestamp`.
    pub associated: Timestamp,
}

names! {
    /// `PhoneNumberAssociationName`.
    AssociationName {
        /// A voice connector.
        VoiceConnectorId = "VoiceConnectorId",
        /// A voice connector group.
        VoiceConnectorGroupId = "VoiceConnectorGroupId",
        /// A SIP rule; nothing has one yet.
        SipRuleId = "SipRuleId",
    }
}

names! {
    /// `PhoneNumberType`.
    NumberType {
        /// Of a place.
        Local = "Local",
        /// The called party pays.
        TollFree = "TollFree",
    }
}

names! {
    /// `PhoneNumberProductType`.
    ProductType {
        /// For voice connectors and their groups.
        VoiceConnector = "VoiceConnector",
        /// For SIP media applications.
        SipMediaApplicationDialIn = "SipMediaApplicationDialIn",
    }
}

names! {
    /// `PhoneNumberStatus`.
    NumberStatus {
        /// A port-in that was cancelled.
        Cancelled = "Cancelled",
        /// A port-in that is to be cancelled.
        PortinCancelRequested = "PortinCancelRequested",
        /// On its way from another provider.
        PortinInProgress = "PortinInProgress",
        /// Ordered.
        AcquireInProgress = "AcquireInProgress",
        /// Ordered in vain.
        AcquireFailed = "AcquireFailed",
        /// Ours, without an owner.
        Unassigned = "Unassigned",
        /// Ours, with an owner.
        Assigned = "Assigned",
        /// In the deletion queue.
        ReleaseInProgress = "ReleaseInProgress",
        /// Being deleted.
        DeleteInProgress = "DeleteInProgress",
        /// Could not be given back.
        ReleaseFailed = "ReleaseFailed",
        /// Could not be deleted.
        DeleteFailed = "DeleteFailed",
    }
}

names! {
    /// `CallingNameStatus`.
    CallingNameStatus {
        /// The number has none of its own.
        Unassigned = "Unassigned",
        /// On its way.
        UpdateInProgress = "UpdateInProgress",
        /// It holds.
        UpdateSucceeded = "UpdateSucceeded",
        /// It does not hold.
        UpdateFailed = "UpdateFailed",
    }
}

pub(crate) mod e164 {
    //! A number as its text.

    use config::E164;
    use serde::de::Error;
    use serde::{Deserialize, Deserializer, Serializer};

    pub(crate) fn serialize<S: Serializer>(number: &E164, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(number.as_str())
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<E164, D::Error> {
        <&str>::deserialize(deserializer)?.parse().map_err(D::Error::custom)
    }
}
