//! `voice-connector demo`, as a newcomer would run it: it exits with 0 only if every call went as told.

#![cfg(feature = "demo")]

use std::process::Command;

#[test]
fn everything_goes_as_told() {
    let demo = Command::new(env!("CARGO_BIN_EXE_voice-connector")).arg("demo").output().unwrap();
    let told = String::from_utf8_lossy(&demo.stdout);
    let complaints = String::from_utf8_lossy(&demo.stderr);
    assert!(demo.status.success(), "{told}\n{complaints}");
    // Nobody looks at a pipe in colours, and nothing is left of what the calls were recorded in.
    assert!(!told.contains('\x1b'), "{told}");
    assert!(told.contains("went as told"), "{told}");
}
