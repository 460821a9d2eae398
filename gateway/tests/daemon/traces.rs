//! A call as a trace at a collector of OpenTelemetry.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;

use serde_json::Value;

use super::support::{Gateway, Net, Office, THEIRS, Up, eventually, status_line};
use super::{PATIENCE, peers};

/// What is exported next; it is taken.
fn exported(collector: &TcpListener) -> Vec<Value> {
    let (mut stream, _) = collector.accept().unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    let mut length = 0;
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).unwrap();
        match line.trim_end().split_once(": ") {
            Some(("content-length", value)) => length = value.parse().unwrap(),
            None if line.trim_end().is_empty() => break,
            None => assert_eq!(line.trim_end(), "POST /v1/traces HTTP/1.1"),
            Some(_) => {}
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).unwrap();
    write!(stream, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{{}}").unwrap();
    let body: Value = serde_json::from_slice(&body).unwrap();
    body["resourceSpans"][0]["scopeSpans"][0]["spans"].as_array().unwrap().clone()
}

#[test]
fn traces_of_calls_come_to_the_collector() {
    let net = Net(341);
    let [phone, carrier] = peers(net);
    let collector = TcpListener::bind(net.at(1, 4318)).unwrap();
    let telemetry = format!("[telemetry]\nendpoint = \"http://{}\"\n", net.at(1, 4318));
    let office =
        Office { termination: "denied_prefixes = [\"+1907\"]", more: &telemetry, ..Office::new(net, "udp") };
    let gateway = Gateway::start(net, &office.config());
    assert_eq!(status_line(&phone.ask(phone.invite("+19075550123"))).0, 403);
    Up::begin(&phone, &carrier, phone.invite(THEIRS)).end(&phone, &carrier);
    let mut spans = Vec::new();
    while spans.len() < 2 + 4 {
        spans.extend(exported(&collector));
    }
    let names: Vec<&str> = spans.iter().map(|span| span["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["call outbound", "admission", "call outbound", "admission", "attempt", "talk"]);
    let calls = gateway.call_details(2);
    let ids = calls.iter().map(|call| call["TransactionId"].as_str().unwrap().replace('-', ""));
    let ids: Vec<String> = ids.collect();
    for span in &spans {
        assert!(ids.iter().any(|id| span["traceId"] == id.as_str()), "{span} of {ids:?}");
    }
    assert_ne!(spans[0]["traceId"], spans[2]["traceId"]);
    eventually("the count", PATIENCE, || {
        let count = gateway.metrics().sum("traces_total", &[("result", "exported")]);
        if count == 2.0 { Ok(()) } else { Err(count.to_string()) }
    });
    gateway.stop();
}
