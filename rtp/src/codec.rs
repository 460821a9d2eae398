//! Codecs of sound, as far as somebody decodes them or a score of speech depends on them.

use crate::packet::PayloadType;

/// A codec of sound.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Codec {
    /// G.711 mu-law.
    Pcmu,
    /// G.711 A-law.
    Pcma,
    /// G.722: its clock runs at 8 kHz and its sound at 16. RFC 3551 §4.5.2.
    G722,
    /// G.723.1.
    G723,
    /// G.729 with its annexes.
    G729,
    /// GSM full rate.
    Gsm,
    /// GSM enhanced full rate, and AMR, whose highest rate it is.
    GsmEfr,
    /// Opus. RFC 7587.
    Opus,
    /// Any other.
    #[default]
    Other,
}

const NAMES: [(&str, Codec); 11] = [
    ("PCMU", Codec::Pcmu),
    ("PCMA", Codec::Pcma),
    ("G722", Codec::G722),
    ("G723", Codec::G723),
    ("G729", Codec::G729),
    ("G729D", Codec::G729),
    ("G729E", Codec::G729),
    ("GSM", Codec::Gsm),
    ("GSM-EFR", Codec::GsmEfr),
    ("AMR", Codec::GsmEfr),
    ("opus", Codec::Opus),
];

impl Codec {
    /// By the encoding name of `a=rtpmap`, in any case.
    #[must_use]
    pub fn named(name: &str) -> Codec {
        let named = NAMES.iter().find(|(known, _)| known.eq_ignore_ascii_case(name));
        named.map_or(Codec::Other, |(_, codec)| *codec)
    }

    /// Of a payload type that no SDP names. RFC 3551 §6.
    #[must_use]
    pub const fn from_static(payload_type: PayloadType) -> Codec {
        match payload_type.0 {
            0 => Codec::Pcmu,
            3 => Codec::Gsm,
            4 => Codec::G723,
            8 => Codec::Pcma,
            9 => Codec::G722,
            18 => Codec::G729,
            _ => Codec::Other,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_numbers_mean_the_same() {
        for (name, number) in [("pcmu", 0), ("PCMA", 8), ("GSM", 3), ("G723", 4), ("G722", 9), ("G729", 18)] {
            assert_eq!(Codec::named(name), Codec::from_static(PayloadType(number)), "{name}");
        }
        assert_eq!((Codec::named("opus"), Codec::named("iLBC")), (Codec::Opus, Codec::Other));
        assert_eq!(Codec::from_static(PayloadType(101)), Codec::Other);
    }
}
