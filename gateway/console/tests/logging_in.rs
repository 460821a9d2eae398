//! Who gets in, and what a browser must bring to change something.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)] // A test from its first line to its last.

mod support;

use support::{Browser, Gateway, NOBODY, NOW, READER, ROOT, SECRET, between, world};
use time::Duration;

#[test]
fn a_stranger_sees_the_log_in_and_nothing_else() {
    let world = world(Gateway::default(), true);
    let mut browser = Browser::new(&world.console);
    let page = browser.get("/");
    assert_eq!(page.status, 200);
    assert!(
        page.text.contains("Log in") && !page.text.contains("1283") && !page.text.contains("west"),
        "{}",
        page.text
    );
    for path in ["/console/calls", "/console/access", "/console/connectors/office", "/console/nothing"] {
        let page = browser.get(path);
        assert_eq!(page.status, 401, "{path}");
        assert!(
            !page.text.contains("office") || page.text.matches("office").count() == 1,
            "only where to go on"
        );
    }
    for (name, value) in [
        ("cache-control", "no-store"),
        ("x-content-type-options", "nosniff"),
        ("referrer-policy", "same-origin"),
        ("x-frame-options", "DENY"),
        ("content-type", "text/html; charset=utf-8"),
    ] {
        assert_eq!(page.header(name), Some(value));
    }
    let policy = page.header("content-security-policy").unwrap();
    for part in ["default-src 'none'", "style-src 'self'", "form-action 'self'", "frame-ancestors 'none'"] {
        assert!(policy.contains(part), "{policy}");
    }
    assert!(!policy.contains("unsafe") && !policy.contains("script"), "{policy}");
    assert_eq!(browser.ask("PUT", "/", &[], b"").status, 405);
    let style = between(&page.text, "<link rel=\"stylesheet\" href=\"", "\"").unwrap().to_owned();
    let style = browser.get(&style);
    assert_eq!((style.status, style.header("content-type")), (200, Some("text/css; charset=utf-8")));
}

#[test]
fn a_key_and_its_secret_open_a_session() {
    let world = world(Gateway::default(), true);
    let mut browser = Browser::new(&world.console);
    for (key, secret) in [(ROOT, "wrong"), (ROOT, ""), ("AKIANONE", SECRET), ("", ""), ("AKIANONE", "")] {
        let page = browser.send("/console/login", &[("key", key), ("secret", secret)]);
        assert_eq!((page.status, page.header("set-cookie")), (403, None), "{key} {secret}");
        assert!(!page.text.contains(SECRET));
    }
    assert_eq!(
        browser.send("/console/login", &[("key", ROOT), ("secret", SECRET)]).status,
        429,
        "tried too often"
    );
    browser.source = "192.0.2.99".parse().unwrap();
    let page = browser.send("/console/login", &[("key", ROOT), ("secret", SECRET), ("to", "/console/calls")]);
    assert_eq!((page.status, page.header("location")), (303, Some("/console/calls")));
    let cookie = page.header("set-cookie").unwrap();
    assert!(cookie.starts_with("__Host-voice-connector="), "{cookie}");
    for part in ["; Path=/", "; Secure", "; HttpOnly", "; SameSite=Strict"] {
        assert!(cookie.contains(part), "{cookie}");
    }
    let first = browser.cookie.clone();
    assert!(browser.get("/").text.contains("Calls now"));
    for to in [
        "https://evil.example/",
        "//evil.example/",
        "/console//evil.example",
        "/console/\\evil",
        "javascript:1",
    ] {
        let page = browser.send("/console/login", &[("key", ROOT), ("secret", SECRET), ("to", to)]);
        assert_eq!(page.header("location"), Some("/"), "{to}");
    }
    assert_ne!(first, browser.cookie, "each log-in has a session of its own");

    let page = browser.post("/console/logout", &[]);
    assert_eq!((page.status, browser.cookie.as_deref()), (303, None));
    assert!(page.header("set-cookie").unwrap().contains("Max-Age=0"));
    browser.cookie = first;
    assert!(browser.get("/").text.contains("Calls now"), "another session of the same key");
    browser.now = NOW + Duration::minutes(31);
    assert!(browser.get("/").text.contains("Log in"), "it was idle for too long");
}

