//! Memory: what a held call keeps.

use std::time::Duration;

use crate::Result;
use crate::cpu::memory;
use crate::daemon::{Daemon, Subject, Transport};
use crate::signalling::Phones;

/// Calls before the first look, so that what is allocated once is.
const WARM_UP: usize = 50;

/// Growth of each subject from a few held calls to many.
pub fn compare(subjects: &[Subject], calls: usize) -> Result<()> {
    println!("Memory of a held call, from {WARM_UP} to {} calls, no media", WARM_UP + calls);
    for subject in subjects {
        let daemon = Daemon::start(subject, Transport::Udp, false)?;
        let mut phones = Phones::new(subject, Transport::Udp)?;
        phones.place(WARM_UP, 200)?;
        let (before, descriptors) = (memory(daemon.process())?, daemon.descriptors()?);
        phones.place(calls, 200)?;
        std::thread::sleep(Duration::from_millis(500));
        let after = memory(daemon.process())?;
        let per_call = |after: u64, before: u64| (after as f64 - before as f64) / calls as f64;
        println!(
            "  {:<18} RSS {:.1} KiB  PSS {:.1} KiB  descriptors {:.1}   (RSS {} -> {} KiB)",
            subject.name,
            per_call(after.rss, before.rss),
            per_call(after.pss, before.pss),
            per_call(daemon.descriptors()? as u64, descriptors as u64),
            before.rss,
            after.rss,
        );
        phones.hang_up(200)?;
    }
    println!();
    Ok(())
}
