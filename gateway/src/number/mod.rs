//! What a telephone number says by itself: its country, its cost, how it is written and dialled.
//!
//! Nothing here knows a call; `dialect` alone knows what the configuration says of a side.

mod country;
mod dialect;
mod dialled;
mod emergency;
mod format;
mod surcharge;
mod user;

pub use country::{Numbering, PlanEntry, country};
pub use dialect::{Dialect, Rewritten};
use dialled::digits;
pub use dialled::{dialled_digits, dialled_number};
pub use emergency::{is_emergency_service, is_well_known, well_known};
pub use format::{read, write};
pub use surcharge::{Surcharge, surcharge};
pub use user::is_phone;

#[cfg(test)]
mod oracle;
