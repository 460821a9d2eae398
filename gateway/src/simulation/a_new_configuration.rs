//! The configuration is changed while the gateway runs: new calls go by it, the others stay as they are.

use std::time::Duration;

use sip::Method;

use super::phone::Stage;
use super::trunk::{Change, OUTSIDE, Trunk, everywhere, everywhere_with};
use crate::random::{Random, SeededRandom};

const DENIED: (&str, &str) = ("pbx_termination", "denied_prefixes = [\"+1212\"]");

#[test]
fn a_number_is_denied_without_hanging_up_the_call_to_it() {
    let transport = |trunk: &Trunk| trunk.world.phones[trunk.pbx.0].transport;
    everywhere(|trunk| {
        let (up, callee) = trunk.connect(trunk.pbx, OUTSIDE, trunk.east);
        trunk.configure(&[DENIED], transport(trunk));
        trunk.run(1.0);
        let late = trunk.dial(trunk.pbx, OUTSIDE);
        trunk.run(1.0);
        assert_eq!(trunk.heard(late), [403]);
        assert_eq!((trunk.stage(up), trunk.stage(callee)), (Stage::Up, Stage::Up));
        trunk.configure(&[], transport(trunk));
        let (again, ringing) = trunk.reach(trunk.pbx, OUTSIDE, trunk.east);
        trunk.respond(ringing, 200);
        trunk.run(0.5);
        assert_eq!(trunk.heard(again), [200]);
        trunk.hang_up(up);
        trunk.hang_up(again);
        trunk.run(1.0);
    });
}

/// A configuration comes between any two steps of a call, the number denied and allowed by turns: the call is the one that it
/// began as.
#[test]
fn a_call_goes_on_whatever_comes_between_its_steps() {
    const WEST_ALONE: &[Change] = &[DENIED, ("east_peer", "codecs = [\"G729\"]")];
    for seed in 1..=5 {
        everywhere(|trunk| {
            let transport = trunk.world.phones[trunk.pbx.0].transport;
            let call = trunk.dial(trunk.pbx, OUTSIDE);
            trunk.run(0.1);
            let mut random = SeededRandom::new(seed);
            let mut at = Duration::ZERO;
            for turn in 0..60 {
                at += Duration::from_millis(random.below(80));
                let changes = if turn % 2 == 0 { WEST_ALONE } else { &[] };
                trunk
                    .world
                    .after(at, move |world| world.configure(&super::trunk::config(changes, transport)));
            }
            let callee = trunk.incoming(trunk.east);
            trunk.respond(callee, 180);
            trunk.run(0.3);
            trunk.respond(callee, 200);
            trunk.run(0.4);
            trunk.request(call, Method::Invite, Some("sendonly"));
            trunk.run(0.6);
            trunk.request(callee, Method::Info, None);
            trunk.run(0.3);
            assert_eq!((trunk.stage(call), trunk.stage(callee)), (Stage::Up, Stage::Up));
            trunk.hang_up(callee);
            trunk.run(5.0);
            assert_eq!(trunk.stage(call), Stage::Over);
        });
    }
}

/// East answers no probe. Whoever writes the configuration anew before a probe can be missed changes nothing of that.
#[test]
fn a_silent_host_is_found_out_however_often_a_configuration_comes() {
    everywhere_with(&[("east", "options_interval = \"5s\"")], |trunk| {
        let transport = trunk.world.phones[trunk.pbx.0].transport;
        trunk.phone(trunk.east).habits.probed = None;
        for half in 1..16 {
            let later = Duration::from_millis(500 * half);
            let changes: &[Change] = &[("east", "options_interval = \"5s\"")];
            trunk.world.after(later, move |world| world.configure(&super::trunk::config(changes, transport)));
        }
        trunk.run(8.0);
        let call = trunk.dial(trunk.pbx, OUTSIDE);
        trunk.run(0.2);
        assert_eq!(trunk.received(trunk.east), 0);
        let callee = trunk.incoming(trunk.west);
        trunk.respond(callee, 486);
        trunk.run(0.2);
        assert_eq!(trunk.heard(call), [486]);
        // A second and then every five: not once for each configuration.
        assert!(trunk.world.probes.len() < 12, "{} probes", trunk.world.probes.len());
        trunk.run(33.0);
    });
}

/// Calls of a second are counted on, whatever comes between them.
#[test]
fn limits_go_on_counting() {
    const ONE: &[Change] = &[("pbx_termination", "max_calls = 1")];
    everywhere_with(ONE, |trunk| {
        let (up, _) = trunk.connect(trunk.pbx, OUTSIDE, trunk.east);
        trunk.configure(ONE, trunk.world.phones[trunk.pbx.0].transport);
        trunk.run(1.0);
        let late = trunk.dial(trunk.pbx, OUTSIDE);
        trunk.run(1.0);
        assert_eq!(trunk.heard(late), [503]);
        trunk.hang_up(up);
        trunk.run(1.0);
    });
}
