//! Numbers, orders and settings.

use std::time::Duration;

use inventory::object::{NumberStatus, OrderStatus, OrderedNumberStatus, ProductType};
use inventory::{
    ErrorCode, Exception, Inventory, NewOrder, NumberChange, NumberFilter, NumberOwner, Paging, Pool, Search,
    Timestamp,
};

use crate::house::{NOW, inventory, new_connector};

fn pool() -> Pool {
    let mut text = "number,country,type,state,city\n".to_owned();
    (200..300).for_each(|at| text.push_str(&format!("+12065550{at},US,Local,WA,Seattle\n")));
    text.push_str("+18005550100,US\n+4930123456,DE,Local,,Berlin\n");
    Pool::parse(&text).unwrap()
}

fn order(inventory: &Inventory, numbers: &[&str]) -> (OrderStatus, Vec<OrderedNumberStatus>) {
    let numbers = numbers.iter().map(|number| (*number).to_owned()).collect();
    let new = NewOrder { product_type: ProductType::VoiceConnector, numbers, name: None };
    let order = inventory.create_phone_number_order(NOW, &new).unwrap();
    assert_eq!(inventory.phone_number_order(&order.value.id).unwrap(), order);
    (order.value.status, order.value.numbers.iter().map(|number| number.status).collect())
}

fn stocked() -> Inventory {
    let inventory = inventory();
    inventory.set_pool(pool());
    order(&inventory, &["+12065550200", "12065550201", "+18005550100"]);
    inventory
}

fn texts(numbers: &[&str]) -> Vec<String> {
    numbers.iter().map(|number| (*number).to_owned()).collect()
}

fn day(days: u64) -> Timestamp {
    NOW.after(Duration::from_secs(days * 86_400))
}

#[test]
fn numbers_of_the_pool_are_found_and_ordered() {
    let inventory = inventory();
    inventory.set_pool(pool());
    let search = |search: Search| {
        inventory.search_available_phone_numbers(&search, Paging::default()).unwrap().items.len()
    };
    assert_eq!(search(Search { area_code: Some("206".into()), ..Search::default() }), 100);
    assert_eq!(search(Search { toll_free_prefix: Some("800".into()), ..Search::default() }), 1);
    assert_eq!(search(Search { city: Some("berlin".into()), ..Search::default() }), 1);
    assert_eq!(search(Search { country: Some("FR".into()), ..Search::default() }), 0);
    use OrderedNumberStatus::{Acquired, Failed};
    assert_eq!(order(&inventory, &["+12065550200"]), (OrderStatus::Successful, vec![Acquired]));
    assert_eq!(search(Search { area_code: Some("206".into()), ..Search::default() }), 99);
    // One that somebody has, one of the files, one of nobody's.
    assert_eq!(
        order(&inventory, &["+12065550200", "+12065550100", "+12065559999"]),
        (OrderStatus::Failed, vec![Failed, Failed, Failed])
    );
    assert_eq!(order(&inventory, &["+12065550200", "+12065550201"]).0, OrderStatus::Partial);
    let none = NewOrder { product_type: ProductType::VoiceConnector, numbers: vec![], name: None };
    assert_eq!(
        inventory.create_phone_number_order(NOW, &none).unwrap_err().exception(),
        Exception::BadRequest
    );
}

#[test]
fn a_number_has_one_owner_unless_it_is_taken_by_force() {
    let inventory = stocked();
    let id = inventory.create_voice_connector(NOW, new_connector("a")).unwrap().value.id.clone();
    let both = texts(&["+12065550200", "12065550201", "+12065559999", "+12065550100", "x"]);
    let connector = NumberOwner::Connector(&id);
    let codes = |errors: &[inventory::NumberError]| {
        errors.iter().map(|error| (error.number.clone(), error.code)).collect::<Vec<_>>()
    };
    let errors = inventory.associate_phone_numbers(NOW, connector, &both, false).unwrap();
    assert_eq!(
        codes(&errors),
        [
            ("+12065559999".into(), ErrorCode::NotFound),
            ("+12065550100".into(), ErrorCode::Conflict),
            ("x".into(), ErrorCode::NotFound),
        ]
    );
    let one = texts(&["+12065550200"]);
    let hq = NumberOwner::Connector("hq");
    let errors = inventory.associate_phone_numbers(NOW, hq, &one, false).unwrap();
    assert_eq!(codes(&errors), [("+12065550200".into(), ErrorCode::PhoneNumberAssociationsExist)]);
    assert_eq!(inventory.delete_voice_connector(NOW, &id).unwrap_err().exception(), Exception::Conflict);
    assert!(inventory.associate_phone_numbers(NOW, hq, &one, true).unwrap().is_empty());
    assert!(inventory.associate_phone_numbers(NOW, NumberOwner::Group("gone"), &one, true).is_err());
    assert_eq!(inventory.disassociate_phone_numbers(NOW, connector, &one).unwrap().len(), 1);
    assert!(inventory.disassociate_phone_numbers(NOW, connector, &both[1..2]).unwrap().is_empty());
    inventory.delete_voice_connector(NOW, &id).unwrap();
    let number = inventory.phone_number(NOW, "12065550200").unwrap();
    assert_eq!(number.value.association.as_ref().map(|owner| owner.value.as_str()), Some("hq"));
    assert_eq!(number.value.status, NumberStatus::Assigned);
}

