//! Requests inside a dialog before the callee has answered.

use sip::Method;
use sip::dialog::Dialog;

use super::phone::Stage;
use super::trunk::{OUTSIDE, everywhere};

/// RFC 3311 §5.1: an UPDATE without an offer refreshes a session timer or says who is spoken to.
#[test]
fn an_update_without_an_offer_is_taken() {
    everywhere(|trunk| {
        let (a, b) = trunk.reach(trunk.pbx, OUTSIDE, trunk.east);
        trunk.respond(b, 180);
        trunk.run(0.5);
        let caller = trunk.call(a);
        let theirs = Dialog::uac(&caller.invite, caller.response(180).unwrap()).unwrap();
        let callee = trunk.call(b);
        let ours = Dialog::uas(&callee.invite, &callee.local_tag).unwrap();
        for (call, dialog) in [(a, theirs), (b, ours)] {
            trunk.phone(call.0).calls[call.1].dialog = Some(dialog);
            trunk.request(call, Method::Update, None);
            trunk.run(0.5);
            trunk.phone(call.0).calls[call.1].dialog = None;
            assert_eq!(trunk.call(call).statuses(&Method::Update), [200]);
            let answer = trunk.call(call).heard.last().unwrap();
            assert!(answer.has(sip::Name::Contact), "RFC 3311 §5.2");
        }
        trunk.respond(b, 200);
        trunk.run(1.0);
        assert_eq!((trunk.stage(a), trunk.stage(b)), (Stage::Up, Stage::Up));
        trunk.hang_up(b);
        trunk.run(1.0);
        assert_eq!(trunk.stage(a), Stage::Over);
    });
}
