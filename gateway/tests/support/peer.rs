//! A peer of the daemon that speaks SIP word by word.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::io::{ErrorKind, Read, Write};
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use bytes::Bytes;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, ServerConfig, ServerConnection, StreamOwned};
use sip::dialog::Dialog;
use sip::{Builder, Frame, Message, Method, Name, StatusCode, StreamFramer};
use socket2::{Domain, Socket, Type};

use super::{Authority, Leaf, PATIENCE, eventually};

/// So many messages are remembered to tell a repeated one.
const REMEMBERED: usize = 1_024;

/// What every peer of this file offers.
const SDP: &str = "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n\
                   m=audio 9 RTP/AVP 0\r\na=rtpmap:0 PCMU/8000\r\n";

static NEXT: AtomicU32 = AtomicU32::new(1);

/// A socket and the messages that came by it. Repeated messages are dropped, probes (OPTIONS) answered.
pub struct Peer {
    pub local: SocketAddr,
    gateway: SocketAddr,
    wire: Wire,
    seen: RefCell<VecDeque<Bytes>>,
}

enum Wire {
    Udp(UdpSocket),
    /// TCP or TLS, as Via writes it.
    Stream(&'static str, RefCell<(Box<dyn Duplex>, StreamFramer)>),
}

trait Duplex: Read + Write {}

impl<S: Read + Write> Duplex for S {}

impl Peer {
    /// Sends and receives datagrams at `local`.
    pub fn udp(local: SocketAddr, gateway: SocketAddr) -> Peer {
        // A process that another test starts just now may hold the socket that was here for a moment.
        let socket = eventually("an address", PATIENCE, || {
            UdpSocket::bind(local).map_err(|error| format!("{local}: {error}"))
        });
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        Peer { local, gateway, wire: Wire::Udp(socket), seen: RefCell::default() }
    }

    /// Holds a connection from `local`'s address, at any port.
    pub fn tcp(local: SocketAddr, gateway: SocketAddr) -> Peer {
        let socket = Socket::new(Domain::for_address(gateway), Type::STREAM, None).unwrap();
        socket.bind(&SocketAddr::new(local.ip(), 0).into()).unwrap();
        socket.connect(&gateway.into()).unwrap();
        let stream = TcpStream::from(socket);
        let local = stream.local_addr().unwrap();
        Peer::of_stream(stream, "TCP", local, gateway, |stream| Box::new(stream))
    }

    /// Holds a TLS connection from anywhere, and says that it is at `local`.
    pub fn tls(local: SocketAddr, gateway: SocketAddr, trusts: &Authority) -> Peer {
        Peer::tls_as(local, gateway, ServerName::from(gateway.ip()), trusts.client())
    }

    /// The same with TLS of its own, towards a gateway of this name.
    pub fn tls_as(
        local: SocketAddr,
        gateway: SocketAddr,
        name: ServerName<'static>,
        how: Arc<ClientConfig>,
    ) -> Peer {
        let connection = ClientConnection::new(how, name).unwrap();
        let stream = TcpStream::connect(gateway).unwrap();
        let dress = |stream| -> Box<dyn Duplex> { Box::new(StreamOwned::new(connection, stream)) };
        Peer::of_stream(stream, "TLS", local, gateway, dress)
    }

    /// Waits for the gateway to connect by TLS, and shows it this certificate.
    pub fn accept_tls(listener: &TcpListener, gateway: SocketAddr, leaf: &Leaf) -> Peer {
        Peer::accept_tls_as(listener, gateway, leaf.server())
    }

    /// The same with TLS of its own.
    pub fn accept_tls_as(listener: &TcpListener, gateway: SocketAddr, how: Arc<ServerConfig>) -> Peer {
        let connection = ServerConnection::new(how).unwrap();
        let (stream, local) = accepted(listener);
        let dress = |stream| -> Box<dyn Duplex> { Box::new(StreamOwned::new(connection, stream)) };
        Peer::of_stream(stream, "TLS", local, gateway, dress)
    }

