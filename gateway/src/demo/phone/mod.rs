//! A phone: a SIP user agent on `rsip`, an implementation that is not ours.
//!
//! It shares no code with the gateway: what both misread, both would have to misread alike. A phone does what a
//! simple one does, and says so:
//!
//! - its requests are repeated over UDP until answered, its 2xx until acknowledged (RFC 3261 §17.1, §13.3.1.4);
//! - what it receives again is answered again (§17.2), and a repeated 2xx gets its ACK again (§13.2.2.4);
//! - it takes the first 2xx, knows no forks, and follows the route set (§12.2).

mod call;
mod digest;
mod message;
mod sdp;
mod wire;

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use rsip::headers::UntypedHeader;
use rsip::message::{HasHeaders, HeadersExt};
use rsip::{Header, Method, SipMessage};
use tokio::sync::mpsc;
use tokio::task::AbortHandle;

use super::PATIENCE;
use super::certificates::Tls;
use super::failure::Failure;
use super::ladder::{Column, Kind, Ladder};
pub use call::{Call, Invite};
pub use digest::User;
pub use message::Answer;
pub use sdp::Direction;
use wire::{Flow, Wire};

/// First wait before a repetition over UDP. RFC 3261 §17.1.1.1.
const T1: Duration = Duration::from_millis(500);
/// Longest wait between repetitions of all but INVITE.
const T2: Duration = Duration::from_secs(4);
/// Repetitions after which a phone would have given up: 64 * T1 have passed.
const REPETITIONS: usize = 6;

/// A message as it arrived.
#[derive(Debug, Clone)]
struct Arrived {
    message: SipMessage,
    flow: Flow,
    /// The reason phrase of a response.
    phrase: String,
}

/// A call that came, and what comes in it.
type NewCall = (Arrived, mpsc::UnboundedReceiver<Arrived>);

/// A SIP user agent with an address of its own.
pub struct Phone {
    agent: Arc<Agent>,
    new_calls: tokio::sync::Mutex<mpsc::UnboundedReceiver<NewCall>>,
    reader: AbortHandle,
}

impl Phone {
    /// Opens free ports on `ip`: UDP and TCP the same, TLS another.
    pub async fn start(column: Column, ip: IpAddr, tls: Tls, ladder: Ladder) -> Result<Phone, Failure> {
        let (wire, mut incoming) = Wire::bind(ip, tls).await?;
        let (sender, new_calls) = mpsc::unbounded_channel();
        let agent = Arc::new(Agent {
            column,
            wire,
            ladder,
            new_calls: sender,
            calls: Mutex::default(),
            clients: Mutex::default(),
            servers: Mutex::default(),
            accepting: Mutex::default(),
            faults: Mutex::default(),
        });
        let taker = agent.clone();
        let reader = tokio::spawn(async move {
            while let Some((bytes, flow)) = incoming.recv().await {
                if let Err(fault) = taker.take(&bytes, flow).await {
                    lock(&taker.faults).push(fault);
                }
            }
        });
        Ok(Phone { agent, new_calls: tokio::sync::Mutex::new(new_calls), reader: reader.abort_handle() })
    }

    /// Its column in the ladder.
    pub fn column(&self) -> Column {
        self.agent.column
    }

    /// Where it can be called, over UDP and TCP.
    pub fn address(&self) -> SocketAddr {
        self.agent.wire.address()
    }

    /// Where it can be called over TLS.
    pub fn secure_address(&self) -> SocketAddr {
        self.agent.wire.secure_address()
    }

    /// Sends an INVITE over UDP to the gateway at `to`.
    pub async fn call(&self, to: SocketAddr, invite: &Invite) -> Result<Call, Failure> {
        Call::start(self.agent.clone(), Flow::Udp(to), invite).await
    }

    /// Sends an INVITE over a new TCP connection to the gateway at `to`.
    pub async fn call_over_tcp(&self, to: SocketAddr, invite: &Invite) -> Result<Call, Failure> {
        let flow = self.agent.wire.connect(to).await?;
        Call::start(self.agent.clone(), flow, invite).await
    }

