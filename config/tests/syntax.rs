//! Mistakes of syntax, each with the line that it gives.

#![allow(clippy::unwrap_used, reason = "a test")]

use std::path::Path;

use config::Config;

#[test]
fn mistakes_of_syntax_name_their_place_and_remedy() {
    for (text, expected) in [
        (
            "listen = [{ address = \"127.0.0.1:5060\" }\n",
            "f.toml:1:41: unclosed array; write the `]` that closes it",
        ),
        ("[gateway\nregion = \"a\"\n", "f.toml:1:9: unclosed table; write the `]` that closes it"),
        (
            "[gateway]\nregion = us-east-1\n",
            "f.toml:2:10: this is no value; write a text in quotes, and commas between the elements of a list",
        ),
        ("[gateway]\nregion =\n", "f.toml:2:9: there is no value after `=`; write one"),
        ("[gateway]\nregion \"a\"\n", "f.toml:2:8: key with no value; write `key = value`"),
        (
            "[gateway]\nregion = \"a\ndomain = \"b.c\"\n",
            "f.toml:2:12: the string does not end on its line; write the quote that closes it",
        ),
        (
            "[gateway]\nregion = \"a\"\nregion = \"b\"\n[gateway]\ndomain = \"b.c\"\n",
            "f.toml:1:1: there is no [[listen]]; write [[listen]] with address = \"192.0.2.10:5060\", an address of this machine\nf.toml:3:1: `region` is here a second time; remove one of the two\nf.toml:4:2: `gateway` is here a second time; remove one of the two",
        ),
        (
            "[media]\nports = [5000 65000]\n",
            "f.toml:2:10: this is no value; write a text in quotes, and commas between the elements of a list",
        ),
        ("[media]\nports = [5000, 65_000_]\n", "f.toml:2:22: `_` may only go between digits; remove it"),
        ("a = 1.2.3\n", "f.toml:1:8: this is no value; write a number, or a text in quotes"),
        ("= 1\n", "f.toml:1:1: unquoted keys cannot be empty; write letters or numbers or `-` or `_`"),
        ("[gateway] x\n", "f.toml:1:11: unexpected key or value; write newline or `#`"),
        ("[[listen]\n", "f.toml:1:10: unclosed array table; write the `]]` that closes it"),
        (
            "listen = [{ address = \"127.0.0.1:5060\", }, }]\n",
            "f.toml:1:44: this `}` closes nothing; remove it",
        ),
        ("[gateway]\nregion = \"\\q\"\n", "f.toml:2:12: this is no escape; write `\\\\` for a backslash"),
        (
            "[gateway]\nregion = \"a\" domain = \"b\"\n",
            "f.toml:2:14: unexpected key or value; write newline or `#`",
        ),
        (
            "\n",
            "f.toml:1:1: there is no [[listen]]; write [[listen]] with address = \"192.0.2.10:5060\", an address of this machine",
        ),
    ] {
        let errors = Config::parse(text, Path::new("f.toml")).unwrap_err();
        assert_eq!(errors.to_string(), expected, "{text}");
    }
}

/// Each as its message says, which gives a file that works.
#[test]
fn mended_as_told_it_is_toml() {
    for (wrong, right) in [
        ("listen = [{ address = \"127.0.0.1\" }\n", "listen = [{ address = \"127.0.0.1\" }]\n"),
        ("[gateway\nregion = \"a\"\n", "[gateway]\nregion = \"a\"\n"),
        ("[gateway]\nregion = us-east-1\n", "[gateway]\nregion = \"us-east-1\"\n"),
        ("[gateway]\nregion =\n", "[gateway]\nregion = \"a\"\n"),
        ("[gateway]\nregion \"a\"\n", "[gateway]\nregion = \"a\"\n"),
        ("[gateway]\nregion = \"a\n", "[gateway]\nregion = \"a\"\n"),
        ("[gateway]\nregion = \"a\"\nregion = \"b\"\n", "[gateway]\nregion = \"a\"\n"),
        ("[media]\nports = [5000 65000]\n", "[media]\nports = [5000, 65000]\n"),
        ("[media]\nports = [5000, 65_000_]\n", "[media]\nports = [5000, 65_000]\n"),
        ("[gateway] x\n", "[gateway] # x\n"),
        ("[media]\nports = [5000, 65000]]\n", "[media]\nports = [5000, 65000]\n"),
        ("[gateway]\nregion = \"a\" domain = \"b\"\n", "[gateway]\nregion = \"a\"\ndomain = \"b\"\n"),
    ] {
        let whole = |text: &str| match text.starts_with("listen") {
            true => text.to_owned(),
            false => format!("listen = [{{ address = \"127.0.0.1\" }}]\n{text}"),
        };
        assert!(Config::parse(&whole(wrong), Path::new("f.toml")).is_err(), "{wrong}");
        let mended = Config::parse(&whole(right), Path::new("f.toml")).map(|_| ());
        assert_eq!(mended.map_err(|error| error.to_string()), Ok(()), "{wrong}");
    }
}
