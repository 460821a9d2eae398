//! RTCP as collectors have it: one JSON object for each report.
//!
//! Source: what captagent and heplify send and Homer shows; the names are theirs.

use rtp::rtcp::{Compound, Packet, RECEIVER_REPORT, ReportBlock, SENDER_REPORT, SenderInfo};
use serde::Serialize;

#[derive(Serialize)]
struct Report {
    ssrc: u32,
    #[serde(rename = "type")]
    kind: u8,
    report_count: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    sender_information: Option<Sender>,
    report_blocks: Vec<Block>,
    sdes_ssrc: u32,
}

#[derive(Serialize)]
struct Sender {
    ntp_timestamp_sec: u32,
    ntp_timestamp_usec: u32,
    rtp_timestamp: u32,
    packets: u32,
    octets: u32,
}

#[derive(Serialize)]
struct Block {
    source_ssrc: u32,
    fraction_lost: u8,
    packets_lost: i32,
    highest_seq_no: u32,
    ia_jitter: u32,
    lsr: u32,
    dlsr: u32,
}

impl From<SenderInfo> for Sender {
    fn from(info: SenderInfo) -> Sender {
        let [seconds, fraction] = [info.ntp.0 >> 32, info.ntp.0 & 0xffff_ffff];
        Sender {
            ntp_timestamp_sec: u32::try_from(seconds).unwrap_or_default(),
            // A fraction of 2^32 each, in microseconds.
            ntp_timestamp_usec: u32::try_from((fraction * 1_000_000) >> 32).unwrap_or_default(),
            rtp_timestamp: info.rtp_timestamp,
            packets: info.packets,
            octets: info.bytes,
        }
    }
}

impl From<ReportBlock> for Block {
    fn from(block: ReportBlock) -> Block {
        Block {
            source_ssrc: block.ssrc.0,
            fraction_lost: block.fraction_lost,
            packets_lost: block.cumulative_lost,
            highest_seq_no: block.highest_seq,
            ia_jitter: block.jitter,
            lsr: block.last_sr.0,
            dlsr: block.delay_since_last_sr.0,
        }
    }
}

/// The reports of a datagram.
pub(super) fn reports(datagram: &[u8]) -> Vec<Vec<u8>> {
    let Ok(compound) = Compound::parse(datagram) else { return Vec::new() };
    let report = |packet| {
        let (ssrc, kind, sender, blocks) = match packet {
            Packet::SenderReport { ssrc, info, reports } => (ssrc, SENDER_REPORT, Some(info.into()), reports),
            Packet::ReceiverReport { ssrc, reports } => (ssrc, RECEIVER_REPORT, None, reports),
            _ => return None,
        };
        let report_blocks: Vec<Block> = blocks.map(Block::from).collect();
        let report = Report {
            ssrc: ssrc.0,
            kind,
            report_count: report_blocks.len(),
            sender_information: sender,
            report_blocks,
            sdes_ssrc: ssrc.0,
        };
        serde_json::to_vec(&report).ok()
    };
    compound.filter_map(report).collect()
}

#[cfg(test)]
mod tests {
    use rtp::ntp::{NtpShort, NtpTime};
    use rtp::packet::Ssrc;
    use rtp::rtcp::Writer;

    use super::*;

    #[test]
    fn each_report_is_an_object() {
        let block = ReportBlock {
            ssrc: Ssrc(7),
            fraction_lost: 25,
            cumulative_lost: -3,
            highest_seq: 70_000,
            jitter: 12,
            last_sr: NtpShort(9),
            delay_since_last_sr: NtpShort(65_536),
        };
        let info = SenderInfo {
            ntp: NtpTime(3_900_000_000 << 32 | 1 << 31),
            rtp_timestamp: 160,
            packets: 50,
            bytes: 8_000,
        };
        let mut buffer = [0; 512];
        let mut writer = Writer::new(&mut buffer);
        writer.sender_report(Ssrc(5), &info, &[block]);
        writer.receiver_report(Ssrc(6), &[]);
        writer.cname(Ssrc(5), b"us");
        let len = writer.len();
        let reports = reports(&buffer[..len]);
        let [sender, receiver] = &reports[..] else { panic!("{reports:?}") };
        assert_eq!(
            std::str::from_utf8(sender).unwrap(),
            "{\"ssrc\":5,\"type\":200,\"report_count\":1,\"sender_information\":{\"ntp_timestamp_sec\":3900000000,\
             \"ntp_timestamp_usec\":500000,\"rtp_timestamp\":160,\"packets\":50,\"octets\":8000},\"report_blocks\":[{\
             \"source_ssrc\":7,\"fraction_lost\":25,\"packets_lost\":-3,\"highest_seq_no\":70000,\"ia_jitter\":12,\
             \"lsr\":9,\"dlsr\":65536}],\"sdes_ssrc\":5}"
        );
        assert_eq!(
            std::str::from_utf8(receiver).unwrap(),
            "{\"ssrc\":6,\"type\":201,\"report_count\":0,\"report_blocks\":[],\"sdes_ssrc\":6}"
        );
        assert!(super::reports(b"no RTCP").is_empty());
    }
}
