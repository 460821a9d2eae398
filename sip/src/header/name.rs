//! Header names: case-insensitive, compact forms read as the long one. RFC 3261 §7.3.

use std::fmt;
use std::hash::{Hash, Hasher};

use crate::text::Text;

macro_rules! names {
    ($($variant:ident $text:literal $($lower:literal)|+;)*) => {
        /// The name of a header. Compares without regard to case; a compact form is its long name. RFC 3261 §7.3.1,
        /// §7.3.3.
        #[derive(Debug, Clone)]
        #[non_exhaustive]
        pub enum Name {
            $(#[doc = concat!("`", $text, "`")] $variant,)*
            /// A name that we have no word for, in the case that it came in; made by `Name::from`.
            Other(Text),
        }

        impl Name {
            fn known(bytes: &[u8]) -> Option<Name> {
                let mut lower = [0; 32]; // Longer than any that we know.
                let lower = lower.get_mut(..bytes.len())?;
                lower.copy_from_slice(bytes);
                lower.make_ascii_lowercase();
                match &*lower {
                    $($($lower)|+ => Some(Name::$variant),)*
                    _ => None,
                }
            }

            /// The long form, in the case of its RFC; for `Other` as it came.
            pub fn as_str(&self) -> &str {
                match self {
                    $(Name::$variant => $text,)*
                    Name::Other(text) => text,
                }
            }

            /// Every name that has a variant of its own.
            pub const KNOWN: &[Name] = &[$(Name::$variant,)*];
        }
    };
}

names! {
    Accept "Accept" b"accept";
    AcceptContact "Accept-Contact" b"accept-contact" | b"a";
    AcceptEncoding "Accept-Encoding" b"accept-encoding";
    AcceptLanguage "Accept-Language" b"accept-language";
    AcceptResourcePriority "Accept-Resource-Priority" b"accept-resource-priority";
    AlertInfo "Alert-Info" b"alert-info";
    Allow "Allow" b"allow";
    AllowEvents "Allow-Events" b"allow-events" | b"u";
    AuthenticationInfo "Authentication-Info" b"authentication-info";
    Authorization "Authorization" b"authorization";
    CallId "Call-ID" b"call-id" | b"i";
    CallInfo "Call-Info" b"call-info";
    Contact "Contact" b"contact" | b"m";
    ContentDisposition "Content-Disposition" b"content-disposition";
    ContentEncoding "Content-Encoding" b"content-encoding" | b"e";
    ContentId "Content-ID" b"content-id";
    ContentLanguage "Content-Language" b"content-language";
    ContentLength "Content-Length" b"content-length" | b"l";
    ContentType "Content-Type" b"content-type" | b"c";
    CSeq "CSeq" b"cseq";
    Date "Date" b"date";
    Diversion "Diversion" b"diversion";
    ErrorInfo "Error-Info" b"error-info";
    Event "Event" b"event" | b"o";
    Expires "Expires" b"expires";
    From "From" b"from" | b"f";
    Geolocation "Geolocation" b"geolocation";
    GeolocationError "Geolocation-Error" b"geolocation-error";
    GeolocationRouting "Geolocation-Routing" b"geolocation-routing";
    HistoryInfo "History-Info" b"history-info";
    Identity "Identity" b"identity" | b"y";
    IdentityInfo "Identity-Info" b"identity-info" | b"n";
    InReplyTo "In-Reply-To" b"in-reply-to";
    Join "Join" b"join";
    MaxForwards "Max-Forwards" b"max-forwards";
    MimeVersion "MIME-Version" b"mime-version";
    MinExpires "Min-Expires" b"min-expires";
    MinSe "Min-SE" b"min-se";
    Organization "Organization" b"organization";
    PAccessNetworkInfo "P-Access-Network-Info" b"p-access-network-info";
    PAssertedIdentity "P-Asserted-Identity" b"p-asserted-identity";
    PAssociatedUri "P-Associated-URI" b"p-associated-uri";
    PCalledPartyId "P-Called-Party-ID" b"p-called-party-id";
    PChargingVector "P-Charging-Vector" b"p-charging-vector";
    PEarlyMedia "P-Early-Media" b"p-early-media";
    PPreferredIdentity "P-Preferred-Identity" b"p-preferred-identity";
    Path "Path" b"path";
    Priority "Priority" b"priority";
    Privacy "Privacy" b"privacy";
    ProxyAuthenticate "Proxy-Authenticate" b"proxy-authenticate";
    ProxyAuthorization "Proxy-Authorization" b"proxy-authorization";
    ProxyRequire "Proxy-Require" b"proxy-require";
    RAck "RAck" b"rack";
    Reason "Reason" b"reason";
    RecordRoute "Record-Route" b"record-route";
    RecvInfo "Recv-Info" b"recv-info";
    InfoPackage "Info-Package" b"info-package";
    ReferSub "Refer-Sub" b"refer-sub";
    ReferTo "Refer-To" b"refer-to" | b"r";
    ReferredBy "Referred-By" b"referred-by" | b"b";
    RejectContact "Reject-Contact" b"reject-contact" | b"j";
    RemotePartyId "Remote-Party-ID" b"remote-party-id";
    Replaces "Replaces" b"replaces";
    ReplyTo "Reply-To" b"reply-to";
    RequestDisposition "Request-Disposition" b"request-disposition" | b"d";
    Require "Require" b"require";
    ResourcePriority "Resource-Priority" b"resource-priority";
    RetryAfter "Retry-After" b"retry-after";
    Route "Route" b"route";
    RSeq "RSeq" b"rseq";
    Server "Server" b"server";
    ServiceRoute "Service-Route" b"service-route";
    SessionExpires "Session-Expires" b"session-expires" | b"x";
    SessionId "Session-ID" b"session-id";
    SipETag "SIP-ETag" b"sip-etag";
    SipIfMatch "SIP-If-Match" b"sip-if-match";
    Subject "Subject" b"subject" | b"s";
    SubscriptionState "Subscription-State" b"subscription-state";
    Supported "Supported" b"supported" | b"k";
    TargetDialog "Target-Dialog" b"target-dialog";
    Timestamp "Timestamp" b"timestamp";
    To "To" b"to" | b"t";
    Unsupported "Unsupported" b"unsupported";
    UserAgent "User-Agent" b"user-agent";
    UserToUser "User-to-User" b"user-to-user";
    Via "Via" b"via" | b"v";
    Warning "Warning" b"warning";
    WwwAuthenticate "WWW-Authenticate" b"www-authenticate";
}

impl Name {
    /// Like `Name::from`; `None` unless it is UTF-8.
    pub(crate) fn read(text: &[u8]) -> Option<Name> {
        Self::known(text).or_else(|| Text::new(text).map(Name::Other))
    }

    /// Whether the header may stand at most once in a message. RFC 3261 §7.3.1 and table 2, RFC 3325, 4028, 3262.
    pub fn is_single(&self) -> bool {
        matches!(
            self,
            Name::CallId
                | Name::CSeq
                | Name::ContentDisposition
                | Name::ContentLength
                | Name::ContentType
                | Name::Date
                | Name::Event
                | Name::Expires
                | Name::From
                | Name::MaxForwards
                | Name::MimeVersion
                | Name::MinExpires
                | Name::MinSe
                | Name::RAck
                | Name::RSeq
                | Name::ReferTo
                | Name::ReferredBy
                | Name::Replaces
                | Name::RetryAfter
                | Name::SessionExpires
                | Name::SubscriptionState
                | Name::To
        )
    }
}

impl From<&str> for Name {
    fn from(text: &str) -> Name {
        Self::known(text.as_bytes()).unwrap_or_else(|| Name::Other(Text::copy(text)))
    }
}

impl PartialEq for Name {
    #[inline]
    fn eq(&self, other: &Name) -> bool {
        std::mem::discriminant(self) == std::mem::discriminant(other)
            && match (self, other) {
                (Name::Other(a), Name::Other(b)) => a.eq_ignore_ascii_case(b),
                _ => true,
            }
    }
}

impl Eq for Name {}

impl Hash for Name {
    fn hash<H: Hasher>(&self, state: &mut H) {
        std::mem::discriminant(self).hash(state);
        if let Name::Other(text) = self {
            for byte in text.bytes() {
                state.write_u8(byte.to_ascii_lowercase());
            }
        }
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_known_name_is_found_in_any_case() {
        for name in Name::KNOWN {
            assert_eq!(&Name::from(name.as_str()), name);
            assert_eq!(&Name::from(name.as_str().to_ascii_lowercase().as_str()), name);
            assert_eq!(&Name::from(name.as_str().to_ascii_uppercase().as_str()), name);
            assert!(!matches!(Name::from(name.as_str()), Name::Other(_)), "{name}");
        }
    }

    #[test]
    fn compact_forms() {
        for (compact, long) in [
            ("a", Name::AcceptContact),
            ("b", Name::ReferredBy),
            ("c", Name::ContentType),
            ("d", Name::RequestDisposition),
            ("e", Name::ContentEncoding),
            ("f", Name::From),
            ("i", Name::CallId),
            ("j", Name::RejectContact),
            ("k", Name::Supported),
            ("l", Name::ContentLength),
            ("m", Name::Contact),
            ("n", Name::IdentityInfo),
            ("o", Name::Event),
            ("r", Name::ReferTo),
            ("s", Name::Subject),
            ("t", Name::To),
            ("u", Name::AllowEvents),
            ("v", Name::Via),
            ("x", Name::SessionExpires),
            ("y", Name::Identity),
        ] {
            assert_eq!(Name::from(compact), long);
            assert_eq!(Name::from(compact.to_ascii_uppercase().as_str()), long);
        }
        assert!(matches!(Name::from("z"), Name::Other(_)));
    }

    #[test]
    fn unknown_names_compare_without_case_and_keep_it() {
        assert_eq!(Name::from("X-Foo"), Name::from("x-fOO"));
        assert_ne!(Name::from("X-Foo"), Name::from("X-Fooo"));
        assert_eq!(Name::from("x-fOO").as_str(), "x-fOO");
        let long = "x".repeat(100);
        assert_eq!(Name::from(long.as_str()).as_str(), long);
        let hash = |name: &Name| {
            let mut hasher = std::hash::DefaultHasher::new();
            name.hash(&mut hasher);
            hasher.finish()
        };
        assert_eq!(hash(&Name::from("X-Foo")), hash(&Name::from("x-foo")));
    }
}
