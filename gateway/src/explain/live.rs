//! What a running gateway adds to an explanation: how hosts, limits and the gateway itself are at this moment.

use std::fmt;
use std::net::SocketAddr;
use std::time::Duration;

use super::Question;
use crate::admit::{Admitted, Origin, Refusal};
use crate::clock::Now;
use crate::core::Shared;
use crate::limits::Used;
use crate::reply::Cause;
use crate::route::{Attempt, HostKey, RouteEnd, Standing};
use crate::why::{Meaning, of_attempt, of_end, of_refusal};

/// A running gateway at one moment.
#[derive(Clone, Copy)]
pub struct Live<'a> {
    /// What its shards share.
    pub shared: &'a Shared,
    /// The moment.
    pub now: Now,
}

/// How something is at this moment. Displays as one line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Moment {
    /// The source was refused so often that nothing of it is read.
    Silenced,
    /// Nothing stands in the way of new calls.
    Open,
    /// What does.
    Closed(String),
    /// Who calls drains.
    Drains(String),
    /// The operator has taken a way of the call out of service.
    Passed {
        /// Whose: a connector's id or a carrier's name.
        whose: String,
        /// The host, with its port where configured.
        host: String,
        /// What drains.
        drains: String,
        /// The way is tried all the same, after the others: the call is for help.
        last: bool,
    },
    /// An address of a host that may be tried.
    Host {
        /// Whose: a connector's id or a carrier's name.
        whose: String,
        /// The address.
        address: SocketAddr,
        /// How it is.
        standing: Standing,
    },
    /// Nothing is known of what is behind a name: it is looked up when it is called.
    Name {
        /// Whose: a connector's id or a carrier's name.
        whose: String,
        /// The name.
        host: String,
    },
    /// What of a limit is used.
    Used {
        /// Whose.
        whose: String,
        /// So much.
        used: Used,
    },
    /// Minutes that the calls of who calls have talked today.
    Minutes {
        /// Whose.
        whose: String,
        /// So many.
        used: u64,
        /// `termination.daily_minutes`.
        limit: u32,
    },
    /// Calls of who calls that are not answered yet.
    Unanswered {
        /// Whose.
        whose: String,
        /// So many.
        calls: u64,
        /// At most.
        most: u32,
    },
}

/// Why a call that is allowed would be refused at this moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RefusedNow {
    /// What the caller would hear.
    pub cause: Cause,
    /// What to do about it.
    pub meaning: Meaning,
}

impl From<Refusal> for RefusedNow {
    fn from(refusal: Refusal) -> Self {
        RefusedNow { meaning: of_refusal(&refusal), cause: refusal.verdict().into() }
    }
}

