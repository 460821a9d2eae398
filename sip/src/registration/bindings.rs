//! What a registrar keeps.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::{Asked, Change, Contact};

/// The bindings of one registrar, of all its users. `F` is a flow: where the REGISTER came from.
///
/// A user's bindings of an address of record are its own: another user neither sees nor removes them. A clone costs a
/// pointer for each binding, so that a whole set can be replaced by a changed copy.
#[derive(Debug, Clone)]
pub struct Bindings<F> {
    all: Vec<Arc<Binding<F>>>,
}

/// One place where an address of record is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Binding<F> {
    /// The user that registered the contact.
    pub owner: Arc<str>,
    /// The address of record: its user part.
    pub record: Arc<str>,
    /// The Contact.
    pub contact: Contact,
    /// What lies between: requests carry it as Route. RFC 3327.
    pub path: Vec<String>,
    /// Where it was registered from.
    pub flow: F,
    /// When it was first registered, of what was never without it.
    pub since: Instant,
    /// When it was registered last.
    pub refreshed: Instant,
    /// When it ends.
    pub until: Instant,
    call_id: String,
    cseq: u32,
}

/// How much is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Room {
    /// Bindings of one user; one more takes the place of the one that was not refreshed for longest.
    pub user: usize,
    /// Bindings of all users.
    pub all: usize,
}

/// Why nothing was changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum UpdateError {
    /// A later one was carried out already: respond 500. RFC 3261 §10.3 steps 6 and 7.
    #[error("a later REGISTER was here before")]
    OutOfOrder,
    /// No room is left: respond 403.
    #[error("too many contacts are registered")]
    NoRoom,
}

impl<F> Default for Bindings<F> {
    fn default() -> Self {
        Bindings { all: Vec::new() }
    }
}

impl<F: Clone> Bindings<F> {
    /// Carries out what `owner` asks for its address of record: all of it, or nothing.
    ///
    /// - `lasts`: of each Contact, in order, what was granted; zero removes it.
    /// - `flow`: how a Contact is reached.
    ///
    /// # Errors
    /// Why nothing was changed.
    ///
    /// Source: RFC 3261 §10.3 steps 6 and 7.
    pub fn update(
        &mut self,
        now: Instant,
        (owner, record): (&Arc<str>, &Arc<str>),
        asked: &Asked,
        lasts: &[Duration],
        flow: impl Fn(&Contact) -> F,
        room: Room,
    ) -> Result<(), UpdateError> {
        let mut all = self.all.clone();
        all.retain(|binding| binding.until > now);
        let is_own = |binding: &Binding<F>| binding.owner == *owner && binding.record == *record;
        match &asked.change {
            Change::Fetch => {}
            Change::RemoveAll => {
                let own = || all.iter().filter(|binding| is_own(binding));
                if own().any(|binding| binding.is_later_than(asked)) {
                    return Err(UpdateError::OutOfOrder);
                }
                all.retain(|binding| !is_own(binding));
            }
            Change::Contacts(contacts) => {
                for (contact, lasts) in contacts.iter().zip(lasts) {
                    let place = all.iter().position(|one| is_own(one) && one.contact.is_same(contact));
                    let before = place.map(|place| all.remove(place));
                    // Two Contacts of one REGISTER may be the same: the last one counts.
                    let is_of_this = |one: &Binding<F>| one.cseq == asked.cseq && one.refreshed == now;
                    if before.as_ref().is_some_and(|one| one.is_later_than(asked) && !is_of_this(one)) {
                        return Err(UpdateError::OutOfOrder);
                    }
                    if lasts.is_zero() {
                        continue;
                    }
                    make_room(&mut all, owner, room)?;
                    all.push(Arc::new(Binding {
                        owner: owner.clone(),
                        record: record.clone(),
                        contact: contact.clone(),
                        path: asked.path.clone(),
                        flow: flow(contact),
                        since: before.map_or(now, |before| before.since),
                        refreshed: now,
                        until: now + *lasts,
                        call_id: asked.call_id.clone(),
                        cseq: asked.cseq,
                    }));
                }
            }
        }
        self.all = all;
        Ok(())
    }

