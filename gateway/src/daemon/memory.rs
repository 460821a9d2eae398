//! How much memory there is: what peers may make us hold follows it.

use std::fs::read_to_string;

/// Bytes for each shard: the machine's, or the control group's where that is less. `None` where the system does not say.
pub(super) fn of_a_shard(shards: u16) -> Option<u64> {
    let machine = read_to_string("/proc/meminfo").ok().and_then(|text| total(&text))?;
    let groups = read_to_string("/proc/self/cgroup").unwrap_or_default();
    let limits = limit_files(&groups).filter_map(|file| read_to_string(file).ok()?.trim().parse().ok());
    let all = limits.fold(machine, u64::min);
    Some(all / u64::from(shards.max(1)))
}

/// `MemTotal` of `/proc/meminfo`, in bytes.
fn total(meminfo: &str) -> Option<u64> {
    let line = meminfo.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    kib.checked_mul(1 << 10)
}

/// Where the limits stand of the control group that `/proc/self/cgroup` names, of each above it, and of the one that a
/// container sees as its root; the first version calls them otherwise. `max` is no limit.
fn limit_files(groups: &str) -> impl Iterator<Item = String> {
    let path = groups.lines().find_map(|line| line.strip_prefix("0::")).unwrap_or("/").to_owned();
    let mut next = Some(path.trim_end_matches('/').to_owned());
    let second = std::iter::from_fn(move || {
        let path = next.take()?;
        next = path.rsplit_once('/').map(|(above, _)| above.to_owned());
        Some(format!("/sys/fs/cgroup{path}/memory.max"))
    });
    second.chain(["/sys/fs/cgroup/memory/memory.limit_in_bytes".to_owned()])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_machine_says_what_it_has() {
        let meminfo = "MemTotal:       16303428 kB\nMemFree:         1234 kB\n";
        assert_eq!(total(meminfo), Some(16_303_428 << 10));
        assert_eq!([total(""), total("MemTotal: many kB"), total("MemTotal: 1 MB")], [None; 3]);
        let [one, four] = [1, 4].map(|shards| of_a_shard(shards).unwrap());
        assert!(four > 1 << 20 && one / 4 == four);
    }

    #[test]
    fn every_group_above_may_have_a_limit() {
        let files: Vec<_> =
            limit_files("1:name=systemd:/x\n0::/system.slice/voice-connector.service\n").collect();
        assert_eq!(
            files,
            [
                "/sys/fs/cgroup/system.slice/voice-connector.service/memory.max",
                "/sys/fs/cgroup/system.slice/memory.max",
                "/sys/fs/cgroup/memory.max",
                "/sys/fs/cgroup/memory/memory.limit_in_bytes",
            ]
        );
        assert_eq!(limit_files("").next().unwrap(), "/sys/fs/cgroup/memory.max");
    }
}
