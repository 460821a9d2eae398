//! The screen: a function of the state.

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::{Color, Modifier, Style};
use ratatui::text::{Line, Span};
use ratatui::widgets::Paragraph;

use super::figures::{Figures, History};
use super::ladder::drawn;
use super::sample::Sample;
use super::state::{Opened, Panel, State};
use crate::question::{CallLine, CallState, clock};

const TITLE: Style = Style::new().fg(Color::Black).bg(Color::Cyan);
const HEAD: Style = Style::new().fg(Color::Cyan).add_modifier(Modifier::BOLD);
const CHOSEN: Style = Style::new().add_modifier(Modifier::REVERSED);
const WRONG: Style = Style::new().fg(Color::Red).add_modifier(Modifier::BOLD);

/// Lines of connectors and carriers in the overview at most, their head among them.
const FEW: u16 = 7;

const HELP: &[&str] = &[
    "Up Down j k      one line           PgUp PgDn        a page",
    "Home End         first, last        Tab              the next panel",
    "Enter Space      open the call      Esc              back; at last, leave",
    "F3 /             search             F7 f             only calls of one state",
    "F9 l             all calls again    F10 q            leave",
    "F1 h ?           this",
    "",
    "CPS   calls begun per second, over ten seconds",
    "ASR   answer-seizure ratio: percent of the calls that were answered",
    "ACD   average call duration of the calls that ended",
    "MOS   mean opinion score, over minutes and sides; of a call, on its worse side",
    "THR   calls refused by a limit",
    "",
    "ASR, ACD, MOS, THR and refusals are those of the last five minutes, or, until this",
    "has run for one minute, those since the gateway began.",
    "",
    "Any key goes back.",
];

/// Draws it all.
pub fn draw(frame: &mut Frame<'_>, state: &State) {
    let [title, body, keys] =
        Layout::vertical([Constraint::Length(2), Constraint::Min(1), Constraint::Length(1)])
            .areas(frame.area());
    frame.render_widget(Paragraph::new(summary(state)), title);
    match &state.opened {
        _ if state.help => frame.render_widget(
            Paragraph::new(HELP.iter().map(|line| Line::raw(*line)).collect::<Vec<_>>()),
            body,
        ),
        Some(opened) => call(frame, body, opened),
        None => panel(frame, body, state),
    }
    frame.render_widget(Paragraph::new(hints(state)).style(TITLE), keys);
}

fn summary(state: &State) -> Vec<Line<'static>> {
    let all = state.history.all();
    let newest = state.history.newest();
    let calls = newest.map_or(0.0, |sample| sample.calls);
    // From 0: the sum of nothing is -0.
    let refused = state.history.refusals().iter().fold(0.0, |sum, (_, count)| sum + count);
    let first = format!(
        "calls {calls:.0}  up {:.0}  CPS {:.1}  ASR {}  ACD {}  MOS {}  throttled {:.0}  refused {refused:.0}",
        all.active,
        all.cps,
        percent(all.asr),
        talk(all.acd),
        score(all.mos),
        all.throttled
    );
    let second = match (&state.trouble, newest) {
        (Some(trouble), _) => Line::styled(trouble.clone(), WRONG),
        (None, Some(sample)) if !sample.ready => Line::styled("takes no new calls but emergencies", WRONG),
        _ => tabs(state),
    };
    vec![Line::styled(first, Style::new().add_modifier(Modifier::BOLD)), second]
}

fn tabs(state: &State) -> Line<'static> {
    let mut spans: Vec<Span<'static>> = Vec::new();
    for panel in Panel::ALL {
        let style = if panel == state.panel { TITLE } else { Style::new() };
        spans.extend([Span::styled(format!(" {} ", panel.name()), style), Span::raw(" ")]);
    }
    let window = state.history.window();
    let since =
        || window.map_or("since the start".to_owned(), |window| format!("last {}", clock(window.as_secs())));
    spans.push(Span::raw(filtered(state).unwrap_or_else(since)));
    Line::from(spans)
}

fn hints(state: &State) -> String {
    if state.is_typing {
        return format!(" Search: {}_   Enter: done  Esc: none", state.search);
    }
    match (state.help, &state.opened) {
        (true, _) => " Any key: back".to_owned(),
        (false, Some(_)) => " Up Down PgUp PgDn: scroll  Esc: back  q: leave".to_owned(),
        (false, None) => {
            " F1 Help  Enter Open  F3 Search  F7 State  F9 All  Tab Panel  Esc Back  q Quit".to_owned()
        }
    }
}

fn panel(frame: &mut Frame<'_>, area: Rect, state: &State) {
    match state.panel {
        Panel::Overview => overview(frame, area, state),
        Panel::Calls => calls(frame, area, state),
        Panel::Connectors => {
            list(frame, area, state, CONNECTOR, &connectors(&state.history, area.width));
        }
        Panel::Carriers => list(frame, area, state, CARRIER, &carriers(state, area.width)),
        Panel::Refusals => {
            let lines = state
                .history
                .refusals()
                .into_iter()
                .map(|(cause, count)| format!("{cause:<30} {count:>8.0}"));
            list(frame, area, state, "CAUSE                             COUNT", &lines.collect::<Vec<_>>());
        }
    }
}

