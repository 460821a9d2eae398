//! Matroska as Kinesis Video Streams takes it: one segment of unknown size, one audio track, tags ahead of each cluster.
//!
//! ```text
//! EBML     1A45DFA3
//! Segment  18538067  size unknown
//!   Info     1549A966  SegmentUID, TimecodeScale 1 ms, MuxingApp, WritingApp
//!   Tracks   1654AE6B  one TrackEntry: PCM, 16 bits, little-endian, mono
//!   Tags     1254C367  of the cluster that follows
//!   Cluster  1F43B675  size unknown; Timecode in milliseconds since the Unix epoch; SimpleBlocks
//!   Tags, Cluster, ...
//! ```
//!
//! Source: RFC 8794 (EBML), RFC 9559 (Matroska), and the layout that the producers of AWS write.

use bytes::Bytes;

/// What is written to name the program.
const APPLICATION: &str = concat!("voice-connector ", env!("CARGO_PKG_VERSION"));

/// Tells the service that a fragment is whole, before the next one begins.
const END_OF_FRAGMENT: &str = "AWS_KINESISVIDEO_END_OF_FRAGMENT";

/// A size that is not known yet, 8 bytes long. RFC 8794 §6.2.
const UNKNOWN: [u8; 8] = [0x01, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF];

/// What stands once at the beginning: EBML header, Segment, Info, Tracks.
///
/// - `uid`: of the segment, random.
/// - `name`: of the track.
/// - `rate`: samples per second.
#[must_use]
pub fn head(uid: [u8; 16], name: &str, rate: u32) -> Bytes {
    let mut out = Vec::with_capacity(320);
    let mut ebml = Vec::new();
    for (id, value) in [(0x4286, 1), (0x42F7, 1), (0x42F2, 4), (0x42F3, 8)] {
        number(&mut ebml, id, value);
    }
    element(&mut ebml, 0x4282, b"matroska");
    number(&mut ebml, 0x4287, 2);
    number(&mut ebml, 0x4285, 2);
    element(&mut out, 0x1A45_DFA3, &ebml);

    write_id(&mut out, 0x1853_8067);
    out.extend_from_slice(&UNKNOWN);

    let mut info = Vec::new();
    element(&mut info, 0x73A4, &uid);
    number(&mut info, 0x2A_D7B1, 1_000_000);
    element(&mut info, 0x4D80, APPLICATION.as_bytes());
    element(&mut info, 0x5741, APPLICATION.as_bytes());
    element(&mut out, 0x1549_A966, &info);

    let mut audio = Vec::new();
    element(&mut audio, 0xB5, &f64::from(rate).to_be_bytes());
    number(&mut audio, 0x9F, 1);
    number(&mut audio, 0x6264, 16);
    let mut track = Vec::new();
    number(&mut track, 0xD7, 1);
    number(&mut track, 0x73C5, 1);
    number(&mut track, 0x83, 2);
    element(&mut track, 0x86, b"A_PCM/INT/LIT");
    element(&mut track, 0x536E, name.as_bytes());
    element(&mut track, 0xE1, &audio);
    let mut tracks = Vec::new();
    element(&mut tracks, 0xAE, &track);
    element(&mut out, 0x1654_AE6B, &tracks);
    out.into()
}

/// What stands before the blocks of a fragment: its tags, and the cluster's beginning.
///
/// - `time_ms`: since the Unix epoch.
/// - `tags`: names and values.
#[must_use]
pub fn fragment(time_ms: u64, tags: &[(&str, &str)]) -> Bytes {
    let mut out = Vec::with_capacity(192);
    write_tags(&mut out, tags);
    write_id(&mut out, 0x1F43_B675);
    out.extend_from_slice(&UNKNOWN);
    element(&mut out, 0xE7, &time_ms.to_be_bytes());
    out.into()
}

