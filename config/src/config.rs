//! The whole of the configuration.

use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;
use std::sync::Arc;

use ipnet::IpNet;

use crate::missing::Need;
use crate::outline::Outline;
use crate::{
    Admin, Alerts, Api, Carrier, ConnectorId, E164, Gateway, GroupId, Listen, Media, Network, NumberEntry,
    Object, Owner, Position, Records, Telemetry, Tls, VoiceConnector, VoiceConnectorGroup,
};

/// The whole configuration. Fields are named as the file's keys.
///
/// Whatever refers to something refers to something that is there. Connectors, groups and carriers are
/// shared, so that a call keeps what it began with when the configuration is replaced.
#[derive(Debug, Clone)]
pub struct Config {
    /// `[gateway]`.
    pub gateway: Gateway,
    /// `[[listen]]`; at least one.
    pub listen: Vec<Listen>,
    /// `[media]`.
    pub media: Media,
    /// `[tls]`.
    pub tls: Tls,
    /// `[[network]]`.
    pub network: Vec<Network>,
    /// `[records]`.
    pub records: Records,
    /// `[admin]`.
    pub admin: Admin,
    /// `[alerts]`.
    pub alerts: Alerts,
    /// `[telemetry]`.
    pub telemetry: Telemetry,
    /// `[api]`. None: there is none.
    pub api: Option<Api>,
    /// `[[voice_connector]]`, in the file's order.
    pub voice_connector: Vec<Arc<VoiceConnector>>,
    /// `[[voice_connector_group]]`, in the file's order.
    pub voice_connector_group: Vec<Arc<VoiceConnectorGroup>>,
    /// `[[carrier]]`, in the file's order.
    pub carrier: Vec<Arc<Carrier>>,
    /// `[[phone_number]]` and, once read, the inventory of `gateway.phone_numbers`. There may be a hundred thousand: copies share
    /// them, as they do what follows, until one of them changes.
    pub numbers: Arc<HashMap<E164, NumberEntry>>,
    pub(crate) index: Arc<Index>,
    pub(crate) positions: Arc<HashMap<E164, Position>>,
    pub(crate) places: Arc<BTreeMap<Object, Position>>,
    pub(crate) needs: Vec<Need>,
    pub(crate) outline: Outline,
}

/// Where each name stands in its list.
#[derive(Debug, Clone, Default)]
pub(crate) struct Index {
    connectors: HashMap<ConnectorId, usize>,
    groups: HashMap<GroupId, usize>,
    carriers: HashMap<crate::CarrierName, usize>,
    /// Our names towards parties, and the connector that alone has such a name.
    contacts: HashMap<String, Option<usize>>,
}

impl Index {
    /// - `domain`: of the gateway, which names no connector.
    pub(crate) fn new(
        domain: &str,
        connectors: &[Arc<VoiceConnector>],
        groups: &[Arc<VoiceConnectorGroup>],
        carriers: &[Arc<Carrier>],
    ) -> Self {
        let mut contacts: HashMap<String, Option<usize>> = HashMap::new();
        let of_connectors = connectors.iter().enumerate().map(|(at, item)| (Some(at), &item.peer));
        for (at, peer) in of_connectors.chain(carriers.iter().map(|item| (None, &item.peer))) {
            let Some(contact) = &peer.contact else { continue };
            let only = at.filter(|_| contact.name != domain);
            contacts.entry(contact.name.clone()).and_modify(|other| *other = None).or_insert(only);
        }
        Self {
            contacts,
            connectors: connectors.iter().enumerate().map(|(at, item)| (item.id.clone(), at)).collect(),
            groups: groups.iter().enumerate().map(|(at, item)| (item.id.clone(), at)).collect(),
            carriers: carriers.iter().enumerate().map(|(at, item)| (item.name.clone(), at)).collect(),
        }
    }
}

