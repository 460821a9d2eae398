//! What a cause means and what an operator can do about it: the one place that says so, for `explain` and for `why`.

use std::fmt;

use crate::admit::Refusal;
use crate::q850;
use crate::record::EndedBy;
use crate::route::RouteEnd;

/// Which step said no, and what to do. Displays as what to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Meaning {
    /// The step, in a word or two.
    pub step: &'static str,
    /// A sentence, with the keys of the configuration that it is about.
    pub to_do: String,
}

impl Meaning {
    fn new(step: &'static str, to_do: impl Into<String>) -> Self {
        Meaning { step, to_do: to_do.into() }
    }
}

impl fmt::Display for Meaning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.to_do)
    }
}

/// Of a call that the policy or a limit refuses.
pub fn of_refusal(refusal: &Refusal) -> Meaning {
    match refusal {
        Refusal::UnknownSource { address } => Meaning::new(
            "allowlist",
            format!(
                "if {address} is a system of a customer's, add it to termination.allowlist of its voice connector; \
                 if it is a carrier's, to the carrier's allowlist; if you do not know it, nothing"
            ),
        ),
        Refusal::SourceNotListed { connector, address } => Meaning::new(
            "allowlist",
            format!(
                "add {address} to termination.allowlist of voice connector {connector}, or have the system call its own \
                 voice connector's host name"
            ),
        ),
        Refusal::UnknownConnector { .. } => Meaning::new(
            "connector",
            "have the system call the gateway's domain, or <id>.<domain> of its voice connector",
        ),
        Refusal::AmbiguousConnector { .. } => Meaning::new(
            "connector",
            "have the system call <id>.<domain> of its voice connector, or list the address in one voice connector only",
        ),
        Refusal::TerminationOff { connector } => {
            Meaning::new("termination", format!("set termination.enabled of voice connector {connector}"))
        }
        Refusal::RecordingOff { connector } => Meaning::new(
            "recording",
            format!(
                "set siprec.accept of voice connector {connector}, or have the system send no recordings here; as a call of its \
                 own it would be taken without X-Voice-Connector-Record-Only"
            ),
        ),
        Refusal::PlainSignalling { connector, .. } => Meaning::new(
            "encryption",
            format!("have the system use TLS, or set encryption = false for voice connector {connector}"),
        ),
        Refusal::PlainMedia { connector } => Meaning::new(
            "encryption",
            format!(
                "have the system offer SRTP with SDES keys, or set encryption = false for voice connector {connector}"
            ),
        ),
        Refusal::Digest { connector } => Meaning::new(
            "digest",
            format!(
                "compare user and password of the system with termination.credentials of voice connector {connector}; \
                 the lock goes after five minutes without a wrong one"
            ),
        ),
        Refusal::DigestTarget { .. } => Meaning::new(
            "digest",
            "have the system compute its credentials for the number that it calls: the user of uri in Authorization must be that \
             of the Request-URI",
        ),
        Refusal::NoEmergencyEntry { digits } => Meaning::new(
            "emergency",
            format!("write a [[voice_connector.emergency]] with the digits {digits}"),
        ),
        Refusal::NotANumber { format, .. } => Meaning::new(
            "dialled number",
            format!(
                "have the system dial numbers as {format}, or write how it dials: termination.number_format, or a rule in \
                 peer.number_rules"
            ),
        ),
        Refusal::CallerId { .. } => Meaning::new(
            "caller ID",
            "have the system show a number that a [[phone_number]] gives to its voice connector, or set \
             termination.caller_id or caller_id_policy",
        ),
        Refusal::CallingPlan { country: Some(country), .. } => Meaning::new(
            "calling plan",
            format!("add {country} to termination.calling_plan, if it may be called"),
        ),
        Refusal::CallingPlan { country: None, .. } => {
            Meaning::new("calling plan", "nothing: no numbering plan has the number; was it dialled rightly?")
        }
        Refusal::DeniedPrefix { prefix, .. } => Meaning::new(
            "denied prefixes",
            format!("take {prefix} out of termination.denied_prefixes, if it may be called"),
        ),
        Refusal::Premium { number, .. } => {
            let prefix = number.as_str().get(..5).unwrap_or_default();
            Meaning::new(
                "premium",
                format!(
                    "name its prefix in termination.allow_premium, such as \"{prefix}\", if it may be called"
                ),
            )
        }
        Refusal::DailyMinutes { connector, .. } => Meaning::new(
            "fraud stop",
            format!(
                "look for who calls so long, and whom: calls --connector {connector}. If they are meant, raise termination.daily_minutes; \
                 the next day of UTC begins anew"
            ),
        ),
        Refusal::NotAssigned { .. } => Meaning::new(
            "number",
            "give the number to a voice connector by a [[phone_number]]; if it is written otherwise, see \
             inbound_number_format of the carrier",
        ),
        Refusal::OriginationOff { connector } => {
            Meaning::new("origination", format!("set origination.enabled of voice connector {connector}"))
        }
        Refusal::NoCarrier { .. } => Meaning::new(
            "route",
            "write a [[carrier]] whose prefixes or countries have the number and that has a host, or name one in \
             termination.carriers; explain shows which carriers were looked at",
        ),
        Refusal::NotRegistered { .. } => {
            Meaning::new("route", "see that the customer's system registers, or write an origination.route")
        }
        Refusal::NoRoute { .. } => {
            Meaning::new("route", "write an origination.route for the voice connector that has the number")
        }
        Refusal::Draining { .. } => {
            Meaning::new("operator", "wait, or say undrain: the operator has taken it out of service")
        }
        Refusal::Unrecorded { .. } => Meaning::new(
            "recording",
            "see in the log why files can't be written to the records' directory; or write recording.on_failure = \"continue\"",
        ),
        Refusal::Unstreamed { sink, .. } => Meaning::new(
            "streaming",
            format!(
                "see in the log why sink {sink} takes no calls; or write on_failure = \"continue\" in it"
            ),
        ),
        Refusal::NoListener { .. } => {
            Meaning::new("route", "write a [[listen]] with the protocol and the address family of the route")
        }
        Refusal::CallsPerSecond { whose, .. } => Meaning::new(
            "calls per second",
            format!("raise cps_limit of {whose} if so many calls are meant; else look for who places them"),
        ),
        Refusal::UnansweredCalls { whose, .. } => Meaning::new(
            "calls at one time",
            format!(
                "look for what {whose} calls and nobody answers: half of the media ports are for calls that are answered"
            ),
        ),
        Refusal::ConcurrentCalls { whose, .. } => Meaning::new(
            "calls at one time",
            format!("raise max_calls of {whose}, or wait until calls have ended"),
        ),
    }
}

