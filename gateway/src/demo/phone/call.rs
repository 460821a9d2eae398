//! One call as the script of a phone sees it, in both roles.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::Arc;

use rsip::headers::UntypedHeader;
use rsip::message::HeadersExt;
use rsip::{Header, Method, SipMessage};
use tokio::sync::mpsc;

use super::digest::{self, User};
use super::message::{self, Answer};
use super::sdp::{Direction, Sdp};
use super::wire::Flow;
use super::{Agent, Arrived, Reply, lock, token};
use crate::demo::PATIENCE;
use crate::demo::failure::Failure;
use crate::demo::ladder::Column;
use crate::demo::line::Line;
use crate::demo::srtp::MasterKey;

/// What is dialled, and how.
#[derive(Debug, Clone)]
pub struct Invite {
    /// User part of the Request-URI.
    pub to: String,
    /// Host of the Request-URI, with a port where it needs one.
    pub host: String,
    /// User part of From.
    pub from: String,
    /// Whether the offer is in the INVITE, or left to the answer.
    pub offer: bool,
    /// Whether the audio is SRTP.
    pub srtp: bool,
    /// Headers beside those that every INVITE has; a `Max-Forwards` replaces the usual one.
    pub headers: Vec<(&'static str, String)>,
}

impl Invite {
    /// An INVITE with an offer.
    pub fn new(from: &str, to: &str, host: &str) -> Invite {
        Invite {
            to: to.to_owned(),
            host: host.to_owned(),
            from: from.to_owned(),
            offer: true,
            srtp: false,
            headers: Vec::new(),
        }
    }

    /// Without an offer.
    pub fn without_offer(mut self) -> Invite {
        self.offer = false;
        self
    }

    /// With SRTP.
    pub fn encrypted(mut self) -> Invite {
        self.srtp = true;
        self
    }

    /// With one more header.
    pub fn with(mut self, name: &'static str, value: impl Into<String>) -> Invite {
        self.headers.push((name, value.into()));
        self
    }
}

/// A call of a phone, from its INVITE on; when dropped, the phone knows nothing of it any more.
pub struct Call {
    agent: Arc<Agent>,
    inbox: mpsc::UnboundedReceiver<Arrived>,
    /// What came while something else was waited for.
    passed_over: VecDeque<Arrived>,
    flow: Flow,
    call_id: String,
    /// Values of From and To in our requests, with the tags.
    local: String,
    remote: String,
    local_tag: String,
    /// Where requests inside the dialog go, and by which proxies.
    target: String,
    routes: Vec<String>,
    seq: u32,
    /// The last INVITE, ours or theirs.
    invite: rsip::Request,
    /// Of the last 407.
    challenge: Option<rsip::typed::WwwAuthenticate>,
    sdp_version: u32,
    /// The tag and the key of what we send, with SRTP.
    crypto: Option<(u32, MasterKey)>,
    line: Line,
}

impl Call {
    /// A call that we place.
    pub(super) async fn start(agent: Arc<Agent>, flow: Flow, invite: &Invite) -> Result<Call, Failure> {
        let (sender, inbox) = mpsc::unbounded_channel();
        let address = agent.wire.address();
        let call_id = format!("{}@{}", token()?, address.ip());
        lock(&agent.calls).insert(call_id.clone(), sender);
        let line = Line::open(address.ip(), agent.column, agent.ladder.clone()).await?;
        let crypto = match invite.srtp {
            true => Some((1, line.protect()?)),
            false => None,
        };
        let local_tag = token()?;
        let target = format!("sip:{}@{}", invite.to, invite.host);
        let mut call = Call {
            local: format!("<sip:{}@{}>;tag={local_tag}", invite.from, address.ip()),
            remote: format!("<{target}>"),
            local_tag,
            target,
            routes: Vec::new(),
            seq: 0,
            invite: rsip::Request {
                method: Method::Invite,
                uri: rsip::Uri::default(),
                version: rsip::Version::V2,
                headers: rsip::Headers::default(),
                body: Vec::new(),
            },
            sdp_version: 1,
            crypto,
            challenge: None,
            passed_over: VecDeque::new(),
            agent,
            inbox,
            flow,
            call_id,
            line,
        };
        let mut request = call.prepare(Method::Invite)?;
        for (name, value) in &invite.headers {
            if name.eq_ignore_ascii_case("Max-Forwards") {
                request.headers.retain(|header| !matches!(header, Header::MaxForwards(_)));
            }
            request.headers.push(message::other(name, value.clone()));
        }
        let sdp = invite.offer.then(|| call.sdp(Direction::SendRecv));
        call.invite = call.agent.request(request, sdp, &call.flow).await?;
        Ok(call)
    }

