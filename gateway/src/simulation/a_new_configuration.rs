//! The configuration is changed while the gateway runs: new calls go by it, the others stay as they are.

use super::phone::Stage;
use super::trunk::{OUTSIDE, Trunk, everywhere};

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
