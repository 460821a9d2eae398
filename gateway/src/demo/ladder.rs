//! The ladder of a call: who sent what to whom, and when.
//!
//! ```text
//!      ms  PBX                               gateway                            carrier-a
//!       0   │── INVITE +14155550123 (SDP) ─────▶│                                   │
//!       1   │◀─ 100 Trying ─────────────────────│                                   │
//! ```

use std::fmt::Write;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

/// A phone's line in the ladder.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Column(pub &'static str);

/// What an arrow stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A SIP message.
    Sip,
    /// A SIP message that was seen before.
    Again,
    /// Audio.
    Audio,
    /// Many that are left out.
    Fold,
}

/// One arrow between a phone and the gateway.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Arrow {
    at: Instant,
    column: Column,
    to_gateway: bool,
    kind: Kind,
    label: String,
}

/// Collects the arrows of one call; clones draw on the same ladder.
#[derive(Debug, Clone, Default)]
pub struct Ladder(Arc<Mutex<Vec<Arrow>>>);

impl Ladder {
    /// Notes that a phone sent something (`to_gateway`) or received it.
    pub fn note(&self, at: Instant, column: Column, to_gateway: bool, kind: Kind, label: impl Into<String>) {
        let arrow = Arrow { at, column, to_gateway, kind, label: label.into() };
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(arrow);
    }

    /// Keeps the first and the last arrows, and a line that tells how many stood between them.
    pub fn fold(&self, first: usize, last: usize) {
        let mut arrows = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        arrows.sort_by_key(|arrow| arrow.at);
        let until = arrows.len().saturating_sub(last);
        if until > first + 1 {
            let told = format!("… {} more …", until - first);
            if let Some(arrow) = arrows.get_mut(first) {
                *arrow = Arrow { kind: Kind::Fold, label: told, ..arrow.clone() };
            }
            arrows.drain(first + 1..until);
        }
    }

    /// Takes all arrows away and draws them.
    ///
    /// - `left`, `right`: the phones on both sides of the gateway, as a reader expects them; phones without an
    ///   arrow are left out, but for the first of a side where that would leave it empty;
    /// - `paint`: how arrows of a kind are coloured.
    pub fn draw(
        &self,
        left: &[Column],
        right: &[Column],
        paint: impl Fn(Kind, &str) -> String,
    ) -> Vec<String> {
        let mut arrows = std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner));
        arrows.sort_by_key(|arrow| arrow.at);
        let seen = |column: Option<&Column>| arrows.iter().any(|arrow| Some(&arrow.column) == column);
        let used = |side: &[Column]| -> Vec<Column> {
            let mut used: Vec<Column> = side.iter().copied().filter(|column| seen(Some(column))).collect();
            if used.is_empty() {
                used.extend(side.first());
            }
            used
        };
        let left = used(left);
        // Where two of one side talk to each other, the other side has no part.
        let right = match used(right) {
            right if left.len() > 1 && !seen(right.first()) => Vec::new(),
            right => right,
        };
        let rungs = Rungs { columns: [left.as_slice(), &[GATEWAY], right.as_slice()].concat() };
        let Some(start) = arrows.first().map(|arrow| arrow.at) else { return Vec::new() };
        let mut lines = vec![rungs.head()];
        for arrow in &arrows {
            let ms = arrow.at.duration_since(start).as_millis();
            lines.push(format!("{ms:>8}  {}", paint(arrow.kind, &rungs.line(arrow))));
        }
        lines
    }
}

const GATEWAY: Column = Column("gateway");

struct Rungs {
    columns: Vec<Column>,
}

impl Rungs {
    /// Characters from one line to the next.
    fn gap(&self) -> usize {
        if self.columns.len() > 3 { 32 } else { 35 }
    }

    fn position(&self, column: Column) -> usize {
        self.columns.iter().position(|other| *other == column).unwrap_or(0) * self.gap() + 1
    }

