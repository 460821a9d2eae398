//! Two carriers, one of which is dead or refuses: the record and the counters say which took the call, which was left, and
//! why; and who ended the call, and how.

use sip::{Method, Name};

use super::trunk::{BRANCH, OUTSIDE, PBX, Trunk, everywhere, everywhere_with, over_udp};
use super::world::EPOCH;
use crate::core::Input;
use crate::record::{AttemptDetail, CallDetail, DetailDirection, EndedBy};

/// The one wide record that there is.
fn detail(trunk: &Trunk) -> &CallDetail {
    assert_eq!(trunk.world.details.len(), 1, "{:#?}", trunk.world.details);
    &trunk.world.details[0]
}

/// Carrier, status, how it ended, why it was left.
fn told(attempts: &[AttemptDetail]) -> Vec<(&str, Option<u16>, &str, Option<&str>)> {
    let mut told = Vec::new();
    for AttemptDetail { carrier, status, cause, because, .. } in attempts {
        told.push((carrier.as_deref().unwrap_or("no carrier"), *status, cause.as_str(), because.as_deref()));
    }
    told
}

fn metric(trunk: &Trunk, line: &str) -> bool {
    let text = trunk.world.metrics.render();
    text.lines().any(|one| one.strip_prefix("voice_connector_") == Some(line))
}

#[test]
fn a_carrier_that_refuses_and_one_that_takes_it() {
    everywhere(|trunk| {
        let (a, east) = trunk.reach(trunk.pbx, OUTSIDE, trunk.east);
        trunk.respond(east, 503);
        trunk.run(0.5);
        let west = trunk.incoming(trunk.west);
        trunk.respond(west, 180);
        trunk.run(2.0);
        trunk.respond(west, 200);
        trunk.run(10.0);
        trunk.world.with(west.0, |phone, now| {
            phone.says = &[("Reason", "Q.850;cause=16;text=\"Normal\"")];
            phone.request(now, west.1, Method::Bye, None);
        });
        trunk.run(1.0);
        trunk.finish();
        let detail = detail(trunk);
        let failed = ("east", Some(503), "503 Service Unavailable", Some("503 is a failure of the route"));
        assert_eq!(told(&detail.attempts), [failed, ("west", Some(200), "OK", None)]);
        assert_eq!(detail.attempts[0].address, Some("10.0.1.1:5060".parse().unwrap()));
        assert_eq!((detail.carrier.as_deref(), detail.direction), (Some("west"), DetailDirection::Outbound));
        assert_eq!(
            (detail.calling_voice_connector.as_deref(), detail.called_voice_connector.as_deref()),
            (Some("pbx"), None)
        );
        assert_eq!((detail.ended_by, detail.status, detail.cause.as_str()), (EndedBy::Callee, 200, "OK"));
        assert_eq!(detail.reason.as_deref(), Some("Q.850;cause=16;text=\"Normal\""));
        assert_eq!(detail.caller_call_id, trunk.call(a).call_id());
        assert_eq!(detail.callee_call_id, Some(trunk.call(west).call_id().into()));
        let times = detail.times;
        let start = u64::try_from(EPOCH.as_millis()).unwrap();
        assert!((start..start + 100).contains(&times.invite), "{times:?}");
        let ringing = times.ringing.unwrap() - times.invite;
        assert!((1_000..1_100).contains(&ringing), "{times:?}");
        assert!((2_000..2_050).contains(&(times.answer.unwrap() - times.ringing.unwrap())), "{times:?}");
        assert!((10_000..10_050).contains(&(times.end - times.answer.unwrap())), "{times:?}");
        for line in [
            "carrier_attempts_total{carrier=\"east\"} 1",
            "carrier_attempts_total{carrier=\"west\"} 1",
            "carrier_answers_total{carrier=\"east\"} 0",
            "carrier_answers_total{carrier=\"west\"} 1",
            "carrier_failures_total{carrier=\"east\",cause=\"5xx\"} 1",
            "carrier_failovers_total{carrier=\"east\",cause=\"5xx\"} 1",
        ] {
            assert!(metric(trunk, line), "{line}\n{}", trunk.world.metrics.render());
        }
    });
}

