//! What people do on the pages, from nothing to a trunk and back.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)] // A test from its first line to its last.

mod support;

use inventory::{Paging, Timestamp};
use support::{Browser, Gateway, NOW, Page, ROOT, World, between, world};

fn done(page: &Page, location: &str) {
    assert_eq!((page.status, page.header("location")), (303, Some(location)), "{}", page.text);
}

/// A connector, by its form.
fn connector(browser: &mut Browser<'_>, name: &str) -> String {
    let page = browser.post("/console/connectors/new", &[("name", name), ("encryption", "yes")]);
    let id = between(page.header("location").unwrap(), "/console/connectors/", "?").unwrap().to_owned();
    done(&page, &format!("/console/connectors/{id}?done=created"));
    id
}

fn records(world: &World) -> Vec<String> {
    world.keys.records.lock().unwrap().iter().map(|record| record.event_name.clone()).collect()
}

#[test]
fn a_trunk_is_made_changed_and_deleted() {
    let world = world(Gateway::default(), true);
    let mut browser = Browser::of(&world.console, ROOT);
    let id = connector(&mut browser, "New York 1");
    let here = format!("/console/connectors/{id}");
    let page = browser.post(
        &format!("{here}/termination"),
        &[
            ("enabled", "yes"),
            ("allowed", "203.0.113.0/27\r\n198.51.100.7/32"),
            ("countries", "US CA"),
            ("cps", "5"),
            ("caller", "+12065550100"),
        ],
    );
    done(&page, &format!("{here}?done=saved"));
    let page = browser
        .post(&format!("{here}/add-credential"), &[("username", "pbx"), ("password", "hunter2hunter2")]);
    done(&page, &format!("{here}?done=saved"));
    let page = browser.post(
        &format!("{here}/origination"),
        &[
            ("enabled", "yes"),
            ("host", "203.0.113.5"),
            ("port", ""),
            ("protocol", "TCP"),
            ("priority", "1"),
            ("weight", "5"),
            ("host", " "),
            ("port", "x"),
            ("protocol", ""),
            ("priority", ""),
            ("weight", ""),
            ("host", "pbx.example.com"),
            ("port", "5070"),
            ("protocol", "UDP"),
            ("priority", "2"),
            ("weight", "1"),
        ],
    );
    done(&page, &format!("{here}?done=saved"));
    done(&browser.post(&format!("{here}/logging"), &[("sip", "yes")]), &format!("{here}?done=saved"));
    done(&browser.post(&format!("{here}/settings"), &[("name", "New York")]), &format!("{here}?done=saved"));

    let made = world.inventory.voice_connector(&id).unwrap();
    assert_eq!((made.value.name.as_str(), made.value.require_encryption), ("New York", false));
    let termination = made.value.termination.clone().unwrap();
    assert_eq!(termination.cidr_allowed_list, ["203.0.113.0/27", "198.51.100.7/32"]);
    assert_eq!(
        (termination.calling_regions, termination.cps_limit),
        (vec!["US".to_owned(), "CA".to_owned()], Some(5))
    );
    let hosts: Vec<_> = made
        .value
        .origination
        .as_ref()
        .unwrap()
        .routes
        .iter()
        .map(|route| (route.host.as_str(), route.port, route.priority))
        .collect();
    assert_eq!(hosts, [("203.0.113.5", None, Some(1)), ("pbx.example.com", Some(5070), Some(2))]);
    assert!(made.value.logging.sip_logs && !made.value.logging.media_metric_logs);

    let page = browser.get(&format!("{here}?done=saved"));
    for part in [
        "New York",
        "It holds from now on",
        "203.0.113.0/27",
        "pbx.example.com",
        "trunk.example.com",
        "2026-11-28 11:59:18",
    ] {
        assert!(page.text.contains(part), "{part}: {}", page.text);
    }
    assert!(!page.text.contains("hunter2"), "no password is shown");
    assert!(
        !format!("{:?}", world.keys.records.lock().unwrap()).contains("hunter2"),
        "none is kept in the audit"
    );
    done(
        &browser.post(&format!("{here}/remove-credential"), &[("username", "pbx")]),
        &format!("{here}?done=saved"),
    );

    let page = browser.post(&format!("{here}/delete"), &[]);
    assert_eq!(page.status, 400, "without the box");
    assert!(page.text.contains("Tick the box") && world.inventory.voice_connector(&id).is_ok());
    done(
        &browser.post(&format!("{here}/delete"), &[("understood", "yes")]),
        "/console/connectors?done=deleted",
    );
    assert!(world.inventory.voice_connector(&id).is_err());
    assert_eq!(browser.get(&here).status, 404);
    assert_eq!(
        records(&world),
        [
            "CreateVoiceConnector",
            "PutVoiceConnectorTermination",
            "PutVoiceConnectorTerminationCredentials",
            "PutVoiceConnectorOrigination",
            "PutVoiceConnectorLoggingConfiguration",
            "UpdateVoiceConnector",
            "DeleteVoiceConnectorTerminationCredentials",
            "DeleteVoiceConnector",
        ]
    );
}