/// One block of samples.
///
/// - `offset_ms`: from the cluster's time.
#[must_use]
pub fn block(offset_ms: i16, samples: &[i16]) -> Bytes {
    let size = 4 + samples.len() * 2;
    let mut out = Vec::with_capacity(size + 9);
    write_id(&mut out, 0xA3);
    write_size(&mut out, size);
    out.push(0x81);
    out.extend_from_slice(&offset_ms.to_be_bytes());
    out.push(0x80); // A keyframe, as all of PCM.
    for sample in samples {
        out.extend_from_slice(&sample.to_le_bytes());
    }
    out.into()
}

/// Makes the service acknowledge the last fragment now, not when another one begins.
#[must_use]
pub fn end_of_fragment() -> Bytes {
    let mut out = Vec::with_capacity(64);
    write_tags(&mut out, &[(END_OF_FRAGMENT, "")]);
    out.into()
}

fn write_tags(out: &mut Vec<u8>, tags: &[(&str, &str)]) {
    let mut all = Vec::with_capacity(128);
    for (name, value) in tags {
        let mut simple = Vec::with_capacity(64);
        element(&mut simple, 0x45A3, name.as_bytes());
        element(&mut simple, 0x4487, value.as_bytes());
        let mut tag = Vec::with_capacity(72);
        element(&mut tag, 0x67C8, &simple);
        element(&mut all, 0x7373, &tag);
    }
    element(out, 0x1254_C367, &all);
}

fn element(out: &mut Vec<u8>, id: u32, content: &[u8]) {
    write_id(out, id);
    write_size(out, content.len());
    out.extend_from_slice(content);
}

/// An unsigned number in as few bytes as it needs. RFC 8794 §7.2.
fn number(out: &mut Vec<u8>, id: u32, value: u64) {
    let bytes = value.to_be_bytes();
    let skip = bytes.iter().take_while(|byte| **byte == 0).count().min(7);
    element(out, id, bytes.get(skip..).unwrap_or_default());
}

/// An id holds its own length mark. RFC 8794 §5.
fn write_id(out: &mut Vec<u8>, id: u32) {
    out.extend(id.to_be_bytes().into_iter().skip_while(|byte| *byte == 0));
}

/// As short as can be; all ones mean "unknown" and are left out. RFC 8794 §4, §6.
fn write_size(out: &mut Vec<u8>, size: usize) {
    let size = size as u64;
    let length = (1..8).find(|length| size < (1_u64 << (7 * length)) - 1).unwrap_or(8_usize);
    let marked = size | 1_u64 << (7 * length);
    out.extend(marked.to_be_bytes().into_iter().skip(8 - length));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_as_short_as_they_can_be_and_never_unknown() {
        for (size, bytes) in [
            (0, &[0x80][..]),
            (126, &[0xFE]),
            (127, &[0x40, 0x7F]),
            (16_382, &[0x7F, 0xFE]),
            (16_383, &[0x20, 0x3F, 0xFF]),
        ] {
            let mut out = Vec::new();
            write_size(&mut out, size);
            assert_eq!(out, bytes, "{size}");
        }
    }

    #[test]
    fn a_block_is_little_endian_with_its_offset() {
        assert_eq!(&block(-2, &[1, -2])[..], [0xA3, 0x88, 0x81, 0xFF, 0xFE, 0x80, 0x01, 0x00, 0xFE, 0xFF]);
    }

    #[test]
    fn a_fragment_begins_with_its_tags_and_an_absolute_time() {
        let bytes = fragment(1_700_000_000_000, &[("A", "b")]);
        let tags = [
            0x12, 0x54, 0xC3, 0x67, 0x8E, 0x73, 0x73, 0x8B, 0x67, 0xC8, 0x88, 0x45, 0xA3, 0x81, b'A', 0x44,
            0x87, 0x81, b'b',
        ];
        let (before, cluster) = bytes.split_at(tags.len());
        assert_eq!(before, tags);
        assert_eq!(&cluster[..4], [0x1F, 0x43, 0xB6, 0x75]);
        assert_eq!(cluster[4..12], UNKNOWN);
        assert_eq!(cluster[12..14], [0xE7, 0x88]);
        assert_eq!(cluster[14..], 1_700_000_000_000_u64.to_be_bytes());
    }
}
