//! What sockets keep in the kernel.

use std::fs;

use crate::Result;

/// Caches of the kernel that a socket and its descriptor have a part in.
const CACHES: [&str; 9] = [
    "UDP",
    "UDPv6",
    "TCP",
    "sock_inode_cache",
    "filp",
    "dentry",
    "eventpoll_epi",
    "eventpoll_pwq",
    "ep_head",
];

/// Kernel memory of sockets.
#[derive(Debug, Clone, Copy)]
pub struct Sockets {
    /// UDP sockets of this network namespace (`/proc/net/sockstat`).
    pub udp: u64,
    /// What waits in them, in KiB (the same).
    pub queued: u64,
    /// Objects of theirs and of descriptors on the whole machine, in KiB (`/proc/slabinfo`); `None` where it may not be read.
    pub slab: Option<u64>,
}

/// What they hold now.
pub fn sockets() -> Result<Sockets> {
    let text = fs::read_to_string("/proc/net/sockstat")?;
    let line = text.lines().find_map(|line| line.strip_prefix("UDP: ")).ok_or("sockstat lacks UDP")?;
    let words: Vec<&str> = line.split_whitespace().collect();
    let field = |name: &str| {
        let position = words.iter().position(|word| *word == name);
        position.and_then(|position| words.get(position + 1)?.parse().ok()).unwrap_or(0_u64)
    };
    Ok(Sockets { udp: field("inuse"), queued: field("mem") * 4, slab: slab() })
}

fn slab() -> Option<u64> {
    let text = fs::read_to_string("/proc/slabinfo").ok()?;
    let bytes = text.lines().filter_map(|line| {
        // Name, active objects, all objects, size of one.
        let mut words = line.split_whitespace();
        let name = words.next()?;
        let (active, size): (u64, u64) = (words.next()?.parse().ok()?, words.nth(1)?.parse().ok()?);
        CACHES.contains(&name).then_some(active * size)
    });
    Some(bytes.sum::<u64>() / 1024)
}