#[test]
fn what_is_wrong_is_told_beside_what_was_sent() {
    let world = world(Gateway::default(), true);
    let mut browser = Browser::of(&world.console, ROOT);
    let page = browser.post("/console/connectors/new", &[("name", "New York <1>")]);
    assert_eq!(page.status, 400);
    assert!(
        page.text.contains("role=\"alert\"") && page.text.contains("value=\"New York &lt;1&gt;\""),
        "{}",
        page.text
    );
    let id = connector(&mut browser, "A");
    let here = format!("/console/connectors/{id}/termination");
    for (fields, part) in [
        (&[("allowed", "10.0.0.0/8"), ("countries", "US"), ("cps", "many")][..], "write a whole number"),
        (&[("allowed", "banana"), ("countries", "US"), ("cps", "1")], "banana"),
        (&[("allowed", "203.0.113.1/32"), ("countries", "Utopia"), ("cps", "1")], "is not a country"),
    ] {
        let page = browser.post(&here, fields);
        assert_eq!(page.status, 400, "{fields:?}");
        let alert = between(&page.text, "role=\"alert\">", "</p>").unwrap();
        assert!(alert.contains(part), "{alert}");
        assert!(
            page.text.contains(&format!(">{}</textarea>", fields[0].1)),
            "what was sent is still there: {}",
            page.text
        );
    }
    assert_eq!(world.inventory.voice_connector(&id).unwrap().value.termination, None);
    assert_eq!(browser.post(&format!("/console/connectors/{id}/nothing"), &[]).status, 404);
}

#[test]
fn what_files_own_is_shown_with_file_and_line_and_not_changed() {
    let world = world(Gateway::default(), true);
    let mut browser = Browser::of(&world.console, ROOT);
    let page = browser.get("/console/connectors/office");
    assert!(
        page.text.contains("Owned by <code>/etc/voice-connector/voice-connector.toml:9:6</code>"),
        "{}",
        page.text
    );
    assert!(!page.text.contains("action=\"/console/connectors/office"), "no form");
    assert!(page.text.contains("203.0.113.0/24"));
    assert!(browser.get("/console/connectors").text.contains("voice-connector.toml:9"));
    let page = browser.post("/console/connectors/office/settings", &[("name", "X")]);
    assert_eq!(page.status, 409);
    assert!(page.text.contains("voice-connector.toml:9"), "{}", page.text);
    let page = browser.get("/console/numbers");
    assert!(
        page.text.contains("+12065550199") && !page.text.contains("value=\"+12065550199\""),
        "{}",
        page.text
    );
    let page = browser.get("/console/numbers/+12065550199");
    assert!(page.text.contains("Owned by") && !page.text.contains("/name\""), "{}", page.text);
}

