//! The operator's TOML, parsed into values that work.
//!
//! A value that exists is a value that works: addresses are addresses, numbers are E.164, ranges cannot be
//! empty, and what refers to something else refers to something that is there. A mistake names file, line,
//! column and what to write instead; all mistakes of a file are told in one go.
//!
//! This crate opens no socket, reads no clock and draws no randomness. Parsing touches nothing outside the
//! file: what the file merely names (certificates, secrets, the number inventory) is read when asked for.
//!
//! ```
//! use std::path::Path;
//!
//! let file = r#"
//! listen = [{ address = "192.0.2.10:5060" }]
//! phone_number = [{ number = "+12065550100", voice_connector = "offise" }]
//!
//! [[voice_connector]]
//! id = "office"
//! "#;
//! let errors = config::Config::parse(file, Path::new("voice-connector.toml")).unwrap_err();
//! assert_eq!(
//!     errors.to_string(),
//!     "voice-connector.toml:3:62: there is no voice connector \"offise\"; write \"office\""
//! );
//!
//! let (config, _) = config::Config::parse(&file.replace("offise", "office"), Path::new("f.toml"))?;
//! let office = config.connector_by_host("office.localhost").ok_or("no such connector")?;
//! assert!(config.owns(&office.id, "+12065550100"));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

pub mod id;
pub mod value;

mod admin;
mod alerts;
mod api;
mod available;
mod carrier;
mod check;
mod config;
mod connector;
mod credentials;
mod csv;
mod difference;
mod error;
mod fragment;
mod gateway;
mod group;
mod inventory;
mod listen;
mod load;
mod media;
mod missing;
mod network;
mod number;
mod number_format;
mod outline;
mod peer;
mod read;
mod records;
mod room;
mod route;
mod secret;
mod telemetry;
mod tls;

pub use admin::Admin;
pub use alerts::Alerts;
pub use api::Api;
pub use carrier::{Carrier, OutboundProxy, Register};
pub use config::Config;
pub use connector::{
    CallerIdPolicy, ChallengeStatus, DigestAlgorithm, Emergency, IdentityHeader, Kinesis, Logging, OnFailure,
    Origination, Recorded, Recording, SampleRate, Siprec, StreamFormat, Streaming, StreamingKind,
    StreamingSink, Termination, VoiceConnector, WebSocket,
};
pub use credentials::{Credentials, Proof};
pub use difference::{Change, Changed};
pub use error::{ConfigError, ConfigErrors, Position, Warning};
pub use fragment::{Altered, Clash, Fragment, FragmentItem};
pub use gateway::Gateway;
pub use group::{Member, VoiceConnectorGroup};
pub use id::{CarrierName, ConnectorId, GroupId, NetworkName};
pub use listen::{Certificate, Listen};
pub use load::Texts;
pub use media::{Media, MediaDriver, MediaKernel};
pub use missing::Missing;
pub use network::Network;
pub use number::{NumberEntry, Owner};
pub use number_format::NumberFormat;
pub use outline::Object;
pub use peer::{
    DEFAULT_SRTP_SUITES, Dtmf, HeaderChange, HeaderRule, Nat, NumberRole, NumberRule, Peer, Prack, Privacy,
    Refer, Registration, ResponseRule, RuleDirection, Srtp,
};
pub use records::{
    AwsService, Durability, Encryption, EventBridge, Hep, HepTransport, Nats, NatsLogin, RecordClass,
    Records, S3, Sink, SinkKind, Sns, Sqs, Webhook,
};
pub use route::Route;
pub use secret::{Secret, SecretError};
pub use telemetry::Telemetry;
pub use tls::Tls;
pub use value::{
    CallingName, ContactName, CountryCode, Dialling, E164, Host, HostPort, HttpUrl, NatsSubject, NatsUrl,
    Pattern, PortRange, Prefix, Priority, Transport, UriParameters, Weight, parse_duration,
};
