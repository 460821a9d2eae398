use super::*;
use crate::direction::Direction;

fn line<'a>(text: &'a str, start: &str) -> &'a str {
    text.lines().find(|line| line.starts_with(start)).unwrap_or_else(|| panic!("no {start} in {text}"))
}

#[test]
fn calls_are_counted_by_connector_region_and_direction() {
    let metrics = Metrics::new("us-east-1");
    metrics.configure(["abc"]);
    let labels = r#"{voice_connector_id="abc",region="us-east-1",direction="outbound"}"#;
    let names = [
        "call_attempts_total",
        "call_failures_total",
        "calls_answered_total",
        "calls_active",
        "throttles_total",
    ];
    let text = metrics.render();
    for name in names {
        assert_eq!(line(&text, &format!("voice_connector_{name}{labels}")).split(' ').nth(1), Some("0"));
    }

    let connector = metrics.connector("abc");
    let calls = connector.calls(Direction::Outbound);
    calls.attempt();
    calls.attempt();
    calls.attempt();
    calls.answered();
    calls.answered();
    calls.ended();
    calls.failed();
    calls.throttled();
    let text = metrics.render();
    for (name, value) in names.into_iter().zip(["3", "1", "2", "1", "1"]) {
        assert_eq!(
            line(&text, &format!("voice_connector_{name}{labels}")).split(' ').nth(1),
            Some(value),
            "{name}"
        );
    }
    assert!(text.contains("# HELP voice_connector_calls_active "));
    assert!(text.contains("# TYPE voice_connector_calls_active gauge"));
    assert!(text.contains("# TYPE voice_connector_call_attempts_total counter"));
}

