//! Two systems send a call to each other for ever: each of them takes the gateway for the way out.

use sip::Name;

use super::trunk::{BRANCH, PBX, Trunk, everywhere};
use super::world::{CallId, PhoneId};

/// A call with so many hops left.
fn dial(trunk: &mut Trunk, phone: PhoneId, number: &str, hops: u32) -> CallId {
    let from = trunk.own_number(phone);
    let call = trunk.world.with(phone, |phone, now| {
        let invite = phone.invite("vc.example.com", from, number, true);
        phone.place(now, invite.set(Name::MaxForwards, hops.to_string()).build())
    });
    CallId(phone, call)
}

/// RFC 3261 §8.1.1.6: each hop leaves one hop less, and where none is left the call is refused on all of its legs.
#[test]
fn a_loop_ends_where_no_hop_is_left() {
    everywhere(|trunk| {
        let (pbx, branch) = (trunk.pbx, trunk.branch);
        let mut calls = vec![dial(trunk, pbx, BRANCH, 7)];
        let mut next = (branch, pbx, PBX);
        loop {
            trunk.run(0.5);
            let (here, there, number) = next;
            let newest = *calls.last().unwrap();
            if !trunk.heard(newest).is_empty() {
                assert_eq!(trunk.heard(newest), [483]);
                break;
            }
            let came = trunk.incoming(here);
            let left = trunk.call(came).invite.max_forwards().unwrap().unwrap();
            assert!(calls.len() < 8, "{left} hops are left");
            // As a proxy would: a hop less.
            calls.push(dial(trunk, here, number, left.saturating_sub(1)));
            next = (there, here, if number == PBX { BRANCH } else { PBX });
        }
        assert_eq!(calls.len(), 4 + 1, "two hops each time: the gateway's and the other system's");
        for call in calls.into_iter().rev().skip(1) {
            trunk.cancel(call);
        }
        trunk.run(40.0);
    });
}
