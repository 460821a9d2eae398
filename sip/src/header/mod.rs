//! Header names and the typed values of those that we must understand.

mod cseq;
mod fault;
mod min_se;
mod name;
mod name_addr;
mod rack;
mod refer_to;
mod replaces;
mod rseq;
mod session_expires;
mod subscription_state;
mod via;

pub use cseq::CSeq;
pub use fault::{HeaderError, HeaderFault};
pub use min_se::MinSe;
pub use name::Name;
pub use name_addr::NameAddr;
pub use rack::RAck;
pub use refer_to::ReferTo;
pub use replaces::Replaces;
pub use rseq::RSeq;
pub use session_expires::{Refresher, SessionExpires};
pub use subscription_state::{SubscriptionState, TerminatedReason};
pub use via::Via;
pub(crate) use via::{Hop, MAGIC_COOKIE};