const CONNECTOR: &str = "CONNECTOR     CALLS   CPS  ASR   ACD  MOS THR";
const CARRIER: &str = "CARRIER       CALLS   CPS  ASR";

fn overview(frame: &mut Frame<'_>, area: Rect, state: &State) {
    let most = state.history.newest().map_or(0, |sample| sample.connectors.len().max(sample.carriers.len()));
    let few = FEW.min(area.height / 2).min(u16::try_from(most).unwrap_or(FEW).saturating_add(1));
    let [above, causes, below] =
        Layout::vertical([Constraint::Length(few), Constraint::Length(1), Constraint::Min(1)]).areas(area);
    let [left, right] = Layout::horizontal([Constraint::Min(46), Constraint::Length(32)]).areas(above);
    block(frame, left, CONNECTOR, &connectors(&state.history, left.width));
    block(frame, right, CARRIER, &carriers(state, right.width));
    let refused = state.history.refusals().into_iter().map(|(cause, count)| format!("{cause} {count:.0}"));
    let refused = refused.collect::<Vec<_>>().join("  ");
    let refused = format!("REFUSED  {}", if refused.is_empty() { "none" } else { &refused });
    frame.render_widget(Paragraph::new(Line::styled(refused, HEAD)), causes);
    calls(frame, below, state);
}

/// The first lines of a list, and how many more there are.
fn block(frame: &mut Frame<'_>, area: Rect, head: &'static str, lines: &[String]) {
    let room = usize::from(area.height).saturating_sub(1);
    let shown = if lines.len() > room { room.saturating_sub(1) } else { lines.len() };
    let more = lines.len() - shown;
    let more = (more > 0).then(|| Line::raw(format!("... {more} more: Tab")));
    let lines = lines.iter().take(shown).map(|line| Line::raw(line.clone()));
    let all: Vec<Line<'_>> = std::iter::once(Line::styled(head, HEAD)).chain(lines).chain(more).collect();
    frame.render_widget(Paragraph::new(all), area);
}

fn list(frame: &mut Frame<'_>, area: Rect, state: &State, head: &'static str, lines: &[String]) {
    let room = usize::from(area.height).saturating_sub(1);
    let from = state.scrolled.min(lines.len().saturating_sub(room));
    let shown = lines.iter().skip(from).take(room).map(|line| Line::raw(line.clone()));
    let all: Vec<Line<'_>> = std::iter::once(Line::styled(head, HEAD)).chain(shown).collect();
    frame.render_widget(Paragraph::new(all), area);
}

/// The busiest first.
fn connectors(history: &History, width: u16) -> Vec<String> {
    let names = history.newest().map(|sample| sample.connectors.keys().cloned().collect::<Vec<_>>());
    let figures = |name: String| {
        let figures =
            history.figures(|sample: &Sample| sample.connectors.get(&name).copied().unwrap_or_default());
        (name, figures)
    };
    let mut all: Vec<(String, Figures)> = names.unwrap_or_default().into_iter().map(figures).collect();
    all.retain(|(name, figures)| name != "unknown" || figures.active > 0.0 || figures.cps > 0.0);
    all.sort_by(|(_, one), (_, other)| {
        other.active.total_cmp(&one.active).then(other.cps.total_cmp(&one.cps))
    });
    let name_width = usize::from(width).saturating_sub(33).clamp(12, 24);
    let line = |(name, one): (String, Figures)| {
        let name = cut(&name, name_width);
        format!(
            "{name:<12} {:>6.0} {:>5.1} {:>4} {:>5} {:>4} {:>3.0}",
            one.active,
            one.cps,
            percent(one.asr),
            talk(one.acd),
            score(one.mos),
            one.throttled
        )
    };
    all.into_iter().map(line).collect()
}

fn carriers(state: &State, width: u16) -> Vec<String> {
    let history = &state.history;
    let names = history.newest().map(|sample| sample.carriers.keys().cloned().collect::<Vec<_>>());
    let figures = |name: String| {
        let figures =
            history.figures(|sample: &Sample| sample.carriers.get(&name).copied().unwrap_or_default());
        let has = |call: &&CallLine| {
            [&call.carrier, &call.calling_carrier].iter().any(|one| one.as_deref() == Some(&*name))
        };
        (state.calls.iter().filter(has).count(), name, figures)
    };
    let mut all: Vec<(usize, String, Figures)> = names.unwrap_or_default().into_iter().map(figures).collect();
    all.sort_by_key(|(calls, ..)| std::cmp::Reverse(*calls));
    let name_width = usize::from(width).saturating_sub(20).clamp(12, 24);
    let line = |(calls, name, one): (usize, String, Figures)| {
        format!("{:<12} {calls:>6} {:>5.1} {:>4}", cut(&name, name_width), one.cps, percent(one.asr))
    };
    all.into_iter().map(line).collect()
}

