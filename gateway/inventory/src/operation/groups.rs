//! Voice connector groups.

use std::sync::Arc;

use crate::inventory::list;
use crate::object::{AssociationName, CallDistribution, Group, GroupItem, Object, Tags};
use crate::operation::connectors::check_name;
use crate::transaction::Transaction;
use crate::{Error, Inventory, Obstacle, Ownership, Page, Paging, When};

/// What a group is made of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewGroup {
    /// `Name`.
    pub name: String,
    /// `VoiceConnectorItems`.
    pub items: Vec<GroupItem>,
    /// `CallDistributionType`. Default: `PriorityWeightedDistribution`.
    pub distribution: Option<CallDistribution>,
}

impl Inventory {
    /// `CreateVoiceConnectorGroup`.
    ///
    /// # Errors
    /// `BadRequest`, `ResourceLimitExceeded`; `NotFound`: a connector; `ServiceUnavailable`: a distribution that is not made here.
    pub fn create_voice_connector_group(
        &self,
        when: impl Into<When>,
        new: NewGroup,
    ) -> Result<Arc<Object<Group>>, Error> {
        self.change(when, |transaction| {
            let limit = transaction.limits.groups;
            if transaction.state.groups.len() >= limit {
                return Err(Error::LimitExceeded { what: "voice connector groups", limit });
            }
            check(transaction, &new)?;
            let id = transaction.uuid();
            let distribution = new.distribution.unwrap_or(CallDistribution::PriorityWeighted);
            transaction.put_group(Group { id, name: new.name, items: new.items, distribution })
        })
    }

    /// `GetVoiceConnectorGroup`.
    ///
    /// # Errors
    /// `NotFound`.
    pub fn voice_connector_group(&self, id: &str) -> Result<Arc<Object<Group>>, Error> {
        let working = self.working();
        working.find(&working.files.groups, id)
    }

    /// `ListVoiceConnectorGroups`, in the order of ids.
    ///
    /// # Errors
    /// `BadRequest`: the cursor is none of this list.
    pub fn voice_connector_groups(&self, paging: Paging<'_>) -> Result<Page<Arc<Object<Group>>>, Error> {
        let working = self.working();
        list(&self.seal, "groups", paging, &working.state.groups, &working.files.groups)
    }

    /// `UpdateVoiceConnectorGroup`: replaces name and items; without a distribution that stays.
    ///
    /// # Errors
    /// As [`Inventory::create_voice_connector_group`]; `Conflict` where files own it, or it has another revision.
    pub fn update_voice_connector_group(
        &self,
        when: impl Into<When>,
        id: &str,
        new: NewGroup,
    ) -> Result<Arc<Object<Group>>, Error> {
        self.change(when, |transaction| {
            let group = own_group(transaction, id)?;
            check(transaction, &new)?;
            let distribution = new.distribution.unwrap_or(group.distribution);
            transaction.put_group(Group { name: new.name, items: new.items, distribution, ..group })
        })
    }

    /// `DeleteVoiceConnectorGroup`.
    ///
    /// # Errors
    /// `NotFound`; `Conflict` where it has items or numbers, files own it, or it has another revision.
    pub fn delete_voice_connector_group(&self, when: impl Into<When>, id: &str) -> Result<(), Error> {
        self.change(when, |transaction| {
            let group = own_group(transaction, id)?;
            if !group.items.is_empty() {
                return Err(Error::InTheWay(Obstacle::HasMembers(group.id)));
            }
            let owner = (AssociationName::VoiceConnectorGroupId, id.into());
            if transaction.state.associated.contains_key(&owner) {
                let (kind, id) = ("voice connector group", id.to_owned());
                return Err(Error::InTheWay(Obstacle::HasNumbers { kind, id }));
            }
            transaction.remove::<Tags>(&format!("vcg/{id}"));
            transaction.remove_group(id);
            Ok(())
        })
    }
}

fn check(transaction: &Transaction<'_>, new: &NewGroup) -> Result<(), Error> {
    check_name(&new.name)?;
    if new.distribution == Some(CallDistribution::LoadBalanced) {
        return Err(Error::Unavailable("LoadBalancedDistribution"));
    }
    let limit = transaction.limits.group_items;
    if new.items.len() > limit {
        return Err(Error::BadRequest(format!(
            "a voice connector group has {limit} voice connectors at most"
        )));
    }
    for item in &new.items {
        if !(1..=99).contains(&item.priority) {
            return Err(Error::BadRequest("the priority of a voice connector is 1 to 99".to_owned()));
        }
        let id = item.connector.as_str();
        let known =
            transaction.state.connectors.contains_key(id) || transaction.files.connectors.contains_key(id);
        if !known {
            return Err(Error::NotFound { kind: "voice connector", id: id.to_owned() });
        }
    }
    Ok(())
}

fn own_group(transaction: &Transaction<'_>, id: &str) -> Result<Group, Error> {
    if let Some(object) = transaction.files.groups.get(id)
        && let Ownership::File(position) = &object.owner
    {
        let (kind, id, position) = ("voice connector group", id.to_owned(), position.clone());
        return Err(Error::OwnedByFile { kind, id, position });
    }
    transaction.own::<Group>(id).map(|object| object.value.clone())
}
