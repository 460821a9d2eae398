//! Connectors and groups.

use inventory::object::{GroupItem, Origination, OriginationRoute, Tag, Termination};
use inventory::{
    Embedded, Exception, Inventory, NewCredential, NewGroup, Ownership, Paging, StoreError, Timestamp, When,
};

use crate::house::{FILES, KEY, NOW, files, inventory, new_connector, random, setup};

fn termination() -> Termination {
    Termination {
        calling_regions: vec!["US".into()],
        cidr_allowed_list: vec!["192.0.2.0/24".into()],
        default_phone_number: Some("12065550111".into()),
        ..Termination::default()
    }
}

#[test]
fn a_connector_lives_and_goes() {
    let inventory = inventory();
    let made = inventory.create_voice_connector(NOW, new_connector("Branch 1")).unwrap();
    let id = made.value.id.clone();
    assert_eq!((id.len(), made.value.region.as_str()), (22, "us-east-1"));
    assert!(id.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit()));
    let later = Timestamp(NOW.0 + 1000);
    let changed = inventory.update_voice_connector(later, &id, "Branch 2", true).unwrap();
    assert_eq!((changed.created, changed.updated), (NOW, later));
    assert!(changed.revision > made.revision);
    assert_eq!(inventory.voice_connector(&id).unwrap(), changed);
    let told = inventory.put_termination(later, &id, termination()).unwrap();
    assert_eq!((told.cps_limit, told.default_phone_number.as_deref()), (Some(1), Some("+12065550111")));
    assert_eq!(inventory.termination(&id).unwrap(), told);
    inventory.delete_voice_connector(later, &id).unwrap();
    let gone = inventory.voice_connector(&id).unwrap_err();
    assert_eq!(gone.exception(), Exception::NotFound);
}

#[test]
fn what_files_own_is_told_and_not_changed() {
    let inventory = inventory();
    let hq = inventory.voice_connector("hq").unwrap();
    assert!(matches!(&hq.owner, Ownership::File(position) if position.line == 3));
    let refused = inventory.update_voice_connector(NOW, "hq", "x", false).unwrap_err();
    assert_eq!(refused.exception(), Exception::Conflict);
    assert_eq!(refused.to_string(), "voice connector hq is owned by f.toml:3:31: it is changed there");
    for refused in [
        inventory.delete_voice_connector(NOW, "hq").unwrap_err(),
        inventory.put_termination(NOW, "hq", termination()).map(|_| ()).unwrap_err(),
        inventory.delete_voice_connector_group(NOW, "all").unwrap_err(),
    ] {
        assert!(refused.to_string().contains("is owned by f.toml"), "{refused}");
    }
}

#[test]
fn what_the_files_validator_refuses_is_refused_before_it_is_stored() {
    let inventory = inventory();
    let id = inventory.create_voice_connector(NOW, new_connector("a")).unwrap().value.id.clone();
    let before = inventory.revision();
    let check = |change: fn(&mut Termination), expected: &str| {
        let mut termination = termination();
        change(&mut termination);
        let error = inventory.put_termination(NOW, &id, termination).unwrap_err();
        assert_eq!(error.exception(), Exception::BadRequest);
        assert!(error.to_string().contains(expected), "{error}");
    };
    check(|it| it.cidr_allowed_list = vec!["10.1.2.3/8".into()], "has bits set beyond its length");
    check(|it| it.cidr_allowed_list = vec!["198.51.100.7/32".into()], "of carrier west");
    check(|it| it.calling_regions = vec!["UK".into()], "is not a country");
    check(|it| it.default_phone_number = Some("12\"\n".into()), "is not an E.164 number");
    check(|it| it.cps_limit = Some(0), "cps_limit");
    let route =
        OriginationRoute { host: "a b".into(), port: None, protocol: None, priority: None, weight: None };
    let origination = Origination { routes: vec![route], disabled: false };
    assert!(
        inventory.put_origination(NOW, &id, origination).unwrap_err().to_string().contains("is not a host")
    );
    assert_eq!(inventory.revision(), before);
    assert!(inventory.termination(&id).is_err());
}

