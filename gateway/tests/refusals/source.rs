//! Who may speak to us at all.

use sip::{Builder, Message, Method, Name};

use crate::support::{Net, PATIENCE, Peer, eventually, status_line};
use crate::trunk::{Trunk, refused};

/// Messages that were dropped unread.
fn silenced(trunk: &Trunk) -> f64 {
    trunk.gateway.metrics().sum("sip_dropped_total", &[("cause", "silenced")])
}

/// The answer to a request, or none once one more than `before` was dropped unread.
fn answer_or_silence(trunk: &Trunk, stranger: &Peer, request: &Builder, before: f64) -> Option<Message> {
    stranger.send(&request.clone().build());
    eventually("an answer or silence", PATIENCE, || {
        if stranger.has_heard() {
            return Ok(Some(stranger.receive()));
        }
        if silenced(trunk) > before { Ok(None) } else { Err("neither".to_owned()) }
    })
}

#[test]
fn a_source_listed_nowhere_is_refused_and_then_met_with_silence() {
    let trunk = Trunk::start(Net(101));
    let stranger = trunk.phone(66);
    let call = |phone: &Peer| {
        refused(phone.invite("+12125550123"), 403, format!("Source {} is not listed", phone.local.ip()))
            .counted("source")
            .explained("+12065550100", "+12125550123", "")
    };
    trunk.refuses(&stranger, call(&stranger));
    trunk.refuses(&stranger, call(&stranger));
    // Whatever it asks for, and whomever it names.
    let options = stranger.ask(stranger.request(Method::Options, "sip:office.trunk.example.com"));
    assert_eq!(options.status().unwrap().code(), 403);
    let mut answered = 3;
    while let Some(answer) = answer_or_silence(&trunk, &stranger, &stranger.invite("+12125550123"), 0.0) {
        assert_eq!(status_line(&answer).0, 403);
        answered += 1;
        assert!(answered <= 100, "never silenced");
    }
    assert!(answered >= 10, "silenced after {answered}");
    assert!(!stranger.has_heard());
    trunk.gateway.tells("silencing a source");
    // Others are served, other strangers refused.
    let other = trunk.connected_phone(67);
    trunk.refuses(&other, call(&other));
    trunk.close();
}

#[test]
fn a_listed_source_that_names_no_connector_of_its_own() {
    let trunk = Trunk::start(Net(103));
    let office = trunk.phone(2);
    let at = |host: &str| office.invite_uri(&format!("sip:+12125550123@{host}"));
    trunk.refuses(
        &office,
        refused(at("nobody.trunk.example.com"), 404, "No voice connector at nobody.trunk.example.com")
            .counted("unknown_connector")
            .explained("+12065550100", "+12125550123", "nobody"),
    );
    trunk.refuses(
        &office,
        refused(at("elsewhere.example.org"), 404, "No voice connector at elsewhere.example.org")
            .counted("unknown_connector"),
    );
    let phrase = format!("Source {} is not listed for voice connector branch", office.local.ip());
    trunk.refuses(
        &office,
        refused(at("branch.trunk.example.com"), 403, phrase).counted("source_not_listed").explained(
            "+12065550100",
            "+12125550123",
            "branch",
        ),
    );
    trunk.close();
}

#[test]
fn a_plain_call_to_an_encrypted_connector() {
    let trunk = Trunk::start(Net(104));
    for (phone, transport) in [(trunk.phone(5), "udp"), (trunk.connected_phone(5), "tcp")] {
        for host in ["locked.trunk.example.com", "trunk.example.com"] {
            let invite = phone.invite_uri(&format!("sip:+12125550123@{host}"));
            let phrase = format!("Voice connector locked takes TLS only, not {transport}");
            trunk.refuses(
                &phone,
                refused(invite, 403, phrase).counted("encryption").recorded("locked", "Outbound").explained(
                    "+12065550100",
                    "+12125550123",
                    "",
                ),
            );
        }
    }
    trunk.close();
}

#[test]
fn termination_and_origination_that_are_off() {
    let trunk = Trunk::start(Net(105));
    let off = trunk.phone(8);
    trunk.refuses(
        &off,
        refused(off.invite("+12125550123"), 403, "Termination is off for voice connector off")
            .counted("termination_off")
            .recorded("off", "Outbound")
            .explained("+12065550102", "+12125550123", "off"),
    );
    let carrier = &trunk.west;
    trunk.refuses(
        carrier,
        refused(carrier.invite("+12065550102"), 403, "Origination is off for voice connector off")
            .counted("origination_off")
            .recorded("off", "Inbound")
            .explained("+12125550123", "+12065550102", ""),
    );
    // On-net too: the caller pays for the attempt, and the callee is not rung.
    let office = trunk.phone(2);
    let answer = office.ask(office.invite("+12065550102"));
    assert_eq!(status_line(&answer), (403, "Origination is off for voice connector off".to_owned()));
    trunk.expect_record("office", "Outbound", "Failed", "403 Origination is off for voice connector off");
    trunk.close();
}
#[test]
fn a_stranger_is_silenced_whatever_it_sends() {
    let trunk = Trunk::start(Net(102));
    for (host, dialog) in [(60, true), (61, false)] {
        let stranger = trunk.phone(host);
        let before = silenced(&trunk);
        let bye = || {
            let bye = stranger.request(Method::Bye, "sip:trunk.example.com");
            match dialog {
                true => bye.set(Name::To, "<sip:trunk.example.com>;tag=none"),
                false => bye.set(Name::CSeq, "1 INVITE"),
            }
        };
        let mut answered = 0;
        while let Some(answer) = answer_or_silence(&trunk, &stranger, &bye(), before) {
            assert_eq!(status_line(&answer).0, if dialog { 481 } else { 400 });
            answered += 1;
            assert!(answered <= 100, "never silenced, in a dialog: {dialog}");
        }
    }
    trunk.close();
}
