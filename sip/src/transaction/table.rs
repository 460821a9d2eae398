use std::collections::VecDeque;
use std::fmt::{self, Debug};
use std::time::Instant;

use super::Timers;
use super::clients::Clients;
use super::key::InviteMark;
use super::servers::Servers;
use crate::{Message, Name};

/// All transactions of one endpoint. `P` is the caller's word for a peer: where a message came from or goes to.
///
/// What strangers can fill is bounded by the caller: every request that matches nothing begins a server transaction,
/// so before [`handle_message`](Self::handle_message) compare what waits for its answer with a limit of your
/// own and refuse what [`knows`](Self::knows) nothing of. A stray ACK, response or CANCEL keeps no state. A server
/// transaction lasts until it is answered and its timers are over: whoever takes an
/// [`Event::Request`] must [`respond`](Self::respond) with a final. One that is answered keeps its key and the bytes of
/// that answer, and may be [`forgotten`](Self::forget) before its time where those are too many.
///
/// Source: RFC 3261 §17, RFC 6026.
#[derive(Debug)]
pub struct Transactions<P> {
    clients: Clients<P>,
    servers: Servers<P>,
    outputs: VecDeque<Output<P>>,
}

/// Names a client transaction; never used twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ClientId(pub(super) u64);

/// Names a server transaction; never used twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ServerId(pub(super) u64);

/// Which transaction a message is sent for, so that the failure to send it can be reported.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Owner {
    /// Report to [`Transactions::handle_client_error`].
    Client(ClientId),
    /// Report to [`Transactions::handle_server_error`].
    Server(ServerId),
    /// Nobody wants to know: a 481 to a stray CANCEL.
    Stateless,
}

/// What [`Transactions`] wants done, in this order.
#[derive(Debug, Clone)]
pub enum Output<P> {
    /// Send `message` to `to`.
    Transmit {
        /// The request or response.
        message: Message,
        /// The `to` of the request, or the `from` of the message that is answered.
        to: P,
        /// Who wants to know if it cannot be sent.
        owner: Owner,
    },
    /// Tell the transaction user.
    Event(Event<P>),
}

/// What the transaction user must know.
#[derive(Debug, Clone)]
pub enum Event<P> {
    /// A new request, of any method but ACK and CANCEL. An INVITE is answered 100 by the layer if the user has not
    /// answered it within 200 ms (RFC 3261 §17.2.1), or as soon as it says so ([`Transactions::trying`]).
    Request {
        /// Answer it by this.
        id: ServerId,
        /// The request.
        message: Message,
        /// Where it came from and the answers go.
        from: P,
        /// A copy is being served that came by another way: answer 482 (RFC 3261 §8.2.2.2). One that was refused is not.
        merged: bool,
    },
    /// An INVITE that has no final answer yet shall be given up: answer it 487. The layer has answered the CANCEL
    /// (RFC 3261 §9.2).
    Cancel {
        /// The INVITE.
        invite: ServerId,
        /// The CANCEL.
        message: Message,
    },
    /// An ACK that belongs to no refusal of ours: it acknowledges a 2xx, or nothing at all.
    Ack {
        /// The ACK.
        message: Message,
        /// Where it came from.
        from: P,
    },
    /// A response: each 1xx, and the final one. Only a 2xx to INVITE can come more than once, or from several forks
    /// (RFC 6026 §7.2). The layer has acknowledged it if it is a refusal of an INVITE.
    Response {
        /// The request that it answers.
        id: ClientId,
        /// The response.
        message: Message,
        /// Where it came from.
        from: P,
    },
    /// A response that belongs to no client transaction.
    StrayResponse {
        /// The response.
        message: Message,
        /// Where it came from.
        from: P,
    },
    /// No final response came in time: timer B or F, or 64*T1 after a CANCEL. The transaction is gone.
    Timeout {
        /// The request.
        id: ClientId,
    },
    /// The request could not be sent, or its connection broke. The transaction is gone, but for an INVITE that had a
    /// 1xx: the layer cancels it, and a late 2xx is still reported.
    ClientTransport {
        /// The request.
        id: ClientId,
    },
    /// A refusal of an INVITE was never acknowledged: timer H. The transaction is gone.
    NoAck {
        /// The INVITE.
        id: ServerId,
    },
    /// A response could not be sent. The transaction stays (RFC 6026 §8.8) and may report this again.
    ServerTransport {
        /// The request.
        id: ServerId,
    },
    /// All timers of a client transaction are over: nothing more is reported of it, and its `id` may be forgotten.
    ClientEnded {
        /// The request.
        id: ClientId,
    },
    /// All timers of a server transaction are over: its `id` may be forgotten.
    ServerEnded {
        /// The request.
        id: ServerId,
    },
}

impl<P: Clone + Debug> Transactions<P> {
    /// An empty table.
    pub fn new(timers: Timers) -> Self {
        Transactions {
            clients: Clients::new(timers),
            servers: Servers::new(timers),
            outputs: VecDeque::new(),
        }
    }

    /// Takes a message that has passed [`Message::check`]; without a readable Via it is dropped.
    ///
    /// `from` is where answers go; `reliable` is true if it came by TCP or TLS.
    pub fn handle_message(&mut self, now: Instant, message: Message, from: P, reliable: bool) {
        if message.is_request() {
            self.servers.handle_request(now, message, from, reliable, &mut self.outputs);
        } else if !self.clients.handle_response(now, &message, &from, &mut self.outputs) {
            self.outputs.push_back(Output::Event(Event::StrayResponse { message, from }));
        }
    }

