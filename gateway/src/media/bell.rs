//! How a worker is told that commands wait, without a system call while it is awake.

use std::io;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst};

use nix::sys::eventfd::{EfdFlags, EventFd};

/// Shared by the worker and those who command it.
///
/// Who sends counts the command, puts it into the queue and looks whether the worker sleeps; who is about to sleep says so and
/// looks whether a command is counted. Each writes before it reads, all in one order (`SeqCst`): so one of them sees the other, and
/// no command waits for a worker that waits for it.
#[derive(Debug)]
pub(super) struct Bell {
    event: EventFd,
    sleeps: AtomicBool,
    queued: AtomicU64,
}

impl Bell {
    pub(super) fn new() -> io::Result<Bell> {
        Ok(Bell {
            event: EventFd::from_flags(EfdFlags::EFD_NONBLOCK | EfdFlags::EFD_CLOEXEC)?,
            sleeps: AtomicBool::new(false),
            queued: AtomicU64::new(0),
        })
    }

    /// What the worker waits for. Nobody reads it.
    pub(super) fn event(&self) -> &EventFd {
        &self.event
    }

    /// Commands that wait.
    pub(super) fn queued(&self) -> u64 {
        self.queued.load(SeqCst)
    }

    /// Counts a command that is about to be put into the queue; returns how many waited before.
    pub(super) fn queue(&self) -> u64 {
        self.queued.fetch_add(1, SeqCst)
    }

    /// Wakes the worker, if it sleeps.
    pub(super) fn ring(&self) {
        if self.sleeps.swap(false, SeqCst) {
            let _ = self.event.write(1); // fails only when it is raised high already
        }
    }

    /// The worker took a command out of the queue.
    pub(super) fn taken(&self) {
        self.queued.fetch_sub(1, SeqCst);
    }

    /// The worker is about to sleep. Returns whether it may; from then on it is woken.
    pub(super) fn may_sleep(&self) -> bool {
        self.sleeps.store(true, SeqCst);
        self.queued() == 0
    }

    /// The worker is awake, and looks into its queue before it sleeps again.
    pub(super) fn is_awake(&self) {
        self.sleeps.store(false, SeqCst);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// All ways in which the steps of one who sends and of a worker that goes to sleep can follow each other.
    #[test]
    fn no_command_waits_for_a_worker_that_sleeps() {
        let (mut slept, mut rung) = (0, 0);
        for order in 0..1_u32 << 5 {
            if order.count_ones() != 3 {
                continue; // Three steps of the sender, two of the worker.
            }
            let bell = Bell::new().unwrap();
            let (mut sender, mut worker, mut in_queue, mut may_sleep) = (0, 0, false, false);
            for step in 0..5 {
                if order & 1 << step == 0 {
                    match worker {
                        0 => bell.sleeps.store(true, SeqCst),
                        _ => may_sleep = bell.queued() == 0,
                    }
                    worker += 1;
                } else {
                    match sender {
                        0 => assert_eq!(bell.queue(), 0),
                        1 => in_queue = true,
                        _ => bell.ring(),
                    }
                    sender += 1;
                }
            }
            let is_rung = bell.event.read().is_ok();
            assert!(in_queue && (!may_sleep || is_rung), "order {order:05b}");
            slept += u32::from(may_sleep);
            rung += u32::from(is_rung);
        }
        assert!(slept > 0 && rung > 0 && rung < 10, "{slept} {rung}");
    }

    /// A worker that is awake costs who commands it no system call, and is woken once.
    #[test]
    fn who_is_awake_is_not_rung_for() {
        let bell = Bell::new().unwrap();
        bell.queue();
        bell.ring();
        assert!(bell.event.read().is_err());
        bell.taken();
        assert!(bell.may_sleep());
        (0..3).for_each(|_| {
            bell.queue();
            bell.ring();
        });
        assert_eq!((bell.event.read(), bell.queued()), (Ok(1), 3));
        bell.is_awake();
        assert!(!bell.may_sleep());
    }
}
