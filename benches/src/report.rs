//! Medians, and lines of figures.

use std::time::Duration;

/// The measurements of one subject.
#[derive(Debug, Clone)]
pub struct Series {
    pub name: String,
    pub values: Vec<f64>,
    /// What else is to be said of it.
    pub note: String,
}

impl Series {
    pub fn new(name: &str) -> Series {
        Series { name: name.to_owned(), values: Vec::new(), note: String::new() }
    }

    /// The middle one.
    pub fn median(&self) -> f64 {
        let mut sorted = self.values.clone();
        sorted.sort_by(f64::total_cmp);
        sorted.get(sorted.len() / 2).copied().unwrap_or(f64::NAN)
    }

    /// Prints a line: median, range, and the ratio to each of `others` but itself.
    pub fn print(&self, unit: &str, others: &[(&str, f64)]) {
        let least = self.values.iter().copied().fold(f64::INFINITY, f64::min);
        let most = self.values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let ratio = |(name, other): &(&str, f64)| format!("  {:.2} x {name}", self.median() / other);
        println!(
            "  {:<18} {:>8.2} {unit}  [{least:.2} .. {most:.2}]{}{}",
            self.name,
            self.median(),
            others.iter().filter(|(name, _)| *name != self.name).map(ratio).collect::<String>(),
            self.note,
        );
    }
}

/// The value below which a part of the sorted ones is; zero of none.
pub fn percentile(sorted: &[Duration], part: f64) -> Duration {
    let index = (sorted.len() as f64 * part).ceil() as usize;
    sorted.get(index.clamp(1, sorted.len().max(1)) - 1).copied().unwrap_or_default()
}
