//! Opinion score by the E-model.

use std::time::Duration;

use super::EquipmentImpairment;

/// What a path does to speech.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Path {
    /// Mouth to ear, one way.
    pub one_way: Duration,
    /// Share of packets lost, 0 to 1.
    pub loss: f64,
    /// How much longer packets are lost one after the other than if losses were independent, which is 1. G.107 §7.5.
    pub burst_ratio: f64,
}

/// R of a path without delay and loss, with the default values of G.107 for all that a gateway does not see.
const PERFECT: f64 = 93.2062;
/// The same of a wideband path. ITU-T G.107.1 §7.1.
const WIDEBAND: f64 = 129.0;
/// Of those values: the power of noise in dBm0p, the signal-to-noise ratio Ro, and in dB the receive loudness RLR, the echo
/// loudness TELR, and the echo path loss WEPL.
const NOISE: f64 = -61.1792;
const SIGNAL_TO_NOISE: f64 = 94.7688;
const RECEIVE_LOUDNESS: f64 = 2.0;
const ECHO_LOUDNESS: f64 = 65.0;
const ECHO_PATH_LOSS: f64 = 110.0;

/// Rating R of a path: 93.2 less delay and loss, at best 93.2, perhaps negative.
///
/// Delay is G.107's `Id`, with the echo of the talker and of the listener; loss its
/// `Ie-eff = Ie + (95 - Ie) Ppl / (Ppl / BurstR + Bpl)`.
/// Source: ITU-T G.107 (06/2015) §7.4 and §7.5, table 2.
pub fn rating(path: &Path, codec: EquipmentImpairment) -> f64 {
    PERFECT - impairment(path, codec)
}

/// The same of a wideband path: 129 less delay and loss.
///
/// Delay is taken as in [`rating`], of which G.107.1 makes no other.
/// Source: ITU-T G.107.1 (06/2015) §7.
pub fn wideband_rating(path: &Path, codec: EquipmentImpairment) -> f64 {
    WIDEBAND - impairment(path, codec)
}

/// Mean opinion score of a wideband rating. ITU-T G.107.1 §7.6: the rating is brought to the narrowband's scale first.
pub fn wideband_mos(rating: f64) -> f64 {
    mos(rating / (WIDEBAND / 100.0))
}

fn impairment(path: &Path, codec: EquipmentImpairment) -> f64 {
    let milliseconds = path.one_way.as_secs_f64() * 1000.0;
    let delay = delay(milliseconds) - listener_echo(0.0); // which the rating of a perfect path holds
    let percent = path.loss.clamp(0.0, 1.0) * 100.0;
    delay + codec.ie + (95.0 - codec.ie) * percent / (percent / path.burst_ratio.max(1.0) + codec.bpl)
}

/// `Id` of a delay in milliseconds, one way.
fn delay(one_way: f64) -> f64 {
    let without_echo = if one_way > 100.0 {
        let x = (one_way / 100.0).log2();
        let sixth = |x: f64| (1.0 + x.powi(6)).powf(1.0 / 6.0);
        25.0 * (sixth(x) - 3.0 * sixth(x / 3.0) + 2.0)
    } else {
        0.0
    };
    talker_echo(one_way) + listener_echo(one_way) + without_echo
}

/// `Idte`.
fn talker_echo(one_way: f64) -> f64 {
    let loudness = ECHO_LOUDNESS - 40.0 * ((1.0 + one_way / 10.0) / (1.0 + one_way / 150.0)).log10()
        + 6.0 * (-0.3 * one_way * one_way).exp();
    let rating = 80.0 + 2.5 * (loudness - 14.0);
    let half = (-1.5 * (NOISE - RECEIVE_LOUDNESS) - rating) / 2.0;
    (half + (half * half + 100.0).sqrt() - 1.0) * (1.0 - (-one_way).exp())
}

/// `Idle`, of a round trip of twice the delay.
fn listener_echo(one_way: f64) -> f64 {
    let rating = 10.5 * (ECHO_PATH_LOSS + 7.0) * (2.0 * one_way + 1.0).powf(-0.25);
    let half = (SIGNAL_TO_NOISE - rating) / 2.0;
    half + (half * half + 169.0).sqrt()
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
        let perfect = Path { one_way: Duration::ZERO, loss: 0.0, burst_ratio: 1.0 };
        assert!((mos(rating(&perfect, EquipmentImpairment::G711)) - 4.41).abs() < 0.005);
    }

    #[test]
    fn the_score_stays_in_its_range() {
        assert_eq!((mos(-5.0), mos(1.0), mos(110.0)), (1.0, 1.0, 4.5));
        for (r, printed) in [(90.0, 4.34), (80.0, 4.03), (70.0, 3.60), (60.0, 3.10), (50.0, 2.58)] {
            assert!((mos(r) - printed).abs() < 0.01, "R {r}");
        }
    }

    /// The delay of G.107 figure by figure, as its equations give it.
    #[test]
    fn delay_costs_what_the_standard_says() {
        for (milliseconds, expected) in
            [(0, 93.206), (50, 91.756), (100, 90.664), (150, 89.539), (250, 79.177), (400, 62.247)]
        {
            let path = Path { one_way: Duration::from_millis(milliseconds), loss: 0.0, burst_ratio: 1.0 };
            let r = rating(&path, EquipmentImpairment::G711);
            assert!((r - expected).abs() < 0.001, "{milliseconds} ms: {r}");
        }
    }

    #[test]
    fn a_wideband_path_scores_as_the_standard_has_it() {
        let at = |loss| Path { one_way: Duration::ZERO, loss, burst_ratio: 1.0 };
        let none = EquipmentImpairment { ie: 0.0, bpl: 25.1 };
        assert!((wideband_rating(&at(0.0), none) - 129.0).abs() < 1e-9);
        assert_eq!(wideband_mos(129.0), 4.5);
        // G.711 is 36 below on that scale, and scores 3.7 there.
        let narrow = wideband_rating(&at(0.0), EquipmentImpairment { ie: 36.0, bpl: 25.1 });
        assert!((wideband_mos(narrow) - mos(93.0 / 1.29)).abs() < 1e-9);
        let g722 = wideband_rating(&at(0.05), EquipmentImpairment { ie: 13.0, bpl: 25.1 });
        assert!((g722 - (129.0 - 13.0 - 82.0 * 5.0 / 30.1)).abs() < 1e-9);
    }

    #[test]
    fn loss_in_bursts_costs_more() {
        let at = |burst_ratio| {
            rating(&Path { one_way: Duration::ZERO, loss: 0.02, burst_ratio }, EquipmentImpairment::G729A)
        };
        assert!((at(1.0) - (PERFECT - 11.0 - 84.0 * 2.0 / 21.0)).abs() < 1e-9);
        assert!((at(2.0) - (PERFECT - 11.0 - 84.0 * 2.0 / 20.0)).abs() < 1e-9);
        assert_eq!(at(0.5), at(1.0));
    }

    #[test]
    fn loss_and_delay_cost() {
        let at = |one_way_ms, loss| {
            mos(rating(
                &Path { one_way: Duration::from_millis(one_way_ms), loss, burst_ratio: 1.0 },
                EquipmentImpairment::G711,
            ))
        };
        assert!(at(20, 0.0) > at(20, 0.01) && at(20, 0.01) > at(20, 0.05));
        assert!(at(20, 0.0) > at(200, 0.0) && at(200, 0.0) > at(400, 0.0));
    }
}
