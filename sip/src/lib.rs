//! sip

pub mod dialog;
pub mod sdp;
pub mod transaction;
