//! A phone system was broken into and calls all night: it has minutes for a day, and no more.

use super::blind_transfer::{TARGET, refer, told, uri};
use super::explained_at_this_moment::explained;
use super::goes_on_from_a_snapshot::adopt;
use super::phone::Stage;
use super::trunk::{BRANCH, Change, OUTSIDE, PBX, Trunk, everywhere_with, over_udp};
use super::world::{CallId, PhoneId};
use crate::direction::Direction;

/// A day begins 6400 s after the simulation.
const TEN: [Change; 2] = [("pbx_termination", "daily_minutes = 10"), ("max_duration", "12h")];

impl Trunk {
    /// A customer's call to somebody outside, and what it hears.
    fn tries(&mut self, phone: PhoneId) -> (CallId, Vec<u16>) {
        let call = self.dial(phone, OUTSIDE);
        self.run(0.5);
        if self.heard(call).is_empty() {
            let callee = self.incoming(self.east);
            self.respond(callee, 200);
            self.run(0.5);
        }
        (call, self.heard(call))
    }

    /// Talks for so long, by one call.
    fn talks(&mut self, seconds: f64) {
        let (call, heard) = self.tries(self.pbx);
        assert_eq!(heard, [200]);
        self.run(seconds - 0.5);
        self.hang_up(call);
        self.run(0.5);
    }

    fn used(&self) -> u64 {
        self.world.shared.minutes.used(self.world.clocks(), "pbx").as_secs()
    }
}

#[test]
fn beyond_its_minutes_no_call_begins_and_those_that_are_up_go_on_until_midnight() {
    everywhere_with(&TEN, |trunk| {
        let (first, _) = trunk.connect(trunk.pbx, OUTSIDE, trunk.east);
        trunk.run(300.0);
        let (second, _) = trunk.connect(trunk.pbx, OUTSIDE, trunk.east);
        trunk.run(140.0);
        let (_, text) = explained(trunk, OUTSIDE);
        assert!(text.contains("limits: 10 minutes a day for voice connector pbx"), "{text}");
        assert!(text.contains("now: 9 of 10 minutes of this day are used by voice connector pbx"), "{text}");
        trunk.run(10.0);
        let received = trunk.received(trunk.east);
        let (refused, heard) = trunk.tries(trunk.pbx);
        assert_eq!(heard, [403], "calls in progress count as they go");
        assert_eq!(trunk.received(trunk.east), received);
        let words = "All 10 minutes of this day are used by voice connector pbx";
        let response = trunk.call(refused).response(403).unwrap();
        assert_eq!(Trunk::header(response, "Reason"), format!("SIP;cause=403;text=\"{words}\""));
        assert_eq!(trunk.cdr("pbx", Direction::Outbound).status_message, format!("403 {words}"));
        let metrics = trunk.world.metrics.render();
        assert!(metrics.contains("voice_connector_refusals_total{cause=\"daily_minutes\"} 1\n"), "{metrics}");
        let (code, text) = explained(trunk, OUTSIDE);
        assert_eq!(code, 1, "{text}");
        assert!(text.contains(&format!("refused at this moment: 403 {words}")), "{text}");
        assert!(text.contains("to do: look for who calls so long"), "{text}");

        // Others, calls for help and calls that come in are not stopped.
        assert_eq!(explained(trunk, "911").0, 0);
        let (help, desk) = trunk.reach(trunk.pbx, "911", trunk.east);
        trunk.respond(desk, 200);
        trunk.run(0.5);
        assert_eq!(trunk.heard(help), [200]);
        let (other, heard) = trunk.tries(trunk.branch);
        assert_eq!(heard, [200]);
        let (inbound, _) = trunk.connect(trunk.east, PBX, trunk.pbx);
        for call in [first, second] {
            assert_eq!(trunk.stage(call), Stage::Up);
        }
        for call in [first, help, other, inbound] {
            trunk.hang_up(call);
        }
        trunk.run(5_800.0);
        assert_eq!(trunk.tries(trunk.pbx).1, [403]);
        trunk.run(200.0);
        assert_eq!(trunk.stage(second), Stage::Up);
        let (next, heard) = trunk.tries(trunk.pbx);
        assert_eq!(heard, [200], "a new day");
        trunk.run(300.0);
        assert_eq!(trunk.tries(trunk.pbx).1, [403], "what is left of the night's call counts for it");
        trunk.hang_up(second);
        trunk.hang_up(next);
        trunk.run(1.0);
    });
}

