//! A leg that a call lends to another one, which its party is to join: it is given back where that comes to nothing.

use sip::dialog::SessionTimer;

use super::leg::Leg;
use super::sent::Login;
use crate::reply::Cause;

/// See the module. Until it is given back nobody but the borrower says anything in its dialog.
#[derive(Debug)]
pub struct Lent {
    pub(super) leg: Leg,
    pub(super) login: Login,
    /// The session timer of the leg goes on meanwhile.
    pub(super) session: SessionTimer,
}

impl Lent {
    /// Our tag of it.
    pub fn tag(&self) -> &str {
        &self.leg.dialog.local_tag
    }
}

/// The end of a loan: the party did not join.
#[derive(Debug)]
pub struct GivenBack {
    pub lent: Lent,
    /// Why not.
    pub(super) cause: Cause,
    /// The party may believe that it has joined: what it had agreed on before is to be offered to it again.
    pub(super) misled: bool,
}

impl GivenBack {
    /// There is no call any more that it could join.
    pub fn too_late(lent: Lent) -> Box<Self> {
        Box::new(GivenBack { lent, cause: Cause::new(480, "The call to join is over"), misled: false })
    }
}
