//! Looks at what new calls need, and tells [`Readiness`] what is missing.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::core::Shared;
use crate::drains::{Drains, Part};
use crate::media::Media;
use crate::pulse::Pulse;
use crate::readiness::{Obstacle, Readiness};
use crate::record::Recorder;
use crate::registrar::AtCarriers;
use crate::supervisor::SignsOfLife;

/// How often it looks.
const INTERVAL: Duration = Duration::from_millis(250);

/// A thread that has not been heard of for so long has stopped, or hangs.
const SILENCE: Duration = Duration::from_secs(5);

/// What it looks at.
pub(super) struct Watch {
    pub readiness: Readiness,
    pub recorder: Recorder,
    pub media: Arc<Media>,
    /// What the operator has taken out of service.
    pub drains: Arc<Drains>,
    /// Our registrations.
    pub carriers: Arc<AtCarriers>,
    /// Of every thread that calls depend on.
    pub pulses: Vec<Pulse>,
}

impl Watch {
    /// Looks now and then, for ever, and gives signs of life as long as no thread is silent.
    pub async fn run(self, mut signs: SignsOfLife, shared: Arc<Shared>) {
        loop {
            let now = Instant::now();
            self.look(now);
            if !self.readiness.has(Obstacle::Threads) {
                let trouble = self.readiness.obstacles();
                signs.give(now, shared.live_calls(), trouble.first().map(String::as_str));
            }
            tokio::time::sleep(INTERVAL).await;
        }
    }

    /// Looks once.
    pub fn look(&self, now: Instant) {
        let silent = self.pulses.iter().filter(|pulse| pulse.silence(now) > SILENCE);
        let silent: Vec<String> = silent
            .map(|pulse| format!("{pulse} has not been heard of for {} s", pulse.silence(now).as_secs()))
            .collect();
        let records = (!self.recorder.accepts_calls()).then_some("they can't be written, or fill their room");
        let media = self.media.no_room().map(|why| format!("{why}, but for emergency calls"));
        self.tell(Obstacle::Threads, (!silent.is_empty()).then(|| silent.join(", ")).as_deref());
        self.tell(Obstacle::Records, records);
        self.tell(Obstacle::Media, media.as_deref());
        let (down, no_other_way) = self.carriers.trouble();
        self.tell(Obstacle::Registration, no_other_way.then(|| down.join(", ")).as_deref());
        let down = down.into_iter().map(|line| format!("not registered: {line}"));
        let drains = self.drains.parts();
        let drains = drains.iter().filter(|part| **part != Part::Gateway);
        self.readiness.note(down.chain(drains.map(|part| format!("draining: {part}"))).collect());
    }

