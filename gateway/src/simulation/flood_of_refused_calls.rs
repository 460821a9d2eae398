//! A customer whose calls are refused, by the thousand and with words without end.

use sip::{Message, Name};

use super::trunk::{OUTSIDE, PBX, Trunk, over_udp};

fn refused(trunk: &mut Trunk, change: impl Fn(sip::Builder) -> sip::Builder) -> Message {
    trunk.world.with(trunk.pbx, |phone, now| {
        let invite = change(phone.invite("vc.example.com", PBX, OUTSIDE, true)).build();
        phone.place(now, invite.clone());
        invite
    })
}

#[test]
fn words_without_end_are_cut_in_the_record() {
    over_udp(&[("pbx_termination", "denied_prefixes = [\"+1212\"]")], |trunk| {
        let long = "%00".repeat(10_000);
        refused(trunk, |invite| {
            invite
                .set(Name::From, format!("<sip:{long}@a>;tag=1"))
                .set(Name::CallId, format!("{}@a", "x".repeat(20_000)))
        });
        trunk.run(1.0);
        let cdr = &trunk.world.cdrs[0];
        assert_eq!(cdr.source.number, "?".repeat(160));
        assert_eq!(cdr.call_id, "x".repeat(160));
        assert_eq!(trunk.world.cdrs.len(), 1);
    });
}

#[test]
fn only_some_refusals_of_a_second_are_written_down_and_the_others_counted() {
    over_udp(&[("pbx_termination", "denied_prefixes = [\"+1212\"]")], |trunk| {
        for _ in 0..120 {
            refused(trunk, |invite| invite);
        }
        trunk.run(0.5);
        assert_eq!(trunk.world.cdrs.len(), 50);
        let metrics = trunk.world.metrics.render();
        assert!(
            metrics.contains("voice_connector_records_dropped_total{kind=\"call_detail\"} 70"),
            "{metrics}"
        );
        trunk.run(1.0);
        refused(trunk, |invite| invite);
        trunk.run(0.5);
        assert_eq!(trunk.world.cdrs.len(), 51);
    });
}
