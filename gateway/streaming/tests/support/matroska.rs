//! A strict reader of what Kinesis Video Streams takes, on a Matroska library that the writer does not use.

use std::collections::BTreeMap;
use std::io::Read;

use webm_iterable::WebmIterator;
use webm_iterable::matroska_spec::{Master, MatroskaSpec, SimpleBlock};

/// One cluster.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Fragment {
    pub time_ms: u64,
    pub tags: BTreeMap<String, String>,
    pub samples: Vec<i16>,
    /// Offsets of its blocks, in milliseconds.
    pub offsets: Vec<i16>,
}

/// What is read, as it comes.
#[derive(Debug)]
pub enum Event {
    /// A cluster began.
    Began(u64),
    /// It is whole.
    Ended(Fragment),
    /// The stream breaks a rule: the service's `ErrorId`, and which rule.
    Wrong(u32, String),
}

#[derive(Default)]
struct Reader {
    segments: usize,
    tracks: usize,
    scale: Option<u64>,
    codec: Option<String>,
    rate: Option<f64>,
    channels: Option<u64>,
    depth: Option<u64>,
    kind: Option<u64>,
    number: Option<u64>,
    name: Option<String>,
    tags: BTreeMap<String, String>,
    cluster: Option<Fragment>,
    last_end: Option<u64>,
    whole: bool,
}

/// Reads a stream to its end.
pub fn read(source: impl Read, mut tell: impl FnMut(Event)) {
    let mut reader = Reader::default();
    let mut iterator = WebmIterator::with_capacity(source, &[], 1 << 16);
    iterator.set_max_allowable_tag_size(Some(1 << 20));
    for tag in iterator {
        let result = match tag {
            Ok(tag) => reader.take(tag, &mut tell),
            Err(error) => Err((4006, error.to_string())),
        };
        if let Err((id, rule)) = result {
            return tell(Event::Wrong(id, rule));
        }
    }
    if let Err((id, rule)) = reader.end(&mut tell) {
        tell(Event::Wrong(id, rule));
    }
}

type Checked = Result<(), (u32, String)>;

fn rule(holds: bool, id: u32, text: &str) -> Checked {
    if holds { Ok(()) } else { Err((id, text.to_owned())) }
}