    fn tell(&self, obstacle: Obstacle, reason: Option<&str>) {
        let name = obstacle.name();
        match reason {
            Some(reason) => {
                if self.readiness.block(obstacle, reason) {
                    tracing::warn!(obstacle = name, reason, "not ready for calls");
                }
            }
            None => {
                if self.readiness.clear(obstacle) {
                    tracing::warn!(obstacle = name, "ready for calls again, as far as this goes");
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::channel;

    use super::*;
    use crate::media::{Command, MediaEvent, MediaKey, MediaSettings};
    use crate::metrics::Metrics;
    use crate::record::{Opened, RecorderSettings, open};

    struct Bench {
        watch: Watch,
        _records: Opened,
        _directory: tempfile::TempDir,
    }

    /// - `events`: what hears of the media of calls, on the worker's thread.
    fn bench(
        ports: std::ops::RangeInclusive<u16>,
        events: impl Fn(MediaEvent) + Send + Sync + 'static,
    ) -> Bench {
        let directory = tempfile::tempdir().unwrap();
        let records = open(&RecorderSettings::new(directory.path()), Metrics::new("r").records()).unwrap();
        let settings = MediaSettings { ports, workers: 1, emergency_ports: 0, ..MediaSettings::default() };
        let media = Arc::new(Media::start(&settings, move |_, event| events(event)).unwrap());
        let (recorder, pulses) = (records.recorder.clone(), media.pulses().collect());
        let (carriers, drains) = Default::default();
        let watch = Watch { readiness: Readiness::default(), recorder, media, drains, carriers, pulses };
        Bench { watch, _records: records, _directory: directory }
    }

    fn open_call(media: &Media, key: u64) {
        let local = std::net::IpAddr::from([127, 0, 0, 1]);
        media.send(Command::Open { key: MediaKey(key), a: local, b: local, emergency: false, party: None });
    }

    /// A worker that waits for something that never comes.
    #[test]
    fn a_thread_that_hangs_is_told_until_it_goes_on() {
        let ((hung, hangs), (go_on, gate)) = (channel(), channel::<()>());
        let gate = std::sync::Mutex::new(gate);
        let bench = bench(20_000..=20_099, move |_| {
            let _ = hung.send(());
            let _ = gate.lock().unwrap().recv();
        });
        let go_on = go_on; // Dropped before the bench, which waits for the worker.
        let Watch { readiness, media, pulses, .. } = &bench.watch;
        bench.watch.look(Instant::now());
        assert_eq!(readiness.first(), None);
        open_call(media, 1);
        hangs.recv().unwrap();
        let later = Instant::now() + SILENCE + Duration::from_secs(3);
        bench.watch.look(later);
        assert_eq!(readiness.first(), Some(Obstacle::Threads));
        let told = readiness.obstacles().remove(0);
        assert!(told.starts_with("threads: media-0 has not been heard of for "), "{told}");
        drop(go_on);
        let before = pulses[0].silence(later);
        while pulses[0].silence(later) >= before {
            std::thread::yield_now();
        }
        bench.watch.look(Instant::now());
        assert_eq!(readiness.first(), None);
    }

    /// One carrier, which wants a registration.
    #[test]
    fn a_registration_that_is_down_is_told_and_stops_where_nobody_else_takes_calls() {
        let bench = bench(20_110..=20_199, drop);
        let Watch { readiness, carriers, .. } = &bench.watch;
        let text = |more: &str| {
            let text = format!(
                "listen = [{{ address = \"192.0.2.10\" }}]\n[[carrier]]\nname = \"east\"\n\
                 register = {{ user = \"u\", domain = \"d\" }}\nhost = [{{ host = \"192.0.2.20\" }}]\n{more}"
            );
            config::Config::parse(&text, std::path::Path::new("f.toml")).unwrap().0
        };
        let transport = crate::peer::Transport::Udp;
        let host = crate::resolve::Lookup { host: "192.0.2.20".into(), port: None, transport };
        let line = || std::iter::once(("east".into(), host.clone()));
        let down = "carrier east at 192.0.2.20: not registered yet";
        carriers.configure(&text(""), line(), Duration::ZERO);
        bench.watch.look(Instant::now());
        assert_eq!(readiness.first(), Some(Obstacle::Registration));
        assert_eq!(readiness.obstacles(), [format!("registration: {down}")]);
        let other = "[[carrier]]\nname = \"west\"\nhost = [{ host = \"192.0.2.30\" }]\n";
        carriers.configure(&text(other), line(), Duration::ZERO);
        bench.watch.look(Instant::now());
        assert_eq!((readiness.first(), readiness.notes()), (None, vec![format!("not registered: {down}")]));
    }

    #[test]
    fn the_last_port_is_told_before_a_call_asks_for_it() {
        let (told, events) = channel();
        let bench = bench(20_100..=20_105, move |event| drop(told.send(event)));
        let Watch { readiness, media, .. } = &bench.watch;
        bench.watch.look(Instant::now());
        assert_eq!(readiness.first(), None, "two pairs of three will do");
        open_call(media, 1);
        assert!(matches!(events.recv().unwrap(), MediaEvent::Opened { .. }));
        bench.watch.look(Instant::now());
        assert_eq!(readiness.first(), Some(Obstacle::Media), "one pair won't");
    }
}
