//! What a refusal means: its Q.850 cause beside a vague code, and what the operator makes of codes.

use sip::{Message, Name};

use super::trunk::{Change, OUTSIDE, PBX, Trunk, everywhere, everywhere_with, over_udp};

/// What the caller hears where east refuses so; west, if it is asked, has no room.
fn told(trunk: &mut Trunk, status: u16, said: &[(&str, &str)]) -> Message {
    let west_before = trunk.received(trunk.west);
    let (a, b) = trunk.reach(trunk.pbx, OUTSIDE, trunk.east);
    trunk.respond_with(b, status, said);
    trunk.run(0.5);
    if trunk.received(trunk.west) > west_before {
        let b = trunk.incoming(trunk.west);
        trunk.respond(b, 503);
        trunk.run(0.5);
    }
    let heard = *trunk.heard(a).last().unwrap();
    trunk.call(a).response(heard).unwrap().clone()
}

fn code(message: &Message) -> u16 {
    message.status().unwrap().code()
}

fn phrase(message: &Message) -> String {
    String::from_utf8(message.reason_phrase().unwrap().to_vec()).unwrap()
}

fn reasons(message: &Message) -> Vec<String> {
    message.lines(Name::Reason).map(|line| line.into_owned()).collect()
}

/// A carrier behind a gateway of the telephone network says the truth in the cause alone.
#[test]
fn a_vague_refusal_is_told_by_its_cause() {
    for (status, said, expected, words) in [
        (503, "Q.850;cause=17", 486, "Busy Here"),
        (500, "Q.850;cause=1;text=\"x\"", 404, "Not Found"),
        (480, "Q.850;cause=28", 484, "Address Incomplete"),
        (503, "Q.850;cause=21;location=U", 603, "Decline"),
        (502, "SIP;cause=502, Q.850;cause=57", 403, "Forbidden"),
        // One that says something, and a cause of the network's own.
        (404, "Q.850;cause=17", 404, "Not Found"),
        (486, "Q.850;cause=1", 486, "Busy Here"),
        (503, "Q.850;cause=34", 500, "No route took the call: unavailable"),
    ] {
        everywhere(|trunk| {
            let heard = told(trunk, status, &[("Reason", said)]);
            assert_eq!((code(&heard), phrase(&heard).as_str()), (expected, words), "{status} {said}");
            let q850: Vec<_> = reasons(&heard).into_iter().filter(|line| line.contains("Q.850")).collect();
            let kept = expected == 500 || q850 == [said];
            assert!(kept, "{status} {said}: {q850:?}");
        });
    }
}

/// Whoever has a telephone network behind him reads causes.
#[test]
fn a_refusal_without_a_cause_gets_one() {
    for (status, cause) in [(486, 17), (404, 1), (480, 18), (603, 21), (484, 28), (500, 41), (488, 65)] {
        everywhere(|trunk| {
            let heard = told(trunk, status, &[]);
            assert_eq!(code(&heard), status);
            let found = reasons(&heard);
            assert!(found[0].starts_with(&format!("SIP;cause={status}")), "{found:?}");
            let starts = format!("Q.850;cause={cause}");
            assert_eq!(
                found.iter().filter(|line| line.split(";text").next() == Some(&starts)).count(),
                1,
                "{found:?}"
            );
        });
    }
    // Ours, to a carrier: nobody took the call in time.
    over_udp(&[], |trunk| {
        let a = trunk.dial(trunk.east, PBX);
        trunk.run(200.0);
        let heard = trunk.call(a).response(408).unwrap();
        assert!(reasons(heard).iter().any(|line| line.starts_with("Q.850;cause=102")), "{heard:?}");
    });
    let strips: Change = ("pbx_peer", "strip_headers = [\"Reason\"]");
    over_udp(&[strips], |trunk| {
        let heard = told(trunk, 486, &[]);
        assert!(reasons(&heard).iter().all(|line| !line.contains("Q.850")), "{heard:?}");
    });
}

const EAST: &str = "response_rules = [
    { direction = \"from\", code = 404, replace = 503 },
    { direction = \"from\", code = 488, replace = 486 },
]";
const TO_PBX: &str = "response_rules = [
    { direction = \"to\", code = 486, replace = 600 },
    { direction = \"to\", code = 403, replace = 404 },
]";

/// One side's codes are taken for what they mean there, and told as the other understands them.
#[test]
fn codes_are_replaced_by_the_operators_rules() {
    everywhere_with(&[("east_peer", EAST)], |trunk| {
        // 404 means here that it has no room: west is asked.
        let heard = told(trunk, 404, &[]);
        assert_eq!((code(&heard), trunk.received(trunk.west)), (500, 1));
        let heard = told(trunk, 488, &[]);
        assert_eq!(
            (code(&heard), phrase(&heard).as_str(), trunk.received(trunk.west)),
            (486, "Busy Here", 1)
        );
    });
    everywhere_with(&[("east_peer", EAST), ("pbx_peer", TO_PBX)], |trunk| {
        assert_eq!(code(&told(trunk, 486, &[])), 600);
        assert_eq!(code(&told(trunk, 488, &[])), 600);
        assert_eq!(code(&told(trunk, 603, &[])), 603);
        // The same of our own.
        let call = trunk.world.with(trunk.pbx, |phone, now| {
            let invite = phone.invite("vc.example.com", "+12125550777", OUTSIDE, true);
            phone.place(now, invite.build())
        });
        trunk.run(0.5);
        let call = super::world::CallId(trunk.pbx, call);
        assert_eq!(trunk.heard(call), [404]);
        assert_eq!(phrase(trunk.call(call).response(404).unwrap()), "Caller Id +12125550777 is not valid");
    });
}

/// A refusal inside a call is about that request, and stays what it is.
#[test]
fn codes_inside_a_call_stay() {
    everywhere_with(&[("east_peer", EAST), ("pbx_peer", TO_PBX)], |trunk| {
        let (a, b) = trunk.connect(trunk.pbx, OUTSIDE, trunk.east);
        trunk.phone(trunk.east).habits.renegotiates = Some(488);
        trunk.request(a, sip::Method::Invite, Some("sendonly"));
        trunk.run(1.0);
        assert_eq!(trunk.call(a).heard.iter().filter(|one| one.is_response()).last().map(code), Some(488));
        trunk.hang_up(b);
        trunk.run(1.0);
    });
}
