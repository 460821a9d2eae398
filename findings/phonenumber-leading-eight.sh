#!/usr/bin/env bash
# phonenumber 0.3.10+9.0.33: it takes the leading 8 off an E.164 number of Russia, Lithuania or Belarus, as if that were
# the 8 (or the 80) once dialled before a national number, and gives another number back. A number with `+` is complete
# and has no trunk prefix (RFC 3966 §5.1.4), so it is to stay as it is; libphonenumber, whose metadata these are, takes a
# prefix off only where a number is left. Here the landlines of Saint Petersburg (+7 812) and Kazan (+7 843) and
# freephone numbers (+7 800, +370 800, +375 801) become shorter, invalid ones: whoever sets a call up to the E.164 form
# that he got back calls nobody or somebody else. `phonenumbers` 9.0.33 for Python keeps them.
#
# Seen: Moscow stays and is valid; each of the others loses its 8 and is invalid.
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
use phonenumber::Mode;

fn main() -> Result<(), phonenumber::ParseError> {
    for (place, text) in [
        ("Moscow", "+74951234567"),
        ("Saint Petersburg", "+78121234567"),
        ("Kazan", "+78432345678"),
        ("Russian freephone", "+78001234567"),
        ("Lithuanian freephone", "+37080012345"),
        ("Belarusian freephone", "+3758011234567"),
    ] {
        let number = phonenumber::parse(None, text)?;
        println!("{place} {text}: {}, valid: {}", number.format().mode(Mode::E164), number.is_valid());
    }
    Ok(())
}
RUST
CARGO_TARGET_DIR=$work/target CARGO_BUILD_JOBS=1 cargo run --quiet | tee seen
diff - seen <<'SEEN'
Moscow +74951234567: +74951234567, valid: true
Saint Petersburg +78121234567: +7121234567, valid: false
Kazan +78432345678: +7432345678, valid: false
Russian freephone +78001234567: +7001234567, valid: false
Lithuanian freephone +37080012345: +370012345, valid: false
Belarusian freephone +3758011234567: +37511234567, valid: false
SEEN
