//! An operator asks what would become of a call at this moment.

use super::trunk::{OUTSIDE, PBX, Trunk, over_udp};
use crate::drains::Part;
use crate::explain::{Live, Question, explain_live};
use crate::peer::Transport;
use crate::readiness::Obstacle;

pub(super) fn explained(trunk: &Trunk, to: &str) -> (u8, String) {
    let question = Question {
        from: PBX.into(),
        asserted: Vec::new(),
        diversion: Vec::new(),
        to: to.into(),
        source: "10.0.0.1".parse().unwrap(),
        transport: Transport::Udp,
        connector: None,
        draw: 0,
    };
    let live = Live { shared: &trunk.world.shared, now: trunk.world.clocks() };
    let explanation = explain_live(&trunk.world.config, live, &question);
    (explanation.exit_code(), explanation.to_string())
}

#[test]
fn the_limits_tell_what_is_used_and_who_is_full() {
    over_udp(&[("pbx_termination", "max_calls = 2"), ("west", "max_calls = 1")], |trunk| {
        let (code, text) = explained(trunk, OUTSIDE);
        assert_eq!(code, 0, "{text}");
        assert!(text.contains("now: the gateway takes calls"), "{text}");
        assert!(
            text.contains("now: 0 calls this second and 0 calls for voice connector pbx, outbound"),
            "{text}"
        );
        let (first, _) = trunk.connect(trunk.pbx, OUTSIDE, trunk.east);
        let second = trunk.dial(trunk.pbx, OUTSIDE);
        trunk.run(0.3);
        let (code, text) = explained(trunk, OUTSIDE);
        assert_eq!(code, 1, "{text}");
        for line in [
            "now: 1 calls this second and 2 calls for voice connector pbx, outbound",
            "now: 1 of 100 calls that are not answered for pbx",
            "refused at this moment: 503 More than 2 calls at one time for pbx",
            "to do: raise max_calls of pbx, or wait until calls have ended",
        ] {
            assert!(text.contains(line), "{line} in {text}");
        }
        assert_eq!(explained(trunk, "911").0, 0, "no limit is on an emergency call");
        trunk.cancel(second);
        trunk.hang_up(first);
        trunk.run(2.0);
        assert_eq!(explained(trunk, OUTSIDE).0, 0, "asking takes no place");
    });
}

#[test]
fn the_hosts_tell_whether_they_answer() {
    let probed = ("east", "options_interval = \"10s\"");
    over_udp(&[probed, ("west", "options_interval = \"0s\"")], |trunk| {
        trunk.run(15.0);
        let (_, text) = explained(trunk, OUTSIDE);
        assert!(text.contains("now: east at 10.0.1.1:5060 counts as alive"), "{text}");
        assert!(text.contains("now: west at 10.0.1.2:5060 counts as alive"), "{text}");
        trunk.world.dead.insert("10.0.1.1:5060".parse().unwrap(), false);
        trunk.run(60.0);
        let call = trunk.dial(trunk.pbx, OUTSIDE);
        trunk.run(0.5);
        let west = trunk.incoming(trunk.west);
        trunk.respond_with(west, 503, &[("Retry-After", "300")]);
        trunk.run(10.0);
        let (_, text) = explained(trunk, OUTSIDE);
        assert!(text.contains("now: east at 10.0.1.1:5060 does not answer probes"), "{text}");
        assert!(text.contains("now: west at 10.0.1.2:5060 wants no calls for another 2"), "{text}");
        trunk.cancel(call);
        trunk.world.dead.clear();
        trunk.run(60.0);
    });
}

#[test]
fn what_stands_in_the_way_of_all_calls_is_told() {
    over_udp(&[], |trunk| {
        trunk.world.shared.readiness.block(Obstacle::Media, "all ports are in use");
        let (code, text) = explained(trunk, OUTSIDE);
        assert_eq!(code, 1);
        assert!(text.contains("media: all ports are in use"), "{text}");
        assert!(text.contains("refused at this moment: 503 No room for more calls"), "{text}");
        assert_eq!(explained(trunk, "911").0, 0);
    });
}

/// What the operator has taken out of service is told where it decides, and where a way is passed over.
#[test]
fn what_drains_is_told_where_it_decides_or_is_passed_over() {
    over_udp(&[], |trunk| {
        let drains = trunk.world.shared.drains.clone();
        let says = |trunk: &Trunk, to: &str, code: u8, lines: &[&str]| {
            let (exit, text) = explained(trunk, to);
            assert_eq!(exit, code, "{text}");
            lines.iter().for_each(|line| assert!(text.contains(line), "{line} in {text}"));
        };
        let east = "now: east at 10.0.1.1:5060 is passed over: carrier east drains";
        drains.drain(Part::Carrier("east".into()));
        says(trunk, OUTSIDE, 0, &[east]);
        let last = "now: east at 10.0.1.1:5060 comes last: carrier east drains";
        says(trunk, "911", 0, &[last]);
        let ways = explained(trunk, "911").1;
        assert!(ways.find("now: west at") < ways.find("now: east at 10.0.1.1:5060 counts"), "{ways}");
        drains.drain(Part::Host("10.0.1.2".into()));
        let west = "now: west at 10.0.1.2:5060 is passed over: host 10.0.1.2 drains";
        let refused = format!("refused: 503 No new calls now: every way to {OUTSIDE} is draining");
        says(trunk, OUTSIDE, 1, &[east, west, &refused, "to do: wait, or say undrain"]);
        drains.undrain(&Part::Carrier("east".into()));
        drains.undrain(&Part::Host("10.0.1.2".into()));
        drains.drain(Part::Connector("pbx".into()));
        let lines = [
            "now: voice connector pbx drains: no new calls but emergencies",
            "refused at this moment: 503 No new calls now: voice connector pbx is draining",
        ];
        says(trunk, OUTSIDE, 1, &lines);
        says(trunk, "911", 0, &[]);
        // As a call would find it.
        let call = trunk.dial(trunk.pbx, OUTSIDE);
        trunk.run(1.0);
        assert_eq!(trunk.heard(call), [503]);
    });
}
