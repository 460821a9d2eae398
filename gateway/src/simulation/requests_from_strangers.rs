//! What belongs to no call of ours is answered without keeping anything.

use sip::{Builder, Message, Method, Name};

use super::trunk::{OUTSIDE, Trunk, everywhere, over_udp};
use super::world::PhoneId;
use crate::peer::Transport;

/// A request as `phone` would send it, inside a dialog that nobody knows.
fn stray(trunk: &mut Trunk, phone: PhoneId, method: &str, to_tag: &str) -> Message {
    let phone = trunk.phone(phone);
    let (branch, call) = (phone.branch(), phone.token());
    Builder::request(Method::parse(method).unwrap(), "sip:+12065550100@192.0.2.1")
        .header(Name::Via, phone.via(&branch))
        .header(Name::MaxForwards, "70")
        .header(Name::From, "<sip:a@b>;tag=1")
        .header(Name::To, format!("<sip:c@d>{to_tag}"))
        .header(Name::CallId, call)
        .header(Name::CSeq, format!("7 {method}"))
        .header(Name::Contact, phone.contact())
        .build()
}

fn answer(trunk: &mut Trunk, phone: PhoneId, request: &Message) -> Option<Message> {
    let before = trunk.world.ladder.len();
    let options = trunk.phone(phone).strays.len();
    trunk.world.send(phone, request.clone());
    trunk.run(0.1);
    let heard = trunk.world.ladder[before..].iter().find(|line| line.from == "gw");
    heard.map(|line| line.message.clone()).or_else(|| trunk.phone(phone).strays.get(options).cloned())
}

#[test]
fn a_dialog_that_nobody_knows_gets_481_and_leaves_nothing() {
    everywhere(|trunk| {
        let ours = ";tag=vc1000000d0123456789abcdef";
        for tag in [";tag=theirs", ours, ";tag=vc10000ffd0123456789abcdef"] {
            for method in ["INVITE", "BYE", "UPDATE", "INFO", "REFER", "NOTIFY"] {
                let request = stray(trunk, trunk.pbx, method, tag);
                let status = answer(trunk, trunk.pbx, &request).unwrap().status().unwrap().code();
                assert_eq!(status, 481, "{method} {tag}");
                for core in &trunk.world.cores {
                    assert_eq!(core.held(), [0; 8]);
                }
            }
            let ack = stray(trunk, trunk.pbx, "ACK", tag);
            assert!(answer(trunk, trunk.pbx, &ack).is_none(), "an ACK is never answered");
        }
        let ack = stray(trunk, trunk.pbx, "ACK", "");
        assert!(answer(trunk, trunk.pbx, &ack).is_none());
        let cancel = stray(trunk, trunk.pbx, "CANCEL", "");
        assert_eq!(answer(trunk, trunk.pbx, &cancel).unwrap().status().unwrap().code(), 481);
        for core in &trunk.world.cores {
            assert_eq!(core.held(), [0; 8]);
        }
    });
}

#[test]
fn a_source_that_no_list_holds_gets_403_under_one_tag_and_its_ack_is_absorbed() {
    over_udp(&[], |trunk| {
        let stranger = trunk.world.phone("mallory", "203.0.113.66:5060", Transport::Udp);
        let invite = stray(trunk, stranger, "INVITE", "");
        let first = answer(trunk, stranger, &invite).unwrap();
        let again = answer(trunk, stranger, &invite).unwrap();
        assert_eq!(first.status().unwrap().code(), 403);
        assert_eq!(first.to_tag(), again.to_tag());
        let ack = stray(trunk, stranger, "ACK", &format!(";tag={}", first.to_tag().unwrap()));
        assert!(answer(trunk, stranger, &ack).is_none());
        assert_eq!(trunk.world.cores[0].held(), [0; 8]);
        assert!(trunk.world.cdrs.is_empty());
        // Nor may it end a call of others.
        let (a, b) = trunk.connect(trunk.pbx, OUTSIDE, trunk.east);
        let tag = trunk.call(a).response(200).unwrap().to_tag().unwrap();
        let bye = stray(trunk, stranger, "BYE", &format!(";tag={tag}"));
        assert_eq!(answer(trunk, stranger, &bye).unwrap().status().unwrap().code(), 481);
        assert_eq!(trunk.stage(b), super::phone::Stage::Up);
        trunk.hang_up(a);
        trunk.run(1.0);
    });
}

