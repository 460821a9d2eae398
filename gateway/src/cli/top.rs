//! `voice-connector top`: the terminal, and the questions to the gateway.

use std::io;
use std::process::ExitCode;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use clap::Args;
use ratatui::crossterm::event::{self, Event, KeyCode, KeyEventKind, KeyModifiers};

use super::control::{Session, Which};
use super::fail;
use super::file::File;
use crate::daemon::{Command, Response};
use crate::question::{CallFilter, CallLine, CallView};
use crate::top::{FAMILIES, Key, Sample, State, Wish, draw};

/// How often the gateway is asked.
const INTERVAL: Duration = Duration::from_secs(1);

/// How often calls are asked for where there are many: each time is a few megabytes.
const MANY: usize = 2_000;
const SELDOM: Duration = Duration::from_secs(3);

/// How long a key is waited for before the screen is drawn anew.
const TURN: Duration = Duration::from_millis(200);

/// See the module.
#[derive(Args)]
pub(super) struct Top {
    #[command(flatten)]
    file: File,
    #[command(flatten)]
    which: Which,
}

/// What the gateway said.
enum News {
    Counted(Sample),
    Calls(Vec<CallLine>),
    Viewed(String, Result<Box<CallView>, String>),
    Lost(String),
}

/// The call that is asked about.
type Open = Arc<Mutex<Option<String>>>;

impl Top {
    /// Shows it until the operator leaves. Exits with 1 where no gateway is there to begin with, or no terminal.
    pub(super) fn run(self) -> ExitCode {
        let session = match self.which.open(self.file.path()) {
            Ok(session) => session,
            Err(code) => return code,
        };
        let (news, told) = channel();
        let open = Open::default();
        let asked = open.clone();
        thread::spawn(move || ask(session, &news, &asked));
        let mut terminal = match ratatui::try_init() {
            Ok(terminal) => terminal,
            Err(error) => return fail(format_args!("no terminal to draw on: {error}")),
        };
        let shown = show(&mut terminal, &told, &open);
        ratatui::restore();
        match shown {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => fail(format_args!("the terminal: {error}")),
        }
    }
}

fn show(terminal: &mut ratatui::DefaultTerminal, news: &Receiver<News>, open: &Open) -> io::Result<()> {
    let (mut state, began) = (State::default(), Instant::now());
    loop {
        for one in news.try_iter() {
            match one {
                News::Counted(sample) => state.counted(began.elapsed(), sample),
                News::Calls(calls) => state.calls(calls),
                News::Viewed(id, view) => state.viewed(&id, view),
                News::Lost(why) => state.lost(why),
            }
        }
        state.resized(terminal.size()?.height);
        terminal.draw(|frame| draw(frame, &state))?;
        if !event::poll(TURN)? {
            continue;
        }
        // All keys that are there, so that a held one does not run on after it is let go.
        while event::poll(Duration::ZERO)? {
            let Some(key) = key(&event::read()?) else { continue };
            let wished = match key {
                None => return Ok(()),
                Some(key) => state.key(key),
            };
            let asked = match wished {
                Wish::Nothing => continue,
                Wish::Quit => return Ok(()),
                Wish::Open(id) => Some(id),
                Wish::Close => None,
            };
            *open.lock().unwrap_or_else(PoisonError::into_inner) = asked;
        }
    }
}

/// A key that means something; `Some(None)`: Ctrl-C.
fn key(event: &Event) -> Option<Option<Key>> {
    let Event::Key(pressed) = event else { return None };
    if pressed.kind == KeyEventKind::Release {
        return None;
    }
    Some(Some(match pressed.code {
        KeyCode::Char('c') if pressed.modifiers.contains(KeyModifiers::CONTROL) => return Some(None),
        KeyCode::Up => Key::Up,
        KeyCode::Down => Key::Down,
        KeyCode::PageUp => Key::PageUp,
        KeyCode::PageDown => Key::PageDown,
        KeyCode::Home => Key::Home,
        KeyCode::End => Key::End,
        KeyCode::Enter => Key::Enter,
        KeyCode::Esc => Key::Esc,
        KeyCode::Tab => Key::Tab,
        KeyCode::Backspace => Key::Backspace,
        KeyCode::F(number) => Key::F(number),
        KeyCode::Char(character) => Key::Char(character),
        _ => return None,
    }))
}

/// Asks the gateway again and again, for as long as somebody hears of it.
fn ask(mut session: Session, news: &Sender<News>, open: &Open) {
    let (mut due, mut many) = (Instant::now(), 0);
    loop {
        let turn = Instant::now();
        let told = ask_once(&mut session, news, open, turn >= due).unwrap_or_else(|error| {
            let lost = news.send(News::Lost(format!("the gateway does not answer: {error}")));
            if let Ok(again) = session.again() {
                session = again;
            }
            lost.map(|()| None)
        });
        match told {
            Err(_) => return,
            Ok(Some(calls)) => {
                many = calls;
                due = turn + if many > MANY { SELDOM } else { INTERVAL };
            }
            Ok(None) => {}
        }
        let _ = many;
        thread::sleep(INTERVAL.saturating_sub(turn.elapsed()).max(Duration::from_millis(100)));
    }
}

type Told = Result<Option<usize>, std::sync::mpsc::SendError<News>>;

/// Asks for everything once; says how many calls there are, where these were asked for.
fn ask_once(session: &mut Session, news: &Sender<News>, open: &Open, with_calls: bool) -> io::Result<Told> {
    let mut sample = Sample::default();
    let families = FAMILIES.iter().map(|family| (*family).to_owned()).collect();
    session.converse(&Command::Metrics { families }, |response| {
        if let Response::Line(line) = response {
            sample.read(&line);
        }
    })?;
    if let Err(gone) = news.send(News::Counted(sample)) {
        return Ok(Err(gone));
    }
    let mut count = None;
    if with_calls {
        let mut calls = Vec::new();
        session.converse(&Command::Calls(CallFilter::default()), |response| {
            if let Response::Call(call) = response {
                calls.push(*call);
            }
        })?;
        count = Some(calls.len());
        if let Err(gone) = news.send(News::Calls(calls)) {
            return Ok(Err(gone));
        }
    }
    let opened = open.lock().unwrap_or_else(PoisonError::into_inner).clone();
    if let Some(id) = opened {
        let mut view = None;
        let error = session.converse(&Command::Call { id: id.clone() }, |response| {
            if let Response::View(told) = response {
                view = Some(told);
            }
        })?;
        let view = view.ok_or_else(|| error.unwrap_or_default());
        if let Err(gone) = news.send(News::Viewed(id, view)) {
            return Ok(Err(gone));
        }
    }
    Ok(Ok(count))
}
