#!/usr/bin/env bash
# phonenumber 0.3.10+9.0.33: `number_type` looks at the number without its leading zeros, `is_valid` with them. In Italy
# and San Marino the zero belongs to the number and stands in its international form too (RFC 3966 §5.1.4: a global
# number is complete), so a landline of Rome or Milan is valid and of unknown type at once, and one of Salerno (089) is
# typed as Italy's premium rate 89x. A gateway that refuses premium rate by this type refuses calls to a whole city.
# `phonenumbers` 9.0.33 for Python, of the same metadata, says fixed line for all of them.
#
# Seen: Rome, Milan and San Marino: valid, Unknown. Salerno: valid, PremiumRate. Madrid, for comparison: valid,
# FixedLine.
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
    for (place, text) in [
        ("Madrid", "+34911234567"),
        ("Milan", "+390212345678"),
        ("Rome", "+390649911234"),
        ("Salerno", "+39089212345"),
        ("San Marino", "+3780549886377"),
    ] {
        let number = phonenumber::parse(None, text)?;
        println!("{place} {text}: {:?}, valid: {}", number.number_type(&DATABASE), number.is_valid());
    }
    Ok(())
}
RUST
CARGO_TARGET_DIR=$work/target CARGO_BUILD_JOBS=1 cargo run --quiet | tee seen
diff - seen <<'SEEN'
Madrid +34911234567: FixedLine, valid: true
Milan +390212345678: Unknown, valid: true
Rome +390649911234: Unknown, valid: true
Salerno +39089212345: PremiumRate, valid: true
San Marino +3780549886377: Unknown, valid: true
SEEN
