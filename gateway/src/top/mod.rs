//! `voice-connector top`: what the gateway does now, on one screen.
//!
//! ```text
//! control socket -> Sample, calls -> State <- Key
//!                                     \-> draw: a function of the state and the size of the terminal
//! ```
//!
//! Nothing here reads a clock, a key or a socket: that is `cli::top`.

mod figures;
mod ladder;
mod sample;
mod screen;
mod state;

#[cfg(test)]
mod tests;

pub use figures::{Figures, History};
pub use ladder::drawn;
pub use sample::{FAMILIES, Sample};
pub use screen::draw;
pub use state::{Key, State, Wish};
