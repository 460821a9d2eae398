//! A proxy before the gateway forks serially: what one branch was refused or cancelled goes out once more, by another
//! branch and else as it was. RFC 3261 §16.7 step 5, §8.2.2.2.

use std::time::Instant;

use sip::{Builder, Method, Name};

use super::phone::{Phone, Stage};
use super::trunk::{OUTSIDE, PBX, Trunk, everywhere, over_udp};
use super::world::CallId;

impl Phone {
    /// Sends the INVITE of a call once more by another branch: Call-ID, From tag and CSeq stay.
    pub fn fork(&mut self, now: Instant, index: usize) -> usize {
        let branch = self.branch();
        let (invite, media) = (self.calls[index].invite.clone(), self.calls[index].first_media.clone());
        let fork = self.place(now, invite.edit().set(Name::Via, self.via(&branch)).build());
        self.calls[fork].first_media = media.clone();
        self.calls[fork].media = media;
        fork
    }
}

fn fork(trunk: &mut Trunk, call: CallId) -> CallId {
    let fork = trunk.world.with(call.0, |phone, now| phone.fork(now, call.1));
    trunk.run(0.2);
    CallId(call.0, fork)
}

fn talks(trunk: &mut Trunk, call: CallId) {
    let b = trunk.incoming(trunk.east);
    trunk.respond(b, 200);
    trunk.run(1.0);
    assert_eq!((trunk.heard(call), trunk.stage(b)), (vec![200], Stage::Up));
    trunk.hang_up(call);
    trunk.run(1.0);
    assert_eq!(trunk.stage(b), Stage::Over);
}

#[test]
fn who_was_busy_is_called_again_by_another_branch() {
    everywhere(|trunk| {
        let first = trunk.dial(trunk.pbx, OUTSIDE);
        trunk.run(0.2);
        let busy = trunk.incoming(trunk.east);
        trunk.respond(busy, 486);
        trunk.run(0.2);
        assert_eq!(trunk.heard(first), [486]);
        let second = fork(trunk, first);
        let busy = trunk.incoming(trunk.east);
        trunk.respond(busy, 486);
        trunk.run(0.2);
        let third = fork(trunk, second);
        talks(trunk, third);
        assert_eq!(trunk.received(trunk.east), 3);
    });
}

#[test]
fn who_did_not_answer_in_time_is_called_again_by_another_branch() {
    everywhere(|trunk| {
        let first = trunk.dial(trunk.pbx, OUTSIDE);
        trunk.run(0.2);
        let ringing = trunk.incoming(trunk.east);
        trunk.respond(ringing, 180);
        trunk.run(0.2);
        trunk.cancel(first);
        trunk.run(0.2);
        assert_eq!(trunk.heard(first), [180, 487]);
        let second = fork(trunk, first);
        talks(trunk, second);
    });
}

/// A refusal of our own, too.
#[test]
fn a_call_that_the_policy_refused_may_come_again() {
    over_udp(&[("pbx_termination", "denied_prefixes = [\"+1212\"]")], |trunk| {
        let first = trunk.dial(trunk.pbx, OUTSIDE);
        trunk.run(0.2);
        assert_eq!(trunk.heard(first), [403]);
        let second = fork(trunk, first);
        assert_eq!(trunk.heard(second), [403]);
    });
}

/// A copy that took a detour and comes after the answer is no new call: somebody would ring, and pay, twice.
#[test]
fn a_copy_that_comes_after_the_answer_is_merged() {
    over_udp(&[], |trunk| {
        let (a, b) = trunk.connect(trunk.pbx, OUTSIDE, trunk.east);
        let branch = trunk.phone(a.0).branch();
        let via = trunk.phone(a.0).via(&branch);
        let copy = trunk.call(a).invite.edit().set(Name::Via, via).build();
        trunk.world.send(a.0, copy.clone());
        trunk.run(0.1);
        let refused = trunk.phone(a.0).strays.last().cloned().unwrap();
        assert_eq!(refused.status().unwrap().code(), 482);
        let ack = Builder::request(Method::Ack, copy.request_uri().unwrap())
            .header(Name::Via, copy.value(Name::Via).unwrap().as_bytes())
            .header(Name::MaxForwards, "70")
            .header(Name::From, copy.value(Name::From).unwrap().as_bytes())
            .header(Name::To, refused.value(Name::To).unwrap().as_bytes())
            .header(Name::CallId, copy.call_id().unwrap())
            .header(Name::CSeq, "1 ACK");
        trunk.world.send(a.0, ack.build());
        assert_eq!((trunk.received(trunk.east), trunk.stage(b)), (1, Stage::Up));
        trunk.hang_up(a);
        trunk.run(1.0);
    });
}

/// Inbound calls are forked as well: a carrier's two proxies, one after the other.
#[test]
fn a_carrier_forks_serially() {
    everywhere(|trunk| {
        let first = trunk.dial(trunk.east, PBX);
        trunk.run(0.2);
        let busy = trunk.incoming(trunk.pbx);
        trunk.respond(busy, 486);
        trunk.run(0.2);
        let second = fork(trunk, first);
        let b = trunk.incoming(trunk.pbx);
        trunk.respond(b, 200);
        trunk.run(1.0);
        assert_eq!(trunk.heard(second), [200]);
        trunk.hang_up(second);
        trunk.run(1.0);
    });
}