#[test]
fn what_rings_and_who_calls_for_help_uses_no_minute() {
    everywhere_with(&TEN, |trunk| {
        let (ringing, rings) = trunk.reach(trunk.pbx, OUTSIDE, trunk.east);
        trunk.respond(rings, 180);
        let (help, desk) = trunk.reach(trunk.pbx, "911", trunk.east);
        trunk.respond(desk, 200);
        trunk.run(100.0);
        assert_eq!(trunk.used(), 0);
        trunk.cancel(ringing);
        trunk.hang_up(help);
        trunk.run(1.0);
        assert_eq!(trunk.used(), 0);
        trunk.talks(20.0);
        assert_eq!(trunk.used(), 20);
    });
}

#[test]
fn another_process_goes_on_where_the_one_before_was() {
    everywhere_with(&TEN, |trunk| {
        trunk.talks(300.0);
        let (call, _) = trunk.connect(trunk.pbx, OUTSIDE, trunk.east);
        trunk.run(200.0);
        let saved = trunk.world.shared.minutes.saved(trunk.world.clocks());
        let restarted = |trunk: &mut Trunk| trunk.world.shared.minutes.restore(&saved);
        adopt(trunk, restarted);
        trunk.run(97.0);
        let (second, heard) = trunk.tries(trunk.pbx);
        assert_eq!(heard, [200], "{}", trunk.used());
        trunk.hang_up(second);
        trunk.run(3.0);
        assert_eq!(trunk.tries(trunk.pbx).1, [403]);
        trunk.hang_up(call);
        trunk.run(1.0);
        let used = trunk.used();
        trunk.run(60.0);
        assert_eq!(trunk.used(), used, "nobody talks");
    });
}

/// Whoever forwards or transfers a call pays for it by its own minutes.
#[test]
fn a_call_that_is_sent_on_is_a_call_of_who_sends_it() {
    let more: [Change; 2] =
        [("pbx_termination", "caller_id_policy = \"forwarded\""), ("pbx_peer", "refer = \"handle\"")];
    let changes = [&TEN[..], &more[..]].concat();
    everywhere_with(&changes, |trunk| {
        let forwards = |trunk: &mut Trunk| {
            let (a, called) = trunk.reach(trunk.east, PBX, trunk.pbx);
            let target = uri(OUTSIDE);
            trunk.redirect(called, 302, &[target.as_str()]);
            trunk.run(0.5);
            a
        };
        let forwarded = forwards(trunk);
        let on = trunk.incoming(trunk.east);
        trunk.respond(on, 200);
        trunk.run(400.0);
        assert_eq!(trunk.used(), 399);
        let (_, talks) = trunk.connect(trunk.east, PBX, trunk.pbx);
        trunk.run(202.0);
        assert_eq!(trunk.used(), 603, "a call that comes in uses none");
        let received = trunk.received(trunk.east);
        let refused = forwards(trunk);
        assert_eq!(trunk.heard(refused), [403]);
        refer(trunk, talks, &uri(TARGET));
        trunk.run(1.0);
        assert_eq!(told(trunk, talks), (202, vec![100, 403]));
        assert_eq!(trunk.received(trunk.east), received);
        trunk.hang_up(forwarded);
        trunk.hang_up(talks);
        trunk.run(1.0);
    });
}

#[test]
fn an_operator_raises_the_limit_and_calls_go_on_at_once() {
    over_udp(&TEN, |trunk| {
        trunk.talks(601.0);
        assert_eq!(trunk.tries(trunk.pbx).1, [403]);
        let transport = trunk.world.phones[trunk.pbx.0].transport;
        trunk.configure(&[("pbx_termination", "daily_minutes = 20")], transport);
        let (call, heard) = trunk.tries(trunk.pbx);
        assert_eq!(heard, [200]);
        trunk.hang_up(call);
        // One that had none has been counted all the same.
        trunk.configure(&[("pbx_termination", "daily_minutes = 5")], transport);
        trunk.run(1.0);
        assert_eq!(trunk.tries(trunk.pbx).1, [403]);
        let between = trunk.dial(trunk.pbx, BRANCH);
        trunk.run(0.5);
        assert_eq!(trunk.heard(between), [403], "a call between customers is an outbound call too");
    });
}
