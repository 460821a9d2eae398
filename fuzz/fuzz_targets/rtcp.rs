//! What is read of any compound, written anew, reads the same.

#![no_main]

use libfuzzer_sys::fuzz_target;
use rtp::rtcp::{Compound, Packet, Writer};

fuzz_target!(|data: &[u8]| {
    let Ok(compound) = Compound::parse(data) else { return };
    let _ = compound.sender();
    let mut buffer = [0; 2048];
    for packet in compound {
        let mut writer = Writer::new(&mut buffer);
        match packet {
            Packet::SenderReport { ssrc, info, reports } => {
                let blocks: Vec<_> = reports.collect();
                writer.sender_report(ssrc, &info, &blocks);
                let len = writer.len();
                let Some(Packet::SenderReport { ssrc: again, info: same, reports }) = read(&buffer[..len])
                else {
                    panic!("an SR")
                };
                assert_eq!((again, same, reports.collect()), (ssrc, info, blocks));
            }
            Packet::ReceiverReport { ssrc, reports } => {
                let blocks: Vec<_> = reports.collect();
                writer.receiver_report(ssrc, &blocks);
                let len = writer.len();
                let Some(Packet::ReceiverReport { ssrc: again, reports }) = read(&buffer[..len]) else {
                    panic!("an RR")
                };
                assert_eq!((again, reports.collect()), (ssrc, blocks));
            }
            Packet::SourceDescription { ssrc: Some(ssrc), cname: Some(cname) } => {
                writer.cname(ssrc, cname);
                let len = writer.len();
                assert_eq!(read(&buffer[..len]), Some(packet));
            }
            Packet::Bye { ssrcs, .. } => {
                let ssrcs: Vec<_> = ssrcs.collect();
                writer.bye(&ssrcs);
                let len = writer.len();
                let Some(Packet::Bye { ssrcs: again, reason: None }) = read(&buffer[..len]) else {
                    panic!("a BYE")
                };
                assert_eq!(again.collect::<Vec<_>>(), ssrcs);
            }
            Packet::ExtendedReport { ssrc, blocks } => {
                let blocks: Vec<_> = blocks.collect();
                writer.extended_report(ssrc, blocks.iter().copied());
                let len = writer.len();
                if len == 0 {
                    continue; // Nothing that we read, or more than the buffer holds.
                }
                let Some(Packet::ExtendedReport { ssrc: again, blocks: same }) = read(&buffer[..len]) else {
                    panic!("an XR")
                };
                assert_eq!((again, same.collect()), (ssrc, blocks));
            }
            Packet::SourceDescription { .. } | Packet::Other { .. } => {}
        }
    }
});

fn read(bytes: &[u8]) -> Option<Packet<'_>> {
    Compound::parse(bytes).ok()?.next()
}
