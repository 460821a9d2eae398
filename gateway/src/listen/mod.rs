//! Bytes in and out: sockets, connections, flood guards. Nothing here knows what a call is.

pub mod bind;
pub mod configured;
pub mod counters;
pub mod guard;
pub mod sink;
pub mod stream;
pub(crate) mod stun;
pub mod tls;
pub mod udp;
pub mod udp_batch;

mod tally;

pub use bind::{BindError, Bound, Listener, bind};
pub use configured::{listed, listeners};
pub use counters::ListenCounters;
pub use guard::{Guard, GuardLimits};
pub use sink::{Delivery, Sink};
pub use tls::{Expiry, HandshakeFault, Shown, Tls, TlsError};
pub(crate) use tls::{client_config, server_config};
