//! Records of one kind by their time, the newest first, for who shows some of many.

use std::io;

use serde_json::Value;

use super::{Shelf, WIDE_ROOT, body_of, list};

/// Hands over the names of records, the newest first: `<root>/<yyyy>/<mm>/<dd>/<HH.MM.SS.mmm>_<id>`.
///
/// - `take`: says whether to go on.
///
/// # Errors
/// A shelf can't be read, or `take` failed.
pub fn newest(
    shelves: &[Box<dyn Shelf>],
    root: &str,
    take: &mut dyn FnMut(&str) -> io::Result<bool>,
) -> io::Result<()> {
    for year in list(shelves, root)?.iter().rev() {
        for month in list(shelves, &format!("{root}/{year}"))?.iter().rev() {
            for day in list(shelves, &format!("{root}/{year}/{month}"))?.iter().rev() {
                let day = format!("{root}/{year}/{month}/{day}");
                for name in list(shelves, &day)?.iter().rev() {
                    if !take(&format!("{day}/{name}"))? {
                        return Ok(());
                    }
                }
            }
        }
    }
    Ok(())
}

/// A record as it is delivered; `None`: it is gone, or is none.
///
/// # Errors
/// A shelf can't be read.
pub fn record(shelves: &[Box<dyn Shelf>], name: &str) -> io::Result<Option<Value>> {
    Ok(body_of(shelves, name)?.and_then(|body| serde_json::from_slice(&body).ok()))
}

/// Hands over the wide records of calls, as [`newest`].
///
/// # Errors
/// As [`newest`].
pub fn newest_calls(shelves: &[Box<dyn Shelf>], take: &mut dyn FnMut(Value) -> bool) -> io::Result<()> {
    newest(shelves, WIDE_ROOT, &mut |name| Ok(record(shelves, name)?.is_none_or(&mut *take)))
}

/// The wide record of a call.
///
/// - `id`: its transaction id, whole.
///
/// # Errors
/// A shelf can't be read.
pub fn find_call(shelves: &[Box<dyn Shelf>], id: &str) -> io::Result<Option<Value>> {
    let mut found = None;
    newest(shelves, WIDE_ROOT, &mut |name| {
        let of_call = name.rsplit_once('_').and_then(|(_, rest)| rest.strip_suffix(".json")) == Some(id);
        if of_call {
            found = record(shelves, name)?;
        }
        Ok(!of_call)
    })?;
    Ok(found)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::super::Folder;
    use super::*;

    #[test]
    fn the_newest_come_first_and_one_is_found_by_its_id() {
        let directory = tempfile::tempdir().unwrap();
        let calls = [
            ("2025/12/31/23.59.59.000_a", 1),
            ("2026/01/01/00.00.00.000_b", 2),
            ("2026/01/02/10.00.00.000_c", 3),
            ("2026/01/02/09.00.00.000_d", 4),
        ];
        for (name, n) in calls {
            let path = directory.path().join(format!("{WIDE_ROOT}/{name}.json"));
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, format!("{{\"n\":{n}}}")).unwrap();
        }
        fs::write(directory.path().join(format!("{WIDE_ROOT}/2026/01/02/09.30.00.000_e.json")), "{").unwrap();
        let shelves: Vec<Box<dyn Shelf>> = vec![Box::new(Folder(directory.path().to_owned()))];
        let mut seen = Vec::new();
        newest_calls(&shelves, &mut |record| {
            seen.push(record["n"].as_u64().unwrap());
            seen.len() < 3
        })
        .unwrap();
        assert_eq!(seen, [3, 4, 2]);
        assert_eq!(find_call(&shelves, "a").unwrap().unwrap()["n"], 1);
        assert_eq!(find_call(&shelves, "00.000_a").unwrap(), None);
    }
}
