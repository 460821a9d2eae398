//! Offers at awkward moments: before the ACK of the one before, and answers of no use.

use sip::Method;
use sip::sdp::Sdp;

use super::phone::Stage;
use super::trunk::{OUTSIDE, Trunk, everywhere};
use super::world::CallId;

/// A call whose callee offers anew with its very 200, before the caller knows of that.
fn codec_lock(trunk: &mut Trunk, method: &Method, acknowledged: bool) -> (CallId, CallId) {
    let a = trunk.dial(trunk.pbx, OUTSIDE);
    trunk.phone(a.0).calls[a.1].acknowledges = acknowledged;
    trunk.run(0.5);
    let b = trunk.incoming(trunk.east);
    trunk.respond(b, 200);
    trunk.run(0.015); // Its ACK is there, and the 200 is on its way to the caller.
    trunk.request(b, method.clone(), Some("sendrecv"));
    trunk.run(1.0);
    (a, b)
}

#[test]
fn what_the_callee_offers_with_its_200_waits_for_the_caller() {
    for method in [Method::Invite, Method::Update] {
        everywhere(|trunk| {
            let (a, b) = codec_lock(trunk, &method, true);
            assert_eq!(trunk.call(b).statuses(&method).last(), Some(&200), "{method}");
            let asked = trunk.call(a).requests();
            assert_eq!(asked.iter().filter(|one| *one == method.as_str()).count(), 1, "{method}: {asked:?}");
            trunk.hang_up(a);
            trunk.run(1.0);
        });
    }
}

/// The caller never acknowledges: the callee hears after a second that it is too early, and may ask again.
#[test]
fn an_offer_waits_for_a_second() {
    everywhere(|trunk| {
        let (a, b) = codec_lock(trunk, &Method::Invite, false);
        trunk.run(0.5);
        assert_eq!(trunk.call(b).statuses(&Method::Invite).last(), Some(&491));
        assert_eq!(trunk.stage(b), Stage::Up);
        trunk.world.with(a.0, |phone, now| phone.acknowledge(now, a.1));
        trunk.hang_up(b);
        trunk.run(1.0);
    });
}

/// RFC 6337 §3.4: the one that gave it believes in media that the other one knows nothing of.
#[test]
fn after_an_answer_of_no_use_what_held_before_is_offered_again() {
    everywhere(|trunk| {
        let (a, b) = trunk.connect(trunk.pbx, OUTSIDE, trunk.east);
        for (asks, answers) in [(a, b), (b, a)] {
            trunk.phone(answers.0).abilities.spoils = 1;
            trunk.request(asks, Method::Invite, Some("sendonly"));
            trunk.run(1.0);
            assert_eq!(trunk.call(asks).statuses(&Method::Invite).last(), Some(&488));
            assert_eq!((trunk.stage(a), trunk.stage(b)), (Stage::Up, Stage::Up));
            let last = trunk.call(answers).request(&Method::Invite).unwrap();
            assert!(!Sdp::parse(last.body()).unwrap().relayed_stream().unwrap().is_hold());
        }
        trunk.hang_up(a);
        trunk.run(1.0);
    });
}

/// The rollback meets an offer of the party's: it comes again when that is over.
#[test]
fn a_rollback_waits_for_a_better_moment() {
    everywhere(|trunk| {
        let (a, b) = trunk.connect(trunk.pbx, OUTSIDE, trunk.east);
        trunk.phone(b.0).abilities.spoils = 1;
        trunk.request(a, Method::Invite, Some("sendonly"));
        trunk.run(0.042);
        trunk.phone(b.0).habits.renegotiates = Some(491);
        trunk.run(0.5);
        assert_eq!(trunk.stage(b), Stage::Up);
        trunk.phone(b.0).habits.renegotiates = Some(200);
        trunk.run(5.0);
        let last = trunk.call(b).request(&Method::Invite).unwrap();
        assert!(!Sdp::parse(last.body()).unwrap().relayed_stream().unwrap().is_hold());
        assert_eq!((trunk.stage(a), trunk.stage(b)), (Stage::Up, Stage::Up));
        trunk.hang_up(a);
        trunk.run(1.0);
    });
}
