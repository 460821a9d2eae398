//! Route sets and remote targets. RFC 3261 §12.2.1.1.

use super::{Dialog, DialogError};
use crate::{Builder, HeaderError, HeaderFault, Method, Name, NameAddr, Uri};

impl Dialog {
    /// The next request inside the dialog: Request-URI, Route, From, To, Call-ID and CSeq, whose number goes up by one.
    ///
    /// The caller adds Via, Max-Forwards, Contact and the body. Not for ACK ([`ack`](Self::ack)) and CANCEL.
    ///
    /// Source: RFC 3261 §12.2.1.1.
    pub fn request(&mut self, method: Method) -> Builder {
        self.local_cseq = self.local_cseq.saturating_add(1);
        self.build(method, self.local_cseq)
    }

    /// The ACK of a 2xx to the INVITE whose CSeq number was `invite_cseq`; the caller adds Via, Max-Forwards,
    /// credentials that the INVITE had, and the body.
    ///
    /// Source: RFC 3261 §13.2.2.4.
    pub fn ack(&self, invite_cseq: u32) -> Builder {
        self.build(Method::Ack, invite_cseq)
    }

    /// Where the next request goes: the first route, else the remote target. RFC 3261 §8.1.2.
    ///
    /// Fails if the peer gave no URI there.
    pub fn next_hop(&self) -> Result<Uri, DialogError> {
        match self.route_set.first() {
            Some(route) => Ok(parse_route(route)?.uri),
            None => Ok(Uri::parse(&self.remote_target)?),
        }
    }

    fn build(&self, method: Method, cseq: u32) -> Builder {
        let strict = self.route_set.split_first().and_then(|(first, rest)| match parse_route(first) {
            Ok(NameAddr { uri: Uri::Sip(uri), .. }) if !uri.has_param("lr") => Some((Uri::Sip(uri), rest)),
            _ => None,
        });
        let cseq_method = method.clone();
        // A strict router (no `lr`) wants itself in the request line, and the target last in Route.
        let mut request = match strict {
            Some((first, rest)) => {
                let request = Builder::request(method, &request_target(first).to_string());
                let request = rest.iter().fold(request, |request, route| request.header(Name::Route, route));
                request.header(Name::Route, format!("<{}>", self.remote_target))
            }
            None => {
                let request = Builder::request(method, &self.remote_target);
                self.route_set.iter().fold(request, |request, route| request.header(Name::Route, route))
            }
        };
        let (from, to) = ((&self.local_uri, &self.local_tag), (&self.remote_uri, &self.remote_tag));
        for (name, (address, tag)) in [(Name::From, from), (Name::To, to)] {
            request = match tag.is_empty() {
                true => request.header(name, address),
                false => request.shown(name, format_args!("{address};tag={tag}")),
            };
        }
        request.header(Name::CallId, &self.call_id).shown(Name::CSeq, format_args!("{cseq} {cseq_method}"))
    }
}

/// Takes away what must not stand in a request line: the headers and the `method` of a URI. RFC 3261 §19.1.1 table 1.
pub(super) fn request_target(uri: Uri) -> Uri {
    match uri {
        Uri::Sip(mut uri) => {
            uri.headers = None;
            uri.params.remove("method");
            Uri::Sip(uri)
        }
        other => other,
    }
}

fn parse_route(route: &str) -> Result<NameAddr, HeaderError> {
    NameAddr::parse(route).map_err(|fault: HeaderFault| HeaderError { name: Name::Route, fault })
}

#[cfg(test)]
mod tests {
    use super::super::fixture::{CONTACT, answer, invite};
    use super::*;

    fn dialog(record_route: &str) -> Dialog {
        let record_route = format!("Record-Route: {record_route}");
        let more = if record_route.ends_with(": ") { vec![CONTACT] } else { vec![CONTACT, &record_route] };
        Dialog::uac(&invite(), &answer("200 OK", "b", &more)).unwrap()
    }

    /// Request-URI, Route values and next hop for a Record-Route of the 2xx, which the caller reverses.
    fn check(record_route: &str, uri: &str, routes: &[&str], next_hop: &str) {
        let mut dialog = dialog(record_route);
        assert_eq!(dialog.next_hop().unwrap().to_string(), next_hop, "{record_route}");
        for request in [dialog.request(Method::Bye).build(), dialog.ack(7).build()] {
            assert_eq!(request.request_uri(), Some(uri), "{record_route}");
            assert_eq!(request.values(Name::Route).collect::<Vec<_>>(), routes, "{record_route}");
        }
    }

    #[test]
    fn requests_follow_the_route_set() {
        let target = "sip:bob@client.biloxi.example.com";
        check("", target, &[], target);
        check(
            "<sip:p2.example.com;lr>, <sip:p1.example.com:5070;lr=on;transport=tcp>",
            target,
            &["<sip:p1.example.com:5070;lr=on;transport=tcp>", "<sip:p2.example.com;lr>"],
            "sip:p1.example.com:5070;lr=on;transport=tcp",
        );
    }

