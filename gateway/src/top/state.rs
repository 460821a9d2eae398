//! What is shown, and what keys change of it.

use std::time::Duration;

use super::{History, Sample};
use crate::question::{CallLine, CallState, CallView};

/// A key that was pressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Key {
    /// The arrow, or `k`.
    Up,
    /// The arrow, or `j`.
    Down,
    /// A page up.
    PageUp,
    /// A page down.
    PageDown,
    /// To the first.
    Home,
    /// To the last.
    End,
    /// Opens.
    Enter,
    /// Goes back.
    Esc,
    /// The next panel.
    Tab,
    /// Takes back what was typed.
    Backspace,
    /// F1 to F12.
    F(u8),
    /// Any other.
    Char(char),
}

/// What the outside is to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wish {
    /// Nothing.
    Nothing,
    /// Ask all about this call, until another wish comes.
    Open(String),
    /// Ask no more about a call.
    Close,
    /// End.
    Quit,
}

/// What fills the screen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Panel {
    /// A little of everything, and the calls.
    Overview,
    Calls,
    Connectors,
    Carriers,
    Refusals,
}

impl Panel {
    pub(super) const ALL: [Panel; 5] =
        [Panel::Overview, Panel::Calls, Panel::Connectors, Panel::Carriers, Panel::Refusals];

    pub(super) fn name(self) -> &'static str {
        match self {
            Panel::Overview => "Overview",
            Panel::Calls => "Calls",
            Panel::Connectors => "Connectors",
            Panel::Carriers => "Carriers",
            Panel::Refusals => "Refusals",
        }
    }

    fn has_calls(self) -> bool {
        matches!(self, Panel::Overview | Panel::Calls)
    }
}

/// The call that is open.
#[derive(Debug)]
pub(super) struct Opened {
    pub id: String,
    /// What was last told of it.
    pub view: Option<Box<CallView>>,
    /// It is over.
    pub over: Option<String>,
    pub scrolled: usize,
}

/// See the module.
#[derive(Debug)]
pub struct State {
    pub(super) history: History,
    pub(super) calls: Vec<CallLine>,
    /// Places in `calls` that the filter takes, in order.
    pub(super) shown: Vec<usize>,
    /// Why nothing new comes.
    pub(super) trouble: Option<String>,
    pub(super) panel: Panel,
    pub(super) selected: usize,
    /// The first line of a list without selection.
    pub(super) scrolled: usize,
    pub(super) search: String,
    pub(super) is_typing: bool,
    pub(super) only: Option<CallState>,
    pub(super) opened: Option<Opened>,
    pub(super) help: bool,
    /// Lines of a page.
    page: usize,
}

impl Default for State {
    fn default() -> Self {
        State {
            history: History::default(),
            calls: Vec::new(),
            shown: Vec::new(),
            trouble: Some("asking the gateway".to_owned()),
            panel: Panel::Overview,
            selected: 0,
            scrolled: 0,
            search: String::new(),
            is_typing: false,
            only: None,
            opened: None,
            help: false,
            page: 10,
        }
    }
}

impl State {
    /// What the gateway counts.
    ///
    /// - `at`: since the first sample.
    pub fn counted(&mut self, at: Duration, sample: Sample) {
        self.trouble = None;
        self.history.push(at, sample);
    }

    /// Its calls, oldest first. The selection stays at its call.
    pub fn calls(&mut self, calls: Vec<CallLine>) {
        let before = self.selected_call().map(|call| call.id.clone());
        self.calls = calls;
        self.filter();
        let same = before.and_then(|id| self.shown.iter().position(|at| self.is_call(*at, &id)));
        self.select(same.unwrap_or(self.selected));
    }

    /// All about the open call, or why not.
    pub fn viewed(&mut self, id: &str, view: Result<Box<CallView>, String>) {
        if let Some(opened) = self.opened.as_mut().filter(|opened| opened.id == id) {
            match view {
                Ok(view) => (opened.view, opened.over) = (Some(view), None),
                Err(why) => opened.over = Some(why),
            }
        }
    }

    /// The gateway says nothing.
    pub fn lost(&mut self, why: String) {
        self.trouble = Some(why);
    }

    /// The terminal has so many lines.
    pub fn resized(&mut self, lines: u16) {
        self.page = usize::from(lines).saturating_sub(6).max(1);
    }

