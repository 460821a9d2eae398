//! Calls of a connector that records, or streams: each from its answer on, or when the operator says so; not at all, where it can't.

use sip::Method;

use super::explained_at_this_moment::explained;
use super::trunk::{Change, OUTSIDE, Trunk, everywhere_with, over_udp};
use super::world::CallId;
use crate::direction::Direction;
use crate::media::Command;
use crate::question::{Answer, CallFilter, Question};
use crate::sound;
use crate::sound::RecordOrder::{self, Pause, Resume, Start, Stop};

const ALL: [Change; 1] = [("pbx", "recording = { calls = \"all\", rate = 16000 }")];
const ON_DEMAND: [Change; 1] = [("pbx", "recording = { calls = \"on_demand\" }")];
const OR_NOT_AT_ALL: [Change; 1] = [("pbx", "recording = { calls = \"all\", on_failure = \"refuse\" }")];

const STREAMED_OR_NOT_AT_ALL: [Change; 1] = [(
    "pbx",
    "streaming = { sink = [{ name = \"asr\", kind = \"kinesis\", region = \"us-east-1\", on_failure = \"refuse\" }] }",
)];

const STREAMED: [Change; 1] = [(
    "pbx",
    "recording = { calls = \"on_demand\" }\n\
     streaming = { sink = [{ name = \"asr\", kind = \"kinesis\", region = \"us-east-1\" }] }",
)];

impl Trunk {
    fn says(&mut self, id: CallId, order: RecordOrder) -> Result<(), &'static str> {
        let call_id = self.call(id).call_id();
        let line = self.calls(CallFilter { id: Some(call_id), ..CallFilter::default() }).remove(0);
        match self.ask((line.key >> 40) as u16, Question::Record { key: line.key, order }) {
            Answer::Recorded(said) => said,
            other => panic!("{other:?}"),
        }
    }

    fn stopped(&self) -> usize {
        let stops = |command: &Command| matches!(command, Command::StopListening { .. });
        self.world.media_log.iter().filter(|(_, command)| stops(command)).count()
    }
}

#[test]
fn each_call_is_recorded_from_its_answer_on_and_its_record_says_so() {
    everywhere_with(&ALL, |trunk| {
        let (a, b) = trunk.reach(trunk.pbx, OUTSIDE, trunk.east);
        trunk.respond(b, 180);
        trunk.run(5.0);
        assert_eq!(trunk.world.listened, [], "it rings");
        trunk.respond(b, 200);
        trunk.run(1.0);
        let [listen] = &trunk.world.listened[..] else { panic!("{:?}", trunk.world.listened) };
        assert_eq!(listen.recorded, [("pbx".into(), 16_000)]);
        let facts = &trunk.world.journaled[0].facts;
        assert!(facts.streaming, "also where the gateway dies now");
        assert_eq!(facts.transaction_id, listen.transaction_id.to_string());
        trunk.hang_up(a);
        trunk.run(1.0);
        assert!(trunk.cdr("pbx", Direction::Outbound).streaming);
        // Who records nothing, and what came to nothing.
        let (c, _) = trunk.connect(trunk.branch, OUTSIDE, trunk.east);
        trunk.hang_up(c);
        let (_, d) = trunk.reach(trunk.pbx, OUTSIDE, trunk.east);
        trunk.respond(d, 486);
        trunk.run(1.0);
        assert!(!trunk.cdr("branch", Direction::Outbound).streaming);
        let streaming: Vec<_> = trunk.world.cdrs.iter().map(|facts| facts.streaming).collect();
        assert_eq!(streaming.iter().filter(|streaming| **streaming).count(), 1, "{streaming:?}");
        assert_eq!(trunk.world.listened.len(), 1);
    });
}

#[test]
fn the_operator_begins_ends_and_silences_a_recording() {
    over_udp(&ON_DEMAND, |trunk| {
        let (a, b) = trunk.reach(trunk.pbx, OUTSIDE, trunk.east);
        trunk.respond(b, 180);
        trunk.run(0.5);
        assert_eq!(trunk.says(a, Start), Err("the call is not answered yet"));
        trunk.respond(b, 200);
        trunk.run(1.0);
        assert_eq!(trunk.world.listened, []);
        for order in [Stop, Pause, Resume] {
            assert_eq!(trunk.says(a, order), Err("the call is not recorded"));
        }
        assert_eq!(trunk.says(a, Start), Ok(()));
        assert_eq!(trunk.says(a, Start), Err("the call is recorded already"));
        assert_eq!((trunk.says(a, Pause), trunk.says(a, Resume)), (Ok(()), Ok(())));
        assert_eq!(trunk.world.recordings, [sound::Change::Pause(true), sound::Change::Pause(false)]);
        assert_eq!((trunk.says(a, Stop), trunk.stopped()), (Ok(()), 1));
        assert_eq!(trunk.says(a, Start), Ok(()));
        assert_eq!(trunk.world.listened.len(), 2, "another file");
        trunk.hang_up(a);
        trunk.run(1.0);
        assert!(trunk.cdr("pbx", Direction::Outbound).streaming);
        let (c, _) = trunk.connect(trunk.branch, OUTSIDE, trunk.east);
        assert_eq!(trunk.says(c, Start), Err("no connector of the call has [voice_connector.recording]"));
        trunk.hang_up(c);
        trunk.run(1.0);
    });
}