    /// Changes flows, or forgets bindings whose flow is gone: `None`. Says how many went.
    pub fn retain(&mut self, change: impl Fn(&Binding<F>) -> Option<F>) -> usize
    where
        F: PartialEq,
    {
        let before = self.all.len();
        self.all = std::mem::take(&mut self.all)
            .into_iter()
            .filter_map(|mut binding| {
                let flow = change(&binding)?;
                if flow != binding.flow {
                    Arc::make_mut(&mut binding).flow = flow;
                }
                Some(binding)
            })
            .collect();
        before - self.all.len()
    }

    /// What is registered now of one owner's address of record: what a response tells it.
    pub fn of<'a>(
        &'a self,
        now: Instant,
        owner: &'a str,
        record: &'a str,
    ) -> impl Iterator<Item = &'a Arc<Binding<F>>> {
        self.live(now).filter(move |binding| *binding.owner == *owner && *binding.record == *record)
    }

    /// Whether any flow, also of what has expired, is so.
    pub fn any(&self, is_so: impl Fn(&F) -> bool) -> bool {
        self.all.iter().any(|binding| is_so(&binding.flow))
    }

    /// All that is registered now.
    pub fn live(&self, now: Instant) -> impl Iterator<Item = &Arc<Binding<F>>> {
        self.all.iter().filter(move |binding| binding.until > now)
    }
}

impl<F> Binding<F> {
    /// Whether it was registered by a later REGISTER than `asked`, or by that one: a repeat must change nothing that
    /// came between. RFC 3261 §10.3 step 7.
    fn is_later_than(&self, asked: &Asked) -> bool {
        self.call_id == asked.call_id && self.cseq >= asked.cseq
    }
}

