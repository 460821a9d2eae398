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
        let (uri, routes) = self.line_and_routes();
        let request = routes.into_iter().fold(Builder::request(method.clone(), &uri), |request, route| {
            request.header(Name::Route, route)
        });
        request
            .header(Name::From, tagged(&self.local_uri, &self.local_tag))
            .header(Name::To, tagged(&self.remote_uri, &self.remote_tag))
            .header(Name::CallId, &self.call_id)
            .header(Name::CSeq, format!("{cseq} {method}"))
    }

    /// The Request-URI and the values of Route. A strict router (no `lr`) wants itself in the request line, and the
    /// target last in Route.
    fn line_and_routes(&self) -> (String, Vec<String>) {
        let strict = self.route_set.split_first().and_then(|(first, rest)| match parse_route(first) {
            Ok(NameAddr { uri: Uri::Sip(uri), .. }) if !uri.has_param("lr") => Some((Uri::Sip(uri), rest)),
            _ => None,
        });
        match strict {
            Some((first, rest)) => {
                let routes = rest.iter().cloned().chain([format!("<{}>", self.remote_target)]).collect();
                (request_target(first).to_string(), routes)
            }
            None => (self.remote_target.clone(), self.route_set.clone()),
        }
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

fn tagged(address: &str, tag: &str) -> String {
    if tag.is_empty() { address.to_owned() } else { format!("{address};tag={tag}") }
}

fn parse_route(route: &str) -> Result<NameAddr, HeaderError> {
    NameAddr::parse(route).map_err(|fault: HeaderFault| HeaderError { name: Name::Route, fault })
}
