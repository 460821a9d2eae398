//! Voice connectors.

use std::sync::Arc;

use crate::inventory::list;
use crate::object::{AssociationName, Connector, IntegrationType, Logging, NetworkType, Object, Tag, Tags};
use crate::operation::tags::checked_tags;
use crate::transaction::Transaction;
use crate::{Error, Inventory, Obstacle, Ownership, Page, Paging, When};

/// What a new connector is made of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewConnector {
    /// `Name`.
    pub name: String,
    /// `AwsRegion`: one of the API's, or the gateway's own. Default: `us-east-1`.
    pub region: Option<String>,
    /// `RequireEncryption`.
    pub require_encryption: bool,
    /// `IntegrationType`. Default: none.
    pub integration_type: Option<IntegrationType>,
    /// `NetworkType`. Default: `IPV4_ONLY`.
    pub network_type: Option<NetworkType>,
    /// `Tags`.
    pub tags: Vec<Tag>,
}

/// Where a new connector is, unless something else is said.
const DEFAULT_REGION: &str = "us-east-1";

/// `VoiceConnectorAwsRegion`.
pub const REGIONS: [&str; 10] = [
    "us-east-1",
    "us-west-2",
    "ca-central-1",
    "eu-central-1",
    "eu-west-1",
    "eu-west-2",
    "ap-northeast-2",
    "ap-northeast-1",
    "ap-southeast-1",
    "ap-southeast-2",
];

/// Letters of a connector's id, and how many it has.
const ID: (&[u8], usize) = (b"abcdefghijklmnopqrstuvwxyz0123456789", 22);

impl Inventory {
    /// `CreateVoiceConnector`.
    ///
    /// # Errors
    /// `BadRequest`, `ResourceLimitExceeded`.
    pub fn create_voice_connector(
        &self,
        when: impl Into<When>,
        new: NewConnector,
    ) -> Result<Arc<Object<Connector>>, Error> {
        self.change(when, |transaction| {
            let limit = transaction.limits.connectors;
            if transaction.state.connectors.len() >= limit {
                return Err(Error::LimitExceeded { what: "voice connectors", limit });
            }
            check_name(&new.name)?;
            let region = new.region.unwrap_or_else(|| DEFAULT_REGION.to_owned());
            let own = &transaction.files.config.gateway.region;
            if !REGIONS.contains(&region.as_str()) && region != *own {
                let known = REGIONS.join(", ");
                return Err(Error::BadRequest(format!("{region:?} is no region: write one of {known}")));
            }
            let tags = checked_tags(new.tags, transaction.limits.tags)?;
            let id = transaction.random_text(ID.0, ID.1);
            if !tags.is_empty() {
                transaction.put(Tags { resource: format!("vc/{id}"), tags })?;
            }
            transaction.put_connector(Connector {
                id,
                name: new.name,
                region,
                require_encryption: new.require_encryption,
                integration_type: new.integration_type,
                network_type: new.network_type.unwrap_or(NetworkType::Ipv4Only),
                termination: None,
                credentials: Vec::new(),
                origination: None,
                emergency: None,
                logging: Logging::default(),
                streaming: None,
                external_systems: None,
            })
        })
    }

    /// `GetVoiceConnector`, with all of its configurations.
    ///
    /// # Errors
    /// `NotFound`.
    pub fn voice_connector(&self, id: &str) -> Result<Arc<Object<Connector>>, Error> {
        let working = self.working();
        working.find(&working.files.connectors, id)
    }

    /// `ListVoiceConnectors`, in the order of ids.
    ///
    /// # Errors
    /// `BadRequest`: the cursor is none of this list.
    pub fn voice_connectors(&self, paging: Paging<'_>) -> Result<Page<Arc<Object<Connector>>>, Error> {
        let working = self.working();
        list(&self.seal, "connectors", paging, &working.state.connectors, &working.files.connectors)
    }

    /// `UpdateVoiceConnector`.
    ///
    /// # Errors
    /// `NotFound`, `BadRequest`; `Conflict` where files own it, or it has another revision.
    pub fn update_voice_connector(
        &self,
        when: impl Into<When>,
        id: &str,
        name: &str,
        require_encryption: bool,
    ) -> Result<Arc<Object<Connector>>, Error> {
        self.change(when, |transaction| {
            check_name(name)?;
            let connector = own_connector(transaction, id)?;
            let name = name.to_owned();
            transaction.put_connector(Connector { name, require_encryption, ..connector })
        })
    }

    /// `DeleteVoiceConnector`.
    ///
    /// # Errors
    /// `NotFound`; `Conflict` where it has numbers, is in a group, files own it, or it has another revision.
    pub fn delete_voice_connector(&self, when: impl Into<When>, id: &str) -> Result<(), Error> {
        self.change(when, |transaction| {
            own_connector(transaction, id)?;
            let owner = (AssociationName::VoiceConnectorId, id.into());
            if transaction.state.associated.contains_key(&owner) {
                let (kind, id) = ("voice connector", id.to_owned());
                return Err(Error::InTheWay(Obstacle::HasNumbers { kind, id }));
            }
            let mut groups = transaction.state.groups.values();
            let has = |group: &&Arc<Object<_>>| in_group(&group.value, id);
            if let Some(group) = groups.find(has) {
                let (id, group) = (id.to_owned(), group.value.id.clone());
                return Err(Error::InTheWay(Obstacle::InGroup { id, group }));
            }
            transaction.remove::<Tags>(&format!("vc/{id}"));
            transaction.remove_connector(id);
            Ok(())
        })
    }
}

fn in_group(group: &crate::object::Group, id: &str) -> bool {
    group.items.iter().any(|item| item.connector == id)
}

/// The connector that is to be changed.
pub(super) fn own_connector(transaction: &Transaction<'_>, id: &str) -> Result<Connector, Error> {
    if let Some(object) = transaction.files.connectors.get(id)
        && let Ownership::File(position) = &object.owner
    {
        let (kind, id, position) = ("voice connector", id.to_owned(), position.clone());
        return Err(Error::OwnedByFile { kind, id, position });
    }
    transaction.own::<Connector>(id).map(|object| object.value.clone())
}

/// `VoiceConnectorName`, `VoiceConnectorGroupName`.
pub(super) fn check_name(name: &str) -> Result<(), Error> {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || b" _.-".contains(&byte);
    if (1..=256).contains(&name.len()) && name.bytes().all(fits) {
        return Ok(());
    }
    let rule = "a name has 1 to 256 letters, digits, spaces and `_.-`";
    Err(Error::BadRequest(rule.to_owned()))
}
