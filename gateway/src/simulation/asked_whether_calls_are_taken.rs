//! OPTIONS is answered as an INVITE would be (RFC 3261 §11.2): a peer that asks goes elsewhere in time.

use sip::{Builder, Message, Method, Name};

use super::trunk::{OUTSIDE, Trunk, everywhere};
use crate::core::Input;
use crate::readiness::Obstacle;

/// The answer to the PBX's OPTIONS.
fn ask(trunk: &mut Trunk) -> Message {
    let phone = trunk.phone(trunk.pbx);
    let (branch, call) = (phone.branch(), phone.token());
    let request = Builder::request(Method::Options, "sip:vc.example.com")
        .header(Name::Via, phone.via(&branch))
        .header(Name::MaxForwards, "70")
        .header(Name::From, "<sip:a@b>;tag=1")
        .header(Name::To, "<sip:c@d>")
        .header(Name::CallId, call)
        .header(Name::CSeq, "1 OPTIONS")
        .header(Name::Contact, phone.contact());
    trunk.world.send(trunk.pbx, request.build());
    trunk.run(0.1);
    trunk.phone(trunk.pbx).strays.last().cloned().unwrap()
}

/// What OPTIONS and INVITE both get: status, phrase, Retry-After.
fn both_hear(trunk: &mut Trunk) -> (u16, String, String) {
    let said = |answer: &Message| {
        let phrase = String::from_utf8_lossy(answer.reason_phrase().unwrap()).into_owned();
        (answer.status().unwrap().code(), phrase, Trunk::header(answer, "Retry-After"))
    };
    let answer = ask(trunk);
    assert!(answer.has(Name::Reason) && answer.has(Name::Allow));
    let call = trunk.dial(trunk.pbx, OUTSIDE);
    trunk.run(0.1);
    let refusal = said(trunk.call(call).response(503).unwrap());
    assert_eq!(said(&answer), refusal);
    refusal
}

#[test]
fn while_it_drains() {
    everywhere(|trunk| {
        assert_eq!(ask(trunk).status().unwrap().code(), 200);
        trunk.broadcast(|| Input::Drain);
        let told = |phrase: &str, after: &str| (503, phrase.to_owned(), after.to_owned());
        assert_eq!(both_hear(trunk), told("Gateway is draining", "30"));
        trunk.broadcast(|| Input::Stop);
        assert_eq!(both_hear(trunk), told("Gateway is shutting down", "30"));
    });
}

#[test]
fn while_records_can_not_be_written() {
    everywhere(|trunk| {
        trunk.world.accept_calls(false);
        assert_eq!(both_hear(trunk), (503, "Call records can't be written".to_owned(), "2".to_owned()));
        trunk.world.accept_calls(true);
        assert_eq!(ask(trunk).status().unwrap().code(), 200);
    });
}

/// What only shows when a call is set up is told to who asks.
#[test]
fn while_ports_or_threads_are_missing() {
    everywhere(|trunk| {
        for obstacle in [Obstacle::Media, Obstacle::Threads] {
            let readiness = trunk.world.shared.readiness.clone();
            readiness.block(obstacle, "so");
            let answer = ask(trunk);
            assert_eq!(answer.status().unwrap().code(), 503);
            assert_eq!(Trunk::header(&answer, "Retry-After"), "2");
            readiness.clear(obstacle);
            assert_eq!(ask(trunk).status().unwrap().code(), 200);
        }
    });
}
