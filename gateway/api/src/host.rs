//! What the API asks of who hosts it.

use std::fmt;
use std::net::IpAddr;

use time::OffsetDateTime;
use zeroize::Zeroizing;

use crate::audit::Record;

/// Who hosts the API.
pub trait Host: Send + Sync {
    /// The access key of that id, whether it has expired or not; none where it is disabled.
    fn key(&self, id: &str) -> Option<Key>;

    /// 16 bytes that nobody can guess.
    fn random(&self) -> [u8; 16];

    /// The last OPTIONS of a connector's customer.
    fn termination_health(&self, connector: &str) -> Option<Health>;

    /// Keeps a record of a call.
    fn record(&self, record: Record);
}

/// The last sign of life of a customer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Health {
    /// When it came.
    pub at: OffsetDateTime,
    /// Whence.
    pub source: IpAddr,
}

/// A key that requests are signed with.
#[derive(Clone)]
pub struct Key {
    /// Whose it is.
    pub user: String,
    /// What signs.
    pub secret: Zeroizing<String>,
    /// What a request must bring beside it, for temporary credentials.
    pub token: Option<Zeroizing<String>>,
    /// Refused from then on.
    pub expires: Option<OffsetDateTime>,
    /// What it may do.
    pub grant: Grant,
}

/// What a key may do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Grant {
    /// Everything.
    Root,
    /// What these JSON policies say; without any, nothing. One that can't be read denies everything.
    Policies(Vec<String>),
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Key { user, expires, grant, .. } = self;
        let mut shown = f.debug_struct("Key");
        shown
            .field("user", user)
            .field("secret", &"***")
            .field("expires", expires)
            .field("grant", grant)
            .finish()
    }
}