    /// Sends an INVITE over a new TLS connection to the gateway at `to`, which has to prove that it is the host that
    /// is called.
    pub async fn call_over_tls(&self, to: SocketAddr, invite: &Invite) -> Result<Call, Failure> {
        let flow = self.agent.wire.connect_tls(to, &invite.host).await?;
        Call::start(self.agent.clone(), flow, invite).await
    }

    /// Waits for the next call that comes.
    pub async fn incoming(&self) -> Result<Call, Failure> {
        let mut new_calls = self.new_calls.lock().await;
        match tokio::time::timeout(PATIENCE, new_calls.recv()).await {
            Ok(Some((arrived, inbox))) => Call::arrived(self.agent.clone(), arrived, inbox).await,
            _ => Err(self.agent.waited("a call")),
        }
    }

    /// Whether a call came that nobody has taken.
    pub async fn has_been_called(&self) -> bool {
        self.new_calls.lock().await.try_recv().is_ok()
    }

    /// Forgets earlier calls, and hands out what went wrong beside them, such as a message that could not be read.
    pub async fn forget(&self) -> Vec<Failure> {
        let mut new_calls = self.new_calls.lock().await;
        while new_calls.try_recv().is_ok() {}
        lock(&self.agent.calls).clear();
        lock(&self.agent.clients).clear();
        std::mem::take(&mut *lock(&self.agent.faults))
    }
}

impl Drop for Phone {
    fn drop(&mut self) {
        self.reader.abort();
    }
}

/// Names a transaction: branch and method.
type Key = (String, String);

/// What the phone and its calls share.
struct Agent {
    column: Column,
    wire: Wire,
    ladder: Ladder,
    new_calls: mpsc::UnboundedSender<NewCall>,
    /// By Call-ID.
    calls: Mutex<HashMap<String, mpsc::UnboundedSender<Arrived>>>,
    clients: Mutex<HashMap<Key, Client>>,
    /// Requests that arrived, with our last answer.
    servers: Mutex<HashMap<Key, Option<Vec<u8>>>>,
    /// What repeats a 2xx until its ACK comes, by Call-ID.
    accepting: Mutex<HashMap<String, Repeat>>,
    faults: Mutex<Vec<Failure>>,
}

/// A request of ours.
struct Client {
    request: rsip::Request,
    /// Sends it again; dropped by the first answer.
    repeat: Option<Repeat>,
    is_final: bool,
    /// What acknowledges its final answer, and over what.
    ack: Option<(Vec<u8>, Flow)>,
}

/// Sends something again and again until it is dropped.
struct Repeat(AbortHandle);

impl Drop for Repeat {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Agent {
    async fn take(self: &Arc<Agent>, bytes: &[u8], flow: Flow) -> Result<(), Failure> {
        let unreadable = |error: rsip::Error| Failure::Unreadable {
            who: self.column.0.to_owned(),
            from: flow.peer(),
            problem: error.to_string(),
            text: String::from_utf8_lossy(bytes).chars().take(400).collect(),
        };
        let message = SipMessage::try_from(bytes).map_err(unreadable)?;
        let arrived = Arrived { message, flow: flow.clone(), phrase: message::phrase(bytes) };
        match &arrived.message {
            SipMessage::Request(request) => self.take_request(request.clone(), arrived, unreadable).await,
            SipMessage::Response(_) => self.take_response(arrived, unreadable).await,
        }
    }

    async fn take_request(
        self: &Arc<Agent>,
        request: rsip::Request,
        arrived: Arrived,
        unreadable: impl Fn(rsip::Error) -> Failure,
    ) -> Result<(), Failure> {
        let key = (message::branch(&request).map_err(&unreadable)?, request.method.to_string());
        let call_id = message::call_id(&request).map_err(&unreadable)?;
        if request.method == Method::Options {
            // A probe: no call's business, and no line in its ladder.
            return self.reply(&request, &arrived.flow, Reply::new(200, "OK")).await;
        }
        let repeated = lock(&self.servers).get(&key).cloned();
        let kind = if repeated.is_some() { Kind::Again } else { Kind::Sip };
        self.note(&arrived.message, "", false, kind);
        if let Some(answer) = repeated {
            return match answer {
                Some(answer) => self.wire.send(&arrived.flow, &answer).await,
                None => Ok(()),
            };
        }
        lock(&self.servers).insert(key, None);
        if request.method == Method::Ack {
            lock(&self.accepting).remove(&call_id);
        }
        let known = lock(&self.calls).get(&call_id).cloned();
        if let Some(call) = known {
            // A call that is over reads no more.
            let _ = call.send(arrived);
            return Ok(());
        }
        match request.method {
            Method::Invite => {
                let (sender, inbox) = mpsc::unbounded_channel();
                lock(&self.calls).insert(call_id, sender);
                let _ = self.new_calls.send((arrived, inbox));
                Ok(())
            }
            Method::Ack => Ok(()),
            _ => {
                self.reply(&request, &arrived.flow, Reply::new(481, "Call/Transaction Does Not Exist")).await
            }
        }
    }

