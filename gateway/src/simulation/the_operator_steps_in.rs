//! An operator looks at one call, ends it, or takes parts of the gateway out of service.

use sip::Method;

use super::phone::Stage;
use super::trunk::{BRANCH, GROUP, OUTSIDE, PBX, Trunk, everywhere, everywhere_with};
use super::world::CallId;
use crate::direction::Direction;
use crate::drains::Part;
use crate::question::{Answer, CallFilter, CallLine, CallView, Question};
use crate::record::EndedBy;
use crate::reply::Cause;

impl Trunk {
    /// A phone's call as the operator sees it, and its shard.
    fn line(&mut self, id: CallId) -> (u16, CallLine) {
        let call_id = self.call(id).call_id();
        let line = self.calls(CallFilter { id: Some(call_id), ..CallFilter::default() }).remove(0);
        ((line.key >> 40) as u16, line)
    }

    fn view(&mut self, id: CallId) -> CallView {
        let (shard, line) = self.line(id);
        match self.ask(shard, Question::Call { key: line.key }) {
            Answer::Call(Some(view)) => *view,
            other => panic!("{other:?}"),
        }
    }

    fn operator_ends(&mut self, id: CallId) {
        let (shard, line) = self.line(id);
        let cause = Cause::new(480, "Ended by the operator");
        assert_eq!(
            self.ask(shard, Question::HangUp { key: line.key, cause: cause.clone() }),
            Answer::HungUp(true)
        );
        assert_eq!(self.ask(shard, Question::HangUp { key: line.key, cause }), Answer::HungUp(false), "once");
    }

    fn drain(&mut self, part: Part) {
        assert!(self.world.shared.drains.drain(part));
    }
}

#[test]
fn one_call_is_shown_with_both_legs_its_times_and_its_ladder() {
    everywhere(|trunk| {
        let (a, b) = trunk.reach(trunk.pbx, OUTSIDE, trunk.east);
        trunk.respond(b, 180);
        trunk.run(2.0);
        let ringing = trunk.view(a);
        let b_call_id = trunk.call(b).call_id();
        assert!(ringing.ringing.is_some_and(|after| (500..700).contains(&after)), "{ringing:?}");
        let callee = ringing.callee.as_ref().unwrap();
        assert_eq!((callee.call_id.as_str(), callee.dialog.as_deref()), (b_call_id.as_str(), None));
        assert_eq!(ringing.attempts.len(), 1);
        trunk.respond(b, 200);
        trunk.run(65.0);
        let view = trunk.view(a);
        assert_eq!(view.line.talked, Some(64));
        assert!(view.answered.is_some_and(|after| (2_500..2_700).contains(&after)), "{view:?}");
        let legs = [(&view.caller, a, "voice connector pbx"), (&view.callee, b, "carrier east")];
        for (leg, id, party) in legs {
            let leg = leg.as_ref().unwrap();
            assert_eq!(leg.call_id, trunk.call(id).call_id());
            assert_eq!((leg.party.as_deref(), leg.dialog.as_deref()), (Some(party), Some("confirmed")));
            assert_eq!(leg.remote.ip(), trunk.world.phones[id.0.0].address.ip());
            assert!(leg.media.is_some() && leg.port.is_some());
        }
        let methods: Vec<_> = view.ladder.iter().map(|line| (line.method.as_str(), line.status)).collect();
        assert_eq!(methods.first(), Some(&("INVITE", None)));
        assert!(methods.contains(&("INVITE", Some(180))) && methods.contains(&("ACK", None)));
        let text = view.to_string();
        for part in ["answered after 2.5", "carrier east at 10.0.1.1:5060 by ", "ladder"] {
            assert!(text.contains(part), "{part}: {text}");
        }

        // What only the media worker knows comes after its word.
        let (shard, line) = trunk.line(a);
        let id = crate::question::QuestionId(9);
        trunk
            .world
            .input(shard, crate::core::Input::Question { id, question: Question::Media { key: line.key } });
        trunk.run(0.1);
        let (_, _, answer) = trunk.world.said.pop().unwrap();
        let Answer::Media(Some(media)) = answer else { panic!("{answer:?}") };
        assert_eq!(media.caller.packets, 50);
        trunk.hang_up(b);
        trunk.run(1.0);
        assert_eq!(trunk.ask(shard, Question::Media { key: line.key }), Answer::Media(None));
    });
}

#[test]
fn the_operator_ends_a_call_at_any_stage_and_the_record_says_so() {
    everywhere(|trunk| {
        let (up, callee) = trunk.connect(trunk.pbx, OUTSIDE, trunk.east);
        let (ringing, rings) = trunk.reach(trunk.branch, OUTSIDE, trunk.east);
        trunk.respond(rings, 180);
        trunk.run(0.5);
        trunk.operator_ends(up);
        trunk.operator_ends(ringing);
        trunk.run(1.0);
        for call in [up, callee, ringing, rings] {
            assert_eq!(trunk.stage(call), Stage::Over);
        }
        for (call, method) in [(up, Method::Bye), (callee, Method::Bye), (rings, Method::Cancel)] {
            let heard = trunk.call(call).request(&method).unwrap();
            assert_eq!(Trunk::header(heard, "Reason"), "SIP;cause=480;text=\"Ended by the operator\"");
        }
        assert_eq!(trunk.heard(ringing), [180, 480]);
        let ends: Vec<_> =
            trunk.world.details.iter().map(|detail| (detail.ended_by, detail.cause.as_str())).collect();
        assert_eq!(ends, [(EndedBy::Operator, "Ended by the operator"); 2]);
        let cdr = trunk.cdr("branch", Direction::Outbound);
        assert_eq!(cdr.status_message, "480 Ended by the operator");
    });
}

