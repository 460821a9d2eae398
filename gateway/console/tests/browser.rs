//! Every page in a real Chromium: light and dark, wide and narrow, with nothing that axe-core finds fault with.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)] // A test from its first line to its last.

#[path = "support/chromium.rs"]
mod chromium;
mod support;

use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{HeaderName, HeaderValue, StatusCode};
use axum::response::Response;
use chromium::{Chromium, ENTER, TAB};
use http_body_util::BodyExt;
use inventory::object::{Origination, OriginationRoute, ProductType, Termination};
use inventory::{NewConnector, NewGroup, NewOrder, NumberOwner, Timestamp};
use support::{Gateway, NOW, ROOT, SECRET, World, world};

async fn handle(State(world): State<Arc<World>>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    let headers: Vec<(String, String)> = parts
        .headers
        .iter()
        .map(|(name, value)| (name.to_string(), String::from_utf8_lossy(value.as_bytes()).into_owned()))
        .collect();
    let request = api::Request {
        method: parts.method.as_str(),
        path: parts.uri.path(),
        query: parts.uri.query().unwrap_or_default(),
        headers: &headers,
        body: &body,
        source: [127, 0, 0, 1].into(),
    };
    let answer = world.console.handle(&request, NOW);
    let mut response = Response::new(Body::from(answer.body));
    *response.status_mut() = StatusCode::from_u16(answer.status).unwrap();
    for (name, value) in answer.headers {
        response.headers_mut().insert(HeaderName::from_static(name), HeaderValue::try_from(value).unwrap());
    }
    response
}

async fn serve(world: Arc<World>) -> SocketAddr {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let router = Router::new().fallback(handle).with_state(world);
    tokio::spawn(async move { axum::serve(listener, router).await });
    address
}

/// Some of everything; the pages of it.
fn fill(world: &World) -> Vec<(String, String)> {
    let now = Timestamp(NOW.unix_timestamp() as u64 * 1000);
    let inventory = &world.inventory;
    let connector = |name: &str| {
        let new = NewConnector {
            name: name.to_owned(),
            region: None,
            require_encryption: true,
            integration_type: None,
            network_type: None,
            tags: Vec::new(),
        };
        inventory.create_voice_connector(now, new).unwrap().value.id.clone()
    };
    let (first, second) = (connector("New York 1"), connector("Chicago spare"));
    let termination = Termination {
        cps_limit: Some(5),
        default_phone_number: None,
        calling_regions: vec!["US".to_owned(), "CA".to_owned()],
        cidr_allowed_list: vec!["203.0.113.0/27".to_owned()],
        disabled: false,
    };
    inventory.put_termination(now, &first, termination).unwrap();
    let route = |host: &str, priority| OriginationRoute {
        host: host.to_owned(),
        port: Some(5061),
        protocol: None,
        priority: Some(priority),
        weight: Some(1),
    };
    let origination =
        Origination { routes: vec![route("203.0.113.5", 1), route("pbx.example.com", 2)], disabled: false };
    inventory.put_origination(now, &first, origination).unwrap();
    let credential = inventory::NewCredential {
        username: "pbx".to_owned(),
        password: "correct horse battery".to_owned().into(),
    };
    inventory.put_credentials(now, &first, &[credential]).unwrap();
    let item = |connector: &str, priority| inventory::object::GroupItem {
        connector: connector.to_owned(),
        priority,
    };
    let group = NewGroup {
        name: "Both coasts".to_owned(),
        items: vec![item(&first, 1), item(&second, 2)],
        distribution: None,
    };
    let group = inventory.create_voice_connector_group(now, group).unwrap().value.id.clone();
    let numbers: Vec<String> = (1_000..1_060).map(|number| format!("+1206555{number}")).collect();
    let order = |numbers: &[String]| NewOrder {
        product_type: ProductType::VoiceConnector,
        numbers: numbers.to_vec(),
        name: None,
    };
    let new = inventory.create_phone_number_order(now, &order(&numbers)).unwrap().value.id.clone();
    let porting =
        inventory.create_porting_order(now, &order(&["+14155559000".to_owned()])).unwrap().value.id.clone();
    inventory.associate_phone_numbers(now, NumberOwner::Connector(&first), &numbers[..20], false).unwrap();
    inventory.associate_phone_numbers(now, NumberOwner::Group(&group), &numbers[20..22], false).unwrap();
    inventory.delete_phone_number(now, &numbers[30]).unwrap();
    inventory.put_policy(now, "reader", api::access::role("reader").unwrap()).unwrap();
    let key = |user: &str| inventory::NewAccessKey {
        user: user.to_owned(),
        root: false,
        policies: vec!["reader".to_owned()],
        expires: None,
    };
    inventory.create_access_key(now, &key("ada")).unwrap();
    inventory.create_access_key(now, &key("monitoring")).unwrap();

    let page = |name: &str, address: String| (name.to_owned(), address);
    vec![
        page("overview", "/".to_owned()),
        page("connectors", "/console/connectors".to_owned()),
        page("connector-new", "/console/connectors/new".to_owned()),
        page("connector", format!("/console/connectors/{first}?done=saved")),
        page("connector-of-files", "/console/connectors/office".to_owned()),
        page("groups", "/console/groups".to_owned()),
        page("group", format!("/console/groups/{group}")),
        page("group-new", "/console/groups/new".to_owned()),
        page("numbers", "/console/numbers".to_owned()),
        page("number", "/console/numbers/+12065551000".to_owned()),
        page("orders", "/console/orders".to_owned()),
        page("order", format!("/console/orders/{new}")),
        page("order-ported", format!("/console/orders/{porting}")),
        page("order-new", "/console/orders/new?search=1&city=Seattle".to_owned()),
        page("calls", "/console/calls".to_owned()),
        page("call", "/console/calls/5d7b5ab6-91c5-4f0c-8a7e-0d0f60f6a001".to_owned()),
        page(
            "explain",
            "/console/explain?from=%2B12065550100&to=%2B447700900123&source=203.0.113.5".to_owned(),
        ),
        page("audit", "/console/audit".to_owned()),
        page("access", "/console/access".to_owned()),
        page("policy", "/console/access/policies/reader".to_owned()),
        page("nothing", "/console/nothing".to_owned()),
    ]
}

