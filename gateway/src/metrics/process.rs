//! The process as the system sees it: processor time by thread, memory, open files. Nothing where there is no `/proc`.

use std::collections::BTreeMap;
use std::fs::{read_dir, read_to_string};
use std::time::{SystemTime, UNIX_EPOCH};

use nix::sys::resource::{Resource, getrlimit};

use super::{Metrics, Page, as_f64};

/// Clock ticks of `/proc/PID/stat` in a second: `USER_HZ`, the same on every Linux.
const TICKS: f64 = 100.0;

impl Metrics {
    /// Shows the process, from now on, in every rendering.
    pub fn show_process(&self) {
        let started = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64();
        self.on_page(move |page| {
            page.family("process_start_time_seconds").show(&[], started);
            show(page);
        });
    }
}

fn show(page: &mut Page) {
    let mut one = |name, value: Option<f64>| {
        if let Some(value) = value {
            page.family(name).show(&[], value);
        }
    };
    one("process_cpu_seconds_total", read_to_string("/proc/self/stat").ok().and_then(|text| cpu(&text)));
    let status = read_to_string("/proc/self/status").unwrap_or_default();
    let kib = |key| number(&status, key).map(|kib| kib * 1024.0);
    one("process_resident_memory_bytes", kib("VmRSS:"));
    one("process_virtual_memory_bytes", kib("VmSize:"));
    one("process_threads", number(&status, "Threads:"));
    one("process_open_fds", read_dir("/proc/self/fd").ok().map(|files| as_f64(files.count())));
    let most = getrlimit(Resource::RLIMIT_NOFILE).ok();
    one("process_max_fds", most.map(|(soft, _)| as_f64(usize::try_from(soft).unwrap_or(usize::MAX))));
    let mut threads = page.family("voice_connector_thread_cpu_seconds_total");
    for (name, seconds) in by_thread() {
        threads.show(&[("thread", &name)], seconds);
    }
}

/// Processor seconds of the threads of each name: ours give each a name that the program chose.
fn by_thread() -> BTreeMap<String, f64> {
    let mut sums = BTreeMap::new();
    for task in read_dir("/proc/self/task").into_iter().flatten().flatten() {
        // A thread may end meanwhile.
        let Ok(stat) = read_to_string(task.path().join("stat")) else { continue };
        if let (Some(name), Some(seconds)) = (name(&stat), cpu(&stat)) {
            *sums.entry(name.to_owned()).or_default() += seconds;
        }
    }
    sums
}

/// The name in `42 (shard-0) S ...`, which may hold parentheses itself.
fn name(stat: &str) -> Option<&str> {
    let (before, _) = stat.rsplit_once(')')?;
    before.split_once('(').map(|(_, name)| name)
}

/// `utime` and `stime` of `/proc/PID/stat`, the 14th and 15th field.
fn cpu(stat: &str) -> Option<f64> {
    let (_, fields) = stat.rsplit_once(')')?;
    let mut fields = fields.split_ascii_whitespace().skip(11).map(str::parse::<f64>);
    Some((fields.next()?.ok()? + fields.next()?.ok()?) / TICKS)
}

fn number(status: &str, key: &str) -> Option<f64> {
    let line = status.lines().find_map(|line| line.strip_prefix(key))?;
    line.split_ascii_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thread_is_told_by_its_name_and_its_time() {
        let stat = "42 (a) (b) S 1 2 3 4 5 6 7 8 9 10 250 50 0 0 20 0 1 0";
        assert_eq!((name(stat), cpu(stat)), (Some("a) (b"), Some(3.0)));
        assert_eq!((name("no"), cpu("42 (a) S 1 2")), (None, None));
        assert_eq!(number("VmSize:\t  100 kB\nVmRSS:\t   64 kB\n", "VmRSS:"), Some(64.0));
    }

    #[test]
    fn this_process_has_memory_and_files_and_its_threads_have_names() {
        let metrics = Metrics::new("r");
        metrics.show_process();
        let work = || (0..30_000_000_u64).fold(0, |sum, n| std::hint::black_box(sum ^ n));
        let thread = std::thread::Builder::new().name("shard-77".to_owned());
        let (done, waits) = std::sync::mpsc::channel::<()>();
        let thread = thread.spawn(move || (work(), waits.recv())).unwrap();
        let shown = |name: &str| {
            let text = metrics.render();
            let line = text.lines().find(|line| line.starts_with(name))?;
            Some(line.rsplit(' ').next().unwrap().parse::<f64>().unwrap())
        };
        let value = |name: &str| shown(name).unwrap();
        // It may not have begun yet.
        while shown("voice_connector_thread_cpu_seconds_total{thread=\"shard-77\"}")
            .is_none_or(|cpu| cpu == 0.0)
        {
            std::thread::yield_now();
        }
        drop(done);
        drop(thread.join());
        assert!(value("process_resident_memory_bytes") > 1e6);
        assert!(value("process_open_fds") >= 3.0 && value("process_max_fds") > value("process_open_fds"));
        assert!(value("process_start_time_seconds") > 1.7e9);
    }
}
