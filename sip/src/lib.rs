//! sip

pub mod auth;
pub mod dialog;
pub mod sdp;
pub mod transaction;
