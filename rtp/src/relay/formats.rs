//! How to read the packets of each payload type.

use super::Remote;
use crate::codec::Codec;
use crate::packet::PayloadType;
use crate::quality::{PayloadFormat, PayloadUse};

/// The payload types that one SDP names.
#[derive(Debug, Clone, Default)]
pub(super) struct Formats {
    /// A handful at most, so a walk is faster than a table and keeps a call small.
    known: Vec<(PayloadType, PayloadFormat)>,
    codecs: Vec<(u8, Codec)>,
}

impl Formats {
    /// What `remote` says.
    pub(super) fn new(remote: &Remote) -> Formats {
        let known = remote.clock_rates.iter().map(|(payload_type, clock_rate)| {
            let used_for = if remote.events.contains(payload_type) {
                PayloadUse::Event
            } else if remote.comfort_noise.contains(payload_type) {
                PayloadUse::ComfortNoise
            } else {
                used_for(PayloadType(*payload_type))
            };
            (PayloadType(*payload_type), PayloadFormat { clock_rate: *clock_rate, used_for })
        });
        // An event type without a clock rate is an event type still.
        let bare = |types: &[u8], used_for| {
            let format = PayloadFormat { clock_rate: DEFAULT_RATE, used_for };
            types.iter().map(move |payload_type| (PayloadType(*payload_type), format)).collect::<Vec<_>>()
        };
        let events = bare(&remote.events, PayloadUse::Event);
        let noise = bare(&remote.comfort_noise, PayloadUse::ComfortNoise);
        Formats { known: known.chain(events).chain(noise).collect(), codecs: remote.codecs.clone() }
    }

    /// The codec of a payload type that this SDP explains.
    pub(super) fn codec(&self, payload_type: PayloadType) -> Option<Codec> {
        self.codecs.iter().find(|(known, _)| *known == payload_type.0).map(|(_, codec)| *codec)
    }

    /// The payload types of sound, the best first: each with its clock and its codec.
    pub(super) fn sound(&self) -> impl Iterator<Item = (PayloadType, u32, Codec)> + '_ {
        let sound = self.known.iter().filter(|(_, format)| format.used_for == PayloadUse::Media);
        sound.map(|(payload_type, format)| {
            let codec = self.codec(*payload_type).unwrap_or_else(|| Codec::from_static(*payload_type));
            (*payload_type, format.clock_rate, codec)
        })
    }

    /// The format of a payload type that this SDP names.
    pub(super) fn find(&self, payload_type: PayloadType) -> Option<PayloadFormat> {
        self.known.iter().find(|(known, _)| *known == payload_type).map(|(_, format)| *format)
    }
}

/// Every audio type of RFC 3551 that telephones use runs at 8 kHz, G.722 by a historic mistake too (§4.5.2).
const DEFAULT_RATE: u32 = 8000;

/// The format of a payload type that no SDP names.
pub(super) fn assumed(payload_type: PayloadType) -> PayloadFormat {
    let clock_rate = match payload_type.0 {
        6 => 16_000,            // DVI4
        10 | 11 => 44_100,      // L16
        14 | 25..=34 => 90_000, // MPA and video
        16 => 11_025,           // DVI4
        17 => 22_050,           // DVI4
        _ => DEFAULT_RATE,
    };
    PayloadFormat { clock_rate, used_for: used_for(payload_type) }
}

fn used_for(payload_type: PayloadType) -> PayloadUse {
    match payload_type {
        PayloadType::COMFORT_NOISE => PayloadUse::ComfortNoise,
        _ => PayloadUse::Media,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn knows_what_the_sdp_says() {
        let remote = Remote {
            clock_rates: vec![(107, 48_000), (101, 48_000), (9, 8000), (98, 16_000)],
            events: vec![101, 96],
            comfort_noise: vec![98],
            ..Remote::default()
        };
        let formats = Formats::new(&remote);
        let find = |payload_type| {
            formats.find(PayloadType(payload_type)).map(|format| (format.clock_rate, format.used_for))
        };
        assert_eq!(find(107), Some((48_000, PayloadUse::Media)));
        assert_eq!(find(101), Some((48_000, PayloadUse::Event)));
        assert_eq!(find(96), Some((8000, PayloadUse::Event)));
        assert_eq!(find(98), Some((16_000, PayloadUse::ComfortNoise)));
        assert_eq!(find(0), None);
        assert_eq!(assumed(PayloadType(13)).used_for, PayloadUse::ComfortNoise);
    }
}
