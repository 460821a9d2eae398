//! Tags of connectors and groups.

use std::collections::BTreeMap;

use crate::files::Files;
use crate::object::{Connector, Group, Tag, Tags};
use crate::state::State;
use crate::{Error, Inventory, When};

impl Inventory {
    /// `TagResource`: adds tags, and replaces those of the same keys.
    ///
    /// - `arn`: a connector's or group's.
    ///
    /// # Errors
    /// `NotFound`, `BadRequest`; `ResourceLimitExceeded`: the resource would have too many.
    pub fn tag_resource(&self, when: impl Into<When>, arn: &str, tags: Vec<Tag>) -> Result<(), Error> {
        self.change(when, |transaction| {
            let resource = resource(arn, transaction.state, transaction.files)?;
            let limit = transaction.limits.tags;
            let known = transaction.state.tags.get(resource).map(|known| known.value.tags.clone());
            let mut all: BTreeMap<String, String> =
                known.into_iter().flatten().map(|tag| (tag.key, tag.value)).collect();
            all.extend(checked_tags(tags, limit)?.into_iter().map(|tag| (tag.key, tag.value)));
            if all.len() > limit {
                return Err(Error::LimitExceeded { what: "tags", limit });
            }
            let tags = all.into_iter().map(|(key, value)| Tag { key, value }).collect();
            transaction.put(Tags { resource: resource.to_owned(), tags }).map(|_| ())
        })
    }

    /// `UntagResource`; keys that there are not are no error.
    ///
    /// # Errors
    /// `NotFound`.
    pub fn untag_resource(&self, when: impl Into<When>, arn: &str, keys: &[String]) -> Result<(), Error> {
        self.change(when, |transaction| {
            let resource = resource(arn, transaction.state, transaction.files)?;
            let Some(known) = transaction.state.tags.get(resource).cloned() else { return Ok(()) };
            let left = known.value.tags.iter().filter(|tag| !keys.contains(&tag.key));
            let tags: Vec<Tag> = left.cloned().collect();
            if tags.is_empty() {
                transaction.remove::<Tags>(resource);
                return Ok(());
            }
            transaction.put(Tags { resource: resource.to_owned(), tags }).map(|_| ())
        })
    }

    /// `ListTagsForResource`, in the order of keys.
    ///
    /// # Errors
    /// `NotFound`.
    pub fn tags_for_resource(&self, arn: &str) -> Result<Vec<Tag>, Error> {
        let working = self.working();
        let resource = resource(arn, &working.state, &working.files)?;
        Ok(working.state.tags.get(resource).map(|known| known.value.tags.clone()).unwrap_or_default())
    }

    /// The ARN of a connector.
    pub fn connector_arn(&self, connector: &Connector) -> String {
        self.arn(&connector.region, &format!("vc/{}", connector.id))
    }

    /// The ARN of a group.
    pub fn group_arn(&self, group: &Group) -> String {
        let region = self.working().files.config.gateway.region.clone();
        self.arn(&region, &format!("vcg/{}", group.id))
    }

    /// `arn:aws:chime:<region>:<account>:<resource>`; the account is twelve zeros where the files name none.
    pub fn arn(&self, region: &str, resource: &str) -> String {
        arn_of(&self.working().files, region, resource)
    }
}

fn arn_of(files: &Files, region: &str, resource: &str) -> String {
    let account = files.config.gateway.account.as_deref().unwrap_or("000000000000");
    format!("arn:aws:chime:{region}:{account}:{resource}")
}

/// What an ARN names: `vc/<id>` or `vcg/<id>`. It must be the very one that the resource has: policies are asked about that.
fn resource<'a>(arn: &'a str, state: &State, files: &Files) -> Result<&'a str, Error> {
    let named = arn.splitn(6, ':').nth(5).and_then(|resource| {
        let region = match resource.split_once('/')? {
            ("vc", id) => {
                let connector = state.connectors.get(id).or_else(|| files.connectors.get(id))?;
                connector.value.region.as_str()
            }
            ("vcg", id) if state.groups.contains_key(id) || files.groups.contains_key(id) => {
                files.config.gateway.region.as_str()
            }
            _ => return None,
        };
        (arn == arn_of(files, region, resource)).then_some(resource)
    });
    named.ok_or_else(|| Error::NotFound { kind: "resource", id: arn.to_owned() })
}

/// The tags in the order of their keys.
pub(super) fn checked_tags(mut tags: Vec<Tag>, limit: usize) -> Result<Vec<Tag>, Error> {
    let fits = |tag: &Tag| (1..=128).contains(&tag.key.chars().count()) && tag.value.chars().count() <= 256;
    if !tags.iter().all(fits) {
        let rule = "a tag's key has 1 to 128 characters, and its value 256 at most";
        return Err(Error::BadRequest(rule.to_owned()));
    }
    if tags.len() > limit {
        return Err(Error::BadRequest(format!("a resource has {limit} tags at most")));
    }
    tags.sort_by(|one, other| one.key.cmp(&other.key));
    if tags.windows(2).any(|two| matches!(two, [one, other] if one.key == other.key)) {
        return Err(Error::BadRequest("a tag's key is there twice".to_owned()));
    }
    Ok(tags)
}
