use bytes::Bytes;

use crate::Message;

/// A response that may have to be sent again.
#[derive(Debug, Clone)]
pub(super) enum Kept {
    /// As it was built, for who sends it now.
    Whole(Message),
    /// Its bytes alone: hardly any is ever sent again.
    Bytes(Bytes),
}

impl Kept {
    /// Gives up all but the bytes, in room of their own.
    pub(super) fn pack(&mut self) {
        if let Kept::Whole(message) = self {
            *self = Kept::Bytes(Bytes::copy_from_slice(message.bytes()));
        }
    }

    /// The response. Always there: what was built can be read.
    pub(super) fn message(self) -> Option<Message> {
        match self {
            Kept::Whole(message) => Some(message),
            Kept::Bytes(bytes) => Message::parse(bytes).ok(),
        }
    }
}

impl From<Message> for Kept {
    fn from(message: Message) -> Kept {
        Kept::Whole(message)
    }
}
