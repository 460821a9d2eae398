#!/usr/bin/env bash
# phonenumber 0.3.10+9.0.33: `is_valid` asks whether the number starts with what the country's pattern describes, not
# whether it is that. A number with a digit or two too many is valid wherever some other number of its country is as
# long. libphonenumber matches the whole number, and `phonenumbers` 9.0.33 for Python, of the same metadata, calls each
# of the longer ones below invalid. A misdialled number so passes as valid and costs a call attempt to find out.
#
# Seen: each number below, right and too long, is valid and typed alike; London with a digit too many is invalid, as no
# British number has that many.
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
phonenumber = "=0.3.10"
TOML
cat >src/main.rs <<'RUST'
use phonenumber::metadata::DATABASE;

fn main() -> Result<(), phonenumber::ParseError> {
    for (place, right, long) in [
        ("London", "+442079460000", "+4420794600001"),
        ("Zagreb", "+38512345678", "+385123456781"),
        ("Beijing", "+861012345678", "+8610123456781"),
        ("Bosnian mobile", "+38761123456", "+387611234561"),
        ("Chilean freephone", "+56800123456", "+5680012345612"),
    ] {
        for text in [right, long] {
            let number = phonenumber::parse(None, text)?;
            println!("{place} {text}: {:?}, valid: {}", number.number_type(&DATABASE), number.is_valid());
        }
    }
    Ok(())
}
RUST
CARGO_TARGET_DIR=$work/target CARGO_BUILD_JOBS=1 cargo run --quiet | tee seen
diff - seen <<'SEEN'
London +442079460000: FixedLine, valid: true
London +4420794600001: Unknown, valid: false
Zagreb +38512345678: FixedLine, valid: true
Zagreb +385123456781: FixedLine, valid: true
Beijing +861012345678: FixedLine, valid: true
Beijing +8610123456781: FixedLine, valid: true
Bosnian mobile +38761123456: Mobile, valid: true
Bosnian mobile +387611234561: Mobile, valid: true
Chilean freephone +56800123456: TollFree, valid: true
Chilean freephone +5680012345612: TollFree, valid: true
SEEN
