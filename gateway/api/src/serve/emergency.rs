//! Where emergency calls go, and addresses that help would be sent to.

use inventory::object::DnisEmergency;
use serde::Deserialize;
use serde_json::{Value, json};

use super::output::object;
use super::{Call, Output};

pub(super) fn put(call: &Call<'_>) -> Output {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Input {
        emergency_calling_configuration: Configuration,
    }
    #[derive(Deserialize)]
    struct Configuration {
        #[serde(rename = "DNIS")]
        dnis: Option<Vec<Entry>>,
    }
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Entry {
        emergency_phone_number: String,
        test_phone_number: Option<String>,
        calling_country: String,
    }
    let Input { emergency_calling_configuration: input } = call.read()?;
    let entries = input.dnis.unwrap_or_default().into_iter().map(|entry| DnisEmergency {
        emergency_phone_number: entry.emergency_phone_number,
        test_phone_number: entry.test_phone_number,
        calling_country: entry.calling_country,
    });
    let entries = call.inventory.put_emergency(call.when(), call.id(), entries.collect())?;
    Ok(shown(&entries))
}

pub(super) fn get(call: &Call<'_>) -> Output {
    Ok(shown(&call.inventory.emergency(call.id())?))
}

pub(super) fn delete(call: &Call<'_>) -> Output {
    call.inventory.delete_emergency(call.when(), call.id())?;
    Ok(Value::Null)
}

fn shown(entries: &[DnisEmergency]) -> Value {
    let entries = entries.iter().map(|entry| {
        object([
            ("EmergencyPhoneNumber", json!(entry.emergency_phone_number)),
            ("TestPhoneNumber", json!(entry.test_phone_number)),
            ("CallingCountry", json!(entry.calling_country)),
        ])
    });
    json!({ "EmergencyCallingConfiguration": { "DNIS": entries.collect::<Vec<_>>() } })
}

/// Whether help could be sent to an address is known to the authorities' databases alone, and this gateway asks none. So no
/// address is confirmed: `ValidationResult` 2. A wrong "no" makes somebody ask elsewhere, a wrong "yes" sends help
/// elsewhere.
pub(super) fn validate_address() -> Value {
    json!({ "ValidationResult": 2, "CandidateAddressList": [] })
}
