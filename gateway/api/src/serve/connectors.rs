//! Voice connectors.

use inventory::NewConnector;
use inventory::object::{Connector, Object};
use serde_json::{Value, json};

use super::output::{object, time};
use super::{Call, Output, tags};

pub(super) fn create(call: &Call<'_>) -> Output {
    let new = NewConnector {
        name: call.text("Name").unwrap_or_default().to_owned(),
        region: call.text("AwsRegion").map(str::to_owned),
        require_encryption: is_encrypted(call),
        integration_type: call.named("IntegrationType"),
        network_type: call.named("NetworkType"),
        tags: tags::read(call),
    };
    let made = call.inventory.create_voice_connector(call.when(), new)?;
    Ok(json!({ "VoiceConnector": shown(call, &made) }))
}

pub(super) fn get(call: &Call<'_>) -> Output {
    let connector = call.inventory.voice_connector(call.id())?;
    Ok(json!({ "VoiceConnector": shown(call, &connector) }))
}

pub(super) fn list(call: &Call<'_>) -> Output {
    let page = call.inventory.voice_connectors(call.paging())?;
    let shown: Vec<Value> = page.items.iter().map(|connector| shown(call, connector)).collect();
    Ok(object([("VoiceConnectors", shown.into()), ("NextToken", page.next.into())]))
}

pub(super) fn update(call: &Call<'_>) -> Output {
    let name = call.text("Name").unwrap_or_default();
    let connector =
        call.inventory.update_voice_connector(call.when(), call.id(), name, is_encrypted(call))?;
    Ok(json!({ "VoiceConnector": shown(call, &connector) }))
}

pub(super) fn delete(call: &Call<'_>) -> Output {
    call.inventory.delete_voice_connector(call.when(), call.id())?;
    Ok(Value::Null)
}

pub(super) fn regions() -> Value {
    json!({ "VoiceConnectorRegions": inventory::REGIONS })
}

fn is_encrypted(call: &Call<'_>) -> bool {
    call.input.get("RequireEncryption").and_then(Value::as_bool).unwrap_or(true)
}

fn shown(call: &Call<'_>, connector: &Object<Connector>) -> Value {
    let Connector { id, name, region, require_encryption, integration_type, network_type, .. } =
        &connector.value;
    object([
        ("VoiceConnectorId", json!(id)),
        ("AwsRegion", json!(region)),
        ("Name", json!(name)),
        ("OutboundHostName", json!(format!("{id}.{}", call.settings.domain))),
        ("RequireEncryption", json!(require_encryption)),
        ("CreatedTimestamp", json!(time(connector.created))),
        ("UpdatedTimestamp", json!(time(connector.updated))),
        ("VoiceConnectorArn", json!(call.inventory.connector_arn(&connector.value))),
        ("IntegrationType", json!(integration_type.map(|kind| kind.name()))),
        ("NetworkType", json!(network_type.name())),
    ])
}
