//! A stranger was faster than a phone behind NAT: the media workers tell it when the phone is heard.

use super::trunk::{OUTSIDE, over_udp};
use crate::core::Input;
use crate::direction::Direction;
use crate::media::{MediaEvent, Side};

#[test]
fn a_stranger_that_had_to_go_is_counted_and_recorded() {
    over_udp(&[], |trunk| {
        let (a, _) = trunk.connect(trunk.pbx, OUTSIDE, trunk.east);
        let key = trunk.world.open_media.keys().next().copied().unwrap();
        let stranger = "203.0.113.66:1234".parse().unwrap();
        trunk.tell_first(Input::Media(MediaEvent::Displaced { key, side: Side::A, stranger }));
        trunk.hang_up(a);
        trunk.run(1.0);
        trunk.finish();
        assert_eq!(
            trunk.cdr("pbx", Direction::Outbound).status_message,
            "OK; media of a stranger was taken for a party's"
        );
        let metrics = trunk.world.metrics.render();
        assert!(metrics.contains("voice_connector_media_strangers_total 1"), "{metrics}");
    });
}