    /// A call that came.
    pub(super) async fn arrived(
        agent: Arc<Agent>,
        arrived: Arrived,
        inbox: mpsc::UnboundedReceiver<Arrived>,
    ) -> Result<Call, Failure> {
        let SipMessage::Request(invite) = arrived.message else {
            return Err(agent.waited("an INVITE"));
        };
        let line = Line::open(agent.wire.address().ip(), agent.column, agent.ladder.clone()).await?;
        let local_tag = token()?;
        let mut call = Call {
            local: format!("{};tag={local_tag}", invite.to_header()?.value()),
            remote: invite.from_header()?.value().to_owned(),
            local_tag,
            target: String::new(),
            routes: message::uris(&invite.headers, "Record-Route"),
            seq: 0,
            call_id: message::call_id(&invite)?,
            sdp_version: 1,
            crypto: None,
            challenge: None,
            passed_over: VecDeque::new(),
            flow: arrived.flow,
            agent,
            inbox,
            line,
            invite,
        };
        let invite = call.invite.clone();
        call.refresh_target(&invite.headers)?;
        call.aim(&invite.body)?;
        Ok(call)
    }

    /// The phone's end of the audio.
    pub fn line(&self) -> &Line {
        &self.line
    }

    /// Whose call it is.
    pub fn who(&self) -> Column {
        self.agent.column
    }

    /// The Call-ID.
    pub fn call_id(&self) -> &str {
        &self.call_id
    }

    /// A header of the INVITE.
    pub fn header(&self, name: &str) -> Option<String> {
        message::value(&self.invite.headers, name)
    }

    /// Whether signalling and audio are encrypted.
    pub fn is_secret(&self) -> (bool, bool) {
        (self.flow.is_secure(), self.crypto.is_some())
    }

    /// The user part of the INVITE's Request-URI: who is called.
    pub fn dialled(&self) -> String {
        self.invite.uri.user().unwrap_or_default().to_owned()
    }

    // ---- Who calls ------------------------------------------------------------------------------------

    /// Waits for that provisional answer; with SDP in it, early media is sent there.
    pub async fn provisional(&mut self, status: u16) -> Result<Answer, Failure> {
        let (answer, _) = self.answer_to(&Method::Invite, status).await?;
        self.want(status, &answer)?;
        Ok(answer)
    }

    /// Waits for the 2xx, and acknowledges it: with our answer in the ACK where its SDP is the offer.
    pub async fn answered(&mut self) -> Result<Answer, Failure> {
        let (answer, response) = self.answer_to(&Method::Invite, 200).await?;
        self.want(200, &answer)?;
        if self.remote_has_no_tag() {
            self.remote = response.to_header()?.value().to_owned();
            self.routes = message::uris(&response.headers, "Record-Route");
            self.routes.reverse();
        }
        self.refresh_target(&response.headers)?;
        let offered = !self.invite.body.is_empty();
        let sdp = (!offered).then(|| self.sdp(Direction::SendRecv));
        let (seq, _) = message::cseq(&self.invite)?;
        let mut ack = self.prepare_numbered(Method::Ack, seq)?;
        if let Some(header) =
            self.invite.headers.iter().find(|header| matches!(header, Header::ProxyAuthorization(_)))
        {
            ack.headers.push(header.clone()); // RFC 3261 §22.1: the ACK carries what its INVITE did.
        }
        let flow = self.next_flow()?;
        let key = (message::branch(&self.invite)?, Method::Invite.to_string());
        let sent = self.agent.request(ack, sdp, &flow).await?;
        let bytes = SipMessage::from(sent).to_string().into_bytes();
        if let Some(client) = lock(&self.agent.clients).get_mut(&key) {
            client.ack = Some((bytes, flow));
        }
        Ok(answer)
    }

