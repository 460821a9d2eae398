/// All that a transaction machine needs to know of a response.
///
/// Source: RFC 3261 §7.2 and the labels of figures 5 to 8.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    /// 1xx.
    Provisional,
    /// 2xx.
    Success,
    /// 300 to 699.
    Failure,
}

impl Class {
    /// The class of a status code, which is below 200, below 300, or else a failure.
    pub fn of(code: u16) -> Class {
        match code {
            0..200 => Class::Provisional,
            200..300 => Class::Success,
            _ => Class::Failure,
        }
    }
}
