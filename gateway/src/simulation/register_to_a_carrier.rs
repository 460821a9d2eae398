//! A carrier wants us to register: it calls us where we said, and takes calls from who has registered.

use sip::{Method, Name};

use super::ladder::Line;
use super::phone::Stage;
use super::trunk::{Change, OUTSIDE, PBX, Trunk, everywhere_with, over_tcp, over_udp};
use super::world::CallId;
use crate::core::Input;
use crate::metrics::Page;
use crate::peer::Transport;
use crate::registrar::Standing;

const REGISTER: Change = (
    "east",
    "register = { user = \"trunk\", domain = \"carrier.example\", expires = \"1h\", password = \"s3cret\" }",
);

/// Where the carrier's answers and calls come from: no allowlist has it.
const ELSEWHERE: &str = "10.0.1.9:5060";

fn is_up(trunk: &Trunk) -> bool {
    let all = trunk.world.shared.registrar.carriers.all();
    matches!(all[0].standing, Standing::Registered(_))
}

fn expires(trunk: &mut Trunk) -> Vec<String> {
    trunk.phone(trunk.east).registered().into_iter().map(|(_, expires)| expires).collect()
}

/// A customer's call goes to `first` of the two carriers.
fn goes_first_to(trunk: &mut Trunk, first: super::world::PhoneId) {
    let before = trunk.received(first);
    let a = trunk.dial(trunk.pbx, OUTSIDE);
    trunk.run(0.5);
    assert_eq!(trunk.received(first), before + 1);
    trunk.cancel(a);
    trunk.run(1.0);
}

#[test]
fn it_is_registered_refreshed_and_taken_back() {
    everywhere_with(&[REGISTER], |trunk| {
        trunk.phone(trunk.east).habits.challenges = true;
        trunk.run(2.0);
        assert!(is_up(trunk));
        let registers = trunk.phone(trunk.east).registers.clone();
        let [asked, proved] = &registers[..] else { panic!("{registers:?}") };
        assert_eq!(asked.request_uri(), Some("sip:carrier.example"));
        assert_eq!(asked.from().unwrap().uri.to_string(), "sip:trunk@carrier.example");
        assert_eq!(asked.contact().unwrap().unwrap().user(), Some("trunk"));
        assert_eq!(asked.call_id(), proved.call_id());
        assert!(proved.value(Name::Authorization).unwrap().contains("username=\"trunk\""));
        trunk.run(2_700.0);
        assert_eq!(expires(trunk), ["3600"; 4], "refreshed after three quarters of the hour");
        assert!(is_up(trunk));
        trunk.world.input(0, Input::Drain);
        trunk.run(1.0);
        assert_eq!(expires(trunk)[4..], ["0", "0"]);
        assert!(!is_up(trunk));
        assert!(trunk.world.drained.contains(&0));
    });
}

/// A new configuration that wants no registration any more, and one that wants it again.
#[test]
fn a_registration_that_is_wanted_no_more_is_taken_back() {
    over_udp(&[REGISTER], |trunk| {
        trunk.run(2.0);
        trunk.configure(&[REGISTER], Transport::Udp);
        trunk.run(2.0);
        assert_eq!(expires(trunk), ["3600"], "what is wanted still stays as it is");
        trunk.configure(&[], Transport::Udp);
        trunk.run(2.0);
        assert_eq!(expires(trunk), ["3600", "0"]);
        assert!(trunk.world.shared.registrar.carriers.all().is_empty());
        goes_first_to(trunk, trunk.east);
        trunk.configure(&[REGISTER], Transport::Udp);
        trunk.run(2.0);
        assert_eq!(expires(trunk), ["3600", "0", "3600"]);
        assert!(is_up(trunk));
    });
}

#[test]
fn calls_come_by_the_registered_flow_whatever_the_allowlist_says() {
    over_udp(&[REGISTER], |trunk| {
        trunk.world.sends_from(trunk.east, ELSEWHERE);
        trunk.run(2.0);
        // The Contact is called, and the number stands in To.
        let dial = |trunk: &mut Trunk| {
            let call = trunk.world.with(trunk.east, |phone, now| {
                let invite = phone.invite("192.0.2.1", "+12125550999", PBX, true);
                phone.place(now, invite.uri("sip:trunk@192.0.2.1:5060").build())
            });
            trunk.run(0.5);
            CallId(trunk.east, call)
        };
        let a = dial(trunk);
        let b = trunk.incoming(trunk.pbx);
        assert_eq!(trunk.call(b).invite.to().unwrap().user(), Some(PBX));
        trunk.respond(b, 200);
        trunk.run(1.0);
        assert_eq!(trunk.stage(a), Stage::Up);
        trunk.hang_up(b);
        trunk.run(1.0);
        assert_eq!(trunk.stage(a), Stage::Over);
        // Once it is down, whoever is there is a stranger again.
        trunk.phone(trunk.east).registrar_says.extend([(403, ""); 20]);
        trunk.run(2_700.0);
        assert!(!is_up(trunk));
        let refused = dial(trunk);
        assert_eq!(trunk.heard(refused), [403]);
    });
}