/// Of credentials that were wrong, so that they are asked for again.
pub fn of_wrong_credentials(connector: &str) -> Meaning {
    Meaning::new(
        "digest",
        format!(
            "compare user and password of the system with termination.credentials of voice connector {connector}; its realm is \
             gateway.realm"
        ),
    )
}

/// Of a REGISTER that neither the policy nor its credentials refuse.
pub fn of_registration(status: u16) -> Meaning {
    let to_do = match status {
        403 => {
            "see that no other user has registered the same, and that the user has no more contacts than it may"
        }
        404 => {
            "have the system register the address-of-record of its user, or write one number of its connector there"
        }
        405 => "set peer.registration of its voice connector, if the system is to register",
        423 => "have the system register for the time in Min-Expires or longer",
        500 => "nothing: an older REGISTER came after a newer one; the system sends it again",
        _ => "mend the system that sent it: the cause says what is wrong with its REGISTER",
    };
    Meaning::new("registration", to_do)
}

/// Of an attempt at a host that did not take the call.
pub fn of_attempt(end: RouteEnd) -> Meaning {
    match end {
        RouteEnd::TransportFailure => Meaning::new(
            "transport",
            "see that the host is up and takes this transport from our address; over TLS, the log tells why the handshake failed",
        ),
        RouteEnd::Unresolved => {
            Meaning::new("DNS", "correct the name of the host, or its NAPTR, SRV or address records")
        }
        RouteEnd::NoResponse => Meaning::new(
            "time-out",
            "see that the host is up, that it lists our address, and that no firewall swallows SIP between us",
        ),
        RouteEnd::NoProgress => Meaning::new(
            "time-out",
            "ask whose host it is; progress_timeout says how long it may take until something rings",
        ),
        RouteEnd::NoAnswer => Meaning::new("callee", "nothing: nobody answered"),
        RouteEnd::NoRoom => {
            Meaning::new("limits", "raise its cps_limit or max_calls, if so many calls are meant")
        }
        RouteEnd::NotAcceptable => Meaning::new(
            "media",
            "nothing of the offer may be said to this side: compare peer.codecs and peer.srtp of both sides",
        ),
        RouteEnd::BadAnswer => Meaning::new(
            "media",
            "its SDP answer is of no use: compare peer.codecs and peer.srtp of both sides",
        ),
        RouteEnd::Answer { q850: Some(cause), status } => {
            let of_status = of_status(status);
            let named = q850::reason(cause);
            Meaning::new(of_status.step, format!("{} ({named})", of_cause(cause).unwrap_or(of_status.to_do)))
        }
        RouteEnd::Answer { status, .. } => of_status(status),
    }
}

