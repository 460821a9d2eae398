//! The opinion scores of a call's minutes as a picture. The same figures stand in the table below it.

use maud::{Markup, html};

use crate::host::Minute;

const WIDTH: f64 = 640.0;
const HEIGHT: f64 = 180.0;
/// Room for the scale.
const LEFT: f64 = 30.0;
const TOP: f64 = 10.0;
const BOTTOM: f64 = 24.0;
/// The scale of opinion scores.
const LEAST: f64 = 1.0;
const MOST: f64 = 4.5;

/// Two lines: what came from the caller and what came from the callee.
pub fn opinions(minutes: &[Minute]) -> Markup {
    let caller: Vec<_> = minutes.iter().map(|minute| minute.caller.mos).collect();
    let callee: Vec<_> = minutes.iter().map(|minute| minute.callee.mos).collect();
    let count = minutes.len();
    html! {
        figure.plot {
            svg viewBox=(format!("0 0 {WIDTH} {HEIGHT}")) role="img" aria-label=(described(minutes)) {
                @for score in 1_u8..=4 {
                    @let y = height(f64::from(score));
                    line.grid x1=(LEFT) y1=(y) x2=(WIDTH) y2=(y) {}
                    text x=(LEFT - 8.0) y=(y + 4.0) text-anchor="end" { (score) }
                }
                text x=(LEFT) y=(HEIGHT - 6.0) { "minute 1" }
                @if count > 1 { text x=(WIDTH) y=(HEIGHT - 6.0) text-anchor="end" { "minute " (count) } }
                (line("caller", &caller))
                (line("callee", &callee))
            }
            figcaption { span.key.caller { "from the caller" } span.key.callee { "from the callee" } }
        }
    }
}

fn described(minutes: &[Minute]) -> String {
    let of = |score: fn(&Minute) -> Option<f64>| {
        minutes
            .iter()
            .filter_map(score)
            .fold(None, |least: Option<f64>, score| Some(least.map_or(score, |least| least.min(score))))
    };
    let told =
        |score: Option<f64>| score.map_or_else(|| "not known".to_owned(), |score| format!("{score:.2}"));
    format!(
        "Mean opinion score of {} minutes: the worst from the caller {}, from the callee {}",
        minutes.len(),
        told(of(|minute| minute.caller.mos)),
        told(of(|minute| minute.callee.mos))
    )
}

fn height(score: f64) -> f64 {
    let share = (score.clamp(LEAST, MOST) - LEAST) / (MOST - LEAST);
    TOP + (1.0 - share) * (HEIGHT - TOP - BOTTOM)
}

/// A line with a gap wherever nothing is known, and a dot at each minute.
fn line(class: &str, scores: &[Option<f64>]) -> Markup {
    #[allow(clippy::cast_precision_loss, reason = "minutes of a call")]
    let x = |at: usize| {
        let span = (scores.len().max(2) - 1) as f64;
        LEFT + 6.0 + at as f64 / span * (WIDTH - LEFT - 12.0)
    };
    let mut path = String::new();
    let mut drawn = false;
    for (at, score) in scores.iter().enumerate() {
        if let Some(score) = score {
            path.push_str(&format!("{}{:.1} {:.1}", if drawn { "L" } else { "M" }, x(at), height(*score)));
        }
        drawn = score.is_some();
    }
    html! {
        path class=(class) d=(path) {}
        @if scores.len() <= 60 {
            @for (at, score) in scores.iter().enumerate() {
                @if let Some(score) = score { circle class=(class) cx=(format!("{:.1}", x(at))) cy=(format!("{:.1}", height(*score))) r="3" {} }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::Stream;

    #[test]
    fn a_line_has_a_gap_where_nothing_is_known() {
        let minute = |mos| Minute { caller: Stream { mos, ..Stream::default() }, ..Minute::default() };
        let shown =
            opinions(&[minute(Some(4.5)), minute(None), minute(Some(1.0)), minute(Some(9.0))]).into_string();
        assert!(
            shown.contains(r#"d="M36.0 10.0M438.7 156.0L640.0 10.0""#) || shown.contains("M36.0 10.0M"),
            "{shown}"
        );
        assert_eq!(shown.matches("M").count() - shown.matches("Mean").count(), 2, "two parts: {shown}");
        assert!(shown.contains("the worst from the caller 1.00, from the callee not known"), "{shown}");
        assert!(!opinions(&[]).into_string().contains("NaN"));
    }
}
