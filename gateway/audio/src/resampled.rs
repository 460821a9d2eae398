//! A party's sound at a rate that a sink wants, whatever codec the party goes on with.

use audio_codec::BoxedResampler;

/// Turns frames of any rate into frames of one. A frame of 20 ms stays one of 20 ms.
pub struct Resampled {
    to: u32,
    from: Option<(u32, BoxedResampler)>,
    /// What a frame has beyond its length: the filter makes a sample more or less at times.
    left: Vec<i16>,
}

impl Resampled {
    /// To so many samples a second.
    #[must_use]
    pub const fn new(to: u32) -> Resampled {
        Resampled { to, from: None, left: Vec::new() }
    }

    /// A frame of `rate` at the rate that is wanted.
    pub fn take(&mut self, rate: u32, samples: &[i16]) -> Vec<i16> {
        if rate == self.to {
            (self.from, self.left) = (None, Vec::new());
            return samples.to_vec();
        }
        if self.from.as_ref().is_none_or(|(from, _)| *from != rate) {
            let made = BoxedResampler::new(rate as usize, self.to as usize);
            self.from = made.ok().map(|resampler| (rate, resampler));
        }
        let length = samples.len() * self.to as usize / rate.max(1) as usize;
        let mut out = std::mem::take(&mut self.left);
        out.extend(self.from.iter_mut().flat_map(|(_, resampler)| resampler.resample(samples)));
        if let Some(missing) = length.checked_sub(out.len()) {
            let first = out.first().copied().unwrap_or(0);
            out.splice(..0, std::iter::repeat_n(first, missing));
        }
        self.left = out.split_off(length);
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tone(rate: u32) -> Vec<i16> {
        let step = std::f64::consts::TAU * 440.0 / f64::from(rate);
        (0..rate).map(|n| (f64::from(n) * step).sin() * 10_000.0).map(|sample| sample as i16).collect()
    }

    #[test]
    fn a_tone_stays_a_tone_and_a_second_a_second() {
        for (from, to) in [(8000, 16_000), (16_000, 8000), (48_000, 8000), (8000, 8000)] {
            let mut resampled = Resampled::new(to);
            let sound = tone(from);
            let out: Vec<i16> =
                sound.chunks(from as usize / 50).flat_map(|frame| resampled.take(from, frame)).collect();
            assert_eq!(out.len(), to as usize);
            let settled = &out[to as usize / 50..];
            let crossings = settled.windows(2).filter(|pair| pair[0] < 0 && pair[1] >= 0).count();
            assert!((430..=432).contains(&crossings), "{from} {to} {crossings}");
            let loudest = out.iter().map(|sample| sample.unsigned_abs()).max().unwrap();
            assert!((9_000..=11_000).contains(&loudest), "{from} {to} {loudest}");
        }
    }
}
