//! What a phone sends once more: an INVITE that was redirected or whose interval was too small, an offer that met 491.

use std::time::{Duration, Instant};

use sip::{Message, Method, Name};

use super::chores::Chore;
use super::{Phone, Stage};
use crate::random::Random;

impl Phone {
    /// Answers an INVITE with a redirection to these URIs.
    pub fn redirect(&mut self, now: Instant, index: usize, status: u16, uris: &[String]) {
        let contacts: Vec<String> = uris.iter().map(|uri| format!("<{uri}>")).collect();
        let headers: Vec<(&str, &str)> =
            contacts.iter().map(|contact| ("Contact", contact.as_str())).collect();
        self.respond(now, index, status, false, &headers);
    }

    /// Its first INVITE was refused: true, where it calls again for that.
    pub(super) fn invites_again(&mut self, now: Instant, index: usize, refusal: &Message) -> bool {
        let call = &mut self.calls[index];
        let Some(status) = refusal.status().map(|status| status.code()) else { return false };
        if call.cancelled || call.stage != Stage::Open {
            return false;
        }
        let mut again = call.invite.edit();
        match (status, &mut self.abilities.timer) {
            (422, Some(habit)) => {
                let least =
                    refusal.value(Name::MinSe).and_then(|value| value.trim().parse().ok()).unwrap_or(0);
                if least <= habit.expires && least <= habit.min {
                    return false;
                }
                habit.min = habit.min.max(least);
                habit.expires = habit.expires.max(least);
                again = again.remove(Name::SessionExpires).remove(Name::MinSe);
            }
            (300..=399, _) if call.hops < self.abilities.follows => {
                let Some(Ok(contact)) = refusal.contacts().next() else { return false };
                call.hops += 1;
                again = again.uri(&contact.uri.to_string());
            }
            _ => return false,
        }
        if status == 422 {
            again = self.timed(again);
        }
        let branch = self.branch();
        let cseq = self.calls[index].invite.cseq().map_or(1, |cseq| cseq.number) + 1;
        let again = again.set(Name::Via, self.via(&branch)).set(Name::CSeq, format!("{cseq} INVITE")).build();
        let call = &mut self.calls[index];
        let delayed = call.client.is_some_and(|id| call.delayed.contains(&id));
        call.invite = again.clone();
        call.media = call.first_media.clone();
        call.others.clear();
        call.progress = Default::default();
        call.dialog = None;
        let id = self.send(now, index, again);
        let call = &mut self.calls[index];
        call.client = Some(id);
        call.delayed.extend(delayed.then_some(id));
        true
    }

    /// An offer of its own, inside the call, was refused: it comes again at the time of RFC 3261 §14.1 after 491, and when
    /// Retry-After says after 500.
    pub(super) fn offers_later(&mut self, now: Instant, index: usize, refusal: &Message) {
        let Some((method, direction)) = self.calls[index].offered.clone() else { return };
        let status = refusal.status().map_or(0, |status| status.code());
        let after = match (status, refusal.retry_after()) {
            (491, _) if self.calls[index].caller => {
                Duration::from_millis(2_100 + 10 * self.random.below(191))
            }
            (491, _) => Duration::from_millis(10 * self.random.below(201)),
            (500, Some(after)) => after,
            _ => return,
        };
        if self.abilities.offers_again {
            self.do_later(now + after, Chore::Offer(index, method, direction));
        }
    }

    pub(super) fn offer_again(
        &mut self,
        now: Instant,
        index: usize,
        method: Method,
        direction: Option<String>,
    ) {
        let call = &self.calls[index];
        if call.stage == Stage::Over || call.is_offering() || call.stage == Stage::Up && !call.is_settled() {
            return;
        }
        if call.stage == Stage::Open && method == Method::Invite {
            return;
        }
        self.request(now, index, method, direction.as_deref());
    }
}
