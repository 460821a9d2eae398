//! What a process has used.

use std::collections::BTreeMap;
use std::fs;
use std::time::Duration;

use crate::Result;

/// Time on a processor of all threads of a process and of its children, those that ended not included.
///
/// Work of the network stack that runs within a system call, such as delivery over loopback, is in it: of the sender.
pub fn run_time(process: u32) -> Result<Duration> {
    Ok(by_thread(process)?.values().sum())
}

/// How long threads of a process could have run, while others had the processor; summed over the threads.
pub fn wait_time(process: u32) -> Result<Duration> {
    let mut nanos = 0;
    for thread in fs::read_dir(format!("/proc/{process}/task"))? {
        let text = fs::read_to_string(thread?.path().join("schedstat"))?;
        nanos += text.split(' ').nth(1).unwrap_or_default().parse::<u64>()?;
    }
    Ok(Duration::from_nanos(nanos))
}

/// A process and all that come of it.
fn family(process: u32) -> Vec<u32> {
    let mut all = vec![process];
    let mut next = 0;
    while let Some(process) = all.get(next) {
        next += 1;
        let Ok(threads) = fs::read_dir(format!("/proc/{process}/task")) else { continue };
        let children = threads.flatten().map(|thread| fs::read_to_string(thread.path().join("children")));
        for text in children.flatten().collect::<Vec<_>>() {
            all.extend(text.split_whitespace().filter_map(|child| child.parse::<u32>().ok()));
        }
    }
    all
}

/// [`run_time`] by the threads' names, less their numbers.
pub fn by_thread(process: u32) -> Result<BTreeMap<String, Duration>> {
    let mut times = BTreeMap::new();
    for process in family(process) {
        for thread in fs::read_dir(format!("/proc/{process}/task"))? {
            let thread = thread?.path();
            let name = fs::read_to_string(thread.join("comm"))?;
            let name = name.trim().trim_end_matches(|c: char| c == '-' || c.is_ascii_digit());
            let text = fs::read_to_string(thread.join("schedstat"))?;
            let nanos = text.split(' ').next().unwrap_or_default().parse()?;
            *times.entry(name.to_owned()).or_default() += Duration::from_nanos(nanos);
        }
    }
    Ok(times)
}

/// Memory of a process, in KiB.
#[derive(Debug, Clone, Copy)]
pub struct Memory {
    /// Resident.
    pub rss: u64,
    /// The same, shared pages by their share.
    pub pss: u64,
}

/// What a process holds in memory now.
pub fn memory(process: u32) -> Result<Memory> {
    let text = fs::read_to_string(format!("/proc/{process}/smaps_rollup"))?;
    let field = |name: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(name));
        line.and_then(|rest| rest.split_whitespace().next()?.parse().ok()).ok_or("smaps_rollup lacks a field")
    };
    Ok(Memory { rss: field("Rss:")?, pss: field("Pss:")? })
}

/// Datagrams that sockets of a local IPv4 address lost because nobody read them in time.
pub fn unread(address: std::net::Ipv4Addr) -> Result<u64> {
    let wanted = format!("{:08X}:", u32::from_ne_bytes(address.octets()));
    let text = fs::read_to_string("/proc/net/udp")?;
    let lines = text
        .lines()
        .skip(1)
        .filter(|line| line.split_whitespace().nth(1).is_some_and(|local| local.starts_with(&wanted)));
    Ok(lines.filter_map(|line| line.split_whitespace().last()?.parse::<u64>().ok()).sum())
}
