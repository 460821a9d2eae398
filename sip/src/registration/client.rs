//! The client's part: a registration that is kept alive at one registrar.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use super::asked::seconds;
use crate::auth::{self, Challenge, Secret};
use crate::{Message, Name, Uri};

/// A registration that is kept alive at one registrar, whoever sends what it wants.
///
/// ```text
///             due: Ask                     200: Registered
///   Waiting ----------> Asking(expires) ----------------> Waiting until 3/4 of what was granted are over
///      ^                 | 401, 407: Ask with credentials; 423: Ask for Min-Expires
///      |  refused, timed out, not sent: Failed             | stop: Ask for 0 seconds
///      +--- after a while, longer each time <--+           v
///                                              +------> Over
/// ```
///
/// - One request is out at a time: after [`ClientOutput::Ask`] exactly one of [`Client::handle_response`] with a final
///   response and [`Client::handle_failed`] is due.
/// - After a failure it waits as RFC 5626 §4.5 has it: 30 s, twice as long after each further one, half an hour at most;
///   any time between the half and the whole of that, so that a registrar that comes back is not run over.
/// - A registrar that says 5xx may still know of us: what it granted holds until it ends. Any other failure ends it.
///
/// Source: RFC 3261 §10.2, §22; RFC 5626 §4.5.
#[derive(Debug)]
pub struct Client {
    /// What is asked for first.
    wants: u32,
    /// What is asked for, in seconds: no less than the registrar takes.
    expires: u32,
    cseq: u32,
    state: State,
    granted: Option<Granted>,
    failures: u32,
    /// What this REGISTER was proved by so far.
    proofs: Vec<(Name, String)>,
    outputs: VecDeque<ClientOutput>,
}

/// What a [`Client`] wants, and tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ClientOutput {
    /// Send a REGISTER with this CSeq, for so many seconds, with these credentials.
    Ask {
        /// CSeq.
        cseq: u32,
        /// Seconds; 0: it is taken back.
        expires: u32,
        /// `Authorization`, `Proxy-Authorization`, or both: each for who asked for it (RFC 3261 §22.3).
        credentials: Vec<(Name, String)>,
    },
    /// The address of record is registered; `new`: it was not before.
    Registered {
        /// The address of record was not registered before.
        new: bool,
        /// For so long.
        lasts: Duration,
    },
    /// The REGISTER was refused, or nobody said anything.
    Failed {
        /// Why.
        cause: ClientFailure,
        /// When it is tried again.
        again: Duration,
    },
    /// The registration was taken back, or that was tried: the last word.
    Over,
}

/// Why a registration failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ClientFailure {
    /// No final response.
    Timeout,
    /// The request could not be sent, or its host has no address.
    Transport,
    /// A challenge that there are no credentials for, or that refused them.
    Credentials,
    /// Any other refusal: its status.
    Refused(u16),
    /// A 2xx that grants nothing.
    NothingGranted,
}

/// The login that answers a challenge.
#[derive(Clone, Copy)]
pub struct Login<'a> {
    /// The user, and the secret.
    pub user: &'a str,
    /// See `user`.
    pub secret: &'a Secret,
    /// The Request-URI of the REGISTER.
    pub uri: &'a str,
    /// Fresh random text.
    pub cnonce: &'a str,
}

#[derive(Debug, Clone, Copy)]
struct Granted {
    until: Instant,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Waiting {
        at: Instant,
    },
    /// `proofs`: how many challenges were answered.
    Asking {
        expires: u32,
        proofs: u8,
        lengthened: bool,
    },
    Over,
}

/// The shortest wait after a failure, and the longest. RFC 5626 §4.5.
const FIRST_WAIT: Duration = Duration::from_secs(30);
const LONGEST_WAIT: Duration = Duration::from_secs(1_800);
/// The longest Min-Expires that is followed.
const LONGEST: u32 = 86_400;
/// How many challenges in a row are answered: a proxy's, the registrar's, and a stale nonce.
const MOST_PROOFS: u8 = 3;

