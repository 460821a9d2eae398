//! RFC 3262 over the gateway: each leg has its own RSeq and PRACK, whichever side knows of them.

use std::time::Duration;

use sip::{Message, Method, Name};

use super::media::Speaks;
use super::phone::{Abilities, Pracks, Rel100, Stage};
use super::trunk::{OUTSIDE, Trunk, everywhere, everywhere_with, over_udp};
use super::world::CallId;

fn with(rel100: Rel100) -> Abilities {
    Abilities { rel100, ..Abilities::default() }
}

fn is_reliable(message: &Message) -> bool {
    message.reliable().unwrap().is_some()
}

fn pracks(trunk: &Trunk, call: CallId) -> usize {
    trunk.call(call).requests().iter().filter(|method| *method == "PRACK").count()
}

/// A call that rings, to be answered; both phones know 100rel as said.
fn ringing(trunk: &mut Trunk, caller: Rel100, callee: Rel100, status: u16) -> (CallId, CallId) {
    trunk.able(trunk.pbx, with(caller));
    trunk.able(trunk.east, with(callee));
    let (a, b) = trunk.reach(trunk.pbx, OUTSIDE, trunk.east);
    trunk.respond(b, status);
    trunk.run(1.0);
    (a, b)
}

fn answered(trunk: &mut Trunk, a: CallId, b: CallId) {
    trunk.respond(b, 200);
    trunk.run(1.0);
    assert_eq!((trunk.stage(a), trunk.stage(b)), (Stage::Up, Stage::Up));
    trunk.assert_agreed(a, b);
    trunk.hang_up(a);
    trunk.run(1.0);
    assert_eq!(trunk.stage(b), Stage::Over);
}

/// Who knows 100rel, and whether the ringing is reliable on the callee's leg and on the caller's.
#[test]
fn each_leg_is_as_reliable_as_its_party() {
    use Rel100::{OnDemand, Required, Supported, Unknown};
    everywhere(|trunk| {
        for (caller, callee, far, near) in [
            (Unknown, Unknown, false, false),
            (Unknown, Supported, true, false),
            (Supported, Unknown, false, false),
            (Supported, OnDemand, false, false),
            (Supported, Supported, true, true),
            (Required, Supported, true, true),
            (Required, Unknown, false, true),
        ] {
            for status in [180, 183] {
                let (a, b) = ringing(trunk, caller, callee, status);
                let case = format!("{caller:?} {callee:?} {status}");
                assert_eq!(pracks(trunk, b), usize::from(far), "{case}");
                let heard = trunk.call(a).response(status).unwrap();
                assert_eq!(is_reliable(heard), near, "{case}");
                // What an unreliable callee shows is no answer yet.
                let shown = status == 183 && (far || !near);
                assert_eq!(!heard.body().is_empty(), shown, "{case}");
                answered(trunk, a, b);
            }
        }
    });
}

/// The offer of the callee's 18x is answered by the caller's PRACK, and that goes on in ours.
#[test]
fn an_offer_in_a_reliable_ringing_is_answered_by_the_prack() {
    everywhere(|trunk| {
        trunk.able(trunk.pbx, with(Rel100::Supported));
        trunk.able(trunk.east, with(Rel100::Supported));
        let a = trunk.dial_without_offer(trunk.pbx, OUTSIDE);
        trunk.run(0.5);
        let b = trunk.incoming(trunk.east);
        trunk.respond(b, 183);
        trunk.run(1.0);
        let prack = trunk.call(b).request(&Method::Prack).unwrap();
        assert!(!prack.body().is_empty());
        assert_eq!(trunk.call(a).statuses(&Method::Prack), [200]);
        answered(trunk, a, b);
    });
}

/// Without the caller's PRACK nobody could answer the callee's offer: it is not asked for one while it rings.
#[test]
fn a_delayed_offer_is_reliable_only_where_the_caller_is() {
    everywhere(|trunk| {
        trunk.able(trunk.pbx, with(Rel100::Unknown));
        trunk.able(trunk.east, with(Rel100::Supported));
        let a = trunk.dial_without_offer(trunk.pbx, OUTSIDE);
        trunk.run(0.5);
        let b = trunk.incoming(trunk.east);
        assert_eq!(Trunk::header(&trunk.call(b).invite, "Supported"), "timer, replaces");
        trunk.respond(b, 180);
        trunk.run(1.0);
        assert_eq!(pracks(trunk, b), 0);
        answered(trunk, a, b);
    });
}

/// The key of either side.
#[test]
fn the_prack_key_holds_on_its_own_leg() {
    everywhere_with(&[("pbx_peer", "prack = \"off\""), ("east_peer", "prack = \"required\"")], |trunk| {
        let (a, b) = ringing(trunk, Rel100::Supported, Rel100::OnDemand, 183);
        assert_eq!(Trunk::header(&trunk.call(b).invite, "Require"), "100rel");
        assert_eq!(pracks(trunk, b), 1);
        assert!(!is_reliable(trunk.call(a).response(183).unwrap()));
        assert!(!Trunk::header(trunk.call(a).response(183).unwrap(), "Allow").contains("PRACK"));
        answered(trunk, a, b);
        trunk.able(trunk.pbx, with(Rel100::Required));
        let refused = trunk.dial(trunk.pbx, OUTSIDE);
        trunk.run(0.5);
        assert_eq!(trunk.heard(refused), [420]);
        assert_eq!(Trunk::header(trunk.call(refused).response(420).unwrap(), "Unsupported"), "100rel");
    });
    everywhere_with(&[("pbx_peer", "prack = \"required\""), ("east_peer", "prack = \"off\"")], |trunk| {
        let (a, b) = ringing(trunk, Rel100::Supported, Rel100::Supported, 180);
        let invite = &trunk.call(b).invite;
        assert!(Trunk::header(invite, "Supported") == "timer, replaces" && !invite.has(Name::Require));
        assert!(is_reliable(trunk.call(a).response(180).unwrap()));
        answered(trunk, a, b);
    });
}

