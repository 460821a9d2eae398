//! UPDATE (RFC 3311) once both legs are up: it crosses as one where the other side takes it, and its offer as a re-INVITE
//! where not.

use sip::transaction::ServerId;
use sip::{Message, Method, Name};

use super::Established;
use crate::call::body::Body;
use crate::call::cx::Cx;
use crate::call::in_dialog;
use crate::media::Side;

impl Established {
    /// An UPDATE of `side`'s, in order in its dialog.
    pub(super) fn handle_update(&mut self, cx: &mut Cx<'_>, side: Side, server: ServerId, message: Message) {
        if self.legs.of(side.other()).allows_update() != Some(false) {
            return self.forward(cx, side, server, message);
        }
        match Body::read(&message) {
            Err(cause) => in_dialog::refuse(cx, server, &message, &cause),
            Ok(body) if body.sdp().is_some() => match self.is_busy(side) {
                true => self.hold_back(cx, side, server, message),
                false => self.forward_as(cx, side, server, message, Method::Invite),
            },
            // A new Contact, or who is spoken to: nothing that the other side could be told otherwise.
            Ok(_) => {
                let leg = self.legs.of_mut(side);
                leg.dialog.refresh_target(&message);
                let contact = leg.contact().to_string();
                let reply =
                    in_dialog::ok(&message, self.allows_of_other(side)).header(Name::Contact, contact);
                let response = self.session_accepted(cx, side, &message, reply.build());
                cx.respond(server, response);
            }
        }
    }
}
