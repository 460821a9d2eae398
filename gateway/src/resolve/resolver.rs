//! The resolver that shards share: bounded, timed, and asking once where many want to know the same.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::runtime::Handle;

use super::dns::Dns;
use super::locate::{Located, locate};
use super::{Answer, Lookup, Resolve, ResolveError, Results};
use crate::random::Random;

/// How much may be under way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ResolverLimits {
    /// Different look-ups at one time.
    pub lookups: usize,
    /// Askers of one look-up at one time.
    pub askers: usize,
    /// How long a look-up may take in all.
    pub timeout: Duration,
}

impl Default for ResolverLimits {
    /// 256 look-ups, 4,096 askers of each, 3 s.
    fn default() -> ResolverLimits {
        ResolverLimits { lookups: 256, askers: 4_096, timeout: Duration::from_secs(3) }
    }
}

/// Runs look-ups on a runtime of its owner's.
pub struct Resolver<D> {
    dns: Arc<D>,
    runtime: Handle,
    limits: ResolverLimits,
    waiting: Arc<Waiting>,
    /// What became of look-ups.
    results: Arc<Results>,
}

/// Taken for a moment, never while waiting.
struct Waiting {
    askers: Mutex<HashMap<Lookup, Vec<Answer>>>,
    random: Mutex<Box<dyn Random>>,
}

impl<D: Dns> Resolver<D> {
    /// - `runtime`: where the look-ups run; it must have timers and I/O.
    /// - `random`: draws among SRV targets of equal priority.
    pub fn new(dns: D, runtime: Handle, random: Box<dyn Random>, limits: ResolverLimits) -> Resolver<D> {
        let waiting = Arc::new(Waiting { askers: Mutex::default(), random: Mutex::new(random) });
        Resolver { dns: Arc::new(dns), runtime, limits, waiting, results: Arc::default() }
    }

    /// What became of look-ups so far.
    pub fn results(&self) -> Arc<Results> {
        self.results.clone()
    }

    /// Whether this asker is the first, so that the look-up has to be started.
    fn join(&self, lookup: &Lookup, answer: Answer) -> bool {
        let mut askers = lock(&self.waiting.askers);
        let under_way = askers.len();
        let turned_away = match askers.entry(lookup.clone()) {
            Entry::Occupied(mut entry) if entry.get().len() < self.limits.askers => {
                entry.get_mut().push(answer);
                return false;
            }
            Entry::Vacant(entry) if under_way < self.limits.lookups => {
                entry.insert(vec![answer]);
                return true;
            }
            _ => answer,
        };
        drop(askers);
        self.results.busy();
        turned_away(Err(ResolveError::Busy(lookup.host.clone())));
        false
    }
}

impl<D: Dns> Resolve for Resolver<D> {
    fn resolve(&self, lookup: Lookup, answer: Answer) {
        if let Some(address) = lookup.literal() {
            answer(Ok(vec![address]));
            return;
        }
        if !self.join(&lookup, answer) {
            return;
        }
        let (dns, waiting, timeout) = (self.dns.clone(), self.waiting.clone(), self.limits.timeout);
        let results = self.results.clone();
        self.runtime.spawn(async move {
            let located = tokio::time::timeout(timeout, locate(&dns, &lookup)).await;
            let located = located.unwrap_or_else(|_| Err(ResolveError::TimedOut(lookup.host.clone())));
            results.count(located.as_ref().err());
            waiting.answer(&lookup, located);
        });
    }
}

impl Waiting {
    /// Each asker gets an order of its own, so that weights hold however many ask at once.
    fn answer(&self, lookup: &Lookup, located: Result<Located, ResolveError>) {
        let answers = lock(&self.askers).remove(lookup).unwrap_or_default();
        for answer in answers {
            let ordered = located.as_ref().map(|located| located.ordered(lock(&self.random).as_mut()));
            answer(ordered.map_err(Clone::clone));
        }
    }
}

/// A panic elsewhere leaves nothing half done in these maps.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, SocketAddr};
    use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

    use tokio::sync::{Notify, mpsc};

    use super::super::dns::{DnsError, Naptr, Srv};
    use super::*;
    use crate::peer::Transport;
    use crate::random::SeededRandom;

    /// Answers once it is told to, and counts how often it was asked.
    #[derive(Clone, Default)]
    struct Gate(Arc<(Notify, AtomicUsize)>);

    impl Dns for Gate {
        async fn naptr(&self, _: &str) -> Result<Vec<Naptr>, DnsError> {
            Err(DnsError::NoRecords)
        }

        async fn srv(&self, _: &str) -> Result<Vec<Srv>, DnsError> {
            Err(DnsError::NoRecords)
        }

        async fn addresses(&self, _: &str) -> Result<Vec<IpAddr>, DnsError> {
            self.0.1.fetch_add(1, Relaxed);
            self.0.0.notified().await;
            Ok(vec![[192, 0, 2, 1].into()])
        }
    }

    fn resolver(gate: &Gate) -> Resolver<Gate> {
        let limits = ResolverLimits { lookups: 2, askers: 3, ..ResolverLimits::default() };
        Resolver::new(gate.clone(), Handle::current(), Box::new(SeededRandom::new(1)), limits)
    }

    type Results = (mpsc::UnboundedSender<Answered>, mpsc::UnboundedReceiver<Answered>);
    type Answered = Result<Vec<SocketAddr>, ResolveError>;

    fn ask(resolver: &Resolver<Gate>, results: &Results, host: &str) {
        let sender = results.0.clone();
        let lookup = Lookup { host: host.into(), port: Some(5060), transport: Transport::Udp };
        resolver.resolve(lookup, Box::new(move |result| sender.send(result).unwrap()));
    }

    #[tokio::test(start_paused = true)]
    async fn one_question_answers_all_who_ask_and_there_are_limits() {
        let (gate, mut results) = (Gate::default(), mpsc::unbounded_channel());
        let resolver = resolver(&gate);
        for host in ["a", "a", "a", "a", "b", "c"] {
            ask(&resolver, &results, host);
        }
        assert_eq!(results.1.try_recv().unwrap(), Err(ResolveError::Busy("a".into())));
        assert_eq!(results.1.try_recv().unwrap(), Err(ResolveError::Busy("c".into())));
        tokio::task::yield_now().await;
        assert_eq!(gate.0.1.load(Relaxed), 2);
        let counts = resolver.results();
        let count = |result| counts.all().find(|(label, _)| *label == result).unwrap().1;
        assert_eq!([count("busy"), count("found")], [2, 0]);
        gate.0.0.notify_waiters();
        for _ in 0..4 {
            assert_eq!(results.1.recv().await.unwrap(), Ok(vec!["192.0.2.1:5060".parse().unwrap()]));
        }
        assert_eq!([count("busy"), count("found")], [2, 2], "one for all who ask the same");
    }

    #[tokio::test(start_paused = true)]
    async fn silence_ends_after_three_seconds() {
        let (gate, mut results) = (Gate::default(), mpsc::unbounded_channel());
        let resolver = resolver(&gate);
        let start = tokio::time::Instant::now();
        ask(&resolver, &results, "a");
        assert_eq!(results.1.recv().await.unwrap(), Err(ResolveError::TimedOut("a".into())));
        assert_eq!(start.elapsed(), Duration::from_secs(3));
        ask(&resolver, &results, "192.0.2.7");
        assert_eq!(results.1.try_recv().unwrap(), Ok(vec!["192.0.2.7:5060".parse().unwrap()]));
    }
}
