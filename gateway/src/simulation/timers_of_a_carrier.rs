//! How often a carrier's hosts are probed, and how long one of them may say nothing: as its operator wants it.

use super::trunk::{OUTSIDE, Trunk, everywhere_with};

/// Whether a call would go to east first, which has the better priority.
fn is_first(trunk: &mut Trunk) -> bool {
    let before = trunk.received(trunk.east);
    let a = trunk.dial(trunk.pbx, OUTSIDE);
    trunk.run(0.2);
    let east = trunk.received(trunk.east) > before;
    let b = trunk.incoming(if east { trunk.east } else { trunk.west });
    trunk.respond(b, 486);
    trunk.run(0.2);
    assert_eq!(trunk.heard(a), [486]);
    east
}

/// East answers no probe for six seconds, then each: who probes it often knows soon, who never does trusts it always.
#[test]
fn each_carrier_is_probed_at_its_own_pace() {
    for (changes, at_six, at_twelve) in [
        (&[][..], false, false),
        (&[("east", "options_interval = \"5s\"")], false, true),
        (&[("east", "options_interval = \"0s\"")], true, true),
    ] {
        everywhere_with(changes, |trunk| {
            trunk.phone(trunk.east).habits.probed = None;
            trunk.run(6.0);
            assert_eq!(is_first(trunk), at_six, "{changes:?}");
            trunk.phone(trunk.east).habits.probed = Some(200);
            trunk.run(6.0);
            assert_eq!(is_first(trunk), at_twelve, "{changes:?}");
            trunk.run(33.0);
            assert!(is_first(trunk), "{changes:?}");
        });
    }
}

#[test]
fn a_carrier_may_be_silent_for_as_long_as_it_is_granted() {
    let changes = [("east", "first_response_timeout = \"1s\"\noptions_interval = \"0s\"")];
    everywhere_with(&changes, |trunk| {
        trunk.world.dead.insert("10.0.1.1:5060".parse().unwrap(), false);
        let a = trunk.dial(trunk.pbx, OUTSIDE);
        trunk.run(0.9);
        assert_eq!(trunk.received(trunk.west), 0);
        trunk.run(0.3);
        assert_eq!(trunk.received(trunk.west), 1);
        let b = trunk.incoming(trunk.west);
        trunk.respond(b, 200);
        trunk.run(0.5);
        trunk.hang_up(a);
        trunk.run(40.0);
    });
}
