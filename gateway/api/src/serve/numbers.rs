//! Phone numbers.

use inventory::object::{AssociationName, Object, PhoneNumber, ProductType};
use inventory::{NumberChange, NumberError, NumberFilter, NumberOwner};
use serde::Deserialize;
use serde_json::{Value, json};

use super::output::{object, time};
use super::{Call, Output};
use crate::error::{ApiError, Kind};

fn owner<'a>(call: &'a Call<'_>) -> NumberOwner<'a> {
    match call.operation.path_kind() {
        Some("voice-connector-groups") => NumberOwner::Group(call.id()),
        _ => NumberOwner::Connector(call.id()),
    }
}

pub(super) fn associate(call: &Call<'_>) -> Output {
    let force = call.input.get("ForceAssociate").and_then(Value::as_bool).unwrap_or(false);
    let numbers = call.texts("E164PhoneNumbers");
    Ok(errors(&call.inventory.associate_phone_numbers(call.when(), owner(call), &numbers, force)?))
}

pub(super) fn disassociate(call: &Call<'_>) -> Output {
    let numbers = call.texts("E164PhoneNumbers");
    Ok(errors(&call.inventory.disassociate_phone_numbers(call.when(), owner(call), &numbers)?))
}

pub(super) fn list(call: &Call<'_>) -> Output {
    let status = match call.text("Status") {
        None => None,
        Some(text) => Some(
            text.parse().map_err(|_| ApiError::new(Kind::BadRequest, "Status is none of a phone number."))?,
        ),
    };
    let association = match (call.named::<AssociationName>("FilterName"), call.text("FilterValue")) {
        (None, None) => None,
        (Some(name), Some(value)) => Some((name, value.to_owned())),
        _ => return Err(ApiError::new(Kind::BadRequest, "FilterName and FilterValue go together.")),
    };
    let filter = NumberFilter {
        status,
        product_type: call.named("ProductType"),
        association,
        ..NumberFilter::default()
    };
    let page = call.inventory.phone_numbers(call.when(), &filter, call.paging())?;
    let shown: Vec<Value> = page.items.iter().map(|number| shown(call, number)).collect();
    Ok(object([("PhoneNumbers", shown.into()), ("NextToken", page.next.into())]))
}

pub(super) fn get(call: &Call<'_>) -> Output {
    let number = call.inventory.phone_number(call.when(), call.id())?;
    Ok(json!({ "PhoneNumber": shown(call, &number) }))
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Change {
    product_type: Option<String>,
    calling_name: Option<String>,
    name: Option<String>,
}

impl Change {
    fn read(self) -> NumberChange {
        let Change { product_type, calling_name, name } = self;
        let product_type = product_type.and_then(|text| text.parse::<ProductType>().ok());
        NumberChange { product_type, calling_name, name }
    }
}

pub(super) fn update(call: &Call<'_>) -> Output {
    let change = call.read::<Change>()?.read();
    let number = call.inventory.update_phone_number(call.when(), call.id(), &change)?;
    Ok(json!({ "PhoneNumber": shown(call, &number) }))
}

pub(super) fn update_many(call: &Call<'_>) -> Output {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Input {
        update_phone_number_request_items: Vec<Item>,
    }
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Item {
        phone_number_id: String,
        #[serde(flatten)]
        change: Change,
    }
    let Input { update_phone_number_request_items: items } = call.read()?;
    let changes: Vec<_> = items.into_iter().map(|item| (item.phone_number_id, item.change.read())).collect();
    Ok(errors(&call.inventory.update_phone_numbers(call.when(), &changes)?))
}

pub(super) fn delete(call: &Call<'_>) -> Output {
    call.inventory.delete_phone_number(call.when(), call.id())?;
    Ok(Value::Null)
}

pub(super) fn delete_many(call: &Call<'_>) -> Output {
    Ok(errors(&call.inventory.delete_phone_numbers(call.when(), &call.texts("PhoneNumberIds"))?))
}

pub(super) fn restore(call: &Call<'_>) -> Output {
    let number = call.inventory.restore_phone_number(call.when(), call.id())?;
    Ok(json!({ "PhoneNumber": shown(call, &number) }))
}

fn errors(errors: &[NumberError]) -> Value {
    let errors = errors.iter().map(|error| {
        json!({ "PhoneNumberId": error.number, "ErrorCode": error.code.name(), "ErrorMessage": error.message })
    });
    json!({ "PhoneNumberErrors": errors.collect::<Vec<_>>() })
}

fn shown(call: &Call<'_>, number: &Object<PhoneNumber>) -> Value {
    let value = &number.value;
    let associations = value.association.iter().map(|association| {
        json!({
            "Value": association.value,
            "Name": association.name.name(),
            "AssociatedTimestamp": time(association.associated),
        })
    });
    let id = value.number.as_str();
    object([
        ("PhoneNumberId", json!(id)),
        ("E164PhoneNumber", json!(id)),
        ("PhoneNumberArn", json!(call.inventory.arn(&call.settings.region, &format!("phone-number/{id}")))),
        ("Country", json!(value.country)),
        ("Type", json!(value.number_type.map(|kind| kind.name()))),
        ("ProductType", json!(value.product_type.name())),
        ("Status", json!(value.status.name())),
        // A trunk carries voice alone.
        (
            "Capabilities",
            json!({
                "InboundCall": true, "OutboundCall": value.product_type == ProductType::VoiceConnector,
                "InboundSMS": false, "OutboundSMS": false, "InboundMMS": false, "OutboundMMS": false,
            }),
        ),
        ("Associations", json!(associations.collect::<Vec<_>>())),
        ("CallingName", json!(value.calling_name)),
        ("CallingNameStatus", json!(value.calling_name_status.name())),
        ("CreatedTimestamp", json!(time(number.created))),
        ("UpdatedTimestamp", json!(time(number.updated))),
        ("DeletionTimestamp", json!(value.deletion.map(time))),
        ("OrderId", json!(value.order_id)),
        ("Name", json!(value.name)),
    ])
}
