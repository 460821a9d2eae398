//! Audio of any rate as the 8000 samples per second that consumers of telephone audio take.

use std::f64::consts::PI;
use std::sync::Arc;

/// Taps of the filter for each sample that is kept out of so many.
const TAPS: usize = 8;

/// Makes 8 kHz of 16 and 48 kHz: low-pass, then one sample of two or six.
#[derive(Debug, Default)]
pub struct Narrowband {
    factor: usize,
    filter: Vec<f64>,
    /// The last samples, which the filter still needs.
    history: Vec<f64>,
}

impl Narrowband {
    /// Samples per second of what comes out.
    pub const RATE: u32 = 8_000;

    /// Takes samples of `rate`; `None`: that is no multiple of 8000 up to 48000.
    pub fn take(&mut self, rate: u32, samples: Arc<[i16]>) -> Option<Arc<[i16]>> {
        if rate == Self::RATE {
            self.factor = 0;
            return Some(samples);
        }
        if rate == 0 || !rate.is_multiple_of(Self::RATE) || rate > 48_000 {
            return None;
        }
        let factor = (rate / Self::RATE) as usize;
        if factor != self.factor {
            self.factor = factor;
            self.filter = low_pass(factor);
            self.history = vec![0.0; self.filter.len() - 1];
        }
        self.history.extend(samples.iter().map(|sample| f64::from(*sample)));
        let windows = self.history.windows(self.filter.len()).step_by(factor);
        let out = windows.map(|window| {
            let sum: f64 = window.iter().zip(&self.filter).map(|(sample, tap)| sample * tap).sum();
            sum.round() as i16 // Clamped by the conversion.
        });
        let out: Arc<[i16]> = out.collect();
        let used = self.history.len() - (self.filter.len() - 1);
        self.history.drain(..used);
        Some(out)
    }
}

/// A windowed sinc (Hamming) that lets pass what 8 kHz can hold.
fn low_pass(factor: usize) -> Vec<f64> {
    let length = factor * TAPS * 2 + 1;
    let middle = (length - 1) as f64 / 2.0;
    let cutoff = 0.92 / factor as f64; // Of half the rate of what comes in.
    let tap = |index: usize| {
        let x = index as f64 - middle;
        let sinc = if x == 0.0 { cutoff } else { (PI * cutoff * x).sin() / (PI * x) };
        sinc * (0.54 + 0.46 * (PI * x / (middle + 1.0)).cos())
    };
    let taps: Vec<f64> = (0..length).map(tap).collect();
    let sum: f64 = taps.iter().sum();
    taps.iter().map(|tap| tap / sum).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Loudness of a tone after it went through, in thousandths.
    fn gain(rate: u32, hertz: f64) -> i64 {
        let mut narrowband = Narrowband::default();
        let mut power = 0.0;
        let mut count = 0;
        for frame in 0..50_u32 {
            let length = rate / 50;
            let samples: Vec<i16> = (frame * length..(frame + 1) * length)
                .map(|at| (10_000.0 * (2.0 * PI * hertz * f64::from(at) / f64::from(rate)).sin()) as i16)
                .collect();
            let out = narrowband.take(rate, samples.into()).unwrap();
            assert_eq!(out.len(), 160);
            if frame > 2 {
                power += out.iter().map(|sample| f64::from(*sample).powi(2)).sum::<f64>();
                count += out.len();
            }
        }
        ((power / count as f64).sqrt() / 10_000.0 * 2_f64.sqrt() * 1_000.0) as i64
    }

    #[test]
    fn speech_passes_and_what_would_fold_back_does_not() {
        for rate in [16_000, 48_000] {
            assert!((980..=1_020).contains(&gain(rate, 440.0)), "{}", gain(rate, 440.0));
            assert!((950..=1_050).contains(&gain(rate, 3_000.0)), "{}", gain(rate, 3_000.0));
            assert!(gain(rate, 5_000.0) < 10, "{}", gain(rate, 5_000.0));
        }
        assert!(gain(48_000, 15_000.0) < 10);
        assert_eq!(Narrowband::default().take(11_025, vec![0; 10].into()), None);
    }
}