#[test]
fn numbers_go_from_the_pool_to_a_trunk_and_away() {
    let world = world(Gateway::default(), true);
    let mut browser = Browser::of(&world.console, ROOT);
    let page =
        browser.get("/console/orders/new?search=1&country=US&state=WA&city=Seattle&area=206&type=Local");
    let (one, two) = ("+12065551000", "+12065551001");
    assert!(page.text.contains(one) && page.text.contains(two), "{}", page.text);
    assert_eq!(
        browser.post("/console/orders/new", &[("search", "1"), ("country", "US")]).status,
        400,
        "none is ticked"
    );
    let page = browser.post("/console/orders/new", &[("number", one), ("number", two)]);
    assert_eq!(page.status, 303, "{}", page.text);
    let order = page.header("location").unwrap().to_owned();
    let page = browser.get(&order);
    assert!(page.text.contains("Ordered.") && page.text.contains(one), "{}", page.text);
    assert!(browser.get("/console/orders").text.contains("New numbers"));

    let (first, second) = (connector(&mut browser, "First"), connector(&mut browser, "Second"));
    let change = "/console/numbers/change";
    let page = browser.post(change, &[("action", "assign"), ("number", one)]);
    assert_eq!(page.status, 400, "to whom?");
    assert!(page.text.contains("value=\"+12065551000\" checked"), "the choice is kept: {}", page.text);
    done(
        &browser.post(change, &[("action", "assign"), ("number", one), ("number", two), ("target", &first)]),
        "/console/numbers?done=assigned",
    );
    let page = browser.post(change, &[("action", "assign"), ("number", one), ("target", &second)]);
    assert_eq!(page.status, 400, "somebody has it");
    done(
        &browser
            .post(change, &[("action", "assign"), ("number", one), ("target", &second), ("force", "yes")]),
        "/console/numbers?done=assigned",
    );
    let page = browser.get(&format!("/console/numbers?owner={second}"));
    assert!(page.text.contains(one) && !page.text.contains(two), "{}", page.text);
    let page = browser.get("/console/numbers?digits=555-1001&status=Assigned");
    assert!(page.text.contains(two) && !page.text.contains(one), "{}", page.text);

    let name = format!("/console/numbers/{}/name", support::escaped(one));
    let page = browser.post(&name, &[("name", "Reception"), ("calling", "Example Inc")]);
    done(&page, "/console/numbers/%2B12065551000?done=saved");
    let page = browser.post(&name, &[("name", "Reception"), ("calling", "An & Other")]);
    assert_eq!(page.status, 400, "{}", page.text);
    let settings = "/console/numbers/settings";
    done(&browser.post(settings, &[("calling", "Example")]), "/console/numbers?done=saved");
    assert!(browser.get("/console/numbers").text.contains("value=\"Example\""));
    let page = browser.post(settings, &[("calling", "Another")]);
    assert_eq!(page.status, 400, "not again within seven days");
    assert!(page.text.contains("once in seven days"), "{}", page.text);

    done(
        &browser.post(change, &[("action", "unassign"), ("number", one), ("number", two)]),
        "/console/numbers?done=unassigned",
    );
    assert_eq!(browser.post(change, &[("action", "unassign"), ("number", one)]).status, 400, "nobody has it");
    assert_eq!(browser.post(change, &[("action", "delete"), ("number", one)]).status, 400, "without the box");
    done(
        &browser.post(change, &[("action", "delete"), ("number", one), ("understood", "yes")]),
        "/console/numbers?done=queued",
    );
    let page = browser.get("/console/numbers?status=ReleaseInProgress");
    assert!(
        page.text.contains("2026-12-05") && page.text.contains(one) && !page.text.contains(two),
        "{}",
        page.text
    );
    done(&browser.post(change, &[("action", "restore"), ("number", one)]), "/console/numbers?done=restored");
    let now = Timestamp(NOW.unix_timestamp() as u64 * 1000);
    assert_eq!(world.inventory.phone_number(now, one).unwrap().value.deletion, None);
    assert_eq!(
        browser.post(change, &[("action", "assign"), ("target", &first)]).status,
        400,
        "none is ticked"
    );
    assert_eq!(browser.post(change, &[("action", "eat"), ("number", one)]).status, 404);
}

#[test]
fn a_port_in_shows_how_far_it_is() {
    let world = world(Gateway::default(), true);
    let mut browser = Browser::of(&world.console, ROOT);
    let now = Timestamp(NOW.unix_timestamp() as u64 * 1000);
    let porting = inventory::NewOrder {
        product_type: inventory::object::ProductType::VoiceConnector,
        numbers: vec!["+12065559000".to_owned()],
        name: None,
    };
    let order = world.inventory.create_porting_order(now, &porting).unwrap();
    let page = browser.get(&format!("/console/orders/{}", order.value.id));
    assert!(page.text.contains("Port-in") && page.text.contains("aria-current=\"step\""), "{}", page.text);
}

#[test]
fn a_group_fails_over_between_connectors() {
    let world = world(Gateway::default(), true);
    let mut browser = Browser::of(&world.console, ROOT);
    let (id, second) = (connector(&mut browser, "First"), connector(&mut browser, "Second"));
    let page = browser.post(
        "/console/groups/new",
        &[
            ("name", "Both"),
            ("connector", &id),
            ("priority", "1"),
            ("connector", &second),
            ("priority", "2"),
            ("connector", ""),
            ("priority", "3"),
        ],
    );
    assert_eq!(page.status, 303, "{}", page.text);
    let group = between(page.header("location").unwrap(), "/console/groups/", "?").unwrap().to_owned();
    let here = format!("/console/groups/{group}");
    assert!(browser.get("/console/groups").text.contains("Both"));
    assert_eq!(
        browser.post(&format!("{here}/delete"), &[("understood", "yes")]).status,
        409,
        "it has members"
    );
    assert_eq!(
        browser
            .post(
                &format!("{here}/settings"),
                &[("name", "Both"), ("connector", "nobody"), ("priority", "1")]
            )
            .status,
        400
    );
    done(&browser.post(&format!("{here}/settings"), &[("name", "None")]), &format!("{here}?done=saved"));
    done(&browser.post(&format!("{here}/delete"), &[("understood", "yes")]), "/console/groups?done=deleted");
    assert!(world.inventory.voice_connector_groups(Paging::default()).unwrap().items.is_empty());
}