#[test]
fn a_dead_carrier_one_without_room_and_one_whose_name_is_unknown() {
    let named = "\n[[carrier]]\nname = \"named\"\nprefixes = [\"+1212\"]\n[[carrier.host]]\nhost = \"sip.carrier.example\"\n";
    over_udp(&[("more", named), ("west", "max_calls = 1")], |trunk| {
        let east = trunk.world.phones[trunk.east.0].address;
        trunk.world.dead.insert(east, false);
        let mut calls = Vec::new();
        for _ in 0..2 {
            calls.push(trunk.dial(trunk.pbx, OUTSIDE));
            trunk.run(5.0);
            if trunk.received(trunk.west) == calls.len() {
                let west = trunk.incoming(trunk.west);
                trunk.respond(west, 200);
                trunk.run(0.5);
            }
        }
        trunk.hang_up(calls[0]);
        trunk.run(1.0);
        trunk.finish();
        let unknown = (
            "named",
            None,
            "sip.carrier.example does not resolve: no address is known for sip.carrier.example",
            Some("it could not be reached"),
        );
        let silent = ("east", None, "no response in time", Some("nothing was heard in time"));
        let full =
            ("west", None, "More than 1 calls at one time for west", Some("it has no room for another call"));
        let [refused, answered] = &trunk.world.details[..] else { panic!("{:#?}", trunk.world.details) };
        // By then the probes know that east is dead, so it comes last.
        assert_eq!(told(&refused.attempts), [unknown, full, silent]);
        assert_eq!(told(&answered.attempts), [unknown, silent, ("west", Some(200), "OK", None)]);
        assert_eq!((refused.ended_by, refused.status), (EndedBy::Gateway, 504));
        assert_eq!((answered.ended_by, answered.reason.as_deref()), (EndedBy::Caller, None));
        assert_eq!(refused.attempts[0].address, None);
        let waited = refused.attempts[2].ended.unwrap() - refused.attempts[2].started;
        assert!((4_000..4_100).contains(&waited), "{waited}");
        for line in [
            "carrier_failovers_total{carrier=\"named\",cause=\"unresolved\"} 2",
            "carrier_failovers_total{carrier=\"east\",cause=\"no_response\"} 2",
            "carrier_failures_total{carrier=\"west\",cause=\"no_room\"} 1",
        ] {
            assert!(metric(trunk, line), "{line}\n{}", trunk.world.metrics.render());
        }
    });
}

/// The caller gives up while it rings, with a Reason; and the callee's own word ends a call.
#[test]
fn who_gave_up_and_who_refused() {
    everywhere(|trunk| {
        let (a, b) = trunk.reach(trunk.pbx, OUTSIDE, trunk.east);
        trunk.respond(b, 180);
        trunk.run(0.5);
        let reason = [(Name::Reason, "SIP;cause=200;text=\"Call completed elsewhere\"".to_owned())];
        trunk.world.with(a.0, |phone, now| phone.cancel_saying(now, a.1, &reason));
        trunk.run(1.0);
        trunk.dial(trunk.pbx, OUTSIDE);
        trunk.run(0.5);
        let b = trunk.incoming(trunk.east);
        trunk.respond_with(b, 486, &[("Reason", "Q.850;cause=17")]);
        trunk.run(1.0);
        trunk.finish();
        let [cancelled, refused] = &trunk.world.details[..] else { panic!("{:#?}", trunk.world.details) };
        assert_eq!((cancelled.ended_by, cancelled.status), (EndedBy::Caller, 487));
        assert_eq!(cancelled.reason.as_deref(), Some("SIP;cause=200;text=\"Call completed elsewhere\""));
        assert_eq!(told(&cancelled.attempts), [("east", None, "Request Terminated", None)]);
        assert_eq!((refused.ended_by, refused.status), (EndedBy::Callee, 486));
        assert_eq!(refused.reason.as_deref(), Some("Q.850;cause=17"));
        let own_word = Some("486 is the callee's own word");
        assert_eq!(told(&refused.attempts), [("east", Some(486), "486 Busy Here", own_word)]);
    });
}

