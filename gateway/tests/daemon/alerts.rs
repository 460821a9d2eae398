//! A carrier that is down, told by the webhook.

use std::io::{Read, Write};
use std::net::TcpListener;

use serde_json::Value;

use super::support::{Gateway, Net, Office, THEIRS, Up, eventually, status_line};
use super::{PATIENCE, peers};

/// What is posted next, and answered so.
fn posted(hook: &TcpListener, answer: &str) -> Value {
    let (mut stream, _) = hook.accept().unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut heard = Vec::new();
    loop {
        let mut bytes = [0; 4096];
        let count = stream.read(&mut bytes).unwrap();
        assert!(count > 0, "{}", String::from_utf8_lossy(&heard));
        heard.extend_from_slice(&bytes[..count]);
        let text = String::from_utf8_lossy(&heard).into_owned();
        let length = text.lines().find_map(|line| line.strip_prefix("content-length: "));
        if let (Some((_, body)), Some(length)) = (text.split_once("\r\n\r\n"), length)
            && body.len() == length.parse::<usize>().unwrap()
        {
            assert!(text.contains("\r\nvoice-connector-signature: t="), "{text}");
            assert!(!text.contains("hush"), "{text}");
            write!(stream, "HTTP/1.1 {answer}\r\nContent-Length: 0\r\n\r\n").unwrap();
            return serde_json::from_str(body).unwrap();
        }
    }
}

#[test]
fn a_carrier_that_does_not_answer_is_told_by_the_webhook() {
    let net = Net(48);
    let hook = TcpListener::bind(net.at(1, 8080)).unwrap();
    let alerts = format!(
        "[alerts]\nwebhook = \"http://{}/calls\"\nsecret = \"hush\"\ninterval = \"5s\"\n",
        net.at(1, 8080)
    );
    let gateway = Gateway::start(net, &Office { more: &alerts, ..Office::new(net, "udp") }.config());
    // Refused once, so that it comes again.
    for answer in ["500 Internal Server Error", "204 No Content"] {
        let told = posted(&hook, answer);
        let alert = &told["alerts"][0];
        assert_eq!(alert["alert"], "carrier_down", "{told:#}");
        assert_eq!((&alert["subject"], &alert["state"]), (&"carrier".into(), &"raised".into()), "{told:#}");
        assert_eq!(told["alerts"].as_array().unwrap().len(), 1, "{told:#}");
    }
    eventually("what came of both posts", PATIENCE, || {
        let metrics = gateway.metrics();
        let posts = ["failed", "taken"].map(|result| metrics.sum("alert_posts_total", &[("result", result)]));
        let raised = metrics.sum("alerts_raised", &[("alert", "carrier_down")]);
        if (posts, raised) == ([1.0, 1.0], 1.0) { Ok(()) } else { Err(format!("{posts:?} {raised}")) }
    });
    let log = gateway.tells("alerts cannot be posted");
    assert!(log.contains("the answer is 500"), "{log}");
    gateway.stop();
}

/// The last minute of a day's is used; no restart gives it back, not even after a kill.
#[test]
fn a_connector_that_has_used_up_its_minutes_is_told_and_stays_stopped_over_a_restart() {
    let net = Net(340);
    let [phone, carrier] = peers(net);
    let hook = TcpListener::bind(net.at(1, 8080)).unwrap();
    let alerts = format!(
        "[alerts]\nwebhook = \"http://{}/calls\"\nsecret = \"hush\"\ninterval = \"5s\"\n",
        net.at(1, 8080)
    );
    let office = Office { termination: "daily_minutes = 1", more: &alerts, ..Office::new(net, "udp") };
    let mut gateway = Gateway::start(net, &office.config());
    let used = |gateway: &Gateway| gateway.metrics().sum("outbound_talk_today_seconds", &[]);
    let limit = gateway.metrics().sum("outbound_talk_limit_seconds", &[("voice_connector_id", "office")]);
    assert_eq!((used(&gateway), limit), (0.0, 60.0));
    let calls: Vec<Up> = (0..30).map(|_| Up::begin(&phone, &carrier, phone.invite(THEIRS))).collect();
    eventually("the minute", PATIENCE, || {
        let used = used(&gateway);
        if used >= 60.0 { Ok(()) } else { Err(used.to_string()) }
    });
    let is_refused = || {
        let refused = phone.ask(phone.invite(THEIRS));
        assert_eq!(
            status_line(&refused),
            (403, "All 1 minutes of this day are used by voice connector office".to_owned())
        );
    };
    is_refused();
    // The carrier, which answers no probe while nobody reads what it hears, may be told before.
    let stop = loop {
        let told = posted(&hook, "204 No Content");
        let stop = told["alerts"].as_array().unwrap().iter().find(|alert| alert["alert"] == "fraud_stop");
        if let Some(stop) = stop {
            break stop.clone();
        }
    };
    assert_eq!((&stop["subject"], &stop["state"]), (&"office".into(), &"raised".into()), "{stop:#}");
    calls.into_iter().for_each(|call| call.end(&phone, &carrier));
    // That they ended is known to the next process, too: it hangs up nobody.
    gateway.call_details(31);
    let file = gateway.records().join(".minutes.json");
    eventually("the file", PATIENCE, || {
        let text = std::fs::read_to_string(&file).unwrap_or_default();
        let kept: Value = serde_json::from_str(&text).unwrap_or_default();
        let used = kept["milliseconds"]["office"].as_u64();
        if used.is_some_and(|used| used >= 60_000) { Ok(()) } else { Err(text) }
    });
    gateway.restart();
    is_refused();
    gateway.stop();
}