    /// Waits for the gateway to connect by TCP.
    pub fn accept_tcp(listener: &TcpListener, gateway: SocketAddr) -> Peer {
        let (stream, local) = accepted(listener);
        Peer::of_stream(stream, "TCP", local, gateway, |stream| Box::new(stream))
    }

    fn of_stream(
        stream: TcpStream,
        via: &'static str,
        local: SocketAddr,
        gateway: SocketAddr,
        dress: impl FnOnce(TcpStream) -> Box<dyn Duplex>,
    ) -> Peer {
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let wire = Wire::Stream(via, RefCell::new((dress(stream), StreamFramer::new(65_536, 65_536))));
        Peer { local, gateway, wire, seen: RefCell::default() }
    }

    /// Whether it holds a connection.
    pub fn is_connected(&self) -> bool {
        matches!(self.wire, Wire::Stream(..))
    }

    /// A number that no other message of this process has.
    pub fn fresh() -> u32 {
        NEXT.fetch_add(1, Ordering::Relaxed)
    }

    /// A request outside any dialog, complete but for what a test adds.
    pub fn request(&self, method: Method, uri: &str) -> Builder {
        let (local, fresh) = (self.local, Peer::fresh());
        let cseq = format!("1 {method}");
        Builder::request(method, uri)
            .header(Name::Via, self.via())
            .header(Name::MaxForwards, "70")
            .header(Name::From, format!("<sip:+12065550100@{}>;tag=f{fresh}", host(local.ip())))
            .header(Name::To, format!("<{uri}>"))
            .header(Name::CallId, format!("c{fresh}-{}@{}", std::process::id(), local.ip()))
            .header(Name::CSeq, cseq)
            .header(Name::Contact, format!("<sip:phone@{local}>"))
    }

    /// An INVITE of `number` at the gateway's address, from +12065550100, with an offer.
    pub fn invite(&self, number: &str) -> Builder {
        self.invite_uri(&format!("sip:{number}@{}", self.gateway))
    }

    /// An INVITE with this Request-URI.
    pub fn invite_uri(&self, uri: &str) -> Builder {
        self.request(Method::Invite, uri).body("application/sdp", SDP.into())
    }

    /// A Via of this phone with a branch of its own.
    pub fn via(&self) -> String {
        let transport = match self.wire {
            Wire::Udp(_) => "UDP",
            Wire::Stream(via, _) => via,
        };
        format!("SIP/2.0/{transport} {};branch=z9hG4bK-{}", self.local, Peer::fresh())
    }

    /// A 2xx of this phone, with an answer.
    pub fn accept(&self, request: &Message) {
        let tag = format!("t{}", Peer::fresh());
        let answer = Builder::reply(request, StatusCode::OK, "OK", Some(&tag))
            .header(Name::Contact, format!("<sip:phone@{}>", self.local))
            .body("application/sdp", SDP.into());
        self.send(&answer.build());
    }

    /// Any answer of this phone without a body.
    pub fn reply(&self, request: &Message, status: u16, reason: &str) {
        self.send(&self.reply_builder(request, status, reason).build());
    }

    /// The same, for a test to add to.
    pub fn reply_builder(&self, request: &Message, status: u16, reason: &str) -> Builder {
        let tag = format!("t{}", Peer::fresh());
        Builder::reply(request, StatusCode::new(status).unwrap(), reason, Some(&tag))
    }

    pub fn send(&self, message: &Message) {
        self.send_bytes(message.bytes());
    }

    pub fn send_bytes(&self, bytes: &[u8]) {
        match &self.wire {
            Wire::Udp(socket) => {
                socket.send_to(bytes, self.gateway).unwrap();
            }
            Wire::Stream(_, connection) => connection.borrow_mut().0.write_all(bytes).unwrap(),
        }
    }

