//! Settings of the account.

use serde_json::{Value, json};

use super::output::{object, time};
use super::{Call, Output};

pub(super) fn global(call: &Call<'_>) -> Output {
    let settings = call.inventory.settings();
    Ok(json!({ "VoiceConnector": object([("CdrBucket", json!(settings.cdr_bucket))]) }))
}

pub(super) fn update_global(call: &Call<'_>) -> Output {
    let bucket = call.input.get("VoiceConnector").and_then(|settings| settings.get("CdrBucket"));
    let bucket = bucket.and_then(Value::as_str);
    call.inventory.update_global_settings(call.when(), bucket)?;
    Ok(Value::Null)
}

pub(super) fn of_numbers(call: &Call<'_>) -> Output {
    let settings = call.inventory.settings();
    Ok(object([
        ("CallingName", json!(settings.calling_name)),
        ("CallingNameUpdatedTimestamp", json!(settings.calling_name_updated.map(time))),
    ]))
}

pub(super) fn update_of_numbers(call: &Call<'_>) -> Output {
    call.inventory.update_phone_number_settings(call.when(), call.text("CallingName").unwrap_or_default())?;
    Ok(Value::Null)
}
