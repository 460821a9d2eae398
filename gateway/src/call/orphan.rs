//! What is in the journal of a call that is up: enough to hang it up after a restart, and no more.

use std::borrow::Cow;
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
/// The same of one leg alone.
const FORM_OF_ONE: u8 = 2;

/// So many bytes hold the legs of most calls.
const ROOM: usize = 1_024;

/// A leg whose party may have to hear BYE. How the party speaks is the configuration's by then.
#[derive(Debug, Serialize, Deserialize)]
struct OrphanLeg<'a> {
    dialog: Cow<'a, Dialog>,
    flow: Cow<'a, Peer>,
    peers_flow: bool,
    target_fails: bool,
    local: Cow<'a, Local>,
    contact_user: Cow<'a, SmolStr>,
}

impl Call {
    /// Its legs, for [`orphan_legs`]; nothing before the answer.
    pub fn orphan_state(&self) -> Vec<u8> {
        let legs = match &self.stage {
            Stage::Accepted(accepted) => &accepted.up().legs,
            Stage::Established(up) => &up.legs,
            Stage::Recording(recording) => {
                let state = (FORM_OF_ONE, OrphanLeg::of(recording.leg()));
                return postcard::to_extend(&state, Vec::with_capacity(ROOM)).unwrap_or_default();
            }
            Stage::Setup(_) | Stage::Handed(_) | Stage::Copying(_) | Stage::Ended(_) => return Vec::new(),
        };
        let legs = [&legs.a, &legs.b].map(OrphanLeg::of);
        postcard::to_extend(&(FORM, legs), Vec::with_capacity(ROOM)).unwrap_or_default()
    }
}

impl<'a> OrphanLeg<'a> {
    fn of(leg: &'a Leg) -> Self {
        OrphanLeg {
            dialog: Cow::Borrowed(&leg.dialog),
            flow: Cow::Borrowed(&leg.flow),
            peers_flow: leg.peers_flow,
            target_fails: leg.target_fails,
            local: Cow::Borrowed(&leg.local),
            contact_user: Cow::Borrowed(&leg.contact_user),
        }
    }
}

/// The legs that [`Call::orphan_state`] told of, two or one; `None` where nobody wrote it.
///
/// - `state`: also as the version before wrote it, in JSON.
/// - `profile`: how the party of a flow speaks.
pub fn orphan_legs(state: &[u8], profile: impl Fn(&Peer) -> Arc<Profile>) -> Option<Vec<Leg>> {
    let legs: Vec<OrphanLeg<'_>> = match state.first() {
        Some(&FORM) => postcard::from_bytes::<(u8, [OrphanLeg<'_>; 2])>(state).ok()?.1.into(),
        Some(&FORM_OF_ONE) => vec![postcard::from_bytes::<(u8, OrphanLeg<'_>)>(state).ok()?.1],
        _ => return serde_json::from_slice::<[Leg; 2]>(state).ok().map(Vec::from),
    };
    let leg = |leg: OrphanLeg<'_>| {
        let OrphanLeg { peers_flow, target_fails, .. } = leg;
        let (dialog, flow, local) = (leg.dialog.into_owned(), leg.flow.into_owned(), leg.local.into_owned());
        let (profile, contact_user) = (profile(&flow), leg.contact_user.into_owned());
        Leg { dialog, end: End { peers_flow, target_fails, contact_user, ..End::new(flow, local, profile) } }
    };
    Some(legs.into_iter().map(leg).collect())
}

#[cfg(test)]
mod tests {
    use serde_json::Value;
    use sip::dialog::{DialogState, Role};

    use super::*;
    use crate::peer::{ListenerId, Party, Transport};

    fn leg(number: u8) -> OrphanLeg<'static> {
        let mut flow = Peer::new(Transport::Tls, ListenerId(1), ([192, 0, 2, number], 5061).into());
        flow.party = Some(Party::Carrier("west".into()));
        OrphanLeg {
            dialog: Cow::Owned(Dialog {
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
            }),
            flow: Cow::Owned(flow),
            peers_flow: true,
            target_fails: false,
            local: Cow::Owned(Local {
                listener: ListenerId(1),
                transport: Transport::Tls,
                advertise: ([192, 0, 2, 1], 5061).into(),
                name: None,
                media: [192, 0, 2, 1].into(),
                media_advertise: [192, 0, 2, 1].into(),
            }),
            contact_user: Cow::Owned("+12065550100".into()),
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
        let [a, b] = orphan_legs(written, unknown).unwrap().try_into().unwrap();
        assert_eq!((a.dialog, b.dialog), (leg(1).dialog.into_owned(), leg(2).dialog.into_owned()));
        assert_eq!(
            (a.end.flow, b.end.contact_user),
            (leg(1).flow.into_owned(), leg(2).contact_user.into_owned())
        );
    }

    #[test]
    fn one_leg_is_read_as_it_was_written() {
        let state = postcard::to_allocvec(&(FORM_OF_ONE, leg(3))).unwrap();
        let [only] = orphan_legs(&state, unknown).unwrap().try_into().unwrap();
        assert_eq!(only.dialog, leg(3).dialog.into_owned());
    }

    #[test]
    fn the_json_of_the_version_before_is_read() {
        let journal = include_str!("../record/journal/version_1");
        let line = journal.lines().find(|line| line.contains("\"entry\":\"answered\"")).unwrap();
        let entry: Value = serde_json::from_str(&line[17..]).unwrap();
        let state = entry["call"]["state"].as_str().unwrap().as_bytes();
        let [a, b] = orphan_legs(state, unknown).unwrap().try_into().unwrap();
        assert_eq!((a.dialog.call_id.as_str(), b.end.contact_user.as_str()), ("call1", "+12065550100"));
        for not_ours in [b"".as_slice(), b"null", &[FORM], &[FORM_OF_ONE], b"cseq 7"] {
            assert!(orphan_legs(not_ours, unknown).is_none());
        }
    }
}
