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

#[cfg(test)]
mod tests {
    use super::super::fixture::{CONTACT, answer, invite};
    use super::super::{DialogState, Role};
    use super::*;

    #[test]
    fn each_to_tag_is_a_dialog() {
        let (invite, mut forks) = (invite(), Forks::new(3));
        for (status, tag, count) in [
            ("100 Trying", "", 0),
            ("180 Ringing", "", 0),
            ("180 Ringing", "a", 1),
            ("183 Session Progress", "b", 2),
            ("183 Session Progress", "a", 2),
            ("200 OK", "b", 2),
            ("200 OK", "c", 3),
            ("180 Ringing", "d", 3), // One too many.
            ("200 OK", "a", 3),
            ("486 Busy Here", "e", 3),
        ] {
            let _ = forks.handle_response(&invite, &answer(status, tag, &[CONTACT]));
            assert_eq!(forks.len(), count, "{status} {tag}");
        }
        assert!(
            forks.iter().all(|dialog| (dialog.role, dialog.state) == (Role::Uac, DialogState::Confirmed))
        );
        let refused = forks.handle_response(&invite, &answer("200 OK", "d", &[CONTACT]));
        assert_eq!(refused.unwrap_err(), DialogError::TooManyForks(3));

        assert_eq!(forks.find(&answer("200 OK", "b", &[])).unwrap().remote_tag, "b");
        assert!(forks.find(&answer("200 OK", "d", &[])).is_none());
        assert_eq!(forks.take("b").unwrap().remote_tag, "b");
        assert!(forks.take("b").is_none() && forks.len() == 2 && !forks.is_empty());
    }

    #[test]
    fn early_dialog_becomes_confirmed() {
        let (invite, mut forks) = (invite(), Forks::new(3));
        let early = forks.handle_response(&invite, &answer("180 Ringing", "a", &[CONTACT])).unwrap();
        assert_eq!(early.state, DialogState::Early);
        early.request(crate::Method::Update); // CSeq goes on from here.
        let confirmed = forks.handle_response(&invite, &answer("200 OK", "a", &[CONTACT])).unwrap();
        assert_eq!((confirmed.state, confirmed.local_cseq), (DialogState::Confirmed, 8));
    }
}
