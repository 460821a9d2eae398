//! Calls that a phone places and gives up.

use std::time::Instant;

use sip::{Builder, Message, Method, Name};

use super::{Phone, Rel100};
use crate::simulation::media::Media;

impl Phone {
    /// Builds an INVITE; the test may change it before [`Phone::place`].
    pub fn invite(&mut self, host: &str, from: &str, number: &str, offer: bool) -> Builder {
        let (tag, branch, call) = (self.token(), self.branch(), self.token());
        let builder = Builder::request(Method::Invite, &format!("sip:{number}@{host}"))
            .header(Name::Via, self.via(&branch))
            .header(Name::MaxForwards, "70")
            .header(Name::From, format!("\"Phone\" <sip:{from}@{}>;tag={tag}", self.address.ip()))
            .header(Name::To, format!("<sip:{number}@{host}>"))
            .header(Name::CallId, format!("{call}@{}", self.address.ip()))
            .header(Name::CSeq, "1 INVITE")
            .header(Name::Contact, self.contact());
        let mut builder = self.timed(self.able(builder));
        if self.abilities.rel100 == Rel100::Required {
            builder = builder.header(Name::Require, "100rel");
        }
        let mut media = Media::new(self.speaks, self.rekeys);
        let builder = match offer {
            true => {
                let sdp = media.offer(self.terms(), "sendrecv", &mut self.random);
                self.described(builder, sdp)
            }
            false => builder,
        };
        self.dialling = Some(media);
        builder
    }

    /// Sends an INVITE that begins a call.
    pub fn place(&mut self, now: Instant, invite: Message) -> usize {
        let index = self.calls.len();
        let local_tag = invite.from_tag().unwrap().into_owned();
        let delayed = !invite.body().windows(3).any(|three| three == b"v=0");
        self.calls.push(self.call(true, invite.clone(), local_tag));
        self.remember(&invite, index);
        let id = self.send(now, index, invite);
        let call = &mut self.calls[index];
        call.client = Some(id);
        call.delayed.extend(delayed.then_some(id));
        if let Some(media) = self.dialling.take() {
            call.media = media;
            call.first_media = call.media.clone();
        }
        self.pump(now);
        index
    }

    pub fn cancel(&mut self, now: Instant, index: usize) {
        self.cancel_saying(now, index, &[]);
    }

    /// Gives up its INVITE, with these headers on the CANCEL.
    pub fn cancel_saying(&mut self, now: Instant, index: usize, headers: &[(Name, String)]) {
        let call = &mut self.calls[index];
        call.cancelled = true;
        if let Some(id) = call.client {
            self.layer.cancel(now, id, headers);
        }
        self.pump(now);
    }
}
