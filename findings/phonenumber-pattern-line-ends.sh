#!/usr/bin/env bash
# phonenumber 0.3.10+9.0.33: the pattern that a descriptor of `metadata` shows (`national_number().as_str()`) still has
# the line ends and indents of libphonenumber's XML in it. The crate itself compiles them with whitespace ignored. Whoever
# takes the text to a regex of its own, as its type suggests, gets one that compiles and silently never matches where the
# pattern was long enough to be broken into lines: most fixed-line patterns. Short ones work, so a sample looks right.
#
# Seen: of the regions' fixed-line patterns most hold a line end; the example number that the same descriptor gives is
# matched by the crate for all of these, by the plain text for none.
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
mkdir src
cat >Cargo.toml <<'TOML'
[package]
name = "patterns"
version = "0.0.0"
edition = "2021"

[workspace]

[dependencies]
phonenumber = "=0.3.10"
regex = "=1.11.1"
TOML
cat >src/main.rs <<'RUST'
use phonenumber::metadata::DATABASE;

fn main() {
    let (mut short, mut broken, mut plain, mut spaced) = (0, 0, 0, 0);
    for code in 1..1000u16 {
        let Some(regions) = DATABASE.region(&code) else { continue };
        for region in regions {
            let Some(meta) = DATABASE.by_id(region) else { continue };
            let Some(fixed) = meta.descriptors().fixed_line() else { continue };
            let Some(example) = fixed.example() else { continue };
            let text = fixed.national_number().as_str();
            if !text.contains('\n') {
                short += 1;
                continue;
            }
            broken += 1;
            let whole = |flags: &str| regex::Regex::new(&format!("{flags}^(?:{text})$")).unwrap();
            plain += usize::from(whole("").is_match(example));
            spaced += usize::from(whole("(?x)").is_match(example));
        }
    }
    println!("more than 100 patterns hold a line end: {}", broken > 100);
    println!("some hold none: {}", short > 0);
    println!("of those with a line end match their own example: as text {plain}, with whitespace ignored all: {}", spaced == broken);
}
RUST
CARGO_TARGET_DIR=$work/target CARGO_BUILD_JOBS=1 cargo run --quiet | tee seen
diff - seen <<'SEEN'
more than 100 patterns hold a line end: true
some hold none: true
of those with a line end match their own example: as text 0, with whitespace ignored all: true
SEEN
