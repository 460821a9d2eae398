//! Through every offer of a call, made good or refused, both ends hold the same two descriptions to be agreed on; and what
//! a peer may not do leaves them as they were.

use sip::Method;

use super::phone::{Abilities, Stage};
use super::trunk::{OUTSIDE, Trunk, everywhere};

/// Both parties mark their descriptions.
fn marked(trunk: &mut Trunk) {
    for phone in [trunk.pbx, trunk.east] {
        trunk.able(phone, Abilities { refer: true, ..Abilities::default() });
    }
}

#[test]
fn hold_resume_and_a_refusal() {
    everywhere(|trunk| {
        marked(trunk);
        let (a, b) = trunk.connect(trunk.pbx, OUTSIDE, trunk.east);
        trunk.assert_agreed(a, b);
        for (asks, direction) in [(a, Some("sendonly")), (b, Some("sendrecv")), (a, None)] {
            trunk.request(asks, Method::Invite, direction);
            trunk.run(1.0);
            trunk.assert_agreed(a, b);
        }
        trunk.phone(b.0).habits.renegotiates = Some(488);
        trunk.request(a, Method::Invite, Some("inactive"));
        trunk.run(1.0);
        trunk.assert_agreed(a, b);
        trunk.hang_up(a);
        trunk.run(1.0);
    });
}

/// Nobody is transferred where nothing is configured, and the call goes on.
#[test]
fn a_transfer_that_is_not_allowed() {
    everywhere(|trunk| {
        marked(trunk);
        let (a, b) = trunk.connect(trunk.pbx, OUTSIDE, trunk.east);
        trunk.refer(a, "sip:+12125550177@vc.example.com");
        trunk.refer_attended(a, a, "sip:+12125550177@vc.example.com");
        trunk.run(1.0);
        for one in &trunk.call(a).subscriptions {
            assert!(one.response.is_some_and(|status| status >= 400), "{:?}", one.response);
            assert_eq!(one.outcome(), None);
        }
        trunk.assert_agreed(a, b);
        trunk.hang_up(a);
        trunk.run(1.0);
    });
}

/// A carrier that is a forking proxy: one phone rings and tells of media, another one answers.
#[test]
fn another_fork_answers_than_the_one_that_rang() {
    everywhere(|trunk| {
        let (a, b) = trunk.reach(trunk.pbx, OUTSIDE, trunk.east);
        let (first, second) = (trunk.phone(b.0).fork_tag(), trunk.phone(b.0).fork_tag());
        trunk.able(b.0, Abilities::default());
        trunk.respond_as(b, 180, &first);
        trunk.run(0.5);
        trunk.respond_as(b, 200, &second);
        trunk.run(1.0);
        assert_eq!((trunk.stage(a), trunk.stage(b)), (Stage::Up, Stage::Up));
        trunk.hang_up(a);
        trunk.run(1.0);
        assert_eq!(trunk.stage(b), Stage::Over);
    });
}

/// A redirection ends: by a call, or by a refusal.
#[test]
fn a_redirection_is_not_the_end_of_hearing() {
    everywhere(|trunk| {
        let (a, b) = trunk.reach(trunk.pbx, OUTSIDE, trunk.east);
        trunk.redirect(b, 302, &["sip:+12125550188@10.0.1.1"]);
        trunk.run(1.0);
        assert_eq!(trunk.stage(b), Stage::Over);
        trunk.cancel(a);
        trunk.run(40.0);
        assert_eq!(trunk.stage(a), Stage::Over);
    });
}
