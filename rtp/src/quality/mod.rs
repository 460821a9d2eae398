//! Quality of a stream: loss, repeats, jitter, round trip, and an opinion score made of them.

mod bursts;
mod impairment;
mod jitter;
mod mos;
mod receiver;
mod round_trip;
mod sequence;
mod spread;

pub use bursts::{BurstCounts, GMIN};
pub use impairment::EquipmentImpairment;
pub use jitter::Jitter;
pub use mos::{Path, mos, rating, wideband_mos, wideband_rating};
pub use receiver::{PayloadFormat, PayloadUse, Receiver};
pub use round_trip::round_trip;
pub use sequence::{Arrived, MAX_DROPOUT, MAX_MISORDER, Sequence};
pub use spread::Spread;
