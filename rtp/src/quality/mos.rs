//! Opinion score by the E-model.

use std::time::Duration;

/// What a codec takes from the rating. ITU-T G.113 Appendix I.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Codec {
    /// Equipment impairment without loss.
    pub ie: f64,
    /// Robustness against loss: the larger, the better.
    pub bpl: f64,
}

impl Codec {
    /// G.711 that conceals lost packets (G.711 Appendix I), which every telephone of today does.
    pub const G711: Codec = Codec { ie: 0.0, bpl: 25.1 };
    /// G.711 that plays silence instead.
    pub const G711_WITHOUT_CONCEALMENT: Codec = Codec { ie: 0.0, bpl: 4.3 };
    /// G.729A with voice activity detection.
    pub const G729A: Codec = Codec { ie: 11.0, bpl: 19.0 };
}

/// What a path does to speech.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Path {
    /// Mouth to ear, one way.
    pub one_way: Duration,
    /// Share of packets lost, 0 to 1; losses are taken as independent (BurstR 1).
    pub loss: f64,
}

/// Rating R of a path: 93.2 less delay and loss, at best 93.2, perhaps negative.
///
/// Delay is the simplified family of Cole and Rosenbluth, `0.024 d + 0.11 (d - 177.3) H(d - 177.3)` with `d` in ms. It
/// agrees with the full G.107 (default echo) within half a point up to 300 ms and is stricter beyond. Loss is G.107's
/// `Ie-eff = Ie + (95 - Ie) Ppl / (Ppl + Bpl)`.
///
/// Only narrowband pairs exist, so the product rates every path as [`Codec::G711`] would sound over it: a figure of the
/// network, comparable between calls, not a judgement of Opus or G.722 (those need G.107.1 and G.107.2).
pub fn rating(path: &Path, codec: Codec) -> f64 {
    let delay_ms = path.one_way.as_secs_f64() * 1000.0;
    let delay = 0.024 * delay_ms + 0.11 * (delay_ms - 177.3).max(0.0);
    let percent = path.loss.clamp(0.0, 1.0) * 100.0;
    93.2 - delay - codec.ie - (95.0 - codec.ie) * percent / (percent + codec.bpl)
}

/// Mean opinion score of a rating: 1 to 4.5. ITU-T G.107 Annex B; its dip below 1 for small ratings is cut off.
pub fn mos(rating: f64) -> f64 {
    let r = rating.clamp(0.0, 100.0);
    (1.0 + 0.035 * r + 7e-6 * r * (r - 60.0) * (100.0 - r)).max(1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_perfect_path_scores_what_the_standard_prints() {
        let perfect = Path { one_way: Duration::ZERO, loss: 0.0 };
        assert!((mos(rating(&perfect, Codec::G711)) - 4.41).abs() < 0.005);
    }

    #[test]
    fn the_score_stays_in_its_range() {
        assert_eq!((mos(-5.0), mos(1.0), mos(110.0)), (1.0, 1.0, 4.5));
        for (r, printed) in [(90.0, 4.34), (80.0, 4.03), (70.0, 3.60), (60.0, 3.10), (50.0, 2.58)] {
            assert!((mos(r) - printed).abs() < 0.01, "R {r}");
        }
    }

    #[test]
    fn loss_and_delay_cost() {
        let at = |one_way_ms, loss| {
            mos(rating(&Path { one_way: Duration::from_millis(one_way_ms), loss }, Codec::G711))
        };
        assert!(at(20, 0.0) > at(20, 0.01) && at(20, 0.01) > at(20, 0.05));
        assert!(at(20, 0.0) > at(200, 0.0) && at(200, 0.0) > at(400, 0.0));
    }
}
