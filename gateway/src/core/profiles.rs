//! How each party's systems speak, made once for a configuration: calls share it.

use std::collections::HashMap;
use std::sync::Arc;

use config::{Config, Peer as Speech};

use super::live::Live;
use crate::call::{CodeRule, HeaderRule, PartyKind, Profile};
use crate::peer::{Party, Transport};

/// By the transport of its signalling.
type ByTransport = [Arc<Profile>; 3];

/// See the module.
pub(super) struct Profiles(HashMap<Party, ByTransport>);

impl Profiles {
    /// The profiles of the connectors and carriers of `config`; those of connectors that `before` has are shared.
    pub(super) fn new(config: &Config, before: Option<&Live>) -> Self {
        let connectors = config.voice_connector.iter().map(|one| {
            let party = Party::VoiceConnector(one.id.as_str().into());
            let same = before.filter(|before| before.has(one));
            let known = same.and_then(|before| before.profiles.0.get(&party)).cloned();
            let made = || by_transport(PartyKind::Customer, &one.peer, one.encryption);
            (party, known.unwrap_or_else(made))
        });
        let carriers = config.carrier.iter().map(|one| {
            (Party::Carrier(one.name.as_str().into()), by_transport(PartyKind::Carrier, &one.peer, false))
        });
        Self(connectors.chain(carriers).collect())
    }

    /// How `party` speaks whose signalling goes by `transport`; `None`: it is another configuration's.
    pub(super) fn of(&self, party: &Party, transport: Transport) -> Option<Arc<Profile>> {
        let [udp, tcp, tls] = self.0.get(party)?;
        let profile = match transport {
            Transport::Udp => udp,
            Transport::Tcp => tcp,
            Transport::Tls => tls,
        };
        Some(profile.clone())
    }
}

fn by_transport(kind: PartyKind, speech: &Speech, encryption: bool) -> ByTransport {
    let made = |protocol| Arc::new(profile(kind, speech, encryption, protocol));
    let udp = made(Transport::Udp);
    // Mostly they are equal.
    let other = |protocol| Some(made(protocol)).filter(|other| *other != udp).unwrap_or_else(|| udp.clone());
    let (tcp, tls) = (other(Transport::Tcp), other(Transport::Tls));
    [udp, tcp, tls]
}

fn profile(kind: PartyKind, speech: &Speech, encryption: bool, protocol: Transport) -> Profile {
    Profile {
        kind,
        nat: speech.nat,
        symmetric: speech.symmetric,
        rtcp_mux: speech.rtcp_mux,
        believed: speech.believe_identity,
        given: speech.give_identity,
        hidden: false,
        pass_headers: speech.pass_headers.clone(),
        strip_headers: speech.strip_headers.clone(),
        add_headers: speech.add_headers.clone(),
        header_rules: speech.header_rules.iter().map(HeaderRule::from).collect(),
        code_rules: speech.response_rules.iter().map(CodeRule::from).collect(),
        codecs: speech.codecs.clone(),
        session_timer: speech.session_timer.map(|timer| timer.as_secs().try_into().unwrap_or(u32::MAX)),
        srtp: speech.srtp(encryption, protocol),
        refer: speech.refer,
        srtp_suites: speech.srtp_suites.clone(),
        prack: speech.prack,
    }
}
