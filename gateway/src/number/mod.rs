//! What a telephone number says by itself: its country, its cost, how it is written and dialled.
//!
//! Nothing here knows a configuration or a call.

mod country;
mod dialled;
mod emergency;
mod format;
mod surcharge;

pub use country::{Numbering, calling_code_len, country};
pub use dialled::{dialled_digits, dialled_number};
pub use emergency::{is_emergency_service, is_well_known, well_known};
pub use format::{read, write};
pub use surcharge::{Surcharge, surcharge};

#[cfg(test)]
mod oracle;
