use serde::{Deserialize, Serialize};

use super::{Dialog, DialogError};
use crate::Message;

/// The dialogs that one INVITE of ours began: a proxy may fork it, and every phone answers with a To tag of its own.
///
/// A 100, a refusal and a 1xx without To tag begin none. `limit` bounds what a hostile peer can make us remember.
///
/// Source: RFC 3261 §12.1.2, §13.2.2.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Forks {
    limit: usize,
    dialogs: Vec<Dialog>,
}

impl Forks {
    /// None yet, and never more than `limit`.
    pub fn new(limit: usize) -> Forks {
        Forks { limit, dialogs: Vec::new() }
    }

    /// Takes a response to the `invite`: finds its dialog by the To tag and updates it, or begins one.
    pub fn handle_response(
        &mut self,
        invite: &Message,
        response: &Message,
    ) -> Result<&mut Dialog, DialogError> {
        let fork = Dialog::uac(invite, response)?;
        let known = self.dialogs.iter().position(|dialog| dialog.remote_tag == fork.remote_tag);
        if known.is_none() && self.dialogs.len() >= self.limit {
            return Err(DialogError::TooManyForks(self.limit));
        }
        let at = known.unwrap_or(self.dialogs.len());
        if known.is_none() {
            self.dialogs.push(fork);
        }
        let dialog = self.dialogs.get_mut(at).ok_or(DialogError::NoTag)?; // Cannot fail: it was found or pushed.
        if known.is_some() {
            dialog.handle_response(response);
        }
        Ok(dialog)
    }

    /// The dialog of a message from the peer.
    pub fn find(&mut self, message: &Message) -> Option<&mut Dialog> {
        self.dialogs.iter_mut().find(|dialog| dialog.matches(message))
    }

    /// Takes out the dialog with this To tag, to go on with it alone.
    pub fn take(&mut self, remote_tag: &str) -> Option<Dialog> {
        let at = self.dialogs.iter().position(|dialog| dialog.remote_tag == remote_tag)?;
        Some(self.dialogs.remove(at))
    }

    /// In the order in which they began.
    pub fn iter(&self) -> impl Iterator<Item = &Dialog> {
        self.dialogs.iter()
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.dialogs.len()
    }

    /// `true` if there are none.
    pub fn is_empty(&self) -> bool {
        self.dialogs.is_empty()
    }
}
