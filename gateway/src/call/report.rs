//! What is told of each attempt at a host: for the log, the counters and the record.

use std::net::SocketAddr;

use super::Call;
use super::failure::Failed;
use super::io::{Action, AttemptEnd};
use crate::clock::Now;
use crate::record::AttemptDetail;
use crate::route::Failover;

impl Call {
    /// An attempt at the present route begins.
    ///
    /// - `address`: where its INVITE goes; none where it ends before anything is sent.
    pub(super) fn attempt_begins(&mut self, now: Now, address: Option<SocketAddr>) {
        let Some(route) = &self.route else { return };
        let (via, lookup) = (&route.attempt.via, &route.attempt.lookup);
        self.tried.push(AttemptDetail {
            carrier: via.carrier().map(ToString::to_string),
            voice_connector: via.connector().map(ToString::to_string),
            host: lookup.host.to_string(),
            address,
            transport: lookup.transport.parameter().to_owned(),
            started: milliseconds(now),
            ended: None,
            status: None,
            cause: String::new(),
            because: None,
        });
        if let Some(address) = address {
            self.actions.push_back(Action::AttemptBegins { via: via.clone(), address });
        }
    }

    /// It failed, and is left for the next one or not.
    pub(super) fn attempt_failed(&mut self, now: Now, failed: &Failed, verdict: Failover) {
        let end = AttemptEnd::Failed { end: failed.end, left: verdict.goes_on() };
        let because = Some(verdict.to_string());
        self.attempt_ends(now, end, failed.status(), failed.detail.clone(), because);
    }

    /// The present attempt, if there is one, is over.
    pub(super) fn attempt_ends(
        &mut self,
        now: Now,
        end: AttemptEnd,
        status: Option<u16>,
        cause: String,
        because: Option<String>,
    ) {
        let Some(attempt) = self.tried.last_mut().filter(|attempt| attempt.ended.is_none()) else { return };
        (attempt.ended, attempt.status, attempt.cause, attempt.because) =
            (Some(milliseconds(now)), status, cause, because);
        let detail = Box::new(attempt.clone());
        self.actions.push_back(Action::AttemptEnds { detail, end });
    }
}

fn milliseconds(now: Now) -> u64 {
    u64::try_from(now.unix.as_millis()).unwrap_or(u64::MAX)
}
