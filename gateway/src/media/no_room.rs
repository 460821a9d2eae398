//! Why a call has no ports.

use std::fmt;

/// Why a call has no ports. Displays as what its caller is told, which names no address of ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum NoRoom {
    /// All are in use, rest after use, or are set aside for emergency calls.
    Ports,
    /// The party has its share: what is left is for others.
    Share,
    /// More sockets would leave none to emergency calls: the limit of open files.
    Descriptors,
    /// The system refused a socket, or the media workers are behind.
    System,
}

impl NoRoom {
    /// The cause as a metric label.
    pub fn label(self) -> &'static str {
        match self {
            NoRoom::Ports => "media_ports",
            NoRoom::Share => "media_share",
            NoRoom::Descriptors => "descriptors",
            NoRoom::System => "media_workers",
        }
    }
}

impl fmt::Display for NoRoom {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            NoRoom::Ports => "All media ports are in use",
            NoRoom::Share => "The media ports that are left are for others",
            NoRoom::Descriptors => "No room for more calls: the limit of open files",
            NoRoom::System => "Media can't be opened",
        })
    }
}