#[test]
fn lists_of_thousands_come_in_pages() {
    let world = world(Gateway::default(), true);
    let mut browser = Browser::of(&world.console, ROOT);
    for number in 0..60 {
        connector(&mut browser, &format!("Trunk {number}"));
    }
    let mut seen = 0;
    let mut address = "/console/connectors".to_owned();
    loop {
        let page = browser.get(&address);
        seen += page.text.matches("Trunk ").count();
        let Some(next) = between(&page.text, "rel=\"next\" href=\"", "\"") else { break };
        address = next.replace("&amp;", "&");
    }
    assert_eq!(seen, 60);
    assert_eq!(browser.get("/console/connectors?after=nonsense").status, 400);
    assert_eq!(browser.get("/console/numbers?after=nonsense").status, 400);
}

#[test]
fn a_keys_secret_is_shown_once() {
    let world = world(Gateway::default(), true);
    let mut browser = Browser::of(&world.console, ROOT);
    let page = browser.post("/console/access/keys", &[("user", "ada"), ("policy", "reader"), ("days", "30")]);
    assert_eq!((page.status, page.header("cache-control")), (200, Some("no-store")), "{}", page.text);
    let secret = between(&page.text, "<code class=\"secret\">", "</code>").unwrap().to_owned();
    assert_eq!(secret.len(), 40);
    let key = world.inventory.access_keys(Paging::default()).unwrap().items[0].clone();
    assert_eq!(
        (key.value.user.as_str(), key.value.root, &key.value.policies[..]),
        ("ada", false, &["reader".to_owned()][..])
    );
    let page = browser.get("/console/access");
    assert!(page.text.contains(&key.value.id) && page.text.contains("ada") && !page.text.contains(&secret));
    let mut ada = Browser::new(&world.console);
    assert_eq!(ada.send("/console/login", &[("key", &key.value.id), ("secret", &secret)]).status, 303);

    let here = format!("/console/access/keys/{}", key.value.id);
    let page = browser.post(&format!("{here}/rotate"), &[]);
    assert!(page.text.contains("shown now and never again"), "{}", page.text);
    done(&browser.post(&format!("{here}/disable"), &[]), "/console/access?done=disabled");
    assert_eq!(ada.get("/console/connectors").status, 401, "at once");
    done(&browser.post(&format!("{here}/delete"), &[]), "/console/access?done=deleted");
    assert_eq!(browser.post("/console/access/keys", &[("user", "not a name")]).status, 400);
    assert!(!format!("{:?}", world.keys.records.lock().unwrap()).contains(&secret));
    assert_eq!(
        records(&world),
        ["CreateAccessKey", "RotateAccessKey", "DisableAccessKey", "DeleteAccessKey", "CreateAccessKey"]
    );
}

#[test]
fn policies_are_read_before_they_are_kept() {
    let world = world(Gateway::default(), true);
    let mut browser = Browser::of(&world.console, ROOT);
    let good =
        r#"{"Statement":{"Effect":"Allow","Action":["chime:Get*","console:ReadCalls"],"Resource":"*"}}"#;
    for (document, part) in [
        ("{", "JSON"),
        (
            r#"{"Statement":{"Effect":"Allow","Action":"console:Everything","Resource":"*"}}"#,
            "console:Everything",
        ),
    ] {
        let page =
            browser.post("/console/access/policies/new/put", &[("name", "calls"), ("document", document)]);
        assert_eq!(page.status, 400, "{document}");
        assert!(page.text.contains(part), "{part}: {}", page.text);
    }
    done(
        &browser.post("/console/access/policies/new/put", &[("name", "calls"), ("document", good)]),
        "/console/access/policies/calls?done=saved",
    );
    assert!(browser.get("/console/access/policies/calls").text.contains("console:ReadCalls"));
    assert_eq!(browser.post("/console/access/policies/calls/delete", &[]).status, 400);
    done(
        &browser.post("/console/access/policies/calls/delete", &[("understood", "yes")]),
        "/console/access?done=deleted",
    );
    assert_eq!(browser.get("/console/access/policies/calls").status, 404);
}
