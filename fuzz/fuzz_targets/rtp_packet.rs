//! A packet that parses has its parts inside itself, and a change of payload type changes nothing else.

#![no_main]

use libfuzzer_sys::fuzz_target;
use rtp::packet::{PayloadType, RtpPacket, is_rtcp, set_payload_type};

fuzz_target!(|data: &[u8]| {
    let _ = is_rtcp(data);
    let Ok(packet) = RtpPacket::parse(data) else { return };
    assert!(packet.header_len() + packet.payload().len() <= data.len());
    assert_eq!(RtpPacket::parse_header(data).map(|header| header.header_len()), Ok(packet.header_len()));

    let mut changed = data.to_vec();
    set_payload_type(&mut changed, PayloadType(99));
    let after = RtpPacket::parse(&changed).expect("only the payload type has changed");
    assert_eq!((after.payload_type(), after.marker()), (PayloadType(99), packet.marker()));
    assert_eq!(
        (after.seq(), after.timestamp(), after.ssrc()),
        (packet.seq(), packet.timestamp(), packet.ssrc())
    );
    assert_eq!(after.payload(), packet.payload());
});