#[test]
fn what_can_t_be_recorded_is_not_placed_where_that_is_wanted() {
    everywhere_with(&OR_NOT_AT_ALL, |trunk| {
        let (_, text) = explained(trunk, OUTSIDE);
        assert!(text.contains("recording: pbx records it to "), "{text}");
        trunk.world.shared.recordings.set(true);
        let refused = trunk.dial(trunk.pbx, OUTSIDE);
        trunk.run(0.5);
        assert_eq!(trunk.heard(refused), [503]);
        let words = "503 Calls of voice connector pbx can't be recorded now";
        assert_eq!(trunk.cdr("pbx", Direction::Outbound).status_message, words);
        let (code, text) = explained(trunk, OUTSIDE);
        assert_eq!(code, 1);
        assert!(text.contains(&format!("refused at this moment: {words}")), "{text}");

        // Others, and whoever calls for help.
        assert_eq!(explained(trunk, "911").0, 0);
        let (help, desk) = trunk.reach(trunk.pbx, "911", trunk.east);
        trunk.respond(desk, 200);
        trunk.run(0.5);
        assert_eq!(trunk.heard(help), [200]);
        let (other, _) = trunk.connect(trunk.branch, OUTSIDE, trunk.east);
        assert_eq!(trunk.heard(other), [200]);

        trunk.world.shared.recordings.set(false);
        let (again, _) = trunk.connect(trunk.pbx, OUTSIDE, trunk.east);
        assert_eq!(trunk.heard(again), [200]);
        [help, other, again].into_iter().for_each(|call| trunk.hang_up(call));
        trunk.run(1.0);
    });
}

#[test]
fn a_call_that_is_streamed_is_so_whatever_becomes_of_its_recording() {
    over_udp(&STREAMED, |trunk| {
        let (_, text) = explained(trunk, OUTSIDE);
        assert!(text.contains("streaming: pbx streams it to asr"), "{text}");
        let (a, b) = trunk.connect(trunk.pbx, OUTSIDE, trunk.east);
        let call_id = trunk.call(a).call_id();
        let [listen] = &trunk.world.listened[..] else { panic!("{:?}", trunk.world.listened) };
        assert_eq!((listen.recorded.len(), listen.streamed.len()), (0, 1));
        let streamed = &listen.streamed[0];
        assert_eq!((streamed.connector.as_str(), streamed.direction), ("pbx", Direction::Outbound));
        assert_eq!((streamed.call_id.as_str(), listen.callee.as_str()), (call_id.as_str(), OUTSIDE));
        let told = serde_json::to_value(streamed.invite.headers.as_ref().unwrap()).unwrap();
        assert_eq!(told["call-id"], call_id);
        assert_eq!((told.get("authorization"), told.get("proxy-authorization")), (None, None));
        trunk.request(a, Method::Invite, Some("sendonly"));
        trunk.run(1.0);
        let [sound::Change::Updated(update)] = &std::mem::take(&mut trunk.world.recordings)[..] else {
            panic!()
        };
        let told = serde_json::to_value(&update.headers).unwrap();
        assert_eq!((update.connector.as_str(), &told["call-id"]), ("pbx", &call_id.as_str().into()));
        // The other side's are no business of the customer's.
        trunk.request(b, Method::Invite, Some("sendonly"));
        trunk.run(1.0);
        assert_eq!(trunk.world.recordings, []);
        assert_eq!((trunk.says(a, Start), trunk.says(a, Stop)), (Ok(()), Ok(())));
        assert!(matches!(trunk.world.recordings[..], [sound::Change::Begin(..), sound::Change::End]));
        assert_eq!((trunk.world.listened.len(), trunk.stopped()), (1, 0), "one tap for all");
        trunk.hang_up(a);
        trunk.run(1.0);
        assert!(trunk.cdr("pbx", Direction::Outbound).streaming);
    });
}

#[test]
fn what_can_t_be_streamed_is_not_placed_where_that_is_wanted() {
    everywhere_with(&STREAMED_OR_NOT_AT_ALL, |trunk| {
        // Nothing is known of the sink yet.
        let refused = trunk.dial(trunk.pbx, OUTSIDE);
        trunk.run(0.5);
        assert_eq!(trunk.heard(refused), [503]);
        let words = "503 Calls of voice connector pbx can't be streamed to asr now";
        assert_eq!(trunk.cdr("pbx", Direction::Outbound).status_message, words);
        let (code, text) = explained(trunk, OUTSIDE);
        assert_eq!(code, 1);
        assert!(text.contains(&format!("refused at this moment: {words}")), "{text}");

        let (help, desk) = trunk.reach(trunk.pbx, "911", trunk.east);
        trunk.respond(desk, 200);
        trunk.run(0.5);
        assert_eq!(trunk.heard(help), [200]);
        let (other, _) = trunk.connect(trunk.branch, OUTSIDE, trunk.east);
        assert_eq!(trunk.heard(other), [200]);

        trunk.world.shared.sinks.of("pbx", "asr").set(true);
        let (again, _) = trunk.connect(trunk.pbx, OUTSIDE, trunk.east);
        assert_eq!(trunk.heard(again), [200]);
        [help, other, again].into_iter().for_each(|call| trunk.hang_up(call));
        trunk.run(1.0);
    });
}
