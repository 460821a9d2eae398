use std::borrow::Cow;

use super::key::top_via;
use crate::{Builder, Message, Method, Name};

/// The ACK of `response`, a 300 to 699, to `invite`: same Via and Route, To of the response.
///
/// Source: RFC 3261 §17.1.1.3.
pub(super) fn ack(invite: &Message, response: &Message) -> Message {
    follow_up(invite, Method::Ack, response).build()
}

/// The CANCEL of `invite` with further headers, such as Reason (RFC 3326).
///
/// Source: RFC 3261 §9.1.
pub(super) fn cancel(invite: &Message, extra: &[(Name, String)]) -> Message {
    let cancel = follow_up(invite, Method::Cancel, invite);
    extra.iter().fold(cancel, |cancel, (name, value)| cancel.header(name.clone(), value)).build()
}

/// A request that goes where `invite` went, hop by hop; To is copied from `to_of`.
fn follow_up(invite: &Message, method: Method, to_of: &Message) -> Builder {
    let number = invite.cseq().map(|cseq| cseq.number).unwrap_or_default();
    let mut request = Builder::request(method.clone(), invite.request_uri().unwrap_or_default())
        .header(Name::Via, top_via(invite).unwrap_or_default().as_bytes());
    for route in invite.headers().filter(|header| header.name == Name::Route) {
        request = request.header(Name::Route, &route.value);
    }
    request
        .header(Name::MaxForwards, "70")
        .header(Name::From, first(invite, Name::From))
        .header(Name::To, first(to_of, Name::To))
        .header(Name::CallId, first(invite, Name::CallId))
        .header(Name::CSeq, format!("{number} {method}"))
}

/// The bytes of the first header of that name; empty if there is none.
fn first(message: &Message, name: Name) -> Cow<'_, [u8]> {
    message.headers().find(|header| header.name == name).map(|header| header.value).unwrap_or_default()
}
