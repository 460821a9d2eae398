//! The subscription that comes with a REFER. RFC 3515, RFC 6665.

mod notifier;
mod sipfrag;
mod subscriber;

pub use notifier::{NoSubscription, ReferNotifier, ReferNotifierOutput};
pub use sipfrag::Sipfrag;
pub use subscriber::{ReferSubscriber, ReferSubscriberOutput};
