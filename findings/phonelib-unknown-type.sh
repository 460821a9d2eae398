#!/usr/bin/env bash
# phonelib 2.1.0: it types a number by its first three digits at most (and its length), and says Unknown where these do
# not tell. Its README has tables for every country and Unknown for a block that none claims; yet India's freephone 1800,
# Belgium's and Norway's shared cost (07879, 810) are blocks of the metadata that it is derived from. And where that
# metadata says "fixed line or mobile" for a whole country, as for Denmark and Mexico, an ordinary number is Unknown,
# though the type exists and is what a number of the United States gets. A rule on the type of the called number (do not
# route Unknown, bill shared cost) meets ordinary subscribers. `phonenumbers` 9.0.33 for Python types all of them.
#
# Seen: Unknown for the five of those; the neighbours of the same countries are typed.
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
mkdir src
cat >Cargo.toml <<'TOML'
[package]
name = "numbers"
version = "0.0.0"
edition = "2021"

[workspace]

[dependencies]
phonelib = "=2.1.0"
TOML
cat >src/main.rs <<'RUST'
fn main() {
    for (place, text) in [
        ("United States", "+12065550100"),
        ("Denmark", "+4532123456"),
        ("Mexico", "+525512345678"),
        ("India, fixed line", "+911123456789"),
        ("India, freephone", "+911800123456"),
        ("Belgium, fixed line", "+3226611234"),
        ("Belgium, shared cost", "+3278791234"),
        ("Norway, premium rate", "+4782021234"),
        ("Norway, shared cost", "+4781021234"),
    ] {
        println!("{place} {text}: {:?}", phonelib::detect_phone_number_type(text));
    }
}
RUST
CARGO_TARGET_DIR=$work/target CARGO_BUILD_JOBS=1 cargo run --quiet | tee seen
diff - seen <<'SEEN'
United States +12065550100: Some(FixedLineOrMobile)
Denmark +4532123456: Some(Unknown)
Mexico +525512345678: Some(Unknown)
India, fixed line +911123456789: Some(FixedLine)
India, freephone +911800123456: Some(Unknown)
Belgium, fixed line +3226611234: Some(FixedLine)
Belgium, shared cost +3278791234: Some(Unknown)
Norway, premium rate +4782021234: Some(PremiumRate)
Norway, shared cost +4781021234: Some(Unknown)
SEEN
