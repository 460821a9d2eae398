//! Numbers that can be had, and orders of them.

use inventory::object::{Object, Order, ProductType};
use inventory::{NewOrder, Search};
use serde_json::{Value, json};

use super::output::{object, time};
use super::{Call, Output};

pub(super) fn search(call: &Call<'_>) -> Output {
    let text = |name| call.text(name).map(str::to_owned);
    let search = Search {
        area_code: text("AreaCode"),
        city: text("City"),
        country: text("Country"),
        state: text("State"),
        toll_free_prefix: text("TollFreePrefix"),
        number_type: call.named("PhoneNumberType"),
    };
    let page = call.inventory.search_available_phone_numbers(&search, call.paging())?;
    let numbers: Vec<Value> = page.items.iter().map(|number| json!(number.as_str())).collect();
    Ok(object([("E164PhoneNumbers", numbers.into()), ("NextToken", page.next.into())]))
}

pub(super) fn countries(call: &Call<'_>) -> Output {
    let countries = call.inventory.supported_phone_number_countries();
    let countries = countries.iter().map(|(country, types)| {
        let types: Vec<_> = types.iter().map(|kind| kind.name()).collect();
        json!({ "CountryCode": country.to_string(), "SupportedPhoneNumberTypes": types })
    });
    Ok(json!({ "PhoneNumberCountries": countries.collect::<Vec<_>>() }))
}

pub(super) fn create(call: &Call<'_>) -> Output {
    let new = NewOrder {
        product_type: call.named("ProductType").unwrap_or(ProductType::VoiceConnector),
        numbers: call.texts("E164PhoneNumbers"),
        name: call.text("Name").map(str::to_owned),
    };
    let order = call.inventory.create_phone_number_order(call.when(), &new)?;
    Ok(json!({ "PhoneNumberOrder": shown(&order) }))
}

pub(super) fn get(call: &Call<'_>) -> Output {
    Ok(json!({ "PhoneNumberOrder": shown(&*call.inventory.phone_number_order(call.id())?) }))
}

pub(super) fn list(call: &Call<'_>) -> Output {
    let page = call.inventory.phone_number_orders(call.paging())?;
    let orders: Vec<Value> = page.items.iter().map(|order| shown(order)).collect();
    Ok(object([("PhoneNumberOrders", orders.into()), ("NextToken", page.next.into())]))
}

fn shown(order: &Object<Order>) -> Value {
    let Order { id, product_type, status, order_type, numbers, foc_date } = &order.value;
    let numbers = numbers.iter().map(
        |ordered| json!({ "E164PhoneNumber": ordered.number.as_str(), "Status": ordered.status.name() }),
    );
    object([
        ("PhoneNumberOrderId", json!(id)),
        ("ProductType", json!(product_type.name())),
        ("Status", json!(status.name())),
        ("OrderType", json!(order_type.name())),
        ("OrderedPhoneNumbers", json!(numbers.collect::<Vec<_>>())),
        ("CreatedTimestamp", json!(time(order.created))),
        ("UpdatedTimestamp", json!(time(order.updated))),
        ("FocDate", json!(foc_date)),
    ])
}