    /// Waits for the final answer, which is no 2xx; the phone acknowledges it by itself.
    pub async fn refused(&mut self) -> Result<Answer, Failure> {
        let (answer, _) = self.answer_to(&Method::Invite, 300).await?;
        if answer.status < 300 {
            return Err(self.unexpected("a refusal", answer.to_string()));
        }
        Ok(answer)
    }

    /// After a 407: sends the INVITE again with the user's credentials.
    pub async fn authenticate(&mut self, user: User) -> Result<(), Failure> {
        let Some(challenge) = self.challenge.take() else {
            return Err(self.agent.waited("a challenge that it understands"));
        };
        let mut request = self.prepare(Method::Invite)?;
        let credentials = digest::answer(&challenge, user, &token()?, &request);
        request.headers.push(credentials.into());
        let sdp = self.sdp(Direction::SendRecv);
        self.invite = self.agent.request(request, Some(sdp), &self.flow).await?;
        Ok(())
    }

    /// Gives up: CANCEL, and waits for its 200 and for the INVITE's 487. RFC 3261 §9.1.
    pub async fn cancel(&mut self) -> Result<Answer, Failure> {
        let mut headers = rsip::Headers::default();
        headers.push(self.invite.via_header()?.clone().into());
        headers.push(rsip::headers::MaxForwards::default().into());
        headers.push(self.invite.from_header()?.clone().into());
        headers.push(self.invite.to_header()?.clone().into());
        headers.push(self.invite.call_id_header()?.clone().into());
        let (seq, _) = message::cseq(&self.invite)?;
        headers.push(rsip::headers::CSeq::new(format!("{seq} CANCEL")).into());
        let cancel =
            rsip::Request { method: Method::Cancel, headers, body: Vec::new(), ..self.invite.clone() };
        self.agent.request(cancel, None, &self.flow).await?;
        let (answer, _) = self.answer_to(&Method::Cancel, 200).await?;
        self.want(200, &answer)?;
        let (answer, _) = self.answer_to(&Method::Invite, 487).await?;
        self.want(487, &answer)?;
        Ok(answer)
    }

    // ---- Who is called --------------------------------------------------------------------------------

    /// Sends 180.
    pub async fn ring(&mut self) -> Result<(), Failure> {
        self.reply(180, "Ringing", None, Vec::new()).await
    }

    /// Sends 183 with SDP: the caller hears us before we answer.
    pub async fn progress(&mut self) -> Result<(), Failure> {
        let sdp = self.sdp(Direction::SendRecv);
        self.reply(183, "Session Progress", Some(sdp), Vec::new()).await
    }

    /// Sends 200 with SDP, again and again until [`acknowledged`](Call::acknowledged).
    pub async fn accept(&mut self) -> Result<(), Failure> {
        let offered = Sdp::parse(&self.invite.body).map_or(Direction::SendRecv, |offer| offer.direction);
        let sdp = self.sdp(offered.answer());
        self.reply(200, "OK", Some(sdp), Vec::new()).await
    }

    /// Sends a final answer that is no 2xx, and waits for its ACK.
    pub async fn reject(
        &mut self,
        status: u16,
        phrase: &str,
        headers: &[(&str, &str)],
    ) -> Result<(), Failure> {
        let headers = headers.iter().map(|(name, value)| message::other(name, *value)).collect();
        self.reply(status, phrase, None, headers).await?;
        self.acknowledged().await
    }

    /// Waits for the ACK; with SDP in it, that is the answer to our offer.
    pub async fn acknowledged(&mut self) -> Result<(), Failure> {
        let ack = self.requested(Method::Ack).await?;
        self.aim(&ack.body)?;
        Ok(())
    }

    /// Waits for the CANCEL; answers it with 200 and the INVITE with 487, and waits for the ACK.
    pub async fn cancelled(&mut self) -> Result<(), Failure> {
        let cancel = self.requested(Method::Cancel).await?;
        self.agent.reply(&cancel, &self.flow, self.tagged(Reply::new(200, "OK"))).await?;
        self.reject(487, "Request Terminated", &[]).await
    }

    // ---- Both -----------------------------------------------------------------------------------------

    /// Hangs up: BYE, and waits for its 200.
    pub async fn hang_up(&mut self) -> Result<(), Failure> {
        let bye = self.prepare(Method::Bye)?;
        self.agent.request(bye, None, &self.next_flow()?).await?;
        let (answer, _) = self.answer_to(&Method::Bye, 200).await?;
        self.want(200, &answer)
    }

