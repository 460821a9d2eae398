//! Files and store as one configuration.

use std::sync::{Arc, Mutex};

use inventory::object::{GroupItem, Origination, OriginationRoute, Termination};
use inventory::{Inventory, NewCredential, NewGroup, NewOrder, NumberOwner, Pool};

use crate::house::{FILES, NOW, files, inventory, new_connector};

fn order(inventory: &Inventory, number: &str) -> Vec<String> {
    inventory.set_pool(Pool::parse(&format!("number,country\n{number},US\n")).unwrap());
    let numbers = vec![number.to_owned()];
    let product_type = inventory::object::ProductType::VoiceConnector;
    inventory
        .create_phone_number_order(NOW, &NewOrder { product_type, numbers: numbers.clone(), name: None })
        .unwrap();
    numbers
}

fn trunk(inventory: &Inventory) -> String {
    let id = inventory.create_voice_connector(NOW, new_connector("Branch")).unwrap().value.id.clone();
    let termination = Termination {
        cps_limit: Some(7),
        calling_regions: vec!["US".into()],
        cidr_allowed_list: vec!["203.0.113.0/24".into()],
        ..Termination::default()
    };
    inventory.put_termination(NOW, &id, termination).unwrap();
    let route = OriginationRoute {
        host: "sbc.example.com".into(),
        port: None,
        protocol: None,
        priority: Some(2),
        weight: Some(5),
    };
    inventory.put_origination(NOW, &id, Origination { routes: vec![route], disabled: false }).unwrap();
    let login = NewCredential { username: "trunk".into(), password: "p".into() };
    inventory.put_credentials(NOW, &id, &[login]).unwrap();
    id
}

#[test]
fn what_the_store_has_calls_are_made_under() {
    let inventory = inventory();
    let id = trunk(&inventory);
    let number = order(&inventory, "+12065550200");
    inventory.associate_phone_numbers(NOW, NumberOwner::Connector(&id), &number, false).unwrap();
    let config = inventory.snapshot().unwrap();
    let connector = config.connector_by_host(&format!("{id}.vc.example.com")).unwrap();
    assert_eq!((connector.name.as_str(), connector.termination.cps_limit), ("Branch", 7));
    assert_eq!(connector.termination.credentials.len(), 2);
    assert_eq!(connector.origination.route[0].port, Some(5060));
    assert_eq!(config.connectors_at("203.0.113.9".parse().unwrap()).count(), 1);
    assert!(config.owns(&connector.id, "+12065550200"));
    assert!(config.owns(&"hq".into(), "+12065550100"));
    let hash = &connector.termination.credentials[0].proof;
    let config::Proof::Ha1(config::Secret::Literal(hash)) = hash else { panic!("no ha1") };
    // `printf 'trunk:vc.example.com:p' | md5sum`.
    assert_eq!(secrecy::ExposeSecret::expose_secret(hash), "999dc74ca79bcf69e85403ca9a5bc2b3");
}

#[test]
fn an_empty_group_and_its_numbers_take_no_calls() {
    let inventory = inventory();
    let new = |items| NewGroup { name: "g".into(), items, distribution: None };
    let group = inventory.create_voice_connector_group(NOW, new(vec![])).unwrap().value.id.clone();
    let number = order(&inventory, "+12065550200");
    inventory.associate_phone_numbers(NOW, NumberOwner::Group(&group), &number, false).unwrap();
    let config = inventory.snapshot().unwrap();
    assert!(config.group(&group).is_none() && config.number("+12065550200").is_none());
    let items = vec![GroupItem { connector: "hq".into(), priority: 1 }];
    inventory.update_voice_connector_group(NOW, &group, new(items)).unwrap();
    assert!(inventory.snapshot().unwrap().owns(&"hq".into(), "+12065550200"));
}

#[test]
fn each_change_is_told_before_it_is_done() {
    let inventory = inventory();
    let told = Arc::new(Mutex::new(Vec::new()));
    let to = Arc::clone(&told);
    inventory.tell(Box::new(move |config| to.lock().unwrap().push(config.voice_connector.len())));
    let id = inventory.create_voice_connector(NOW, new_connector("a")).unwrap().value.id.clone();
    assert_eq!(*told.lock().unwrap(), [2]);
    // Nothing that matters to calls.
    inventory.put_policy(NOW, "p", "{}").unwrap();
    inventory.delete_voice_connector(NOW, "gone").unwrap_err();
    inventory.delete_voice_connector(NOW, &id).unwrap();
    assert_eq!(*told.lock().unwrap(), [2, 1]);
}

#[test]
fn files_that_do_not_go_with_the_store_are_refused() {
    let inventory = inventory();
    let id = trunk(&inventory);
    let number = order(&inventory, "+12065550200");
    inventory.associate_phone_numbers(NOW, NumberOwner::Connector("hq"), &number, false).unwrap();
    let check = |from: &str, to: &str, expected: &str| {
        let text = FILES.replace(from, to);
        assert_ne!(text, FILES);
        let taken: Result<(), config::Clash> = inventory.replace_files(files(&text), NOW, |_| Ok(()));
        assert_eq!(taken.unwrap_err().to_string(), expected);
    };
    check(
        "\"hq\"",
        "\"main\"",
        "there is no voice_connector hq, which phone_number +12065550200 of the store needs",
    );
    check(
        "+12065550100",
        "+12065550200",
        "phone_number +12065550200 is in the files already (f.toml:5:32), and in the store: \
         it has one owner, so remove one of the two",
    );
    check(
        "198.51.100.0/24",
        "203.0.113.128/25",
        &format!(
            "203.0.113.0/24 of voice_connector {id} overlaps with 203.0.113.128/25 of carrier west: \
             an address belongs to one of the two only"
        ),
    );
    let text = FILES.replace("Head office", "Headquarters");
    let taken: Result<_, config::Clash> = inventory.replace_files(files(&text), NOW, Ok);
    assert!(taken.unwrap().connector(&id).is_some());
    assert_eq!(inventory.voice_connector("hq").unwrap().value.name, "Headquarters");
}
