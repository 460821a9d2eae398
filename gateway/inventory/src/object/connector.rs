//! Voice connectors.

use serde::{Deserialize, Serialize};

use crate::names::names;
use crate::seal::Sealed;

/// A voice connector with all that is configured of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Connector {
    /// `VoiceConnectorId`: 22 lower-case letters and digits where we made it, 1 to 22 where a file names it.
    pub id: String,
    /// `Name`.
    pub name: String,
    /// `AwsRegion`.
    pub region: String,
    /// `RequireEncryption`: TLS and SRTP only.
    pub require_encryption: bool,
    /// `IntegrationType`; kept and told, nothing follows from it.
    pub integration_type: Option<IntegrationType>,
    /// `NetworkType`.
    pub network_type: NetworkType,
    /// Customer to carriers. None: off.
    pub termination: Option<Termination>,
    /// Digest users of termination, by name. None: the allowlist alone admits.
    pub credentials: Vec<Login>,
    /// Carriers to customer. None: off.
    pub origination: Option<Origination>,
    /// Where emergency calls go. None: nowhere.
    pub emergency: Option<Vec<DnisEmergency>>,
    /// What is logged.
    pub logging: Logging,
    /// Kept and told, until calls can be streamed.
    pub streaming: Option<Streaming>,
    /// Kept and told.
    pub external_systems: Option<ExternalSystems>,
}

names! {
    /// `VoiceConnectorIntegrationType`.
    IntegrationType {
        /// Calls transferred from a contact centre.
        CallTransfer = "CONNECT_CALL_TRANSFER_CONNECTOR",
        /// Analytics of a contact centre.
        Analytics = "CONNECT_ANALYTICS_CONNECTOR",
    }
}

names! {
    /// `NetworkType`.
    NetworkType {
        /// IPv4 alone.
        Ipv4Only = "IPV4_ONLY",
        /// IPv4 and IPv6.
        DualStack = "DUAL_STACK",
    }
}

/// `Termination`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Termination {
    /// `CpsLimit`: new calls a second. Default: 1.
    pub cps_limit: Option<u32>,
    /// `DefaultPhoneNumber`: replaces whatever caller the customer shows. Default: none.
    pub default_phone_number: Option<String>,
    /// `CallingRegions`: countries that may be called, ISO 3166-1 alpha-2.
    pub calling_regions: Vec<String>,
    /// `CidrAllowedList`: who may call; empty admits nobody.
    pub cidr_allowed_list: Vec<String>,
    /// `Disabled`.
    pub disabled: bool,
}

/// A digest user: its name and, sealed, what proves it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Login {
    /// `Username`.
    pub username: String,
    /// What the hashes were made with; another realm of the gateway needs others.
    pub(crate) realm: String,
    /// The `HA1`s of RFC 7616 §3.4.2 by MD5 and SHA-256, in hex, one after the other.
    pub(crate) hashes: Sealed,
}

/// `Origination`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Origination {
    /// `Routes`.
    pub routes: Vec<OriginationRoute>,
    /// `Disabled`.
    pub disabled: bool,
}

/// `OriginationRoute`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OriginationRoute {
    /// `Host`: an address or a name.
    pub host: String,
    /// `Port`. Default: 5060; of an encrypted connector 5061.
    pub port: Option<u16>,
    /// `Protocol`; an encrypted connector takes TLS whatever stands here. Default: UDP.
    pub protocol: Option<RouteProtocol>,
    /// `Priority`, 1 to 100. Default: 1.
    pub priority: Option<u32>,
    /// `Weight`, 1 to 100. Default: 1.
    pub weight: Option<u32>,
}

names! {
    /// `OriginationRouteProtocol`.
    RouteProtocol {
        /// TCP.
        Tcp = "TCP",
        /// UDP.
        Udp = "UDP",
    }
}

/// `DNISEmergencyCallingConfiguration`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DnisEmergency {
    /// `EmergencyPhoneNumber`: where the call for help goes.
    pub emergency_phone_number: String,
    /// `TestPhoneNumber`: where a test of it goes. Default: none.
    pub test_phone_number: Option<String>,
    /// `CallingCountry`: ISO 3166-1 alpha-2.
    pub calling_country: String,
}

/// `LoggingConfiguration`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Logging {
    /// `EnableSIPLogs`.
    pub sip_logs: bool,
    /// `EnableMediaMetricLogs`.
    pub media_metric_logs: bool,
}

/// `StreamingConfiguration`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Streaming {
    /// `DataRetentionInHours`; 0: none.
    pub data_retention_in_hours: u32,
    /// `Disabled`.
    pub disabled: bool,
    /// `StreamingNotificationTargets`: 3 at most.
    pub notification_targets: Vec<NotificationTarget>,
    /// `MediaInsightsConfiguration`.
    pub media_insights: Option<MediaInsights>,
}

names! {
    /// `NotificationTarget`.
    NotificationTarget {
        /// An event bus.
        EventBridge = "EventBridge",
        /// A topic.
        Sns = "SNS",
        /// A queue.
        Sqs = "SQS",
    }
}

/// `MediaInsightsConfiguration`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MediaInsights {
    /// `Disabled`.
    pub disabled: Option<bool>,
    /// `ConfigurationArn`.
    pub configuration_arn: Option<String>,
}

/// `ExternalSystemsConfiguration`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExternalSystems {
    /// `SessionBorderControllerTypes`.
    pub session_border_controllers: Vec<SessionBorderController>,
    /// `ContactCenterSystemTypes`.
    pub contact_center_systems: Vec<ContactCenterSystem>,
}

names! {
    /// `SessionBorderControllerType`.
    SessionBorderController {
        /// Ribbon.
        Ribbon = "RIBBON_SBC",
        /// Oracle.
        Oracle = "ORACLE_ACME_PACKET_SBC",
        /// Avaya.
        Avaya = "AVAYA_SBCE",
        /// Cisco.
        Cisco = "CISCO_UNIFIED_BORDER_ELEMENT",
        /// AudioCodes.
        AudioCodes = "AUDIOCODES_MEDIANT_SBC",
    }
}

names! {
    /// `ContactCenterSystemType`.
    ContactCenterSystem {
        /// Genesys.
        Genesys = "GENESYS_ENGAGE_ON_PREMISES",
        /// Avaya.
        AvayaElite = "AVAYA_AURA_CALL_CENTER_ELITE",
        /// Avaya.
        AvayaContactCenter = "AVAYA_AURA_CONTACT_CENTER",
        /// Cisco.
        Cisco = "CISCO_UNIFIED_CONTACT_CENTER_ENTERPRISE",
    }
}