#[test]
fn strangers_share_one_label_and_the_removed_keep_theirs() {
    let metrics = Metrics::new("r");
    metrics.configure(["abc"]);
    metrics.configure(["def"]);
    metrics.connector("abc").calls(Direction::Inbound).attempt();
    metrics.connector("made-up-1").calls(Direction::Inbound).attempt();
    metrics.connector("made-up-2").calls(Direction::Inbound).attempt();
    let text = metrics.render();
    assert!(
        text.contains(r#"call_attempts_total{voice_connector_id="abc",region="r",direction="inbound"} 1"#)
    );
    assert!(
        text.contains(
            r#"call_attempts_total{voice_connector_id="unknown",region="r",direction="inbound"} 2"#
        )
    );
    assert!(!text.contains("made-up"));
}

#[test]
fn the_gateways_own() {
    let metrics = Metrics::new("r");
    for status in [100, 180, 200, 302, 404, 503, 603, 0, 99, 700, u16::MAX] {
        metrics.sip_response(status);
    }
    metrics.refusal("caller_id");
    metrics.traffic(Side::Customer, Flow::Received).rtp(3, 516);
    metrics.traffic(Side::Customer, Flow::Received).rtp(1, 172);
    metrics.traffic(Side::Remote, Flow::Sent).rtcp(1, 80);
    metrics.media_refusals("source").increment(2);
    metrics.shard(1).set_transactions(4, 5);
    metrics.shard(1).set_dialogs(6);
    metrics.shard(1).set_mailbox(7);
    metrics.media(2).set_queue(10);
    metrics.media(2).set_workers([3, 4].into_iter());
    metrics.media(2).set_kernel(5, 6);
    let text = metrics.render();
    for expect in [
        r#"voice_connector_sip_responses_total{class="1xx"} 2"#,
        r#"voice_connector_sip_responses_total{class="6xx"} 1"#,
        r#"voice_connector_refusals_total{cause="caller_id"} 1"#,
        r#"voice_connector_rtp_packets_total{side="customer",direction="received"} 4"#,
        r#"voice_connector_rtp_bytes_total{side="customer",direction="received"} 688"#,
        r#"voice_connector_rtcp_packets_total{side="remote",direction="sent"} 1"#,
        r#"voice_connector_rtcp_bytes_total{side="remote",direction="sent"} 80"#,
        r#"voice_connector_media_refusals_total{cause="source"} 2"#,
        r#"voice_connector_transactions{shard="1",kind="client"} 4"#,
        r#"voice_connector_transactions{shard="1",kind="server"} 5"#,
        r#"voice_connector_dialogs{shard="1"} 6"#,
        r#"voice_connector_queue_depth{queue="shard",shard="1"} 7"#,
        r#"voice_connector_media_worker_calls{worker="1"} 4"#,
        "voice_connector_kernel_flows 5",
        "voice_connector_kernel_packets_total 6",
        r#"voice_connector_queue_depth{queue="media"} 10"#,
    ] {
        assert!(text.lines().any(|line| line == expect), "no {expect} in {text}");
    }
}

/// What the sources say, but for their unit tests: of this module, and of all others.
fn sources() -> (String, String) {
    let (mut own, mut others) = (String::new(), String::new());
    let mut unread = vec![std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src")];
    while let Some(path) = unread.pop() {
        if path.is_dir() {
            unread.extend(std::fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
            continue;
        }
        let name = path.to_string_lossy().into_owned();
        let text = std::fs::read_to_string(&path).unwrap_or_default();
        let (text, _) = text.split_once("\n#[cfg(test)]\nmod tests {").unwrap_or((&text, ""));
        match name.contains("/src/metrics/") {
            true if name.ends_with("describe.rs") || name.ends_with("tests.rs") => {}
            true => own.push_str(text),
            false if name.contains("/simulation/") || name.ends_with("tests.rs") => {}
            false => others.push_str(text),
        }
    }
    (own, others)
}

#[test]
fn whatever_is_described_is_written_by_somebody() {
    let (own, others) = sources();
    for name in describe::FAMILIES.iter().map(|family| family.name) {
        let quoted = format!("\"{name}\"");
        assert!(own.contains(&quoted) || others.contains(&quoted), "{name} is described, and that is all");
    }
    let functions = own.lines().map(str::trim_start).filter(|line| line.contains("(&self"));
    let public = functions.filter_map(|line| {
        line.strip_prefix("pub fn ").or_else(|| line.strip_prefix("pub(crate) fn "))?.split(['(', '<']).next()
    });
    let unused: Vec<&str> = public.filter(|name| !others.contains(&format!(".{name}("))).collect();
    assert_eq!(unused, [""; 0], "nobody calls these");
}

#[test]
fn two_gateways_do_not_share() {
    let (a, b) = (Metrics::new("r"), Metrics::new("r"));
    a.refusal("source");
    assert!(!b.render().contains("cause"));
}

#[test]
fn samplers_run_before_rendering() {
    let metrics = Metrics::new("r");
    let shard = metrics.shard(0);
    metrics.on_render(move || shard.set_dialogs(3));
    assert!(metrics.render().contains("voice_connector_dialogs{shard=\"0\"} 3"));
}

/// `docs/metrics.md`.
const GUIDE: &str = include_str!("../../../docs/metrics.md");

/// With `WRITE_GUIDE=1` in the environment the table is written anew.
#[test]
fn the_guide_has_every_family() {
    let row = |family: &describe::Family| {
        let labels: Vec<String> = family.labels.iter().map(|label| format!("`{label}`")).collect();
        let (name, kind, labels) = (family.name, family.kind.name(), labels.join(", "));
        format!("| `{name}` | {kind} | {labels} | {} |\n", family.help)
    };
    let mut families = describe::FAMILIES.to_vec();
    families.sort_by_key(|family| family.name);
    let rows: String = families.iter().map(row).collect();
    let head = "| Name | Type | Labels | What it says |\n| --- | --- | --- | --- |\n";
    let (before, after) = GUIDE.split_once(head).expect("the head of the table");
    let table: String = after.split_inclusive('\n').take_while(|line| line.starts_with('|')).collect();
    if std::env::var_os("WRITE_GUIDE").is_some() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/metrics.md");
        let rest = after.strip_prefix(&*table).unwrap();
        std::fs::write(path, format!("{before}{head}{rows}{rest}")).unwrap();
    } else {
        assert_eq!(table, rows);
    }
}

#[test]
fn the_guide_says_of_every_label_what_it_may_hold() {
    let labels = describe::FAMILIES.iter().flat_map(|family| family.labels);
    for label in labels.collect::<std::collections::BTreeSet<_>>() {
        let row = format!("\n| `{label}` | ");
        assert!(GUIDE.contains(&row), "no row {row:?}: what bounds this label?");
    }
}

/// Names of Voice Connector's, from CloudWatch's `AWS/ChimeVoiceConnector`: all of them, and each by a query of ours.
#[test]
fn the_guide_maps_every_metric_of_voice_connector() {
    let mut wanted: Vec<String> =
        ["Throttles", "VoiceConnectorActiveCallCount", "SmaActiveCallCount"].map(str::to_owned).to_vec();
    for direction in ["Inbound", "Outbound"] {
        let of = ["CallAttempts", "CallFailures", "CallsAnswered", "CallsActive"];
        wanted.extend(of.map(|what| format!("{direction}{what}")));
    }
    wanted.extend((1..=6).map(|class| format!("Sip{class}xxCodes")));
    for way in ["CustomerToVc", "VcToCustomer", "RemoteToVc", "VcToRemote"] {
        let of = ["RtpPackets", "RtpBytes", "RtcpPackets", "RtcpBytes", "PacketsLost", "Jitter"];
        wanted.extend(of.map(|what| format!("{way}{what}")));
    }
    for side in ["Customer", "Remote"] {
        wanted.extend(["RTT", "MOS"].map(|what| format!("{what}BetweenVcAnd{side}")));
    }
    let metric = regex::Regex::new("voice_connector_[a-z_]+").unwrap();
    for name in wanted {
        let start = format!("| `{name}` | ");
        let query = GUIDE.lines().find_map(|line| line.strip_prefix(&start));
        let query = query.unwrap_or_else(|| panic!("no row for {name}"));
        if name == "SmaActiveCallCount" {
            continue; // There are no SIP media applications here.
        }
        let found = metric.find(query).unwrap_or_else(|| panic!("{name} has no query")).as_str();
        let family = found.trim_end_matches("_sum").trim_end_matches("_count").trim_end_matches("_bucket");
        assert!(describe::of(found).or(describe::of(family)).is_some(), "{name}: there is no {found}");
    }
}
