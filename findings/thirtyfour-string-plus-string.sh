#!/usr/bin/env bash
# thirtyfour 0.38.1 (WebDriver): adding it to a crate stops other lines of that crate from compiling. Its WebDriver keys can be added
# to a String (`impl Add<Key> for String`), and a second `Add` for String takes away what one alone allows: the compiler
# no longer turns `&String` into the `&str` that the standard library's own wants. No `use` of it is needed: an implementation
# counts in every line of a crate that links it. So who adds it for one browser test has to mend other tests of the same
# target, far from any WebDriver.
#
# Seen: `a + &b` of two Strings builds without the dependency, and with it is E0277, "cannot add `&String` to `String`";
# `a + b.as_str()` builds with both.
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
mkdir src
# with DEPENDENCY USE SUM
build() {
    cat >Cargo.toml <<TOML
[package]
name = "sums"
version = "0.0.0"
edition = "2021"

[workspace]

[dependencies]
$1
TOML
    printf '%s\nfn main() {\n    let (a, b) = (String::from("a"), String::from("b"));\n    println!("{}", %s);\n}\n' "$2" "$3" >src/main.rs
    if CARGO_TARGET_DIR=$work/target CARGO_BUILD_JOBS=1 cargo check --quiet 2>errors; then
        echo "$3 $4: builds"
    else
        echo "$3 $4: $(grep -m1 -oE 'error\[E[0-9]+\]: .*' errors)"
    fi
}
thirtyfour='thirtyfour = { version = "=0.38.1", default-features = false }'
{
    build "" "" 'a + &b' alone
    build "$thirtyfour" 'extern crate thirtyfour as _;' 'a + &b' beside
    build "$thirtyfour" 'extern crate thirtyfour as _;' 'a + b.as_str()' beside
} | tee seen
diff - seen <<'SEEN'
a + &b alone: builds
a + &b beside: error[E0277]: cannot add `&String` to `String`
a + b.as_str() beside: builds
SEEN