    async fn take_response(
        self: &Arc<Agent>,
        arrived: Arrived,
        unreadable: impl Fn(rsip::Error) -> Failure,
    ) -> Result<(), Failure> {
        let SipMessage::Response(response) = &arrived.message else { return Ok(()) };
        let status = response.status_code.code();
        let (_, method) = message::cseq(response).map_err(&unreadable)?;
        let key = (message::branch(response).map_err(&unreadable)?, method.to_string());
        let call_id = message::call_id(response).map_err(&unreadable)?;
        let (repeated, ack) = {
            let mut clients = lock(&self.clients);
            // An answer to an earlier call: too late to matter.
            let Some(client) = clients.get_mut(&key) else { return Ok(()) };
            client.repeat = None;
            let repeated = client.is_final;
            client.is_final |= status >= 200;
            if method == Method::Invite && status >= 300 && client.ack.is_none() {
                client.ack = Some((ack(&client.request, response)?, arrived.flow.clone()));
            }
            (repeated, client.ack.clone().filter(|_| status >= 200))
        };
        self.note(&arrived.message, &arrived.phrase, false, if repeated { Kind::Again } else { Kind::Sip });
        if let Some((ack, flow)) = ack {
            self.acknowledge(&ack, &flow, repeated).await?;
        }
        if !repeated && let Some(call) = lock(&self.calls).get(&call_id) {
            let _ = call.send(arrived.clone());
        }
        Ok(())
    }

    async fn acknowledge(&self, ack: &[u8], flow: &Flow, again: bool) -> Result<(), Failure> {
        let kind = if again { Kind::Again } else { Kind::Sip };
        self.ladder.note(Instant::now(), self.column, true, kind, "ACK");
        self.wire.send(flow, ack).await
    }

    /// Sends a request, again and again over UDP until something answers.
    async fn request(
        self: &Arc<Agent>,
        request: rsip::Request,
        sdp: Option<String>,
        flow: &Flow,
    ) -> Result<rsip::Request, Failure> {
        let (message, bytes) = message::finished(request.into(), sdp);
        let request = rsip::Request::try_from(message.clone())?;
        let key = (message::branch(&request)?, request.method.to_string());
        self.note(&message, "", true, Kind::Sip);
        if request.method != Method::Ack {
            let longest = if request.method == Method::Invite { Duration::MAX } else { T2 };
            let repeat = (!flow.is_reliable())
                .then(|| self.repeat(message, String::new(), bytes.clone(), flow, longest));
            let client = Client { request: request.clone(), repeat, is_final: false, ack: None };
            lock(&self.clients).insert(key, client);
        }
        self.wire.send(flow, &bytes).await?;
        Ok(request)
    }

    async fn reply(
        self: &Arc<Agent>,
        request: &rsip::Request,
        flow: &Flow,
        reply: Reply,
    ) -> Result<(), Failure> {
        let status = reply.status;
        let phrase = reply.phrase.clone();
        let sdp = reply.sdp.clone();
        let (message, bytes) = message::finished(reply.response(request)?.into(), sdp);
        let key = (message::branch(request)?, request.method.to_string());
        if request.method != Method::Options {
            self.note(&message, &phrase, true, Kind::Sip);
            lock(&self.servers).insert(key, Some(bytes.clone()));
        }
        if request.method == Method::Invite && (200..300).contains(&status) {
            // Even over TCP: the ACK is end to end. RFC 3261 §13.3.1.4.
            let repeat = self.repeat(message, phrase, bytes.clone(), flow, T2);
            lock(&self.accepting).insert(message::call_id(request)?, repeat);
        }
        self.wire.send(flow, &bytes).await
    }

