//! What SIPp says that crossed (`-trace_msg`).

use std::time::Duration;

use bytes::Bytes;
use sip::Message;

/// A message as SIPp sent or received it.
pub struct Traced {
    /// Since the Unix epoch.
    pub at: Duration,
    /// By SIPp.
    pub sent: bool,
    pub message: Message,
}

/// Begins each message; the time follows.
const HEAD: &str = "----------------------------------------------- ";

/// The messages of a file; what was cut short by the end of the run is left out.
pub fn traced(file: &str) -> Vec<Traced> {
    file.split(HEAD).filter_map(one).collect()
}

/// `2026-11-28 11:32:54.040405\nUDP message received [309] bytes :\n\nSIP/2.0 ...`
fn one(entry: &str) -> Option<Traced> {
    let (head, message) = entry.split_once("\n\n")?;
    let (time, what) = head.split_once('\n')?;
    let message = message.replace("\r\n", "\n").replace('\n', "\r\n");
    // SIPp adds a line to what it writes down.
    let message = Message::parse(Bytes::from(message.into_bytes())).ok()?;
    Some(Traced { at: unix(time)?, sent: what.contains(" sent "), message })
}

/// A time of UTC.
fn unix(time: &str) -> Option<Duration> {
    let numbers: Vec<u64> =
        time.split(['-', ' ', ':', '.']).map(|number| number.parse().ok()).collect::<Option<_>>()?;
    let [year, month, day, hour, minute, second, micros] = numbers[..] else { return None };
    // Years begin in March here, so that the day which leap years have more is the last one.
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let days = 365 * year + year / 4 - year / 100 + year / 400 + (153 * month + 2) / 5 + day - 1 - 719_468;
    Some(Duration::new(((days * 24 + hour) * 60 + minute) * 60 + second, u32::try_from(micros).ok()? * 1_000))
}
