//! `Allow` promises what will be taken: ours outside a call, inside it what the other side takes too.

use sip::{Builder, Message, Method, Name};

use super::trunk::{OUTSIDE, Trunk, everywhere};

fn allowed(message: &Message) -> Vec<String> {
    message.values(Name::Allow).map(|one| one.into_owned()).collect()
}

const OURS: [&str; 6] = ["INVITE", "ACK", "BYE", "CANCEL", "OPTIONS", "PRACK"];

fn ours_and(more: &[&str]) -> Vec<String> {
    OURS.iter().chain(more).map(|one| (*one).to_owned()).collect()
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
            let phone = trunk.phone(trunk.pbx);
            let (branch, call) = (phone.branch(), phone.token());
            let request = Builder::request(Method::parse(method).unwrap(), "sip:vc.example.com")
                .header(Name::Via, phone.via(&branch))
                .header(Name::MaxForwards, "70")
                .header(Name::From, "<sip:a@b>;tag=1")
                .header(Name::To, "<sip:vc.example.com>")
                .header(Name::CallId, call)
                .header(Name::CSeq, format!("7 {method}"))
                .header(Name::Contact, phone.contact())
                .build();
            let before = trunk.phone(trunk.pbx).strays.len();
            let line = trunk.world.ladder.len();
            trunk.world.send(trunk.pbx, request);
            trunk.run(0.2);
            let heard = trunk.world.ladder[line..].iter().find(|line| line.from == "gw");
            let heard = heard.map(|line| line.message.clone());
            let answer = heard.or_else(|| trunk.phone(trunk.pbx).strays.get(before).cloned()).unwrap();
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