/// Nobody's bindings but `owner`'s own make room for its new one.
fn make_room<F>(all: &mut Vec<Arc<Binding<F>>>, owner: &Arc<str>, room: Room) -> Result<(), UpdateError> {
    let own = || all.iter().enumerate().filter(|(_, binding)| binding.owner == *owner);
    if own().count() >= room.user {
        let oldest = own().min_by_key(|(_, binding)| binding.refreshed).map(|(place, _)| place);
        all.remove(oldest.unwrap_or_default());
    }
    if all.len() < room.all { Ok(()) } else { Err(UpdateError::NoRoom) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Builder, Method, Name};

    const HOUR: Duration = Duration::from_secs(3600);
    const ROOM: Room = Room { user: 3, all: 5 };

    /// A registrar, and the time.
    struct Bench {
        bindings: Bindings<u16>,
        now: Instant,
    }

    impl Bench {
        #[expect(clippy::disallowed_methods, reason = "a starting instant")]
        fn new() -> Bench {
            Bench { bindings: Bindings::default(), now: Instant::now() }
        }

        fn pass(&mut self, seconds: u64) {
            self.now += Duration::from_secs(seconds);
        }

        /// A REGISTER of `owner` from port `flow` in the order `call_id`, `cseq`.
        fn register(
            &mut self,
            owner: &str,
            contact: &str,
            order: (&str, u32),
            flow: u16,
        ) -> Result<(), UpdateError> {
            self.pass(1);
            let mut builder = Builder::request(Method::Register, "sip:example.com")
                .header(Name::CallId, order.0)
                .header(Name::CSeq, format!("{} REGISTER", order.1));
            builder = match contact {
                "" => builder,
                "*" => builder.header(Name::Contact, "*").header(Name::Expires, "0"),
                contact => builder.header(Name::Contact, contact),
            };
            let asked = Asked::read(&builder.build()).unwrap();
            let lasts = match &asked.change {
                Change::Contacts(contacts) => contacts
                    .iter()
                    .map(|one| one.expires.map_or(HOUR, |expires| Duration::from_secs(expires.into())))
                    .collect(),
                _ => Vec::new(),
            };
            let names: (Arc<str>, Arc<str>) = (owner.into(), owner.into());
            self.bindings.update(self.now, (&names.0, &names.1), &asked, &lasts, |_| flow, ROOM)
        }

        fn of(&self, owner: &str) -> Vec<(String, u16)> {
            let of = self.bindings.of(self.now, owner, owner);
            of.map(|binding| (binding.contact.uri.to_string(), binding.flow)).collect()
        }
    }

    #[test]
    fn a_binding_comes_is_refreshed_and_expires() {
        let mut bench = Bench::new();
        bench.register("a", "<sip:a@1>;expires=60", ("c", 1), 1).unwrap();
        bench.pass(50);
        bench.register("a", "<sip:a@1>;expires=60", ("c", 2), 2).unwrap();
        bench.pass(50);
        assert_eq!(bench.of("a"), [("sip:a@1".to_owned(), 2)]);
        let binding = bench.bindings.live(bench.now).next().unwrap();
        assert_eq!(binding.refreshed - binding.since, Duration::from_secs(51));
        bench.pass(10);
        assert_eq!(bench.of("a"), []);
        // What is over is no longer in order, either.
        bench.register("a", "<sip:a@1>", ("c", 1), 3).unwrap();
        assert_eq!(bench.of("a"), [("sip:a@1".to_owned(), 3)]);
    }

    #[test]
    fn a_late_register_changes_nothing() {
        let mut bench = Bench::new();
        bench.register("a", "<sip:a@1>", ("c", 5), 1).unwrap();
        for contact in ["<sip:a@1>;expires=0", "*", "<sip:a@2>, <sip:a@1>"] {
            for cseq in [4, 5] {
                let late = bench.register("a", contact, ("c", cseq), 2);
                assert_eq!(late, Err(UpdateError::OutOfOrder), "{contact} {cseq}");
                assert_eq!(bench.of("a"), [("sip:a@1".to_owned(), 1)]);
            }
        }
        // A device that was restarted has a Call-ID of its own.
        bench.register("a", "<sip:a@1>", ("d", 1), 2).unwrap();
        assert_eq!(bench.of("a"), [("sip:a@1".to_owned(), 2)]);
    }

    #[test]
    fn removal_takes_what_is_named_or_all_of_the_owner() {
        let mut bench = Bench::new();
        bench.register("a", "<sip:a@1>, <sip:a@2>", ("c", 1), 1).unwrap();
        bench.register("b", "<sip:b@1>", ("c", 1), 1).unwrap();
        bench.register("a", "<sip:a@1>;expires=0, <sip:a@9>;expires=0", ("c", 2), 1).unwrap();
        assert_eq!(bench.of("a"), [("sip:a@2".to_owned(), 1)]);
        bench.register("a", "", ("c", 3), 1).unwrap();
        assert_eq!(bench.of("a").len(), 1);
        bench.register("a", "*", ("c", 4), 1).unwrap();
        assert_eq!((bench.of("a").len(), bench.of("b").len()), (0, 1));
    }

    #[test]
    fn a_device_that_comes_back_by_another_flow_replaces_its_own() {
        let mut bench = Bench::new();
        let contact = |port, id| format!("<sip:a@1:{port}>;+sip.instance=\"<urn:1>\";reg-id={id}");
        bench.register("a", &contact(1, 1), ("c", 1), 1).unwrap();
        bench.register("a", &contact(2, 2), ("c", 2), 2).unwrap();
        bench.register("a", &contact(3, 1), ("d", 1), 3).unwrap();
        assert_eq!(bench.of("a"), [("sip:a@1:2".to_owned(), 2), ("sip:a@1:3".to_owned(), 3)]);
    }

    #[test]
    fn nobody_fills_the_room_but_its_own() {
        let mut bench = Bench::new();
        for (cseq, host) in (1..=4).zip(["1", "2", "3", "4"]) {
            bench.register("a", &format!("<sip:a@{host}>"), ("c", cseq), 1).unwrap();
        }
        assert_eq!(bench.of("a").first().unwrap().0, "sip:a@2", "the oldest made room");
        bench.register("b", "<sip:b@1>, <sip:b@2>", ("c", 1), 1).unwrap();
        assert_eq!(bench.register("c", "<sip:c@1>", ("c", 1), 1), Err(UpdateError::NoRoom));
        bench.register("b", "<sip:b@1>", ("c", 2), 1).unwrap();
        assert_eq!((bench.of("a").len(), bench.of("b").len()), (3, 2));
    }

    #[test]
    fn flows_change_and_go() {
        let mut bench = Bench::new();
        bench.register("a", "<sip:a@1>", ("c", 1), 1).unwrap();
        bench.register("a", "<sip:a@2>", ("c", 2), 2).unwrap();
        let gone = bench.bindings.retain(|binding| (binding.flow != 1).then_some(binding.flow + 10));
        assert_eq!((gone, bench.of("a")), (1, vec![("sip:a@2".to_owned(), 12)]));
    }
}
