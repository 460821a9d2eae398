//! Where a call goes: an ordered list of attempts, pure and explained; and when to leave one for the next.
//!
//! [`route()`] is a function of the configuration, the [`Health`] of hosts, the admitted call and one random number
//! that is handed in. It waits for nothing: names are looked up by whoever makes the attempt, which then asks
//! [`Health::ordered`] which of the addresses to try first.

mod attempt;
mod carriers;
mod doubt;
mod failover;
mod health;
mod plan;
mod step;
mod target;
mod weight;

pub use attempt::{Attempt, Registered, Via};
pub use doubt::doubts;
pub use failover::{Because, Failover, RouteEnd, last_answer, next_route};
pub use health::{Health, HostKey, ProbeResult, Standing};
pub use plan::{Plan, RouteFacts, attempts, route};
pub use step::RouteStep;
pub use target::Target;

#[cfg(test)]
mod tests;
