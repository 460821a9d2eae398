//! A PRACK does not get through at once: it is challenged, or the connection is gone that the INVITE came by.

use std::time::Duration;

use sip::{Method, Name};

use super::phone::{Abilities, CHALLENGE, Pracks, Rel100, Stage};
use super::trunk::{Change, OUTSIDE, Trunk, everywhere_with, over_tcp};
use super::world::CallId;

const KNOWN: &[Change] = &[("east", "credentials = { username = \"trunk\", password = \"s3cret\" }")];

fn able(trunk: &mut Trunk, pracks: Pracks) {
    let rel100 = Rel100::Supported;
    trunk.able(trunk.pbx, Abilities { rel100, pracks, update: true, ..Abilities::default() });
    trunk.able(trunk.east, Abilities { rel100, update: true, ..Abilities::default() });
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

/// A carrier that challenges gets the PRACK once more, with credentials and whatever it answered.
#[test]
fn a_challenge_is_met() {
    everywhere_with(KNOWN, |trunk| {
        for offers in [true, false] {
            able(trunk, Pracks::AtOnce);
            let a = match offers {
                true => trunk.dial(trunk.pbx, OUTSIDE),
                false => trunk.dial_without_offer(trunk.pbx, OUTSIDE),
            };
            trunk.run(0.5);
            let challenged = trunk.incoming(trunk.east);
            trunk.respond_with(challenged, 407, &[("Proxy-Authenticate", CHALLENGE)]);
            trunk.run(0.5);
            let b = trunk.incoming(trunk.east);
            trunk.phone(b.0).habits.challenges = true;
            for status in [183, 180] {
                trunk.respond(b, status);
                trunk.run(1.0);
                let prack = trunk.call(b).request(&Method::Prack).unwrap();
                assert!(prack.has(Name::ProxyAuthorization), "{prack:?}");
                assert_eq!(prack.body().is_empty(), offers || status == 180, "{prack:?}");
            }
            let pracks = trunk.call(b).requests().iter().filter(|method| *method == "PRACK").count();
            assert_eq!(pracks, 4);
            trunk.phone(b.0).habits.challenges = false;
            answered(trunk, a, b);
        }
    });
}

/// The callee's 200 overtakes the second PRACK: both are taken.
#[test]
fn an_answer_comes_while_the_challenge_is_met() {
    everywhere_with(KNOWN, |trunk| {
        able(trunk, Pracks::AtOnce);
        let (a, b) = trunk.reach(trunk.pbx, OUTSIDE, trunk.east);
        trunk.phone(b.0).habits.challenges = true;
        trunk.respond(b, 180);
        trunk.respond(b, 200);
        trunk.run(1.0);
        trunk.phone(b.0).habits.challenges = false;
        assert_eq!((trunk.stage(a), trunk.stage(b)), (Stage::Up, Stage::Up));
        trunk.assert_agreed(a, b);
        trunk.hang_up(a);
        trunk.run(1.0);
    });
}

/// The caller's connection is gone before it acknowledges: its PRACK comes by a new one, and so goes all that follows.
#[test]
fn a_prack_comes_by_a_new_connection() {
    over_tcp(&[], |trunk| {
        able(trunk, Pracks::Late(Duration::from_secs(1)));
        let (a, b) = trunk.reach(trunk.pbx, OUTSIDE, trunk.east);
        trunk.respond(b, 183);
        trunk.run(0.5);
        trunk.world.lose_connections(trunk.pbx);
        trunk.run(1.0);
        assert_eq!(trunk.call(a).statuses(&Method::Prack), [200]);
        answered(trunk, a, b);
    });
}

/// The callee's connection is gone once it has rung: the next carrier is asked, and what was owed to the first is owed no more.
#[test]
fn a_callee_whose_connection_is_gone_is_left() {
    over_tcp(&[], |trunk| {
        for status in [180, 183] {
            able(trunk, Pracks::AtOnce);
            trunk.able(trunk.west, Abilities { rel100: Rel100::Supported, ..Abilities::default() });
            let (a, b) = trunk.reach(trunk.pbx, OUTSIDE, trunk.east);
            trunk.respond(b, status);
            trunk.world.lose_connections(trunk.east);
            trunk.run(1.0);
            assert_eq!(trunk.stage(b), Stage::Over);
            let heard = trunk.heard(a);
            if trunk.stage(a) == Stage::Over {
                assert!(matches!(heard.last(), Some(480 | 500 | 502)), "{heard:?}");
                continue;
            }
            let c = trunk.incoming(trunk.west);
            trunk.respond(c, status);
            trunk.run(1.0);
            answered(trunk, a, c);
        }
    });
}
