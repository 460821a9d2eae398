//! The objects that inputs are made of, as the model names them.

use super::{ANY, Shape, Structure, count, int, list, object, optional, required, scalars, text};

/// `Credential`.
pub(crate) static CREDENTIAL: Structure = Structure {
    name: "Credential",
    members: &[optional("Username", Shape::Plain), optional("Password", Shape::Plain)],
};
/// `DNISEmergencyCallingConfiguration`.
pub(crate) static DNIS_EMERGENCY_CALLING_CONFIGURATION: Structure = Structure {
    name: "DNISEmergencyCallingConfiguration",
    members: &[
        required("EmergencyPhoneNumber", text(&scalars::E164_PHONE_NUMBER)),
        optional("TestPhoneNumber", text(&scalars::E164_PHONE_NUMBER)),
        required("CallingCountry", text(&scalars::ALPHA2_COUNTRY_CODE)),
    ],
};
/// `EmergencyCallingConfiguration`.
pub(crate) static EMERGENCY_CALLING_CONFIGURATION: Structure = Structure {
    name: "EmergencyCallingConfiguration",
    members: &[optional("DNIS", list(&object(&DNIS_EMERGENCY_CALLING_CONFIGURATION), ANY))],
};
/// `LoggingConfiguration`.
pub(crate) static LOGGING_CONFIGURATION: Structure = Structure {
    name: "LoggingConfiguration",
    members: &[optional("EnableSIPLogs", Shape::Bool), optional("EnableMediaMetricLogs", Shape::Bool)],
};
/// `MediaInsightsConfiguration`.
pub(crate) static MEDIA_INSIGHTS_CONFIGURATION: Structure = Structure {
    name: "MediaInsightsConfiguration",
    members: &[optional("Disabled", Shape::Bool), optional("ConfigurationArn", text(&scalars::ARN))],
};
/// `Origination`.
pub(crate) static ORIGINATION: Structure = Structure {
    name: "Origination",
    members: &[optional("Routes", list(&object(&ORIGINATION_ROUTE), ANY)), optional("Disabled", Shape::Bool)],
};
/// `OriginationRoute`.
pub(crate) static ORIGINATION_ROUTE: Structure = Structure {
    name: "OriginationRoute",
    members: &[
        optional("Host", Shape::Plain),
        optional("Port", int(&scalars::PORT)),
        optional("Protocol", text(&scalars::ORIGINATION_ROUTE_PROTOCOL)),
        optional("Priority", int(&scalars::ORIGINATION_ROUTE_PRIORITY)),
        optional("Weight", int(&scalars::ORIGINATION_ROUTE_WEIGHT)),
    ],
};
/// `StreamingConfiguration`.
pub(crate) static STREAMING_CONFIGURATION: Structure = Structure {
    name: "StreamingConfiguration",
    members: &[
        required("DataRetentionInHours", int(&scalars::DATA_RETENTION_IN_HOURS)),
        required("Disabled", Shape::Bool),
        optional("StreamingNotificationTargets", list(&object(&STREAMING_NOTIFICATION_TARGET), count(1, 3))),
        optional("MediaInsightsConfiguration", object(&MEDIA_INSIGHTS_CONFIGURATION)),
    ],
};
/// `StreamingNotificationTarget`.
pub(crate) static STREAMING_NOTIFICATION_TARGET: Structure = Structure {
    name: "StreamingNotificationTarget",
    members: &[optional("NotificationTarget", text(&scalars::NOTIFICATION_TARGET))],
};
/// `Tag`.
pub(crate) static TAG: Structure = Structure {
    name: "Tag",
    members: &[required("Key", text(&scalars::TAG_KEY)), required("Value", text(&scalars::TAG_VALUE))],
};
/// `Termination`.
pub(crate) static TERMINATION: Structure = Structure {
    name: "Termination",
    members: &[
        optional("CpsLimit", int(&scalars::CPS_LIMIT)),
        optional("DefaultPhoneNumber", text(&scalars::E164_PHONE_NUMBER)),
        optional("CallingRegions", list(&text(&scalars::CALLING_REGION), ANY)),
        optional("CidrAllowedList", list(&Shape::Plain, ANY)),
        optional("Disabled", Shape::Bool),
    ],
};
/// `UpdatePhoneNumberRequestItem`.
pub(crate) static UPDATE_PHONE_NUMBER_REQUEST_ITEM: Structure = Structure {
    name: "UpdatePhoneNumberRequestItem",
    members: &[
        required("PhoneNumberId", text(&scalars::SENSITIVE_NON_EMPTY_STRING)),
        optional("ProductType", text(&scalars::PHONE_NUMBER_PRODUCT_TYPE)),
        optional("CallingName", text(&scalars::CALLING_NAME)),
        optional("Name", text(&scalars::PHONE_NUMBER_NAME)),
    ],
};
/// `VoiceConnectorItem`.
pub(crate) static VOICE_CONNECTOR_ITEM: Structure = Structure {
    name: "VoiceConnectorItem",
    members: &[
        required("VoiceConnectorId", text(&scalars::VOICE_CONNECTOR_ID)),
        optional("Priority", int(&scalars::VOICE_CONNECTOR_ITEM_PRIORITY)),
    ],
};
/// `VoiceConnectorSettings`.
pub(crate) static VOICE_CONNECTOR_SETTINGS: Structure = Structure {
    name: "VoiceConnectorSettings",
    members: &[optional("CdrBucket", text(&scalars::S3_BUCKET_NAME))],
};
