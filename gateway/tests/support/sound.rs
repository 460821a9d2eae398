//! What somebody hears, at 8,000 samples a second.

/// Samples of a tenth of a second.
const PART: usize = 800;

/// The tone that is heard most of the time, in hertz, to within ten: where the machine has other work, a phone falls silent now and
/// then.
pub fn tone(samples: &[i16]) -> f64 {
    let upwards = |part: &[i16]| part.windows(2).filter(|two| two[0] < 0 && two[1] >= 0).count();
    let mut parts: Vec<usize> = samples.chunks_exact(PART).map(upwards).collect();
    parts.sort_unstable();
    (parts[parts.len() / 2] * 8_000 / PART) as f64
}