    /// Waits for the BYE, and answers it.
    pub async fn hung_up(&mut self) -> Result<(), Failure> {
        let bye = self.requested(Method::Bye).await?;
        self.agent.reply(&bye, &self.flow, self.tagged(Reply::new(200, "OK"))).await
    }

    /// Offers the audio anew inside the call; [`answered`](Call::answered) comes next.
    pub async fn reinvite(&mut self, direction: Direction) -> Result<(), Failure> {
        self.sdp_version += 1;
        let request = self.prepare(Method::Invite)?;
        let sdp = self.sdp(direction);
        self.invite = self.agent.request(request, Some(sdp), &self.next_flow()?).await?;
        Ok(())
    }

    /// Waits for a re-INVITE, and says which way the audio goes from now on; [`accept`](Call::accept) comes next.
    pub async fn reinvited(&mut self) -> Result<Direction, Failure> {
        let invite = self.requested(Method::Invite).await?;
        let Some(offer) = Sdp::parse(&invite.body) else {
            return Err(self.unexpected("an offer", String::from_utf8_lossy(&invite.body).into_owned()));
        };
        self.refresh_target(&invite.headers)?;
        self.aim(&invite.body)?;
        self.sdp_version += 1;
        self.invite = invite;
        Ok(offer.direction)
    }

    // ---- Helpers --------------------------------------------------------------------------------------

    fn sdp(&self, direction: Direction) -> String {
        Sdp { rtp: self.line.address(), direction, crypto: self.crypto }.body(self.sdp_version)
    }

    /// Audio goes to where this SDP says, if it is one; with SRTP if it says so, under a key of our own.
    fn aim(&mut self, body: &[u8]) -> Result<(), Failure> {
        let Some(sdp) = Sdp::parse(body) else { return Ok(()) };
        if let Some((tag, theirs)) = sdp.crypto {
            let ours = match self.crypto {
                Some((_, ours)) => ours,
                None => self.line.protect()?,
            };
            // An answer repeats the tag of the offer's line that it takes. RFC 4568 §5.1.2.
            self.crypto = Some((tag, ours));
            self.line.unprotect(theirs)?;
        }
        self.line.aim(sdp.rtp);
        Ok(())
    }

    fn contact(&self) -> String {
        let protocol = self.flow.protocol().to_ascii_lowercase();
        format!("<sip:demo@{};transport={protocol}>", self.agent.wire.address_for(&self.flow))
    }

    fn prepare(&mut self, method: Method) -> Result<rsip::Request, Failure> {
        self.seq += 1;
        self.prepare_numbered(method, self.seq)
    }

    /// A request of the dialog, or the one that begins it. RFC 3261 §8.1.1, §12.2.1.1.
    fn prepare_numbered(&self, method: Method, seq: u32) -> Result<rsip::Request, Failure> {
        let mut headers = rsip::Headers::default();
        let (protocol, address) = (self.flow.protocol(), self.agent.wire.address_for(&self.flow));
        let via = format!("SIP/2.0/{protocol} {address};branch=z9hG4bK{};rport", token()?);
        headers.push(rsip::headers::Via::new(via).into());
        headers.push(rsip::headers::MaxForwards::default().into());
        headers.extend(
            self.routes.iter().map(|uri| rsip::headers::Route::new(format!("<{uri}>")).into()).collect(),
        );
        headers.push(rsip::headers::From::new(self.local.clone()).into());
        headers.push(rsip::headers::To::new(self.remote.clone()).into());
        headers.push(rsip::headers::CallId::new(self.call_id.clone()).into());
        headers.push(rsip::headers::CSeq::new(format!("{seq} {method}")).into());
        if method == Method::Invite {
            headers.push(rsip::headers::Contact::new(self.contact()).into());
            headers.push(rsip::headers::Allow::new("INVITE, ACK, CANCEL, BYE, OPTIONS").into());
        }
        headers.push(rsip::headers::UserAgent::new("rsip-demo").into());
        let uri = rsip::Uri::try_from(self.target.as_str())?;
        Ok(rsip::Request { method, uri, version: rsip::Version::V2, headers, body: Vec::new() })
    }

