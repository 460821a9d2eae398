//! Open files, ports, buffers, the clock, the kernel.

use std::fs::read_to_string;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use config::{Config, Transport};
use nix::sys::resource::{Resource, getrlimit};

use super::{Finding, Wanted};
use crate::listen::bind::UDP_BUFFER;
use crate::media;

/// Files that a call takes where each media port is one.
const FILES_OF_A_CALL: u64 = 4;
/// Beside media: connections, records, threads.
const OTHER_FILES: u64 = 1_024;
/// The version was made after this: 2026-01-01.
const EARLIEST: u64 = 1_767_225_600;
/// Capabilities of `/proc/self/status`.
const NET_BIND_SERVICE: u32 = 10;

pub(super) fn look(config: &Config, wanted: Wanted) -> Vec<Finding> {
    let mut findings = vec![files(wanted)];
    findings.extend(ports(config, wanted));
    findings.extend(ephemeral(config));
    findings.extend(buffers(config));
    findings.extend(clock());
    findings.extend(kernel(config));
    findings
}

fn files(wanted: Wanted) -> Finding {
    let hard = getrlimit(Resource::RLIMIT_NOFILE).map_or(1_024, |(_, hard)| hard);
    let calls = hard.saturating_sub(OTHER_FILES) / FILES_OF_A_CALL;
    let text = format!("{hard} may be open: {calls} calls where each media port is one");
    let Some(need) = wanted.calls.map(|calls| calls as u64 * FILES_OF_A_CALL + OTHER_FILES) else {
        return Finding::note("files", text);
    };
    if hard >= need {
        return Finding::good("files", text);
    }
    let remedy =
        format!("LimitNOFILE={need} in the unit, or ulimit -Hn {need}; or media.driver = \"sk_lookup\"");
    Finding::bad("files", text, remedy)
}

fn ports(config: &Config, wanted: Wanted) -> Vec<Finding> {
    let pairs =
        usize::from(config.media.ports.pairs()) - usize::from(config.media.emergency_ports).div_ceil(2);
    let calls = pairs * config.media_addresses().len().max(1) / 2;
    let text = format!("media.ports {} has room for {calls} calls", config.media.ports);
    let finding = match wanted.calls {
        Some(expected) if expected > calls => {
            let need = expected * 4 + usize::from(config.media.emergency_ports);
            Finding::bad(
                "ports",
                text,
                format!("a range of {need} ports, or more addresses in media.address"),
            )
        }
        Some(_) => Finding::good("ports", text),
        None => Finding::note("ports", text),
    };
    let doubt = media::doubt(config).map(|doubt| {
        let remedy = "choose another range, or net.ipv4.ip_local_reserved_ports without it";
        Finding::warning("ports", doubt, remedy)
    });
    [Some(finding), doubt].into_iter().flatten().collect()
}

/// Ports that the kernel hands out to anybody who asks for none.
fn ephemeral(config: &Config) -> Option<Finding> {
    let range = read_to_string("/proc/sys/net/ipv4/ip_local_port_range").ok()?;
    let mut range = range.split_ascii_whitespace().map(str::parse::<u16>);
    let (Ok(first), Ok(last)) = (range.next()?, range.next()?) else { return None };
    let ours = &config.media.ports;
    let listens = config.listen.iter().map(|listen| listen.address.port());
    let within = listens.filter(|port| (first..=last).contains(port)).max();
    let overlap = first.max(ours.first())..=last.min(ours.last());
    if let Some(port) = within {
        let text =
            format!("listener port {port} is among those that the kernel gives away ({first} to {last})");
        let remedy = format!("sysctl -w net.ipv4.ip_local_reserved_ports={port}");
        return Some(Finding::warning("ports", text, remedy));
    }
    if overlap.is_empty() {
        return Some(Finding::good("ports", format!("none that the kernel gives away ({first} to {last})")));
    }
    let text = format!(
        "{} of media.ports are among those that the kernel gives away ({first} to {last}): what others hold is passed over",
        overlap.len()
    );
    Some(Finding::note("ports", text))
}

fn buffers(config: &Config) -> Option<Finding> {
    if config.listen.iter().all(|listen| listen.protocol != Transport::Udp) {
        return None;
    }
    let most: usize = read_to_string("/proc/sys/net/core/rmem_max").ok()?.trim().parse().ok()?;
    let text = format!("net.core.rmem_max is {most}: a burst of SIP by UDP may wait in {UDP_BUFFER} bytes");
    Some(if most >= UDP_BUFFER {
        Finding::good("buffers", text)
    } else {
        Finding::warning("buffers", text, format!("sysctl -w net.core.rmem_max={UDP_BUFFER}"))
    })
}

fn clock() -> Vec<Finding> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    if now < EARLIEST {
        let text =
            "the clock is years behind: every certificate looks as if it were not valid yet".to_owned();
        return vec![Finding::bad("clock", text, "run chrony or systemd-timesyncd")];
    }
    let signs = [
        "/run/systemd/timesync/synchronized",
        "/run/chrony/chronyd.pid",
        "/run/chronyd.pid",
        "/run/ntpd.pid",
    ];
    let kept = match signs.iter().find(|sign| Path::new(sign).exists()) {
        Some(sign) => Finding::good("clock", format!("something keeps it right ({sign})")),
        None => Finding::warning(
            "clock",
            "nothing seems to keep it right: records and certificates go by it",
            "run chrony or systemd-timesyncd; in a container the host's counts, which can't be seen from here",
        ),
    };
    let source = read_to_string("/sys/devices/system/clocksource/clocksource0/current_clocksource");
    let slow = source.ok().filter(|source| matches!(source.trim(), "hpet" | "acpi_pm" | "jiffies"));
    let slow = slow.map(|source| {
        let text =
            format!("the kernel reads {}, which is slow: each packet asks for the time", source.trim());
        Finding::warning("clock", text, "clocksource=tsc, or the paravirtual clock of the hypervisor")
    });
    [Some(kept), slow].into_iter().flatten().collect()
}

fn kernel(config: &Config) -> Vec<Finding> {
    let release = read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let release = release.trim();
    let mut findings = vec![match media::driver_here() {
        Ok(()) => {
            Finding::good("kernel", format!("{release}: sk_lookup is to be had, media ports are no files"))
        }
        Err(error) => {
            let text = format!("{release}: media by epoll, a socket for each port (sk_lookup: {error})");
            Finding::note("kernel", text)
        }
    }];
    let low = config
        .listen
        .iter()
        .map(|listen| listen.address.port())
        .filter(|port| (1..1_024).contains(port))
        .min();
    let first: u16 = read_to_string("/proc/sys/net/ipv4/ip_unprivileged_port_start")
        .ok()
        .and_then(|text| text.trim().parse().ok())
        .unwrap_or(1_024);
    if let Some(port) = low.filter(|port| *port < first && !has_capability(NET_BIND_SERVICE)) {
        let text = format!("port {port} is for privileged programs alone");
        findings.push(Finding::bad("kernel", text, "AmbientCapabilities=CAP_NET_BIND_SERVICE in the unit"));
    }
    findings
}

fn has_capability(number: u32) -> bool {
    let status = read_to_string("/proc/self/status").unwrap_or_default();
    let effective = status.lines().find_map(|line| line.strip_prefix("CapEff:"));
    let effective = effective.and_then(|bits| u64::from_str_radix(bits.trim(), 16).ok()).unwrap_or(0);
    effective >> number & 1 == 1
}
