//! Which side of a call was heard worse, in words.

use rtp::relay::{CallStatistics, FlowStatistics};

/// Scores that differ by less are the same to whoever listens.
const ALIKE: f64 = 0.1;
/// A good call: ITU-T G.107 Annex B has most users satisfied from a rating of 80 on.
const GOOD: f64 = 4.03;

/// One sentence on the sound of a call: the worst of its directions and what was wrong with it, or that nothing was. `None`: too
/// little crossed to say anything.
#[must_use]
pub fn verdict(statistics: &CallStatistics) -> Option<String> {
    let directions = [
        ("from the caller to us", &statistics.a.received),
        ("from us to the caller", &statistics.a.sent),
        ("from the callee to us", &statistics.b.received),
        ("from us to the callee", &statistics.b.sent),
    ];
    let mut rated: Vec<_> = directions.into_iter().filter_map(|one| Some((one.1.mos?, one))).collect();
    rated.sort_by(|(one, _), (other, _)| one.total_cmp(other));
    let (mos, (way, flow)) = *rated.first()?;
    let others = rated.get(1..).unwrap_or_default();
    let best = others.last().map_or(mos, |(best, _)| *best);
    let silent = match (statistics.a.one_way_silence, statistics.b.one_way_silence) {
        (true, false) => "; the caller was not heard for the media timeout",
        (false, true) => "; the callee was not heard for the media timeout",
        (true, true) => "; either party was not heard for the media timeout",
        (false, false) => "",
    };
    let measured = rated.len();
    Some(match (mos >= GOOD, best - mos < ALIKE) {
        (true, true) => format!("good, MOS {mos:.2} in {measured} of 4 directions{silent}"),
        (_, true) => format!("MOS {mos:.2} in {measured} of 4 directions: {}{silent}", faults(flow)),
        (true, false) => format!("good, worst {way}, MOS {mos:.2}: {}{silent}", faults(flow)),
        (false, false) => format!("worst {way}, MOS {mos:.2}: {}{silent}", faults(flow)),
    })
}

/// What a direction has lost and how it trembles.
fn faults(flow: &FlowStatistics) -> String {
    let mut faults = Vec::new();
    let lost = flow.packets_lost.unwrap_or_default();
    if lost > 0 {
        let share = lost as f64 * 100.0 / (flow.rtp_packets + lost) as f64;
        let bursts = flow.pattern.and_then(|pattern| pattern.bursts).filter(|bursts| *bursts > 0);
        let in_bursts = bursts.map(|bursts| format!(" (bursts: {bursts})")).unwrap_or_default();
        faults.push(format!("{share:.1} % lost{in_bursts}"));
    }
    if let Some(jitter) = flow.jitter.filter(|jitter| jitter.as_millis() > 0) {
        faults.push(format!("jitter {} ms", jitter.as_millis()));
    }
    let (interruptions, _) = flow.interruptions;
    if interruptions > 0 {
        faults.push(format!("interruptions: {interruptions}"));
    }
    match faults.is_empty() {
        true => "its codec or delay".to_owned(),
        false => faults.join(", "),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use rtp::relay::{LegStatistics, LossPattern};

    use super::*;

    fn flow(mos: f64, lost: u64) -> FlowStatistics {
        FlowStatistics {
            rtp_packets: 1_000 - lost,
            packets_lost: Some(lost),
            mos: Some(mos),
            ..FlowStatistics::default()
        }
    }

    fn call(flows: [FlowStatistics; 4]) -> CallStatistics {
        let [a_received, a_sent, b_received, b_sent] = flows;
        let leg = |received, sent| LegStatistics { received, sent, ..LegStatistics::default() };
        CallStatistics {
            period: Duration::from_secs(20),
            a: leg(a_received, a_sent),
            b: leg(b_received, b_sent),
        }
    }

    #[test]
    fn the_worst_direction_is_named() {
        let good = flow(4.4, 0);
        let check = |flows, says: &str| assert_eq!(verdict(&call(flows)).as_deref(), Some(says));
        check([good; 4], "good, MOS 4.40 in 4 of 4 directions");
        check(
            [good, FlowStatistics::default(), good, FlowStatistics::default()],
            "good, MOS 4.40 in 2 of 4 directions",
        );
        check([good, good, flow(3.2, 50), good], "worst from the callee to us, MOS 3.20: 5.0 % lost");
        let jitter = FlowStatistics { jitter: Some(Duration::from_millis(80)), ..flow(4.2, 0) };
        check([good, good, good, jitter], "good, worst from us to the callee, MOS 4.20: jitter 80 ms");
        let pattern = Some(LossPattern { bursts: Some(3), ..LossPattern::default() });
        let bursty = FlowStatistics { pattern, interruptions: (2, 20), ..flow(2.5, 100) };
        check([bursty; 4], "MOS 2.50 in 4 of 4 directions: 10.0 % lost (bursts: 3), interruptions: 2");
        let mut silent = call([good; 4]);
        silent.b.one_way_silence = true;
        let says = verdict(&silent).unwrap();
        assert_eq!(
            says,
            "good, MOS 4.40 in 4 of 4 directions; the callee was not heard for the media timeout"
        );
        assert_eq!(verdict(&CallStatistics::default()), None);
    }
}
