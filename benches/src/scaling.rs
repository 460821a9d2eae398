//! Whether a packet costs the same among few calls and many, on one core and on two.

use std::time::Duration;

use crate::Result;
use crate::daemon::Subject;
use crate::media;
use crate::relay::Load;

/// As `taskset` has them. The generator has the first of the two, so that its share of that is no figure.
const CORES: [&str; 2] = ["1", "0,1"];

/// Measures each number of calls; the streams send less often where all together would send more than `packets` a second.
///
/// Prints what a packet costs, and the same in times of what it costs with the second number of calls.
pub fn run(
    subjects: &[Subject],
    calls: &[usize],
    packets: usize,
    window: Duration,
    rounds: usize,
) -> Result<()> {
    for cores in CORES {
        let mut rows = Vec::new();
        println!("The daemon on core {cores}\n");
        for calls in calls {
            let load = Load { cores, ..Load::bounded(*calls, packets) };
            rows.push((*calls, media::compare(subjects, false, &load, window, rounds)?));
        }
        let base = rows.get(1).or(rows.first()).cloned();
        let Some((base_calls, base)) = base else { continue };
        println!("µs a packet on core {cores}, and times that of {base_calls} calls");
        for (calls, figures) in &rows {
            let cells = figures
                .iter()
                .zip(&base)
                .map(|((name, figure), (_, base))| format!("  {name} {figure:.2} ({:.2} x)", figure / base));
            println!("  {calls:>6} calls{}", cells.collect::<String>());
        }
        println!();
    }
    Ok(())
}
