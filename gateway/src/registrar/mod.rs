//! Where the customers' systems are that have registered: the location service of RFC 3261 §10, for all shards. And where
//! we have registered ourselves.
//!
//! A REGISTER comes to one shard and the call to another, so each connector's bindings are read through an atomic
//! pointer, and replaced by a changed copy: it is short, and no other connector's is touched.

mod carriers;
mod way;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use config::{Config, E164, Registration, VoiceConnector};
use sip::SipUri;
use sip::registration::{Asked, Binding, Bindings, Change, Contact, Room, UpdateError};

use crate::number::dialled_number;
use crate::peer::{ConnectionId, ListenerId, Peer, Transport};

pub use carriers::{AtCarrier, AtCarriers, Standing};
pub use way::Way;

/// A login's phones, or the flows of its one system. The newest are kept.
const ROOM: Room = Room { user: 10, all: 1_000 };

/// The longest that a registration lasts: a gateway that starts anew knows of none, and this is how long calls then
/// may find nobody.
const LONGEST: u32 = 600;

/// The same behind a NAT over UDP: no longer than every NAT keeps a port for what comes back (RFC 4787 REQ-5).
const LONGEST_BEHIND_NAT: u32 = 120;

/// The shortest that is taken. RFC 3261 §10.3.
pub const SHORTEST: u32 = 60;

/// See the module.
#[derive(Default)]
pub struct Registrar {
    /// By the connector's id: those whose customers register.
    connectors: ArcSwap<HashMap<String, Arc<ArcSwap<Bindings<Way>>>>>,
    /// Where we have registered ourselves.
    pub carriers: Arc<AtCarriers>,
}

/// How long each Contact of a REGISTER lasts. RFC 3261 §10.3 step 7.
///
/// - `behind_nat`: the Contact is not where the REGISTER came from, over UDP.
///
/// # Errors
/// One asks for less than [`SHORTEST`] and for more than nothing: respond 423.
pub fn granted(asked: &Asked, behind_nat: impl Fn(&Contact) -> bool) -> Result<Vec<Duration>, TooBrief> {
    let Change::Contacts(contacts) = &asked.change else { return Ok(Vec::new()) };
    let grant = |contact: &Contact| {
        let longest = if behind_nat(contact) { LONGEST_BEHIND_NAT } else { LONGEST };
        match contact.expires {
            Some(seconds @ 1..SHORTEST) => Err(TooBrief(seconds)),
            asked => Ok(Duration::from_secs(asked.unwrap_or(longest).min(longest).into())),
        }
    };
    contacts.iter().map(grant).collect()
}

/// A registration of so many seconds is not worth its REGISTER.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TooBrief(pub u32);

impl Registrar {
    /// Goes on under another configuration: who may register no more is forgotten. Each shard says so, of the same one.
    pub fn configure(&self, config: &Config) {
        let registers = |one: &&Arc<VoiceConnector>| one.peer.registration == Registration::On;
        self.connectors.rcu(|known| {
            let kept = |id: &str| known.get(id).cloned().unwrap_or_default();
            let connectors = config.voice_connector.iter().filter(registers);
            connectors.map(|one| (one.id.to_string(), kept(one.id.as_str()))).collect::<HashMap<_, _>>()
        });
    }

    /// Carries out what `owner` of a connector asks for an address of record; see [`Bindings::update`]. Returns what is
    /// registered then.
    ///
    /// # Errors
    /// Why nothing was changed.
    pub fn update(
        &self,
        now: Instant,
        connector: &str,
        who: (&Arc<str>, &Arc<str>),
        asked: &Asked,
        lasts: &[Duration],
        way: impl Fn(&Contact) -> Way,
    ) -> Result<Arc<Bindings<Way>>, UpdateError> {
        let connectors = self.connectors.load();
        let Some(bindings) = connectors.get(connector) else { return Err(UpdateError::NoRoom) };
        loop {
            let before = bindings.load();
            let mut changed = Bindings::clone(&before);
            changed.update(now, who, asked, lasts, &way, ROOM)?;
            let changed = Arc::new(changed);
            let seen = bindings.compare_and_swap(&*before, changed.clone());
            if Arc::ptr_eq(&seen, &before) {
                return Ok(changed);
            }
        }
    }

    /// Where a call for `number` goes that a connector has, best first. What was registered as that very number goes
    /// before all others, which are left out then; otherwise all of the connector's are where its numbers are. By `q`,
    /// then the newest (RFC 3261 §16.6).
    pub fn contacts(&self, now: Instant, connector: &str, number: &E164) -> Vec<Arc<Binding<Way>>> {
        let connectors = self.connectors.load();
        let Some(bindings) = connectors.get(connector) else { return Vec::new() };
        let mut contacts: Vec<_> = bindings.load().live(now).cloned().collect();
        let is_number =
            |binding: &Arc<Binding<Way>>| dialled_number(&binding.record).as_ref() == Some(number);
        if contacts.iter().any(is_number) {
            contacts.retain(is_number);
        }
        contacts.sort_by_key(|one| (std::cmp::Reverse(one.contact.q), std::cmp::Reverse(one.refreshed)));
        contacts
    }

    /// A connection is gone. What may be dialled again stays; other flows lead nowhere any more.
    pub fn lost(&self, connection: ConnectionId) {
        for bindings in self.connectors.load().values() {
            let by_it = |way: &Way| way.flow.connection == Some(connection);
            if !bindings.load().any(by_it) {
                continue;
            }
            bindings.rcu(|bindings| {
                let mut changed = Bindings::clone(bindings);
                changed.retain(|binding| match by_it(&binding.flow) {
                    true => binding.flow.without_connection(),
                    false => Some(binding.flow.clone()),
                });
                changed
            });
        }
    }

    /// How many contacts of each connector are registered.
    pub fn counts(&self, now: Instant) -> Vec<(String, usize)> {
        let connectors = self.connectors.load();
        let count = |bindings: &ArcSwap<Bindings<Way>>| bindings.load().live(now).count();
        connectors.iter().map(|(id, bindings)| (id.clone(), count(bindings))).collect()
    }

    /// A registrar where one system of each connector has registered: what `explain` takes for granted.
    pub fn assumed(config: &Config, now: Instant) -> Registrar {
        let registrar = Registrar::default();
        registrar.configure(config);
        let unspecified = ([0, 0, 0, 0], 0).into();
        for connector in &config.voice_connector {
            let able = |transport: Transport| !connector.encryption || transport == Transport::Tls;
            let Some(listen) = config.listen.iter().find(|listen| able(listen.protocol)) else { continue };
            let (listener, transport) = (ListenerId(listen.number), listen.protocol);
            let uri = SipUri::new(None, sip::Host::Name("registered".into()), None);
            let contact = Contact { uri, expires: None, q: 1000, instance: None, reg_id: None, bulk: true };
            let change = Change::Contacts(vec![contact]);
            let asked = Asked { call_id: String::new(), cseq: 1, change, path: Vec::new() };
            let way = |_: &Contact| Way::by(Peer::new(transport, listener, unspecified));
            let owner = Arc::from("");
            // One that registers nobody has no bindings.
            let lasts = [Duration::from_secs(LONGEST.into())];
            let _ = registrar.update(now, connector.id.as_str(), (&owner, &owner), &asked, &lasts, way);
        }
        registrar
    }
}