    fn head(&self) -> String {
        let mut head = format!("{:>8} ", "ms");
        for column in &self.columns {
            let _ = write!(head, "{:<width$}", column.0, width = self.gap());
        }
        head.trim_end().to_owned()
    }

    fn line(&self, arrow: &Arrow) -> String {
        let width = self.position(*self.columns.last().unwrap_or(&GATEWAY)) + 1;
        let mut line = vec![' '; width];
        let mut put = |at: usize, character: char| {
            if let Some(place) = line.get_mut(at) {
                *place = character;
            }
        };
        for column in &self.columns {
            put(self.position(*column), '│');
        }
        let (phone, gateway) = (self.position(arrow.column), self.position(GATEWAY));
        let (first, last) = (phone.min(gateway), phone.max(gateway));
        let stroke = if arrow.kind == Kind::Audio { '┈' } else { '─' };
        let strokes = if arrow.kind == Kind::Fold { 0..0 } else { first + 1..last };
        for at in strokes {
            let crosses = self.columns.iter().any(|column| self.position(*column) == at);
            put(at, if crosses { '┼' } else { stroke });
        }
        let rightwards = (phone < gateway) == arrow.to_gateway;
        if arrow.kind == Kind::Fold {
            // Neither way.
        } else if rightwards {
            put(last - 1, '▶');
        } else {
            put(first + 1, '◀');
        }
        // The label stands in the gap beside the phone, where no other line crosses.
        let gap_start = if phone < gateway { phone } else { phone - self.gap() };
        let room = self.gap() - 5;
        for (n, character) in format!(" {} ", fit(&arrow.label, room - 2)).chars().enumerate() {
            put(gap_start + 3 + n, character);
        }
        line.into_iter().collect::<String>().trim_end().to_owned()
    }
}

/// At most `room` characters of a text.
fn fit(text: &str, room: usize) -> String {
    if text.chars().count() <= room {
        return text.to_owned();
    }
    text.chars().take(room.saturating_sub(1)).chain(['…']).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn arrows_go_between_the_lines() {
        let ladder = Ladder::default();
        let start = Instant::now();
        let (pbx, a, b) = (Column("PBX"), Column("carrier-a"), Column("carrier-b"));
        let note = |ms, column, to_gateway, kind, label: &str| {
            ladder.note(start + Duration::from_millis(ms), column, to_gateway, kind, label);
        };
        note(12, b, false, Kind::Sip, "INVITE +14155550123 (SDP)");
        note(0, pbx, true, Kind::Sip, "INVITE +14155550123 (SDP)");
        note(3, pbx, false, Kind::Again, "407 Proxy Authentication Required");
        note(9, a, true, Kind::Sip, "503 Service Unavailable");
        note(1_234, b, true, Kind::Audio, "1000 Hz");
        let lines = ladder.draw(&[pbx], &[a, b], |_, line| line.to_owned());
        assert_eq!(
            lines,
            [
                "      ms PBX                             gateway                         carrier-a                       carrier-b",
                "       0   │── INVITE +14155550123 (SDP) ─▶│                               │                               │",
                "       3   │◀─ 407 Proxy Authentication… ──│                               │                               │",
                "       9   │                               │◀─ 503 Service Unavailable ────│                               │",
                "      12   │                               │───────────────────────────────┼── INVITE +14155550123 (SDP) ─▶│",
                "    1234   │                               │◀┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┼┈┈ 1000 Hz ┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈│",
            ]
        );
        assert_eq!(ladder.draw(&[pbx], &[a], |_, line| line.to_owned()), Vec::<String>::new());
    }

    #[test]
    fn whoever_had_no_part_is_left_out() {
        let ladder = Ladder::default();
        ladder.note(Instant::now(), Column("PBX"), true, Kind::Sip, "OPTIONS");
        let lines = ladder.draw(&[Column("PBX")], &[Column("a"), Column("b")], |_, line| line.to_owned());
        assert_eq!(lines.len(), 2);
        assert!(lines[0].ends_with("gateway                            a"), "{lines:?}");
    }
}
