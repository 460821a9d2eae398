//! What the phones say and hear: tones in G.711 µ-law.

use std::collections::VecDeque;
use std::f64::consts::TAU;

/// Samples a second of G.711.
pub const SAMPLE_RATE: f64 = 8_000.0;
/// Samples of a packet: 20 ms.
pub const PACKET_SAMPLES: usize = 160;
/// Samples that the ear remembers: 200 ms, so that tones 5 Hz apart are told apart.
const MEMORY: usize = 1_600;
/// How much of all energy a tone must have to count as heard. Quantisation noise of µ-law is far below the rest.
const PURITY: f64 = 0.9;
/// Mean square below which it is silence.
const SILENCE: f64 = 100.0;

/// A tone, in Hz.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tone(pub u16);

impl Tone {
    /// What the phones of the demo may send.
    pub const ALL: [Tone; 4] = [Tone(440), Tone(620), Tone(1_000), Tone(1_400)];

    /// The sample at that time, a quarter of full scale.
    fn sample(self, time: u32) -> i16 {
        let phase = TAU * f64::from(self.0) * f64::from(time) / SAMPLE_RATE;
        #[allow(clippy::cast_possible_truncation, reason = "within 8,000 of zero")]
        let sample = (8_000.0 * phase.sin()) as i16;
        sample
    }

    /// The payload of the packet whose first sample is that of `time`.
    ///
    /// - `time`: in samples since the tone began.
    pub fn payload(self, time: u32) -> [u8; PACKET_SAMPLES] {
        let mut time = time;
        std::array::from_fn(|_| {
            let sample = self.sample(time);
            time = time.wrapping_add(1);
            encode(sample)
        })
    }
}

impl std::fmt::Display for Tone {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} Hz", self.0)
    }
}

/// Listens for tones.
#[derive(Debug, Default)]
pub struct Ear {
    samples: VecDeque<i16>,
}

impl Ear {
    /// A payload of PCMU arrived.
    pub fn hear(&mut self, payload: &[u8]) {
        self.samples.extend(payload.iter().map(|byte| decode(*byte)));
        let surplus = self.samples.len().saturating_sub(MEMORY);
        self.samples.drain(..surplus);
    }

    /// Forgets all that was heard.
    pub fn clear(&mut self) {
        self.samples.clear();
    }

    /// The tone of the last 200 ms; `None` while less was heard, in silence and in noise.
    pub fn tone(&self) -> Option<Tone> {
        if self.samples.len() < MEMORY {
            return None;
        }
        let square = |sample: &i16| f64::from(*sample).powi(2);
        let energy: f64 = self.samples.iter().map(square).sum();
        if energy < SILENCE * self.samples.len() as f64 {
            return None;
        }
        Tone::ALL.into_iter().find(|tone| self.energy(*tone) >= PURITY * energy)
    }

    /// The energy that a tone has in the samples, by Goertzel's algorithm.
    fn energy(&self, tone: Tone) -> f64 {
        let turn = 2.0 * (TAU * f64::from(tone.0) / SAMPLE_RATE).cos();
        let (last, before) = self
            .samples
            .iter()
            .fold((0.0, 0.0), |(last, before), sample| (f64::from(*sample) + turn * last - before, last));
        let power = last * last + before * before - turn * last * before;
        2.0 * power / self.samples.len() as f64
    }
}

/// Added to a magnitude so that segments begin at powers of two. ITU-T G.711.
const BIAS: i32 = 0x84;

/// A sample as µ-law. ITU-T G.711.
fn encode(sample: i16) -> u8 {
    let magnitude = i32::from(sample).abs().min(32_635) + BIAS;
    let segment = (magnitude >> 7).ilog2();
    let mantissa = (magnitude >> (segment + 3)) & 0x0f;
    let sign = if sample < 0 { 0x80 } else { 0 };
    let code = sign | (i32::try_from(segment).unwrap_or(7) << 4) | mantissa;
    !u8::try_from(code).unwrap_or(0xff)
}

/// The sample of a µ-law byte. ITU-T G.711.
fn decode(byte: u8) -> i16 {
    let code = !byte;
    let (segment, mantissa) = ((code >> 4) & 0x07, i16::from(code & 0x0f));
    let magnitude = (((mantissa << 3) + 0x84) << segment) - 0x84;
    if code & 0x80 == 0 { magnitude } else { -magnitude }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn g711_is_its_own_inverse() {
        for byte in 0..=u8::MAX {
            // 0x7f is minus zero.
            assert_eq!(encode(decode(byte)), if byte == 0x7f { 0xff } else { byte });
        }
        assert_eq!((decode(0x00), decode(0x80), decode(0xff)), (-32_124, 32_124, 0));
    }

    #[test]
    fn each_tone_is_heard_as_itself() {
        for tone in Tone::ALL {
            let mut ear = Ear::default();
            for packet in 0..9 {
                ear.hear(&tone.payload(packet * 160));
                assert_eq!(ear.tone(), None);
            }
            ear.hear(&tone.payload(9 * 160));
            assert_eq!(ear.tone(), Some(tone));
            ear.clear();
            assert_eq!(ear.tone(), None);
        }
    }

    #[test]
    fn neither_silence_nor_two_at_once_is_a_tone() {
        let mut ear = Ear::default();
        ear.hear(&[0xff; 1_600]);
        assert_eq!(ear.tone(), None);
        let (a, b) = (Tone(440), Tone(1_000));
        let both: Vec<u8> = (0..1_600).map(|time| encode(a.sample(time) + b.sample(time))).collect();
        ear.hear(&both);
        assert_eq!(ear.tone(), None);
        let other: Vec<u8> = (0..1_600).map(|time| encode(Tone(700).sample(time))).collect();
        ear.hear(&other);
        assert_eq!(ear.tone(), None);
    }
}