impl Config {
    /// The connector with this id.
    pub fn connector(&self, id: &str) -> Option<&Arc<VoiceConnector>> {
        self.voice_connector.get(*self.index.connectors.get(id)?)
    }

    /// The connector that answers to the host of a Request-URI: `<id>.<domain>`, or the `contact` that it alone has; letter
    /// case is ignored.
    pub fn connector_by_host(&self, host: &str) -> Option<&Arc<VoiceConnector>> {
        let host = host.strip_suffix('.').unwrap_or(host);
        if let Some(Some(at)) = self.index.contacts.get(&host.to_ascii_lowercase()) {
            return self.voice_connector.get(*at);
        }
        let (id, domain) = host.split_once('.')?;
        if !domain.eq_ignore_ascii_case(&self.gateway.domain) {
            return None;
        }
        self.connector(&id.to_ascii_lowercase())
    }

    /// Whether `host` is our name towards some party: its `contact`.
    pub fn is_contact(&self, host: &str) -> bool {
        let host = host.strip_suffix('.').unwrap_or(host);
        self.index.contacts.contains_key(&host.to_ascii_lowercase())
    }

    /// The connectors whose allowlist has `address`, in the file's order. The host of the Request-URI tells
    /// which of several is called.
    pub fn connectors_at(&self, address: IpAddr) -> impl Iterator<Item = &Arc<VoiceConnector>> {
        let admits = move |net: &IpNet| net.contains(&address);
        self.voice_connector
            .iter()
            .filter(move |connector| connector.termination.allowlist.iter().any(admits))
    }

    /// The carrier whose allowlist has `address`: of several the one with the longest prefix for it, then
    /// the first. Never one that is also in `connectors_at`.
    pub fn carrier_at(&self, address: IpAddr) -> Option<&Arc<Carrier>> {
        let longest = |carrier: &Carrier| {
            let nets = carrier.allowlist.iter().filter(|net| net.contains(&address));
            nets.map(IpNet::prefix_len).max()
        };
        let matching = self.carrier.iter().filter_map(|carrier| Some((longest(carrier)?, carrier)));
        // `max_by_key` gives the last of equals.
        matching.rev().max_by_key(|(length, _)| *length).map(|(_, carrier)| carrier)
    }

    /// The group with this id.
    pub fn group(&self, id: &str) -> Option<&Arc<VoiceConnectorGroup>> {
        self.voice_connector_group.get(*self.index.groups.get(id)?)
    }

    /// The carrier with this name.
    pub fn carrier(&self, name: &str) -> Option<&Arc<Carrier>> {
        self.carrier.get(*self.index.carriers.get(name)?)
    }

    /// What belongs to `number`, which is E.164 with its `+`; anything else belongs to nobody.
    pub fn number(&self, number: &str) -> Option<&NumberEntry> {
        self.numbers.get(number)
    }

    /// Where a connector or a group stands in the files.
    pub fn place(&self, object: &Object) -> Option<&Position> {
        self.places.get(object)
    }

    /// Where a number stands: its line, or the inventory's file, whose lines nobody keeps.
    pub fn place_of_number(&self, number: &str) -> Option<Position> {
        let (number, _) = self.numbers.get_key_value(number)?;
        if let Some(position) = self.positions.get(number) {
            return Some(position.clone());
        }
        let file = self.gateway.phone_numbers.as_ref()?;
        Some(Position { file: file.display().to_string().into(), line: 0, column: 0 })
    }

    /// Whether the connector `id` owns `number`, by itself or as a member of the group that does.
    pub fn owns(&self, id: &ConnectorId, number: &str) -> bool {
        match self.number(number).map(|entry| &entry.owner) {
            Some(Owner::Connector(owner)) => owner == id,
            Some(Owner::Group(group)) => self
                .group(group.as_str())
                .is_some_and(|group| group.members.iter().any(|member| member.voice_connector == *id)),
            None => false,
        }
    }
}