impl Client {
    /// A registration that is asked for at `at`, for `wants` seconds.
    pub fn new(at: Instant, wants: u32) -> Client {
        Client {
            wants,
            expires: wants,
            cseq: 0,
            state: State::Waiting { at },
            granted: None,
            failures: 0,
            proofs: Vec::new(),
            outputs: VecDeque::new(),
        }
    }

    /// Time passed. Early or repeated calls are harmless.
    pub fn handle_timeout(&mut self, now: Instant) {
        self.granted = self.granted.filter(|granted| granted.until > now);
        if let State::Waiting { at } = self.state
            && at <= now
        {
            self.proofs.clear();
            self.ask(self.expires, 0, false);
        }
    }

    /// A response to the REGISTER that is out.
    ///
    /// - `contact`: the URI of our Contact.
    /// - `login`: who answers its challenge.
    /// - `random`: uniform over all 64 bits.
    pub fn handle_response(
        &mut self,
        now: Instant,
        response: &Message,
        contact: &str,
        login: Option<Login<'_>>,
        random: u64,
    ) {
        let State::Asking { expires, proofs, lengthened } = self.state else { return };
        let Some(status) = response.status().filter(|status| status.is_final()) else { return };
        match status.code() {
            _ if status.is_success() && expires == 0 => self.finish(),
            _ if status.is_success() => self.accepted(now, response, contact, random),
            code @ (401 | 407) => {
                let login = login.filter(|_| proofs < MOST_PROOFS);
                match login.and_then(|login| proof(response, code, login, &self.proofs)) {
                    Some((name, proof)) => {
                        self.proofs.retain(|(given, _)| *given != name);
                        self.proofs.push((name, proof));
                        self.ask(expires, proofs + 1, lengthened);
                    }
                    None => self.failed(now, ClientFailure::Credentials, None, random),
                }
            }
            423 if !lengthened => match response.number(Name::MinExpires, LONGEST) {
                Ok(Some(least)) if least > expires => {
                    self.expires = least;
                    self.proofs.clear();
                    self.ask(least, 0, true);
                }
                _ => self.failed(now, ClientFailure::Refused(423), None, random),
            },
            code => self.failed(now, ClientFailure::Refused(code), response.retry_after(), random),
        }
    }

    /// The REGISTER that is out brought no final response, or never left.
    pub fn handle_failed(&mut self, now: Instant, cause: ClientFailure, random: u64) {
        if matches!(self.state, State::Asking { .. }) {
            self.failed(now, cause, None, random);
        }
    }

    /// Asks at once: the flow is gone, or there is another address to try. Not while a REGISTER is out.
    pub fn renew(&mut self, now: Instant) {
        if matches!(self.state, State::Waiting { .. }) {
            self.state = State::Waiting { at: now };
        }
    }

    /// The flow that it was registered by is gone: it counts for nothing until it is renewed, at once.
    pub fn lost(&mut self, now: Instant) {
        self.granted = None;
        self.renew(now);
    }

    /// Takes it back; [`ClientOutput::Over`] comes when that is done. A REGISTER that is out is not waited for: its
    /// outcome is no longer of interest.
    pub fn stop(&mut self) {
        if matches!(self.state, State::Over | State::Asking { expires: 0, .. }) {
            return;
        }
        let may_be_known = self.granted.is_some() || matches!(self.state, State::Asking { .. });
        match may_be_known {
            true => {
                self.proofs.clear();
                self.ask(0, 0, false);
            }
            false => self.finish(),
        }
    }

    /// The next thing to do or to tell; drain to `None` after every other call.
    pub fn poll_output(&mut self) -> Option<ClientOutput> {
        self.outputs.pop_front()
    }

    /// When to call [`Client::handle_timeout`].
    pub fn poll_timeout(&self) -> Option<Instant> {
        match self.state {
            State::Waiting { at } => Some(at),
            State::Asking { .. } | State::Over => None,
        }
    }

    /// Whether the registrar sends calls to us, as far as we know.
    pub fn is_registered(&self, now: Instant) -> bool {
        self.granted.is_some_and(|granted| granted.until > now)
    }

    /// Whether everything is said.
    pub fn is_over(&self) -> bool {
        self.state == State::Over
    }

