//! Which alerts are raised, and what of that the webhook has not heard yet. No clock and no socket of its own.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Value, json};

/// Something is wrong for so long before it is told: a host that was restarted is no alert.
const GRACE: Duration = Duration::from_secs(5);

/// It has been right for so long before that is told, so that what flaps is one alert.
const CALM: Duration = Duration::from_secs(60);

/// So many go by one post; the others go by the next.
const BATCH: usize = 100;

/// The longest wait after posts that failed, as a multiple of the interval.
const LONGEST: u32 = 16;

/// The kinds that there are.
const KINDS: [&str; 5] =
    ["carrier_down", "not_ready", "journal_fills_up", "certificate_expires", "fraud_stop"];

/// What an alert is about.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Key {
    pub kind: &'static str,
    /// Of the kind, which: a name of the configuration, or of ours.
    pub subject: String,
}

#[derive(Debug)]
struct Known {
    text: String,
    /// Since when it is wrong; since when it is right again.
    wrong: Duration,
    right: Option<Duration>,
    raised: bool,
}

/// What is to be said of an alert.
#[derive(Debug, Clone, PartialEq, Eq)]
struct News {
    raised: bool,
    text: String,
    since: Duration,
}

/// What goes by one post.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Batch(BTreeMap<Key, News>);

/// See the module. It has an entry for each thing that is wrong, of which there are as many as the configuration names.
#[derive(Debug, Default)]
pub(super) struct Book {
    known: BTreeMap<Key, Known>,
    news: BTreeMap<Key, News>,
    /// Not before then.
    next: Duration,
    failures: u32,
    posting: bool,
}

impl Book {
    /// Takes what is wrong now.
    pub fn observe(&mut self, unix: Duration, wrong: BTreeMap<Key, String>) {
        for (key, known) in &mut self.known {
            if !wrong.contains_key(key) {
                known.right.get_or_insert(unix);
            }
        }
        for (key, text) in wrong {
            let new = Known { text: String::new(), wrong: unix, right: None, raised: false };
            let known = self.known.entry(key).or_insert(new);
            (known.text, known.right) = (text, None);
        }
        let Book { known, news, .. } = self;
        known.retain(|key, known| {
            let lasts = |since: Duration, limit| unix.saturating_sub(since) >= limit;
            let over = known.right.is_some_and(|right| !known.raised || lasts(right, CALM));
            let raise = !known.raised && known.right.is_none() && lasts(known.wrong, GRACE);
            if raise || over && known.raised {
                let since = known.right.unwrap_or(known.wrong);
                news.insert(key.clone(), News { raised: raise, text: known.text.clone(), since });
            }
            known.raised |= raise;
            !over
        });
    }

    /// There is no webhook.
    pub fn nobody_is_told(&mut self) {
        self.news.clear();
    }

    /// What is to be posted now, if anything: [`posted`](Book::posted) or [`not_posted`](Book::not_posted) must follow.
    pub fn take(&mut self, unix: Duration, interval: Duration) -> Option<Batch> {
        // A clock that was set back must not silence it for long.
        let wait = interval * self.wait();
        let due = self.next <= unix || self.next > unix + wait;
        if self.posting || self.news.is_empty() || !due {
            return None;
        }
        self.posting = true;
        self.next = unix + wait;
        let rest = self.news.keys().nth(BATCH).cloned();
        let rest = rest.map(|first| self.news.split_off(&first)).unwrap_or_default();
        Some(Batch(std::mem::replace(&mut self.news, rest)))
    }

    /// The webhook took the batch.
    pub fn posted(&mut self) {
        (self.posting, self.failures) = (false, 0);
    }

    /// It did not: the batch goes again, but for what is overtaken. Says whether that is news.
    pub fn not_posted(&mut self, batch: Batch, unix: Duration) -> bool {
        for (key, news) in batch.0 {
            self.news.entry(key).or_insert(news);
        }
        (self.posting, self.failures) = (false, self.failures.saturating_add(1));
        self.next = self.next.max(unix);
        self.failures == 1
    }

