//! A gateway with an inside and an outside: each peer is told what it can reach.

use sip::{Method, Name};

use super::trunk::{OUTSIDE, PBX, Trunk};
use super::world::World;
use crate::media::Command;
use crate::peer::{ListenerId, Transport};

const CONFIG: &str = r#"
[gateway]
domain = "vc.example.com"

[[network]]
name = "inside"
local = ["10.0.0.0/24"]
media_address = "192.0.2.6"

[[network]]
name = "outside"

[[listen]]
address = "192.0.2.1:5060"
advertise = "192.0.2.99:5062"
network = "outside"

[[listen]]
address = "192.0.2.5:5060"
advertise = "192.0.2.98:5060"
network = "inside"

[[voice_connector]]
id = "pbx"
[voice_connector.termination]
allowlist = ["10.0.0.1/32"]
calling_plan = ["US"]
[voice_connector.origination]
options_interval = "10s"
route = [{ host = "pbx.example.net" }]

[[phone_number]]
number = "+12065550100"
voice_connector = "pbx"

[[carrier]]
name = "east"
allowlist = ["10.0.1.1/32"]
host = [{ host = "sip.east.example" }]

[[carrier]]
name = "west"
allowlist = ["10.0.1.2/32"]
priority = 2
host = [{ host = "10.0.0.2" }]
"#;

/// A PBX inside, east outside, west inside.
fn two_networks(scenario: impl Fn(&mut Trunk)) {
    for shards in [1, 2] {
        let mut world = World::new(CONFIG, shards, 1);
        let name = |text: &str| vec![text.parse().unwrap()];
        world.names.insert("pbx.example.net".into(), name("10.0.0.1:5060"));
        world.names.insert("sip.east.example".into(), name("10.0.1.1:5060"));
        let pbx = world.phone("pbx", "10.0.0.1:5060", Transport::Udp);
        let branch = world.phone("branch", "10.0.0.9:5060", Transport::Udp);
        let east = world.phone("east", "10.0.1.1:5060", Transport::Udp);
        let west = world.phone("west", "10.0.0.2:5060", Transport::Udp);
        for inside in [pbx, west] {
            world.arrives_at.insert(inside, ListenerId(1));
        }
        let mut trunk = Trunk { world, pbx, branch, east, west };
        trunk.tell(|trunk| {
            scenario(trunk);
            trunk.finish();
        });
    }
}

/// The address of the media, as SDP tells it.
fn media(message: &sip::Message) -> String {
    let text = String::from_utf8_lossy(message.body()).into_owned();
    let line = text.lines().find_map(|line| line.strip_prefix("c=IN IP4 ")).map(str::to_owned);
    line.unwrap_or_default()
}

fn opened(trunk: &Trunk) -> Vec<[String; 2]> {
    let open = |command: &Command| match command {
        Command::Open { a, b, .. } => Some([a.to_string(), b.to_string()]),
        _ => None,
    };
    trunk.world.media_log.iter().filter_map(|(_, command)| open(command)).collect()
}

#[test]
fn out_of_the_house_and_into_it() {
    two_networks(|trunk| {
        let (a, b) = trunk.connect(trunk.pbx, OUTSIDE, trunk.east);
        let answer = trunk.call(a).response(200).unwrap();
        assert_eq!(Trunk::header(answer, "Contact"), format!("<sip:{OUTSIDE}@192.0.2.5:5060>"));
        assert_eq!(media(answer), "192.0.2.6");
        let invite = trunk.call(b).request(&Method::Invite).unwrap();
        assert_eq!(Trunk::header(invite, "Contact"), format!("<sip:{PBX}@192.0.2.99:5062>"));
        assert!(Trunk::header(invite, "Via").starts_with("SIP/2.0/UDP 192.0.2.99:5062;"));
        assert!(Trunk::header(invite, "From").contains("@192.0.2.99>"));
        assert_eq!(media(invite), "192.0.2.99");
        assert_eq!(trunk.went(b, &Method::Invite).listener, ListenerId(0));
        trunk.hang_up(a);
        trunk.run(1.0);
        assert_eq!(trunk.went(b, &Method::Bye).listener, ListenerId(0));

        let (a, b) = trunk.connect(trunk.east, PBX, trunk.pbx);
        assert_eq!(media(trunk.call(a).response(200).unwrap()), "192.0.2.99");
        let invite = trunk.call(b).request(&Method::Invite).unwrap();
        assert!(Trunk::header(invite, "Contact").ends_with("@192.0.2.5:5060>"));
        assert!(Trunk::header(invite, "Via").starts_with("SIP/2.0/UDP 192.0.2.5:5060;"));
        assert_eq!(media(invite), "192.0.2.6");
        assert_eq!(trunk.went(b, &Method::Invite).listener, ListenerId(1));
        trunk.hang_up(b);
        trunk.run(1.0);
        assert_eq!(opened(trunk), [["192.0.2.6", "192.0.2.1"], ["192.0.2.1", "192.0.2.6"]]);
    });
}

