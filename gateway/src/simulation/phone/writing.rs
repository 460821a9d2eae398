//! How a phone writes its messages.

use bytes::Bytes;
use sip::{Builder, Name};

use super::{Phone, Wrap};
use crate::peer::Transport;
use crate::random::Random;
use crate::simulation::media::Terms;

impl Phone {
    pub fn via(&self, branch: &str) -> String {
        format!("SIP/2.0/{} {};branch={branch};rport", self.transport.via(), self.address)
    }

    pub fn contact(&self) -> String {
        if let Some(uri) = self.contact_uri {
            return format!("<{uri}>");
        }
        let host = self.contact_host.map_or_else(|| self.address.to_string(), str::to_owned);
        match self.transport {
            Transport::Udp => format!("<sip:{}@{host}>", self.name),
            _ => format!("<sip:{}@{host};transport=tcp>", self.name),
        }
    }

    pub fn branch(&mut self) -> String {
        format!("z9hG4bK{}", self.token())
    }

    pub fn token(&mut self) -> String {
        format!("{:012x}", self.random.next_u64() >> 16)
    }

    pub(super) fn terms(&self) -> Terms {
        Terms {
            ip: self.address.ip(),
            streams: self.streams,
            host: self.media_host,
            at: self.media_at,
            marked: self.abilities.marks,
            repeats: self.abilities.repeats,
        }
    }

    /// With a session description, wrapped as the phone wraps them.
    pub(super) fn described(&self, builder: Builder, sdp: Bytes) -> Builder {
        wrapped(self.wraps, builder, sdp)
    }

    /// With what it says on all that it sends inside dialogs.
    pub(super) fn dressed(&self, builder: Builder) -> Builder {
        self.says.iter().fold(builder, |builder, (name, value)| builder.raw(name, value))
    }
}

pub(super) fn wrapped(wraps: Option<Wrap>, builder: Builder, sdp: Bytes) -> Builder {
    let Some(wraps) = wraps else { return builder.body("application/sdp", sdp) };
    let (content_type, body) = wraps(&sdp);
    let builder = builder.body(&content_type, body);
    if content_type.is_empty() { builder.remove(Name::ContentType) } else { builder }
}
