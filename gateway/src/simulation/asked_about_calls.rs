//! An operator asks which calls there are.

use std::sync::Arc;

use super::trunk::{BRANCH, OUTSIDE, PBX, Trunk, everywhere, over_udp};
use crate::core::Input;
use crate::peer::Transport;
use crate::question::{Answer, CallFilter, CallLine, CallState, LOOKED_AT, Page, Question, QuestionId};

impl Trunk {
    /// What a shard says to a question.
    pub fn ask(&mut self, shard: u16, question: Question) -> Answer {
        let id = QuestionId(4711);
        self.world.input(shard, Input::Question { id, question });
        let (from, to, answer) = self.world.said.pop().expect("an answer in the same turn");
        assert_eq!((from, to), (shard, id));
        answer
    }

    fn page(&mut self, shard: u16, filter: &Arc<CallFilter>, after: Option<u64>) -> Page {
        match self.ask(shard, Question::Calls { filter: filter.clone(), after }) {
            Answer::Calls(page) => page,
            other => panic!("{other:?}"),
        }
    }

    /// The calls of all shards.
    pub fn calls(&mut self, filter: CallFilter) -> Vec<CallLine> {
        let filter = Arc::new(filter);
        let mut calls = Vec::new();
        for shard in 0..self.world.cores.len() {
            let mut after = None;
            loop {
                let page = self.page(u16::try_from(shard).unwrap(), &filter, after);
                calls.extend(page.calls);
                after = page.next;
                if after.is_none() {
                    break;
                }
            }
        }
        calls.sort_by_key(|call| call.started);
        calls
    }
}

fn filter(change: impl FnOnce(&mut CallFilter)) -> CallFilter {
    let mut filter = CallFilter::default();
    change(&mut filter);
    filter
}

#[test]
fn each_call_is_told_with_its_state_and_parties() {
    everywhere(|trunk| {
        let (up, _) = trunk.connect(trunk.pbx, OUTSIDE, trunk.east);
        trunk.run(60.0);
        let (ringing, desk) = trunk.reach(trunk.east, BRANCH, trunk.branch);
        trunk.respond(desk, 180);
        trunk.run(1.2);
        let dialling = trunk.dial(trunk.branch, PBX);
        trunk.run(0.5);

        let calls = trunk.calls(CallFilter::default());
        let told: Vec<_> = calls.iter().map(|call| (call.state, call.seconds, call.talked)).collect();
        assert_eq!(
            told,
            [(CallState::Up, 63, Some(63)), (CallState::Ringing, 2, None), (CallState::Dialling, 0, None)]
        );
        let whose = |call: &CallLine| {
            let party = |name: &Option<String>| name.clone().unwrap_or_default();
            [
                party(&call.calling_voice_connector),
                party(&call.calling_carrier),
                party(&call.called_voice_connector),
                party(&call.carrier),
            ]
        };
        assert_eq!(whose(&calls[0]), ["pbx", "", "", "east"]);
        assert_eq!(whose(&calls[1]), ["", "east", "branch", ""]);
        assert_eq!(whose(&calls[2]), ["branch", "", "pbx", ""]);
        assert_eq!((calls[0].caller.as_str(), calls[0].callee.as_str()), (PBX, OUTSIDE));

        let by = |trunk: &mut Trunk, change: &dyn Fn(&mut CallFilter)| -> Vec<CallState> {
            trunk.calls(filter(change)).iter().map(|call| call.state).collect()
        };
        use CallState::{Dialling, Over, Ringing, Up};
        assert_eq!(by(trunk, &|f| f.number = Some("2125550123".into())), [Up]);
        assert_eq!(by(trunk, &|f| f.connector = Some("branch".into())), [Ringing, Dialling]);
        assert_eq!(by(trunk, &|f| f.carrier = Some("east".into())), [Up, Ringing]);
        assert_eq!(by(trunk, &|f| f.state = Some(Ringing)), [Ringing]);
        assert_eq!(by(trunk, &|f| f.older_than = Some(60)), [Up]);
        assert_eq!(by(trunk, &|f| f.younger_than = Some(1)), [Dialling]);
        let id = calls[1].id.clone();
        assert_eq!(by(trunk, &|f| f.id = Some(id[..8].to_uppercase())), [Ringing]);
        let call_id = trunk.call(up).call_id();
        assert_eq!(by(trunk, &|f| f.id = Some(call_id.clone())), [Up]);

        trunk.cancel(dialling);
        trunk.cancel(ringing);
        trunk.hang_up(up);
        trunk.run(1.0);
        assert_eq!(by(trunk, &|_| ()), []);
        if trunk.world.phones[trunk.pbx.0].transport == Transport::Udp {
            assert!(by(trunk, &|f| f.state = Some(Over)).contains(&Over), "late messages are waited for");
        }
    });
}

/// However many calls there are, one question costs a shard little; calls that come and go meanwhile change nothing for those that
/// stay: each is told once.
#[test]
fn many_calls_come_in_pages_and_each_once() {
    over_udp(&[], |trunk| {
        let mut placed = Vec::new();
        for _ in 0..90 {
            placed.push(trunk.dial(trunk.pbx, OUTSIDE));
            trunk.run(0.01);
        }
        trunk.run(0.5);
        let all = Arc::new(CallFilter::default());
        let first = trunk.page(0, &all, None);
        assert!(first.calls.len() <= 64, "{} in one turn", first.calls.len());
        let (gone, stays) = placed.split_at(30);
        gone.iter().for_each(|call| trunk.cancel(*call));
        trunk.run(0.2);
        let late = trunk.dial(trunk.pbx, OUTSIDE);
        trunk.run(0.2);
        let (mut told, mut after) = (first.calls, first.next);
        while let Some(from) = after {
            let page = trunk.page(0, &all, Some(from));
            told.extend(page.calls);
            after = page.next;
        }
        let mut ids: Vec<&str> = told.iter().map(|call| call.id.as_str()).collect();
        assert_eq!(ids.len(), 91, "the first page had all that went");
        ids.dedup();
        assert_eq!(ids.len(), 91);
        // What the filter leaves out costs the same: calls that are over are looked at and passed over.
        stays.iter().for_each(|call| trunk.cancel(*call));
        trunk.cancel(late);
        trunk.run(0.5);
        let none = trunk.page(0, &all, None);
        assert!(none.calls.is_empty() && LOOKED_AT > 91, "{none:?}");
    });
}
