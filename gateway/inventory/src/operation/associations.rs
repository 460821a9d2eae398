//! Whose a number is.

use crate::object::{Association, AssociationName, NumberStatus, PhoneNumber, ProductType};
use crate::operation::numbers::{of_id, own_number};
use crate::transaction::Transaction;
use crate::{Error, Inventory, NumberError, Obstacle, When};

/// A connector or a group, of the store or of the files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NumberOwner<'a> {
    /// A connector's id.
    Connector(&'a str),
    /// A group's id.
    Group(&'a str),
}

impl Inventory {
    /// `AssociatePhoneNumbersWithVoiceConnector`, `AssociatePhoneNumbersWithVoiceConnectorGroup`: what can be associated is, and the
    /// rest is told.
    ///
    /// - `force`: numbers of other owners, too.
    ///
    /// # Errors
    /// `NotFound`: no such owner; `BadRequest`: too many at once.
    pub fn associate_phone_numbers(
        &self,
        when: impl Into<When>,
        owner: NumberOwner<'_>,
        numbers: &[String],
        force: bool,
    ) -> Result<Vec<NumberError>, Error> {
        let when = when.into();
        self.owner_is_there(owner)?;
        self.each(
            when,
            numbers,
            |number| number,
            |transaction, number| {
                owner.check(transaction)?;
                associate(transaction, owner, number, force)
            },
        )
    }

    /// `DisassociatePhoneNumbersFromVoiceConnector`, `DisassociatePhoneNumbersFromVoiceConnectorGroup`: what is theirs goes from
    /// them, and the rest is told.
    ///
    /// # Errors
    /// `NotFound`: no such owner; `BadRequest`: too many at once.
    pub fn disassociate_phone_numbers(
        &self,
        when: impl Into<When>,
        owner: NumberOwner<'_>,
        numbers: &[String],
    ) -> Result<Vec<NumberError>, Error> {
        self.owner_is_there(owner)?;
        self.each(
            when,
            numbers,
            |number| number,
            |transaction, id| {
                let number = own_number(transaction, &of_id(id))?;
                if !number.association.as_ref().is_some_and(|association| owner.is(association)) {
                    let sentence = format!("{} is not associated with {}", number.number, owner.shown());
                    return Err(Error::BadRequest(sentence));
                }
                let status = NumberStatus::Unassigned;
                transaction.put_number(PhoneNumber { status, association: None, ..number }).map(|_| ())
            },
        )
    }

    fn owner_is_there(&self, owner: NumberOwner<'_>) -> Result<(), Error> {
        match owner {
            NumberOwner::Connector(id) => self.voice_connector(id).map(|_| ()),
            NumberOwner::Group(id) => self.voice_connector_group(id).map(|_| ()),
        }
    }
}

fn associate(
    transaction: &mut Transaction<'_>,
    owner: NumberOwner<'_>,
    id: &str,
    force: bool,
) -> Result<(), Error> {
    let number = own_number(transaction, &of_id(id))?;
    if number.deletion.is_some() {
        return Err(Error::InTheWay(Obstacle::Deleted(number.number.to_string())));
    }
    match &number.association {
        Some(association) if owner.is(association) => return Ok(()),
        Some(association) if !force => {
            let owner = format!("{} {}", association.name, association.value);
            let number = number.number.to_string();
            return Err(Error::InTheWay(Obstacle::Associated { number, owner }));
        }
        _ => {}
    }
    if number.product_type != ProductType::VoiceConnector {
        let sentence = format!("{} is of product type {}", number.number, number.product_type);
        return Err(Error::BadRequest(sentence));
    }
    if !matches!(number.status, NumberStatus::Unassigned | NumberStatus::Assigned) {
        let sentence = format!("{} can't be associated: it is {}", number.number, number.status);
        return Err(Error::BadRequest(sentence));
    }
    let (name, value) = owner.named();
    let association = Association { name, value: value.to_owned(), associated: transaction.now() };
    let status = NumberStatus::Assigned;
    transaction.put_number(PhoneNumber { status, association: Some(association), ..number }).map(|_| ())
}

impl NumberOwner<'_> {
    fn named(&self) -> (AssociationName, &str) {
        match self {
            NumberOwner::Connector(id) => (AssociationName::VoiceConnectorId, id),
            NumberOwner::Group(id) => (AssociationName::VoiceConnectorGroupId, id),
        }
    }

    fn is(&self, association: &Association) -> bool {
        self.named() == (association.name, association.value.as_str())
    }

    fn shown(&self) -> String {
        match self {
            NumberOwner::Connector(id) => format!("voice connector {id}"),
            NumberOwner::Group(id) => format!("voice connector group {id}"),
        }
    }

    /// It may have gone since it was looked for.
    fn check(&self, transaction: &Transaction<'_>) -> Result<(), Error> {
        let (state, files) = (&transaction.state, &transaction.files);
        let (is_there, kind, id) = match *self {
            NumberOwner::Connector(id) => {
                let is_there = state.connectors.contains_key(id) || files.connectors.contains_key(id);
                (is_there, "voice connector", id)
            }
            NumberOwner::Group(id) => {
                let is_there = state.groups.contains_key(id) || files.groups.contains_key(id);
                (is_there, "voice connector group", id)
            }
        };
        if is_there { Ok(()) } else { Err(Error::NotFound { kind, id: id.to_owned() }) }
    }
}
