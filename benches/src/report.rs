//! Medians, and lines of figures.

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

    /// Prints a line: median, range, and the ratio to `floor`.
    pub fn print(&self, unit: &str, floor: Option<(&str, f64)>) {
        let least = self.values.iter().copied().fold(f64::INFINITY, f64::min);
        let most = self.values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let ratio = floor.map(|(name, floor)| format!("  {:.2} x {name}", self.median() / floor));
        println!(
            "  {:<18} {:>8.2} {unit}  [{least:.2} .. {most:.2}]{}{}",
            self.name,
            self.median(),
            ratio.unwrap_or_default(),
            self.note,
        );
    }
}
