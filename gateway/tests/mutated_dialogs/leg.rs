//! One end of one call, as plain text: nothing of the project's own builders may keep it from what peers write.

use std::fmt::Write;
use std::net::SocketAddr;

use sip::{Message, Name};

/// Where the first INVITE of a leg stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// Out or in, without a final response.
    Open,
    /// 2xx sent or received.
    Up,
    /// Refused, cancelled, or a BYE went or came.
    Over,
}

/// One end of one call.
pub struct Leg {
    pub stage: Stage,
    pub caller: bool,
    pub local: SocketAddr,
    pub call_id: String,
    local_uri: String,
    local_tag: String,
    remote_uri: String,
    remote_tag: String,
    /// The Request-URI of requests inside the dialog.
    target: String,
    cseq: u32,
    /// Branch and CSeq of the newest INVITE that it sent.
    pub invite: (String, u32),
    /// The INVITE that came first, to be answered.
    pub asked: Option<Message>,
    /// What was answered last to an INVITE, to be said again.
    pub answered: Option<Vec<u8>>,
    /// All that it sent and heard.
    pub ladder: String,
}

impl Leg {
    /// A caller's, before its INVITE.
    pub fn caller(local: SocketAddr, gateway: SocketAddr, [from, to]: [&str; 2], fresh: u64) -> Leg {
        Leg {
            stage: Stage::Open,
            caller: true,
            local,
            call_id: format!("m{fresh:x}@{}", local.ip()),
            local_uri: format!("sip:{from}@{}", local.ip()),
            local_tag: format!("a{fresh:x}"),
            remote_uri: format!("sip:{to}@{gateway}"),
            remote_tag: String::new(),
            target: format!("sip:{to}@{gateway}"),
            cseq: 0,
            invite: (String::new(), 0),
            asked: None,
            answered: None,
            ladder: String::new(),
        }
    }

    /// A callee's, of the INVITE that came.
    pub fn callee(local: SocketAddr, invite: &Message, fresh: u64) -> Leg {
        let (from, to) = (invite.from().unwrap(), invite.to().unwrap());
        let mut leg = Leg::caller(local, local, ["", ""], fresh);
        leg.caller = false;
        leg.call_id = invite.call_id().unwrap().to_owned();
        leg.local_uri = to.uri.to_string();
        leg.local_tag = format!("b{fresh:x}");
        leg.remote_uri = from.uri.to_string();
        leg.remote_tag = invite.from_tag().unwrap_or_default().into_owned();
        leg.asked = Some(invite.clone());
        leg.learn(invite);
        leg
    }

    /// Takes target and tag of what the other side said.
    pub fn learn(&mut self, message: &Message) {
        if let Ok(Some(contact)) = message.contact() {
            self.target = contact.uri.to_string();
        }
        if message.is_response()
            && let Some(tag) = message.to_tag()
        {
            self.remote_tag = tag.into_owned();
        }
    }

    /// A request of this leg, with what follows Max-Forwards.
    pub fn request(&mut self, method: &str, fresh: u64, rest: &str) -> Vec<u8> {
        let of_invite = matches!(method, "ACK" | "CANCEL");
        if !of_invite {
            self.cseq += 1;
        }
        let branch = if method == "CANCEL" { self.invite.0.clone() } else { format!("z9hG4bKm{fresh:x}") };
        let number = if of_invite { self.invite.1 } else { self.cseq };
        if method == "INVITE" {
            self.invite = (branch.clone(), number);
        }
        self.write(method, &branch, number, rest)
    }

    /// The ACK of a response to the newest INVITE, in the INVITE's transaction where it is a failure.
    pub fn ack(&mut self, success: bool, fresh: u64, rest: &str) -> Vec<u8> {
        let branch = if success { format!("z9hG4bKm{fresh:x}") } else { self.invite.0.clone() };
        self.write("ACK", &branch, self.invite.1, rest)
    }

    fn write(&self, method: &str, branch: &str, number: u32, rest: &str) -> Vec<u8> {
        let Leg { local, call_id, local_uri, local_tag, remote_uri, remote_tag, target, .. } = self;
        let tag = |tag: &str| if tag.is_empty() { String::new() } else { format!(";tag={tag}") };
        let to_tag = if method == "CANCEL" { String::new() } else { tag(remote_tag) };
        format!(
            "{method} {target} SIP/2.0\r\nVia: SIP/2.0/UDP {local};branch={branch};rport\r\n\
             From: \"M\" <{local_uri}>{}\r\nTo: <{remote_uri}>{to_tag}\r\nCall-ID: {call_id}\r\n\
             CSeq: {number} {method}\r\nContact: <sip:m@{local}>\r\nMax-Forwards: 70\r\n{rest}",
            tag(local_tag)
        )
        .into_bytes()
    }

    /// A response of this leg, with what follows Contact.
    pub fn respond(&self, request: &Message, status: u16, reason: &str, rest: &str) -> Vec<u8> {
        let mut text = format!("SIP/2.0 {status} {reason}\r\n");
        for name in [Name::Via, Name::From, Name::To, Name::CallId, Name::CSeq] {
            for value in request.lines(name.clone()) {
                let tagged = name == Name::To && status > 100 && request.to_tag().is_none();
                let tag = if tagged { format!(";tag={}", self.local_tag) } else { String::new() };
                let _ = write!(text, "{}: {value}{tag}\r\n", name.as_str());
            }
        }
        let _ = write!(text, "Contact: <sip:m@{}>\r\n{rest}", self.local);
        text.into_bytes()
    }
}
