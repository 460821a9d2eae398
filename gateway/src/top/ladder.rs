//! What crossed in a call, as arrows between the parties and the gateway.

use std::time::Duration;

use crate::why::{LadderLine, Leg};

/// Columns of an arrow.
const ARROW: usize = 30;

/// Where the first arrow begins.
const MARGIN: usize = 10;

/// The lines of a ladder, 73 columns wide: the caller on the left, the gateway in the middle, the callee on the right.
#[must_use]
pub fn drawn(lines: &[LadderLine]) -> Vec<String> {
    let names = format!("{:MARGIN$}{:<gap$}{:<gap$}{}", "", "caller", "gateway", "callee", gap = ARROW - 2);
    std::iter::once(names).chain(lines.iter().flat_map(line)).collect()
}

fn line(line: &LadderLine) -> Vec<String> {
    let what = match line.status {
        Some(status) => format!("{status} {}", line.method),
        None => line.method.clone(),
    };
    let copies = if line.copies > 0 { format!(" x{}", line.copies + 1) } else { String::new() };
    let joined = if line.leg == Leg::Joined { " (joined)" } else { "" };
    let what = format!(" {what}{copies}{joined} ");
    let to_the_right = (line.leg == Leg::A) != line.sent;
    let arrow = match to_the_right {
        true => format!("{what:-^width$}>", width = ARROW - 1),
        false => format!("<{what:-^width$}", width = ARROW - 1),
    };
    let (left, right) = match line.leg {
        Leg::A => (arrow, " ".repeat(ARROW)),
        Leg::B | Leg::Joined => (" ".repeat(ARROW), arrow),
    };
    let seconds = Duration::from_millis(u64::from(line.milliseconds)).as_secs_f64();
    let left_out =
        (line.left_out > 0).then(|| format!("{:MARGIN$}... {} messages before", "", line.left_out));
    left_out.into_iter().chain([format!("{seconds:>9.3} |{left}|{right}|")]).collect()
}
