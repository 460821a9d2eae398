//! The process dies when a call has ended and one of its parties has not heard so yet: the next one tells it.

use sip::Method;

use super::phone::Stage;
use super::trunk::{OUTSIDE, over_udp};
use crate::core::{Input, OrphanCall};

#[test]
fn the_journal_keeps_the_legs_until_both_parties_have_heard() {
    over_udp(&[], |trunk| {
        let (a, b) = trunk.connect(trunk.pbx, OUTSIDE, trunk.east);
        trunk.phone(trunk.east).habits.deaf = true;
        trunk.request(a, Method::Bye, None);
        trunk.run(1.0);
        let entry = trunk.world.journaled[0].clone();
        assert_eq!((trunk.stage(a), trunk.world.cdrs.len()), (Stage::Over, 1));
        assert_eq!(trunk.world.hanging_up, [entry.facts.key()]);
        trunk.world.restart();
        trunk.world.open_media.clear();
        trunk.phone(trunk.east).habits.deaf = false;
        let entries = vec![entry.facts.key()];
        trunk.tell_first(Input::Orphan(OrphanCall { state: entry.state, entries: entries.clone() }));
        trunk.run(1.0);
        assert_eq!((trunk.stage(b), &trunk.world.hung_up), (Stage::Over, &entries));
        assert_eq!(trunk.world.cdrs.len(), 1);
        // The journal does not say who hung up: that party hears of a dialog that it has forgotten, once, and says so.
        assert_eq!(std::mem::take(&mut trunk.world.watch.broken).len(), 1);
    });
}

#[test]
fn it_forgets_them_as_soon_as_the_bye_is_answered() {
    over_udp(&[], |trunk| {
        let (_, b) = trunk.connect(trunk.pbx, OUTSIDE, trunk.east);
        trunk.request(b, Method::Bye, None);
        trunk.run(1.0);
        let key = trunk.world.journaled[0].facts.key();
        assert_eq!((&trunk.world.hanging_up, &trunk.world.hung_up), (&vec![], &vec![key]));
    });
}
