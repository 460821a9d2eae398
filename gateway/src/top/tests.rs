//! The screen at 80x24, as text.

use std::time::{Duration, Instant};

use ratatui::Terminal;
use ratatui::backend::TestBackend;

use super::{Key, Sample, State, Wish, draw};
use crate::question::{CallLine, CallState, CallView};
use crate::why::{LadderLine, Leg};

/// What the gateway says after so many calls.
fn sample(calls: u32) -> Sample {
    let mut sample = Sample::default();
    let lines = format!(
        "voice_connector_call_attempts_total{{voice_connector_id=\"office\",region=\"r\",direction=\"outbound\"}} {calls}\n\
         voice_connector_calls_answered_total{{voice_connector_id=\"office\",region=\"r\",direction=\"outbound\"}} {}\n\
         voice_connector_calls_active{{voice_connector_id=\"office\",region=\"r\",direction=\"outbound\"}} 2\n\
         voice_connector_throttles_total{{voice_connector_id=\"office\",region=\"r\",direction=\"outbound\"}} 3\n\
         voice_connector_call_duration_seconds_sum{{voice_connector_id=\"office\",region=\"r\",direction=\"outbound\"}} 600\n\
         voice_connector_call_duration_seconds_count{{voice_connector_id=\"office\",region=\"r\",direction=\"outbound\"}} 4\n\
         voice_connector_call_mos_sum{{voice_connector_id=\"office\",region=\"r\",side=\"customer\"}} 8.6\n\
         voice_connector_call_mos_count{{voice_connector_id=\"office\",region=\"r\",side=\"customer\"}} 2\n\
         voice_connector_carrier_attempts_total{{carrier=\"east \\\"one\\\"\"}} 10\n\
         voice_connector_carrier_answers_total{{carrier=\"east \\\"one\\\"\"}} 5\n\
         voice_connector_refusals_total{{cause=\"cps\"}} 3\n\
         voice_connector_refusals_total{{cause=\"source\"}} 12\n\
         voice_connector_calls_in_progress 3\n\
         voice_connector_ready 1\n\
         # a comment\nnothing known 7 of it\n",
        calls / 2
    );
    lines.lines().for_each(|line| sample.read(line));
    sample
}

fn call(number: usize, state: CallState) -> CallLine {
    CallLine {
        id: format!("{number:08x}-d9cb-469f-a165-70867728950e"),
        key: number as u64,
        state,
        caller: "+12065550100".into(),
        callee: format!("+1212555{number:04}"),
        calling_voice_connector: Some("office".into()),
        called_voice_connector: None,
        calling_carrier: None,
        carrier: Some("east \"one\"".into()),
        emergency: number == 2,
        started: 1_700_000_000_000,
        seconds: 3_725,
        talked: Some(3_700),
        mos: (number != 1).then_some(4.056),
    }
}

fn text(state: &State, width: u16, height: u16) -> String {
    let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
    terminal.draw(|frame| draw(frame, state)).unwrap();
    let buffer = terminal.backend().buffer();
    let row = |y| (0..width).map(|x| buffer[(x, y)].symbol()).collect::<String>().trim_end().to_owned();
    (0..height).map(row).collect::<Vec<_>>().join("\n")
}

fn filled() -> State {
    let mut state = State::default();
    state.resized(24);
    state.counted(Duration::ZERO, sample(10));
    state.counted(Duration::from_secs(2), sample(20));
    state.calls(vec![call(0, CallState::Up), call(1, CallState::Ringing), call(2, CallState::Up)]);
    state
}

