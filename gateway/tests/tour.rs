//! `examples/tour/tour`: every step that it promises comes out.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)] // A test from its first line to its last.

mod support;

use std::process::Command;

#[test]
fn a_new_operator_comes_through() {
    if support::missing(&["sipp", "unshare", "ip"]) {
        return;
    }
    let tour = concat!(env!("CARGO_MANIFEST_DIR"), "/../examples/tour/tour");
    let output = Command::new(tour).arg(env!("CARGO_BIN_EXE_voice-connector")).output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{said}\n{}", String::from_utf8_lossy(&output.stderr));
    assert!(said.ends_with("The tour is over: all steps came out.\n"), "{said}");
}
