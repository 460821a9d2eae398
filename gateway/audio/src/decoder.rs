//! Payloads to samples.

use audio_codec::Decoder as _;
use audio_codec::g722::G722Decoder;
use audio_codec::pcma::PcmaDecoder;
use audio_codec::pcmu::PcmuDecoder;
use rtp::codec::Codec;

/// A decoder of one stream. Those of G.722 and Opus remember what came before.
pub enum Decoder {
    Pcmu(PcmuDecoder),
    Pcma(PcmaDecoder),
    G722(Box<G722Decoder>),
    #[cfg(feature = "opus")]
    Opus(Box<audio_codec::opus::OpusDecoder>),
}

impl Decoder {
    /// `None`: this program has none for it.
    pub fn new(codec: Codec) -> Option<Decoder> {
        Some(match codec {
            Codec::Pcmu => Decoder::Pcmu(PcmuDecoder::new()),
            Codec::Pcma => Decoder::Pcma(PcmaDecoder::new()),
            Codec::G722 => Decoder::G722(Box::new(G722Decoder::new())),
            #[cfg(feature = "opus")]
            Codec::Opus => {
                Decoder::Opus(Box::new(audio_codec::opus::OpusDecoder::new(rate(Codec::Opus)?, 1)))
            }
            _ => return None,
        })
    }

    /// The samples of a payload, mono; none where it can't be read.
    pub fn decode(&mut self, payload: &[u8]) -> Vec<i16> {
        match self {
            Decoder::Pcmu(decoder) => decoder.decode(payload),
            Decoder::Pcma(decoder) => decoder.decode(payload),
            Decoder::G722(decoder) => decoder.decode(payload),
            #[cfg(feature = "opus")]
            Decoder::Opus(decoder) => decoder.decode(payload),
        }
    }
}

/// Samples a second of a codec's sound; `None`: it is not decoded.
pub const fn rate(codec: Codec) -> Option<u32> {
    match codec {
        Codec::Pcmu | Codec::Pcma => Some(8000),
        Codec::G722 => Some(16_000),
        Codec::Opus => {
            if cfg!(feature = "opus") {
                Some(48_000)
            } else {
                None
            }
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn g_711_is_that_of_the_standard() {
        // ITU-T G.711, tables 1 and 2: the ends, and what is nearest to silence.
        let decode = |codec, bytes: &[u8]| Decoder::new(codec).unwrap().decode(bytes);
        assert_eq!(decode(Codec::Pcmu, &[0x00, 0x80, 0x7f, 0xff]), [-32_124, 32_124, 0, 0]);
        assert_eq!(decode(Codec::Pcma, &[0x2a, 0xaa, 0x55, 0xd5]), [-32_256, 32_256, -8, 8]);
    }

    /// Its packets of two channels are heard by one ear.
    #[cfg(feature = "opus")]
    #[test]
    fn both_channels_of_opus_are_one() {
        use audio_codec::Encoder as _;
        let mut encoder = audio_codec::opus::OpusEncoder::new(48_000, 2);
        let mut decoder = Decoder::new(Codec::Opus).unwrap();
        let mut power = [0.0; 2];
        for frame in 0..20 {
            let tone = (frame * 960..(frame + 1) * 960)
                .map(|at| (f64::from(at) / 48_000.0 * 440.0 * std::f64::consts::TAU).sin() * 10_000.0);
            // The other channel is silent: what is heard is half as loud.
            let pairs: Vec<i16> = tone.flat_map(|sample| [sample as i16, 0]).collect();
            let mut packet = vec![0; encoder.max_encode_bytes(pairs.len())];
            let length = encoder.encode_into(&pairs, &mut packet).unwrap();
            assert_eq!(packet[0] & 4, 4, "a packet of two channels");
            let samples = decoder.decode(&packet[..length]);
            assert_eq!(samples.len(), 960, "20 ms");
            if frame >= 10 {
                for (power, samples) in power.iter_mut().zip([pairs, samples]) {
                    *power += samples.iter().map(|sample| f64::from(*sample).powi(2)).sum::<f64>();
                }
            }
        }
        let loudness = (power[1] / power[0]).sqrt();
        assert!((0.4..0.6).contains(&loudness), "{loudness}");
    }

    proptest! {
        #[test]
        fn any_bytes_are_decoded_to_an_end(payloads in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..400), 1..20)) {
            for codec in [Codec::Pcmu, Codec::Pcma, Codec::G722, Codec::Opus] {
                let Some(mut decoder) = Decoder::new(codec) else { continue };
                for payload in &payloads {
                    let samples = decoder.decode(payload);
                    match codec {
                        Codec::Pcmu | Codec::Pcma => prop_assert_eq!(samples.len(), payload.len()),
                        Codec::G722 => prop_assert_eq!(samples.len(), 2 * payload.len()),
                        _ => prop_assert!(samples.len() <= 5760),
                    }
                }
            }
        }
    }
}