/// As many calls as there is room for, the chosen one among them.
fn calls(frame: &mut Frame<'_>, area: Rect, state: &State) {
    let room = usize::from(area.height).saturating_sub(1);
    let wide = usize::from(area.width).saturating_sub(80) / 4;
    let number = 14 + wide.min(6);
    let party = 9 + wide.min(15);
    let head = format!(
        "{:<8} {:<8} {:>7} {:>4} {:<number$} {:<number$} {:<party$} {:<party$}",
        "CALL", "STATE", "AGE", "MOS", "CALLER", "CALLEE", "FROM", "TO"
    );
    let from = (state.selected / room.max(1)) * room;
    let row = |(place, at): (usize, &usize)| {
        let call = state.calls.get(*at)?;
        let CallLine { caller, callee, state: how, seconds, emergency, .. } = call;
        let text = format!(
            "{:<8} {:<8} {:>7} {:>4} {:<number$} {:<number$} {:<party$} {:<party$}",
            call.short(),
            how.name(),
            clock(*seconds),
            score(call.mos),
            cut(caller, number),
            cut(callee, number),
            cut(call.from(), party),
            cut(call.to(), party)
        );
        let style = match how {
            _ if place == state.selected => CHOSEN,
            _ if *emergency => WRONG,
            CallState::Dialling | CallState::Ringing => Style::new().fg(Color::Yellow),
            _ => Style::new(),
        };
        Some(Line::styled(text, style))
    };
    let rows = (0..).zip(&state.shown).skip(from).take(room).filter_map(row);
    let all: Vec<Line<'_>> = std::iter::once(Line::styled(head, HEAD)).chain(rows).collect();
    frame.render_widget(Paragraph::new(all), area);
}

/// What of the calls is shown, where that is not all.
fn filtered(state: &State) -> Option<String> {
    let only = state.only.map(|only| format!(" {}", only.name())).unwrap_or_default();
    let search = if state.search.is_empty() { String::new() } else { format!(" /{}", state.search) };
    let all = only.is_empty() && search.is_empty();
    (!all).then(|| format!("{}/{}{only}{search}", state.shown.len(), state.calls.len()))
}

fn call(frame: &mut Frame<'_>, area: Rect, opened: &Opened) {
    let mut lines: Vec<Line<'_>> = Vec::new();
    if let Some(over) = &opened.over {
        lines.push(Line::styled(over.clone(), WRONG));
    }
    match &opened.view {
        Some(view) => {
            let text = view.head().to_string();
            // Who and when, what crossed, and then whatever else there is to know.
            let is_detail =
                |line: &&str| !["call ", "who ", "when "].iter().any(|word| line.starts_with(word));
            let (details, first): (Vec<&str>, Vec<&str>) = text.lines().partition(is_detail);
            let shown = |all: Vec<&str>| {
                let wrapped = all.into_iter().flat_map(|line| wrapped(line, area.width)).map(Line::raw);
                wrapped.collect::<Vec<_>>()
            };
            lines.extend(shown(first));
            let mut ladder = drawn(&view.ladder).into_iter();
            lines.extend(ladder.next().map(|names| Line::styled(names, HEAD)));
            lines.extend(ladder.map(Line::raw));
            lines.push(Line::raw(""));
            lines.extend(shown(details));
        }
        None if opened.over.is_none() => lines.push(Line::raw("asking the gateway")),
        None => {}
    }
    let most = lines.len().saturating_sub(usize::from(area.height));
    let shown: Vec<Line<'_>> = lines.into_iter().skip(opened.scrolled.min(most)).collect();
    frame.render_widget(Paragraph::new(shown), area);
}

/// `text` in lines of so many columns, those after the first indented.
fn wrapped(text: &str, width: u16) -> Vec<String> {
    const INDENT: usize = 9;
    let width = usize::from(width).max(INDENT + 20);
    let mut lines: Vec<String> = Vec::new();
    let mut line = String::new();
    for word in text.split_inclusive(' ') {
        if line.chars().count() + word.trim_end().chars().count() > width && line.trim() != "" {
            lines.push(std::mem::replace(&mut line, " ".repeat(INDENT)));
        }
        line.push_str(word);
    }
    lines.push(line);
    lines
}

/// `text` in so many columns at most.
fn cut(text: &str, width: usize) -> String {
    match text.chars().count() > width {
        true => text.chars().take(width.saturating_sub(1)).chain(['~']).collect(),
        false => text.to_owned(),
    }
}

fn percent(share: Option<f64>) -> String {
    share.map_or("-".to_owned(), |share| format!("{share:.0}%"))
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a float becomes the nearest number there is"
)]
fn talk(seconds: Option<f64>) -> String {
    seconds.map_or("-".to_owned(), |seconds| clock(seconds.round() as u64))
}

fn score(mos: Option<f64>) -> String {
    mos.map_or("-".to_owned(), |mos| format!("{mos:.2}"))
}