impl Live<'_> {
    /// Whether anything of the source is read.
    pub(super) fn source(self, question: &Question) -> Option<Moment> {
        self.shared.guard.silenced(self.now.instant, question.source).then_some(Moment::Silenced)
    }

    /// What stands between the gateway and a new call.
    pub(super) fn gateway(self, emergency: bool, moments: &mut Vec<Moment>) -> Option<RefusedNow> {
        let mut obstacles = self.shared.readiness.obstacles();
        let sentence = self.shared.readiness.first().map(crate::readiness::Obstacle::sentence);
        let sentence = match sentence {
            None if !self.shared.records_accept_calls() => {
                obstacles.push("records: call records can't be written".to_owned());
                Some(crate::readiness::Obstacle::Records.sentence())
            }
            sentence => sentence,
        };
        if obstacles.is_empty() {
            moments.push(Moment::Open);
        }
        moments.extend(obstacles.into_iter().map(Moment::Closed));
        let sentence = sentence.filter(|_| !emergency)?;
        let meaning = of_end(crate::record::EndedBy::Gateway, 503, sentence, false, false);
        Some(RefusedNow { cause: Cause::new(503, sentence), meaning })
    }

    /// The attempts that the call would make, by what drains. Tells what leads there, and is left out or comes last.
    pub(super) fn undrained(
        self,
        attempts: Vec<Attempt>,
        emergency: bool,
        moments: &mut Vec<Moment>,
    ) -> Vec<Attempt> {
        let drains = &self.shared.drains;
        moments.extend(attempts.iter().filter_map(|attempt| {
            let part = drains.on_the_way(attempt)?;
            let (whose, host) = (attempt.via.name().to_owned(), attempt.target.host().to_owned());
            Some(Moment::Passed { whose, host, drains: part.to_string(), last: emergency })
        }));
        drains.keep(attempts, emergency)
    }

    /// Whether who calls drains.
    pub(super) fn caller_drains(self, admitted: &Admitted, moments: &mut Vec<Moment>) -> Option<RefusedNow> {
        let what = self.shared.drains.caller(admitted)?.to_string();
        moments.push(Moment::Drains(what.clone()));
        Some(Refusal::Draining { what }.into())
    }

    /// How the hosts of an attempt are.
    pub(super) fn hosts(self, attempt: &Attempt) -> Vec<Moment> {
        let whose = attempt.via.name().to_owned();
        let health = self.shared.health();
        let transport = attempt.lookup.transport;
        let addresses = match attempt.lookup.literal() {
            Some(address) => vec![address],
            None => health.addresses(&attempt.lookup).to_vec(),
        };
        if addresses.is_empty() {
            return vec![Moment::Name { whose, host: attempt.lookup.host.to_string() }];
        }
        let of = |address| {
            let standing = health.standing(self.now.instant, &HostKey { address, transport });
            Moment::Host { whose: whose.clone(), address, standing }
        };
        addresses.into_iter().map(of).collect()
    }

    /// What of the caller's limits is used, and the one that leaves no place.
    pub(super) fn caller(self, admitted: &Admitted, moments: &mut Vec<Moment>) -> Option<RefusedNow> {
        let limits = &self.shared.limits;
        let mut unheard = None;
        if let Origin::Connector(connector) = &admitted.origin
            && admitted.emergency.is_none()
        {
            unheard = self.shared.refuses_unheard(connector);
        }
        let mut refused = self.shared.minutes.check(admitted, self.now).err();
        if let Some((used, limit)) = self.shared.minutes.used_by(admitted, self.now) {
            let whose = format!("voice connector {}", admitted.connector);
            moments.push(Moment::Minutes { whose, used: used.as_secs() / 60, limit });
        }
        if let Some((whose, used)) = limits.used_by(admitted, self.now.unix) {
            refused = refused.or(used.refusal(&whose));
            moments.push(Moment::Used { whose: format!("voice connector {whose}, outbound"), used });
        }
        let (whose, calls, most) = limits.unanswered_of(admitted, self.shared.media.calls);
        if calls >= u64::from(most) {
            let full = Refusal::UnansweredCalls {
                whose: whose.clone(),
                limit: most,
                retry_after: Duration::from_secs(5),
            };
            refused = refused.or(Some(full));
        }
        moments.push(Moment::Unanswered { whose, calls, most });
        unheard.or(refused).map(RefusedNow::from)
    }

    /// What of the limits of those that may be called is used; why nobody has room.
    pub(super) fn callees(self, attempts: &[Attempt], moments: &mut Vec<Moment>) -> Option<RefusedNow> {
        let mut room = false;
        for attempt in attempts {
            let used = self.shared.limits.used_at(&attempt.via, self.now.unix);
            room |= used.refusal(attempt.via.name()).is_none();
            let moment = Moment::Used { whose: attempt.via.name().to_owned(), used };
            if !moments.contains(&moment) {
                moments.push(moment);
            }
        }
        let (status, words) = RouteEnd::NoRoom.told();
        let cause = Cause::new(status, format!("No route took the call: {words}"));
        (!room).then(|| RefusedNow { cause, meaning: of_attempt(RouteEnd::NoRoom) })
    }
}

impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Moment::Silenced => {
                f.write_str("now: the source was refused too often, and nothing of it is read")
            }
            Moment::Open => f.write_str("now: the gateway takes calls"),
            Moment::Closed(obstacle) => {
                write!(f, "now: the gateway takes no calls but emergencies; {obstacle}")
            }
            Moment::Drains(what) => write!(f, "now: {what} drains: no new calls but emergencies"),
            Moment::Passed { whose, host, drains, last } => {
                let becomes = if *last { "comes last" } else { "is passed over" };
                write!(f, "now: {whose} at {host} {becomes}: {drains} drains")
            }
            Moment::Host { whose, address, standing } => write!(f, "now: {whose} at {address} {standing}"),
            Moment::Name { whose, host } => {
                write!(f, "now: {whose} at {host} was not looked up yet")
            }
            Moment::Used { whose, used } => {
                write!(f, "now: {} calls this second and {} calls for {whose}", used.new, used.calls)
            }
            Moment::Minutes { whose, used, limit } => {
                write!(f, "now: {used} of {limit} minutes of this day are used by {whose}")
            }
            Moment::Unanswered { whose, calls, most } => {
                write!(f, "now: {calls} of {most} calls that are not answered for {whose}")
            }
        }
    }
}