    async fn reply(
        &mut self,
        status: u16,
        phrase: &str,
        sdp: Option<String>,
        headers: Vec<Header>,
    ) -> Result<(), Failure> {
        let contact = (status < 300).then(|| self.contact());
        let reply = self.tagged(Reply { contact, headers, sdp, ..Reply::new(status, phrase) });
        self.agent.reply(&self.invite, &self.flow, reply).await
    }

    fn tagged(&self, reply: Reply) -> Reply {
        Reply { to_tag: Some(self.local_tag.clone()), ..reply }
    }

    fn remote_has_no_tag(&self) -> bool {
        !self.remote.contains(";tag=")
    }

    fn refresh_target(&mut self, headers: &rsip::Headers) -> Result<(), Failure> {
        match message::uris(headers, "Contact").into_iter().next() {
            Some(contact) => self.target = contact,
            None => return Err(self.unexpected("a Contact", headers.to_string())),
        }
        Ok(())
    }

    /// Over what requests of the dialog go: the connection that we have, or to the next hop over UDP.
    fn next_flow(&self) -> Result<Flow, Failure> {
        if self.flow.is_reliable() {
            return Ok(self.flow.clone());
        }
        let next = self.routes.first().unwrap_or(&self.target);
        let hop = rsip::Uri::try_from(next.as_str())?.host_with_port;
        let port = hop.port.map_or(5060, |port| *port.value());
        let address = hop.host.to_string().parse().map(|ip| SocketAddr::new(ip, port));
        address.map(Flow::Udp).map_err(|_| self.unexpected("an address to send to", next.clone()))
    }

    /// Waits for an answer of at least that status to the last request of a method; any final answer ends the wait.
    async fn answer_to(&mut self, method: &Method, status: u16) -> Result<(Answer, rsip::Response), Failure> {
        let (method, seq) = (*method, self.seq);
        let arrived = self
            .next(format!("{status} to its {method}"), |arrived| match &arrived.message {
                SipMessage::Response(response) => {
                    let found = response.status_code.code();
                    // Early answers that nobody waits for are passed over for good.
                    message::cseq(response).is_ok_and(|cseq| cseq == (seq, method))
                        && (found >= status.min(200) || found == status)
                }
                SipMessage::Request(_) => false,
            })
            .await?;
        let SipMessage::Response(response) = arrived.message else {
            return Err(self.agent.waited("an answer"));
        };
        if method == Method::Invite {
            self.aim(&response.body)?;
            self.challenge = digest::challenge(&response.headers);
        }
        let answer = Answer {
            status: response.status_code.code(),
            phrase: arrived.phrase,
            reason: message::value(&response.headers, "Reason"),
            retry_after: message::value(&response.headers, "Retry-After"),
        };
        Ok((answer, response))
    }

    /// Waits for a request of that method.
    async fn requested(&mut self, method: Method) -> Result<rsip::Request, Failure> {
        let arrived = self
            .next(method.to_string(), |arrived| {
                matches!(&arrived.message, SipMessage::Request(request) if request.method == method)
            })
            .await?;
        match arrived.message {
            SipMessage::Request(request) => Ok(request),
            SipMessage::Response(_) => Err(self.agent.waited("a request")),
        }
    }

    /// The next message that is meant; what comes before it is kept for later.
    async fn next(&mut self, what: String, meant: impl Fn(&Arrived) -> bool) -> Result<Arrived, Failure> {
        if let Some(at) = self.passed_over.iter().position(&meant)
            && let Some(arrived) = self.passed_over.remove(at)
        {
            return Ok(arrived);
        }
        let found = async {
            while let Some(arrived) = self.inbox.recv().await {
                if meant(&arrived) {
                    return Some(arrived);
                }
                self.passed_over.push_back(arrived);
            }
            None
        };
        let found = tokio::time::timeout(PATIENCE, found).await.ok().flatten();
        found.ok_or_else(|| self.agent.waited(what))
    }

    fn want(&self, status: u16, answer: &Answer) -> Result<(), Failure> {
        if answer.status == status {
            return Ok(());
        }
        Err(self.unexpected(&status.to_string(), answer.to_string()))
    }

    fn unexpected(&self, wanted: &str, got: String) -> Failure {
        Failure::Unexpected { who: self.agent.column.0.to_owned(), wanted: wanted.to_owned(), got }
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        lock(&self.agent.calls).remove(&self.call_id);
        lock(&self.agent.accepting).remove(&self.call_id);
    }
}