    #[test]
    fn strict_router_stands_in_the_request_line() {
        check(
            "<sip:p2.example.com;lr>, <sip:p1.example.com;transport=tcp;method=BYE?Subject=x>",
            "sip:p1.example.com;transport=tcp",
            &["<sip:p2.example.com;lr>", "<sip:bob@client.biloxi.example.com>"],
            "sip:p1.example.com;transport=tcp;method=BYE?Subject=x",
        );
        check(
            "<sip:p1.example.com>",
            "sip:p1.example.com",
            &["<sip:bob@client.biloxi.example.com>"],
            "sip:p1.example.com",
        );
        // Only the first one counts.
        check(
            "<sip:p2.example.com>, <sip:p1.example.com;lr>",
            "sip:bob@client.biloxi.example.com",
            &["<sip:p1.example.com;lr>", "<sip:p2.example.com>"],
            "sip:p1.example.com;lr",
        );
    }

    #[test]
    fn requests_count_up_and_an_ack_does_not() {
        let mut dialog = dialog("");
        let bye = dialog.request(Method::Bye).build();
        assert_eq!(bye.value(Name::CSeq).as_deref(), Some("8 BYE"));
        assert_eq!(
            bye.value(Name::From).as_deref(),
            Some("\"Alice, A.\" <sip:alice@atlanta.example.com>;x=y;tag=9fxced76sl")
        );
        assert_eq!(bye.value(Name::To).as_deref(), Some("Bob <sip:bob@biloxi.example.com>;tag=b"));
        assert_eq!(bye.call_id(), Ok("3848276298220188511@atlanta.example.com"));
        assert_eq!(dialog.ack(7).build().value(Name::CSeq).as_deref(), Some("7 ACK"));
        assert_eq!(dialog.request(Method::Info).build().value(Name::CSeq).as_deref(), Some("9 INFO"));
        dialog.local_cseq = u32::MAX;
        dialog.request(Method::Info).build();
    }

    #[test]
    fn bad_route_is_the_next_hops_error() {
        let mut dialog = dialog("");
        dialog.route_set = vec!["<sip:".into()];
        assert!(matches!(dialog.next_hop(), Err(DialogError::Header(_))));
        dialog.route_set.clear();
        dialog.remote_target = "bob".into();
        assert!(matches!(dialog.next_hop(), Err(DialogError::NextHop(_))));
    }

    proptest::proptest! {
        #![proptest_config(proptest::prelude::ProptestConfig { failure_persistence: None, ..Default::default() })]

        /// Whatever a peer calls itself and whichever routers recorded themselves, our requests can be read again,
        /// belong to the dialog on the other side, and reach the target.
        #[test]
        fn requests_are_sound(
            display_name in "[^\\p{Cc}]{0,20}",
            tag in "[a-zA-Z0-9.!%*_+`'~-]{1,20}",
            routers in proptest::collection::vec((0..3_u8, proptest::bool::ANY), 0..5),
        ) {
            let routes: Vec<_> = routers
                .iter()
                .map(|(host, loose)| format!("<sip:p{host}.example.com{}>", if *loose { ";lr" } else { "" }))
                .collect();
            let alice = NameAddr::parse("<sip:alice@atlanta.example.com>").unwrap();
            let from = alice.with_display_name(&display_name).with_param("tag", Some(&tag)).to_string();
            let invite = invite().edit().set(Name::From, &from).set(Name::RecordRoute, routes.join(", ")).build();

            let mut ours = Dialog::uas(&invite, "b").unwrap();
            let bye = ours
                .request(Method::Bye)
                .header(Name::Via, "SIP/2.0/UDP client.biloxi.example.com;branch=z9hG4bK1")
                .header(Name::MaxForwards, "70")
                .build();
            let bye = crate::Message::parse(bye.bytes().clone()).unwrap();
            proptest::prop_assert_eq!(bye.check(), Ok(()));
            proptest::prop_assert_eq!(bye.to().unwrap(), invite.from().unwrap());

            let ok = answer("200 OK", "b", &[CONTACT]).edit().set(Name::From, &from).build();
            proptest::prop_assert!(Dialog::uac(&invite, &ok).unwrap().matches(&bye));

            let mut hops: Vec<_> = bye.values(Name::Route).map(|route| route.into_owned()).collect();
            if routers.first().is_some_and(|(_, loose)| !loose) {
                hops.insert(0, format!("<{}>", bye.request_uri().unwrap()));
                proptest::prop_assert_eq!(hops.pop(), Some(format!("<{}>", ours.remote_target)));
            } else {
                proptest::prop_assert_eq!(bye.request_uri(), Some(ours.remote_target.as_str()));
            }
            proptest::prop_assert_eq!(hops, routes);
        }
    }
}
