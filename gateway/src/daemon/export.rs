//! What is cheaper to read when somebody asks: counters of the listeners, names looked up, full mailboxes, places taken.

use std::sync::Arc;
use std::time::Instant;

use arc_swap::ArcSwap;
use config::Config;

use crate::clock::Now;
use crate::core::Shared;
use crate::direction::Direction;
use crate::listen::{ListenCounters, Tls};
use crate::metrics::{Metrics, Page, as_f64};
use crate::pulse::Pulse;
use crate::resolve::Results;
use crate::shard::Mailboxes;

/// What is read.
pub(super) struct Sources<'a> {
    pub counters: &'a Arc<ListenCounters>,
    pub results: &'a Arc<Results>,
    pub shared: &'a Arc<Shared>,
    pub config: &'a Arc<ArcSwap<Config>>,
    pub mailboxes: &'a Mailboxes,
    pub tls: &'a Arc<Tls>,
}

/// Shows all of it in every rendering of `metrics`.
pub(super) fn export(metrics: &Metrics, sources: &Sources) {
    let Sources { counters, results, shared, config, mailboxes, tls } = *sources;
    metrics.show_process();
    let (shown, counters) = (metrics.listen(), counters.clone());
    metrics.on_render(move || shown.show(&counters));
    let (shown, results) = (metrics.dns(results), results.clone());
    metrics.on_render(move || shown.show(&results));
    // What all shards share holds the metrics itself.
    let (shared, config) = (Arc::downgrade(shared), config.clone());
    metrics.on_page(move |page| {
        if let Some(shared) = shared.upgrade() {
            shared.show_registrations(Instant::now(), page);
            readiness(page, &shared);
            permits(page, &shared, &config.load());
        }
    });
    let tls = tls.clone();
    metrics.on_page(move |page| certificates(page, &tls));
    let shards = (0..mailboxes.ownership().shards()).map(|shard| (shard, metrics.shard(shard)));
    let (shards, mailboxes) = (Vec::from_iter(shards), mailboxes.clone());
    metrics.on_render(move || {
        for (shard, gauges) in &shards {
            gauges.set_mailbox(mailboxes.depth(*shard));
        }
    });
}

/// Shows how long each of these threads has been silent.
pub(super) fn threads(metrics: &Metrics, pulses: Vec<Pulse>) {
    metrics.on_page(move |page| {
        let mut series = page.family("voice_connector_thread_silence_seconds");
        for pulse in &pulses {
            let silence = pulse.silence(Instant::now()).as_secs_f64();
            series.show(&[("thread", &pulse.to_string())], silence);
        }
    });
}

fn readiness(page: &mut Page, shared: &Shared) {
    let ready = shared.readiness.first().is_none();
    page.family("voice_connector_ready").show(&[], flag(ready));
    let mut obstacles = page.family("voice_connector_obstacle");
    for (obstacle, stands) in shared.readiness.all() {
        obstacles.show(&[("obstacle", obstacle.name())], flag(stands));
    }
}

fn permits(page: &mut Page, shared: &Shared, config: &Config) {
    page.family("voice_connector_calls_room").show(&[], as_f64(shared.media.calls));
    page.family("voice_connector_calls_in_progress").show(&[], as_f64(shared.live_calls()));
    let region = config.gateway.region.as_str();
    let mut connectors = |name, value: fn(&Shared, &config::VoiceConnector, Direction) -> f64| {
        let mut series = page.family(name);
        for connector in &config.voice_connector {
            for direction in [Direction::Outbound, Direction::Inbound] {
                let labels = [
                    ("voice_connector_id", connector.id.as_str()),
                    ("region", region),
                    ("direction", direction.as_label()),
                ];
                series.show(&labels, value(shared, connector, direction));
            }
        }
    };
    connectors("voice_connector_permits_in_use", |shared, connector, direction| {
        count(shared.limits.calls_in(direction, connector.id.as_str()))
    });
    connectors("voice_connector_permits_limit", |_, connector, direction| match direction {
        Direction::Outbound => f64::from(connector.termination.max_calls),
        Direction::Inbound => f64::from(connector.origination.max_calls),
    });
    connectors("voice_connector_cps_limit", |_, connector, direction| match direction {
        Direction::Outbound => f64::from(connector.termination.cps_limit),
        Direction::Inbound => f64::from(connector.origination.cps_limit),
    });
    minutes(page, shared, config);
    shared.termination_health.show(page, config);
    let mut held = page.family("voice_connector_carrier_permits_in_use");
    for carrier in &config.carrier {
        let name = carrier.name.as_str();
        held.show(&[("carrier", name)], count(shared.limits.calls_of_carrier(name)));
    }
    let mut limits = page.family("voice_connector_carrier_permits_limit");
    for carrier in &config.carrier {
        if let Some(most) = carrier.max_calls {
            limits.show(&[("carrier", carrier.name.as_str())], f64::from(most));
        }
    }
}

fn minutes(page: &mut Page, shared: &Shared, config: &Config) {
    let (now, region) = (Now::read(), config.gateway.region.as_str());
    let mut used = page.family("voice_connector_outbound_talk_today_seconds");
    for connector in &config.voice_connector {
        let id = connector.id.as_str();
        let seconds = shared.minutes.used(now, id).as_secs_f64();
        used.show(&[("voice_connector_id", id), ("region", region)], seconds);
    }
    let mut limits = page.family("voice_connector_outbound_talk_limit_seconds");
    for connector in &config.voice_connector {
        if let Some(limit) = connector.termination.daily_minutes {
            let labels = [("voice_connector_id", connector.id.as_str()), ("region", region)];
            limits.show(&labels, f64::from(limit) * 60.0);
        }
    }
}

fn certificates(page: &mut Page, tls: &Tls) {
    let mut series = page.family("voice_connector_certificate_expiry_timestamp_seconds");
    for expiry in tls.expiries() {
        let labels = [("use", expiry.shown_as), ("file", &*expiry.file.to_string_lossy())];
        series.show(&labels, expiry.at.as_secs_f64());
    }
}

fn flag(is: bool) -> f64 {
    f64::from(u8::from(is))
}

fn count(count: u64) -> f64 {
    as_f64(usize::try_from(count).unwrap_or(usize::MAX))
}
