#!/usr/bin/env bash
# tracing-subscriber 0.3.23: `EnvFilter::try_new`, which is there to refuse what is wrong, takes filters that silence the
# whole log, errors among it. A word that is no level is the name of a target, so `inof` for `info` is a filter that lets
# through a module of that name and nothing else (`gateway=inof` is refused). And its documentation has an empty filter
# let errors through, as `new` does: `try_new("")` lets nothing through. A daemon that takes its filter from an
# environment variable that is empty or mistyped runs without a line of log; a good engineer would expect an error, or
# errors.
#
# Seen: "info" and "error": errors logged. "inof", "" and "info gateway=debug" (a blank for the comma): Ok, nothing
# logged. "gateway=inof": refused. `EnvFilter::new("")`: errors logged.
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
mkdir src
cat >Cargo.toml <<'TOML'
[package]
name = "filter"
version = "0.0.0"
edition = "2021"

[workspace]

[dependencies]
tracing = "=0.1.44"
tracing-subscriber = { version = "=0.3.23", features = ["env-filter"] }
TOML
cat >src/main.rs <<'RUST'
use tracing_subscriber::EnvFilter;

fn logs(filter: EnvFilter) -> &'static str {
    let subscriber = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::sink).finish();
    let enabled = tracing::subscriber::with_default(subscriber, || tracing::enabled!(tracing::Level::ERROR));
    if enabled { "errors logged" } else { "nothing logged" }
}

fn main() {
    for text in ["info", "error", "inof", "", "info gateway=debug", "gateway=inof"] {
        println!("try_new({text:?}): {}", EnvFilter::try_new(text).map_or("refused", logs));
    }
    println!("new(\"\"): {}", logs(EnvFilter::new("")));
}
RUST
CARGO_TARGET_DIR=$work/target CARGO_BUILD_JOBS=1 cargo run --quiet | tee seen
diff - seen <<'SEEN'
try_new("info"): errors logged
try_new("error"): errors logged
try_new("inof"): nothing logged
try_new(""): nothing logged
try_new("info gateway=debug"): nothing logged
try_new("gateway=inof"): refused
new(""): errors logged
SEEN
