//! Sizes in bytes.

use super::ValueError;

/// Parses a size such as `512 KiB`, `256 MiB` or `2GiB`, in bytes.
pub(crate) fn parse_size(text: &str) -> Result<u64, ValueError> {
    let units = [("KiB", 10), ("MiB", 20), ("GiB", 30)];
    let size = units.iter().find_map(|(unit, shift)| {
        let number: u64 = text.strip_suffix(unit)?.trim_end().parse().ok()?;
        number.checked_mul(1 << shift)
    });
    size.ok_or_else(|| {
        ValueError::new(format!("{text:?} is not a size"), "it as in \"256 MiB\" (KiB, MiB or GiB)")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_has_its_unit() {
        for (text, size) in
            [("1 KiB", Some(1024)), ("2GiB", Some(2 << 30)), ("1MB", None), ("5", None), ("-1 MiB", None)]
        {
            assert_eq!(parse_size(text).ok(), size, "{text}");
        }
    }
}
