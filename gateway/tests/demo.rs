//! `voice-connector demo`, as a newcomer would run it: it exits with 0 only if every call went as told.

#![cfg(feature = "demo")]
#![allow(clippy::unwrap_used, reason = "a test may")]

use std::process::Command;

/// - `shards`: of signalling; one has to be as correct as four.
fn play(shards: u16) {
    let mut demo = Command::new(env!("CARGO_BIN_EXE_voice-connector"));
    let demo = demo.args(["demo", "--shards", &shards.to_string()]).output().unwrap();
    let told = String::from_utf8_lossy(&demo.stdout);
    let complaints = String::from_utf8_lossy(&demo.stderr);
    assert!(demo.status.success(), "{told}\n{complaints}");
    // Nobody looks at a pipe in colours.
    assert!(!told.contains('\x1b'), "{told}");
    assert!(told.contains("went as told"), "{told}");
}

#[test]
fn everything_goes_as_told_with_one_shard() {
    play(1);
}

#[test]
fn everything_goes_as_told_with_four_shards() {
    play(4);
}

#[test]
fn everything_goes_as_told_with_a_shard_for_each_core() {
    play(0);
}
