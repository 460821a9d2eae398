//! What the tests need of the machine.

use std::time::{Duration, Instant};

/// How long a test waits for what happens at once, on a machine that has other work.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// Whether programs are missing that the test can't do without, which is then said. In CI none may be.
pub fn missing(programs: &[&str]) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let there = |program: &&&str| std::env::split_paths(&path).any(|folder| folder.join(program).is_file());
    let missing: Vec<&str> = programs.iter().filter(|program| !there(program)).copied().collect();
    if missing.is_empty() {
        return false;
    }
    let missing = missing.join(", ");
    assert!(std::env::var("CI").as_deref() != Ok("true"), "not installed: {missing} (.ci/setup test)");
    eprintln!("SKIPPED: not installed: {missing} (.ci/setup test)");
    true
}

/// Asks `attempt` again and again until it gives something.
pub fn eventually<T>(what: &str, limit: Duration, mut attempt: impl FnMut() -> Result<T, String>) -> T {
    let until = Instant::now() + limit;
    loop {
        match attempt() {
            Ok(value) => return value,
            Err(last) => assert!(Instant::now() < until, "{what}: not within {limit:?}: {last}"),
        }
        std::thread::sleep(Duration::from_millis(100));
    }
}
