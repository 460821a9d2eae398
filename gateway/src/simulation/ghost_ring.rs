//! A host that was silent comes back after the call has gone elsewhere: it must not ring for nobody.

use super::phone::Stage;
use super::trunk::{GROUP, OUTSIDE, over_udp};

#[test]
fn a_host_that_was_left_gets_the_invite_no_more() {
    over_udp(&[], |trunk| {
        let east = trunk.world.phones[trunk.east.0].address;
        trunk.world.dead.insert(east, false);
        let a = trunk.dial(trunk.pbx, OUTSIDE);
        trunk.run(4.2);
        let west = trunk.incoming(trunk.west);
        trunk.respond(west, 200);
        trunk.run(0.5);
        trunk.world.dead.remove(&east);
        trunk.run(40.0);
        assert_eq!((trunk.received(trunk.east), trunk.stage(a)), (0, Stage::Up));
        trunk.hang_up(a);
        trunk.run(1.0);
    });
}

/// The caller has long hung up when the host comes back.
#[test]
fn nor_after_the_caller_gave_up() {
    over_udp(&[], |trunk| {
        let east = trunk.world.phones[trunk.east.0].address;
        trunk.world.dead.insert(east, false);
        let a = trunk.dial(trunk.pbx, OUTSIDE);
        trunk.run(2.0);
        trunk.cancel(a);
        trunk.run(3.0);
        assert_eq!(trunk.heard(a), [487]);
        trunk.world.dead.remove(&east);
        trunk.run(40.0);
        assert_eq!(trunk.received(trunk.east) + trunk.received(trunk.west), 0);
    });
}

/// A PBX that has one second, and is back before the second repeat of its INVITE.
#[test]
fn nor_when_it_is_back_soon() {
    over_udp(&[("pbx_origination", "first_response_timeout = \"1s\"")], |trunk| {
        let pbx = trunk.world.phones[trunk.pbx.0].address;
        trunk.world.dead.insert(pbx, false);
        let a = trunk.dial(trunk.east, GROUP);
        trunk.run(1.2);
        trunk.world.dead.remove(&pbx);
        let branch = trunk.incoming(trunk.branch);
        trunk.respond(branch, 180);
        trunk.run(40.0);
        assert_eq!(trunk.received(trunk.pbx), 0);
        trunk.respond(branch, 200);
        trunk.run(1.0);
        trunk.hang_up(a);
        trunk.run(1.0);
    });
}
