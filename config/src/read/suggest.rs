//! What a misspelt word was probably meant to be.

/// The candidate that `text` was probably meant to be: a third of its letters may differ, or `text` is a part
/// of it; letter case counts for nothing.
pub(crate) fn nearest<'c>(text: &str, candidates: impl IntoIterator<Item = &'c str>) -> Option<&'c str> {
    let candidates: Vec<&str> = candidates.into_iter().collect();
    let part = |candidate: &&&str| text.len() >= 4 && candidate.contains(&text.to_ascii_lowercase());
    misspelt(text, &candidates).or_else(|| candidates.iter().find(part).copied())
}

fn misspelt<'c>(text: &str, candidates: &[&'c str]) -> Option<&'c str> {
    let plain = |text: &str| text.to_ascii_lowercase().replace('-', "_");
    let wanted = plain(text);
    candidates
        .iter()
        .map(|candidate| (distance(&wanted, &plain(candidate)), *candidate))
        .filter(|(distance, candidate)| *distance <= candidate.len().max(wanted.len()) / 3)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// Letters to insert, remove, replace or swap with a neighbour (optimal string alignment).
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().take(64).collect();
    let mut before: Vec<usize> = Vec::new();
    let mut above: Vec<usize> = (0..=b.len()).collect();
    let mut last_a = None;
    for (row, a) in a.chars().take(64).enumerate() {
        let mut current = vec![row + 1];
        let mut last_b = None;
        for (column, b) in b.iter().copied().enumerate() {
            let cell = |line: &[usize], column: usize| line.get(column).copied().unwrap_or(usize::MAX - 1);
            let mut best = (cell(&above, column) + usize::from(a != b))
                .min(cell(&above, column + 1) + 1)
                .min(cell(&current, column) + 1);
            if let Some(left) = column.checked_sub(1)
                && last_a == Some(b)
                && last_b == Some(a)
            {
                best = best.min(cell(&before, left) + 1);
            }
            current.push(best);
            last_b = Some(b);
        }
        before = std::mem::replace(&mut above, current);
        last_a = Some(a);
    }
    above.last().copied().unwrap_or_default()
}

/// `"a"`, `"a" or "b"`, `"a", "b" or "c"`.
pub(crate) fn one_of<'c>(choices: impl IntoIterator<Item = &'c str>) -> String {
    let mut quoted: Vec<String> = choices.into_iter().map(|choice| format!("{choice:?}")).collect();
    match (quoted.pop(), quoted.join(", ")) {
        (Some(last), before) if before.is_empty() => last,
        (Some(last), before) => format!("{before} or {last}"),
        (None, _) => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slips_of_the_pen_are_recognised() {
        let keys = ["address", "advertise", "protocol", "max_calls", "cps_limit"];
        for (text, expected) in [
            ("adress", Some("address")),
            ("adrdess", Some("address")),
            ("max-calls", Some("max_calls")),
            ("Protocol", Some("protocol")),
            ("cps_limits", Some("cps_limit")),
            ("calls", Some("max_calls")),
            ("colour", None),
            ("", None),
        ] {
            assert_eq!(nearest(text, keys), expected, "{text}");
        }
        assert_eq!(distance("kitten", "sitting"), 3);
        assert_eq!(distance("ab", "ba"), 1);
        assert_eq!(distance("", "abc"), 3);
        assert_eq!(one_of(["a", "b", "c"]), "\"a\", \"b\" or \"c\"");
    }
}
