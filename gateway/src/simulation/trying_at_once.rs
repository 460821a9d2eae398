//! 100 leaves at once: some peers repeat an INVITE that nobody took within a few ten milliseconds.

use sip::Method;

use super::trunk::{OUTSIDE, everywhere, over_udp};

#[test]
fn an_invite_that_is_passed_on_gets_100_at_once() {
    everywhere(|trunk| {
        let a = trunk.dial(trunk.pbx, OUTSIDE);
        trunk.run(0.05);
        assert_eq!(trunk.call(a).statuses(&Method::Invite), [100]);
        let b = trunk.incoming(trunk.east);
        trunk.run(1.0);
        trunk.respond(b, 200);
        trunk.run(1.0);
        assert_eq!(trunk.call(a).statuses(&Method::Invite), [100, 200]);
        // And inside the call.
        trunk.phone(trunk.east).habits.renegotiates = None;
        trunk.request(a, Method::Invite, Some("sendonly"));
        trunk.run(0.05);
        assert_eq!(trunk.call(a).statuses(&Method::Invite), [100, 200, 100]);
        trunk.world.with(b.0, |phone, now| phone.answer_offer(now, b.1, 200));
        trunk.run(1.0);
        assert_eq!(trunk.call(a).statuses(&Method::Invite), [100, 200, 100, 200]);
        trunk.hang_up(a);
        trunk.run(1.0);
    });
}

#[test]
fn what_is_answered_at_once_gets_no_100() {
    over_udp(&[("pbx_termination", "denied_prefixes = [\"+1212\"]")], |trunk| {
        let a = trunk.dial(trunk.pbx, OUTSIDE);
        trunk.run(1.0);
        assert_eq!(trunk.call(a).statuses(&Method::Invite), [403]);
    });
}
