//! A request of ours that may be said once more: to a challenge, or by a new connection.

use sip::auth::{self, Challenge, Credentials, Secret};
use sip::{Builder, Message, Name};

use super::cx::Cx;
use super::io::{Hop, RequestId};
use super::leg::{Leg, renewed};
use super::profile::Local;
use crate::ids::Tokens;

/// So many challenges to one request of ours are met: the first, and those that call its nonce stale.
const MOST_PROOFS: u8 = 3;

/// How the challenges of a party are met: user and secret.
pub(super) type Login = Option<(String, Secret)>;

/// A request that went out, and how often it did.
#[derive(Debug)]
pub(super) struct Sent {
    pub id: RequestId,
    pub message: Message,
    pub hop: Hop,
    /// How many challenges were met.
    proofs: u8,
    /// How often it was sent again, where it could not be delivered.
    tries: u8,
}

impl Sent {
    /// Sends `message` for the first time.
    pub fn new(cx: &mut Cx<'_>, message: Message, hop: Hop) -> Self {
        let id = cx.send(message.clone(), hop.clone());
        Sent { id, message, hop, proofs: 0, tries: 0 }
    }

    /// Its CSeq.
    pub fn cseq(&self) -> u32 {
        self.message.cseq().map_or(1, |cseq| cseq.number)
    }

    /// Sends it again with credentials, under the CSeq `number`. `false` where the challenge can't be met.
    ///
    /// Source: RFC 3261 §22.2-3.
    pub fn authenticate(
        &mut self,
        cx: &mut Cx<'_>,
        response: &Message,
        login: &Login,
        local: &Local,
        number: u32,
    ) -> bool {
        if self.proofs >= MOST_PROOFS {
            return false;
        }
        let again = authenticated(&self.message, response, login, local, number, cx.tokens);
        let met = again.is_some();
        if let Some(again) = again {
            self.proofs += 1;
            self.send(cx, again);
        }
        met
    }

    /// The same inside the dialog of `leg`.
    pub fn authenticate_in(
        &mut self,
        cx: &mut Cx<'_>,
        response: &Message,
        login: &Login,
        leg: &mut Leg,
    ) -> bool {
        let number = leg.dialog.local_cseq.saturating_add(1);
        self.hop = leg.hop();
        let met = self.authenticate(cx, response, login, &leg.end.local, number);
        if met {
            leg.dialog.local_cseq = number;
        }
        met
    }

    /// Sends it again, changed, under the CSeq `number`, and without what proved to a challenge that it was ours.
    pub fn change(
        &mut self,
        cx: &mut Cx<'_>,
        local: &Local,
        number: u32,
        change: impl FnOnce(Builder) -> Builder,
    ) {
        let again = renewed(&self.message, number, local, cx.tokens);
        let again = again.remove(Name::Authorization).remove(Name::ProxyAuthorization);
        self.send(cx, change(again).build());
    }

    /// The same inside the dialog of `leg`.
    pub fn change_in(&mut self, cx: &mut Cx<'_>, leg: &mut Leg, change: impl FnOnce(Builder) -> Builder) {
        leg.dialog.local_cseq = leg.dialog.local_cseq.saturating_add(1);
        self.hop = leg.hop();
        self.change(cx, &leg.end.local, leg.dialog.local_cseq, change);
    }

    /// The request could not be delivered: sends it once more inside the dialog of `leg`, where it may be.
    ///
    /// - `silent`: nobody answered there, so that nothing is gained by a new connection.
    pub fn repeat_in(&mut self, cx: &mut Cx<'_>, leg: &mut Leg, silent: bool) -> bool {
        self.tries = self.tries.max(u8::from(silent));
        let hop = leg.after_failure(&self.hop, self.tries);
        let goes = hop.is_some();
        if let Some(hop) = hop {
            self.hop = hop;
            self.tries += 1;
            let again = leg.again(&self.message, cx.tokens);
            self.send(cx, again);
        }
        goes
    }

    /// Sends it once more inside the dialog of `leg`, under a number that follows on all that was sent there since.
    pub fn number_anew(&mut self, cx: &mut Cx<'_>, leg: &mut Leg) {
        self.hop = leg.hop();
        let again = leg.again(&self.message, cx.tokens);
        self.send(cx, again);
    }

    /// The request could not be delivered to where an INVITE that begins a dialog goes: the same by a new connection. Who did get
    /// the first knows it by its Call-ID and CSeq (RFC 3261 §8.2.2.2), so that nobody rings twice.
    pub fn repeat_at(&mut self, cx: &mut Cx<'_>, local: &Local) {
        let again = renewed(&self.message, self.cseq(), local, cx.tokens).build();
        self.tries += 1;
        self.send(cx, again);
    }

    /// Whether it went out more than once for want of a connection.
    pub fn was_repeated(&self) -> bool {
        self.tries > 0
    }

    /// The digest credentials that it carried: the ACK of an INVITE must carry the same. RFC 3261 §22.1.
    pub fn proof(&self) -> Vec<(Name, String)> {
        proof_of(&self.message)
    }

    fn send(&mut self, cx: &mut Cx<'_>, again: Message) {
        self.message = again;
        self.id = cx.send(self.message.clone(), self.hop.clone());
    }
}

/// The digest credentials that a request carries. RFC 3261 §22.1.
pub(super) fn proof_of(request: &Message) -> Vec<(Name, String)> {
    let lines = |name: Name| {
        let all: Vec<_> = request.lines(name.clone()).map(|line| (name.clone(), line.into_owned())).collect();
        all
    };
    [Name::Authorization, Name::ProxyAuthorization].into_iter().flat_map(lines).collect()
}

/// `request` again with credentials for the challenge in `response`: CSeq `number`, new branch. `None` when there is no
/// login or no challenge that we can meet, or where `request` met one of that realm and its nonce was not
/// stale: the credentials were wrong. RFC 3261 §22.2, RFC 8760 §2.4: the first that we support.
fn authenticated(
    request: &Message,
    response: &Message,
    login: &Login,
    local: &Local,
    number: u32,
    tokens: &mut Tokens,
) -> Option<Message> {
    let (user, secret) = login.as_ref()?;
    let cseq = request.cseq().ok()?;
    let (asks, answers) = match response.status()?.code() {
        401 => (Name::WwwAuthenticate, Name::Authorization),
        _ => (Name::ProxyAuthenticate, Name::ProxyAuthorization),
    };
    let uri = request.request_uri()?;
    let method = cseq.method.to_string();
    let cnonce = tokens.cnonce();
    let challenges: Vec<_> = response.lines(asks).collect();
    let challenge = Challenge::choose(challenges.iter().map(AsRef::as_ref), secret)?;
    let given = request.value(answers.clone()).and_then(|given| Credentials::parse(&given).ok());
    if given.is_some_and(|given| given.realm == challenge.realm) && !challenge.stale {
        return None;
    }
    let answer = auth::answer(&challenge, user, secret, &method, uri, &cnonce, 1)?;
    Some(renewed(request, number, local, tokens).set(answers, answer.to_string()).build())
}
