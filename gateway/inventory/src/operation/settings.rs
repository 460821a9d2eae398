//! Settings of the account.

use std::time::Duration;

use crate::object::Settings;
use crate::operation::numbers::checked_calling_name;
use crate::{Error, Inventory, When};

/// How long a default calling name stays.
const CALLING_NAME_STAYS: Duration = Duration::from_secs(7 * 24 * 60 * 60);

impl Inventory {
    /// `GetGlobalSettings`, `GetPhoneNumberSettings`. A calling name of the files is told as ours.
    pub fn settings(&self) -> Settings {
        let working = self.working();
        let kept = working.state.settings.get("account").map(|kept| kept.value.clone()).unwrap_or_default();
        match &working.files.config.gateway.default_calling_name {
            Some(name) => Settings { calling_name: Some(name.to_string()), ..kept },
            None => kept,
        }
    }

    /// `UpdateGlobalSettings`.
    ///
    /// - `cdr_bucket`: None: none.
    ///
    /// # Errors
    /// `BadRequest`.
    pub fn update_global_settings(
        &self,
        when: impl Into<When>,
        cdr_bucket: Option<&str>,
    ) -> Result<(), Error> {
        if cdr_bucket.is_some_and(|bucket| !is_bucket(bucket)) {
            let rule = "a bucket's name has 3 to 63 lower-case letters, digits and hyphens, no `xn--` before and no `-s3alias` behind";
            return Err(Error::BadRequest(rule.to_owned()));
        }
        self.change(when, |transaction| {
            let kept = transaction.state.settings.get("account");
            let kept = kept.map(|kept| kept.value.clone()).unwrap_or_default();
            let cdr_bucket = cdr_bucket.map(str::to_owned);
            transaction.put(Settings { cdr_bucket, ..kept }).map(|_| ())
        })
    }

    /// `UpdatePhoneNumberSettings`: the calling name of numbers without one; another one only seven days later.
    ///
    /// - `calling_name`: empty: none.
    ///
    /// # Errors
    /// `BadRequest`; `Conflict` where files have one.
    pub fn update_phone_number_settings(
        &self,
        when: impl Into<When>,
        calling_name: &str,
    ) -> Result<(), Error> {
        let calling_name = checked_calling_name(calling_name)?;
        self.change(when, |transaction| {
            let files = &transaction.files.config;
            if files.gateway.default_calling_name.is_some() {
                let place = files.place(&config::Object::Table("gateway".to_owned()));
                let nowhere = config::Position { file: "the configuration".into(), line: 0, column: 0 };
                let position = place.cloned().unwrap_or(nowhere);
                let id = "default_calling_name".to_owned();
                return Err(Error::OwnedByFile { kind: "setting", id, position });
            }
            let kept = transaction.state.settings.get("account");
            let kept = kept.map(|kept| kept.value.clone()).unwrap_or_default();
            if kept.calling_name == calling_name {
                return Ok(());
            }
            let now = transaction.now();
            if kept.calling_name_updated.is_some_and(|last| now.since(last) < CALLING_NAME_STAYS) {
                let rule = "the default calling name can be changed once in seven days";
                return Err(Error::BadRequest(rule.to_owned()));
            }
            let calling_name_updated = Some(now);
            transaction.put(Settings { calling_name, calling_name_updated, ..kept }).map(|_| ())
        })
    }
}

/// `S3BucketName`.
fn is_bucket(name: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    (3..=63).contains(&name.len())
        && name.bytes().all(|byte| plain(byte) || byte == b'-')
        && name.bytes().next().is_some_and(plain)
        && name.bytes().next_back().is_some_and(plain)
        && !name.starts_with("xn--")
        && !name.ends_with("-s3alias")
}
