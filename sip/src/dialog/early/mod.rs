//! Early dialogs and forks. RFC 3261 §12.1, §13.2.2.4; RFC 6228.

#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::time::Instant;

use super::{Dialog, DialogError};
use crate::Message;
use crate::transaction::Timers;

/// The dialogs that one INVITE of ours begins: a proxy may fork it, and each phone answers with a To tag of its own.
///
/// ```text
///                 1xx with a new tag                 first 2xx
///    no dialog ------------------------> early ---------------------> confirmed: handed over
///                                        |  |
///                199, 300 and above, or  |  |  2xx after the first
///    ended <-----------------------------+  +-----------------------> forked: ACK and BYE
///                64*T1 after the first 2xx
/// ```
///
/// A 2xx may come without a 1xx before it. 100 and a 1xx without To tag begin nothing. `T` is what the owner keeps of each
/// dialog ([`OfferAnswer`](super::offer_answer::OfferAnswer), its tag on the other leg): each begins with a clone of what the
/// INVITE left. No more than `limit` are remembered of what a hostile peer may send without end; the first 2xx is taken
/// whatever came before it.
///
/// Source: RFC 3261 §12.1.2, §13.2.2; RFC 6228 §4.
#[derive(Debug)]
pub struct EarlyDialogs<T> {
    limit: usize,
    timers: Timers,
    /// What each dialog begins with.
    template: T,
    dialogs: Vec<Early<T>>,
    /// Tags of dialogs that a 199 ended, oldest first: a late 1xx of theirs begins them no more.
    ended: VecDeque<String>,
    state: State,
    outputs: VecDeque<Early<T>>,
}

/// One dialog and what its owner keeps of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Early<T> {
    /// The dialog, with the target and the route set of its newest response.
    pub dialog: Dialog,
    /// The owner's.
    pub data: T,
}

