//! A session description line by line. RFC 8866 §5 and §9, RFC 4566.
//!
//! The order of lines is as free as peers make it: only `v=` comes first, and each `m=` begins a section. Words are kept as they
//! came; most are short enough to need no room of their own, and copies share the long ones.

mod read;
mod write;

use std::net::IpAddr;

use smol_str::{SmolStr, format_smolstr};

/// All of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Session {
    pub origin: Origin,
    /// `s=`
    pub name: SmolStr,
    /// `i=`
    pub description: Option<SmolStr>,
    /// `u=`
    pub uri: Option<SmolStr>,
    /// `e=`
    pub emails: Vec<SmolStr>,
    /// `p=`
    pub phones: Vec<SmolStr>,
    pub connection: Option<Connection>,
    pub bandwidths: Vec<Bandwidth>,
    /// Empty for a session that is not scheduled: `t=0 0`.
    pub times: Vec<Time>,
    /// `z=`
    pub zones: Option<SmolStr>,
    /// `k=`
    pub key: Option<SmolStr>,
    pub attributes: Vec<Attribute>,
    pub medias: Vec<Media>,
}

/// `o=`
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Origin {
    /// `-` for none.
    pub user: SmolStr,
    pub session_id: SmolStr,
    pub version: u64,
    pub connection: Connection,
}

/// `c=`
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Connection {
    /// `IN`
    pub network: SmolStr,
    /// `IP4` or `IP6`
    pub kind: SmolStr,
    /// An address or a name; of multicast with its TTL.
    pub address: SmolStr,
}

/// `b=`
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Bandwidth {
    pub kind: SmolStr,
    pub limit: u64,
}

/// `t=` with its `r=` lines.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Time {
    pub start: u64,
    pub stop: u64,
    pub repeats: Vec<SmolStr>,
}

/// `a=`
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Attribute {
    /// What stands before the first colon.
    pub name: SmolStr,
    pub value: Option<SmolStr>,
}

/// `m=` and the lines behind it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Media {
    pub kind: SmolStr,
    pub port: u16,
    pub ports: Option<u16>,
    pub protocol: SmolStr,
    /// All formats, as written.
    pub formats: SmolStr,
    /// `i=`
    pub title: Option<SmolStr>,
    pub connections: Vec<Connection>,
    pub bandwidths: Vec<Bandwidth>,
    /// `k=`
    pub key: Option<SmolStr>,
    pub attributes: Vec<Attribute>,
}

impl Connection {
    /// That of an address.
    pub fn to(address: IpAddr) -> Connection {
        Connection {
            network: SmolStr::new_static("IN"),
            kind: SmolStr::new_static(if address.is_ipv4() { "IP4" } else { "IP6" }),
            address: format_smolstr!("{address}"),
        }
    }
}

impl Attribute {
    /// One without a value.
    pub fn new(name: &'static str) -> Attribute {
        Attribute { name: SmolStr::new_static(name), value: None }
    }

    /// One with a value.
    pub fn with_value(name: &'static str, value: SmolStr) -> Attribute {
        Attribute { value: Some(value), ..Attribute::new(name) }
    }
}

impl Media {
    /// Whether there is an attribute of that name.
    pub fn has(&self, name: &str) -> bool {
        self.named(name).next().is_some()
    }

    /// The value of the first attribute of that name, if it has one.
    pub fn value<'a>(&'a self, name: &'a str) -> Option<&'a str> {
        self.named(name).next()?.value.as_deref()
    }

    /// The attributes of that name, in order.
    pub fn named<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Attribute> {
        self.attributes.iter().filter(move |attribute| attribute.name == name)
    }
}