    fn repeat(
        self: &Arc<Agent>,
        message: SipMessage,
        phrase: String,
        bytes: Vec<u8>,
        flow: &Flow,
        longest: Duration,
    ) -> Repeat {
        let (agent, flow) = (self.clone(), flow.clone());
        let task = tokio::spawn(async move {
            let mut wait = T1;
            for _ in 0..REPETITIONS {
                tokio::time::sleep(wait).await;
                wait = (wait * 2).min(longest);
                agent.note(&message, &phrase, true, Kind::Again);
                if agent.wire.send(&flow, &bytes).await.is_err() {
                    return;
                }
            }
        });
        Repeat(task.abort_handle())
    }

    fn note(&self, message: &SipMessage, phrase: &str, to_gateway: bool, kind: Kind) {
        let label = message::label(message, phrase);
        self.ladder.note(Instant::now(), self.column, to_gateway, kind, label);
    }

    fn waited(&self, what: impl Into<String>) -> Failure {
        Failure::Waited { who: self.column.0.to_owned(), what: what.into(), patience: PATIENCE }
    }
}

/// An answer of ours.
#[derive(Debug, Clone)]
struct Reply {
    status: u16,
    phrase: String,
    to_tag: Option<String>,
    contact: Option<String>,
    headers: Vec<Header>,
    sdp: Option<String>,
}

impl Reply {
    fn new(status: u16, phrase: &str) -> Reply {
        let phrase = phrase.to_owned();
        Reply { status, phrase, to_tag: None, contact: None, headers: Vec::new(), sdp: None }
    }

    /// RFC 3261 §8.2.6.
    fn response(self, request: &rsip::Request) -> Result<rsip::Response, rsip::Error> {
        let mut headers = rsip::Headers::default();
        for header in request.headers.iter() {
            match header {
                Header::To(to) => {
                    let untagged = to.tag()?.is_none();
                    let tagged = match &self.to_tag {
                        Some(tag) if untagged => rsip::headers::To::new(format!("{};tag={tag}", to.value())),
                        _ => to.clone(),
                    };
                    headers.push(tagged.into());
                }
                Header::Via(_) | Header::RecordRoute(_) | Header::From(_) => headers.push(header.clone()),
                Header::CallId(_) | Header::CSeq(_) => headers.push(header.clone()),
                _ => {}
            }
        }
        if let Some(contact) = self.contact {
            headers.push(rsip::headers::Contact::new(contact).into());
        }
        headers.extend(self.headers);
        Ok(rsip::Response {
            // Always with our phrase: rsip's own spelling of 486 is "BusyHere".
            status_code: rsip::StatusCode::Other(self.status, self.phrase),
            version: rsip::Version::V2,
            headers,
            body: Vec::new(),
        })
    }
}

/// The ACK of a final answer that is no 2xx: part of the INVITE's transaction. RFC 3261 §17.1.1.3.
fn ack(invite: &rsip::Request, response: &rsip::Response) -> Result<Vec<u8>, Failure> {
    let mut headers = rsip::Headers::default();
    headers.push(invite.via_header()?.clone().into());
    headers.push(rsip::headers::MaxForwards::default().into());
    headers.push(invite.from_header()?.clone().into());
    headers.push(response.to_header()?.clone().into());
    headers.push(invite.call_id_header()?.clone().into());
    let (seq, _) = message::cseq(invite)?;
    headers.push(rsip::headers::CSeq::new(format!("{seq} ACK")).into());
    headers.extend(
        invite.headers().iter().filter(|header| matches!(header, Header::Route(_))).cloned().collect(),
    );
    let ack = rsip::Request {
        method: Method::Ack,
        uri: invite.uri.clone(),
        version: rsip::Version::V2,
        headers,
        body: Vec::new(),
    };
    Ok(message::finished(ack.into(), None).1)
}

/// Sixteen random hexadecimal digits.
fn token() -> Result<String, Failure> {
    let random = getrandom::u64().map_err(|error| Failure::Io {
        what: "drawing random digits".to_owned(),
        error: std::io::Error::other(error.to_string()),
    })?;
    Ok(format!("{random:016x}"))
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