#[tokio::test]
async fn every_page_is_accessible_light_and_dark_wide_and_narrow() {
    let Some(chromium) = Chromium::start().await else { return };
    let world = Arc::new(world(Gateway::default(), false));
    let pages = fill(&world);
    let address = serve(world).await;
    let mut faults = Vec::new();
    let mut looks = vec![("light", 1280), ("dark", 390)];
    if std::env::var_os("VOICE_CONNECTOR_PICTURES").is_some() {
        looks.extend([("dark", 1280), ("light", 390)]);
    }
    for (scheme, width) in looks.clone() {
        chromium.look(width, scheme).await;
        chromium.driver.goto(format!("http://{address}/")).await.unwrap();
        chromium.keep(&format!("login-{scheme}-{width}")).await;
        faults.extend(chromium.faults().await);
    }
    // What judges the pages finds something where there is something to find.
    let planted = "document.body.append(document.createElement('input'))";
    chromium.driver.execute(planted, Vec::new()).await.unwrap();
    assert!(chromium.faults().await.iter().any(|fault| fault.starts_with("label: ")), "nothing is found");
    chromium.write("#key", ROOT).await;
    chromium.write("#secret", SECRET).await;
    chromium.find("#secret").await.send_keys(ENTER).await.unwrap();
    chromium.until("Calls now").await;
    for (scheme, width) in looks {
        chromium.look(width, scheme).await;
        for (name, page) in &pages {
            chromium.driver.goto(format!("http://{address}{page}")).await.unwrap();
            chromium.keep(&format!("{name}-{scheme}-{width}")).await;
            let found = chromium.faults().await;
            faults.extend(found.into_iter().map(|fault| format!("{name} {scheme} {width}: {fault}")));
        }
    }
    assert!(faults.is_empty(), "{}:\n{}", faults.len(), faults.join("\n\n"));
}

#[tokio::test]
async fn a_trunk_is_made_with_keys_alone() {
    let Some(chromium) = Chromium::start().await else { return };
    let world = Arc::new(world(Gateway::default(), false));
    let address = serve(world.clone()).await;
    chromium.look(1280, "light").await;
    chromium.driver.goto(format!("http://{address}/console/connectors/new")).await.unwrap();
    let press = |keys: String| async {
        chromium.driver.active_element().await.unwrap().send_keys(keys).await.unwrap()
    };
    // The first field has the focus; it goes on where it was.
    press(format!("{ROOT}{TAB}{SECRET}{ENTER}")).await;
    chromium.until("Create a voice connector").await;
    press(TAB.to_owned()).await;
    let first = chromium.driver.active_element().await.unwrap();
    assert_eq!(first.text().await.unwrap(), "Skip to content");
    first.send_keys(ENTER).await.unwrap();
    press(TAB.to_owned()).await;
    press(format!("Boston{ENTER}")).await;
    chromium.until("Created. It holds from now on.").await;
    let made = world.inventory.voice_connectors(inventory::Paging::default()).unwrap();
    assert!(made.items.iter().any(|connector| connector.value.name == "Boston"));
}