/// What a response to the INVITE means for its dialogs.
#[derive(Debug, PartialEq, Eq)]
#[must_use]
pub enum Heard<'e, T> {
    /// The response begins, changes and ends no dialog.
    NoDialog,
    /// A 1xx began this dialog.
    Began(&'e mut Early<T>),
    /// A 1xx inside this dialog, which may have brought a new target.
    Early(&'e mut Early<T>),
    /// A 199 ended this dialog alone.
    Ended(Early<T>),
    /// The first 2xx: the session is with this one. The others may still bring a 2xx for 64*T1, and are ended then.
    Confirmed(Early<T>),
    /// A 2xx of another fork: send its ACK, then a BYE. RFC 3261 §13.2.2.4.
    Forked(Early<T>),
    /// A 2xx of a dialog that had one: send the ACK again.
    Repeated,
    /// A final response other than 2xx: all dialogs are ended, as [`poll_output`](EarlyDialogs::poll_output) tells.
    Refused,
}

#[derive(Debug)]
enum State {
    Proceeding,
    /// The tags that had a 2xx, and when the dialogs that had none are ended.
    Accepted {
        tags: Vec<String>,
        end: Option<Instant>,
    },
    /// A late 2xx to a refused INVITE is a fork like any other.
    Refused {
        tags: Vec<String>,
    },
}

impl<T: Clone> EarlyDialogs<T> {
    /// The early dialogs of an INVITE that is about to be sent: none yet, and never more than `limit`.
    pub fn new(limit: usize, template: T, timers: Timers) -> Self {
        EarlyDialogs {
            limit,
            timers,
            template,
            dialogs: Vec::new(),
            ended: VecDeque::new(),
            state: State::Proceeding,
            outputs: VecDeque::new(),
        }
    }

    /// Takes a response to `invite`.
    ///
    /// # Errors
    /// For a response that would begin one dialog too many, and for one whose headers give no dialog; nothing is changed.
    pub fn handle_response(
        &mut self,
        now: Instant,
        invite: &Message,
        response: &Message,
    ) -> Result<Heard<'_, T>, DialogError> {
        let status = response.status().ok_or(DialogError::NoDialog)?.code();
        let tag = response.to_tag();
        match (status, tag) {
            (..=100, _) | (101..=199, None) => Ok(Heard::NoDialog),
            (199, Some(tag)) => Ok(self.terminated(tag.into_owned())),
            (101..=198, Some(tag)) => self.provisional(invite, response, &tag),
            (200..=299, tag) => self.accepted(now, invite, response, tag.unwrap_or_default().into_owned()),
            _ => Ok(self.refused()),
        }
    }

    /// Ends what has had no 2xx when its time is over. Early or repeated calls are harmless.
    pub fn handle_timeout(&mut self, now: Instant) {
        if let State::Accepted { end, .. } = &mut self.state
            && end.is_some_and(|due| due <= now)
        {
            *end = None;
            self.outputs.extend(self.dialogs.drain(..));
        }
    }

    /// The next dialog that has ended without a 2xx of its own, because of the INVITE's final response; drain to `None`
    /// after every other call.
    pub fn poll_output(&mut self) -> Option<Early<T>> {
        self.outputs.pop_front()
    }

    /// When to call [`handle_timeout`](Self::handle_timeout); `None` before the first 2xx and where no dialog waits.
    pub fn poll_timeout(&self) -> Option<Instant> {
        match &self.state {
            State::Accepted { end, .. } => end.filter(|_| !self.dialogs.is_empty()),
            State::Proceeding | State::Refused { .. } => None,
        }
    }

    /// The early dialog of a message from the peer.
    pub fn find(&mut self, message: &Message) -> Option<&mut Early<T>> {
        self.dialogs.iter_mut().find(|early| early.dialog.matches(message))
    }

    /// The early dialog with this To tag.
    pub fn get(&mut self, remote_tag: &str) -> Option<&mut Early<T>> {
        self.dialogs.iter_mut().find(|early| early.dialog.remote_tag == remote_tag)
    }

    /// The early dialogs, in the order in which they began.
    pub fn iter(&self) -> impl Iterator<Item = &Early<T>> {
        self.dialogs.iter()
    }

    /// The same, to be changed.
    pub fn iter_mut(&mut self) -> impl Iterator<Item = &mut Early<T>> {
        self.dialogs.iter_mut()
    }

    fn provisional(
        &mut self,
        invite: &Message,
        response: &Message,
        tag: &str,
    ) -> Result<Heard<'_, T>, DialogError> {
        if self.dialogs.iter().any(|early| early.dialog.remote_tag == tag) {
            return Ok(self.get(tag).map_or(Heard::NoDialog, |early| {
                early.dialog.handle_response(response);
                Heard::Early(early)
            }));
        }
        if !matches!(self.state, State::Proceeding) || self.ended.iter().any(|ended| ended == tag) {
            return Ok(Heard::NoDialog);
        }
        if self.dialogs.len() >= self.limit {
            return Err(DialogError::TooManyForks(self.limit));
        }
        let early = Early { dialog: Dialog::uac(invite, response)?, data: self.template.clone() };
        self.dialogs.push(early);
        Ok(self.dialogs.last_mut().map_or(Heard::NoDialog, Heard::Began))
    }

    fn terminated(&mut self, tag: String) -> Heard<'_, T> {
        let Some(early) = self.remove(&tag) else { return Heard::NoDialog };
        if self.ended.len() >= self.limit {
            self.ended.pop_front();
        }
        self.ended.push_back(tag);
        Heard::Ended(early)
    }

    fn accepted(
        &mut self,
        now: Instant,
        invite: &Message,
        response: &Message,
        tag: String,
    ) -> Result<Heard<'_, T>, DialogError> {
        match &self.state {
            State::Accepted { tags, .. } | State::Refused { tags } if tags.contains(&tag) => {
                return Ok(Heard::Repeated);
            }
            State::Accepted { tags, .. } | State::Refused { tags } if tags.len() >= self.limit => {
                return Err(DialogError::TooManyForks(self.limit));
            }
            _ => {}
        }
        let early = match self.remove(&tag) {
            Some(mut early) => {
                early.dialog.handle_response(response);
                early
            }
            None => Early { dialog: Dialog::uac(invite, response)?, data: self.template.clone() },
        };
        match &mut self.state {
            State::Accepted { tags, .. } | State::Refused { tags } => {
                tags.push(tag);
                Ok(Heard::Forked(early))
            }
            State::Proceeding => {
                let end = Some(now + self.timers.t1_64());
                self.state = State::Accepted { tags: vec![tag], end };
                Ok(Heard::Confirmed(early))
            }
        }
    }

    fn refused(&mut self) -> Heard<'_, T> {
        if !matches!(self.state, State::Proceeding) {
            return Heard::NoDialog;
        }
        self.state = State::Refused { tags: Vec::new() };
        self.outputs.extend(self.dialogs.drain(..));
        Heard::Refused
    }

    fn remove(&mut self, tag: &str) -> Option<Early<T>> {
        let at = self.dialogs.iter().position(|early| early.dialog.remote_tag == tag)?;
        Some(self.dialogs.remove(at))
    }
}
