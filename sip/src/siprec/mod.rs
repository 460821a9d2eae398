//! SIPREC: what is recorded, told by whom records (RFC 7865 metadata), and the bodies that carry it (RFC 7866).
//!
//! A recording client (SRC) sends an INVITE with two parts: a session description with a stream for each recorded one, and a
//! [`Metadata`] document that says who speaks in which. A stream of the document and one of the description belong together
//! by their label: `<label>` equals `a=label`.
//!
//! What is read is old and odd documents too; what is written is RFC 7865's form alone. Reading resolves no entity but the
//! five of XML, takes no document type, and is bounded in size, depth and number of elements.
//!
//! ```
//! use sip::siprec::Metadata;
//!
//! let metadata = Metadata::parse(
//!     br#"<recording xmlns="urn:ietf:params:xml:ns:recording:1"><datamode>complete</datamode>
//!     <participant participant_id="bob"><nameID aor="sip:bob@biloxi.example"/></participant>
//!     <stream stream_id="s1" session_id="c1"><label>1</label></stream>
//!     <participantstreamassoc participant_id="bob"><send>s1</send></participantstreamassoc></recording>"#,
//! )?;
//! let speaker = metadata.speaker("1").ok_or("nobody")?;
//! assert_eq!(speaker.aor(), Some("sip:bob@biloxi.example"));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod part;
mod read;
mod tree;
mod write;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

pub use part::{MEDIA_TYPE, asks_for_snapshot, metadata_in, with_metadata};

/// The option tag of `Require` and `Supported`. RFC 7866 §5.1.
pub const OPTION_TAG: &str = "siprec";

/// The Contact of a recording client has this feature tag. RFC 7866 §5.2.
pub const SRC_FEATURE: &str = "+sip.src";

/// The Contact of a recording server has this feature tag. RFC 7866 §5.2.
pub const SRS_FEATURE: &str = "+sip.srs";

/// So many objects of one kind a document may have, and what is kept of partial ones.
const MOST: usize = 64;

/// A metadata document. RFC 7865 §5.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Metadata {
    /// Whether it says everything.
    pub mode: DataMode,
    /// Groups of sessions.
    pub groups: Vec<Group>,
    /// The sessions that are recorded.
    pub sessions: Vec<Session>,
    /// Who takes part.
    pub participants: Vec<Participant>,
    /// What is sent to the recorder.
    pub streams: Vec<Stream>,
    /// Which session is recorded since when.
    pub recorded: Vec<Recorded>,
    /// Who takes part in which session.
    pub attendances: Vec<Attendance>,
    /// Who sends and receives which stream.
    pub flows: Vec<Flow>,
}

/// How much a document says: `<datamode>`. RFC 7865 §6.1.1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum DataMode {
    /// All that holds now.
    #[default]
    Complete,
    /// What is new; what it does not name holds on.
    Partial,
}

/// Since when and until when something holds, as it was written: RFC 3339 times. RFC 7865 §6.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Period {
    /// `<associate-time>`.
    pub since: Option<String>,
    /// `<disassociate-time>`.
    pub until: Option<String>,
}

/// A group of communication sessions: `<group>`. RFC 7865 §6.2.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Group {
    /// `group_id`.
    pub id: String,
    /// When it was one.
    pub period: Period,
}

/// A communication session: `<session>`. RFC 7865 §6.3.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Session {
    /// `session_id`.
    pub id: String,
    /// Session-IDs of its dialogs: `<sipSessionID>`. RFC 7989.
    pub sip_session_ids: Vec<String>,
    /// The group that it is of: `<group-ref>`.
    pub group: Option<String>,
    /// `<start-time>`.
    pub start: Option<String>,
    /// `<stop-time>`.
    pub stop: Option<String>,
}

/// Somebody who takes part: `<participant>`. RFC 7865 §6.5.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Participant {
    /// `participant_id`.
    pub id: String,
    /// What it is called: `<nameID>`.
    pub names: Vec<NameId>,
}

/// One address of somebody, and the name there: `<nameID>`. RFC 7865 §6.5.1.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct NameId {
    /// A SIP or tel URI: `aor`.
    pub aor: String,
    /// `<name>`.
    pub name: Option<String>,
}

/// A stream of media: `<stream>`. RFC 7865 §6.7.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Stream {
    /// `stream_id`.
    pub id: String,
    /// The session that it is of.
    pub session: Option<String>,
    /// What `a=label` says of it in the session description.
    pub label: Option<String>,
}