    /// Fires every timer that is due. Early or repeated calls are harmless.
    pub fn handle_timeout(&mut self, now: Instant) {
        self.clients.handle_timeout(now, &mut self.outputs);
        self.servers.handle_timeout(now, &mut self.outputs);
    }

    /// The transport could not send for this client transaction. An ended `id` is ignored.
    pub fn handle_client_error(&mut self, now: Instant, id: ClientId) {
        self.clients.handle_error(now, id, &mut self.outputs);
    }

    /// The transport could not send for this server transaction. An ended `id` is ignored.
    pub fn handle_server_error(&mut self, now: Instant, id: ServerId) {
        self.servers.handle_error(now, id, &mut self.outputs);
    }

    /// Sends a request of any method but ACK in a new transaction; `reliable` is true for TCP and TLS.
    ///
    /// The caller has put a Via on top whose branch nothing else uses. A CANCEL is better left to
    /// [`cancel`](Self::cancel).
    pub fn request(&mut self, now: Instant, request: Message, to: P, reliable: bool) -> ClientId {
        self.clients.request(now, request, to, reliable, &mut self.outputs)
    }

    /// Goes on with an INVITE that an earlier run of the program sent and that may ring: nothing is sent before it is
    /// [`cancel`](Self::cancel)led, which whoever resumes it does at once.
    pub fn resume_client(&mut self, invite: Message, to: P, reliable: bool) -> ClientId {
        self.clients.resume(invite, to, reliable)
    }

    /// Goes on with an INVITE that came to an earlier run of the program, which whoever resumes it refuses at once: nothing is
    /// reported of it. `None` where it can't be matched, or has come again and is another one by now.
    pub fn resume_server(
        &mut self,
        now: Instant,
        invite: &Message,
        from: P,
        reliable: bool,
    ) -> Option<ServerId> {
        self.servers.resume(now, invite, from, reliable)
    }

    /// Gives up an INVITE: sends a CANCEL with the headers of `extra` (such as Reason) once there is a 1xx.
    ///
    /// Still ends in one [`Event::Response`] with a final (487, or a 2xx that came first) or one [`Event::Timeout`],
    /// the latter after 64*T1. Of the CANCEL itself nothing is reported. Not an INVITE, answered finally, cancelled
    /// already or unknown: ignored. RFC 3261 §9.1.
    pub fn cancel(&mut self, now: Instant, id: ClientId, extra: &[(Name, String)]) {
        self.clients.cancel(now, id, extra, &mut self.outputs);
    }

    /// [`cancel`](Self::cancel) for who has gone on to another host: an INVITE that nothing was heard of is not sent
    /// again.
    pub fn leave(&mut self, now: Instant, id: ClientId, extra: &[(Name, String)]) {
        self.clients.leave(now, id, extra, &mut self.outputs);
    }

    /// Answers a request. The same 2xx to INVITE may be given again until it is acknowledged (RFC 6026 §7.1); any
    /// other response after a final, or to an unknown or ended `id`, is ignored.
    pub fn respond(&mut self, now: Instant, id: ServerId, response: Message) {
        self.servers.respond(now, id, response, &mut self.outputs);
    }

    /// Sends 100 for an INVITE that the user has passed on, unless there was a response: the layer would wait 200 ms,
    /// and some peers repeat an INVITE sooner. Any other `id` is ignored. RFC 3261 §17.2.1.
    pub fn trying(&mut self, now: Instant, id: ServerId) {
        self.servers.trying(now, id, &mut self.outputs);
    }

    /// Answers finally and ends the transaction: a copy of the request is a new one, to be answered the same
    /// (RFC 3261 §8.2.7), and an ACK is nobody's. For challenges, and for who has no room to keep what it refused.
    pub fn dismiss(&mut self, now: Instant, id: ServerId, response: Message) {
        self.servers.dismiss(now, id, response, &mut self.outputs);
    }

    /// Ends a transaction before its time, for who has no room to keep it: a copy of the request is a new one, and an ACK is
    /// nobody's. One that is not answered must be answered first. An ended `id` is ignored.
    pub fn forget(&mut self, now: Instant, id: ServerId) {
        self.servers.forget(now, id, &mut self.outputs);
    }

    /// The next thing to do; drain to `None` after every other call.
    pub fn poll_output(&mut self) -> Option<Output<P>> {
        self.outputs.pop_front()
    }

    /// When to call [`handle_timeout`](Self::handle_timeout); `None` when no timer runs.
    pub fn poll_timeout(&self) -> Option<Instant> {
        [self.clients.poll_timeout(), self.servers.poll_timeout()].into_iter().flatten().min()
    }

    /// `true` if `request` is a copy of one that is being served, or an ACK or CANCEL of one: taking it costs nothing.
    pub fn knows(&self, request: &Message) -> bool {
        self.servers.knows(request)
    }

    /// What an INVITE has in common with its copies and its CANCEL; `None` for one whose Via can't be read.
    pub fn mark(&self, request: &Message) -> Option<InviteMark> {
        self.servers.mark(request)
    }

    /// How many client transactions there are, our CANCELs among them.
    pub fn client_len(&self) -> usize {
        self.clients.len()
    }

    /// How many server transactions there are, CANCELs among them (at most one for each INVITE).
    pub fn server_len(&self) -> usize {
        self.servers.len()
    }
}

impl fmt::Display for ClientId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "client {}", self.0)
    }
}

impl fmt::Display for ServerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "server {}", self.0)
    }
}
