//! Responses that we give ourselves to requests inside a dialog; their To tag is there already.

use sip::transaction::ServerId;
use sip::{Builder, Message, Method, Name, StatusCode};

use super::allow::Promises;
use super::cx::Cx;
use super::leg::Leg;
use crate::reply::Cause;

/// 200 without a body.
///
/// - `promises`: what its receiver may do from now on; `None`: nothing that matters any more.
pub(super) fn ok(message: &Message, promises: Option<Promises<'_>>) -> Builder {
    let reply = Builder::reply(message, StatusCode::OK, "OK", None);
    let Some(promises) = promises else { return reply };
    let reply = reply.shown(Name::Allow, promises.allow());
    match message.method() {
        Some(Method::Invite | Method::Update | Method::Options) => {
            reply.header(Name::Supported, promises.supported())
        }
        _ => reply,
    }
}

/// Sends it.
pub(super) fn respond_ok(
    cx: &mut Cx<'_>,
    server: ServerId,
    message: &Message,
    promises: Option<Promises<'_>>,
) {
    cx.respond(server, ok(message, promises).build());
}

/// A refusal.
pub(super) fn refuse(cx: &mut Cx<'_>, server: ServerId, message: &Message, cause: &Cause) {
    cx.respond(server, cause.reply(message, None).build());
}

/// A refusal of a method that the other party does not take. RFC 3261 §21.4.6.
pub(super) fn refuse_method(
    cx: &mut Cx<'_>,
    server: ServerId,
    message: &Message,
    promises: Option<Promises<'_>>,
) {
    let reply = Cause::new(405, "Method Not Allowed").reply(message, None);
    let reply = match promises {
        Some(promises) => reply.shown(Name::Allow, promises.allow()),
        None => reply.header(Name::Allow, ""),
    };
    cx.respond(server, reply.build());
}

/// An extension that we lack: RFC 3261 §8.2.2.3.
pub(super) fn refuse_demand(cx: &mut Cx<'_>, server: ServerId, message: &Message, demanded: &str) {
    let cause = Cause::new(420, format!("Not supported: {demanded}"));
    cx.respond(server, cause.reply(message, None).header(Name::Unsupported, demanded).build());
}

/// The response to a SUBSCRIBE to what came of a REFER: RFC 6665 §4.2.1.
///
/// - `granted`: for so many seconds; none where there is no such subscription.
pub(super) fn respond_subscribed(
    cx: &mut Cx<'_>,
    server: ServerId,
    message: &Message,
    leg: &Leg,
    granted: Option<u32>,
) {
    match granted {
        Some(seconds) => {
            let reply =
                Builder::reply(message, StatusCode::OK, "OK", None).shown(Name::Contact, leg.contact());
            cx.respond(server, reply.header(Name::Expires, seconds.to_string()).build());
        }
        None => refuse(cx, server, message, &Cause::new(481, "Subscription Does Not Exist")),
    }
}