#[test]
fn credentials_are_names_alone_to_whoever_asks() {
    let inventory = inventory();
    let id = inventory.create_voice_connector(NOW, new_connector("a")).unwrap().value.id.clone();
    let login =
        |name: &str, password: &str| NewCredential { username: name.into(), password: password.into() };
    assert!(inventory.put_credentials(NOW, &id, &[login("u", "p")]).is_err());
    inventory.put_termination(NOW, &id, termination()).unwrap();
    inventory.put_credentials(NOW, &id, &[login("zoe", "secret word"), login("adam", "p")]).unwrap();
    inventory.put_credentials(NOW, &id, &[login("zoe", "another")]).unwrap();
    assert_eq!(inventory.credentials(&id).unwrap(), ["adam", "zoe"]);
    inventory.delete_credentials(NOW, &id, &["adam".into(), "nobody".into()]).unwrap();
    assert_eq!(inventory.credentials(&id).unwrap(), ["zoe"]);
    let shown = format!("{:?}", inventory.voice_connector(&id).unwrap());
    assert!(!shown.contains("another") && shown.contains("Sealed(***)"), "{shown}");
    assert!(inventory.put_credentials(NOW, &id, &[login("a:b", "p")]).is_err());
}

#[test]
fn who_comes_second_is_told_so() {
    let inventory = inventory();
    let made = inventory.create_voice_connector(NOW, new_connector("a")).unwrap();
    let id = made.value.id.clone();
    let upon = When { now: NOW, revision: Some(made.revision) };
    inventory.update_voice_connector(upon, &id, "b", false).unwrap();
    let error = inventory.update_voice_connector(upon, &id, "c", false).unwrap_err();
    assert_eq!(error.exception(), Exception::Conflict);
    assert_eq!(inventory.voice_connector(&id).unwrap().value.name, "b");
}

#[test]
fn lists_come_in_pages_and_a_cursor_is_good_for_its_list() {
    let inventory = inventory();
    for at in 0..7 {
        inventory.create_voice_connector(NOW, new_connector(&format!("c{at}"))).unwrap();
    }
    let (mut seen, mut after) = (Vec::new(), None);
    loop {
        let paging = Paging { limit: 3, after: after.as_deref() };
        let page = inventory.voice_connectors(paging).unwrap();
        seen.extend(page.items.iter().map(|item| item.value.id.clone()));
        after = page.next;
        if after.is_none() {
            break;
        }
        let paging = Paging { limit: 3, after: after.as_deref() };
        assert_eq!(inventory.voice_connector_groups(paging).unwrap_err().exception(), Exception::BadRequest);
    }
    assert_eq!(seen.len(), 8);
    assert!(seen.is_sorted() && seen.contains(&"hq".to_owned()));
    for cursor in ["", "AAAA", "!", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"] {
        let paging = Paging { limit: 3, after: Some(cursor) };
        assert!(inventory.voice_connectors(paging).is_err(), "{cursor}");
    }
}

#[test]
fn a_group_holds_its_connectors() {
    let inventory = inventory();
    let id = inventory.create_voice_connector(NOW, new_connector("a")).unwrap().value.id.clone();
    let item = |connector: &str, priority| GroupItem { connector: connector.into(), priority };
    let new = |items| NewGroup { name: "g".into(), items, distribution: None };
    let group = inventory.create_voice_connector_group(NOW, new(vec![item(&id, 1), item("hq", 2)])).unwrap();
    let error = inventory.delete_voice_connector(NOW, &id).unwrap_err();
    assert_eq!(error.exception(), Exception::Conflict);
    let group = group.value.id.clone();
    assert_eq!(
        inventory.delete_voice_connector_group(NOW, &group).unwrap_err().exception(),
        Exception::Conflict
    );
    let missing =
        inventory.update_voice_connector_group(NOW, &group, new(vec![item("gone", 1)])).unwrap_err();
    assert_eq!(missing.exception(), Exception::NotFound);
    assert!(
        inventory.update_voice_connector_group(NOW, &group, new(vec![item(&id, 1), item(&id, 2)])).is_err()
    );
    assert!(inventory.update_voice_connector_group(NOW, &group, new(vec![item(&id, 0)])).is_err());
    inventory.update_voice_connector_group(NOW, &group, new(vec![])).unwrap();
    inventory.delete_voice_connector(NOW, &id).unwrap();
    inventory.delete_voice_connector_group(NOW, &group).unwrap();
}

