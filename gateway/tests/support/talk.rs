//! A call between two peers of the daemon, message by message.

use std::time::Instant;

use sip::dialog::Dialog;
use sip::{Builder, Message, Method, Name, StatusCode};

use super::{Peer, shown, status_line};

/// Who of the two.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Who {
    Caller,
    Callee,
}

/// A call from `caller` to `callee` through the gateway.
pub struct Talk<'a> {
    pub began: Instant,
    caller: &'a Peer,
    callee: &'a Peer,
    /// What the caller sent, and what the callee got of it.
    invite: Message,
    pub offered: Message,
    /// What was offered to hosts that declined it.
    pub declined: Vec<Message>,
    /// The dialogs, once there are any.
    dialogs: Option<[Dialog; 2]>,
    /// The newest INVITE: who sent it, what it sent, what the other one got.
    asked: (Who, Message, Message),
}

impl<'a> Talk<'a> {
    /// The caller calls, the callee has the INVITE.
    pub fn rings(caller: &'a Peer, callee: &'a Peer, invite: Builder) -> Talk<'a> {
        Talk::fails_over(caller, &[], callee, invite)
    }

    /// The same with an offer of the caller's; `None`: without.
    pub fn offers(caller: &'a Peer, callee: &'a Peer, number: &str, sdp: Option<String>) -> Talk<'a> {
        Talk::rings(caller, callee, with_body(caller.invite(number).no_body(), sdp))
    }

    /// The same where `hosts`, one after another, decline the INVITE with 503 before `callee` has it.
    pub fn fails_over(caller: &'a Peer, hosts: &[&Peer], callee: &'a Peer, invite: Builder) -> Talk<'a> {
        let invite = invite.build();
        caller.send(&invite);
        let decline = |host: &&Peer| {
            let offered = host.receive_request(Method::Invite);
            host.reply(&offered, 503, "Service Unavailable");
            host.receive_request(Method::Ack);
            offered
        };
        let declined = hosts.iter().map(decline).collect();
        let offered = callee.receive_request(Method::Invite);
        let asked = (Who::Caller, invite.clone(), offered.clone());
        Talk { began: Instant::now(), caller, callee, invite, offered, declined, dialogs: None, asked }
    }

    /// Up at once: the caller offers, the callee answers, the ACK is through. Returns the answer as the caller got it.
    pub fn up(
        caller: &'a Peer,
        callee: &'a Peer,
        number: &str,
        offer: String,
        answer: impl FnOnce(&Message) -> String,
    ) -> (Talk<'a>, Message) {
        let mut talk = Talk::offers(caller, callee, number, Some(offer));
        let answer = answer(&talk.offered);
        let answer = talk.answers("t1", Some(answer));
        talk.acknowledges(None);
        (talk, answer)
    }

    /// The callee rings under that To tag, with a description; returns what the caller gets.
    pub fn progresses(&self, status: u16, tag: &str, sdp: String) -> Message {
        self.callee.send(&self.response(status, "Progress", tag, Some(sdp)));
        loop {
            let response = self.caller.receive();
            match response.status().map(StatusCode::code) {
                Some(100) => {}
                Some(code) if code == status => return response,
                _ => panic!("{}", shown(&response)),
            }
        }
    }

    /// The callee takes the call under that To tag; returns the answer that the caller gets.
    pub fn answers(&mut self, tag: &str, sdp: Option<String>) -> Message {
        self.callee.send(&self.response(200, "OK", tag, sdp));
        let answer = self.caller.answer_to(&self.invite);
        assert_eq!(status_line(&answer).0, 200, "{}", shown(&answer));
        let a = Dialog::uac(&self.invite, &answer).unwrap();
        let b = Dialog::uas(&self.offered, tag).unwrap();
        self.dialogs = Some([a, b]);
        answer
    }

    /// The callee refuses, or answers what the gateway will not take; returns what the caller gets.
    pub fn fails(&self, status: u16, sdp: Option<String>) -> Message {
        self.callee.send(&self.response(status, "Answer", "t1", sdp));
        self.callee.receive_request(Method::Ack);
        self.caller.answer_to(&self.invite)
    }

    fn response(&self, status: u16, reason: &str, tag: &str, sdp: Option<String>) -> Message {
        let (_, _, asked) = &self.asked;
        let response = Builder::reply(asked, StatusCode::new(status).unwrap(), reason, Some(tag));
        with_body(response.header(Name::Contact, self.contact(Who::Callee)), sdp).build()
    }

    fn contact(&self, who: Who) -> String {
        format!("<sip:phone@{}>", self.peer(who).local)
    }

    fn peer(&self, who: Who) -> &'a Peer {
        match who {
            Who::Caller => self.caller,
            Who::Callee => self.callee,
        }
    }

    fn dialog(&mut self, who: Who) -> &mut Dialog {
        let [a, b] = self.dialogs.as_mut().unwrap();
        match who {
            Who::Caller => a,
            Who::Callee => b,
        }
    }

    /// Acknowledges the newest answer; returns the ACK that the other one gets.
    pub fn acknowledges(&mut self, sdp: Option<String>) -> Message {
        let who = self.asked.0;
        let number = self.asked.1.cseq().unwrap().number;
        let ack = self.dialog(who).ack(number);
        self.sends(who, ack, sdp);
        self.peer(other(who)).receive_request(Method::Ack)
    }

    fn sends(&self, who: Who, request: Builder, sdp: Option<String>) -> Message {
        let request = request
            .header(Name::Via, self.peer(who).via())
            .header(Name::MaxForwards, "70")
            .header(Name::Contact, self.contact(who));
        let request = with_body(request, sdp).build();
        self.peer(who).send(&request);
        request
    }

    /// Asks for other media; returns the INVITE that the other one gets.
    pub fn reinvites(&mut self, who: Who, sdp: Option<String>) -> Message {
        let sent = self.tries(who, sdp);
        let got = self.peer(other(who)).receive_request(Method::Invite);
        self.dialog(other(who)).handle_request(&got).unwrap();
        self.asked = (who, sent, got.clone());
        got
    }

    /// The same where the gateway lets nothing through; returns its answer.
    pub fn is_refused(&mut self, who: Who, sdp: String) -> Message {
        let sent = self.tries(who, Some(sdp));
        self.peer(who).answer_to(&sent)
    }

    fn tries(&mut self, who: Who, sdp: Option<String>) -> Message {
        let invite = self.dialog(who).request(Method::Invite);
        self.sends(who, invite, sdp)
    }

    /// Answers the newest INVITE; returns what its sender gets.
    pub fn replies(&self, status: u16, sdp: Option<String>) -> Message {
        let (who, sent, got) = &self.asked;
        let reason = if status == 200 { "OK" } else { "Not Acceptable Here" };
        let reply = Builder::reply(got, StatusCode::new(status).unwrap(), reason, None);
        let reply = reply.header(Name::Contact, self.contact(other(*who)));
        let callee = self.peer(other(*who));
        callee.send(&with_body(reply, sdp).build());
        if status >= 300 {
            callee.receive_request(Method::Ack);
        }
        self.peer(*who).answer_to(sent)
    }

    /// Answers the newest INVITE 200 with what the gateway will not take; returns what its sender gets.
    pub fn refuses_answer(&self, sdp: String) -> Message {
        let answer = self.replies(200, Some(sdp));
        self.peer(other(self.asked.0)).receive_request(Method::Ack);
        answer
    }

    /// What held before is offered again to whoever gave an answer of no use, who takes it.
    pub fn takes_rollback(&mut self, sdp: String) {
        let who = other(self.asked.0);
        let got = self.peer(who).receive_request(Method::Invite);
        self.dialog(who).handle_request(&got).unwrap();
        let reply = Builder::reply(&got, StatusCode::OK, "OK", None).header(Name::Contact, self.contact(who));
        self.peer(who).send(&with_body(reply, Some(sdp)).build());
        self.peer(who).receive_request(Method::Ack);
    }

    /// An offer, its answer and the ACK; returns the offer as it came across, and the answer.
    pub fn renegotiates(
        &mut self,
        who: Who,
        offer: String,
        answer: impl FnOnce(&Message) -> String,
    ) -> (Message, Message) {
        let offered = self.reinvites(who, Some(offer));
        let answer = self.replies(200, Some(answer(&offered)));
        assert_eq!(status_line(&answer).0, 200, "{}", shown(&answer));
        self.acknowledges(None);
        (offered, answer)
    }

    /// The caller hangs up.
    pub fn ends(mut self) {
        let bye = self.dialog(Who::Caller).request(Method::Bye);
        let bye = self.sends(Who::Caller, bye, None);
        self.callee.is_hung_up();
        assert_eq!(status_line(&self.caller.answer_to(&bye)).0, 200);
    }
}

fn other(who: Who) -> Who {
    match who {
        Who::Caller => Who::Callee,
        Who::Callee => Who::Caller,
    }
}

fn with_body(builder: Builder, sdp: Option<String>) -> Builder {
    match sdp {
        Some(sdp) => builder.body("application/sdp", sdp.into()),
        None => builder,
    }
}
