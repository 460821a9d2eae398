//! Small parts that pages are made of.

use inventory::{Ownership, Timestamp};
use maud::{Markup, html};
use time::OffsetDateTime;
use time::macros::format_description;

use crate::form::Form;
use crate::route::Cx;

/// A moment, UTC.
pub fn moment(at: OffsetDateTime) -> Markup {
    let at = at.to_offset(time::UtcOffset::UTC);
    let shown = at.format(format_description!("[year]-[month]-[day] [hour]:[minute]:[second]"));
    let exact = at.format(format_description!("[year]-[month]-[day]T[hour]:[minute]:[second]Z"));
    html! { time datetime=(exact.unwrap_or_default()) title="UTC" { (shown.unwrap_or_default()) } }
}

/// The same of what the inventory keeps, and of milliseconds since the Unix epoch.
pub fn stamp(at: Timestamp) -> Markup {
    let at = OffsetDateTime::from_unix_timestamp_nanos(i128::from(at.0) * 1_000_000);
    at.map_or_else(|_| html! { "-" }, moment)
}

/// `1:02:03`, without hours where there are none.
pub fn clock(seconds: u64) -> String {
    let (hours, minutes, seconds) = (seconds / 3_600, seconds / 60 % 60, seconds % 60);
    match hours {
        0 => format!("{minutes}:{seconds:02}"),
        hours => format!("{hours}:{minutes:02}:{seconds:02}"),
    }
}

/// A number, or a dash where nothing tells it.
pub fn figure(value: Option<f64>, decimals: usize) -> String {
    value
        .filter(|value| value.is_finite())
        .map_or_else(|| "–".to_owned(), |value| format!("{value:.decimals$}"))
}

/// Large numbers in groups of three digits.
pub fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push('\u{202f}');
        }
        out.push(digit);
    }
    out
}

/// A word with a colour that says whether it is good.
pub fn badge(kind: &str, text: &str) -> Markup {
    html! { span.badge.(kind) { (text) } }
}

/// Whose it is.
pub fn owner(owner: &Ownership) -> Markup {
    match owner {
        Ownership::Store => html! {},
        Ownership::File(position) => html! {
            p.owned { "Owned by " code { (position) } ": it is changed there, and only shown here." }
        },
    }
}

/// The same in a table.
pub fn owner_short(owner: &Ownership) -> Markup {
    match owner {
        Ownership::Store => html! { span.quiet { "Console and API" } },
        Ownership::File(position) => html! { code { (file_and_line(position)) } },
    }
}

fn file_and_line(position: &config::Position) -> String {
    let name = position.file.rsplit('/').next().unwrap_or_default();
    format!("{name}:{}", position.line)
}

/// What proves that a form is of this session.
pub fn proof(cx: &Cx<'_>) -> Markup {
    html! { input type="hidden" name="form" value=(cx.session.form); }
}

/// A field of text.
pub struct Field<'a> {
    pub label: &'a str,
    pub name: &'a str,
    pub value: &'a str,
    /// What to write.
    pub hint: &'a str,
    /// Attributes: required, and how it is typed.
    pub required: bool,
    pub kind: &'a str,
}

impl Default for Field<'_> {
    fn default() -> Self {
        Field { label: "", name: "", value: "", hint: "", required: false, kind: "text" }
    }
}

impl Field<'_> {
    /// - `sent`: a form that came to nothing, whose values are shown again.
    pub fn show(&self, sent: &Form) -> Markup {
        let Field { label, name, hint, required, kind, .. } = self;
        let value = sent.first(name).unwrap_or(self.value);
        let described = (!hint.is_empty()).then(|| format!("{name}-hint"));
        html! {
            div.field {
                label for=(name) { (label) @if !required { span.quiet { " (optional)" } } }
                input id=(name) name=(name) type=(kind) value=(value) required[*required] autocomplete="off" spellcheck="false"
                    aria-describedby=[described.as_deref()];
                @if let Some(id) = &described { p.hint id=(id) { (hint) } }
            }
        }
    }

    /// Over several lines.
    pub fn show_area(&self, sent: &Form, rows: usize) -> Markup {
        let Field { label, name, hint, required, .. } = self;
        let value = sent.first(name).unwrap_or(self.value);
        let described = (!hint.is_empty()).then(|| format!("{name}-hint"));
        html! {
            div.field {
                label for=(name) { (label) @if !required { span.quiet { " (optional)" } } }
                textarea id=(name) name=(name) rows=(rows) required[*required] spellcheck="false"
                    aria-describedby=[described.as_deref()] { (value) }
                @if let Some(id) = &described { p.hint id=(id) { (hint) } }
            }
        }
    }
}

/// One of a few values.
///
/// - `choices`: value and text.
pub fn select(label: &str, name: &str, chosen: &str, choices: &[(&str, &str)]) -> Markup {
    html! {
        div.field {
            label for=(name) { (label) }
            select id=(name) name=(name) {
                @for (value, text) in choices { option value=(value) selected[*value == chosen] { (text) } }
            }
        }
    }
}

/// A box to tick.
pub fn tick(label: &str, name: &str, ticked: bool) -> Markup {
    html! {
        div.tick {
            input id=(name) name=(name) type="checkbox" value="yes" checked[ticked];
            label for=(name) { (label) }
        }
    }
}

/// The box without which nothing is deleted.
pub fn understood(what: &str) -> Markup {
    html! {
        div.tick {
            input id="understood" name="understood" type="checkbox" value="yes" required;
            label for="understood" { "I understand " (what) }
        }
    }
}

/// The link to the next page.
///
/// - `address`: of this list with its filter, with a `?`.
pub fn pager(cx: &Cx<'_>, address: &str, next: Option<&str>) -> Markup {
    let is_later = cx.query.some("after").is_some();
    html! {
        @if next.is_some() || is_later {
            nav.pager aria-label="Pages" {
                @if is_later { a href=(address) { "First page" } }
                @if let Some(next) = next { a rel="next" href=(format!("{address}&after={}", crate::form::escaped(next))) { "Next page" } }
            }
        }
    }
}

/// Label and value, one below the other.
pub fn facts<'a>(facts: impl IntoIterator<Item = (&'a str, Markup)>) -> Markup {
    html! { dl.facts { @for (label, value) in facts { div { dt { (label) } dd { (value) } } } } }
}

/// A table that scrolls by itself where it is wider than the page, for keys, too.
pub fn wide(name: &str, table: Markup) -> Markup {
    html! { div.wide role="region" aria-label=(name) tabindex="0" { (table) } }
}