#[test]
fn without_tls_the_cookie_is_a_plain_one() {
    let world = world(Gateway::default(), false);
    let browser = Browser::of(&world.console, ROOT);
    assert!(browser.cookie.unwrap().starts_with("voice-connector="));
}

#[test]
fn a_key_that_is_taken_away_ends_its_sessions() {
    let world = world(Gateway::default(), true);
    let mut browser = Browser::of(&world.console, ROOT);
    world.keys.gone.lock().unwrap().push(ROOT.to_owned());
    assert_eq!(browser.get("/console/calls").status, 401);
}

#[test]
fn nothing_is_changed_for_another_site_or_without_the_sessions_proof() {
    let world = world(Gateway::default(), true);
    let mut browser = Browser::of(&world.console, ROOT);
    let proof = browser.get("/").proof();
    assert_eq!(proof.len(), 32);
    let form = "application/x-www-form-urlencoded";
    let good = format!("name=A&form={proof}");
    let rows: [(&[(&str, &str)], &str); 7] = [
        (&[("sec-fetch-site", "cross-site"), ("content-type", form)], &good),
        (&[("sec-fetch-site", "same-site"), ("content-type", form)], &good),
        (&[("origin", "https://evil.example"), ("content-type", form)], &good),
        (&[("content-type", form)], &good),
        (&[("sec-fetch-site", "same-origin"), ("content-type", "text/plain")], &good),
        (&[("sec-fetch-site", "same-origin"), ("content-type", form)], "name=A"),
        (
            &[("sec-fetch-site", "same-origin"), ("content-type", form)],
            "name=A&form=00000000000000000000000000000000",
        ),
    ];
    for (headers, body) in rows {
        let page = browser.ask("POST", "/console/connectors/new", headers, body.as_bytes());
        assert_eq!(page.status, 403, "{headers:?} {body}");
    }
    assert_eq!(world.inventory.voice_connectors(inventory::Paging::default()).unwrap().items.len(), 1);
    let mut other = Browser::of(&world.console, READER);
    assert_ne!(other.get("/").proof(), proof, "each session has its own");
    let page = browser.ask(
        "POST",
        "/console/connectors/new",
        &[("origin", "https://console.example"), ("content-type", form)],
        good.as_bytes(),
    );
    assert_eq!(page.status, 303, "a browser that knows no fetch metadata: {}", page.text);
}

#[test]
fn policies_decide_what_is_shown_and_done() {
    let world = world(Gateway::default(), true);
    let mut reader = Browser::of(&world.console, READER);
    let page = reader.get("/console/connectors/office");
    assert_eq!(page.status, 200);
    assert!(!page.text.contains("<form method=\"post\" action=\"/console/connectors"), "{}", page.text);
    assert!(!reader.get("/console/connectors").text.contains("/console/connectors/new"));
    for path in ["/console/audit", "/console/access", "/console/access/policies/reader"] {
        let page = reader.get(path);
        assert_eq!(page.status, 403, "{path}");
        assert!(page.text.contains("not authorized to perform: console:Read"), "{}", page.text);
    }
    let page = reader.post("/console/connectors/new", &[("name", "A")]);
    assert_eq!(page.status, 403);
    assert!(page.text.contains("not authorized to perform: chime:CreateVoiceConnector"), "{}", page.text);
    let page = reader.post("/console/access/keys", &[("user", "eve"), ("policy", "administrator")]);
    assert_eq!(page.status, 403);
    assert!(world.inventory.access_keys(inventory::Paging::default()).unwrap().items.is_empty());
    let records = world.keys.records.lock().unwrap();
    let told: Vec<_> =
        records.iter().map(|record| (record.event_name.as_str(), record.error_code.as_deref())).collect();
    assert_eq!(
        told,
        [
            ("CreateVoiceConnector", Some("AccessDeniedException")),
            ("CreateAccessKey", Some("AccessDeniedException"))
        ]
    );

    let mut nobody = Browser::of(&world.console, NOBODY);
    let page = nobody.get("/");
    assert!(page.text.contains("console:ReadCalls") && !page.text.contains("Calls now"));
    for path in [
        "/console/connectors",
        "/console/groups",
        "/console/numbers",
        "/console/orders",
        "/console/calls",
        "/console/calls/x",
        "/console/explain",
        "/console/connectors/office",
    ] {
        assert_eq!(nobody.get(path).status, 403, "{path}");
    }
}
