//! Texts and numbers with rules, as the model names them.

use super::{ANY, Count, Integer, Text, count, pattern};

/// `Alpha2CountryCode`.
pub(crate) static ALPHA2_COUNTRY_CODE: Text =
    Text { name: "Alpha2CountryCode", length: ANY, pattern: Some(pattern::COUNTRY), values: &[] };
/// `Arn`.
pub(crate) static ARN: Text =
    Text { name: "Arn", length: count(1, 1024), pattern: Some(pattern::ARN), values: &[] };
/// `CallDistributionType`.
pub(crate) static CALL_DISTRIBUTION_TYPE: Text = Text {
    name: "CallDistributionType",
    length: ANY,
    pattern: None,
    values: &["PriorityWeightedDistribution", "LoadBalancedDistribution"],
};
/// `CallingName`.
pub(crate) static CALLING_NAME: Text =
    Text { name: "CallingName", length: ANY, pattern: Some(pattern::CALLING_NAME), values: &[] };
/// `CallingRegion`.
pub(crate) static CALLING_REGION: Text =
    Text { name: "CallingRegion", length: ANY, pattern: None, values: &[] };
/// `ContactCenterSystemType`.
pub(crate) static CONTACT_CENTER_SYSTEM_TYPE: Text = Text {
    name: "ContactCenterSystemType",
    length: ANY,
    pattern: None,
    values: &[
        "GENESYS_ENGAGE_ON_PREMISES",
        "AVAYA_AURA_CALL_CENTER_ELITE",
        "AVAYA_AURA_CONTACT_CENTER",
        "CISCO_UNIFIED_CONTACT_CENTER_ENTERPRISE",
    ],
};
/// `CpsLimit`.
pub(crate) static CPS_LIMIT: Integer = Integer { name: "CpsLimit", least: 1, greatest: None };
/// `DataRetentionInHours`.
pub(crate) static DATA_RETENTION_IN_HOURS: Integer =
    Integer { name: "DataRetentionInHours", least: 0, greatest: None };
/// `E164PhoneNumber`.
pub(crate) static E164_PHONE_NUMBER: Text =
    Text { name: "E164PhoneNumber", length: ANY, pattern: Some(pattern::E164), values: &[] };
/// `NetworkType`.
pub(crate) static NETWORK_TYPE: Text =
    Text { name: "NetworkType", length: ANY, pattern: None, values: &["IPV4_ONLY", "DUAL_STACK"] };
/// `NextTokenString`.
pub(crate) static NEXT_TOKEN_STRING: Text = Text {
    name: "NextTokenString",
    length: Count { least: None, most: Some(65535) },
    pattern: None,
    values: &[],
};
/// `NonEmptyString`.
pub(crate) static NON_EMPTY_STRING: Text =
    Text { name: "NonEmptyString", length: ANY, pattern: Some(pattern::NOT_BLANK), values: &[] };
/// `NotificationTarget`.
pub(crate) static NOTIFICATION_TARGET: Text =
    Text { name: "NotificationTarget", length: ANY, pattern: None, values: &["EventBridge", "SNS", "SQS"] };
/// `OriginationRoutePriority`.
pub(crate) static ORIGINATION_ROUTE_PRIORITY: Integer =
    Integer { name: "OriginationRoutePriority", least: 1, greatest: Some(100) };
/// `OriginationRouteProtocol`.
pub(crate) static ORIGINATION_ROUTE_PROTOCOL: Text =
    Text { name: "OriginationRouteProtocol", length: ANY, pattern: None, values: &["TCP", "UDP"] };
/// `OriginationRouteWeight`.
pub(crate) static ORIGINATION_ROUTE_WEIGHT: Integer =
    Integer { name: "OriginationRouteWeight", least: 1, greatest: Some(100) };
/// `PhoneNumberAssociationName`.
pub(crate) static PHONE_NUMBER_ASSOCIATION_NAME: Text = Text {
    name: "PhoneNumberAssociationName",
    length: ANY,
    pattern: None,
    values: &["VoiceConnectorId", "VoiceConnectorGroupId", "SipRuleId"],
};
/// `PhoneNumberMaxResults`.
pub(crate) static PHONE_NUMBER_MAX_RESULTS: Integer =
    Integer { name: "PhoneNumberMaxResults", least: 1, greatest: Some(500) };
