//! Whatever stands in a field, a call, a record or an address is text and never HTML.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)] // A test from its first line to its last.

mod support;

use proptest::prelude::*;
use support::{Browser, Gateway, NOW, ROOT, escaped, world};

/// Pages, with `{}` where something of the address is shown again.
const PAGES: [&str; 17] = [
    "/?done={}",
    "/console/connectors?done={}&after={}",
    "/console/connectors/new?name={}",
    "/console/connectors/{}",
    "/console/groups/{}",
    "/console/groups/new",
    "/console/numbers?digits={}&status={}&owner={}",
    "/console/numbers/{}",
    "/console/orders/{}",
    "/console/orders/new?search=1&city={}&state={}",
    "/console/orders/new?city={}&state={}&country={}&area={}&type={}",
    "/console/calls?number={}",
    "/console/calls/{}",
    "/console/explain?from={}&to={}&source={}&transport={}&connector={}",
    "/console/audit?user={}&operation={}&before={}",
    "/console/access/policies/{}",
    "/console/{}",
];

/// Forms, and a field of each.
const FORMS: [(&str, &[&str]); 8] = [
    ("/console/connectors/new", &["name"]),
    ("/console/groups/new", &["name", "connector", "priority"]),
    ("/console/connectors/CONNECTOR/termination", &["allowed", "countries", "cps", "caller"]),
    ("/console/connectors/CONNECTOR/origination", &["host", "port", "priority", "weight", "protocol"]),
    ("/console/numbers/change", &["number", "target", "action"]),
    ("/console/access/keys", &["user", "days", "policy"]),
    ("/console/access/policies/new/put", &["name", "document"]),
    ("/console/login", &["key", "secret", "to"]),
];

/// Every tag of a page is one that the console writes, with attributes that it writes.
fn check(page: &str, text: &str) {
    let mut rest = page;
    while let Some((_, after)) = rest.split_once('<') {
        let (tag, _) = tag(after);
        let name: String =
            tag.chars().take_while(|one| one.is_ascii_alphanumeric() || matches!(one, '/' | '!')).collect();
        assert!(
            !["script", "img", "iframe", "b", "object", "embed", "base"].contains(&name.as_str()),
            "<{tag}> by {text:?}"
        );
        assert!(
            !attributes(tag).any(|name| name.starts_with("on") || name == "style" || name == "srcdoc"),
            "<{tag}> by {text:?}"
        );
        rest = after;
    }
    assert!(!page.contains("<x7"), "{text:?}");
    assert!(!page.to_ascii_lowercase().contains("href=\"javascript:"), "{text:?}");
}

/// A tag up to its end, quotes regarded.
fn tag(text: &str) -> (&str, &str) {
    let mut quoted = false;
    let end = text.find(|one| {
        quoted ^= one == '"';
        one == '>' && !quoted
    });
    text.split_at(end.unwrap_or(text.len()))
}

/// The names of a tag's attributes.
fn attributes(tag: &str) -> impl Iterator<Item = &str> {
    tag.split('"')
        .step_by(2)
        .flat_map(|part| part.split_ascii_whitespace())
        .map(|part| part.trim_end_matches('='))
}

fn hostile() -> impl Strategy<Value = String> {
    let parts = prop_oneof![
        Just("<x7>"),
        Just("<script>alert(1)</script>"),
        Just("\"><img src=x onerror=alert(1)>"),
        Just("' onfocus=alert(1) x='"),
        Just("\" onfocus=alert(1) autofocus x=\""),
        Just("javascript:alert(1)"),
        Just("</textarea><script>"),
        Just("</title><x7>"),
        Just("&lt;x7&gt;"),
        Just("--><x7>"),
        Just("\u{2028}"),
        Just("]]><x7>"),
        Just("\u{202e}"),
        Just("%3Cx7%3E"),
        Just("a"),
        Just(" "),
    ];
    proptest::collection::vec(parts, 1..5).prop_map(|parts| parts.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]
    #[test]
    fn nothing_that_is_shown_is_taken_for_html(text in hostile()) {
        let world = world(Gateway::saying(&text), true);
        let mut browser = Browser::of(&world.console, ROOT);
        let connector = inventory::NewConnector {
            name: "A".to_owned(), region: None, require_encryption: false, integration_type: None, network_type: None, tags: Vec::new(),
        };
        let now = inventory::Timestamp(NOW.unix_timestamp() as u64 * 1000);
        let made = world.inventory.create_voice_connector(now, connector).unwrap();
        for page in PAGES {
            check(&browser.get(&page.replace("{}", &escaped(&text))).text, &text);
        }
        for page in ["/", "/console/calls", "/console/calls/x", "/console/audit", "/console/access", "/console/explain?from=1&to=1&source=1"] {
            let page = browser.get(page);
            prop_assert_eq!(page.status, 200);
            check(&page.text, &text);
        }
        for (form, fields) in FORMS {
            let form = form.replace("CONNECTOR", &made.value.id);
            let fields: Vec<_> = fields.iter().map(|name| (*name, text.as_str())).collect();
            let page = browser.post(&form, &fields);
            check(&page.text, &text);
            for (name, value) in &page.headers {
                prop_assert!(!value.contains(['\r', '\n']), "{}: {}", name, value);
            }
        }
    }

    #[test]
    fn no_request_does_harm(path in "/(console)?(/[ -~]{0,12}){0,4}", query in "[ -~]{0,40}", body in proptest::collection::vec(any::<u8>(), 0..80)) {
        let world = world(Gateway::default(), true);
        let mut browser = Browser::of(&world.console, ROOT);
        let page = browser.get(&format!("{path}?{query}"));
        prop_assert!((200..500).contains(&page.status), "{}", page.status);
        let headers = [("sec-fetch-site", "same-origin"), ("content-type", "application/x-www-form-urlencoded")];
        let page = browser.ask("POST", &path, &headers, &body);
        prop_assert!((200..500).contains(&page.status), "{}", page.status);
    }
}
