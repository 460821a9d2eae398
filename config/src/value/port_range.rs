//! Ranges of media ports.

use std::fmt;

use super::ValueError;

/// UDP ports for media, both ends included: starts on an even port and holds at least one RTP/RTCP pair.
///
/// Source: RFC 3550 §11.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PortRange {
    first: u16,
    last: u16,
}

impl PortRange {
    /// `[5000, 65000]`.
    pub(crate) const DEFAULT: Self = Self { first: 5000, last: 65000 };

    /// Fails unless `first` is even, at least 1024, and `last` is greater than `first`.
    pub fn new(first: u16, last: u16) -> Result<Self, ValueError> {
        let problem = if first < 1024 {
            format!("port {first} is reserved for the system")
        } else if first % 2 == 1 {
            format!("the range starts on the odd port {first}; RTP takes even ports")
        } else if last <= first {
            format!("[{first}, {last}] holds no RTP/RTCP pair")
        } else {
            return Ok(Self { first, last });
        };
        let even = (first.clamp(1024, 65534)).next_multiple_of(2);
        let end = if last > even { last } else { even.saturating_add(999) };
        Err(ValueError::new(problem, format!("[{even}, {end}]")))
    }

    /// The first port; even.
    pub fn first(self) -> u16 {
        self.first
    }

    /// The last port, which belongs to the range.
    pub fn last(self) -> u16 {
        self.last
    }

    /// The number of RTP/RTCP pairs; at least 1.
    pub fn pairs(self) -> u16 {
        // `first` is even, so an odd distance ends on the odd port of a pair and an even one on a lone port.
        (self.last - self.first).div_ceil(2)
    }
}

impl fmt::Display for PortRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "[{}, {}]", self.first, self.last)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_starts_even_and_holds_a_pair() {
        for (first, last, outcome) in [
            (5000, 65000, Ok(30000)),
            (5000, 5001, Ok(1)),
            (1024, 65535, Ok(32256)),
            (5000, 5000, Err("[5000, 5999]")),
            (5001, 65000, Err("[5002, 65000]")),
            (6000, 5000, Err("[6000, 6999]")),
            (80, 90, Err("[1024, 2023]")),
            (65535, 65535, Err("[65534, 65535]")),
        ] {
            let range = PortRange::new(first, last).map(PortRange::pairs).map_err(|error| error.remedy);
            assert_eq!(range, outcome.map_err(String::from), "[{first}, {last}]");
        }
    }
}