#[test]
fn a_deleted_number_can_be_had_back_for_seven_days() {
    let inventory = stocked();
    let there = |now| inventory.phone_number(now, "+12065550200").map(|number| number.value.status).ok();
    inventory.delete_phone_number(NOW, "+12065550200").unwrap();
    let number = inventory.phone_number(NOW, "+12065550200").unwrap();
    assert_eq!(number.value.deletion, Some(day(7)));
    assert_eq!(there(NOW), Some(NumberStatus::ReleaseInProgress));
    assert!(inventory.delete_phone_number(NOW, "+12065550200").is_err());
    let almost = Timestamp(day(7).0 - 1);
    inventory.restore_phone_number(almost, "+12065550200").unwrap();
    assert_eq!(there(day(8)), Some(NumberStatus::Unassigned));
    assert_eq!(
        inventory.restore_phone_number(almost, "+12065550200").unwrap_err().exception(),
        Exception::BadRequest
    );
    inventory.delete_phone_number(NOW, "+12065550200").unwrap();
    assert_eq!(there(day(7)), None);
    assert_eq!(
        inventory.restore_phone_number(day(7), "+12065550200").unwrap_err().exception(),
        Exception::NotFound
    );
    // It went with the change that was tried, and may be ordered again.
    inventory.update_global_settings(day(7), Some("bucket")).unwrap();
    assert_eq!(order(&inventory, &["+12065550200"]).0, OrderStatus::Successful);
    let own = texts(&["+12065550201", "+12065550100", "+12065550777"]);
    let codes: Vec<ErrorCode> =
        inventory.delete_phone_numbers(NOW, &own).unwrap().iter().map(|error| error.code).collect();
    assert_eq!(codes, [ErrorCode::Conflict, ErrorCode::NotFound]);
}

#[test]
fn one_attribute_is_changed_at_a_time() {
    let inventory = stocked();
    let name = |name: &str| NumberChange { calling_name: Some(name.into()), ..NumberChange::default() };
    let change = |id: &str, change: NumberChange| {
        inventory
            .update_phone_number(NOW, id, &change)
            .map(|number| number.value.clone())
            .map_err(|error| error.exception())
    };
    assert_eq!(change("+12065550200", name("Example 1")).unwrap().calling_name.as_deref(), Some("Example 1"));
    assert_eq!(change("+12065550200", name("")).unwrap().calling_name, None);
    for wrong in ["x", "a name of sixteen", "B\u{fc}ro", "  ", "a.b"] {
        assert_eq!(change("+12065550200", name(wrong)), Err(Exception::BadRequest), "{wrong}");
    }
    assert_eq!(change("+18005550100", name("Example")), Err(Exception::BadRequest));
    assert_eq!(change("+12065550200", NumberChange::default()), Err(Exception::BadRequest));
    let two = NumberChange { name: Some("a".into()), ..name("Example") };
    assert_eq!(change("+12065550200", two), Err(Exception::BadRequest));
    assert_eq!(change("+12065550100", name("Example")), Err(Exception::Conflict));
    let product = ProductType::SipMediaApplicationDialIn;
    let product = NumberChange { product_type: Some(product), ..NumberChange::default() };
    let one = texts(&["+12065550200"]);
    inventory.associate_phone_numbers(NOW, NumberOwner::Connector("hq"), &one, false).unwrap();
    assert_eq!(change("+12065550200", product.clone()), Err(Exception::BadRequest));
    assert!(change("+12065550201", product).is_ok());
    let two = texts(&["+12065550201"]);
    let errors = inventory.associate_phone_numbers(NOW, NumberOwner::Connector("hq"), &two, false).unwrap();
    assert_eq!(errors.len(), 1);
    let changes = [("+12065550200".to_owned(), name("Two")), ("+12065550777".to_owned(), name("Two"))];
    assert_eq!(inventory.update_phone_numbers(NOW, &changes).unwrap().len(), 1);
}

