//! The operations: an input that was checked, the inventory's operation, and the output as the model has it.

mod configurations;
mod connectors;
mod emergency;
mod groups;
mod numbers;
mod orders;
mod output;
mod resources;
mod settings;
mod tags;

pub(crate) use output::timestamp;
pub(crate) use resources::{request_tags, resources};

use inventory::{Exception, Inventory, Paging, Timestamp};
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use time::OffsetDateTime;

use crate::error::{ApiError, Kind};
use crate::operation::Operation;
use crate::{Host, Settings};

/// An operation that may be done, with an input that was checked.
pub(crate) struct Call<'a> {
    pub operation: Operation,
    /// The path's, unescaped, in their order.
    pub parameters: &'a [String],
    pub input: &'a Map<String, Value>,
    pub now: OffsetDateTime,
    pub inventory: &'a Inventory,
    pub host: &'a dyn Host,
    pub settings: &'a Settings,
}

type Output = Result<Value, ApiError>;

impl Call<'_> {
    /// The first parameter of the path.
    fn id(&self) -> &str {
        self.parameters.first().map_or("", String::as_str)
    }

    /// The input as a type, whose members were checked by the table.
    fn read<T: DeserializeOwned>(&self) -> Result<T, ApiError> {
        let input = Value::Object(self.input.clone());
        serde_json::from_value(input).map_err(|_| ApiError::new(Kind::BadRequest, "The input can't be read."))
    }

    fn when(&self) -> Timestamp {
        let milliseconds = self.now.unix_timestamp_nanos() / 1_000_000;
        Timestamp(u64::try_from(milliseconds).unwrap_or(0))
    }

    fn text(&self, name: &str) -> Option<&str> {
        self.input.get(name).and_then(Value::as_str)
    }

    /// A text that names one of a few values.
    fn named<T: std::str::FromStr>(&self, name: &str) -> Option<T> {
        self.text(name).and_then(|text| text.parse().ok())
    }

    fn paging(&self) -> Paging<'_> {
        let limit = self.input.get("MaxResults").and_then(Value::as_u64);
        let limit = limit.and_then(|limit| usize::try_from(limit).ok()).unwrap_or(Paging::default().limit);
        Paging { limit, after: self.text("NextToken") }
    }

    /// The texts of a list.
    fn texts(&self, name: &str) -> Vec<String> {
        let values = self.input.get(name).and_then(Value::as_array);
        values.into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
    }
}

impl From<inventory::Error> for ApiError {
    fn from(error: inventory::Error) -> ApiError {
        let kind = match error.exception() {
            Exception::BadRequest => Kind::BadRequest,
            Exception::ResourceLimitExceeded => Kind::ResourceLimitExceeded,
            Exception::NotFound => Kind::NotFound,
            Exception::Conflict => Kind::Conflict,
            Exception::ServiceFailure => Kind::ServiceFailure,
            Exception::ServiceUnavailable => Kind::ServiceUnavailable,
        };
        ApiError::new(kind, error.to_string())
    }
}

/// Does it. What has no output gives `null`.
pub(crate) fn serve(call: &Call<'_>) -> Output {
    use Operation as O;
    match call.operation {
        O::CreateVoiceConnector => connectors::create(call),
        O::GetVoiceConnector => connectors::get(call),
        O::ListVoiceConnectors => connectors::list(call),
        O::UpdateVoiceConnector => connectors::update(call),
        O::DeleteVoiceConnector => connectors::delete(call),
        O::ListAvailableVoiceConnectorRegions => Ok(connectors::regions()),
        O::PutVoiceConnectorTermination => configurations::put_termination(call),
        O::GetVoiceConnectorTermination => configurations::termination(call),
        O::DeleteVoiceConnectorTermination => configurations::delete_termination(call),
        O::GetVoiceConnectorTerminationHealth => configurations::termination_health(call),
        O::PutVoiceConnectorTerminationCredentials => configurations::put_credentials(call),
        O::ListVoiceConnectorTerminationCredentials => configurations::credentials(call),
        O::DeleteVoiceConnectorTerminationCredentials => configurations::delete_credentials(call),
        O::PutVoiceConnectorOrigination => configurations::put_origination(call),
        O::GetVoiceConnectorOrigination => configurations::origination(call),
        O::DeleteVoiceConnectorOrigination => configurations::delete_origination(call),
        O::PutVoiceConnectorStreamingConfiguration => configurations::put_streaming(call),
        O::GetVoiceConnectorStreamingConfiguration => configurations::streaming(call),
        O::DeleteVoiceConnectorStreamingConfiguration => configurations::delete_streaming(call),
        O::PutVoiceConnectorLoggingConfiguration => configurations::put_logging(call),
        O::GetVoiceConnectorLoggingConfiguration => configurations::logging(call),
        O::PutVoiceConnectorEmergencyCallingConfiguration => emergency::put(call),
        O::GetVoiceConnectorEmergencyCallingConfiguration => emergency::get(call),
        O::DeleteVoiceConnectorEmergencyCallingConfiguration => emergency::delete(call),
        O::ValidateE911Address => Ok(emergency::validate_address()),
        O::PutVoiceConnectorExternalSystemsConfiguration => configurations::put_external_systems(call),
        O::GetVoiceConnectorExternalSystemsConfiguration => configurations::external_systems(call),
        O::DeleteVoiceConnectorExternalSystemsConfiguration => configurations::delete_external_systems(call),
        O::CreateVoiceConnectorGroup => groups::create(call),
        O::GetVoiceConnectorGroup => groups::get(call),
        O::ListVoiceConnectorGroups => groups::list(call),
        O::UpdateVoiceConnectorGroup => groups::update(call),
        O::DeleteVoiceConnectorGroup => groups::delete(call),
        O::AssociatePhoneNumbersWithVoiceConnector | O::AssociatePhoneNumbersWithVoiceConnectorGroup => {
            numbers::associate(call)
        }
        O::DisassociatePhoneNumbersFromVoiceConnector
        | O::DisassociatePhoneNumbersFromVoiceConnectorGroup => numbers::disassociate(call),
        O::ListPhoneNumbers => numbers::list(call),
        O::GetPhoneNumber => numbers::get(call),
        O::UpdatePhoneNumber => numbers::update(call),
        O::BatchUpdatePhoneNumber => numbers::update_many(call),
        O::DeletePhoneNumber => numbers::delete(call),
        O::BatchDeletePhoneNumber => numbers::delete_many(call),
        O::RestorePhoneNumber => numbers::restore(call),
        O::SearchAvailablePhoneNumbers => orders::search(call),
        O::ListSupportedPhoneNumberCountries => orders::countries(call),
        O::CreatePhoneNumberOrder => orders::create(call),
        O::GetPhoneNumberOrder => orders::get(call),
        O::ListPhoneNumberOrders => orders::list(call),
        O::GetPhoneNumberSettings => settings::of_numbers(call),
        O::UpdatePhoneNumberSettings => settings::update_of_numbers(call),
        O::GetGlobalSettings => settings::global(call),
        O::UpdateGlobalSettings => settings::update_global(call),
        O::TagResource => tags::tag(call),
        O::UntagResource => tags::untag(call),
        O::ListTagsForResource => tags::list(call),
        // The table says that they are not served, so nobody asks.
        _ => Err(ApiError::new(Kind::ServiceUnavailable, "This operation is not served.")),
    }
}
