//! Phone numbers: listed, changed, deleted and restored.

use std::ops::Bound;
use std::sync::Arc;
use std::time::Duration;

use config::{CallingName, E164};

use crate::inventory::Working;
use crate::object::{
    AssociationName, CallingNameStatus, NumberStatus, NumberType, Object, PhoneNumber, ProductType,
};
use crate::operation::configurations::with_plus;
use crate::page::{cursor, key_of};
use crate::transaction::Transaction;
use crate::{Error, Inventory, NumberError, Obstacle, Page, Paging, Timestamp, When};

/// How long a number stays in the deletion queue.
pub const DELETION: Duration = Duration::from_secs(7 * 24 * 60 * 60);

/// Which numbers are listed: those that have all of it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct NumberFilter {
    /// `Status`. Default: any.
    pub status: Option<NumberStatus>,
    /// `ProductType`. Default: any.
    pub product_type: Option<ProductType>,
    /// `FilterName` and `FilterValue`: whose they are. Default: anybody's.
    pub association: Option<(AssociationName, String)>,
    /// What the number has in it, digits; for people who search. Default: any.
    pub digits: Option<String>,
}

/// What becomes of a number: one of these at a time.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct NumberChange {
    /// `ProductType`; only while it has no owner.
    pub product_type: Option<ProductType>,
    /// `CallingName`: 2 to 15 letters, digits and spaces; empty: none of its own.
    pub calling_name: Option<String>,
    /// `Name`; empty: none.
    pub name: Option<String>,
}

impl Inventory {
    /// `GetPhoneNumber`.
    ///
    /// - `id`: the number, with or without its `+`.
    ///
    /// # Errors
    /// `NotFound`.
    pub fn phone_number(&self, now: Timestamp, id: &str) -> Result<Arc<Object<PhoneNumber>>, Error> {
        let id = of_id(id);
        self.working().number(now, &id)
    }

    /// `ListPhoneNumbers`, in the order of their digits as texts.
    ///
    /// # Errors
    /// `BadRequest`: the cursor is none of this list.
    pub fn phone_numbers(
        &self,
        now: Timestamp,
        filter: &NumberFilter,
        paging: Paging<'_>,
    ) -> Result<Page<Arc<Object<PhoneNumber>>>, Error> {
        let name = format!("numbers {filter:?}");
        let after = paging.after.map(|cursor| key_of(&self.seal, &name, cursor)).transpose()?;
        let limit = paging.limit.max(1);
        let working = self.working();
        let mut items = working.numbers(now, filter, after.as_deref(), limit + 1);
        let more = items.len() > limit;
        items.truncate(limit);
        let next =
            items.last().filter(|_| more).map(|last| cursor(&self.seal, &name, last.value.number.as_str()));
        Ok(Page { items, next })
    }

    /// `UpdatePhoneNumber`.
    ///
    /// # Errors
    /// `NotFound`; `BadRequest`: not one attribute, or one that it can't have; `Conflict` where files own it, or it has another
    /// revision.
    pub fn update_phone_number(
        &self,
        when: impl Into<When>,
        id: &str,
        change: &NumberChange,
    ) -> Result<Arc<Object<PhoneNumber>>, Error> {
        self.change(when, |transaction| {
            let number = changed(own_number(transaction, &of_id(id))?, change)?;
            transaction.put_number(number)
        })
    }

    /// `BatchUpdatePhoneNumber`: what can be changed is, and the rest is told.
    ///
    /// # Errors
    /// `BadRequest`: too many at once.
    pub fn update_phone_numbers(
        &self,
        when: impl Into<When>,
        changes: &[(String, NumberChange)],
    ) -> Result<Vec<NumberError>, Error> {
        self.each(
            when,
            changes,
            |(id, _)| id,
            |transaction, (id, change)| {
                let number = changed(own_number(transaction, &of_id(id))?, change)?;
                transaction.put_number(number).map(|_| ())
            },
        )
    }

    /// `DeletePhoneNumber`: it goes into the deletion queue, and away after [`DELETION`].
    ///
    /// # Errors
    /// `NotFound`; `BadRequest` where it has an owner or is in there; `Conflict` where files own it, or it has another revision.
    pub fn delete_phone_number(&self, when: impl Into<When>, id: &str) -> Result<(), Error> {
        self.change(when, |transaction| delete(transaction, id))
    }

