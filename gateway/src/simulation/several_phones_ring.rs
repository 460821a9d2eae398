//! A carrier that forks: several phones ring, each with media of its own. RFC 3960 §3.1, RFC 3261 §12.1.

use sip::Message;
use sip::sdp::Sdp;

use super::phone::{Abilities, Stage};
use super::trunk::{OUTSIDE, everywhere};

fn tag(message: &Message) -> String {
    message.to_tag().unwrap_or_default().into_owned()
}

/// Two announcements and an answer: each fork is an early dialog of the caller's with one description, and the answer is in
/// the dialog of the fork that gave it.
#[test]
fn each_fork_is_an_early_dialog_with_media_of_its_own() {
    everywhere(|trunk| {
        for phone in [trunk.pbx, trunk.east] {
            trunk.able(phone, Abilities::default());
        }
        let (a, b) = trunk.reach(trunk.pbx, OUTSIDE, trunk.east);
        let forks = [trunk.phone(b.0).fork_tag(), trunk.phone(b.0).fork_tag()];
        for fork in &forks {
            trunk.respond_as(b, 183, fork);
            trunk.run(0.3);
        }
        let is_183 = |one: &&Message| one.status().is_some_and(|status| status.code() == 183);
        let early: Vec<Message> = trunk.call(a).heard.iter().filter(is_183).cloned().collect();
        assert_eq!(early.len(), 2);
        assert_ne!(tag(&early[0]), tag(&early[1]));
        for one in &early {
            let stream = Sdp::parse(one.body()).unwrap().relayed_stream().cloned().unwrap();
            assert_eq!(stream.rtp().unwrap().ip().to_string(), "192.0.2.1");
        }
        trunk.respond_as(b, 200, &forks[1]);
        trunk.run(1.0);
        assert_eq!((trunk.stage(a), trunk.stage(b)), (Stage::Up, Stage::Up));
        let answer = trunk.call(a).response(200).unwrap();
        assert_eq!(tag(answer), tag(&early[1]));
        assert_eq!(answer.body(), early[1].body(), "RFC 6337 §3.1: it does not change in its dialog");
        trunk.hang_up(a);
        trunk.run(1.0);
    });
}