impl Reader {
    fn take(&mut self, tag: MatroskaSpec, tell: &mut impl FnMut(Event)) -> Checked {
        match tag {
            MatroskaSpec::DocType(kind) => rule(kind == "matroska", 4006, "DocType"),
            MatroskaSpec::Segment(Master::Start) => {
                self.segments += 1;
                rule(self.segments == 1, 4006, "a second segment")
            }
            MatroskaSpec::TimestampScale(scale) => {
                self.scale = Some(scale);
                Ok(())
            }
            MatroskaSpec::SegmentUID(uid) => rule(uid.len() == 16, 4006, "SegmentUID"),
            MatroskaSpec::TrackEntry(Master::Start) => {
                self.tracks += 1;
                rule(self.last_end.is_none() && self.cluster.is_none(), 4006, "tracks again")?;
                rule(self.tracks <= 3, 4012, "too many tracks")
            }
            MatroskaSpec::TrackNumber(number) => set(&mut self.number, number),
            MatroskaSpec::TrackType(kind) => set(&mut self.kind, kind),
            MatroskaSpec::CodecID(codec) => set(&mut self.codec, codec),
            MatroskaSpec::SamplingFrequency(rate) => set(&mut self.rate, rate),
            MatroskaSpec::Channels(channels) => set(&mut self.channels, channels),
            MatroskaSpec::BitDepth(depth) => set(&mut self.depth, depth),
            MatroskaSpec::Tags(Master::Start) => {
                self.end(tell)?;
                self.tags.clear();
                Ok(())
            }
            MatroskaSpec::TagName(name) => {
                rule(name.len() <= 128, 4009, "name of a tag")?;
                rule(
                    !name.starts_with("AWS") || name == "AWS_KINESISVIDEO_END_OF_FRAGMENT",
                    4009,
                    "AWS's own names",
                )?;
                self.name = Some(name);
                Ok(())
            }
            MatroskaSpec::TagString(value) => {
                rule(value.len() <= 256, 4009, "value of a tag")?;
                let name = self.name.take().ok_or((4006, "a value without a name".to_owned()))?;
                self.tags.insert(name, value);
                rule(self.tags.len() <= 10, 4009, "too many tags")
            }
            MatroskaSpec::Cluster(Master::Start) => {
                self.end(tell)?;
                rule(self.scale == Some(1_000_000), 4006, "TimestampScale")?;
                rule(self.tracks == 1 && self.number == Some(1) && self.kind == Some(2), 4010, "tracks")?;
                rule(self.codec.as_deref() == Some("A_PCM/INT/LIT"), 4006, "CodecID")?;
                rule(self.channels == Some(1) && self.depth == Some(16), 4006, "format")?;
                rule(self.rate == Some(8_000.0), 4006, "SamplingFrequency")?;
                self.whole = false;
                self.cluster = Some(Fragment { tags: self.tags.clone(), ..Fragment::default() });
                Ok(())
            }
            MatroskaSpec::Timestamp(time_ms) => {
                let cluster = self.cluster.as_mut().ok_or((4006, "a time without a cluster".to_owned()))?;
                rule(cluster.time_ms == 0, 4006, "two times")?;
                cluster.time_ms = time_ms;
                rule(self.last_end.is_none_or(|end| end <= time_ms), 4004, "time went back")?;
                tell(Event::Began(time_ms));
                Ok(())
            }
            MatroskaSpec::SimpleBlock(block) => {
                let cluster = self.cluster.as_mut().ok_or((4006, "a block without a cluster".to_owned()))?;
                let block = SimpleBlock::try_from(&block).map_err(|error| (4006, error.to_string()))?;
                rule(block.track == 1, 4010, "another track")?;
                rule(block.keyframe && block.lacing.is_none() && !block.invisible, 4006, "flags")?;
                rule(cluster.offsets.last().is_none_or(|last| *last < block.timestamp), 4004, "offsets")?;
                rule((0..20_000).contains(&block.timestamp), 4002, "a fragment too long")?;
                let (samples, rest) = block.raw_frame_data().as_chunks::<2>();
                rule(rest.is_empty() && !samples.is_empty(), 4006, "half a sample")?;
                // Time stays true: a block begins where the last one ended.
                let expected = cluster.samples.len() / 8;
                rule(
                    (expected as i64 - i64::from(block.timestamp)).abs() <= 1,
                    4004,
                    "a hole in a fragment",
                )?;
                cluster.offsets.push(block.timestamp);
                cluster.samples.extend(samples.iter().map(|sample| i16::from_le_bytes(*sample)));
                Ok(())
            }
            MatroskaSpec::RawTag(id, _) => Err((4006, format!("unknown element {id:x}"))),
            _ => Ok(()),
        }
    }

    fn end(&mut self, tell: &mut impl FnMut(Event)) -> Checked {
        let Some(cluster) = self.cluster.take() else { return Ok(()) };
        rule(cluster.time_ms > 0, 4006, "a cluster without a time")?;
        rule(!cluster.samples.is_empty(), 4011, "a track without frames")?;
        rule(
            cluster.tags.keys().collect::<Vec<_>>() == ["TransactionId", "VoiceConnectorId"],
            4009,
            &format!("tags are {:?}", cluster.tags),
        )?;
        self.last_end = Some(cluster.time_ms + cluster.samples.len() as u64 / 8);
        tell(Event::Ended(cluster));
        Ok(())
    }
}

fn set<T>(field: &mut Option<T>, value: T) -> Checked {
    rule(field.replace(value).is_none(), 4006, "an element twice")
}
