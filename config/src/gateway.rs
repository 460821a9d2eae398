//! The table `[gateway]`.

use std::path::PathBuf;

use crate::CallingName;
use crate::read::{Item, Table};
use crate::value::{ValueError, is_domain_name};

/// `[gateway]`: what holds for all connectors.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Gateway {
    /// In records and metrics. Default: `local`.
    pub region: String,
    /// `AwsAccountId` of records. Default: none.
    pub account: Option<String>,
    /// A connector answers to `<id>.<domain>`. Lower case. Default: `localhost`.
    pub domain: String,
    /// The calling name of numbers that have none of their own. Default: none.
    pub default_calling_name: Option<CallingName>,
    /// The number inventory, a CSV. Default: none.
    pub phone_numbers: Option<PathBuf>,
    /// The realm of digest challenges. Default: the domain.
    pub realm: String,
    /// Subscribers' numbers are cut to their first digits in the log. Default: false.
    pub mask_numbers: bool,
}

impl Gateway {
    pub(crate) fn read(table: Option<&Table<'_>>) -> Self {
        let get = |key| table.and_then(|table| table.get(key));
        let domain = get("domain").and_then(|item| item.text(domain));
        let domain = domain.unwrap_or_else(|| "localhost".into());
        Self {
            region: get("region").and_then(|item| label(&item)).unwrap_or_else(|| "local".into()),
            account: get("account").and_then(|item| label(&item)),
            default_calling_name: get("default_calling_name").and_then(|item| item.parse()),
            phone_numbers: get("phone_numbers").and_then(|item| item.needed_file()),
            realm: get("realm").and_then(|item| quotable(&item)).unwrap_or_else(|| domain.clone()),
            mask_numbers: get("mask_numbers").and_then(|item| item.boolean()).unwrap_or(false),
            domain,
        }
    }
}

fn domain(text: &str) -> Result<String, ValueError> {
    let name = text.strip_suffix('.').unwrap_or(text);
    // `<id>.` with an id of 22 characters goes before it.
    if is_domain_name(name) && name.len() <= 230 {
        return Ok(name.to_ascii_lowercase());
    }
    Err(ValueError::new(
        format!("{text:?} is not a domain name"),
        "a name, as in \"voiceconnector.example.com\"; an address cannot stand after `<id>.`",
    ))
}

/// A word that fits a record, a path and a metric's label.
pub(crate) fn label(item: &Item<'_>) -> Option<String> {
    let text = item.string()?;
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    if (1..=64).contains(&text.len()) && text.bytes().all(fits) {
        return Some(text.to_owned());
    }
    item.wrong(format!("`{}` is {text:?}", item.name()), "1 to 64 letters, digits, `-` or `_`");
    None
}

/// A text that needs no escape between quotes in a SIP header.
pub(crate) fn quotable(item: &Item<'_>) -> Option<String> {
    let text = item.name_text()?;
    if text.contains(['"', '\\']) {
        item.wrong(format!("`{}` is {text:?}", item.name()), "it without quotes and backslashes inside");
        return None;
    }
    Some(text.to_owned())
}
