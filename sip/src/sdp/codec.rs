//! What a payload type number means: `a=rtpmap`, `a=fmtp`, or the static table of RFC 3551.

use smol_str::SmolStr;

use super::grammar::Media;

/// One payload type of an RTP stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Codec {
    /// 0..=127.
    pub payload_type: u8,
    /// The encoding's name as written, `PCMU`; empty if the number is dynamic and no `a=rtpmap` explains it.
    /// Compare it with [`Codec::is`].
    pub name: SmolStr,
    /// RTP ticks a second; never 0. 8000 where the description does not say. G.722 is 8000 by RFC 3551 §4.5.2.
    pub clock_rate: u32,
    /// Audio channels, 1 unless said.
    pub channels: u8,
    /// The parameters of `a=fmtp`, as written.
    pub fmtp: Option<SmolStr>,
}

impl Codec {
    /// Whether the encoding is called so; names compare without case. RFC 8866 §6.6.
    pub fn is(&self, name: &str) -> bool {
        self.name.eq_ignore_ascii_case(name)
    }

    /// Whether these packets are digits and tones. RFC 4733.
    pub fn is_telephone_event(&self) -> bool {
        self.is("telephone-event")
    }

    /// Whether these packets are silence: `CN`. RFC 3389.
    pub fn is_comfort_noise(&self) -> bool {
        self.is("CN")
    }

    /// Whether it is no codec that a call could be made of, but goes beside one: digits and silence.
    pub fn is_companion(&self) -> bool {
        self.is_telephone_event() || self.is_comfort_noise()
    }

    /// Whether two descriptions mean the same encoding. A dynamic number means what its own description says, and may
    /// be another one in each; a static number means itself (RFC 3551 §6), as does one that is repeated unexplained.
    pub fn is_same(&self, other: &Codec) -> bool {
        let numbered = self.payload_type == other.payload_type;
        let named = self.is(&other.name);
        let unexplained = self.name.is_empty() || other.name.is_empty();
        numbered && (self.payload_type < DYNAMIC || unexplained || named)
            || named && !unexplained && self.clock_rate == other.clock_rate
    }

    /// Whether a word of an operator's list means this codec: `PCMU`, or with its clock rate `opus/48000`.
    pub fn matches(&self, word: &str) -> bool {
        match word.split_once('/') {
            Some((name, rate)) => self.is(name) && rate.parse() == Ok(self.clock_rate),
            None => self.is(word),
        }
    }

    /// Whether an operator's list has this codec; `None`: it has every one.
    pub fn is_among(&self, list: Option<&[String]>) -> bool {
        list.is_none_or(|words| words.iter().any(|word| self.matches(word)))
    }
}

/// Every payload type of the `m=` line, in its order (the sender's preference), each once. Formats that are no payload
/// type are left out.
pub(super) fn codecs(media: &Media) -> Vec<Codec> {
    let mut seen = [false; PAYLOAD_TYPES];
    let (mappings, parameters) = (attributes(media, "rtpmap"), attributes(media, "fmtp"));
    let first = |payload_type: &u8| {
        let seen = seen.get_mut(usize::from(*payload_type));
        seen.is_some_and(|seen| !std::mem::replace(seen, true))
    };
    let codec =
        |payload_type| codec(payload_type, about(&mappings, payload_type), about(&parameters, payload_type));
    let mut codecs = Vec::with_capacity(payload_types(media).count().min(PAYLOAD_TYPES));
    codecs.extend(payload_types(media).filter(first).map(codec));
    codecs
}

/// The first number that has no meaning of its own. RFC 3551 §3.
const DYNAMIC: u8 = 96;

/// 0 to 127.
const PAYLOAD_TYPES: usize = 128;

/// What an attribute says of each payload type.
type Attributes<'a> = [Option<&'a str>; PAYLOAD_TYPES];

fn about<'a>(attributes: &Attributes<'a>, payload_type: u8) -> Option<&'a str> {
    attributes.get(usize::from(payload_type)).copied().flatten()
}

fn payload_types(media: &Media) -> impl Iterator<Item = u8> {
    media.formats.split_ascii_whitespace().filter_map(|format| format.parse().ok())
}

fn codec(payload_type: u8, rtpmap: Option<&str>, fmtp: Option<&str>) -> Codec {
    let (name, clock_rate, channels) = rtpmap
        .and_then(mapping)
        .or_else(|| {
            fixed(payload_type).map(|(name, rate, channels)| (SmolStr::new_static(name), rate, channels))
        })
        .unwrap_or((SmolStr::default(), 8_000, 1));
    Codec { payload_type, name, clock_rate, channels, fmtp: fmtp.map(SmolStr::from) }
}

/// `a=rtpmap:<payload type> <name>/<clock rate>[/<channels>]`, RFC 8866 §6.6.
fn mapping(rtpmap: &str) -> Option<(SmolStr, u32, u8)> {
    let mut parts = rtpmap.split('/');
    let name = SmolStr::from(parts.next()?.trim());
    let rate = parts.next().and_then(|rate| rate.trim().parse().ok()).filter(|rate| *rate != 0);
    let channels =
        parts.next().and_then(|channels| channels.trim().parse().ok()).filter(|channels| *channels != 0);
    Some((name, rate.unwrap_or(8_000), channels.unwrap_or(1)))
}

