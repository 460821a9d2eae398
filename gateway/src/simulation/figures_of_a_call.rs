//! What the counters say of a call: how long it took to ring, how long it lasted, what its media was like.

use std::time::Duration;

use super::trunk::{OUTSIDE, everywhere};
use crate::core::Input;
use crate::media::{CallStatistics, FlowStatistics, LegStatistics, MediaEvent, Refusal};
use crate::question::CallFilter;

/// A minute in which the customer's network was bad and the carrier's good.
fn minute() -> CallStatistics {
    let flow = |rtp_packets, packets_lost| FlowStatistics {
        rtp_packets,
        rtp_bytes: rtp_packets * 172,
        rtcp_packets: 12,
        rtcp_bytes: 960,
        packets_lost: Some(packets_lost),
        jitter: Some(Duration::from_millis(25)),
        ..FlowStatistics::default()
    };
    let leg = |received, round_trip, mos| LegStatistics {
        received,
        sent: flow(3_000, 0),
        round_trip,
        mos,
        ..LegStatistics::default()
    };
    let mut a = leg(flow(2_900, 100), Some(Duration::from_millis(120)), Some(2.75));
    a.refused.add_many(Refusal::Source, 7);
    a.refused.add_many(Refusal::Replayed, 2);
    CallStatistics { period: Duration::from_secs(60), a, b: leg(flow(3_000, 0), None, Some(4.41)) }
}

#[test]
fn a_call_leaves_its_figures_by_connector() {
    everywhere(|trunk| {
        let (a, b) = trunk.reach(trunk.pbx, OUTSIDE, trunk.east);
        trunk.run(1.5);
        trunk.respond(b, 180);
        trunk.run(2.0);
        trunk.respond(b, 200);
        trunk.run(1.0);
        let key = *trunk.world.open_media.keys().next().unwrap();
        for _ in 0..2 {
            let statistics = Box::new(minute());
            trunk.world.input(key.shard(), Input::Media(MediaEvent::Minute { key, statistics }));
        }
        trunk.run(19.0);
        trunk.hang_up(a);
        trunk.run(1.0);
        trunk.finish();
        let text = trunk.world.metrics.render();
        let ours = "voice_connector_id=\"pbx\",region=\"us-east-1\"";
        let lines = [
            ("call_rtp_packets_total", ",side=\"customer\",direction=\"received\"", "5800"),
            ("call_rtp_bytes_total", ",side=\"customer\",direction=\"sent\"", "1032000"),
            ("call_rtcp_packets_total", ",side=\"remote\",direction=\"received\"", "24"),
            ("call_rtcp_bytes_total", ",side=\"remote\",direction=\"sent\"", "1920"),
            ("call_packets_lost_total", ",side=\"customer\",direction=\"received\"", "200"),
            ("call_packets_lost_total", ",side=\"remote\",direction=\"received\"", "0"),
            ("call_refused_packets_total", ",side=\"customer\",cause=\"source\"", "14"),
            ("call_refused_packets_total", ",side=\"customer\",cause=\"replayed\"", "4"),
            ("call_jitter_seconds_bucket", ",side=\"customer\",direction=\"received\",le=\"0.02\"", "0"),
            ("call_jitter_seconds_bucket", ",side=\"customer\",direction=\"received\",le=\"0.03\"", "2"),
            ("call_round_trip_seconds_sum", ",side=\"customer\"", "0.24"),
            ("call_round_trip_seconds_count", ",side=\"remote\"", "0"),
            ("call_mos_bucket", ",side=\"customer\",le=\"3\"", "2"),
            ("call_mos_bucket", ",side=\"remote\",le=\"4.4\"", "2"),
            ("call_post_dial_delay_seconds_bucket", ",direction=\"outbound\",le=\"1\"", "0"),
            ("call_post_dial_delay_seconds_bucket", ",direction=\"outbound\",le=\"2\"", "1"),
            ("call_duration_seconds_bucket", ",direction=\"outbound\",le=\"6\"", "0"),
            ("call_duration_seconds_bucket", ",direction=\"outbound\",le=\"30\"", "1"),
            // 100 and 180, the 200 to the INVITE and to the BYE. What the carrier says is on no leg of the customer's.
            ("call_sip_responses_total", ",class=\"1xx\"", "2"),
            ("call_sip_responses_total", ",class=\"2xx\"", "2"),
            ("call_sip_responses_total", ",class=\"4xx\"", "0"),
        ];
        let lines =
            lines.map(|(name, labels, value)| format!("voice_connector_{name}{{{ours}{labels}}} {value}"));
        let missing: Vec<_> = lines.iter().filter(|line| !text.lines().any(|other| other == *line)).collect();
        assert!(missing.is_empty(), "no {missing:#?} in {text}");
    });
}

#[test]
fn a_call_that_nobody_answers_has_rung_and_not_lasted() {
    everywhere(|trunk| {
        let (_, b) = trunk.reach(trunk.pbx, OUTSIDE, trunk.east);
        trunk.respond(b, 183);
        trunk.run(1.0);
        trunk.respond(b, 486);
        trunk.run(1.0);
        trunk.finish();
        let text = trunk.world.metrics.render();
        let count = |name: &str| {
            let start = format!(
                "voice_connector_{name}_count{{voice_connector_id=\"pbx\",region=\"us-east-1\",direction=\"outbound\"}} "
            );
            let found = text.lines().find_map(|line| line.strip_prefix(&start)).map(str::to_owned);
            found.unwrap_or_else(|| panic!("no {start} in {text}"))
        };
        assert_eq!(count("call_post_dial_delay_seconds"), "1");
        assert_eq!(count("call_duration_seconds"), "0");
    });
}

#[test]
fn a_list_of_calls_tells_the_worse_score_of_each() {
    everywhere(|trunk| {
        let (a, _) = trunk.connect(trunk.pbx, OUTSIDE, trunk.east);
        let mos = |trunk: &mut super::trunk::Trunk| trunk.calls(CallFilter::default())[0].mos;
        assert_eq!(mos(trunk), None);
        let key = *trunk.world.open_media.keys().next().unwrap();
        for score in [2.75, 4.25] {
            let mut statistics = Box::new(minute());
            statistics.a.mos = Some(score);
            trunk.world.input(key.shard(), Input::Media(MediaEvent::Minute { key, statistics }));
        }
        assert_eq!(mos(trunk), Some(3.5));
        trunk.hang_up(a);
        trunk.run(1.0);
    });
}
