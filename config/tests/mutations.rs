//! Whatever stands in the file, the answer is a configuration or a list of mistakes.

#![allow(clippy::unwrap_used, clippy::string_slice, reason = "a test")]

use std::path::Path;

use config::Config;
use proptest::prelude::*;

const FILE: &str = include_str!("everything.toml");

fn check(text: &str) {
    if let Err(errors) = Config::parse(text, Path::new("f.toml")) {
        assert!(errors.iter().next().is_some());
        let lines = text.matches('\n').count() + 1;
        for error in errors.iter() {
            assert!((1..=lines).contains(&error.position.line) && error.position.column >= 1, "{error}");
            assert!(
                !error.problem.is_empty() && !error.remedy.is_empty() && !error.to_string().contains('\n')
            );
        }
    }
}

fn boundary(text: &str, at: prop::sample::Index) -> usize {
    (0..=at.index(text.len() + 1)).rev().find(|at| text.is_char_boundary(*at)).unwrap_or_default()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn a_changed_file_never_panics(
        changes in prop::collection::vec(
            (any::<prop::sample::Index>(), 0_usize..12, prop_oneof![
                "[\\[\\]{}\"'=.,# \n0-9a-z+-]{0,4}", ".{0,2}",
                Just("[[".to_owned()), Just("\"\"\"".to_owned()), Just("\n[".to_owned()), Just("0".to_owned()),
            ]),
            1..6,
        ),
    ) {
        let mut text = FILE.to_owned();
        for (at, remove, insert) in changes {
            let start = boundary(&text, at);
            let end = (start..=(start + remove).min(text.len())).rev().find(|at| text.is_char_boundary(*at)).unwrap();
            text.replace_range(start..end, &insert);
        }
        check(&text);
    }

    #[test]
    fn lines_in_any_order_never_panic(lines in Just(FILE.lines().collect::<Vec<_>>()).prop_shuffle(), keep in 1_usize..120) {
        check(&lines.iter().take(keep).copied().collect::<Vec<_>>().join("\n"));
    }

    #[test]
    fn any_text_never_panics(text in "\\PC{0,80}") {
        check(&text);
    }

    #[test]
    fn any_inventory_never_panics(text in "(number|voice_connector|[,\"\r\n+0-9a-z]){0,40}") {
        let (mut config, _) = Config::parse(FILE, Path::new("f.toml")).unwrap();
        let before = config.numbers.len();
        if config.parse_inventory(&text, Path::new("n.csv")).is_err() {
            prop_assert_eq!(config.numbers.len(), before);
        }
    }
}