/// What a final response of a peer to an INVITE means.
fn of_status(status: u16) -> Meaning {
    let carrier = |to_do: &str| Meaning::new("carrier", to_do);
    match status {
        300..=399 => carrier("it sends the call elsewhere: configure that host, if it is meant"),
        401 | 407 => carrier("write credentials for it, or correct those that are there"),
        402 | 403 => carrier(
            "ask whose host it is: it may not know our address or registration, or not take this caller ID or this number",
        ),
        404 | 410 | 484 | 604 => {
            carrier("see that the number exists and is written as this side wants it: its number_format")
        }
        408 | 504 => carrier("ask whose host it is: what is behind it does not answer"),
        413 | 513 => carrier(
            "the request is too large for it: set peer.udp_size_limit, or strip headers by peer.strip_headers",
        ),
        415 | 488 | 606 => Meaning::new(
            "media",
            "compare peer.codecs and peer.srtp of both sides with what the ladder's parties offer",
        ),
        420 | 421 => carrier("compare peer.prack and peer.session_timer with what it supports or demands"),
        422 => carrier("set a longer peer.session_timer"),
        480 | 486 | 600 | 603 => {
            Meaning::new("callee", "nothing: the callee is busy, not there, or does not take the call")
        }
        481 | 487 => carrier("nothing: the call was over for it"),
        482 | 483 => carrier("look for a loop: the call comes back to where it was"),
        503 => carrier("ask whose host it is: it takes no calls now, or not so many"),
        500..=599 => carrier("ask whose host it is: it failed"),
        _ => carrier("ask whose host it is, with the Call-ID of the attempt"),
    }
}

/// The same of a cause of the telephone network that says more. ITU-T Q.850.
fn of_cause(cause: u16) -> Option<String> {
    let to_do = match cause {
        1 | 28 => "see that the number exists and is written as this side wants it: its number_format",
        2 | 3 | 25 | 38 | 41 | 42 | 47 => "ask whose host it is: the network behind it failed",
        16..=20 => "nothing: the callee is busy, not there, or does not take the call",
        21 | 29 | 50 | 57 => {
            "ask whose host it is: the account, the caller ID or the number may not be allowed"
        }
        22 => "dial the new number: this one has changed",
        27 => "ask whose host it is: the destination is out of order",
        34 | 44 => "ask whose host it is: it has no free line",
        65 | 70 | 79 | 88 => "compare peer.codecs and peer.srtp of both sides",
        102 => "ask whose host it is: what is behind it does not answer",
        _ => return None,
    };
    Some(to_do.to_owned())
}