    fn ask(&mut self, expires: u32, proofs: u8, lengthened: bool) {
        self.cseq = self.cseq.saturating_add(1);
        self.state = State::Asking { expires, proofs, lengthened };
        let (cseq, credentials) = (self.cseq, self.proofs.clone());
        self.outputs.push_back(ClientOutput::Ask { cseq, expires, credentials });
    }

    fn accepted(&mut self, now: Instant, response: &Message, contact: &str, random: u64) {
        let seconds = granted(response, contact).unwrap_or(self.expires).min(LONGEST);
        if seconds == 0 {
            return self.failed(now, ClientFailure::NothingGranted, None, random);
        }
        let lasts = Duration::from_secs(seconds.into());
        let new = !self.is_registered(now);
        self.granted = Some(Granted { until: now + lasts });
        self.failures = 0;
        // Early enough for a REGISTER that is lost and repeated, and not all at once.
        let early = lasts / 4 + Duration::from_secs_f64(lasts.as_secs_f64() / 16.0 * fraction(random));
        self.state = State::Waiting { at: now + lasts.saturating_sub(early) };
        self.outputs.push_back(ClientOutput::Registered { new, lasts });
    }

    fn failed(&mut self, now: Instant, cause: ClientFailure, retry_after: Option<Duration>, random: u64) {
        if matches!(self.state, State::Asking { expires: 0, .. }) {
            return self.finish();
        }
        if !matches!(cause, ClientFailure::Refused(500..=599)) {
            self.granted = None;
        }
        if cause == ClientFailure::Refused(423) {
            self.expires = self.wants;
        }
        let whole = FIRST_WAIT.saturating_mul(1 << self.failures.min(6)).min(LONGEST_WAIT);
        self.failures = self.failures.saturating_add(1);
        let again = whole / 2 + Duration::from_secs_f64(whole.as_secs_f64() / 2.0 * fraction(random));
        let again = again.max(retry_after.unwrap_or_default()).min(LONGEST_WAIT);
        self.state = State::Waiting { at: now + again };
        self.outputs.push_back(ClientOutput::Failed { cause, again });
    }

    fn finish(&mut self) {
        self.granted = None;
        self.state = State::Over;
        self.outputs.push_back(ClientOutput::Over);
    }
}

/// What answers a challenge; none where nothing does, or where what was given was wrong.
fn proof(
    response: &Message,
    code: u16,
    login: Login<'_>,
    given: &[(Name, String)],
) -> Option<(Name, String)> {
    let (asks, answers) = match code {
        401 => (Name::WwwAuthenticate, Name::Authorization),
        _ => (Name::ProxyAuthenticate, Name::ProxyAuthorization),
    };
    let lines: Vec<_> = response.lines(asks).collect();
    let challenge = Challenge::choose(lines.iter().map(|line| &**line), login.secret)?;
    let was_given = given.iter().any(|(name, _)| *name == answers);
    if was_given && !challenge.stale {
        return None;
    }
    let proof = auth::answer(&challenge, login.user, login.secret, "REGISTER", login.uri, login.cnonce, 1)?;
    Some((answers, proof.to_string()))
}

/// What a 2xx grants our Contact: its own `expires`, or else the Expires of all; `None`: it does not say.
fn granted(response: &Message, contact: &str) -> Option<u32> {
    let place = |uri: &Uri| match uri {
        Uri::Sip(uri) => Some((uri.user.clone(), uri.host.to_string().to_ascii_lowercase(), uri.port)),
        _ => None,
    };
    let own = Uri::parse(contact).ok().and_then(|uri| place(&uri));
    let contacts = response.contacts().filter_map(Result::ok);
    let mine = contacts.filter(|one| own.is_some() && place(&one.uri) == own).last();
    let mine = mine.and_then(|one| one.params.value("expires").and_then(seconds));
    mine.or_else(|| response.value(Name::Expires).and_then(|text| seconds(&text)))
}

/// 0 to 1.
#[allow(clippy::cast_precision_loss, reason = "a wait need not be exact")]
fn fraction(random: u64) -> f64 {
    (random >> 11) as f64 / (1_u64 << 53) as f64
}

#[cfg(test)]
mod tests;