#[test]
fn a_carrier_that_does_not_register_us_is_tried_last() {
    over_udp(&[REGISTER], |trunk| {
        trunk.phone(trunk.east).registrar_says.extend([(403, ""), (403, ""), (423, "7200"), (200, "7200")]);
        trunk.run(2.0);
        assert!(!is_up(trunk));
        goes_first_to(trunk, trunk.west);
        let (told, no_other_way) = trunk.world.shared.registrar.carriers.trouble();
        assert_eq!(
            (&told[..], no_other_way),
            (&["carrier east at 10.0.1.1:5060: it says 403".to_owned()][..], false)
        );
        trunk.run(100.0);
        assert_eq!(expires(trunk), ["3600", "3600", "3600", "7200"]);
        assert!(is_up(trunk));
        assert_eq!(trunk.world.shared.registrar.carriers.trouble(), (Vec::new(), false));
        goes_first_to(trunk, trunk.east);
        let text = trunk.world.metrics.render() + &registrations(trunk);
        for line in [
            "voice_connector_carrier_registered{carrier=\"east\",host=\"10.0.1.1:5060\",transport=\"udp\"} 1",
            "voice_connector_carrier_registration_failures_total{carrier=\"east\",cause=\"refused\"} 2",
        ] {
            assert!(text.lines().any(|one| one == line), "{line} in {text}");
        }
    });
}

/// An outage: calls go elsewhere, and come back when the registrar does.
#[test]
fn an_outage_is_noticed_and_ends() {
    everywhere_with(&[REGISTER], |trunk| {
        trunk.phone(trunk.east).registrar_says.push_back((200, "120"));
        trunk.run(2.0);
        assert!(is_up(trunk));
        trunk.phone(trunk.east).habits.deaf = true;
        trunk.run(125.0);
        assert!(!is_up(trunk));
        trunk.phone(trunk.east).habits.deaf = false;
        trunk.run(150.0);
        assert!(is_up(trunk));
    });
}

/// Another address of a name is asked at once, and calls go where we are registered.
#[test]
fn the_next_address_of_a_registrar_is_asked_at_once() {
    let other = "[[carrier]]\nname = \"south\"\nprefixes = [\"+1212\"]\noptions_interval = \"0s\"\n\
                 register = { user = \"u\", domain = \"carrier.example\", password = \"p\" }\n\
                 [[carrier.host]]\nhost = \"sip.carrier.example\"\n";
    over_udp(&[("more", other)], |trunk| {
        trunk.world.dead.insert("10.0.1.7:5060".parse().unwrap(), true);
        let both = ["10.0.1.7:5060", "10.0.1.2:5060"].map(|address| address.parse().unwrap());
        trunk.world.names.insert("sip.carrier.example".to_owned(), both.to_vec());
        trunk.run(3.0);
        assert!(is_up(trunk));
        assert_eq!(trunk.phone(trunk.west).registers.len(), 1);
        let a = trunk.dial(trunk.pbx, OUTSIDE);
        trunk.run(0.2);
        let b = trunk.incoming(trunk.west);
        assert_eq!(trunk.went(b, &Method::Invite).remote, both[1]);
        let lost = |line: &&Line| line.to == "nobody" && line.message.method() == Some(Method::Invite);
        assert_eq!(trunk.world.ladder.iter().filter(lost).count(), 0, "the other was not tried first");
        trunk.cancel(a);
        trunk.run(1.0);
    });
}

/// The connection that we registered by breaks: another one is opened and registered at once.
#[test]
fn a_broken_connection_is_registered_anew() {
    over_tcp(&[REGISTER], |trunk| {
        trunk.run(2.0);
        assert_eq!(trunk.phone(trunk.east).registers.len(), 1);
        trunk.world.lose_connections(trunk.east);
        trunk.run(2.0);
        assert_eq!(trunk.phone(trunk.east).registers.len(), 2);
        assert!(is_up(trunk));
    });
}

fn registrations(trunk: &Trunk) -> String {
    let mut page = Page::default();
    trunk.world.shared.show_registrations(trunk.world.clocks().instant, &mut page);
    page.into_text()
}

#[test]
fn what_is_not_registered_any_more_is_in_no_metric() {
    let register = ("pbx_peer", "registration = true");
    let login = ("pbx_termination", "credentials = [{ username = \"u\", password = \"p\" }]");
    over_udp(&[REGISTER, register, login], |trunk| {
        trunk.run(2.0);
        let names =
            ["carrier_registered{", "registration_changed_timestamp_seconds{", "registered_contacts{"];
        let text = registrations(trunk);
        assert!(names.iter().all(|name| text.contains(name)), "{text}");
        trunk.configure(&[], Transport::Udp);
        trunk.run(2.0);
        let text = registrations(trunk);
        assert!(!names.iter().any(|name| text.contains(name)), "{text}");
    });
}
