//! Sound made up for what was lost: what was heard last, mirrored so that it joins without a click, and fading.

/// After so long nothing is made up any more.
const FADE_MS: usize = 60;

/// See the module.
#[derive(Debug, Default)]
pub struct Concealment {
    /// The last 20 ms of sound that came.
    last: Vec<i16>,
    rate: u32,
    /// Samples made up since.
    made: usize,
}

impl Concealment {
    /// Sound that came.
    pub fn heard(&mut self, rate: u32, samples: &[i16]) {
        if samples.is_empty() {
            return;
        }
        if self.rate != rate {
            self.last.clear();
        }
        self.rate = rate;
        self.made = 0;
        let keep = rate as usize / 50;
        self.last.extend_from_slice(samples.get(samples.len().saturating_sub(keep)..).unwrap_or_default());
        self.last.drain(..self.last.len().saturating_sub(keep));
    }

    /// Makes up so many samples; returns whether any of them may be heard.
    pub fn make(&mut self, count: usize, out: &mut Vec<i16>) -> bool {
        let fade = self.rate as usize * FADE_MS / 1000;
        let from = self.made;
        out.extend((from..from.saturating_add(count)).map(|number| {
            let gain = i64::try_from(fade.saturating_sub(number + 1)).unwrap_or(0);
            let sample = self.mirrored(number);
            (i64::from(sample) * gain / i64::try_from(fade.max(1)).unwrap_or(1)) as i16
        }));
        self.made = from.saturating_add(count);
        from < fade && !self.last.is_empty()
    }

    /// Backwards, then forwards, and so on.
    fn mirrored(&self, number: usize) -> i16 {
        let length = self.last.len().max(1);
        let (round, at) = (number / length, number % length);
        let index = if round % 2 == 0 { length - 1 - at } else { at };
        self.last.get(index).copied().unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn joins_without_a_click_and_fades_to_nothing() {
        let mut concealment = Concealment::default();
        let mut made = Vec::new();
        assert!(!concealment.make(160, &mut made), "nothing was heard yet");
        assert_eq!(made, [0; 160]);
        let sound: Vec<i16> = (0..160).map(|n| n * 100).collect();
        concealment.heard(8000, &sound);
        made.clear();
        for _ in 0..4 {
            concealment.make(160, &mut made);
        }
        let steps = sound.iter().chain(&made).zip(made.first().into_iter().chain(&made)).skip(160);
        assert!(made[0].abs_diff(sound[159]) <= 100);
        assert!(made.windows(2).all(|pair| pair[0].abs_diff(pair[1]) <= 140), "{:?}", steps.count());
        assert_eq!(made[480..], [0; 160]);
        assert!(!concealment.make(1, &mut made));
    }
}
