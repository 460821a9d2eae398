//! Dialogs: what two user agents remember of each other between requests.
//!
//! A [`Dialog`] is plain data (Call-ID, two tags, two numbers, a target and a route set) and writes the requests that go
//! inside it. [`EarlyDialogs`] are those that one INVITE begins. [`UasAccept`] repeats a 2xx until its ACK comes.
//! [`UasReliable`] and [`UacReliable`] are the two sides of provisional responses that are acknowledged.
//! [`SessionTimer`] refreshes a session, or ends it when nobody does.
//! [`OfferAnswer`](offer_answer::OfferAnswer) knows who has offered what in a dialog, and what holds.
//! [`ReferNotifier`] and [`ReferSubscriber`] are the two sides of the subscription that comes with a REFER.

mod accept;
mod early;
mod error;
#[cfg(test)]
mod fixture;
pub mod offer_answer;
mod refer;
mod reliable;
mod route;
mod session_timer;
mod state;

pub use accept::{UasAccept, UasAcceptOutput};
pub use early::{Early, EarlyDialogs, Heard};
pub use error::DialogError;
pub use refer::{
    NoSubscription, ReferNotifier, ReferNotifierOutput, ReferSubscriber, ReferSubscriberOutput, Sipfrag,
};
pub use reliable::{
    Provisional, UacReliable, UacReliableVerdict, UasReliable, UasReliableError, UasReliableOutput,
};
pub use session_timer::{
    SessionAnswer, SessionHeaders, SessionPolicy, SessionRefresher, SessionTerms, SessionTimer,
    SessionTimerOutput,
};
pub use state::{Dialog, DialogId, DialogState, Role};