/// A name may lead to another network than the one before: the next route's media is opened there.
#[test]
fn a_failover_from_one_network_to_the_other() {
    two_networks(|trunk| {
        let (a, b) = trunk.reach(trunk.pbx, OUTSIDE, trunk.east);
        trunk.respond(b, 503);
        trunk.run(0.5);
        let b = trunk.incoming(trunk.west);
        let invite = trunk.call(b).request(&Method::Invite).unwrap();
        assert!(Trunk::header(invite, "Contact").ends_with("@192.0.2.5:5060>"));
        assert_eq!(media(invite), "192.0.2.6");
        trunk.respond(b, 200);
        trunk.run(0.5);
        trunk.hang_up(a);
        trunk.run(1.0);
        assert_eq!(opened(trunk), [["192.0.2.6", "192.0.2.1"], ["192.0.2.6", "192.0.2.6"]]);
    });
}

/// Of the addresses behind a name only those are tried that a listener has the family for.
#[test]
fn addresses_that_no_listener_reaches() {
    two_networks(|trunk| {
        let all = |texts: &[&str]| texts.iter().map(|text| text.parse().unwrap()).collect::<Vec<_>>();
        trunk.world.names.insert("sip.east.example".into(), all(&["[2001:db8::1]:5060", "10.0.1.1:5060"]));
        let (a, _) = trunk.connect(trunk.pbx, OUTSIDE, trunk.east);
        trunk.hang_up(a);
        trunk.run(1.0);
        trunk.world.names.insert("sip.east.example".into(), all(&["[2001:db8::1]:5060"]));
        let (a, _) = trunk.connect(trunk.pbx, OUTSIDE, trunk.west);
        trunk.hang_up(a);
        trunk.run(1.0);
        trunk.finish();
        let tried = |call: usize| trunk.world.details[call].attempts.iter().map(|one| one.address);
        assert_eq!(tried(0).collect::<Vec<_>>(), [Some("10.0.1.1:5060".parse().unwrap())]);
        assert_eq!(tried(1).collect::<Vec<_>>(), [None, Some("10.0.0.2:5060".parse().unwrap())]);
        let cause = &trunk.world.details[1].attempts[0].cause;
        assert_eq!(cause, "sip.east.example does not resolve: no address that a listener reaches");
    });
}

#[test]
fn probes_leave_from_the_network_of_the_host() {
    two_networks(|trunk| {
        trunk.run(3.0);
        let mut seen: Vec<(String, String, u16)> = Vec::new();
        for (peer, probe) in &trunk.world.probes {
            let contact = Trunk::header(probe, "Contact");
            let via = probe.value(Name::Via).unwrap();
            assert!(
                via.contains(contact.trim_start_matches("<sip:").trim_end_matches('>')),
                "{via} {contact}"
            );
            seen.push((peer.remote.ip().to_string(), contact, peer.listener.0));
        }
        seen.sort();
        let expected = [
            ("10.0.0.1", "<sip:192.0.2.5:5060>", 1),
            ("10.0.0.2", "<sip:192.0.2.5:5060>", 1),
            ("10.0.1.1", "<sip:192.0.2.99:5062>", 0),
        ];
        assert_eq!(seen, expected.map(|(to, contact, by)| (to.to_owned(), contact.to_owned(), by)));
    });
}