#[test]
fn a_drained_connector_calls_nobody_but_for_help_and_its_group_is_served_by_others() {
    everywhere(|trunk| {
        let (up, _) = trunk.connect(trunk.pbx, OUTSIDE, trunk.east);
        trunk.drain(Part::Connector("pbx".into()));
        let refused = trunk.dial(trunk.pbx, OUTSIDE);
        let other = trunk.dial(trunk.branch, OUTSIDE);
        trunk.run(0.5);
        assert_eq!(trunk.heard(refused), [503]);
        let response = trunk.call(refused).response(503).unwrap();
        let reason = "SIP;cause=503;text=\"No new calls now: voice connector pbx is draining\"";
        assert_eq!(Trunk::header(response, "Reason"), reason);
        assert_eq!(Trunk::header(response, "Retry-After"), "30");
        let desk = trunk.incoming(trunk.east);
        trunk.respond(desk, 486);
        let help = trunk.dial(trunk.pbx, "911");
        trunk.run(0.5);
        let desk = trunk.incoming(trunk.east);
        trunk.respond(desk, 200);
        trunk.run(0.5);
        assert_eq!(trunk.heard(help), [200]);

        // Inbound: the group's other member takes it; what only the drained one could take is refused.
        let (grouped, desk) = trunk.reach(trunk.east, GROUP, trunk.branch);
        trunk.respond(desk, 200);
        let own = trunk.dial(trunk.east, PBX);
        trunk.run(0.5);
        assert_eq!((trunk.heard(grouped), trunk.heard(own)), (vec![200], vec![503]));
        assert_eq!(trunk.stage(up), Stage::Up);

        // A configuration that comes meanwhile changes nothing of that.
        let transport = trunk.world.phones[trunk.pbx.0].transport;
        trunk.configure(&[], transport);
        let still = trunk.dial(trunk.pbx, OUTSIDE);
        trunk.run(0.5);
        assert_eq!(trunk.heard(still), [503]);
        assert!(trunk.world.shared.drains.undrain(&Part::Connector("pbx".into())));
        let (again, desk) = trunk.reach(trunk.pbx, OUTSIDE, trunk.east);
        trunk.respond(desk, 486);
        trunk.run(0.5);
        assert_eq!(trunk.heard(again), [486]);
        assert_eq!(trunk.call(other).answers(), [486]);
        for call in [up, help, grouped] {
            trunk.hang_up(call);
        }
        trunk.run(1.0);
    });
}

/// A carrier that drains is passed over; where nobody else takes the call it is refused, and one for help goes there all the same.
#[test]
fn calls_go_round_a_drained_carrier_and_a_drained_host() {
    everywhere_with(&[("west", "countries = [\"US\"]")], |trunk| {
        for part in [Part::Carrier("east".into()), Part::Host("10.0.1.1".into())] {
            let east = trunk.received(trunk.east);
            trunk.drain(part.clone());
            let (call, desk) = trunk.reach(trunk.pbx, OUTSIDE, trunk.west);
            trunk.respond(desk, 486);
            trunk.run(0.5);
            assert_eq!((trunk.heard(call), trunk.received(trunk.east)), (vec![486], east));

            trunk.drain(Part::Host("10.0.1.2:5060".into()));
            let nowhere = trunk.dial(trunk.pbx, OUTSIDE);
            trunk.run(0.5);
            assert_eq!(trunk.heard(nowhere), [503]);
            let help = trunk.dial(trunk.pbx, "911");
            trunk.run(0.5);
            let desk = trunk.incoming(trunk.east);
            trunk.respond(desk, 200);
            trunk.run(0.5);
            assert_eq!(trunk.heard(help), [200]);
            trunk.hang_up(help);
            trunk.run(0.5);
            let from = trunk.dial(trunk.east, BRANCH);
            trunk.run(0.5);
            match part {
                Part::Carrier(_) => assert_eq!(trunk.heard(from), [503], "nor from there"),
                _ => {
                    let desk = trunk.incoming(trunk.branch);
                    trunk.respond(desk, 486);
                    trunk.run(0.5);
                    assert_eq!(trunk.heard(from), [486], "a host is where calls go to");
                }
            }
            let drains = trunk.world.shared.drains.clone();
            assert!(drains.undrain(&part) && drains.undrain(&Part::Host("10.0.1.2:5060".into())));
        }
    });
}

#[test]
fn the_whole_gateway_drains_and_comes_back() {
    everywhere(|trunk| {
        let (up, _) = trunk.connect(trunk.pbx, OUTSIDE, trunk.east);
        trunk.drain(Part::Gateway);
        let refused = trunk.dial(trunk.pbx, OUTSIDE);
        let inbound = trunk.dial(trunk.east, BRANCH);
        let help = trunk.dial(trunk.pbx, "911");
        trunk.run(0.5);
        assert_eq!((trunk.heard(refused), trunk.heard(inbound)), (vec![503], vec![503]));
        let reason = Trunk::header(trunk.call(refused).response(503).unwrap(), "Reason");
        assert_eq!(reason, "SIP;cause=503;text=\"Gateway is draining\"");
        let desk = trunk.incoming(trunk.east);
        trunk.respond(desk, 200);
        trunk.run(0.5);
        assert_eq!((trunk.heard(help), trunk.stage(up)), (vec![200], Stage::Up));
        assert!(trunk.world.drained.is_empty(), "nobody stops");
        assert!(trunk.world.shared.drains.undrain(&Part::Gateway));
        let (again, desk) = trunk.reach(trunk.pbx, OUTSIDE, trunk.east);
        trunk.respond(desk, 486);
        trunk.run(0.5);
        assert_eq!(trunk.heard(again), [486]);
        trunk.hang_up(up);
        trunk.hang_up(help);
        trunk.run(1.0);
    });
}
