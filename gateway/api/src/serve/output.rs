//! Objects as the model has them.

use inventory::Timestamp;
use serde_json::{Map, Value};
use time::OffsetDateTime;
use time::format_description::BorrowedFormatItem;
use time::macros::format_description;

const SECONDS: &[BorrowedFormatItem<'_>] =
    format_description!("[year]-[month]-[day]T[hour]:[minute]:[second]Z");
const MILLISECONDS: &[BorrowedFormatItem<'_>] =
    format_description!("[year]-[month]-[day]T[hour]:[minute]:[second].[subsecond digits:3]Z");

/// `2019-09-18T20:34:01.352Z`, or without milliseconds.
pub(crate) fn timestamp(at: OffsetDateTime, milliseconds: bool) -> String {
    at.to_offset(time::UtcOffset::UTC)
        .format(if milliseconds { MILLISECONDS } else { SECONDS })
        .unwrap_or_default()
}

/// The same of what the inventory keeps.
pub(super) fn time(at: Timestamp) -> String {
    let at = OffsetDateTime::from_unix_timestamp_nanos(i128::from(at.0) * 1_000_000);
    timestamp(at.unwrap_or(OffsetDateTime::UNIX_EPOCH), true)
}

/// An object without its members that are `null`.
pub(super) fn object<const N: usize>(members: [(&str, Value); N]) -> Value {
    let there = members.into_iter().filter(|(_, value)| !value.is_null());
    Value::Object(there.map(|(name, value)| (name.to_owned(), value)).collect::<Map<_, _>>())
}
