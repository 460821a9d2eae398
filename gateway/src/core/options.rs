//! Requests outside a dialog that begin no call.

use sip::{Builder, Message, Method, Name, StatusCode};

use super::Core;
use super::fault::{BODIES, terminal_fault};
use crate::peer::Source;
use crate::reply::{ALLOW, Cause};

impl Core {
    /// OPTIONS is answered as an INVITE would be (RFC 3261 §11.2), but for its hops: it ends here. What we don't do is
    /// said so. Nothing is kept: repeats get the same answer, and copies by another way their own.
    pub(super) fn answer_outside(&mut self, source: &Source, message: &Message) {
        let tag = self.stateless_tag(message);
        let fault = match message.method() {
            Some(Method::Options) => terminal_fault(message),
            _ => None,
        };
        if let Some(fault) = fault {
            self.shared.metrics.refusal("protocol");
            return self.send_stateless(source, message, fault.reply(message, &tag));
        }
        let allow = match self.takes_register(source, message) {
            true => &format!("{ALLOW}, REGISTER"),
            false => ALLOW,
        };
        let reply = match message.method() {
            Some(Method::Options) => match self.would_refuse() {
                Some(cause) => cause.reply(message, Some(&tag)),
                None => Builder::reply(message, StatusCode::OK, "OK", Some(&tag)),
            }
            .header(Name::Accept, BODIES)
            .header(Name::Allow, allow),
            // A dialog of ours would have been found.
            Some(Method::Bye | Method::Update | Method::Info | Method::Prack | Method::Notify) => {
                Cause::new(481, "Call/Transaction Does Not Exist").reply(message, Some(&tag))
            }
            Some(Method::Other(_)) => {
                Cause::new(501, "Not Implemented").reply(message, Some(&tag)).header(Name::Allow, allow)
            }
            _ => Cause::new(405, "Method Not Allowed").reply(message, Some(&tag)).header(Name::Allow, allow),
        };
        self.send_stateless(source, message, reply);
    }
}