/// Of a call that ended and was tried nowhere, or ended after it was answered: by the words of its cause, which are ours.
///
/// - `answered`: it was.
/// - `rang`: the caller heard it ring.
pub fn of_end(by: EndedBy, status: u16, text: &str, answered: bool, rang: bool) -> Meaning {
    match (status, text) {
        _ if by == EndedBy::Operator => Meaning::new("operator", "nothing: the operator ended the call"),
        _ if by == EndedBy::Caller && !answered => match rang {
            true => Meaning::new("caller", "nothing: the caller gave up while it rang"),
            false => Meaning::new(
                "caller",
                "see in the ladder what was waited for: the caller gave up before anything rang",
            ),
        },
        (408, "Media inactivity") => Meaning::new(
            "media",
            "see that both sides' firewalls let RTP through to media.ports, and that media.advertise is the address that they reach",
        ),
        (408, "ACK missing") => Meaning::new(
            "time-out",
            "see that the caller's system reaches our Contact: listen.advertise, a NAT between, or peer.contact",
        ),
        (408, "Session timer expired" | "A session refresh was not answered") => Meaning::new(
            "session timer",
            "see that the party is still there; peer.session_timer is the interval",
        ),
        (480, "Maximum call duration reached") => {
            Meaning::new("duration", "raise termination.max_duration, if calls may be so long")
        }
        (481, _) => {
            Meaning::new("callee", "look at the other system: it has lost the call, perhaps by a restart")
        }
        (403, text) if text.starts_with("This call takes TLS only") => {
            Meaning::new("encryption", "have the system send all requests of an encrypted call by TLS")
        }
        (503, "All media ports are in use" | "The media ports that are left are for others") => Meaning::new(
            "media ports",
            "widen media.ports, or look for who holds so many calls: no party gets all that are left",
        ),
        (503, "No room for more calls: the limit of open files") => Meaning::new(
            "media ports",
            "raise the limit of open files (LimitNOFILE of the unit), or set media.driver",
        ),
        (503, "Media can't be opened") => Meaning::new(
            "media ports",
            "see the log: the system refused a socket, or the media threads are behind",
        ),
        (503, "An emergency call needs the room") => Meaning::new(
            "emergency",
            "nothing: it gave way to a call for help; widen media.ports if that happens often",
        ),
        (503, "Gateway is shutting down" | "Gateway restarted") => {
            Meaning::new("gateway", "nothing: the gateway was stopped")
        }
        (503, "Overloaded") => {
            Meaning::new("gateway", "give the gateway more cores or memory, or look for who asks so much")
        }
        (503, "Too many answers are not acknowledged") => Meaning::new(
            "time-out",
            "see that the caller's system reaches our Contact: it acknowledges no answer (ACK)",
        ),
        (503, _) => Meaning::new("gateway", "see /readyz and the log: what is missing is said there"),
        (482, _) => {
            Meaning::new("protocol", "look for a loop or a proxy that forks: the same call came twice")
        }
        (483, _) => Meaning::new("protocol", "look for a loop: the call went through too many systems"),
        (488 | 415 | 606, _) => Meaning::new(
            "media",
            "compare peer.codecs and peer.srtp with what the party offers; the cause says what does not fit",
        ),
        (420..=422, _) => {
            Meaning::new("protocol", "compare peer.prack and peer.session_timer with what the system demands")
        }
        (400..=499, _) if !answered => Meaning::new(
            "protocol",
            "mend the system that sent it: the cause says what is wrong with its request",
        ),
        (500..=599, _) => Meaning::new("callee", "see in the ladder what the other side said last"),
        _ => Meaning::new("call", "see in the ladder who said what last"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_answer_of_a_peer_means_something() {
        for status in 300..700 {
            for q850 in [None, Some(16), Some(34), Some(111)] {
                let meaning = of_attempt(RouteEnd::Answer { status, q850 });
                assert!(!meaning.to_do.is_empty() && !meaning.step.is_empty(), "{status}");
            }
        }
        let busy = of_attempt(RouteEnd::Answer { status: 503, q850: Some(34) });
        assert_eq!(busy.to_do, "ask whose host it is: it has no free line (Q.850;cause=34)");
    }
}