/// The rest of the first attribute `name` about each payload type, in one pass: a body may have thousands of both.
fn attributes<'a>(media: &'a Media, name: &'a str) -> Attributes<'a> {
    let mut all = [None; PAYLOAD_TYPES];
    for attribute in media.named(name) {
        let value = attribute.value.as_deref().and_then(|value| value.trim_start().split_once(' '));
        let Some((number, rest)) = value else { continue };
        if let Some(first) = number.parse().ok().and_then(|number: usize| all.get_mut(number)) {
            first.get_or_insert(rest.trim());
        }
    }
    all
}

/// Static payload types of audio: name, clock rate, channels. RFC 3551 §6, Table 4.
fn fixed(payload_type: u8) -> Option<(&'static str, u32, u8)> {
    Some(match payload_type {
        0 => ("PCMU", 8_000, 1),
        3 => ("GSM", 8_000, 1),
        4 => ("G723", 8_000, 1),
        5 => ("DVI4", 8_000, 1),
        6 => ("DVI4", 16_000, 1),
        7 => ("LPC", 8_000, 1),
        8 => ("PCMA", 8_000, 1),
        9 => ("G722", 8_000, 1),
        10 => ("L16", 44_100, 2),
        11 => ("L16", 44_100, 1),
        12 => ("QCELP", 8_000, 1),
        13 => ("CN", 8_000, 1),
        14 => ("MPA", 90_000, 1),
        15 => ("G728", 8_000, 1),
        16 => ("DVI4", 11_025, 1),
        17 => ("DVI4", 22_050, 1),
        18 => ("G729", 8_000, 1),
        // Reserved since RFC 3551; before it, and from Cisco gateways to this day, comfort noise.
        19 => ("CN", 8_000, 1),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use crate::sdp::Sdp;

    fn check(media: &str, expect: &[(u8, &str, u32, u8, Option<&str>)]) {
        let sdp = Sdp::parse(format!("v=0\r\nc=IN IP4 192.0.2.1\r\n{media}").as_bytes()).unwrap();
        let codecs = sdp.streams()[0].codecs.clone();
        let seen: Vec<_> = codecs
            .iter()
            .map(|codec| {
                (
                    codec.payload_type,
                    codec.name.as_str(),
                    codec.clock_rate,
                    codec.channels,
                    codec.fmtp.as_deref(),
                )
            })
            .collect();
        assert_eq!(seen, expect);
    }

    #[test]
    fn static_payload_types_need_no_rtpmap() {
        check(
            "m=audio 4000 RTP/AVP 0 3 4 8 9 13 18\r\n",
            &[
                (0, "PCMU", 8_000, 1, None),
                (3, "GSM", 8_000, 1, None),
                (4, "G723", 8_000, 1, None),
                (8, "PCMA", 8_000, 1, None),
                (9, "G722", 8_000, 1, None),
                (13, "CN", 8_000, 1, None),
                (18, "G729", 8_000, 1, None),
            ],
        );
    }

    #[test]
    fn rtpmap_speaks_before_the_table() {
        check(
            "m=audio 4000 RTP/AVP 96 111 0 101\r\na=rtpmap:0 PCMU/16000\r\na=rtpmap:111 opus/48000/2\r\n\
             a=fmtp:111 useinbandfec=1;minptime=10\r\na=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-16\r\n",
            &[
                (96, "", 8_000, 1, None),
                (111, "opus", 48_000, 2, Some("useinbandfec=1;minptime=10")),
                (0, "PCMU", 16_000, 1, None),
                (101, "telephone-event", 8_000, 1, Some("0-16")),
            ],
        );
    }

    #[test]
    fn nonsense_has_no_zero_clock() {
        check(
            "m=audio 4000 RTP/AVP 96 300 x\r\na=rtpmap:96 X/0/0\r\na=rtpmap\r\na=rtpmap:96\r\n",
            &[(96, "X", 8_000, 1, None)],
        );
    }

    #[test]
    fn the_first_word_about_a_payload_type_counts_and_each_is_listed_once() {
        check(
            "m=audio 4000 RTP/AVP 96 0 96 128\r\na=rtpmap:96 X/16000\r\na=rtpmap:96 Y/8000\r\n\
             a=fmtp:96 a\r\na=fmtp:96 b\r\na=rtpmap:128 Z/8000\r\n",
            &[(96, "X", 16_000, 1, Some("a")), (0, "PCMU", 8_000, 1, None)],
        );
    }

    /// Looking all attributes through for each format would be 40,000,000,000 steps.
    #[test]
    fn many_formats_with_many_attributes_are_read_in_one_pass() {
        let (formats, attributes) = (" 96".repeat(200_000), "a=fmtp:97 x\r\n".repeat(200_000));
        check(&format!("m=audio 4000 RTP/AVP{formats}\r\n{attributes}"), &[(96, "", 8_000, 1, None)]);
    }
}