    /// `BatchDeletePhoneNumber`: what can be deleted is, and the rest is told.
    ///
    /// # Errors
    /// `BadRequest`: too many at once.
    pub fn delete_phone_numbers(
        &self,
        when: impl Into<When>,
        ids: &[String],
    ) -> Result<Vec<NumberError>, Error> {
        self.each(when, ids, |id| id, |transaction, id| delete(transaction, id))
    }

    /// `RestorePhoneNumber`: out of the deletion queue.
    ///
    /// # Errors
    /// `NotFound`; `BadRequest` where it is not in there; `Conflict` where files own it, or it has another revision.
    pub fn restore_phone_number(
        &self,
        when: impl Into<When>,
        id: &str,
    ) -> Result<Arc<Object<PhoneNumber>>, Error> {
        self.change(when, |transaction| {
            let number = own_number(transaction, &of_id(id))?;
            if number.deletion.is_none() {
                return Err(Error::InTheWay(Obstacle::NotDeleted(number.number.to_string())));
            }
            let status = NumberStatus::Unassigned;
            transaction.put_number(PhoneNumber { status, deletion: None, ..number })
        })
    }

    /// Does something with each number that it can be done with, and tells of the others; all in one transaction.
    pub(super) fn each<I>(
        &self,
        when: impl Into<When>,
        items: &[I],
        id: impl Fn(&I) -> &str,
        mut act: impl FnMut(&mut Transaction<'_>, &I) -> Result<(), Error>,
    ) -> Result<Vec<NumberError>, Error> {
        let limit = self.limits.batch;
        if items.len() > limit {
            return Err(Error::BadRequest(format!("there are {limit} phone numbers in a request at most")));
        }
        self.change(when, |transaction| {
            let mut errors = Vec::new();
            for item in items {
                match act(transaction, item) {
                    Ok(()) => {}
                    Err(error @ Error::Store(_)) => return Err(error),
                    Err(error) => errors.push(NumberError::new(id(item), &error)),
                }
            }
            Ok(errors)
        })
    }
}

impl Transaction<'_> {
    /// Takes away what has been in the deletion queue for long enough.
    pub fn expire(&mut self) {
        let now = self.now();
        while let Some((time, number)) = self.state.deleted.first().cloned()
            && time <= now
        {
            self.remove_number(number.as_str());
        }
    }
}

impl Working {
    fn number(&self, now: Timestamp, id: &str) -> Result<Arc<Object<PhoneNumber>>, Error> {
        let of_store = self.state.numbers.get(id).filter(|number| is_there(now, &number.value));
        let found = of_store.cloned().or_else(|| self.files.number(id));
        found.ok_or_else(|| not_found(id))
    }

    fn numbers(
        &self,
        now: Timestamp,
        filter: &NumberFilter,
        after: Option<&str>,
        limit: usize,
    ) -> Vec<Arc<Object<PhoneNumber>>> {
        let fits =
            |number: &Arc<Object<PhoneNumber>>| is_there(now, &number.value) && filter.has(&number.value);
        let start = after.map_or(Bound::Unbounded, Bound::Excluded);
        let mut found: Vec<Arc<Object<PhoneNumber>>> = match &filter.association {
            Some((name, value)) => {
                let numbers = self.state.associated.get(&(*name, value.as_str().into()));
                let numbers = numbers
                    .into_iter()
                    .flat_map(|numbers| numbers.range::<str, _>((start, Bound::Unbounded)));
                let numbers = numbers.filter_map(|number| self.state.numbers.get(number.as_str()));
                numbers.filter(|number| fits(number)).take(limit).cloned().collect()
            }
            None => {
                let numbers = self.state.numbers.range::<str, _>((start, Bound::Unbounded));
                numbers.map(|(_, number)| number).filter(|number| fits(number)).take(limit).cloned().collect()
            }
        };
        let first =
            self.files.numbers.partition_point(|number| after.is_some_and(|after| number.as_str() <= after));
        let of_files =
            self.files.numbers.iter().skip(first).filter_map(|number| self.files.number(number.as_str()));
        found.extend(of_files.filter(fits).take(limit));
        found.sort_by(|one, other| one.value.number.cmp(&other.value.number));
        found.truncate(limit);
        found
    }
}

impl NumberFilter {
    fn has(&self, number: &PhoneNumber) -> bool {
        let owner = |(name, value): &(AssociationName, String)| {
            number.association.as_ref().is_some_and(|owner| owner.name == *name && owner.value == *value)
        };
        self.status.is_none_or(|status| status == number.status)
            && self.product_type.is_none_or(|product_type| product_type == number.product_type)
            && self.association.as_ref().is_none_or(owner)
            && self.digits.as_ref().is_none_or(|digits| number.number.as_str().contains(digits))
    }
}

