//! The operations: how each is asked for, what it takes, and what becomes of it.
//!
//! A test holds this table against the reference page, so that none is forgotten or invented.

#[cfg(test)]
mod reference;
mod route;

pub(crate) use route::{Routed, route};

use crate::shape::{
    ANY, Member, Shape, at_least, count, int, list, object, optional, required, scalars, structures, text,
};
use Method::{Delete, Get, Post, Put};
use Operation::*;

/// How an operation is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Method {
    /// Reads.
    Get,
    /// Replaces.
    Put,
    /// Makes, or does what a parameter says.
    Post,
    /// Removes.
    Delete,
}

/// What becomes of an operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fate {
    /// It is done.
    Served,
    /// It was ended for everybody: 410.
    Gone,
    /// It waits for a capability that this gateway has not: 503 with its name.
    Lacks(&'static str),
}

const APPLICATIONS: Fate = Fate::Lacks("SIP media applications");
const SIP_RULES: Fate = Fate::Lacks("SIP rules");
const VOICE_ANALYTICS: Fate = Fate::Lacks("voice analytics");

/// A row of the table.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Row {
    pub operation: Operation,
    pub method: Method,
    /// With the path's parameters in braces.
    pub path: &'static str,
    /// The parameter of the query that tells it from others of that path.
    pub select: Option<(&'static str, &'static str)>,
    /// HTTP status of its success.
    pub status: u16,
    pub fate: Fate,
    /// What it takes beside the path; empty where it is not served.
    pub input: &'static [Member],
}

impl Row {
    /// Whether it may change something.
    pub(crate) fn changes(&self) -> bool {
        self.method != Get && self.operation != ValidateE911Address
    }
}

const fn served(
    operation: Operation,
    method: Method,
    path: &'static str,
    select: Option<(&'static str, &'static str)>,
    status: u16,
    input: &'static [Member],
) -> Row {
    Row { operation, method, path, select, status, fate: Fate::Served, input }
}

const fn not_served(
    operation: Operation,
    method: Method,
    path: &'static str,
    select: Option<(&'static str, &'static str)>,
    status: u16,
    fate: Fate,
) -> Row {
    Row { operation, method, path, select, status, fate, input: &[] }
}

/// The operations of the API, by the names that policies and audit records use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[allow(missing_docs, reason = "the names are those of the reference")]
#[rustfmt::skip]
pub enum Operation {
    CreateVoiceConnector, GetVoiceConnector, ListVoiceConnectors, UpdateVoiceConnector, DeleteVoiceConnector, ListAvailableVoiceConnectorRegions, PutVoiceConnectorTermination, GetVoiceConnectorTermination, DeleteVoiceConnectorTermination, GetVoiceConnectorTerminationHealth, PutVoiceConnectorTerminationCredentials, ListVoiceConnectorTerminationCredentials, DeleteVoiceConnectorTerminationCredentials, PutVoiceConnectorOrigination, GetVoiceConnectorOrigination, DeleteVoiceConnectorOrigination, PutVoiceConnectorStreamingConfiguration, GetVoiceConnectorStreamingConfiguration, DeleteVoiceConnectorStreamingConfiguration, PutVoiceConnectorLoggingConfiguration, GetVoiceConnectorLoggingConfiguration, PutVoiceConnectorEmergencyCallingConfiguration, GetVoiceConnectorEmergencyCallingConfiguration, DeleteVoiceConnectorEmergencyCallingConfiguration, PutVoiceConnectorExternalSystemsConfiguration, GetVoiceConnectorExternalSystemsConfiguration, DeleteVoiceConnectorExternalSystemsConfiguration, ValidateE911Address, CreateVoiceConnectorGroup, GetVoiceConnectorGroup, ListVoiceConnectorGroups, UpdateVoiceConnectorGroup, DeleteVoiceConnectorGroup, AssociatePhoneNumbersWithVoiceConnector, DisassociatePhoneNumbersFromVoiceConnector, AssociatePhoneNumbersWithVoiceConnectorGroup, DisassociatePhoneNumbersFromVoiceConnectorGroup, ListPhoneNumbers, GetPhoneNumber, UpdatePhoneNumber, BatchUpdatePhoneNumber, DeletePhoneNumber, BatchDeletePhoneNumber, RestorePhoneNumber, SearchAvailablePhoneNumbers, ListSupportedPhoneNumberCountries, CreatePhoneNumberOrder, GetPhoneNumberOrder, ListPhoneNumberOrders, GetPhoneNumberSettings, UpdatePhoneNumberSettings, PutVoiceConnectorProxy, GetVoiceConnectorProxy, DeleteVoiceConnectorProxy, CreateProxySession, GetProxySession, ListProxySessions, UpdateProxySession, DeleteProxySession, CreateSipMediaApplication, GetSipMediaApplication, ListSipMediaApplications, UpdateSipMediaApplication, DeleteSipMediaApplication, CreateSipMediaApplicationCall, UpdateSipMediaApplicationCall, PutSipMediaApplicationLoggingConfiguration, GetSipMediaApplicationLoggingConfiguration, PutSipMediaApplicationAlexaSkillConfiguration, GetSipMediaApplicationAlexaSkillConfiguration, CreateSipRule, GetSipRule, ListSipRules, UpdateSipRule, DeleteSipRule, GetGlobalSettings, UpdateGlobalSettings, TagResource, UntagResource, ListTagsForResource, StartSpeakerSearchTask, GetSpeakerSearchTask, StopSpeakerSearchTask, StartVoiceToneAnalysisTask, GetVoiceToneAnalysisTask, StopVoiceToneAnalysisTask,
}

