//! What the inventory keeps. Fields are named as in the API.

mod access;
mod connector;
mod group;
mod number;
mod order;
mod settings;
mod tag;

use serde::{Deserialize, Serialize};

use crate::{Ownership, Timestamp};

pub use access::{AccessKey, Policy};
pub use connector::{
    Connector, ContactCenterSystem, DnisEmergency, ExternalSystems, IntegrationType, Logging, Login,
    MediaInsights, NetworkType, NotificationTarget, Origination, OriginationRoute, RouteProtocol,
    SessionBorderController, Streaming, Termination,
};
pub use group::{CallDistribution, Group, GroupItem};
pub use number::{
    Association, AssociationName, CallingNameStatus, NumberStatus, NumberType, PhoneNumber, ProductType,
};
pub use order::{Order, OrderStatus, OrderType, OrderedNumber, OrderedNumberStatus};
pub use settings::Settings;
pub use tag::{Tag, Tags};

/// The number of a change: each is greater than those before. 0: never stored.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Revision(pub u64);

/// An object with what is known of its history.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Object<T> {
    /// The change that made it what it is; 0 where files own it.
    #[serde(skip)]
    pub revision: Revision,
    /// Where files own it, when they were read first by this process.
    pub created: Timestamp,
    /// The last change.
    pub updated: Timestamp,
    /// Who may change it.
    #[serde(skip)]
    pub owner: Ownership,
    /// The object.
    pub value: T,
}
