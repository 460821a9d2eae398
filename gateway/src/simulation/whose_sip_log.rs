//! Each connector's SIP log holds the messages of its own customer's leg, and those of a carrier on the other side, but
//! nothing of another customer's: not its addresses, nor its systems' names, nor its users.

use sip::auth::{Challenge, Secret, answer};
use sip::{Message, Method, Name};

use super::trunk::{BRANCH, Change, GROUP, OUTSIDE, Trunk, everywhere_with};
use crate::direction::Direction;
use crate::peer::Transport;

const LOGGED: &[Change] = &[
    ("pbx_peer", "[voice_connector.logging]\nsip_messages = true"),
    ("more", "\n[voice_connector.logging]\nsip_messages = true\n"),
];

/// The Call-IDs of the messages in a connector's log, each once, with the `call_id` of their lines; and the methods and
/// status codes.
fn log_of(trunk: &Trunk, connector: &str) -> (Vec<(String, String)>, Vec<String>) {
    let (mut ids, mut kinds) = (Vec::new(), Vec::new());
    for line in trunk.world.sip_log.iter().filter(|line| line.voice_connector_id == connector) {
        let message = Message::parse(line.message.clone()).unwrap();
        ids.push((message.call_id().unwrap().to_owned(), line.call_id.to_string()));
        kinds.push(match (message.method(), message.status()) {
            (Some(method), _) => method.to_string(),
            (None, status) => status.unwrap().code().to_string(),
        });
    }
    ids.sort();
    ids.dedup();
    (ids, kinds)
}

#[test]
fn between_two_customers_each_log_has_its_own_leg() {
    everywhere_with(LOGGED, |trunk| {
        let (a, b) = trunk.connect(trunk.pbx, BRANCH, trunk.branch);
        trunk.request(b, Method::Invite, Some("sendonly"));
        trunk.run(1.0);
        trunk.request(a, Method::Info, Some("Signal=1"));
        trunk.run(1.0);
        trunk.hang_up(b);
        trunk.run(1.0);
        for (connector, call) in [("pbx", a), ("branch", b)] {
            let (ids, kinds) = log_of(trunk, connector);
            let own = trunk.call(call).call_id();
            assert_eq!(ids, [(own.clone(), own)], "{connector}");
            for kind in ["INVITE", "200", "ACK", "INFO", "BYE"] {
                assert!(kinds.iter().any(|one| one == kind), "{connector} has no {kind}: {kinds:?}");
            }
        }
    });
}

#[test]
fn members_of_a_group_do_not_see_each_other() {
    everywhere_with(LOGGED, |trunk| {
        let (a, first) = trunk.reach(trunk.east, GROUP, trunk.pbx);
        trunk.respond(first, 503);
        trunk.run(0.5);
        let second = trunk.incoming(trunk.branch);
        trunk.respond(second, 200);
        trunk.run(0.5);
        trunk.hang_up(a);
        trunk.run(1.0);
        let [a, first, second] = [a, first, second].map(|call| trunk.call(call).call_id());
        for (connector, own, other) in [("pbx", &first, &second), ("branch", &second, &first)] {
            let (ids, _) = log_of(trunk, connector);
            assert!(ids.iter().any(|(id, line)| id == own && line == own), "{connector}: {ids:?}");
            assert!(ids.iter().all(|(id, _)| id != other), "{connector}: {ids:?}");
        }
        // The carrier's leg is whose turn it is.
        assert!(log_of(trunk, "branch").0.contains(&(a, second)));
    });
}

#[test]
fn a_call_to_a_carrier_is_in_the_log_with_both_legs() {
    everywhere_with(LOGGED, |trunk| {
        let (a, b) = trunk.connect(trunk.pbx, OUTSIDE, trunk.east);
        trunk.hang_up(a);
        trunk.run(1.0);
        let [a, b] = [a, b].map(|call| trunk.call(call).call_id());
        let mut both = [(a.clone(), a.clone()), (b, a)];
        both.sort();
        assert_eq!(log_of(trunk, "pbx").0, both);
        assert!(log_of(trunk, "branch").0.is_empty());
    });
}

/// Nor does the record of the called connector say by which login the other one called.
#[test]
fn the_login_of_a_caller_is_in_its_own_record_alone() {
    let logins = ("pbx_termination", "credentials = [{ username = \"bob\", password = \"p\" }]");
    // One shard: a nonce is good where it was made.
    Trunk::new(&[logins], Transport::Udp, 1, 1).tell(|trunk| {
        let asked = trunk.dial(trunk.pbx, BRANCH);
        trunk.run(0.5);
        let challenged = trunk.call(asked).response(407).unwrap();
        let fields: Vec<String> =
            challenged.lines(Name::ProxyAuthenticate).map(|line| line.into_owned()).collect();
        let secret = Secret::password("p");
        let challenge = Challenge::choose(fields.iter().map(String::as_str), &secret).unwrap();
        let uri = format!("sip:{BRANCH}@vc.example.com");
        let proof = answer(&challenge, "bob", &secret, "INVITE", &uri, "c0ffee", 1).unwrap().to_string();
        let a = trunk.dial_with(trunk.pbx, BRANCH, &[("Proxy-Authorization", &proof)]);
        trunk.run(0.5);
        let b = trunk.incoming(trunk.branch);
        trunk.respond(b, 200);
        trunk.run(0.5);
        trunk.hang_up(a);
        trunk.run(1.0);
        assert_eq!(trunk.cdr("pbx", Direction::Outbound).sip_auth_user.as_deref(), Some("bob"));
        assert_eq!(trunk.cdr("branch", Direction::Inbound).sip_auth_user, None);
        trunk.finish();
    });
}