/// Whether it has not left the deletion queue.
fn is_there(now: Timestamp, number: &PhoneNumber) -> bool {
    number.deletion.is_none_or(|deletion| now < deletion)
}

fn not_found(id: &str) -> Error {
    Error::NotFound { kind: "phone number", id: id.to_owned() }
}

/// An id is the number, with or without its `+`.
pub(super) fn of_id(id: &str) -> String {
    let mut id = id.to_owned();
    with_plus(&mut id);
    id
}

/// The number that is to be changed.
pub(super) fn own_number(transaction: &Transaction<'_>, id: &str) -> Result<PhoneNumber, Error> {
    if let Some(position) = transaction.files.config.place_of_number(id) {
        return Err(Error::OwnedByFile { kind: "phone number", id: id.to_owned(), position });
    }
    transaction.own::<PhoneNumber>(id).map(|object| object.value.clone())
}

fn delete(transaction: &mut Transaction<'_>, id: &str) -> Result<(), Error> {
    let number = own_number(transaction, &of_id(id))?;
    if let Some(owner) = &number.association {
        let (number, owner) = (number.number.to_string(), format!("{} {}", owner.name, owner.value));
        return Err(Error::InTheWay(Obstacle::Associated { number, owner }));
    }
    if number.deletion.is_some() {
        return Err(Error::InTheWay(Obstacle::Deleted(number.number.to_string())));
    }
    let deletion = Some(transaction.now().after(DELETION));
    let status = NumberStatus::ReleaseInProgress;
    transaction.put_number(PhoneNumber { status, deletion, ..number }).map(|_| ())
}

fn changed(number: PhoneNumber, change: &NumberChange) -> Result<PhoneNumber, Error> {
    if number.deletion.is_some() {
        return Err(Error::InTheWay(Obstacle::Deleted(number.number.to_string())));
    }
    match change {
        NumberChange { product_type: Some(product_type), calling_name: None, name: None } => {
            if let Some(owner) = number.association.as_ref().filter(|_| *product_type != number.product_type)
            {
                let (number, owner) = (number.number.to_string(), format!("{} {}", owner.name, owner.value));
                return Err(Error::InTheWay(Obstacle::Associated { number, owner }));
            }
            Ok(PhoneNumber { product_type: *product_type, ..number })
        }
        NumberChange { product_type: None, calling_name: Some(calling_name), name: None } => {
            if number.number_type == Some(NumberType::TollFree) {
                return Err(Error::BadRequest("a toll-free number has no calling name".to_owned()));
            }
            let calling_name = checked_calling_name(calling_name)?;
            let calling_name_status = match calling_name {
                Some(_) => CallingNameStatus::UpdateSucceeded,
                None => CallingNameStatus::Unassigned,
            };
            Ok(PhoneNumber { calling_name, calling_name_status, ..number })
        }
        NumberChange { product_type: None, calling_name: None, name: Some(name) } => {
            Ok(PhoneNumber { name: checked_name(name)?, ..number })
        }
        _ => {
            let rule = "one of product type, calling name and name is changed at a time";
            Err(Error::BadRequest(rule.to_owned()))
        }
    }
}

/// `CallingName`: 2 to 15 letters, digits and spaces; empty: none.
pub(super) fn checked_calling_name(text: &str) -> Result<Option<String>, Error> {
    if text.is_empty() {
        return Ok(None);
    }
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b' ';
    let fits =
        (2..=15).contains(&text.len()) && text.bytes().all(plain) && text.parse::<CallingName>().is_ok();
    let rule = "a calling name has 2 to 15 letters, digits and spaces";
    if fits { Ok(Some(text.to_owned())) } else { Err(Error::BadRequest(rule.to_owned())) }
}

/// `PhoneNumberName`: words of letters, digits and `,._-`, 256 characters; empty: none.
pub(super) fn checked_name(text: &str) -> Result<Option<String>, Error> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b",._- ".contains(&byte);
    let fits = text.len() <= 256 && text.bytes().all(plain) && text.trim() == text;
    let rule = "the name of a phone number has 256 letters, digits, `,._-` and spaces between them at most";
    match text {
        "" => Ok(None),
        text if fits => Ok(Some(text.to_owned())),
        _ => Err(Error::BadRequest(rule.to_owned())),
    }
}

/// A number as the API may write it.
pub(super) fn parsed(text: &str) -> Result<E164, Error> {
    of_id(text).parse().map_err(|error| Error::BadRequest(format!("{error}")))
}
