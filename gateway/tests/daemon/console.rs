//! The console in a real Chromium: a trunk made from nothing, a call on it, and why another one was refused.

#[path = "../../console/tests/support/chromium.rs"]
mod chromium;

use chromium::{Chromium, ENTER};

use super::api::key;
use super::peers;
use super::reload::controlled;
use super::support::{Gateway, Net, Peer, THEIRS, Up, status_line};

/// Reads a page until it says `part`: what calls do is told a moment later.
async fn says(chromium: &Chromium, address: &str, part: &str) -> String {
    let until = std::time::Instant::now() + super::PATIENCE;
    loop {
        chromium.driver.goto(address).await.unwrap();
        let text = chromium.text().await;
        if text.contains(part) {
            return text;
        }
        assert!(std::time::Instant::now() < until, "no {part} on {address}: {text}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_trunk_is_made_called_by_and_watched_and_a_refusal_explained() {
    let Some(chromium) = Chromium::start().await else { return };
    let net = Net(480);
    let [_phone, carrier] = peers(net);
    let branch = Peer::udp(net.at(4, 5070), net.gateway());
    let files = tempfile::tempdir().unwrap();
    let pool = files.path().join("pool.csv");
    std::fs::write(&pool, "number,country\n+12065550123,US\n").unwrap();
    let api = format!(
        "[api]\naddress = \"{}\"\ndirectory = \"api\"\nnumber_pool = {pool:?}\nconsole = true\n",
        net.at(1, 8443)
    );
    let config = controlled(net, "").replacen("[admin]", &format!("{api}[admin]"), 1);
    let gateway = Gateway::start(net, &config);
    let [id, secret] = key(&gateway, &[]);
    let site = format!("http://{}", net.at(1, 8443));
    let page = |path: &str| format!("{site}{path}");

    chromium.look(1280, "light").await;
    chromium.driver.goto(page("/")).await.unwrap();
    chromium.write("#key", &id).await;
    chromium.write("#secret", &secret).await;
    chromium.find("#secret").await.send_keys(ENTER).await.unwrap();
    let overview = chromium.until("Log out").await;
    for part in ["The gateway takes calls.", "Calls now", "Carriers"] {
        assert!(overview.contains(part), "{part}: {overview}");
    }

    // A trunk from nothing.
    chromium.driver.goto(page("/console/connectors/new")).await.unwrap();
    chromium.write("#name", "Boston").await;
    chromium.click("#encryption").await;
    chromium.click("main button[type=submit]").await;
    chromium.until("Created.").await;
    let connector = chromium.driver.current_url().await.unwrap();
    let trunk = connector.path_segments().unwrap().next_back().unwrap().to_owned();
    chromium.write("#allowed", &format!("{}/32", net.ip(4))).await;
    chromium.write("#countries", "US").await;
    chromium.write("#cps", "10").await;
    chromium.write("#caller", "+12065550123").await;
    let termination = format!("form[action='/console/connectors/{trunk}/termination'] button");
    chromium.click(&termination).await;
    chromium.until("Saved.").await;
    chromium.driver.goto(page("/console/orders/new?search=1&country=US")).await.unwrap();
    chromium.click("input[name=number]").await;
    chromium.click("fieldset button").await;
    chromium.until("Ordered.").await;
    chromium.driver.goto(page("/console/numbers?status=Unassigned")).await.unwrap();
    chromium.click("input[name=number]").await;
    chromium.write("#target", &trunk).await;
    chromium.click("button[value=assign]").await;
    chromium.until("Assigned.").await;

    // A call on it, watched while it lasts and after.
    let up = Up::begin(&branch, &carrier, branch.invite(THEIRS));
    says(&chromium, &page("/console/calls"), "up").await;
    chromium.click("a[href^='/console/calls/']").await;
    let call = chromium.until("Caller's leg").await;
    for part in [
        trunk.as_str(),
        THEIRS,
        "INVITE",
        "200 INVITE",
        "ACK",
        "Caller's leg",
        "As the same call would be decided now",
    ] {
        assert!(call.contains(part), "{part}: {call}");
    }
    let call = chromium.driver.current_url().await.unwrap();
    assert_eq!(chromium.faults().await, Vec::<String>::new());
    chromium.keep("daemon-call").await;
    up.end(&branch, &carrier);
    let after = says(&chromium, call.as_str(), "Completed").await;
    for part in ["hung up", "The call's record as it is delivered"] {
        assert!(after.contains(part), "{part}: {after}");
    }
    chromium.keep("daemon-after").await;

    // Another one that may not be.
    let british = "+442079460000";
    assert_eq!(status_line(&branch.ask(branch.invite(british))).0, 403);
    says(&chromium, &page("/console/calls?number=442079460000"), british).await;
    chromium.click("a[href^='/console/calls/']").await;
    let refused = chromium.until("What to do:").await;
    for part in ["What to do:", "403", "Signalling", "GB"] {
        assert!(refused.contains(part), "{part}: {refused}");
    }
    chromium.keep("daemon-refused").await;
    chromium.driver.goto(page("/console/explain")).await.unwrap();
    chromium.write("#from", "+12065550123").await;
    chromium.write("#to", british).await;
    chromium.write("#source", &net.ip(4).to_string()).await;
    chromium.click("main button[type=submit]").await;
    chromium.until("It would be refused.").await;
    chromium.write("#to", THEIRS).await;
    chromium.click("main button[type=submit]").await;
    chromium.until("It would pass.").await;

    let audit = says(&chromium, &page("/console/audit"), "AssociatePhoneNumbersWithVoiceConnector").await;
    assert!(audit.contains("CreateVoiceConnector") && audit.contains(&id), "{audit}");
    assert!(!audit.contains(&secret));
    chromium.keep("daemon-audit").await;
    // What an API client hears at the same address has not changed.
    chromium.driver.goto(page("/voice-connectors")).await.unwrap();
    chromium.until("The request is not signed").await;
    gateway.stop();
}