/// Whatever it tries: a tag that looks like ours, a CANCEL of nothing, answers that are none.
#[test]
fn a_stranger_is_silenced_whatever_it_sends() {
    over_udp(&[], |trunk| {
        let ours = ";tag=vc1000000d0123456789abcdef";
        for (last, method, tag) in [(1, "BYE", ours), (2, "CANCEL", ""), (3, "", "")] {
            let address = format!("203.0.113.{last}:5060");
            let stranger = trunk.world.phone("mallory", &address, Transport::Udp);
            let source = address.parse::<std::net::SocketAddr>().unwrap().ip();
            let silenced =
                |trunk: &Trunk| trunk.world.shared.guard.silenced(trunk.world.clocks().instant, source);
            for _ in 0..20 {
                assert!(!silenced(trunk), "{method}");
                let message = match method {
                    "" => {
                        Message::parse(b"SIP/2.0 200 OK\r\nVia: nonsense\r\n\r\n".as_slice().into()).unwrap()
                    }
                    method => stray(trunk, stranger, method, tag),
                };
                trunk.world.send(stranger, message);
                trunk.run(0.01);
            }
            assert!(silenced(trunk), "{method:?}");
        }
    });
}

/// The last BYE of a call and ours cross: the carrier that is called by its name must not fall silent for that.
#[test]
fn a_host_that_is_called_by_its_name_is_no_stranger() {
    over_udp(&[], |trunk| {
        let host = trunk.world.phone("sbc", "203.0.113.9:5060", Transport::Udp);
        let source = "203.0.113.9".parse().unwrap();
        let lookup =
            crate::resolve::Lookup { host: "sbc.example.com".into(), port: None, transport: Transport::Udp };
        let now = trunk.world.clocks();
        trunk.world.shared.resolved(now.instant, lookup, vec!["203.0.113.9:5060".parse().unwrap()]);
        for _ in 0..30 {
            let bye = stray(trunk, host, "BYE", ";tag=vc1000000d0123456789abcdef");
            trunk.world.send(host, bye);
        }
        trunk.run(0.1);
        assert!(!trunk.world.shared.guard.silenced(trunk.world.clocks().instant, source));
    });
}

#[test]
fn a_merged_request_gets_482_and_the_first_copy_goes_on() {
    everywhere(|trunk| {
        let a = trunk.dial(trunk.pbx, OUTSIDE);
        trunk.run(0.05);
        let via = trunk.phone(a.0).via("z9hG4bKotherway");
        let copy = trunk.call(a).invite.edit().set(Name::Via, via).build();
        trunk.world.send(a.0, copy);
        trunk.run(0.5);
        let refused: Vec<_> = trunk
            .world
            .ladder
            .iter()
            .filter(|line| {
                line.from == "gw" && line.message.status().is_some_and(|status| status.code() == 482)
            })
            .collect();
        assert!(!refused.is_empty());
        let ack = refused[0].message.clone();
        let ack = Builder::request(Method::Ack, trunk.call(a).invite.request_uri().unwrap())
            .header(Name::Via, ack.value(Name::Via).unwrap().as_bytes())
            .header(Name::MaxForwards, "70")
            .header(Name::From, ack.value(Name::From).unwrap().as_bytes())
            .header(Name::To, ack.value(Name::To).unwrap().as_bytes())
            .header(Name::CallId, trunk.call(a).call_id())
            .header(Name::CSeq, "1 ACK")
            .build();
        trunk.world.send(a.0, ack);
        let b = trunk.incoming(trunk.east);
        trunk.respond(b, 200);
        trunk.run(1.0);
        assert_eq!(trunk.heard(a), [200]);
        trunk.hang_up(a);
        trunk.run(1.0);
    });
}

#[test]
fn a_request_that_has_come_too_far_gets_483_and_hops_are_counted() {
    everywhere(|trunk| {
        let place = |trunk: &mut Trunk, hops: &str| {
            let call = trunk.world.with(trunk.pbx, |phone, now| {
                let invite = phone.invite("vc.example.com", super::trunk::PBX, OUTSIDE, true);
                phone.place(now, invite.set(Name::MaxForwards, hops).build())
            });
            trunk.run(0.5);
            super::world::CallId(trunk.pbx, call)
        };
        let refused = place(trunk, "0");
        assert_eq!(trunk.heard(refused), [483]);
        let a = place(trunk, "5");
        let b = trunk.incoming(trunk.east);
        assert_eq!(trunk.call(b).invite.max_forwards(), Ok(Some(4)));
        trunk.respond(b, 486);
        trunk.run(0.5);
        assert_eq!(trunk.heard(a), [486]);
    });
}

#[test]
fn options_are_answered() {
    everywhere(|trunk| {
        let request = stray(trunk, trunk.pbx, "OPTIONS", "");
        trunk.world.send(trunk.pbx, request);
        trunk.run(0.1);
        let heard = trunk.phone(trunk.pbx).strays.last().cloned().unwrap();
        assert_eq!(heard.status().unwrap().code(), 200);
        assert!(heard.has(Name::Allow) && heard.has(Name::Accept));
    });
}