#[test]
fn inbound_and_between_two_connectors() {
    everywhere(|trunk| {
        let (a, _) = trunk.connect(trunk.east, PBX, trunk.pbx);
        trunk.hang_up(a);
        trunk.run(1.0);
        let (a, _) = trunk.connect(trunk.pbx, BRANCH, trunk.branch);
        trunk.hang_up(a);
        trunk.run(1.0);
        trunk.finish();
        let [inbound, on_net] = &trunk.world.details[..] else { panic!("{:#?}", trunk.world.details) };
        assert_eq!(
            (inbound.direction, inbound.calling_carrier.as_deref()),
            (DetailDirection::Inbound, Some("east"))
        );
        assert_eq!((inbound.calling_voice_connector.as_deref(), inbound.carrier.as_deref()), (None, None));
        assert_eq!(inbound.attempts[0].voice_connector.as_deref(), Some("pbx"));
        assert_eq!(on_net.direction, DetailDirection::OnNet);
        assert_eq!(on_net.called_voice_connector.as_deref(), Some("branch"));
    });
}

#[test]
fn an_emergency_call_says_so() {
    everywhere(|trunk| {
        let (a, east) = trunk.reach(trunk.pbx, "911", trunk.east);
        trunk.respond(east, 486);
        trunk.run(0.5);
        let west = trunk.incoming(trunk.west);
        trunk.respond(west, 200);
        trunk.run(0.5);
        trunk.hang_up(a);
        trunk.run(1.0);
        trunk.finish();
        let detail = detail(trunk);
        assert!(detail.emergency);
        assert_eq!((detail.callee.as_str(), detail.routing_number.as_deref()), ("911", Some("+15105550111")));
        let left = Some("an emergency call tries every route");
        assert_eq!(told(&detail.attempts)[0], ("east", Some(486), "486 Busy Here", left));
        let line = "emergency_calls_total{voice_connector_id=\"pbx\",region=\"us-east-1\"} 1";
        assert!(metric(trunk, line), "{}", trunk.world.metrics.render());
    });
}

/// One that the gateway can't take any more says so too, and where it should have gone.
#[test]
fn an_emergency_call_that_is_turned_away() {
    everywhere(|trunk| {
        trunk.broadcast(|| Input::Stop);
        trunk.dial(trunk.pbx, "911");
        trunk.run(1.0);
        trunk.finish();
        let detail = detail(trunk);
        assert_eq!((detail.emergency, detail.routing_number.as_deref()), (true, Some("+15105550111")));
        assert_eq!(detail.status, 503);
    });
}

/// A call from a carrier that is refused names the carrier.
#[test]
fn a_refused_call_from_a_carrier() {
    everywhere(|trunk| {
        trunk.broadcast(|| Input::Drain);
        trunk.dial(trunk.east, PBX);
        trunk.run(1.0);
        trunk.finish();
        assert_eq!(detail(trunk).calling_carrier.as_deref(), Some("east"));
    });
}

/// A call that was refused at once has its record too.
#[test]
fn a_refused_call() {
    everywhere_with(&[], |trunk| {
        trunk.dial(trunk.pbx, "+442079460000");
        trunk.run(1.0);
        trunk.finish();
        let detail = detail(trunk);
        assert_eq!((detail.status, detail.ended_by), (403, EndedBy::Gateway));
        assert_eq!((detail.attempts.len(), detail.callee_call_id.as_deref()), (0, None));
    });
}

/// Which hosts answer, by carrier and connector; one that is not probed is not shown.
#[test]
fn hosts_that_answer() {
    let north = "[[carrier]]\nname = \"north\"\nprefixes = [\"+44\"]\n\
                 host = [{ host = \"10.0.1.1\", port = 5060 }, { host = \"10.0.1.2\", port = 5060 }]\n";
    over_udp(&[("more", north)], |trunk| {
        let east = trunk.world.phones[trunk.east.0].address;
        trunk.world.dead.insert(east, false);
        trunk.run(10.0);
        trunk.world.shared.look_at_hosts(trunk.world.clocks(), &trunk.world.config);
        for line in [
            "host_up{carrier=\"east\",host=\"10.0.1.1:5060\",transport=\"udp\"} 0",
            "host_up{carrier=\"west\",host=\"10.0.1.2:5060\",transport=\"udp\"} 1",
        ] {
            assert!(metric(trunk, line), "{line}\n{}", trunk.world.metrics.render());
        }
        assert!(!trunk.world.metrics.render().contains("host_up{voice_connector_id"));
        let down = || trunk.world.shared.hosts.carriers_down();
        let since =
            down().into_iter().map(|(name, since)| (name, (trunk.world.clocks().unix - since).as_secs()));
        assert_eq!(since.collect::<Vec<_>>(), [("east".to_owned(), 0)], "one host of north's answers");
        trunk.world.dead.clear();
    });
}