    /// A key was pressed.
    pub fn key(&mut self, key: Key) -> Wish {
        if std::mem::take(&mut self.help) {
            return Wish::Nothing;
        }
        if self.is_typing {
            self.type_key(key);
            return Wish::Nothing;
        }
        match key {
            Key::Char('q') | Key::F(10) => return Wish::Quit,
            Key::F(1) | Key::Char('h' | '?') => self.help = true,
            Key::Esc => return self.back(),
            _ if self.opened.is_some() => self.scroll_call(key),
            Key::F(3) | Key::Char('/') => self.is_typing = true,
            Key::F(7) | Key::Char('f') => self.next_state(),
            Key::F(9) | Key::Char('l') => {
                self.search.clear();
                self.only = None;
                self.filter();
            }
            Key::Tab => self.next_panel(),
            Key::Enter | Key::Char(' ') if self.panel.has_calls() => return self.open(),
            Key::Up | Key::Char('k') => self.step(-1),
            Key::Down | Key::Char('j') => self.step(1),
            Key::PageUp => self.step(-self.page_length()),
            Key::PageDown => self.step(self.page_length()),
            Key::Home => self.step(isize::MIN),
            Key::End => self.step(isize::MAX),
            _ => {}
        }
        Wish::Nothing
    }

    /// The call that Enter opens.
    pub(super) fn selected_call(&self) -> Option<&CallLine> {
        self.shown.get(self.selected).and_then(|at| self.calls.get(*at))
    }

    fn is_call(&self, at: usize, id: &str) -> bool {
        self.calls.get(at).is_some_and(|call| call.id == id)
    }

    fn page_length(&self) -> isize {
        isize::try_from(self.page).unwrap_or(isize::MAX)
    }

    fn back(&mut self) -> Wish {
        if self.opened.take().is_some() {
            return Wish::Close;
        }
        if !self.search.is_empty() || self.only.is_some() {
            self.search.clear();
            self.only = None;
            self.filter();
        } else if self.panel == Panel::Overview {
            return Wish::Quit;
        } else {
            self.panel = Panel::Overview;
        }
        Wish::Nothing
    }

    fn open(&mut self) -> Wish {
        let Some(id) = self.selected_call().map(|call| call.id.clone()) else { return Wish::Nothing };
        self.opened = Some(Opened { id: id.clone(), view: None, over: None, scrolled: 0 });
        Wish::Open(id)
    }

    fn type_key(&mut self, key: Key) {
        match key {
            Key::Enter => self.is_typing = false,
            Key::Esc => {
                self.is_typing = false;
                self.search.clear();
            }
            Key::Backspace => drop(self.search.pop()),
            Key::Char(character) if self.search.len() < 40 && !character.is_control() => {
                self.search.push(character)
            }
            _ => {}
        }
        self.filter();
    }

    fn next_state(&mut self) {
        let states = CallState::ALL.into_iter().filter(|state| *state != CallState::Over);
        let all: Vec<_> = std::iter::once(None).chain(states.map(Some)).collect();
        let at = all.iter().position(|only| *only == self.only).unwrap_or_default();
        self.only = all.get(at + 1).copied().flatten();
        self.filter();
    }

    fn next_panel(&mut self) {
        let at = Panel::ALL.iter().position(|panel| *panel == self.panel).unwrap_or_default();
        self.panel = Panel::ALL.get(at + 1).copied().unwrap_or(Panel::Overview);
        self.scrolled = 0;
    }

    fn step(&mut self, by: isize) {
        match self.panel.has_calls() {
            true => self.select(self.selected.saturating_add_signed(by)),
            false => self.scrolled = self.scrolled.saturating_add_signed(by),
        }
    }

    fn scroll_call(&mut self, key: Key) {
        let page = self.page;
        let Some(opened) = &mut self.opened else { return };
        opened.scrolled = match key {
            Key::Up | Key::Char('k') => opened.scrolled.saturating_sub(1),
            Key::Down | Key::Char('j') => opened.scrolled.saturating_add(1),
            Key::PageUp => opened.scrolled.saturating_sub(page),
            Key::PageDown => opened.scrolled.saturating_add(page),
            Key::Home => 0,
            Key::End => usize::MAX,
            _ => opened.scrolled,
        };
    }

    fn select(&mut self, at: usize) {
        self.selected = at.min(self.shown.len().saturating_sub(1));
    }

    fn filter(&mut self) {
        let takes = |call: &CallLine| {
            let texts = [call.id.as_str(), &call.caller, &call.callee, call.from(), call.to()];
            self.only.is_none_or(|only| call.state == only)
                && (self.search.is_empty() || texts.iter().any(|text| text.contains(&self.search)))
        };
        self.shown = (0..).zip(&self.calls).filter(|(_, call)| takes(call)).map(|(at, _)| at).collect();
        self.select(self.selected);
    }
}
