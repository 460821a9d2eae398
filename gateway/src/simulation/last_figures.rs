//! The wide record of a call has the last figures of its media, which come when the ports are closed: records wait for them, and
//! for a worker that hangs a second at most.

use std::time::Duration;

use super::trunk::{OUTSIDE, Trunk, everywhere};
use super::world::{Answers, CallId};
use crate::core::Input;
use crate::record::testing::figures;
use crate::record::{CallDetail, MediaDetail, WideRecord};

fn answered(trunk: &mut Trunk) -> (CallId, CallId) {
    let (a, b) = trunk.reach(trunk.pbx, OUTSIDE, trunk.east);
    trunk.respond(b, 180);
    trunk.run(0.5);
    trunk.respond(b, 200);
    trunk.run(5.0);
    (a, b)
}

/// Wide records and those of connectors, as many as there are.
fn records(trunk: &Trunk) -> (usize, usize) {
    (trunk.world.details.len(), trunk.world.cdrs.len())
}

fn detail(trunk: &Trunk) -> &CallDetail {
    assert_eq!(records(trunk), (1, 1));
    &trunk.world.details[0]
}

#[test]
fn a_record_has_the_figures_of_the_whole_call_and_the_ways_to_both_parties() {
    everywhere(|trunk| {
        let (a, _) = answered(trunk);
        let journaled = trunk.world.journaled[0].detail.clone().unwrap();
        trunk.hang_up(a);
        trunk.run(1.0);
        trunk.finish();
        let detail = detail(trunk);
        assert_eq!(detail.media, Some(MediaDetail::of(&figures())));
        let phones = [trunk.pbx, trunk.east].map(|phone| &trunk.world.phones[phone.0]);
        for (leg, phone) in [&detail.caller_leg, &detail.callee_leg].into_iter().zip(phones) {
            let leg = leg.as_ref().unwrap();
            assert_eq!(
                (leg.address.ip(), &*leg.transport),
                (phone.address.ip(), phone.transport.parameter())
            );
            assert_eq!((leg.codec.as_deref(), leg.srtp_suite.as_deref()), (Some("PCMU/8000"), None));
        }
        // What a gateway that is killed leaves behind knows all but the figures.
        assert_eq!(journaled.media, None);
        let legs = |detail: &CallDetail| [&detail.caller_leg, &detail.callee_leg].map(Clone::clone);
        assert_eq!(legs(&journaled), legs(detail));
    });
}

#[test]
fn records_wait_for_a_worker_that_is_busy_and_are_written_once() {
    everywhere(|trunk| {
        let (a, _) = answered(trunk);
        trunk.world.media = Answers::After(Duration::from_millis(700));
        trunk.hang_up(a);
        trunk.run(0.6);
        assert_eq!((records(trunk), trunk.world.shared.live_calls()), ((0, 0), 0), "it is over all the same");
        trunk.run(0.3);
        assert!(detail(trunk).media.is_some());
        trunk.finish();
        assert_eq!(records(trunk), (1, 1));
    });
}

#[test]
fn a_worker_that_hangs_holds_records_up_for_a_second() {
    everywhere(|trunk| {
        let (a, _) = answered(trunk);
        trunk.world.media = Answers::Never;
        trunk.hang_up(a);
        trunk.run(0.9);
        assert_eq!(records(trunk), (0, 0));
        trunk.run(0.3);
        assert_eq!(detail(trunk).media, None);
        trunk.finish();
        assert_eq!(records(trunk), (1, 1));
    });
}

/// Its last word is late: the records are written, and there are no others.
#[test]
fn a_last_word_that_comes_too_late_makes_no_second_record() {
    everywhere(|trunk| {
        let (a, _) = answered(trunk);
        trunk.world.media = Answers::After(Duration::from_millis(1_500));
        trunk.hang_up(a);
        trunk.run(1.2);
        assert_eq!(detail(trunk).media, None);
        trunk.run(1.0);
        trunk.finish();
        assert_eq!(records(trunk), (1, 1));
    });
}

#[test]
fn a_gateway_that_stops_writes_the_records_first() {
    everywhere(|trunk| {
        answered(trunk);
        trunk.world.media = Answers::After(Duration::from_millis(700));
        trunk.broadcast(|| Input::Stop);
        trunk.run(0.5);
        let shards = trunk.world.cores.len();
        assert!(trunk.world.drained.len() < shards, "records are owed");
        trunk.run(0.5);
        assert_eq!((trunk.world.drained.len(), records(trunk)), (shards, (1, 1)));
    });
}

#[test]
fn a_call_that_found_no_ports_is_written_down_at_once() {
    everywhere(|trunk| {
        trunk.world.media = Answers::Failing;
        trunk.dial(trunk.pbx, OUTSIDE);
        trunk.run(0.5);
        let detail = detail(trunk);
        assert_eq!((detail.status, detail.media), (503, None));
        assert_eq!(detail.caller_leg.as_ref().map(|leg| leg.codec.clone()), Some(None));
        assert_eq!(detail.callee_leg, None);
    });
}

#[test]
fn each_host_that_refused_has_its_own_reason() {
    everywhere(|trunk| {
        let (_, east) = trunk.reach(trunk.pbx, OUTSIDE, trunk.east);
        trunk.respond_with(east, 503, &[("Reason", "SIP;cause=503"), ("Reason", "Q.850;cause=34")]);
        trunk.run(0.5);
        let west = trunk.incoming(trunk.west);
        trunk.respond_with(west, 486, &[("Reason", "Q.850;cause=21;text=\"no, thanks\"")]);
        trunk.run(1.0);
        trunk.finish();
        let detail = detail(trunk);
        let reasons: Vec<_> = detail.attempts.iter().map(|attempt| attempt.reason.as_deref()).collect();
        let west = Some("Q.850;cause=21;text=\"no, thanks\"");
        assert_eq!(reasons, [Some("SIP;cause=503, Q.850;cause=34"), west]);
        let wide = serde_json::to_value(WideRecord::of(detail)).unwrap();
        assert_eq!(wide["attempts_q850"], serde_json::json!([34, 21]));
    });
}
