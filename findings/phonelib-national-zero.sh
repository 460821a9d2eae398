#!/usr/bin/env bash
# phonelib 2.1.0: the national form of some numbers lacks the trunk 0 that their neighbours have. Its documentation has
# the national form carry the country's trunk prefix where it has one, and Ireland and Lebanon have 0 for all landlines;
# a number without it cannot be dialled in Ireland outside its own area (1 801 2345 for 01 801 2345). `phonenumbers`
# 9.0.33 for Python writes the 0 in all of these. A gateway that hands a PBX the national form so sends it a caller that
# cannot be called back, for a part of one city's numbers and not for the others.
#
# Seen: Dublin 01 501 and 01 812 with the 0, 801 and 512 without; Lebanon 01 with the 0, 09 without.
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
use phonelib::{format_phone_number, PhoneFormat};

fn main() {
    for text in ["+35315012345", "+35318123456", "+35315123456", "+35318012345", "+9611123456", "+9619123456"] {
        println!("{text}: {:?}", format_phone_number(text, PhoneFormat::National));
    }
}
RUST
CARGO_TARGET_DIR=$work/target CARGO_BUILD_JOBS=1 cargo run --quiet | tee seen
diff - seen <<'SEEN'
+35315012345: Some("01 501 2345")
+35318123456: Some("01 812 3456")
+35315123456: Some("1 512 3456")
+35318012345: Some("1 801 2345")
+9611123456: Some("0112 3456")
+9619123456: Some("912 3456")
SEEN
