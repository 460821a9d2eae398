//! What a phone has put off: PRACKs that come late, offers made again, refreshes.

use std::time::{Duration, Instant};

use sip::{Message, Method};

use super::{Fault, Phone, Stage};

/// One thing to do, for the call of that index.
pub(super) enum Chore {
    Prack(usize, Message),
    /// Once more, though it was acknowledged.
    PrackAgain(usize, Message),
    /// Offers again, by that method and with that direction.
    Offer(usize, Method, Option<String>),
    /// Refreshes the session, unless there was another refresh since: their count.
    Refresh(usize, u64),
    /// Nobody has refreshed the session.
    Expire(usize, u64),
}

impl Phone {
    pub(super) fn do_later(&mut self, at: Instant, chore: Chore) {
        self.serial += 1;
        self.chores.insert((at, self.serial), chore);
    }

    pub(super) fn do_chores(&mut self, now: Instant) {
        while let Some(entry) = self.chores.first_entry()
            && entry.key().0 <= now
        {
            let chore = entry.remove();
            self.perform(now, chore);
        }
    }

    fn perform(&mut self, now: Instant, chore: Chore) {
        match chore {
            Chore::Prack(index, response) => self.prack(now, index, &response),
            Chore::PrackAgain(index, response) => {
                let call = &mut self.calls[index];
                call.turn_to(&response.to_tag().unwrap_or_default());
                // The second PRACK must not overtake the first, which may carry the answer.
                match call.progress.pracking {
                    true => {
                        self.do_later(now + Duration::from_millis(300), Chore::PrackAgain(index, response))
                    }
                    false => self.prack(now, index, &response),
                }
            }
            Chore::Offer(index, method, direction) => self.offer_again(now, index, method, direction),
            Chore::Refresh(index, count) => self.refresh(now, index, count),
            Chore::Expire(..) if self.fault == Some(Fault::NeverRefreshes) => {}
            Chore::Expire(index, count) => {
                let call = &self.calls[index];
                if call.stage == Stage::Up
                    && call.session.as_ref().is_some_and(|session| session.count == count)
                {
                    self.calls[index].expired = true;
                    self.request(now, index, Method::Bye, None);
                }
            }
        }
    }
}
