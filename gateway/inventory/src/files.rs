//! What the operator's files own, seen as the API's objects. The store never changes it.

use std::collections::BTreeMap;
use std::sync::Arc;

use config::{Config, E164, NumberEntry, Owner, Position, VoiceConnector, VoiceConnectorGroup};

use crate::object::{
    Association, AssociationName, CallDistribution, CallingNameStatus, Connector, DnisEmergency, Group,
    GroupItem, Logging, Login, NetworkType, NumberStatus, Object, Origination, OriginationRoute, PhoneNumber,
    ProductType, Revision, RouteProtocol, Termination,
};
use crate::seal::Sealed;
use crate::state::Objects;
use crate::{Ownership, Timestamp};

/// A configuration of files alone.
#[derive(Debug)]
pub(crate) struct Files {
    pub config: Arc<Config>,
    pub connectors: Objects<Connector>,
    pub groups: Objects<Group>,
    /// In order, for lists.
    pub numbers: Vec<E164>,
    read: Timestamp,
}

impl Files {
    /// - `now`: told as the time of everything that files own.
    pub fn new(config: Arc<Config>, now: Timestamp) -> Self {
        let position = |object: &config::Object| config.place(object).cloned();
        let mut connectors = BTreeMap::new();
        for item in &config.voice_connector {
            let place = position(&config::Object::Connector(item.id.to_string()));
            let object = object(connector(item, &config.gateway.region), place, now);
            connectors.insert(item.id.as_str().into(), Arc::new(object));
        }
        let mut groups = BTreeMap::new();
        for item in &config.voice_connector_group {
            let place = position(&config::Object::Group(item.id.to_string()));
            groups.insert(item.id.as_str().into(), Arc::new(object(group(item), place, now)));
        }
        let mut numbers: Vec<E164> = config.numbers.keys().cloned().collect();
        numbers.sort_unstable();
        Self { connectors, groups, numbers, read: now, config }
    }

    /// A number of the files.
    pub fn number(&self, number: &str) -> Option<Arc<Object<PhoneNumber>>> {
        let (number, entry) = self.config.numbers.get_key_value(number)?;
        let place = self.config.place_of_number(number.as_str());
        Some(Arc::new(object(phone_number(number, entry, self.read), place, self.read)))
    }
}

fn object<T>(value: T, place: Option<Position>, now: Timestamp) -> Object<T> {
    let nowhere = || Position { file: "the configuration".into(), line: 0, column: 0 };
    let owner = Ownership::File(place.unwrap_or_else(nowhere));
    Object { revision: Revision(0), created: now, updated: now, owner, value }
}

fn connector(item: &VoiceConnector, region: &str) -> Connector {
    let termination = &item.termination;
    let origination = &item.origination;
    Connector {
        id: item.id.to_string(),
        name: item.name.clone(),
        region: region.to_owned(),
        require_encryption: item.encryption,
        integration_type: None,
        network_type: NetworkType::DualStack,
        termination: Some(Termination {
            cps_limit: Some(termination.cps_limit),
            default_phone_number: termination.caller_id.as_ref().map(ToString::to_string),
            calling_regions: termination.calling_plan.iter().map(ToString::to_string).collect(),
            cidr_allowed_list: termination.allowlist.iter().map(ToString::to_string).collect(),
            disabled: !termination.enabled,
        }),
        credentials: termination.credentials.iter().map(login).collect(),
        origination: Some(Origination {
            routes: origination.route.iter().map(route).collect(),
            disabled: !origination.enabled,
        }),
        emergency: (!item.emergency.is_empty()).then(|| item.emergency.iter().map(emergency).collect()),
        logging: Logging {
            sip_logs: item.logging.sip_messages,
            media_metric_logs: item.logging.media_metrics,
        },
        streaming: None,
        external_systems: None,
    }
}

/// The name alone: what proves it stays in the files.
fn login(credentials: &config::Credentials) -> Login {
    Login { username: credentials.username.clone(), realm: String::new(), hashes: Sealed::none() }
}

fn route(route: &config::Route) -> OriginationRoute {
    OriginationRoute {
        host: route.host.to_string(),
        port: route.port,
        protocol: Some(match route.protocol {
            config::Transport::Udp => RouteProtocol::Udp,
            config::Transport::Tcp | config::Transport::Tls => RouteProtocol::Tcp,
        }),
        priority: Some(u32::from(route.priority.value())),
        weight: Some(u32::from(route.weight.value())),
    }
}

fn emergency(entry: &config::Emergency) -> DnisEmergency {
    DnisEmergency {
        emergency_phone_number: entry.routing_number.to_string(),
        test_phone_number: entry.test_routing_number.as_ref().map(ToString::to_string),
        calling_country: entry.country.to_string(),
    }
}

fn group(item: &VoiceConnectorGroup) -> Group {
    let member = |member: &config::Member| GroupItem {
        connector: member.voice_connector.to_string(),
        priority: u32::from(member.priority.value()),
    };
    Group {
        id: item.id.to_string(),
        name: item.name.clone(),
        items: item.members.iter().map(member).collect(),
        distribution: CallDistribution::PriorityWeighted,
    }
}

fn phone_number(number: &E164, entry: &NumberEntry, read: Timestamp) -> PhoneNumber {
    let (name, value) = match &entry.owner {
        Owner::Connector(id) => (AssociationName::VoiceConnectorId, id.to_string()),
        Owner::Group(id) => (AssociationName::VoiceConnectorGroupId, id.to_string()),
    };
    PhoneNumber {
        number: number.clone(),
        country: None,
        number_type: None,
        product_type: ProductType::VoiceConnector,
        status: NumberStatus::Assigned,
        association: Some(Association { name, value, associated: read }),
        calling_name: entry.calling_name.as_ref().map(ToString::to_string),
        calling_name_status: match entry.calling_name {
            Some(_) => CallingNameStatus::UpdateSucceeded,
            None => CallingNameStatus::Unassigned,
        },
        name: None,
        order_id: None,
        deletion: None,
    }
}