    /// How many of each kind are raised.
    pub fn raised(&self) -> impl Iterator<Item = (&'static str, usize)> + '_ {
        KINDS.into_iter().map(|kind| {
            let of_kind = self.known.iter().filter(|(key, known)| key.kind == kind && known.raised);
            (kind, of_kind.count())
        })
    }

    fn wait(&self) -> u32 {
        1_u32.checked_shl(self.failures).unwrap_or(LONGEST).min(LONGEST)
    }
}

impl Batch {
    /// As it is posted.
    pub fn json(&self, region: &str, unix: Duration) -> String {
        let alert = |(key, news): (&Key, &News)| -> Value {
            json!({
                "alert": key.kind,
                "subject": key.subject,
                "state": if news.raised { "raised" } else { "over" },
                "since": news.since.as_secs(),
                "text": news.text,
            })
        };
        let alerts: Vec<Value> = self.0.iter().map(alert).collect();
        json!({ "version": 1, "region": region, "sent": unix.as_secs(), "alerts": alerts }).to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const INTERVAL: Duration = Duration::from_secs(30);

    fn at(seconds: u64) -> Duration {
        Duration::from_secs(1_700_000_000 + seconds)
    }

    fn wrong(carriers: &[&str]) -> BTreeMap<Key, String> {
        let key = |carrier: &&str| Key { kind: "carrier_down", subject: (*carrier).to_owned() };
        carriers.iter().map(|carrier| (key(carrier), format!("{carrier} is down"))).collect()
    }

    /// Subjects and states of what is posted.
    fn told(batch: Option<Batch>) -> Vec<String> {
        let state = |news: &News| if news.raised { "raised" } else { "over" };
        let batch = batch.into_iter().flat_map(|batch| batch.0);
        batch.map(|(key, news)| format!("{} {}", key.subject, state(&news))).collect()
    }

    #[test]
    fn what_lasts_is_told_once_and_again_when_it_is_over() {
        let mut book = Book::default();
        for second in 0..5 {
            book.observe(at(second), wrong(&["east"]));
            assert_eq!(book.take(at(second), INTERVAL), None, "{second}");
        }
        book.observe(at(5), wrong(&["east"]));
        let batch = book.take(at(5), INTERVAL).unwrap();
        let json: Value = serde_json::from_str(&batch.json("here", at(5))).unwrap();
        let expect = json!({
            "version": 1, "region": "here", "sent": 1_700_000_005,
            "alerts": [{
                "alert": "carrier_down", "subject": "east", "state": "raised",
                "since": 1_700_000_000, "text": "east is down",
            }],
        });
        assert_eq!(json, expect);
        book.posted();
        assert_eq!(book.raised().next(), Some(("carrier_down", 1)));
        // It flaps.
        for second in 6..100 {
            book.observe(at(second), wrong(if second % 20 < 10 { &["east"] } else { &[] }));
        }
        assert_eq!(book.take(at(100), INTERVAL), None);
        (100..=160).for_each(|second| book.observe(at(second), wrong(&[])));
        assert_eq!(told(book.take(at(160), INTERVAL)), ["east over"]);
        assert_eq!((book.known.len(), book.raised().next()), (0, Some(("carrier_down", 0))));
    }

    #[test]
    fn a_moment_is_no_alert() {
        let mut book = Book::default();
        book.observe(at(0), wrong(&["east"]));
        book.observe(at(4), wrong(&[]));
        book.observe(at(5), wrong(&["east"]));
        book.observe(at(9), wrong(&["east"]));
        assert_eq!(book.take(at(9), INTERVAL), None);
        book.observe(at(10), wrong(&["east"]));
        assert_eq!(told(book.take(at(10), INTERVAL)), ["east raised"]);
    }

    #[test]
    fn many_go_together_and_one_post_at_a_time() {
        let mut book = Book::default();
        let names: Vec<String> = (0..150).map(|n| format!("c{n:03}")).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        book.observe(at(0), wrong(&names[..1]));
        book.observe(at(5), wrong(&names));
        assert_eq!(told(book.take(at(5), INTERVAL)).len(), 1);
        book.observe(at(10), wrong(&names));
        assert_eq!(book.take(at(40), INTERVAL), None, "one is on its way");
        book.posted();
        assert_eq!(book.take(at(34), INTERVAL), None, "too early");
        assert_eq!(told(book.take(at(35), INTERVAL)).len(), 100);
        book.posted();
        assert_eq!(told(book.take(at(65), INTERVAL)).len(), 49);
    }

    #[test]
    fn what_was_not_taken_goes_again_later_and_later() {
        let mut book = Book::default();
        book.observe(at(0), wrong(&["east"]));
        book.observe(at(5), wrong(&["east"]));
        let mut tries = Vec::new();
        for second in 5..2_000 {
            if let Some(batch) = book.take(at(second), INTERVAL) {
                tries.push(second);
                assert_eq!(book.not_posted(batch, at(second)), tries.len() == 1);
            }
        }
        assert_eq!(tries, [5, 35, 95, 215, 455, 935, 1_415, 1_895]);
        // It is over before anybody has heard of it: that is what is told.
        book.observe(at(2_000), wrong(&[]));
        book.observe(at(2_060), wrong(&[]));
        assert_eq!(told(book.take(at(2_400), INTERVAL)), ["east over"]);
    }

    #[test]
    fn a_clock_that_is_set_back_silences_nobody() {
        let mut book = Book::default();
        book.observe(at(86_400), wrong(&["east"]));
        book.observe(at(86_405), wrong(&["east"]));
        assert!(book.take(at(86_405), INTERVAL).is_some());
        book.posted();
        book.observe(at(0), wrong(&["west"]));
        book.observe(at(5), wrong(&["west"]));
        assert!(book.take(at(5), INTERVAL).is_some());
    }
}
