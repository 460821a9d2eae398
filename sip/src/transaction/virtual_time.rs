//! A clock for the tests of the machines: it hops from deadline to deadline.

use std::time::{Duration, Instant};

use super::*;

/// What all machines have in common.
pub(crate) trait Machine {
    type Output: Clone + std::fmt::Debug + PartialEq;
    fn handle_timeout(&mut self, now: Instant);
    fn poll_output(&mut self) -> Option<Self::Output>;
    fn poll_timeout(&self) -> Option<Instant>;
    fn is_terminated(&self) -> bool;
}

macro_rules! machine {
    ($($machine:ident $output:ident,)*) => {$(
        impl Machine for $machine<&'static str> {
            type Output = $output<&'static str>;
            fn handle_timeout(&mut self, now: Instant) { $machine::handle_timeout(self, now) }
            fn poll_output(&mut self) -> Option<Self::Output> { $machine::poll_output(self) }
            fn poll_timeout(&self) -> Option<Instant> { $machine::poll_timeout(self) }
            fn is_terminated(&self) -> bool { $machine::is_terminated(self) }
        }
    )*};
}

machine! {
    ClientInvite ClientInviteOutput,
    ClientNonInvite ClientNonInviteOutput,
    ServerInvite ServerInviteOutput,
    ServerNonInvite ServerNonInviteOutput,
}

/// One machine, its clock, and all that it put out with the millisecond at which it did.
pub(crate) struct Clock<T: Machine> {
    pub(crate) machine: T,
    start: Instant,
    now: Instant,
    log: Vec<(u64, T::Output)>,
}

impl<T: Machine> Clock<T> {
    #[expect(clippy::disallowed_methods, reason = "a starting instant")]
    pub(crate) fn new(make: impl FnOnce(Instant) -> T) -> Self {
        let start = Instant::now();
        let mut clock = Clock { machine: make(start), start, now: start, log: Vec::new() };
        clock.drain();
        clock
    }

    /// Lets time pass until `at_ms`, firing every timer on the way, then does something.
    pub(crate) fn at<R>(&mut self, at_ms: u64, act: impl FnOnce(&mut T, Instant) -> R) -> R {
        let until = self.start + Duration::from_millis(at_ms);
        self.run(Some(until));
        self.now = until;
        let result = act(&mut self.machine, until);
        self.drain();
        result
    }

    /// Lets time pass until no timer runs; returns when that was, and everything put out.
    pub(crate) fn finish(&mut self) -> (u64, Vec<(u64, T::Output)>) {
        self.run(None);
        (self.elapsed_ms(), std::mem::take(&mut self.log))
    }

    /// What was put out since the last look.
    pub(crate) fn take(&mut self) -> Vec<(u64, T::Output)> {
        std::mem::take(&mut self.log)
    }

    fn run(&mut self, until: Option<Instant>) {
        while let Some(due) =
            self.machine.poll_timeout().filter(|due| until.is_none_or(|until| *due <= until))
        {
            assert!(due >= self.now, "a deadline in the past");
            self.machine.handle_timeout(due - Duration::from_nanos(1));
            assert_eq!(self.machine.poll_output(), None, "fired too early");
            self.now = due;
            self.machine.handle_timeout(due);
            self.drain();
        }
    }

    fn drain(&mut self) {
        let at_ms = self.elapsed_ms();
        while let Some(output) = self.machine.poll_output() {
            self.log.push((at_ms, output));
        }
        if self.machine.is_terminated() {
            assert_eq!(self.machine.poll_timeout(), None, "a timer of the dead");
            self.machine.handle_timeout(self.now + Duration::from_secs(3_600));
            assert_eq!(self.machine.poll_output(), None, "an output of the dead");
        }
    }

    fn elapsed_ms(&self) -> u64 {
        u64::try_from((self.now - self.start).as_millis()).unwrap()
    }
}
