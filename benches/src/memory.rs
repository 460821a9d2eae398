//! Memory: what a held call keeps, of the process and of the kernel.

use std::thread::sleep;
use std::time::Duration;

use crate::Result;
use crate::cpu::{Memory, memory};
use crate::daemon::{Daemon, Options, Subject, Transport};
use crate::kernel::{Sockets, sockets};
use crate::phones::Phones;

/// Calls before the first look, so that what is allocated once is.
const WARM_UP: usize = 50;

/// All that is looked at, before and after.
struct Look {
    memory: Memory,
    sockets: Sockets,
    descriptors: u64,
}

impl Look {
    fn at(daemon: &Daemon) -> Result<Look> {
        let (memory, descriptors) = (memory(daemon.process())?, daemon.descriptors()? as u64);
        Ok(Look { memory, sockets: sockets()?, descriptors })
    }
}

/// Growth of each subject from a few held calls to many.
///
/// - `settle`: how long calls are held before each look; after 32 s no transaction of theirs is left.
pub fn compare(subjects: &[Subject], calls: usize, settle: Duration) -> Result<()> {
    println!(
        "Memory of a held call, from {WARM_UP} to {} calls held for {settle:.1?}, no media",
        WARM_UP + calls
    );
    for subject in subjects {
        let daemon = Daemon::start(subject, &Options::default())?;
        let mut phones = Phones::new(subject, Transport::Udp)?;
        phones.place(WARM_UP, 200)?;
        sleep(settle);
        let before = Look::at(&daemon)?;
        phones.place(calls, 200)?;
        sleep(settle);
        let after = Look::at(&daemon)?;
        let grown = |of: fn(&Look) -> u64| (of(&after) as f64 - of(&before) as f64) / calls as f64;
        println!(
            "  {:<18} RSS {:.1} KiB  PSS {:.1} KiB  descriptors {:.1}   (RSS {} -> {} KiB)",
            subject.name,
            grown(|look| look.memory.rss),
            grown(|look| look.memory.pss),
            grown(|look| look.descriptors),
            before.memory.rss,
            after.memory.rss,
        );
        let slab = match after.sockets.slab {
            Some(_) => format!(
                "{:.1} KiB (/proc/slabinfo, of the whole machine)",
                grown(|look| look.sockets.slab.unwrap_or_default())
            ),
            None => "not known (/proc/slabinfo is for privileged readers)".to_owned(),
        };
        println!(
            "  {:<18} UDP sockets {:.1}, queued {:.2} KiB (/proc/net/sockstat)  objects {slab}",
            "  in the kernel",
            grown(|look| look.sockets.udp),
            grown(|look| look.sockets.queued),
        );
        phones.hang_up(200)?;
    }
    println!();
    Ok(())
}
