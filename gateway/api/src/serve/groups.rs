//! Voice connector groups.

use inventory::NewGroup;
use inventory::object::{Group, GroupItem, Object};
use serde::Deserialize;
use serde_json::{Value, json};

use super::output::{object, time};
use super::{Call, Output};
use crate::error::ApiError;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Input {
    name: String,
    voice_connector_items: Option<Vec<Item>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Item {
    voice_connector_id: String,
    priority: Option<u32>,
}

fn read(call: &Call<'_>) -> Result<NewGroup, ApiError> {
    let Input { name, voice_connector_items } = call.read()?;
    let items = voice_connector_items.unwrap_or_default().into_iter();
    let items = items
        .map(|item| GroupItem { connector: item.voice_connector_id, priority: item.priority.unwrap_or(1) });
    Ok(NewGroup { name, items: items.collect(), distribution: call.named("CallDistributionType") })
}

pub(super) fn create(call: &Call<'_>) -> Output {
    let made = call.inventory.create_voice_connector_group(call.when(), read(call)?)?;
    Ok(json!({ "VoiceConnectorGroup": shown(call, &made) }))
}

pub(super) fn get(call: &Call<'_>) -> Output {
    let group = call.inventory.voice_connector_group(call.id())?;
    Ok(json!({ "VoiceConnectorGroup": shown(call, &group) }))
}

pub(super) fn list(call: &Call<'_>) -> Output {
    let page = call.inventory.voice_connector_groups(call.paging())?;
    let shown: Vec<Value> = page.items.iter().map(|group| shown(call, group)).collect();
    Ok(object([("VoiceConnectorGroups", shown.into()), ("NextToken", page.next.into())]))
}

pub(super) fn update(call: &Call<'_>) -> Output {
    let group = call.inventory.update_voice_connector_group(call.when(), call.id(), read(call)?)?;
    Ok(json!({ "VoiceConnectorGroup": shown(call, &group) }))
}

pub(super) fn delete(call: &Call<'_>) -> Output {
    call.inventory.delete_voice_connector_group(call.when(), call.id())?;
    Ok(Value::Null)
}

fn shown(call: &Call<'_>, group: &Object<Group>) -> Value {
    let Group { id, name, items, distribution } = &group.value;
    let items =
        items.iter().map(|item| json!({ "VoiceConnectorId": item.connector, "Priority": item.priority }));
    json!({
        "VoiceConnectorGroupId": id,
        "Name": name,
        "VoiceConnectorItems": items.collect::<Vec<_>>(),
        "CreatedTimestamp": time(group.created),
        "UpdatedTimestamp": time(group.updated),
        "VoiceConnectorGroupArn": call.inventory.group_arn(&group.value),
        "CallDistributionType": distribution.name(),
    })
}
