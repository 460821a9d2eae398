//! The process may open few files: ordinary calls stop before there are none left, and who needs help is put through.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)] // A test from its first line to its last.

mod support;

use nix::sys::resource::{Resource, setrlimit};
use sip::Name;
use support::{Gateway, Net, Office, Peer, THEIRS, Talk, describe, status_line};

/// So many files a process of this test may open.
const FILES: u64 = 512;

const EMERGENCY: &str = r#"
[[voice_connector.emergency]]
country = "US"
digits = ["911"]
routing_number = "+15105550111"
"#;

#[test]
fn ordinary_calls_leave_open_files_to_emergency_calls() {
    setrlimit(Resource::RLIMIT_NOFILE, FILES, FILES).unwrap();
    let net = Net(241);
    let office = Office { termination: "cps_limit = 10000", more: EMERGENCY, ..Office::new(net, "udp") };
    let gateway = Gateway::start(net, &office.config());
    let (pbx, carrier) =
        (Peer::udp(net.at(2, 5070), net.gateway()), Peer::udp(net.at(3, 5060), net.gateway()));
    let up = |number: &str, index: usize| {
        let port = 30_000 + 2 * u16::try_from(index).unwrap();
        let at = |host| describe(net.at(host, port), "RTP/AVP", &[]);
        Talk::up(&pbx, &carrier, number, at(2), |_| at(3)).0
    };
    let log = gateway.tells("Ready");
    let room =
        log.lines().find_map(|line| line.trim().strip_prefix("room")?.trim().split(' ').next()?.parse().ok());
    let room: usize = room.unwrap_or_else(|| panic!("{log}"));
    assert_eq!(room, 80, "a quarter of what is left of the files is for connections");
    let calls: Vec<Talk<'_>> = (0..room).map(|index| up(THEIRS, index)).collect();
    for _ in 0..3 {
        let refused = pbx.ask(pbx.invite(THEIRS));
        assert_eq!(status_line(&refused), (503, "No room for more calls: the limit of open files".into()));
        assert_eq!(refused.number(Name::RetryAfter, u32::MAX).unwrap(), Some(5));
    }
    assert_eq!(gateway.metrics().sum("refusals_total", &[("cause", "descriptors")]), 3.0);
    let help: Vec<Talk<'_>> = (0..3).map(|index| up("911", room + index)).collect();
    help.into_iter().chain(calls).for_each(Talk::ends);
    gateway.settled();
    gateway.stop();
}