    /// The next message that is new; one must come.
    pub fn receive(&self) -> Message {
        loop {
            let message = self.next();
            let mut seen = self.seen.borrow_mut();
            if seen.contains(message.bytes()) {
                continue;
            }
            seen.push_back(message.bytes().clone());
            if seen.len() > REMEMBERED {
                seen.pop_front();
            }
            drop(seen);
            if message.method() == Some(Method::Options) {
                self.reply(&message, 200, "OK");
                continue;
            }
            return message;
        }
    }

    fn next(&self) -> Message {
        let mut buffer = vec![0; 65_536];
        match &self.wire {
            Wire::Udp(socket) => {
                let length =
                    socket.recv(&mut buffer).unwrap_or_else(|error| panic!("{}: {error}", self.local));
                Message::parse(Bytes::copy_from_slice(&buffer[..length])).unwrap()
            }
            Wire::Stream(_, connection) => {
                let (stream, framer) = &mut *connection.borrow_mut();
                loop {
                    if let Some(Frame::Message(message)) = framer.next().unwrap() {
                        return message;
                    }
                    let length =
                        stream.read(&mut buffer).unwrap_or_else(|error| panic!("{}: {error}", self.local));
                    assert!(length > 0, "{}: the connection was closed", self.local);
                    framer.push(&buffer[..length]);
                }
            }
        }
    }

    /// The next message, which is a probe (OPTIONS); it is answered.
    pub fn is_probed(&self) -> Message {
        let probe = self.next();
        assert_eq!(probe.method(), Some(Method::Options), "{}", shown(&probe));
        self.reply(&probe, 200, "OK");
        probe
    }

    /// Whether a datagram waits here. Only what has happened for sure tells that none will come.
    pub fn has_heard(&self) -> bool {
        let Wire::Udp(socket) = &self.wire else { panic!("datagrams only") };
        socket.set_nonblocking(true).unwrap();
        let nothing = socket.peek(&mut [0; 16]).is_err_and(|error| error.kind() == ErrorKind::WouldBlock);
        socket.set_nonblocking(false).unwrap();
        !nothing
    }

    /// Nothing waits here but repetitions; else the first message that is new.
    pub fn has_nothing_new(&self) -> Result<(), Message> {
        while self.has_heard() {
            let message = self.next();
            if !self.seen.borrow().contains(message.bytes()) {
                return Err(message);
            }
        }
        Ok(())
    }

    /// Whether the other side has closed the connection; waits for it, or for anything else.
    pub fn is_closed(&self) -> bool {
        let Wire::Stream(_, connection) = &self.wire else { panic!("connections only") };
        matches!(connection.borrow_mut().0.read(&mut [0; 1]), Ok(0))
    }

    /// Whether the other side ends the connection, or its handshake, before it says anything; waits for it.
    pub fn is_refused(&self) -> bool {
        let Wire::Stream(_, connection) = &self.wire else { panic!("connections only") };
        match connection.borrow_mut().0.read(&mut [0; 1]) {
            Ok(length) => length == 0,
            Err(error) => !matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut),
        }
    }

    /// The next request of this method; anything else but a provisional answer is a failure.
    pub fn receive_request(&self, method: Method) -> Message {
        let message = self.receive();
        assert_eq!(message.method(), Some(method), "{}: {}", self.local, shown(&message));
        message
    }

    /// Takes a BYE and returns it.
    pub fn is_hung_up(&self) -> Message {
        let bye = self.receive_request(Method::Bye);
        self.reply(&bye, 200, "OK");
        bye
    }

    /// The final answer to `request`, acknowledged if it is a refused INVITE.
    pub fn answer_to(&self, request: &Message) -> Message {
        loop {
            let answer = self.receive();
            let same = answer.value(Name::CSeq) == request.value(Name::CSeq)
                && answer.value(Name::CallId) == request.value(Name::CallId);
            let Some(status) = answer.status() else { panic!("{}: {}", self.local, shown(&answer)) };
            if !same || status.is_provisional() {
                continue;
            }
            if request.method() == Some(Method::Invite) && !status.is_success() {
                self.acknowledge(request, &answer);
            }
            return answer;
        }
    }

