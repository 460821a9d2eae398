//! The audit's records, newest first.

use std::io;

use ::console::{AuditLine, AuditPage, AuditWanted};
use serde_json::Value;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::record::AUDIT;
use crate::record::read::{Shelf, newest, record};

/// - `most`: records that are looked at.
pub(super) fn page(shelves: &[Box<dyn Shelf>], wanted: &AuditWanted, most: usize) -> io::Result<AuditPage> {
    let (mut page, mut left) = (AuditPage::default(), most);
    newest(shelves, AUDIT, &mut |name| {
        let Some(line) = record(shelves, name)?.as_ref().and_then(line) else { return Ok(true) };
        if wanted.before.is_some_and(|before| line.at >= before) {
            return Ok(true);
        }
        left -= 1;
        if is_wanted(&line, wanted) {
            page.more = page.lines.len() == wanted.most;
            if page.more {
                return Ok(false);
            }
            page.lines.push(line);
        }
        // Those that were looked at in vain are not looked at again by the next page.
        page.more = left == 0;
        Ok(left > 0)
    })?;
    Ok(page)
}

fn is_wanted(line: &AuditLine, wanted: &AuditWanted) -> bool {
    let has = |text: &str, part: &str| text.to_lowercase().contains(&part.to_lowercase());
    (has(&line.user, &wanted.user) || has(&line.key, &wanted.user)) && has(&line.operation, &wanted.operation)
}

fn line(record: &Value) -> Option<AuditLine> {
    let text = |pointer: &str| record.pointer(pointer).and_then(Value::as_str);
    let said = |pointer: &str| text(pointer).unwrap_or_default().to_owned();
    let error = text("/errorCode").map(|code| match text("/errorMessage") {
        Some(message) if !message.is_empty() => format!("{code}: {message}"),
        _ => code.to_owned(),
    });
    Some(AuditLine {
        at: OffsetDateTime::parse(text("/eventTime")?, &Rfc3339).ok()?,
        user: said("/userIdentity/userName"),
        key: said("/userIdentity/accessKeyId"),
        source: text("/sourceIPAddress").and_then(|source| source.parse().ok()),
        operation: said("/eventName"),
        error,
        parameters: record.get("requestParameters").map(Value::to_string).unwrap_or_default(),
    })
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::record::read::Folder;

    #[test]
    fn the_newest_come_first_and_pages_go_on() {
        let directory = tempfile::tempdir().unwrap();
        for minute in 0..5 {
            let path =
                directory.path().join(format!("{AUDIT}/2026/11/28/10.{minute:02}.00.000_e{minute}.json"));
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            let record = serde_json::json!({
                "eventTime": format!("2026-11-28T10:{minute:02}:00Z"), "eventName": if minute % 2 == 0 { "CreateVoiceConnector" } else { "TagResource" },
                "userIdentity": { "userName": "ada", "accessKeyId": "AKIAX" }, "sourceIPAddress": "192.0.2.1", "requestParameters": { "name": "A" },
                "errorCode": "ConflictException",
            });
            fs::write(path, record.to_string()).unwrap();
        }
        let shelves: Vec<Box<dyn Shelf>> = vec![Box::new(Folder(directory.path().to_owned()))];
        let times = |wanted: &AuditWanted, most| {
            let page = page(&shelves, wanted, most).unwrap();
            (page.lines.iter().map(|line| line.at.minute()).collect::<Vec<_>>(), page.more)
        };
        let all = AuditWanted { most: 3, ..AuditWanted::default() };
        assert_eq!(times(&all, 100), (vec![4, 3, 2], true));
        let older = OffsetDateTime::parse("2026-11-28T10:02:00Z", &Rfc3339).unwrap();
        assert_eq!(times(&AuditWanted { before: Some(older), ..all.clone() }, 100), (vec![1, 0], false));
        let created = AuditWanted { operation: "createvoice".to_owned(), user: "akiax".to_owned(), ..all };
        assert_eq!(times(&created, 100), (vec![4, 2, 0], false));
        assert_eq!(times(&created, 2), (vec![4], true), "enough was looked at");
    }
}