/// A 2xx does not overtake the description in a reliable ringing: RFC 3262 §3.
#[test]
fn the_2xx_waits_for_the_prack() {
    everywhere(|trunk| {
        trunk.able(
            trunk.pbx,
            Abilities { pracks: Pracks::Late(Duration::from_secs(3)), ..with(Rel100::Supported) },
        );
        trunk.able(trunk.east, with(Rel100::Supported));
        let (a, b) = trunk.reach(trunk.pbx, OUTSIDE, trunk.east);
        trunk.respond(b, 183);
        trunk.run(0.5);
        trunk.respond(b, 200);
        trunk.run(1.0);
        assert_eq!((trunk.stage(a), trunk.stage(b)), (Stage::Open, Stage::Up));
        trunk.run(2.0);
        assert_eq!((trunk.stage(a), trunk.stage(b)), (Stage::Up, Stage::Up));
        trunk.assert_agreed(a, b);
        trunk.hang_up(b);
        trunk.run(1.0);
    });
}

/// A party that ends the call while the 2xx waits ends both legs, and nobody pays.
#[test]
fn a_2xx_that_waits_is_given_up_like_a_call() {
    for who in 0..3 {
        over_udp(&[], |trunk| {
            trunk.able(
                trunk.pbx,
                Abilities { pracks: Pracks::Late(Duration::from_secs(60)), ..with(Rel100::Supported) },
            );
            trunk.able(trunk.east, with(Rel100::Supported));
            let (a, b) = trunk.reach(trunk.pbx, OUTSIDE, trunk.east);
            trunk.respond(b, 183);
            trunk.run(0.5);
            trunk.respond(b, 200);
            trunk.run(0.5);
            match who {
                0 => trunk.cancel(a),
                1 => trunk.hang_up(b),
                _ => trunk.run(40.0),
            }
            trunk.run(1.0);
            assert_eq!((trunk.stage(a), trunk.stage(b)), (Stage::Over, Stage::Over));
            assert_eq!(trunk.heard(a).last(), Some(&[487, 480, 500][who]));
            let bye = if who == 1 { 0 } else { 1 };
            assert_eq!(trunk.call(b).requests().iter().filter(|one| *one == "BYE").count(), bye);
        });
    }
}

/// A caller that never acknowledges is refused after 64*T1, and the callee cancelled: RFC 3262 §3.
#[test]
fn a_caller_without_prack_is_refused() {
    over_udp(&[], |trunk| {
        trunk.able(
            trunk.pbx,
            Abilities { pracks: Pracks::Late(Duration::from_secs(60)), ..with(Rel100::Supported) },
        );
        trunk.able(trunk.east, with(Rel100::Supported));
        let (a, b) = trunk.reach(trunk.pbx, OUTSIDE, trunk.east);
        trunk.respond(b, 180);
        trunk.run(40.0);
        assert_eq!(trunk.heard(a).last(), Some(&500));
        assert!(trunk.call(b).cancelled);
        assert_eq!(trunk.heard(a).iter().filter(|status| **status == 180).count(), 7);
    });
}

/// A second PRACK for the same response, and one for none: 481.
#[test]
fn a_prack_of_nothing_is_told_so() {
    everywhere(|trunk| {
        trunk.able(trunk.pbx, Abilities { pracks: Pracks::Twice, ..with(Rel100::Supported) });
        trunk.able(trunk.east, with(Rel100::Supported));
        let (a, b) = trunk.reach(trunk.pbx, OUTSIDE, trunk.east);
        trunk.respond(b, 183);
        trunk.run(1.0);
        assert_eq!(trunk.call(a).statuses(&Method::Prack), [200, 481]);
        answered(trunk, a, b);
    });
}

/// A fork answers that was not the last to agree on media while it rang: the media workers have what it agreed on.
#[test]
fn the_fork_that_answers_has_its_own_media() {
    everywhere_with(&[("east_peer", "srtp = \"required\"")], |trunk| {
        trunk.phone(trunk.east).speaks = Speaks::Srtp;
        trunk.phone(trunk.east).rekeys = true;
        trunk.able(trunk.pbx, with(Rel100::Supported));
        trunk.able(trunk.east, with(Rel100::Supported));
        for offers in [true, false] {
            let a = match offers {
                true => trunk.dial(trunk.pbx, OUTSIDE),
                false => trunk.dial_without_offer(trunk.pbx, OUTSIDE),
            };
            trunk.run(0.5);
            let b = trunk.incoming(trunk.east);
            let (first, second) = (trunk.phone(b.0).fork_tag(), trunk.phone(b.0).fork_tag());
            for tag in [&first, &second] {
                trunk.respond_as(b, 183, tag);
                trunk.run(0.5);
            }
            trunk.respond_as(b, 200, &first);
            trunk.run(1.0);
            assert_eq!((trunk.stage(a), trunk.stage(b)), (Stage::Up, Stage::Up));
            for call in [a, b] {
                let agreed = trunk.call(call).media.agreed().unwrap().clone();
                let told = trunk.world.told_of(agreed.port).unwrap();
                assert_eq!((&told.srtp, told.on_hold), (&agreed.keys, agreed.on_hold), "{offers}");
            }
            trunk.hang_up(a);
            trunk.run(1.0);
        }
    });
}