#[test]
fn tags_belong_to_a_resource_and_go_with_it() {
    let inventory = inventory();
    let tag = |key: &str, value: &str| Tag { key: key.into(), value: value.into() };
    let mut new = new_connector("a");
    new.tags = vec![tag("b", "1"), tag("a", "2")];
    let made = inventory.create_voice_connector(NOW, new).unwrap();
    let arn = inventory.connector_arn(&made.value);
    assert_eq!(arn, format!("arn:aws:chime:us-east-1:111122223333:vc/{}", made.value.id));
    inventory.tag_resource(NOW, &arn, vec![tag("a", "3"), tag("c", "")]).unwrap();
    inventory.untag_resource(NOW, &arn, &["b".into()]).unwrap();
    assert_eq!(inventory.tags_for_resource(&arn).unwrap(), [tag("a", "3"), tag("c", "")]);
    let many = (0..49).map(|at| tag(&format!("t{at}"), "")).collect();
    let error = inventory.tag_resource(NOW, &arn, many).unwrap_err();
    assert_eq!(error.exception(), Exception::ResourceLimitExceeded);
    inventory.delete_voice_connector(NOW, &made.value.id).unwrap();
    assert_eq!(inventory.tags_for_resource(&arn).unwrap_err().exception(), Exception::NotFound);
}

#[test]
fn an_arn_that_is_not_the_resources_own_names_nothing() {
    let inventory = inventory();
    let made = inventory.create_voice_connector(NOW, new_connector("a")).unwrap();
    let (id, tags) = (&made.value.id, vec![Tag { key: "env".into(), value: "prod".into() }]);
    let own = [
        format!("arn:aws:chime:us-east-1:111122223333:vc/{id}"),
        "arn:aws:chime:here:111122223333:vc/hq".to_owned(),
        "arn:aws:chime:here:111122223333:vcg/all".to_owned(),
    ];
    for arn in &own {
        inventory.tag_resource(NOW, arn, tags.clone()).unwrap();
        assert_eq!(inventory.tags_for_resource(arn).unwrap(), tags, "{arn}");
        for (part, other) in [
            ("arn:aws:", "arn:aws-cn:"),
            ("arn:aws:", "ARN:aws:"),
            ("chime:", "s3:"),
            ("us-east-1", "us-west-2"),
            (":here:", ":us-east-1:"),
            ("111122223333", "444455556666"),
            ("111122223333", ""),
            (":vc/", ":vcg/"),
            (":vcg/", ":vc/"),
            ("vc/", "vc//"),
        ] {
            let Some(other) = Some(arn.replacen(part, other, 1)).filter(|other| other != arn) else {
                continue;
            };
            let told = [
                inventory.tags_for_resource(&other).map(|_| ()),
                inventory.tag_resource(NOW, &other, tags.clone()),
                inventory.untag_resource(NOW, &other, &["env".into()]),
            ];
            for told in told {
                assert_eq!(told.unwrap_err().exception(), Exception::NotFound, "{other}");
            }
        }
        assert_eq!(inventory.tags_for_resource(arn).unwrap(), tags, "{arn}");
    }
}

#[test]
fn what_was_done_is_there_after_a_restart() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("inventory.redb");
    let open =
        || Inventory::open(setup(Box::new(Embedded::open(&path).unwrap())), files(FILES), NOW).unwrap();
    let inventory = open();
    let made = inventory.create_voice_connector(NOW, new_connector("a")).unwrap();
    let id = made.value.id.clone();
    inventory.put_termination(NOW, &id, termination()).unwrap();
    let last = inventory.voice_connector(&id).unwrap();
    let revision = inventory.revision();
    assert!(matches!(Embedded::open(&path), Err(StoreError::InUse(_))));
    drop(inventory);
    let inventory = open();
    assert_eq!(inventory.voice_connector(&id).unwrap(), last);
    assert_eq!(inventory.revision(), revision);
    drop(inventory);
    let mut other = setup(Box::new(Embedded::open(&path).unwrap()));
    other.seal = [8; 32];
    other.random = random();
    assert_ne!(other.seal, KEY);
    assert!(Inventory::open(other, files(FILES), NOW).unwrap_err().to_string().contains("another key"));
}

#[test]
fn what_is_no_store_is_an_error_and_stays_as_it_is() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("inventory.redb");
    for bytes in [&b""[..], b"short", b"this is a text and no store of anything at all"] {
        std::fs::write(&path, bytes).unwrap();
        let error = Embedded::open(&path).unwrap_err();
        assert!(matches!(error, StoreError::Damaged { .. }), "{error}");
        assert_eq!(std::fs::read(&path).unwrap(), bytes);
    }
    std::fs::remove_file(&path).unwrap();
    drop(Embedded::open(&path).unwrap());
    let whole = std::fs::read(&path).unwrap();
    std::fs::write(&path, &whole[..whole.len() / 2]).unwrap();
    let error = Embedded::open(&path).unwrap_err();
    assert!(matches!(error, StoreError::Damaged { .. }), "{error}");
}
