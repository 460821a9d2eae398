//! The figures of the last minutes, sampled while somebody looks.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use ::console::{Carrier, Certificate, Overview};
use tokio::runtime::Handle;
use tokio::time::{Instant, sleep};

use crate::listen::Expiry;
use crate::metrics::Metrics;
use crate::top::{History, Sample};

/// A sample each.
const EACH: Duration = Duration::from_secs(5);
/// Nobody has looked for so long: no more samples are taken.
const UNWATCHED: Duration = Duration::from_secs(600);

/// See the module.
pub(in crate::daemon) struct Figures {
    metrics: Metrics,
    began: Instant,
    samples: Mutex<Samples>,
    runs: AtomicBool,
}

#[derive(Default)]
struct Samples {
    history: History,
    taken: Option<Instant>,
    looked: Option<Instant>,
}

impl Figures {
    pub fn new(metrics: Metrics) -> Figures {
        Figures { metrics, began: Instant::now(), samples: Mutex::default(), runs: AtomicBool::new(false) }
    }

    fn samples(&self) -> MutexGuard<'_, Samples> {
        self.samples.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes samples from now on until nobody looks any more. Within a thread that may wait.
    pub fn keep_on(figures: &Arc<Figures>, runtime: &Handle) {
        figures.samples().looked = Some(Instant::now());
        figures.take();
        if figures.runs.swap(true, Ordering::Relaxed) {
            return;
        }
        let figures = figures.clone();
        runtime.spawn(async move {
            loop {
                sleep(EACH).await;
                let looked = figures.samples().looked;
                if looked.is_none_or(|looked| looked.elapsed() > UNWATCHED) {
                    figures.runs.store(false, Ordering::Relaxed);
                    figures.samples().history = History::default();
                    return;
                }
                let taken = figures.clone();
                // All metrics are rendered: of thousands of connectors that takes a while.
                let _ = tokio::task::spawn_blocking(move || taken.take()).await;
            }
        });
    }

    /// One more sample, unless there is a new one.
    fn take(&self) {
        let now = Instant::now();
        let taken = self.samples().taken;
        if taken.is_some_and(|taken| now < taken + Duration::from_secs(1)) {
            return;
        }
        let text = self.metrics.render();
        let mut sample = Sample::default();
        text.lines().for_each(|line| sample.read(line));
        let mut samples = self.samples();
        samples.taken = Some(now);
        samples.history.push(now - self.began, sample);
    }

    /// What of the overview these figures tell.
    pub fn overview(&self) -> Overview {
        let samples = self.samples();
        let history = &samples.history;
        let all = history.all();
        Overview {
            calls: history.newest().map_or(0, |newest| whole(newest.calls)),
            cps: history.is_rate().then_some(all.cps),
            asr: all.asr,
            mos: all.mos,
            throttled: whole(all.throttled),
            minutes: history.window().map(|window| window.as_secs() / 60),
            refusals: history.refusals().into_iter().map(|(cause, count)| (cause, whole(count))).collect(),
            ..Overview::default()
        }
    }

    /// What they tell of a carrier.
    pub fn carrier(&self, name: &str) -> Carrier {
        let samples = self.samples();
        let figures =
            samples.history.figures(|sample| sample.carriers.get(name).copied().unwrap_or_default());
        let cps = samples.history.is_rate().then_some(figures.cps);
        Carrier { name: name.to_owned(), up: None, active: whole(figures.active), cps, asr: figures.asr }
    }
}

/// Counts are whole, and none is negative.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
fn whole(count: f64) -> u64 {
    count.max(0.0) as u64
}

/// - `now`: since the Unix epoch.
pub(super) fn certificate(expiry: &Expiry, now: Duration) -> Certificate {
    let days = |time: Duration| i64::try_from(time.as_secs() / (24 * 60 * 60)).unwrap_or(i64::MAX);
    let left = match expiry.at.checked_sub(now) {
        Some(left) => days(left),
        None => -1 - days(now - expiry.at),
    };
    Certificate { name: expiry.file.display().to_string(), days: left }
}
