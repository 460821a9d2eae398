//! Who may not, learns nothing: neither what there is nor what is in it. And nobody gets beyond its policies.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)] // A test from its first line to its last.

mod support;

use inventory::Timestamp;
use inventory::object::{AccessKey, DnisEmergency};
use support::{Browser, Gateway, NOBODY, NOW, World, world};

const KEYS: &str =
    r#"{"Statement":{"Effect":"Allow","Action":["console:ReadKeys","console:ChangeKeys"],"Resource":"*"}}"#;

const NOW_MS: Timestamp = Timestamp(NOW.unix_timestamp() as u64 * 1000);

fn key(world: &World, id: &str) -> AccessKey {
    world.inventory.access_key(id).unwrap().value.clone()
}

#[test]
fn a_root_key_is_changed_on_the_host_alone() {
    let world = world(Gateway::default(), true);
    let (root, _) = world.key("root", None);
    let (other, _) = world.key("other", Some(KEYS));
    let mut browser = world.browser("keys", KEYS);
    let page = browser.get("/console/access");
    assert!(page.text.contains(&root) && !page.text.contains(&format!("keys/{root}/")), "{}", page.text);
    for part in ["disable", "enable", "rotate", "delete"] {
        let before = key(&world, &root);
        let page = browser.post(&format!("/console/access/keys/{root}/{part}"), &[]);
        assert_eq!(page.status, 403, "{part}");
        assert!(
            page.text.contains("on the gateway&#39;s host alone")
                || page.text.contains("on the gateway's host alone"),
            "{}",
            page.text
        );
        assert_eq!(key(&world, &root), before, "{part}");
    }
    // Not even by a session of a root key.
    let mut by_root = Browser::of(&world.console, support::ROOT);
    assert_eq!(by_root.post(&format!("/console/access/keys/{root}/disable"), &[]).status, 403);
    assert!(!key(&world, &root).disabled);
    assert_eq!(browser.post(&format!("/console/access/keys/{other}/disable"), &[]).status, 303);
    assert!(key(&world, &other).disabled);
    let records = world.keys.records.lock().unwrap();
    let denied = records.iter().filter(|record| record.error_code.is_some()).count();
    assert_eq!((records.len(), denied), (6, 5), "each try is on record: {records:#?}");
}

/// What is told but the id that was asked for, and what is new with each page.
fn told(browser: &mut Browser<'_>, address: &str, fields: &[(&str, &str)], id: &str) -> (u16, String) {
    let page = browser.post(address, fields);
    (page.status, page.text.replace(id, "").replace(&support::escaped(id), ""))
}

#[test]
fn what_there_is_and_what_is_not_are_told_alike() {
    let world = world(Gateway::default(), true);
    let (there, _) = world.key("root", None);
    world.key("ada", Some(KEYS));
    let mut nobody = Browser::of(&world.console, NOBODY);
    let [number, no_number] = ["+12065550199", "+12065550198"];
    let [key, no_key] = [there.as_str(), "AKIANONE"];
    type Form<'a> = (String, String, Vec<(&'a str, &'a str)>, Vec<(&'a str, &'a str)>);
    let change = |action| -> Form<'_> {
        let form = |number| {
            vec![("number", number), ("action", action), ("understood", "yes"), ("target", "office")]
        };
        let address = "/console/numbers/change".to_owned();
        (address.clone(), address, form(number), form(no_number))
    };
    let at = |address: &str, one: &str, none: &str, fields: &[(&'static str, &'static str)]| -> Form<'_> {
        (address.replace("{}", one), address.replace("{}", none), fields.to_vec(), fields.to_vec())
    };
    let mut rows = vec![change("assign"), change("unassign"), change("delete"), change("restore")];
    rows.push(at(
        "/console/numbers/{}/name",
        "%2B12065550199",
        "%2B12065550198",
        &[("name", "x"), ("calling", "xy")],
    ));
    for part in ["disable", "enable", "rotate", "delete"] {
        rows.push(at(&format!("/console/access/keys/{{}}/{part}"), key, no_key, &[]));
    }
    for part in ["put", "delete"] {
        let fields = [("document", KEYS), ("understood", "yes")];
        rows.push(at(&format!("/console/access/policies/{{}}/{part}"), "ada", "bob", &fields));
    }
    for part in
        ["settings", "termination", "add-credential", "remove-credential", "origination", "logging", "delete"]
    {
        let fields =
            [("name", "x"), ("cps", "1"), ("username", "x"), ("password", "x"), ("understood", "yes")];
        rows.push(at(&format!("/console/connectors/{{}}/{part}"), "office", "nosuch", &fields));
    }
    for (one, none, fields, others) in rows {
        let [one_id, none_id] = match one == none {
            true => [number, no_number],
            false => [&one, &none].map(|address| address.split('/').nth_back(1).unwrap()),
        };
        let of_one = told(&mut nobody, &one, &fields, one_id);
        assert_eq!(of_one.0, 403, "{one}: {}", of_one.1);
        assert_eq!(of_one, told(&mut nobody, &none, &others, none_id), "{one}");
    }
    for [one, none] in [
        ["/console/numbers/%2B12065550199", "/console/numbers/%2B12065550198"],
        ["/console/connectors/office", "/console/connectors/nosuch"],
        ["/console/calls/there", "/console/calls/unknown"],
        ["/console/access/policies/ada", "/console/access/policies/bob"],
    ] {
        let pages = [one, none].map(|address| nobody.get(address));
        let [there, absent] = pages.map(|page| (page.status, page.text));
        assert_eq!((there.0, &there), (403, &absent), "{one}");
    }
}

