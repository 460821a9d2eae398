//! Somebody who wants to take the place of a party: an INVITE with Replaces. RFC 3891.

use sip::Message;
use sip::header::Replaces;
use sip::transaction::ServerId;
use smol_str::SmolStr;

use super::leg::{Leg, LegRef};
use super::sent::Login;
use super::{Call, Stage};
use crate::media::Side;
use crate::peer::Party;
use crate::reply::Cause;

/// See the module; it is admitted.
#[derive(Debug)]
pub struct Newcomer {
    /// Whose place it wants.
    pub place: LegRef,
    /// Its leg, whose dialog nobody knows yet.
    pub leg: Leg,
    /// How its challenges are met.
    pub login: Login,
    /// Its INVITE.
    pub server: ServerId,
    /// The same.
    pub invite: Message,
}

/// Who has a place, and what its newcomer has of it.
#[derive(Debug, Clone)]
pub struct Place {
    /// Who has it; nobody knows of some that were called.
    pub party: Option<Party>,
    /// It rings there: nobody else is asked to come.
    pub rings: bool,
    /// The user part of our Contact there.
    pub contact_user: SmolStr,
}

impl Call {
    /// The place of the party whose dialog `replaces` names, which has our tag on `leg`.
    ///
    /// # Errors
    /// Why nobody may take it, whoever it is. RFC 3891 §3.
    pub fn place(&self, leg: LegRef, replaces: &Replaces) -> Result<Place, Cause> {
        let none = || Cause::new(481, "Replaces names no dialog");
        let up = match &self.stage {
            Stage::Established(up) => up,
            Stage::Setup(setup) if leg.side() == Side::B => {
                let place = setup.place(replaces).ok_or_else(none)?;
                return if self.account.emergency { Err(for_help()) } else { Ok(place) };
            }
            // A dialog that we did not begin has no place to take while it is early.
            Stage::Setup(_) => return Err(none()),
            Stage::Accepted(_) | Stage::Handed(_) => return Err(busy()),
            Stage::Recording(_) | Stage::Copying(_) => return Err(none()),
            Stage::Ended(_) if self.call_id(leg.side()) == replaces.call_id => {
                return Err(Cause::new(603, "The dialog of Replaces is over"));
            }
            Stage::Ended(_) => return Err(none()),
        };
        let leg = up.legs.of(leg.side());
        let dialog = &leg.dialog;
        if !replaces.names(&dialog.call_id, &dialog.local_tag, &dialog.remote_tag) {
            return Err(none());
        }
        if replaces.early_only {
            return Err(Cause::new(486, "The dialog of Replaces is not early"));
        }
        if self.account.emergency {
            return Err(for_help());
        }
        Ok(Place { party: leg.flow.party.clone(), rings: false, contact_user: leg.contact_user.clone() })
    }
}

fn for_help() -> Cause {
    Cause::new(403, "Nobody takes a place in an emergency call")
}

/// The refusal where now is not the time for it.
pub(super) fn busy() -> Cause {
    Cause::new(500, "The call of Replaces is in the middle of a change")
        .later(std::time::Duration::from_secs(1))
}
