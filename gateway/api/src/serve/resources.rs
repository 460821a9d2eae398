//! What an operation is done to, as policies see it.

use serde_json::{Map, Value};

use super::Call;
use crate::operation::Operation;

/// A resource: its ARN, and its tags.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Resource {
    pub arn: String,
    pub tags: Vec<(String, String)>,
}

/// All that an operation is done to; a key must be allowed to do it to each. `*` where there is nothing of the kind.
///
/// Who may take numbers of one connector for another must be allowed to do so to the numbers.
///
/// - `region`: of the request; that of a resource which there is not.
pub(crate) fn resources(call: &Call<'_>, region: &str) -> Vec<Resource> {
    use Operation as O;
    let kind = call.operation.path_kind();
    let mut all = match kind {
        Some("voice-connectors") => vec![connector(call, call.id(), region)],
        Some("voice-connector-groups") => vec![group(call, call.id(), region)],
        Some("phone-numbers") => vec![number(call, call.id())],
        Some("phone-number-orders") => vec![untagged(call, &format!("phone-number-order/{}", call.id()))],
        _ => Vec::new(),
    };
    match call.operation {
        O::AssociatePhoneNumbersWithVoiceConnector
        | O::AssociatePhoneNumbersWithVoiceConnectorGroup
        | O::DisassociatePhoneNumbersFromVoiceConnector
        | O::DisassociatePhoneNumbersFromVoiceConnectorGroup
        | O::CreatePhoneNumberOrder => {
            all.extend(call.texts("E164PhoneNumbers").iter().map(|id| number(call, id)));
        }
        O::BatchDeletePhoneNumber => {
            all.extend(call.texts("PhoneNumberIds").iter().map(|id| number(call, id)));
        }
        O::BatchUpdatePhoneNumber => {
            let ids = members(call.input, "UpdatePhoneNumberRequestItems", "PhoneNumberId");
            all.extend(ids.iter().map(|id| number(call, id)));
        }
        O::CreateVoiceConnectorGroup | O::UpdateVoiceConnectorGroup => {
            let ids = members(call.input, "VoiceConnectorItems", "VoiceConnectorId");
            all.extend(ids.iter().map(|id| connector(call, id, region)));
        }
        O::TagResource | O::UntagResource | O::ListTagsForResource => {
            let arn = call.text("ResourceARN").unwrap_or("*").to_owned();
            all.push(Resource { tags: tags(call, &arn), arn });
        }
        _ => {}
    }
    if all.is_empty() {
        all.push(Resource { arn: "*".to_owned(), tags: Vec::new() });
    }
    all
}

/// The tags that a request would give.
pub(crate) fn request_tags(input: &Map<String, Value>) -> Vec<(String, String)> {
    let tags = input.get("Tags").and_then(Value::as_array).into_iter().flatten();
    let text = |tag: &Value, name: &str| tag.get(name).and_then(Value::as_str).map(str::to_owned);
    tags.filter_map(|tag| Some((text(tag, "Key")?, text(tag, "Value")?))).collect()
}

fn members(input: &Map<String, Value>, list: &str, name: &str) -> Vec<String> {
    let items = input.get(list).and_then(Value::as_array).into_iter().flatten();
    items.filter_map(|item| item.get(name)?.as_str().map(str::to_owned)).collect()
}

fn connector(call: &Call<'_>, id: &str, region: &str) -> Resource {
    let arn = match call.inventory.voice_connector(id) {
        Ok(connector) => call.inventory.connector_arn(&connector.value),
        Err(_) => call.inventory.arn(region, &format!("vc/{id}")),
    };
    Resource { tags: tags(call, &arn), arn }
}

fn group(call: &Call<'_>, id: &str, region: &str) -> Resource {
    let arn = match call.inventory.voice_connector_group(id) {
        Ok(group) => call.inventory.group_arn(&group.value),
        Err(_) => call.inventory.arn(region, &format!("vcg/{id}")),
    };
    Resource { tags: tags(call, &arn), arn }
}

/// With its plus sign, whether the client wrote it or not.
fn number(call: &Call<'_>, id: &str) -> Resource {
    untagged(call, &format!("phone-number/+{}", id.strip_prefix('+').unwrap_or(id)))
}

fn untagged(call: &Call<'_>, resource: &str) -> Resource {
    Resource { arn: call.inventory.arn(&call.settings.region, resource), tags: Vec::new() }
}

fn tags(call: &Call<'_>, arn: &str) -> Vec<(String, String)> {
    let tags = call.inventory.tags_for_resource(arn).unwrap_or_default();
    tags.into_iter().map(|tag| (tag.key, tag.value)).collect()
}