#[test]
fn everything_is_on_one_screen() {
    let state = filled();
    insta::assert_snapshot!(text(&state, 80, 14), @r#"
    calls 3  up 2  CPS 5.0  ASR 50%  ACD 2:30  MOS 4.30  throttled 3  refused 15
     Overview   Calls   Connectors   Carriers   Refusals  since the start
    CONNECTOR     CALLS   CPS  ASR   ACD  MOS THR   CARRIER       CALLS   CPS  ASR
    office            2   5.0  50%  2:30 4.30   3   east "one"        3   0.0  50%
    REFUSED  source 12  cps 3
    CALL     STATE        AGE  MOS CALLER         CALLEE         FROM      TO
    00000000 up       1:02:05 4.06 +12065550100   +12125550000   office    east "on~
    00000001 ringing  1:02:05    - +12065550100   +12125550001   office    east "on~
    00000002 up       1:02:05 4.06 +12065550100   +12125550002   office    east "on~




     F1 Help  Enter Open  F3 Search  F7 State  F9 All  Tab Panel  Esc Back  q Quit
    "#);
    // On a usual terminal there is room for all of it, and for more calls.
    assert!(text(&state, 80, 24).starts_with(text(&state, 80, 14).split_once("\n\n").unwrap().0));
}

#[test]
fn the_figures_are_those_of_the_last_minutes() {
    let mut state = filled();
    for second in 3..400 {
        state.counted(Duration::from_secs(second), sample(20 + second as u32));
    }
    let shown = text(&state, 80, 24);
    assert!(shown.contains("CPS 1.0") && shown.contains("ASR 50%") && shown.contains("last 5:0"), "{shown}");
    assert!(!shown.contains("source 12"), "nothing was refused lately: {shown}");
    assert!(shown.contains("refused 0\n") && shown.contains("REFUSED  none"), "{shown}");
    // The gateway began anew.
    state.counted(Duration::from_secs(400), sample(2));
    assert!(text(&state, 80, 24).contains("since the start"));
    state.lost("the gateway does not answer: broken".into());
    assert!(text(&state, 80, 24).contains("the gateway does not answer"));
}

#[test]
fn keys_go_where_they_should() {
    let mut state = filled();
    assert_eq!(state.key(Key::Down), Wish::Nothing);
    let id = state.selected_call().unwrap().id.clone();
    // A call before it ends: the selection stays at its call.
    state.calls(vec![call(1, CallState::Up), call(2, CallState::Up), call(3, CallState::Up)]);
    assert_eq!(state.key(Key::Enter), Wish::Open(id.clone()));
    assert!(text(&state, 80, 24).contains("asking the gateway"));
    state.viewed("another", Err("no".into()));
    let ladder = |milliseconds, leg, sent, status| LadderLine {
        milliseconds,
        leg,
        sent,
        method: "INVITE".into(),
        status,
        cseq: 1,
        transport: "udp".into(),
        remote: "192.0.2.20:5060".parse().unwrap(),
        bytes: 812,
        copies: 0,
        left_out: 0,
    };
    let view = CallView {
        line: call(1, CallState::Up),
        ringing: Some(510),
        answered: Some(2_500),
        caller: None,
        callee: None,
        attempts: Vec::new(),
        notes: Vec::new(),
        ladder: vec![
            ladder(0, Leg::A, false, None),
            ladder(20, Leg::B, true, None),
            ladder(500, Leg::B, false, Some(180)),
            ladder(510, Leg::A, true, Some(180)),
        ],
        minutes: Vec::new(),
        media: None,
    };
    state.viewed(&id, Ok(Box::new(view)));
    let shown = text(&state, 80, 24);
    for part in [
        "0.000 |---------- INVITE ----------->|                              |",
        "0.020 |                              |---------- INVITE ----------->|",
        "0.500 |                              |<-------- 180 INVITE ---------|",
        "0.510 |<-------- 180 INVITE ---------|                              |",
        "         for 1:01:40",
    ] {
        assert!(shown.contains(part), "{part}\n{shown}");
    }
    state.viewed(&id, Err("there is no such call".into()));
    let shown = text(&state, 80, 24);
    assert!(
        shown.contains("there is no such call") && shown.contains("180 INVITE"),
        "it stays to be read: {shown}"
    );
    assert_eq!(state.key(Key::Esc), Wish::Close);

    state.key(Key::Char('/'));
    "5550003q".chars().for_each(|character| drop(state.key(Key::Char(character))));
    state.key(Key::Backspace);
    state.key(Key::Enter);
    assert!(text(&state, 80, 24).contains("Refusals  1/3 /5550003"));
    state.key(Key::Esc);
    state.key(Key::F(7));
    state.key(Key::F(7));
    assert!(text(&state, 80, 24).contains("Refusals  0/3 ringing"));
    state.key(Key::F(9));
    state.key(Key::F(1));
    assert!(text(&state, 80, 24).contains("answer-seizure ratio"));
    state.key(Key::Char('q'));
    for panel in ["STATE", "THR", "CARRIER  ", "CAUSE"] {
        state.key(Key::Tab);
        state.key(Key::End);
        assert!(text(&state, 80, 24).contains(panel), "{panel}");
    }
    assert_eq!(state.key(Key::Esc), Wish::Nothing, "to the overview");
    assert_eq!(state.key(Key::Char('q')), Wish::Quit);
}

#[test]
fn ten_thousand_calls_are_no_trouble() {
    let mut state = filled();
    let began = Instant::now();
    for _ in 0..10 {
        state.calls((0..10_000).map(|number| call(number, CallState::Up)).collect());
        state.key(Key::Tab);
        state.key(Key::Tab);
        state.key(Key::Tab);
        state.key(Key::Tab);
        state.key(Key::Tab);
        state.key(Key::End);
        assert!(text(&state, 80, 24).contains("+12125559999"));
        state.key(Key::Home);
        assert!(text(&state, 80, 24).contains("+12125550000"));
    }
    // Seconds in a program that is not optimised, and on a machine that has other work.
    assert!(began.elapsed() < Duration::from_secs(60), "{:?}", began.elapsed());
}

#[test]
fn any_size_of_a_terminal_is_drawn_on() {
    let state = filled();
    for (width, height) in [(1, 1), (20, 3), (40, 10), (80, 24), (300, 100)] {
        text(&state, width, height);
    }
}