    /// Sends the ACK of an answer that is no 2xx.
    pub fn acknowledge(&self, invite: &Message, answer: &Message) {
        self.send(&refusal_ack(invite, answer));
    }

    /// The BYE of a callee, as it sees the dialog: this ACK completed it.
    pub fn bye_after(&self, ack: &Message) -> Message {
        self.request(Method::Bye, &format!("sip:gateway@{}", self.gateway))
            .set(Name::From, ack.value(Name::To).unwrap().as_bytes())
            .set(Name::To, ack.value(Name::From).unwrap().as_bytes())
            .set(Name::CallId, ack.value(Name::CallId).unwrap().as_bytes())
            .build()
    }

    /// Sends a request and waits for its final answer.
    pub fn ask(&self, request: Builder) -> Message {
        let request = request.build();
        self.send(&request);
        self.answer_to(&request)
    }
}

/// As it stands in a URI.
fn host(ip: IpAddr) -> String {
    if ip.is_ipv6() { format!("[{ip}]") } else { ip.to_string() }
}

/// The next connection, and where it came to.
fn accepted(listener: &TcpListener) -> (TcpStream, SocketAddr) {
    let (stream, _) = eventually("a connection", PATIENCE, || {
        listener.set_nonblocking(true).unwrap();
        listener.accept().map_err(|error| error.to_string())
    });
    stream.set_nonblocking(false).unwrap();
    (stream, listener.local_addr().unwrap())
}

/// A call that is up: how the caller sees it, and the INVITE that the callee got.
pub struct Up {
    pub dialog: Dialog,
    pub offered: Message,
}

impl Up {
    /// The caller calls, the callee takes it at once.
    pub fn begin(caller: &Peer, callee: &Peer, invite: Builder) -> Up {
        let invite = invite.build();
        caller.send(&invite);
        let offered = callee.receive_request(Method::Invite);
        callee.accept(&offered);
        let answer = caller.answer_to(&invite);
        assert_eq!(status_line(&answer).0, 200, "{}", shown(&answer));
        let dialog = Dialog::uac(&invite, &answer).unwrap();
        let ack = dialog.ack(invite.cseq().unwrap().number);
        caller.send(&ack.header(Name::Via, caller.via()).header(Name::MaxForwards, "70").build());
        callee.receive_request(Method::Ack);
        Up { dialog, offered }
    }

    /// The caller hangs up.
    pub fn end(mut self, caller: &Peer, callee: &Peer) {
        let bye = self.dialog.request(Method::Bye);
        let bye = bye.header(Name::Via, caller.via()).header(Name::MaxForwards, "70").build();
        caller.send(&bye);
        callee.is_hung_up();
        assert_eq!(status_line(&caller.answer_to(&bye)).0, 200);
    }
}

/// The ACK of an answer that is no 2xx. RFC 3261 §17.1.1.3.
fn refusal_ack(invite: &Message, answer: &Message) -> Message {
    let number = invite.cseq().unwrap().number;
    let mut ack = Builder::request(Method::Ack, invite.request_uri().unwrap());
    for (name, from) in [(Name::From, invite), (Name::To, answer), (Name::CallId, invite)] {
        ack = ack.header(name.clone(), from.value(name).unwrap().as_bytes());
    }
    ack.header(Name::Via, invite.value(Name::Via).unwrap().as_bytes())
        .header(Name::MaxForwards, "70")
        .header(Name::CSeq, format!("{number} ACK"))
        .build()
}

/// Status and reason phrase.
pub fn status_line(answer: &Message) -> (u16, String) {
    let phrase = String::from_utf8_lossy(answer.reason_phrase().unwrap()).into_owned();
    (answer.status().unwrap().code(), phrase)
}

/// The message as text.
pub fn shown(message: &Message) -> String {
    String::from_utf8_lossy(message.bytes()).into_owned()
}
