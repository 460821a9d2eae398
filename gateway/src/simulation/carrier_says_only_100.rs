//! A carrier takes the INVITE with 100 and then says nothing more.

use super::phone::Stage;
use super::trunk::{GROUP, OUTSIDE, everywhere, everywhere_with, over_udp};
use crate::direction::Direction;

/// Its transaction layer says 100, nobody rings: after 20 s the next carrier is asked.
#[test]
fn the_call_goes_on_after_twenty_seconds() {
    everywhere(|trunk| {
        let a = trunk.dial(trunk.pbx, OUTSIDE);
        trunk.run(19.9);
        assert_eq!(trunk.received(trunk.west), 0);
        trunk.run(0.5);
        let east = trunk.incoming(trunk.east);
        assert_eq!(trunk.call(east).requests(), ["INVITE", "CANCEL"]);
        let west = trunk.incoming(trunk.west);
        trunk.respond(west, 200);
        trunk.run(1.0);
        assert_eq!((trunk.heard(a), trunk.stage(a)), (vec![200], Stage::Up));
        trunk.hang_up(a);
        trunk.run(1.0);
    });
}

/// Where there is nobody else to ask, a slow country is waited for.
#[test]
fn the_last_route_has_until_timer_c() {
    over_udp(&[], |trunk| {
        let a = trunk.dial(trunk.pbx, OUTSIDE);
        trunk.run(60.0);
        let west = trunk.incoming(trunk.west);
        trunk.respond(west, 200);
        trunk.run(1.0);
        assert_eq!(trunk.heard(a), [200]);
        trunk.hang_up(a);
        trunk.run(1.0);
        let b = trunk.dial(trunk.pbx, OUTSIDE);
        trunk.run(204.0);
        assert_eq!(trunk.stage(b), Stage::Open);
        trunk.run(2.0);
        assert_eq!(trunk.heard(b), [408]);
    });
}

/// 199 ends an early dialog (RFC 6228), 150 means nothing: neither is ringing.
#[test]
fn only_18x_is_progress() {
    for (status, goes_on) in
        [(150, true), (199, true), (180, false), (181, false), (182, false), (183, false)]
    {
        over_udp(&[], |trunk| {
            let (a, east) = trunk.reach(trunk.pbx, OUTSIDE, trunk.east);
            trunk.respond(east, status);
            trunk.run(21.0);
            assert_eq!(trunk.received(trunk.west), usize::from(goes_on), "{status}");
            let told: &[u16] = if status == 199 { &[] } else { &[status] };
            assert_eq!(trunk.heard(a), told);
            trunk.cancel(a);
            trunk.run(1.0);
        });
    }
}

#[test]
fn the_time_is_configured_by_carrier() {
    everywhere_with(&[("east", "progress_timeout = \"3s\"")], |trunk| {
        let a = trunk.dial(trunk.pbx, OUTSIDE);
        trunk.run(3.5);
        let west = trunk.incoming(trunk.west);
        trunk.respond(west, 486);
        trunk.run(0.5);
        assert_eq!(trunk.heard(a), [486]);
    });
}

/// A PBX of a group that says 100 only is left for the next member of the group.
#[test]
fn and_by_connector() {
    everywhere_with(&[("pbx_origination", "progress_timeout = \"5s\"")], |trunk| {
        let a = trunk.dial(trunk.east, GROUP);
        trunk.run(5.5);
        let branch = trunk.incoming(trunk.branch);
        trunk.respond(branch, 200);
        trunk.run(1.0);
        assert_eq!(trunk.heard(a), [200]);
        trunk.hang_up(branch);
        trunk.run(1.0);
        trunk.finish();
        assert!(trunk.cdr("branch", Direction::Inbound).answered_at.is_some());
    });
}

#[test]
fn an_emergency_call_goes_on_too() {
    everywhere(|trunk| {
        let a = trunk.dial(trunk.pbx, "911");
        trunk.run(20.5);
        let west = trunk.incoming(trunk.west);
        trunk.respond(west, 200);
        trunk.run(1.0);
        assert_eq!(trunk.heard(a), [200]);
        trunk.hang_up(a);
        trunk.run(1.0);
    });
}