/// `PhoneNumberName`.
pub(crate) static PHONE_NUMBER_NAME: Text =
    Text { name: "PhoneNumberName", length: count(0, 256), pattern: Some(pattern::NUMBER_NAME), values: &[] };
/// `PhoneNumberProductType`.
pub(crate) static PHONE_NUMBER_PRODUCT_TYPE: Text = Text {
    name: "PhoneNumberProductType",
    length: ANY,
    pattern: None,
    values: &["VoiceConnector", "SipMediaApplicationDialIn"],
};
/// `PhoneNumberType`.
pub(crate) static PHONE_NUMBER_TYPE: Text =
    Text { name: "PhoneNumberType", length: ANY, pattern: None, values: &["Local", "TollFree"] };
/// `Port`.
pub(crate) static PORT: Integer = Integer { name: "Port", least: 0, greatest: Some(65535) };
/// `ResultMax`.
pub(crate) static RESULT_MAX: Integer = Integer { name: "ResultMax", least: 1, greatest: Some(100) };
/// `S3BucketName`.
pub(crate) static S3_BUCKET_NAME: Text =
    Text { name: "S3BucketName", length: count(1, 64), pattern: Some(pattern::BUCKET), values: &[] };
/// `SensitiveNonEmptyString`.
pub(crate) static SENSITIVE_NON_EMPTY_STRING: Text =
    Text { name: "SensitiveNonEmptyString", length: ANY, pattern: Some(pattern::NOT_BLANK), values: &[] };
/// `SessionBorderControllerType`.
pub(crate) static SESSION_BORDER_CONTROLLER_TYPE: Text = Text {
    name: "SessionBorderControllerType",
    length: ANY,
    pattern: None,
    values: &[
        "RIBBON_SBC",
        "ORACLE_ACME_PACKET_SBC",
        "AVAYA_SBCE",
        "CISCO_UNIFIED_BORDER_ELEMENT",
        "AUDIOCODES_MEDIANT_SBC",
    ],
};
/// `TagKey`.
pub(crate) static TAG_KEY: Text = Text { name: "TagKey", length: count(1, 128), pattern: None, values: &[] };
/// `TagValue`.
pub(crate) static TAG_VALUE: Text =
    Text { name: "TagValue", length: count(0, 256), pattern: None, values: &[] };
/// `TollFreePrefix`.
pub(crate) static TOLL_FREE_PREFIX: Text =
    Text { name: "TollFreePrefix", length: count(3, 3), pattern: Some(pattern::TOLL_FREE), values: &[] };
/// `VoiceConnectorAwsRegion`.
pub(crate) static VOICE_CONNECTOR_AWS_REGION: Text =
    Text { name: "VoiceConnectorAwsRegion", length: ANY, pattern: None, values: &inventory::REGIONS };
/// `VoiceConnectorGroupName`.
pub(crate) static VOICE_CONNECTOR_GROUP_NAME: Text = Text {
    name: "VoiceConnectorGroupName",
    length: count(1, 256),
    pattern: Some(pattern::NAME),
    values: &[],
};
/// `VoiceConnectorId`.
pub(crate) static VOICE_CONNECTOR_ID: Text =
    Text { name: "VoiceConnectorId", length: ANY, pattern: Some(pattern::CONNECTOR_ID), values: &[] };
/// `VoiceConnectorIntegrationType`.
pub(crate) static VOICE_CONNECTOR_INTEGRATION_TYPE: Text = Text {
    name: "VoiceConnectorIntegrationType",
    length: ANY,
    pattern: None,
    values: &["CONNECT_CALL_TRANSFER_CONNECTOR", "CONNECT_ANALYTICS_CONNECTOR"],
};
/// `VoiceConnectorItemPriority`.
pub(crate) static VOICE_CONNECTOR_ITEM_PRIORITY: Integer =
    Integer { name: "VoiceConnectorItemPriority", least: 1, greatest: Some(99) };
/// `VoiceConnectorName`.
pub(crate) static VOICE_CONNECTOR_NAME: Text =
    Text { name: "VoiceConnectorName", length: count(1, 256), pattern: Some(pattern::NAME), values: &[] };
