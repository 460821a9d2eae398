//! Thousands of connectors, and a doubt of each: the log has the first few of a kind, and how many more.

use super::PATIENCE;
use super::support::{Gateway, Net, Office, eventually};

/// Connectors of so many customers.
const CONNECTORS: usize = 5_000;

/// Theirs, and those of the office.
const HOSTS: usize = CONNECTORS + 2;

#[test]
fn five_thousand_connectors_are_a_few_lines() {
    let net = Net(237);
    // Nobody is at home at any of them, and each has a codec that is not known.
    let connectors: String = (0..CONNECTORS)
        .map(|number| {
            let host = format!("127.{}.{}.2", 100 + number / 250, number % 250);
            format!(
                "[[voice_connector]]\nid = \"customer{number}\"\npeer = {{ codecs = [\"PCMU\", \"X-Ours\"] }}\n\
                 origination = {{ options_interval = \"600s\", route = [{{ host = \"{host}\", port = 5999 }}] }}\n"
            )
        })
        .collect();
    let office = Office { more: &connectors, ..Office::new(net, "udp") };
    let gateway = Gateway::start(net, &office.config());
    let log = eventually("hosts down", 3 * PATIENCE, || {
        let log = gateway.log();
        let counts = log
            .lines()
            .filter_map(|line| line.split_once("more hosts changed health")?.1.split_once("down="));
        let down: usize = counts.filter_map(|(_, count)| count.trim().parse::<usize>().ok()).sum();
        let named = log.lines().filter(|line| line.contains("host changed health")).count();
        if down + named == HOSTS { Ok(log) } else { Err(format!("{down} and {named} are down")) }
    });
    for counted in ["warning: ... and 4997 more", "  ... and 4996 more connectors"] {
        assert_eq!(log.lines().filter(|line| line.starts_with(counted)).count(), 1, "{counted}");
    }
    // Five of a second are named, for as many seconds as the probes need.
    assert!(log.lines().count() < CONNECTORS / 10, "{} lines", log.lines().count());
    gateway.stop();
}
