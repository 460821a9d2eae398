//! What a peer can have said of itself in the log as often as it likes is some lines, and a count.

use sip::{Method, Name};

use super::log::log_of;
use super::trunk::{OUTSIDE, PBX};

fn with<'a>(log: &'a [String], text: &str) -> Vec<&'a String> {
    log.iter().filter(|line| line.contains(text)).collect()
}

/// From its beginning to its end: one line a phase, each with the call's id.
#[test]
fn a_call_is_three_lines_with_one_id() {
    let log = log_of(&[], |trunk| {
        let (a, _) = trunk.connect(trunk.pbx, OUTSIDE, trunk.east);
        for body in ["sendonly", "sendrecv"] {
            trunk.request(a, Method::Invite, Some(body));
            trunk.run(1.0);
        }
        trunk.run(100.0);
        trunk.hang_up(a);
        trunk.run(1.0);
    });
    let said = ["call begins", "host took the call", "call ended"];
    assert_eq!(log.len(), said.len(), "{log:#?}");
    let id = |line: &str| line.split_once("transaction_id=").unwrap().1.split(' ').next().unwrap().to_owned();
    assert!(
        log[2].contains("sound=\"good, worst from the caller to us, MOS 4.13: 2.0 % lost (bursts: 1)"),
        "{}",
        log[2]
    );
    for (line, said) in log.iter().zip(said) {
        assert!(line.starts_with("INFO ") && line.contains(said), "{line}");
        assert_eq!(id(line), id(&log[0]));
    }
}

#[test]
fn media_that_is_sent_to_the_gateway_again_and_again() {
    let log = log_of(&[], |trunk| {
        let (a, _) = trunk.connect(trunk.pbx, OUTSIDE, trunk.east);
        for number in 0..40 {
            let own = (number % 2 == 0).then(|| "192.0.2.1:5060".parse().unwrap());
            trunk.phone(trunk.pbx).media_at = own;
            trunk.request(a, Method::Invite, None);
            trunk.run(0.1);
        }
        trunk.run(10.0);
        trunk.hang_up(a);
        trunk.run(1.0);
    });
    let told = with(&log, "media sent to the gateway itself");
    assert_eq!(told.len(), 10, "{log:#?}");
    assert!(told.iter().all(|line| line.contains("transaction_id=")), "{told:#?}");
    let counted = with(&log, "more that came about in a call");
    assert!(counted[0].contains("transaction_id=") && counted[0].contains("left_out=10"), "{counted:?}");
}

/// Such credentials count as no guess, so that nothing else would stop the lines.
#[test]
fn credentials_without_sense_again_and_again() {
    let login = ("pbx_termination", "credentials = [{ username = \"desk\", password = \"one\" }]");
    let log = log_of(&[login], |trunk| {
        for number in 0..50 {
            let invite = trunk.world.with(trunk.pbx, |phone, _| {
                let senseless = "Digest username=\"desk\", realm=\"vc.example.com\", nonce=\"n\", \
                                 uri=\"sip:vc.example.com\", response=\"0\"";
                let invite = phone.invite("vc.example.com", PBX, OUTSIDE, true);
                invite.header(Name::ProxyAuthorization, senseless).build()
            });
            let call_id = format!("{number}@pbx");
            trunk.world.send(trunk.pbx, invite.edit().set(Name::CallId, call_id).build());
            trunk.run(0.1);
        }
        trunk.run(20.0);
    });
    let told = with(&log, "wrong credentials");
    assert_eq!(told.len(), 10, "{log:#?}");
    assert!(told[0].contains("call_id=\"0@pbx\" failure="), "{}", told[0]);
    let counted = with(&log, "more logins and contacts");
    assert!(counted[0].contains("source=10.0.0.1 left_out=40"), "{counted:?}");
}

#[test]
fn a_host_that_rests_is_told_once() {
    let log = log_of(&[], |trunk| {
        let calls: Vec<_> = (0..4).map(|_| trunk.reach(trunk.pbx, OUTSIDE, trunk.east)).collect();
        for (a, east) in calls {
            trunk.respond_with(east, 503, &[("Retry-After", "20")]);
            trunk.run(0.1);
            trunk.cancel(a);
            trunk.run(1.0);
        }
    });
    let told = with(&log, "host rests");
    assert_eq!(told.len(), 1, "{log:#?}");
}
