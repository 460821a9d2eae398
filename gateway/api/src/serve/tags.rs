//! Tags of connectors and groups.

use inventory::object::Tag;
use serde_json::{Value, json};

use super::{Call, Output};

/// The member `Tags` of an input.
pub(super) fn read(call: &Call<'_>) -> Vec<Tag> {
    super::request_tags(call.input).into_iter().map(|(key, value)| Tag { key, value }).collect()
}

fn arn<'a>(call: &'a Call<'_>) -> &'a str {
    call.text("ResourceARN").unwrap_or_default()
}

pub(super) fn tag(call: &Call<'_>) -> Output {
    call.inventory.tag_resource(call.when(), arn(call), read(call))?;
    Ok(Value::Null)
}

pub(super) fn untag(call: &Call<'_>) -> Output {
    call.inventory.untag_resource(call.when(), arn(call), &call.texts("TagKeys"))?;
    Ok(Value::Null)
}

pub(super) fn list(call: &Call<'_>) -> Output {
    let tags = call.inventory.tags_for_resource(arn(call))?;
    let tags = tags.iter().map(|tag| json!({ "Key": tag.key, "Value": tag.value }));
    Ok(json!({ "Tags": tags.collect::<Vec<_>>() }))
}
