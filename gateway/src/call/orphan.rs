//! What is in the journal of a call that is up: enough to hang it up after a restart, and no more.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use sip::dialog::Dialog;
use smol_str::SmolStr;

use super::leg::{End, Leg};
use super::profile::{Local, Profile};
use super::{Call, Stage};
use crate::peer::Peer;

/// The form that this program writes. Whoever changes [`OrphanLeg`], or what is in it, raises it and goes on reading the one before.
const FORM: u8 = 1;

/// A leg whose party may have to hear BYE. How the party speaks is the configuration's by then.
#[derive(Debug, Serialize, Deserialize)]
struct OrphanLeg {
    dialog: Dialog,
    flow: Peer,
    peers_flow: bool,
    target_fails: bool,
    local: Local,
    contact_user: SmolStr,
}

impl Call {
    /// Both legs, for [`orphan_legs`]; nothing before the answer.
    pub fn orphan_state(&self) -> Vec<u8> {
        let legs = match &self.stage {
            Stage::Accepted(accepted) => &accepted.up().legs,
            Stage::Established(up) => &up.legs,
            Stage::Setup(_) | Stage::Handed(_) | Stage::Ended(_) => return Vec::new(),
        };
        let legs = [&legs.a, &legs.b].map(|leg| OrphanLeg {
            dialog: leg.dialog.clone(),
            flow: leg.flow.clone(),
            peers_flow: leg.peers_flow,
            target_fails: leg.target_fails,
            local: leg.local.clone(),
            contact_user: leg.contact_user.clone(),
        });
        postcard::to_allocvec(&(FORM, legs)).unwrap_or_default()
    }
}

/// The legs that [`Call::orphan_state`] told of; `None` where nobody wrote it.
///
/// - `state`: also as the version before wrote it, in JSON.
/// - `profile`: how the party of a flow speaks.
pub fn orphan_legs(state: &[u8], profile: impl Fn(&Peer) -> Arc<Profile>) -> Option<[Leg; 2]> {
    if state.first() != Some(&FORM) {
        return serde_json::from_slice(state).ok();
    }
    let (_, legs): (u8, [OrphanLeg; 2]) = postcard::from_bytes(state).ok()?;
    Some(legs.map(|leg| {
        let OrphanLeg { dialog, flow, peers_flow, target_fails, local, contact_user } = leg;
        let profile = profile(&flow);
        Leg { dialog, end: End { peers_flow, target_fails, contact_user, ..End::new(flow, local, profile) } }
    }))
}

#[cfg(test)]
mod tests {
    use serde_json::Value;
    use sip::dialog::{DialogState, Role};

    use super::*;
    use crate::peer::{ListenerId, Party, Transport};

    fn leg(number: u8) -> OrphanLeg {
        let mut flow = Peer::new(Transport::Tls, ListenerId(1), ([192, 0, 2, number], 5061).into());
        flow.party = Some(Party::Carrier("west".into()));
        OrphanLeg {
            dialog: Dialog {
                role: Role::Uac,
                state: DialogState::Confirmed,
                call_id: "7f3a@192.0.2.1".into(),
                local_tag: "vc1".into(),
                remote_tag: number.to_string().into(),
                local_uri: "<sip:a@192.0.2.1>".into(),
                remote_uri: "<sip:b@192.0.2.30>".into(),
                remote_target: "sip:b@192.0.2.30".into(),
                route_set: vec!["<sip:edge.example;lr>".into()],
                local_cseq: 1,
                remote_cseq: None,
                secure: false,
            },
            flow,
            peers_flow: true,
            target_fails: false,
            local: Local {
                listener: ListenerId(1),
                transport: Transport::Tls,
                advertise: ([192, 0, 2, 1], 5061).into(),
                name: None,
                media: [192, 0, 2, 1].into(),
                media_advertise: [192, 0, 2, 1].into(),
            },
            contact_user: "+12065550100".into(),
        }
    }

    fn unknown(_: &Peer) -> Arc<Profile> {
        Arc::new(Profile::unknown())
    }

    /// Whoever changes it makes a form of it, and goes on reading this one.
    #[test]
    fn the_form_stays_as_it_is() {
        let state = postcard::to_allocvec(&(FORM, [leg(1), leg(2)])).unwrap();
        let written = include_bytes!("orphan_1");
        assert!(state == written);
        let [a, b] = orphan_legs(written, unknown).unwrap();
        assert_eq!((a.dialog, b.dialog), (leg(1).dialog, leg(2).dialog));
        assert_eq!((a.end.flow, b.end.contact_user), (leg(1).flow, leg(2).contact_user));
    }

    #[test]
    fn the_json_of_the_version_before_is_read() {
        let journal = include_str!("../record/journal/version_1");
        let line = journal.lines().find(|line| line.contains("\"entry\":\"answered\"")).unwrap();
        let entry: Value = serde_json::from_str(&line[17..]).unwrap();
        let [a, b] = orphan_legs(entry["call"]["state"].as_str().unwrap().as_bytes(), unknown).unwrap();
        assert_eq!((a.dialog.call_id.as_str(), b.end.contact_user.as_str()), ("call1", "+12065550100"));
        for not_ours in [b"".as_slice(), b"null", &[FORM], b"cseq 7"] {
            assert!(orphan_legs(not_ours, unknown).is_none());
        }
    }
}
