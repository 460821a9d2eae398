//! `Allow` promises what will be taken: ours outside a call, inside it what the other side takes too.

use sip::{Builder, Message, Method, Name};

use super::trunk::{OUTSIDE, Trunk, everywhere, everywhere_with};
use super::world::PhoneId;

fn allowed(message: &Message) -> Vec<String> {
    message.values(Name::Allow).map(|one| one.into_owned()).collect()
}

const OURS: [&str; 6] = ["INVITE", "ACK", "BYE", "CANCEL", "OPTIONS", "PRACK"];

fn ours_and(more: &[&str]) -> Vec<String> {
    OURS.iter().chain(more).map(|one| (*one).to_owned()).collect()
}

fn supported(message: &Message) -> String {
    Trunk::header(message, "Supported")
}

/// The answer to a request of `phone`'s outside any call.
fn outside(trunk: &mut Trunk, phone: PhoneId, method: &str) -> Message {
    let from = trunk.phone(phone);
    let (branch, call) = (from.branch(), from.token());
    let request = Builder::request(Method::parse(method).unwrap(), "sip:vc.example.com")
        .header(Name::Via, from.via(&branch))
        .header(Name::MaxForwards, "70")
        .header(Name::From, "<sip:a@b>;tag=1")
        .header(Name::To, "<sip:vc.example.com>")
        .header(Name::CallId, call)
        .header(Name::CSeq, format!("7 {method}"))
        .header(Name::Contact, from.contact())
        .build();
    let before = from.strays.len();
    let line = trunk.world.ladder.len();
    trunk.world.send(phone, request);
    trunk.run(0.2);
    let heard = trunk.world.ladder[line..].iter().find(|line| line.from == "gw");
    let heard = heard.map(|line| line.message.clone());
    heard.or_else(|| trunk.phone(phone).strays.get(before).cloned()).unwrap()
}

/// A carrier's says nothing of a customer.
#[test]
fn a_customers_options_are_its_sign_of_life() {
    everywhere(|trunk| {
        let health = trunk.world.shared.termination_health.clone();
        assert_eq!(health.of("pbx"), None);
        outside(trunk, trunk.east, "OPTIONS");
        assert_eq!(health.of("pbx"), None);
        outside(trunk, trunk.pbx, "OPTIONS");
        let first = health.of("pbx").unwrap();
        assert_eq!(first.source, trunk.phone(trunk.pbx).address.ip());
        assert_eq!(health.of("branch"), None);
        trunk.run(10.0);
        outside(trunk, trunk.pbx, "OPTIONS");
        let later = health.of("pbx").unwrap().at - first.at;
        assert!((10..12).contains(&later.as_secs()), "{later:?}");
    });
}

#[test]
fn nothing_outside_a_call_promises_a_message() {
    everywhere(|trunk| {
        for (method, status) in [
            ("OPTIONS", 200),
            ("SUBSCRIBE", 405),
            ("PUBLISH", 405),
            ("MESSAGE", 405),
            ("REFER", 405),
            ("REGISTER", 405),
            ("FOO", 501),
        ] {
            let answer = outside(trunk, trunk.pbx, method);
            assert_eq!(answer.status().unwrap().code(), status, "{method}");
            assert_eq!(allowed(&answer), ours_and(&["UPDATE", "INFO"]), "{method}");
            assert!(!answer.has(Name::AllowEvents), "no event is notified outside a call");
        }
    });
}

#[test]
fn a_call_allows_what_the_other_side_does() {
    everywhere(|trunk| {
        let a = trunk.dial_with(
            trunk.pbx,
            OUTSIDE,
            &[("Allow", "INVITE, ACK, BYE, CANCEL, OPTIONS, INFO, REFER")],
        );
        trunk.run(0.5);
        let b = trunk.incoming(trunk.east);
        assert_eq!(allowed(&trunk.call(b).invite), ours_and(&["INFO"]));
        trunk.respond_with(b, 180, &[("Allow", "INVITE, ACK, BYE, CANCEL"), ("Allow", "update, MESSAGE")]);
        trunk.run(0.5);
        assert_eq!(allowed(trunk.call(a).response(180).unwrap()), ours_and(&["UPDATE", "MESSAGE"]));
        trunk.respond_with(b, 200, &[("Allow", "INVITE, ACK, BYE, CANCEL, UPDATE")]);
        trunk.run(0.5);
        assert_eq!(allowed(trunk.call(a).response(200).unwrap()), ours_and(&["UPDATE"]));
        // Inside the dialog it holds on, for either side.
        trunk.request(a, Method::Invite, Some("sendonly"));
        trunk.run(0.5);
        assert_eq!(allowed(trunk.call(b).request(&Method::Invite).unwrap()), ours_and(&["INFO"]));
        assert_eq!(allowed(trunk.call(a).response(200).unwrap()), ours_and(&["UPDATE"]));
        trunk.request(a, Method::Options, None);
        trunk.run(0.5);
        assert_eq!(allowed(trunk.call(a).response(200).unwrap()), ours_and(&["UPDATE"]));
        trunk.request(b, Method::Options, None);
        trunk.run(0.5);
        assert_eq!(allowed(trunk.call(b).response(200).unwrap()), ours_and(&["INFO"]));
        trunk.hang_up(a);
        trunk.run(1.0);
    });
}

/// Nothing is known of a side that does not say: ours is said.
#[test]
fn silence_forbids_nothing() {
    everywhere(|trunk| {
        let (a, b) = trunk.connect(trunk.pbx, OUTSIDE, trunk.east);
        let all = ours_and(&["UPDATE", "INFO", "MESSAGE"]);
        assert_eq!(allowed(&trunk.call(b).invite), all);
        assert_eq!(allowed(trunk.call(a).response(200).unwrap()), all);
        trunk.hang_up(a);
        trunk.run(1.0);
        let _ = Trunk::header(&trunk.call(a).invite, "Allow");
    });
}

/// What we can do on a party's leg is told to it, whatever the other side can do; and no more than its keys let it have.
#[test]
fn extensions_are_told_to_each_side_by_its_keys() {
    everywhere_with(&[("pbx_peer", "prack = \"off\"")], |trunk| {
        let options = outside(trunk, trunk.pbx, "OPTIONS");
        assert_eq!(supported(&options), "timer, replaces");
        assert!(!allowed(&options).iter().any(|method| method == "PRACK"));
        let options = outside(trunk, trunk.east, "OPTIONS");
        assert_eq!(supported(&options), "100rel, timer, replaces");
        assert!(allowed(&options).iter().any(|method| method == "PRACK"));

        let (a, b) = trunk.connect(trunk.pbx, OUTSIDE, trunk.east);
        assert_eq!(supported(trunk.call(a).response(200).unwrap()), "timer, replaces");
        for (call, told) in [(a, "timer, replaces"), (b, "100rel, timer, replaces")] {
            for (method, body) in
                [(Method::Options, None), (Method::Update, None), (Method::Invite, Some("sendonly"))]
            {
                trunk.request(call, method, body);
                trunk.run(0.5);
                let answer = trunk.call(call).response(200).unwrap();
                assert_eq!(supported(answer), told);
                let promises_prack = allowed(answer).iter().any(|one| one == "PRACK");
                assert_eq!(promises_prack, told != "timer, replaces");
            }
        }
        trunk.hang_up(a);
        trunk.run(1.0);
        assert!(!allowed(trunk.call(a).response(200).unwrap()).iter().any(|one| one == "PRACK"));
    });
}