/// That a session is recorded: `<sessionrecordingassoc>`. RFC 7865 §6.4.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Recorded {
    /// `session_id`.
    pub session: String,
    /// Since when and until when.
    pub period: Period,
}

/// That somebody takes part in a session: `<participantsessionassoc>`. RFC 7865 §6.6.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Attendance {
    /// `participant_id`.
    pub participant: String,
    /// `session_id`.
    pub session: String,
    /// Since when and until when.
    pub period: Period,
}

/// Which streams somebody sends and receives: `<participantstreamassoc>`. RFC 7865 §6.8.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Flow {
    /// `participant_id`.
    pub participant: String,
    /// Streams with its voice: `<send>`.
    pub sends: Vec<String>,
    /// Streams that it hears: `<recv>`.
    pub receives: Vec<String>,
    /// Since when and until when.
    pub period: Period,
}

/// Why a document is not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum MetadataError {
    /// More than 64 KiB.
    #[error("the metadata has more than 64 KiB")]
    TooLarge,
    /// It is not UTF-8, or no well-formed XML.
    #[error("the metadata is not well-formed, at byte {0}")]
    Malformed(u64),
    /// It has a document type, which could define entities.
    #[error("the metadata has a document type")]
    DocumentType,
    /// It names an entity that is none of XML's five.
    #[error("the metadata names an entity")]
    Entity,
    /// Elements are more than 16 deep, or more than 1,024.
    #[error("the metadata has too many elements")]
    TooMany,
    /// Its root is no `<recording>`.
    #[error("the metadata is no recording")]
    Root,
}

/// A random id as RFC 7865 writes it: 16 bytes of a UUID in base64. §6.10.
pub fn id(uuid: [u8; 16]) -> String {
    STANDARD.encode(uuid)
}

impl Metadata {
    /// Reads a document, of whichever draft.
    ///
    /// Elements are known by their names, in whatever namespace. What is unknown, as the private data of vendors, is passed
    /// over; so is an object without an id. Of one kind the first 64 objects are taken.
    ///
    /// # Errors
    /// It is too large, no XML, or no recording, or has what could make it grow.
    pub fn parse(bytes: &[u8]) -> Result<Self, MetadataError> {
        read::metadata(&tree::parse(bytes)?)
    }

    /// Writes it in the form of RFC 7865. What XML can't hold (most control characters) is left out.
    pub fn to_xml(&self) -> String {
        write::document(self)
    }

    /// Takes what a newer document says. A complete one says all; what a partial one names stands in place of what had its
    /// id, or is new. RFC 7865 §6.1.1.
    pub fn update(&mut self, newer: Metadata) {
        if newer.mode == DataMode::Complete {
            *self = newer;
            return;
        }
        merge(&mut self.groups, newer.groups, |one, other| one.id == other.id);
        merge(&mut self.sessions, newer.sessions, |one, other| one.id == other.id);
        merge(&mut self.participants, newer.participants, |one, other| one.id == other.id);
        merge(&mut self.streams, newer.streams, |one, other| one.id == other.id);
        merge(&mut self.recorded, newer.recorded, |one, other| one.session == other.session);
        merge(&mut self.attendances, newer.attendances, |one, other| {
            one.participant == other.participant && one.session == other.session
        });
        merge(&mut self.flows, newer.flows, |one, other| one.participant == other.participant);
    }

    /// The stream with that label in the session description.
    pub fn stream(&self, label: &str) -> Option<&Stream> {
        self.streams.iter().find(|stream| stream.label.as_deref() == Some(label))
    }

    /// Whose voice the stream with that label has; the first, where it has several.
    pub fn speaker(&self, label: &str) -> Option<&Participant> {
        let stream = &self.stream(label)?.id;
        let sends = |flow: &&Flow| flow.period.until.is_none() && flow.sends.contains(stream);
        let flow = self.flows.iter().find(sends)?;
        self.participants.iter().find(|one| one.id == flow.participant)
    }
}

impl Participant {
    /// Its first address.
    pub fn aor(&self) -> Option<&str> {
        self.names.iter().map(|name| name.aor.as_str()).find(|aor| !aor.is_empty())
    }
}

/// Puts each of `newer` in the place of what is the same object, or behind all while there is room.
fn merge<T>(held: &mut Vec<T>, newer: Vec<T>, is_same: impl Fn(&T, &T) -> bool) {
    for object in newer {
        let has_room = held.len() < MOST;
        match held.iter_mut().find(|one| is_same(one, &object)) {
            Some(before) => *before = object,
            None if has_room => held.push(object),
            None => {}
        }
    }
}

#[cfg(test)]
mod tests;