#[test]
fn what_a_page_shows_beside_its_subject_is_asked_for_too() {
    let world = world(Gateway::default(), true);
    let mut root = Browser::of(&world.console, support::ROOT);
    let mut done = |address: &str, fields: &[(&str, &str)]| {
        let page = root.post(address, fields);
        assert_eq!(page.status, 303, "{}", page.text);
        page.header("location").unwrap().to_owned()
    };
    let here = done("/console/connectors/new", &[("name", "Secret Trunk")]);
    let here = here.split('?').next().unwrap();
    let id = here.rsplit('/').next().unwrap();
    let number = "+12065551000";
    done("/console/orders/new", &[("number", number)]);
    done("/console/numbers/change", &[("action", "assign"), ("number", number), ("target", id)]);
    let allowed = [("enabled", "yes"), ("allowed", "203.0.113.0/27"), ("countries", "US"), ("cps", "5")];
    done(&format!("{here}/termination"), &allowed);
    let host = [("host", "203.0.113.5"), ("protocol", "UDP"), ("priority", "1"), ("weight", "1")];
    done(&format!("{here}/origination"), &[&[("enabled", "yes")][..], &host].concat());
    let entry = DnisEmergency {
        emergency_phone_number: "+12065550911".to_owned(),
        test_phone_number: None,
        calling_country: "US".to_owned(),
    };
    world.inventory.put_emergency(NOW_MS, id, vec![entry]).unwrap();
    let sees = |actions: &str| {
        format!(r#"{{"Statement":{{"Effect":"Allow","Action":[{actions}],"Resource":"*"}}}}"#)
    };
    let mut numbers = world.browser("numbers", &sees(r#""chime:ListPhoneNumbers","chime:GetPhoneNumber""#));
    for page in ["/console/numbers", "/console/numbers/%2B12065551000"] {
        let page = numbers.get(page);
        assert!(page.status == 200 && !page.text.contains("Secret Trunk"), "{}", page.text);
    }
    let mut lists = world.browser("lists", &sees(r#""chime:ListVoiceConnectors""#));
    let page = lists.get("/console/connectors");
    assert!(page.text.contains("Secret Trunk") && page.text.contains("not for your key"), "{}", page.text);
    assert!(!page.text.contains(">on<"), "{}", page.text);
    let mut gets = world.browser("gets", &sees(r#""chime:GetVoiceConnector""#));
    let page = gets.get(here);
    assert_eq!(page.status, 200);
    for part in ["+12065550911", ">on<", "Credentials", "Keep SIP messages"] {
        assert!(!page.text.contains(part), "{part}: {}", page.text);
    }
}