#[test]
fn the_default_calling_name_changes_once_in_seven_days() {
    let inventory = inventory();
    inventory.update_phone_number_settings(NOW, "First").unwrap();
    assert_eq!(inventory.settings().calling_name_updated, Some(NOW));
    inventory.update_phone_number_settings(day(1), "First").unwrap();
    let error = inventory.update_phone_number_settings(day(6), "Second").unwrap_err();
    assert_eq!(error.exception(), Exception::BadRequest);
    inventory.update_phone_number_settings(day(7), "Second").unwrap();
    assert_eq!(inventory.settings().calling_name.as_deref(), Some("Second"));
    inventory.update_global_settings(NOW, Some("records")).unwrap();
    assert!(inventory.update_global_settings(NOW, Some("xn--records")).is_err());
    assert_eq!(inventory.settings().cdr_bucket.as_deref(), Some("records"));
}

#[test]
fn numbers_are_listed_by_status_owner_and_digits() {
    let inventory = stocked();
    let one = texts(&["+12065550201"]);
    inventory.associate_phone_numbers(NOW, NumberOwner::Connector("hq"), &one, false).unwrap();
    let list = |filter: &NumberFilter| {
        let (mut seen, mut after) = (Vec::new(), None::<String>);
        loop {
            let paging = Paging { limit: 1, after: after.as_deref() };
            let page = inventory.phone_numbers(NOW, filter, paging).unwrap();
            seen.extend(page.items.iter().map(|number| number.value.number.to_string()));
            after = page.next;
            if after.is_none() {
                return seen;
            }
        }
    };
    assert_eq!(
        list(&NumberFilter::default()),
        ["+12065550100", "+12065550200", "+12065550201", "+18005550100"]
    );
    let status = Some(NumberStatus::Unassigned);
    assert_eq!(list(&NumberFilter { status, ..NumberFilter::default() }), ["+12065550200", "+18005550100"]);
    let association = Some((inventory::object::AssociationName::VoiceConnectorId, "hq".to_owned()));
    assert_eq!(
        list(&NumberFilter { association, ..NumberFilter::default() }),
        ["+12065550100", "+12065550201"]
    );
    let digits = Some("800".to_owned());
    assert_eq!(list(&NumberFilter { digits, ..NumberFilter::default() }), ["+18005550100"]);
}

#[test]
fn a_porting_order_goes_its_way() {
    let inventory = inventory();
    let new = NewOrder {
        product_type: ProductType::VoiceConnector,
        numbers: texts(&["+12065550777"]),
        name: Some("ported".into()),
    };
    let order = inventory.create_porting_order(NOW, &new).unwrap();
    let id = order.value.id.clone();
    assert!(inventory.create_porting_order(NOW, &new).is_err());
    let status = || inventory.phone_number(NOW, "+12065550777").map(|number| number.value.status).ok();
    assert_eq!(status(), Some(NumberStatus::PortinInProgress));
    let one = texts(&["+12065550777"]);
    let hq = NumberOwner::Connector("hq");
    assert_eq!(inventory.associate_phone_numbers(NOW, hq, &one, false).unwrap().len(), 1);
    let order = inventory.advance_porting_order(NOW, &id, OrderStatus::Foc, Some("2027-01-01")).unwrap();
    assert_eq!(order.value.foc_date.as_deref(), Some("2027-01-01"));
    inventory.advance_porting_order(NOW, &id, OrderStatus::Successful, None).unwrap();
    assert_eq!(status(), Some(NumberStatus::Unassigned));
    assert!(inventory.advance_porting_order(NOW, &id, OrderStatus::Cancelled, None).is_err());
    assert!(inventory.associate_phone_numbers(NOW, hq, &one, false).unwrap().is_empty());
}