impl Operation {
    /// Its name.
    #[must_use]
    pub fn name(self) -> String {
        format!("{self:?}")
    }

    /// The kind of resource that its path names: the first part of the path, where the second is a parameter.
    pub(crate) fn path_kind(self) -> Option<&'static str> {
        let row = OPERATIONS.iter().find(|row| row.operation == self)?;
        let mut parts = row.path.split('/').skip(1);
        let kind = parts.next()?;
        parts.next()?.starts_with('{').then_some(kind)
    }

    /// What policies call it.
    #[must_use]
    pub fn action(self) -> String {
        format!("chime:{self:?}")
    }
}

/// All of them.
#[rustfmt::skip]
pub(crate) static OPERATIONS: &[Row] = &[
    // Voice Connectors
    served(CreateVoiceConnector, Post, "/voice-connectors", None, 201, &[required("Name", text(&scalars::VOICE_CONNECTOR_NAME)), optional("AwsRegion", text(&scalars::VOICE_CONNECTOR_AWS_REGION)), required("RequireEncryption", Shape::Bool), optional("Tags", list(&object(&structures::TAG), count(1, 50))), optional("IntegrationType", text(&scalars::VOICE_CONNECTOR_INTEGRATION_TYPE)), optional("NetworkType", text(&scalars::NETWORK_TYPE))]),
    served(GetVoiceConnector, Get, "/voice-connectors/{voiceConnectorId}", None, 200, &[]),
    served(ListVoiceConnectors, Get, "/voice-connectors", None, 200, &[optional("NextToken", Shape::Plain).in_query("next-token"), optional("MaxResults", int(&scalars::RESULT_MAX)).in_query("max-results")]),
    served(UpdateVoiceConnector, Put, "/voice-connectors/{voiceConnectorId}", None, 200, &[required("Name", text(&scalars::VOICE_CONNECTOR_NAME)), required("RequireEncryption", Shape::Bool)]),
    served(DeleteVoiceConnector, Delete, "/voice-connectors/{voiceConnectorId}", None, 204, &[]),
    served(ListAvailableVoiceConnectorRegions, Get, "/voice-connector-regions", None, 200, &[]),
    // Termination and credentials
    served(PutVoiceConnectorTermination, Put, "/voice-connectors/{voiceConnectorId}/termination", None, 200, &[required("Termination", object(&structures::TERMINATION))]),
    served(GetVoiceConnectorTermination, Get, "/voice-connectors/{voiceConnectorId}/termination", None, 200, &[]),
    served(DeleteVoiceConnectorTermination, Delete, "/voice-connectors/{voiceConnectorId}/termination", None, 204, &[]),
    served(GetVoiceConnectorTerminationHealth, Get, "/voice-connectors/{voiceConnectorId}/termination/health", None, 200, &[]),
    served(PutVoiceConnectorTerminationCredentials, Post, "/voice-connectors/{voiceConnectorId}/termination/credentials", Some(("operation", "put")), 204, &[optional("Credentials", list(&object(&structures::CREDENTIAL), ANY))]),
    served(ListVoiceConnectorTerminationCredentials, Get, "/voice-connectors/{voiceConnectorId}/termination/credentials", None, 200, &[]),
    served(DeleteVoiceConnectorTerminationCredentials, Post, "/voice-connectors/{voiceConnectorId}/termination/credentials", Some(("operation", "delete")), 204, &[required("Usernames", list(&Shape::Plain, ANY))]),
    // Origination
    served(PutVoiceConnectorOrigination, Put, "/voice-connectors/{voiceConnectorId}/origination", None, 200, &[required("Origination", object(&structures::ORIGINATION))]),
    served(GetVoiceConnectorOrigination, Get, "/voice-connectors/{voiceConnectorId}/origination", None, 200, &[]),
    served(DeleteVoiceConnectorOrigination, Delete, "/voice-connectors/{voiceConnectorId}/origination", None, 204, &[]),
    // Streaming, logging, emergency, external systems
    served(PutVoiceConnectorStreamingConfiguration, Put, "/voice-connectors/{voiceConnectorId}/streaming-configuration", None, 200, &[required("StreamingConfiguration", object(&structures::STREAMING_CONFIGURATION))]),
    served(GetVoiceConnectorStreamingConfiguration, Get, "/voice-connectors/{voiceConnectorId}/streaming-configuration", None, 200, &[]),
    served(DeleteVoiceConnectorStreamingConfiguration, Delete, "/voice-connectors/{voiceConnectorId}/streaming-configuration", None, 204, &[]),
    served(PutVoiceConnectorLoggingConfiguration, Put, "/voice-connectors/{voiceConnectorId}/logging-configuration", None, 200, &[required("LoggingConfiguration", object(&structures::LOGGING_CONFIGURATION))]),
    served(GetVoiceConnectorLoggingConfiguration, Get, "/voice-connectors/{voiceConnectorId}/logging-configuration", None, 200, &[]),
    served(PutVoiceConnectorEmergencyCallingConfiguration, Put, "/voice-connectors/{voiceConnectorId}/emergency-calling-configuration", None, 200, &[required("EmergencyCallingConfiguration", object(&structures::EMERGENCY_CALLING_CONFIGURATION))]),
    served(GetVoiceConnectorEmergencyCallingConfiguration, Get, "/voice-connectors/{voiceConnectorId}/emergency-calling-configuration", None, 200, &[]),
    served(DeleteVoiceConnectorEmergencyCallingConfiguration, Delete, "/voice-connectors/{voiceConnectorId}/emergency-calling-configuration", None, 204, &[]),
    served(PutVoiceConnectorExternalSystemsConfiguration, Put, "/voice-connectors/{voiceConnectorId}/external-systems-configuration", None, 200, &[optional("SessionBorderControllerTypes", list(&text(&scalars::SESSION_BORDER_CONTROLLER_TYPE), ANY)), optional("ContactCenterSystemTypes", list(&text(&scalars::CONTACT_CENTER_SYSTEM_TYPE), ANY))]),
    served(GetVoiceConnectorExternalSystemsConfiguration, Get, "/voice-connectors/{voiceConnectorId}/external-systems-configuration", None, 200, &[]),
    served(DeleteVoiceConnectorExternalSystemsConfiguration, Delete, "/voice-connectors/{voiceConnectorId}/external-systems-configuration", None, 204, &[]),
    served(ValidateE911Address, Post, "/emergency-calling/address", None, 202, &[required("AwsAccountId", text(&scalars::NON_EMPTY_STRING)), required("StreetNumber", text(&scalars::SENSITIVE_NON_EMPTY_STRING)), required("StreetInfo", text(&scalars::SENSITIVE_NON_EMPTY_STRING)), required("City", text(&scalars::SENSITIVE_NON_EMPTY_STRING)), required("State", text(&scalars::SENSITIVE_NON_EMPTY_STRING)), required("Country", text(&scalars::SENSITIVE_NON_EMPTY_STRING)), required("PostalCode", text(&scalars::SENSITIVE_NON_EMPTY_STRING))]),
    // Voice Connector groups
    served(CreateVoiceConnectorGroup, Post, "/voice-connector-groups", None, 201, &[required("Name", text(&scalars::VOICE_CONNECTOR_GROUP_NAME)), optional("VoiceConnectorItems", list(&object(&structures::VOICE_CONNECTOR_ITEM), ANY)), optional("CallDistributionType", text(&scalars::CALL_DISTRIBUTION_TYPE))]),
    served(GetVoiceConnectorGroup, Get, "/voice-connector-groups/{voiceConnectorGroupId}", None, 200, &[]),
    served(ListVoiceConnectorGroups, Get, "/voice-connector-groups", None, 200, &[optional("NextToken", Shape::Plain).in_query("next-token"), optional("MaxResults", int(&scalars::RESULT_MAX)).in_query("max-results")]),
    served(UpdateVoiceConnectorGroup, Put, "/voice-connector-groups/{voiceConnectorGroupId}", None, 202, &[required("Name", text(&scalars::VOICE_CONNECTOR_GROUP_NAME)), required("VoiceConnectorItems", list(&object(&structures::VOICE_CONNECTOR_ITEM), ANY)), optional("CallDistributionType", text(&scalars::CALL_DISTRIBUTION_TYPE))]),
    served(DeleteVoiceConnectorGroup, Delete, "/voice-connector-groups/{voiceConnectorGroupId}", None, 204, &[]),
    // Phone numbers
    served(AssociatePhoneNumbersWithVoiceConnector, Post, "/voice-connectors/{voiceConnectorId}", Some(("operation", "associate-phone-numbers")), 200, &[required("E164PhoneNumbers", list(&text(&scalars::E164_PHONE_NUMBER), ANY)), optional("ForceAssociate", Shape::Bool)]),
    served(DisassociatePhoneNumbersFromVoiceConnector, Post, "/voice-connectors/{voiceConnectorId}", Some(("operation", "disassociate-phone-numbers")), 200, &[required("E164PhoneNumbers", list(&text(&scalars::E164_PHONE_NUMBER), ANY))]),
    served(AssociatePhoneNumbersWithVoiceConnectorGroup, Post, "/voice-connector-groups/{voiceConnectorGroupId}", Some(("operation", "associate-phone-numbers")), 200, &[required("E164PhoneNumbers", list(&text(&scalars::E164_PHONE_NUMBER), ANY)), optional("ForceAssociate", Shape::Bool)]),
    served(DisassociatePhoneNumbersFromVoiceConnectorGroup, Post, "/voice-connector-groups/{voiceConnectorGroupId}", Some(("operation", "disassociate-phone-numbers")), 200, &[required("E164PhoneNumbers", list(&text(&scalars::E164_PHONE_NUMBER), ANY))]),
    served(ListPhoneNumbers, Get, "/phone-numbers", None, 200, &[optional("Status", Shape::Plain).in_query("status"), optional("ProductType", text(&scalars::PHONE_NUMBER_PRODUCT_TYPE)).in_query("product-type"), optional("FilterName", text(&scalars::PHONE_NUMBER_ASSOCIATION_NAME)).in_query("filter-name"), optional("FilterValue", Shape::Plain).in_query("filter-value"), optional("MaxResults", int(&scalars::RESULT_MAX)).in_query("max-results"), optional("NextToken", Shape::Plain).in_query("next-token")]),
    served(GetPhoneNumber, Get, "/phone-numbers/{phoneNumberId}", None, 200, &[]),
    served(UpdatePhoneNumber, Post, "/phone-numbers/{phoneNumberId}", None, 200, &[optional("ProductType", text(&scalars::PHONE_NUMBER_PRODUCT_TYPE)), optional("CallingName", text(&scalars::CALLING_NAME)), optional("Name", text(&scalars::PHONE_NUMBER_NAME))]),
    served(BatchUpdatePhoneNumber, Post, "/phone-numbers", Some(("operation", "batch-update")), 200, &[required("UpdatePhoneNumberRequestItems", list(&object(&structures::UPDATE_PHONE_NUMBER_REQUEST_ITEM), ANY))]),
    served(DeletePhoneNumber, Delete, "/phone-numbers/{phoneNumberId}", None, 204, &[]),
    served(BatchDeletePhoneNumber, Post, "/phone-numbers", Some(("operation", "batch-delete")), 200, &[required("PhoneNumberIds", list(&Shape::Plain, at_least(1)))]),
    served(RestorePhoneNumber, Post, "/phone-numbers/{phoneNumberId}", Some(("operation", "restore")), 200, &[]),
    served(SearchAvailablePhoneNumbers, Get, "/search", Some(("type", "phone-numbers")), 200, &[optional("AreaCode", Shape::Plain).in_query("area-code"), optional("City", Shape::Plain).in_query("city"), optional("Country", text(&scalars::ALPHA2_COUNTRY_CODE)).in_query("country"), optional("State", Shape::Plain).in_query("state"), optional("TollFreePrefix", text(&scalars::TOLL_FREE_PREFIX)).in_query("toll-free-prefix"), optional("PhoneNumberType", text(&scalars::PHONE_NUMBER_TYPE)).in_query("phone-number-type"), optional("MaxResults", int(&scalars::PHONE_NUMBER_MAX_RESULTS)).in_query("max-results"), optional("NextToken", Shape::Plain).in_query("next-token")]),
    served(ListSupportedPhoneNumberCountries, Get, "/phone-number-countries", None, 200, &[required("ProductType", text(&scalars::PHONE_NUMBER_PRODUCT_TYPE)).in_query("product-type")]),
    served(CreatePhoneNumberOrder, Post, "/phone-number-orders", None, 201, &[required("ProductType", text(&scalars::PHONE_NUMBER_PRODUCT_TYPE)), required("E164PhoneNumbers", list(&text(&scalars::E164_PHONE_NUMBER), ANY)), optional("Name", text(&scalars::PHONE_NUMBER_NAME))]),
    served(GetPhoneNumberOrder, Get, "/phone-number-orders/{phoneNumberOrderId}", None, 200, &[]),
    served(ListPhoneNumberOrders, Get, "/phone-number-orders", None, 200, &[optional("NextToken", text(&scalars::NEXT_TOKEN_STRING)).in_query("next-token"), optional("MaxResults", int(&scalars::RESULT_MAX)).in_query("max-results")]),
    served(GetPhoneNumberSettings, Get, "/settings/phone-number", None, 200, &[]),
    served(UpdatePhoneNumberSettings, Put, "/settings/phone-number", None, 204, &[required("CallingName", text(&scalars::CALLING_NAME))]),
    // Proxy sessions, which ended on 2026-04-07
    not_served(PutVoiceConnectorProxy, Put, "/voice-connectors/{voiceConnectorId}/programmable-numbers/proxy", None, 200, Fate::Gone),
    not_served(GetVoiceConnectorProxy, Get, "/voice-connectors/{voiceConnectorId}/programmable-numbers/proxy", None, 200, Fate::Gone),
    not_served(DeleteVoiceConnectorProxy, Delete, "/voice-connectors/{voiceConnectorId}/programmable-numbers/proxy", None, 204, Fate::Gone),
    not_served(CreateProxySession, Post, "/voice-connectors/{voiceConnectorId}/proxy-sessions", None, 201, Fate::Gone),
    not_served(GetProxySession, Get, "/voice-connectors/{voiceConnectorId}/proxy-sessions/{proxySessionId}", None, 200, Fate::Gone),
    not_served(ListProxySessions, Get, "/voice-connectors/{voiceConnectorId}/proxy-sessions", None, 200, Fate::Gone),
    not_served(UpdateProxySession, Post, "/voice-connectors/{voiceConnectorId}/proxy-sessions/{proxySessionId}", None, 201, Fate::Gone),
    not_served(DeleteProxySession, Delete, "/voice-connectors/{voiceConnectorId}/proxy-sessions/{proxySessionId}", None, 204, Fate::Gone),
    // SIP media applications and SIP rules
    not_served(CreateSipMediaApplication, Post, "/sip-media-applications", None, 201, APPLICATIONS),
    not_served(GetSipMediaApplication, Get, "/sip-media-applications/{sipMediaApplicationId}", None, 200, APPLICATIONS),
    not_served(ListSipMediaApplications, Get, "/sip-media-applications", None, 200, APPLICATIONS),
    not_served(UpdateSipMediaApplication, Put, "/sip-media-applications/{sipMediaApplicationId}", None, 200, APPLICATIONS),
    not_served(DeleteSipMediaApplication, Delete, "/sip-media-applications/{sipMediaApplicationId}", None, 204, APPLICATIONS),
    not_served(CreateSipMediaApplicationCall, Post, "/sip-media-applications/{sipMediaApplicationId}/calls", None, 201, APPLICATIONS),
    not_served(UpdateSipMediaApplicationCall, Post, "/sip-media-applications/{sipMediaApplicationId}/calls/{transactionId}", None, 202, APPLICATIONS),
    not_served(PutSipMediaApplicationLoggingConfiguration, Put, "/sip-media-applications/{sipMediaApplicationId}/logging-configuration", None, 200, APPLICATIONS),
    not_served(GetSipMediaApplicationLoggingConfiguration, Get, "/sip-media-applications/{sipMediaApplicationId}/logging-configuration", None, 200, APPLICATIONS),
    not_served(PutSipMediaApplicationAlexaSkillConfiguration, Put, "/sip-media-applications/{sipMediaApplicationId}/alexa-skill-configuration", None, 200, Fate::Gone),
    not_served(GetSipMediaApplicationAlexaSkillConfiguration, Get, "/sip-media-applications/{sipMediaApplicationId}/alexa-skill-configuration", None, 200, Fate::Gone),
    not_served(CreateSipRule, Post, "/sip-rules", None, 201, SIP_RULES),
    not_served(GetSipRule, Get, "/sip-rules/{sipRuleId}", None, 200, SIP_RULES),
    not_served(ListSipRules, Get, "/sip-rules", None, 200, SIP_RULES),
    not_served(UpdateSipRule, Put, "/sip-rules/{sipRuleId}", None, 202, SIP_RULES),
    not_served(DeleteSipRule, Delete, "/sip-rules/{sipRuleId}", None, 204, SIP_RULES),
    // Account settings and tags
    served(GetGlobalSettings, Get, "/settings", None, 200, &[]),
    served(UpdateGlobalSettings, Put, "/settings", None, 204, &[required("VoiceConnector", object(&structures::VOICE_CONNECTOR_SETTINGS))]),
    served(TagResource, Post, "/tags", Some(("operation", "tag-resource")), 204, &[required("ResourceARN", text(&scalars::ARN)), required("Tags", list(&object(&structures::TAG), count(1, 50)))]),
    served(UntagResource, Post, "/tags", Some(("operation", "untag-resource")), 204, &[required("ResourceARN", text(&scalars::ARN)), required("TagKeys", list(&text(&scalars::TAG_KEY), count(1, 50)))]),
    served(ListTagsForResource, Get, "/tags", None, 200, &[required("ResourceARN", text(&scalars::ARN)).in_query("arn")]),
    // Voice analytics on a call
    not_served(StartSpeakerSearchTask, Post, "/voice-connectors/{VoiceConnectorId}/speaker-search-tasks", None, 201, VOICE_ANALYTICS),
    not_served(GetSpeakerSearchTask, Get, "/voice-connectors/{VoiceConnectorId}/speaker-search-tasks/{SpeakerSearchTaskId}", None, 200, VOICE_ANALYTICS),
    not_served(StopSpeakerSearchTask, Post, "/voice-connectors/{VoiceConnectorId}/speaker-search-tasks/{SpeakerSearchTaskId}", Some(("operation", "stop")), 204, VOICE_ANALYTICS),
    not_served(StartVoiceToneAnalysisTask, Post, "/voice-connectors/{VoiceConnectorId}/voice-tone-analysis-tasks", None, 201, VOICE_ANALYTICS),
    not_served(GetVoiceToneAnalysisTask, Get, "/voice-connectors/{VoiceConnectorId}/voice-tone-analysis-tasks/{VoiceToneAnalysisTaskId}", None, 200, VOICE_ANALYTICS),
    not_served(StopVoiceToneAnalysisTask, Post, "/voice-connectors/{VoiceConnectorId}/voice-tone-analysis-tasks/{VoiceToneAnalysisTaskId}", Some(("operation", "stop")), 204, VOICE_ANALYTICS),
];
