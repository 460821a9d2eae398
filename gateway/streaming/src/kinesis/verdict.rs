//! What to do about an error of the service.

/// Where the next try goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// A new session of the same stream goes on where this one failed.
    Again,
    /// A new session, without the fragment that it was about: the service will never take it.
    WithoutFragment,
    /// The same stream, at the address that the service names now.
    Endpoint,
    /// Another stream: this one is in use, or gone.
    OtherStream,
    /// Another target: nothing that we do here will help.
    Target,
}

impl Verdict {
    /// By the `ErrorId` of an acknowledgement. What is not known may pass.
    #[must_use]
    pub fn of_id(id: u32) -> Self {
        match id {
            // Too big, too long, went back in time, no valid Matroska, too many tags, a track without frames.
            4001 | 4002 | 4004 | 4006 | 4009 | 4011 => Self::WithoutFragment,
            // A bad producer timestamp; another number of tracks, or too many; the key.
            4007 | 4005 | 4010 | 4012 | 4500..=4506 => Self::Target,
            // Not active, or deleted.
            4008 | 4507 => Self::OtherStream,
            _ => Self::Again,
        }
    }

    /// By the answer's status, and the name of its error.
    #[must_use]
    pub fn of_answer(status: u16, name: &str) -> Self {
        match name {
            "ConnectionLimitExceededException" | "ResourceNotFoundException" => Self::OtherStream,
            "InvalidEndpointException" => Self::Endpoint,
            "ClientLimitExceededException" => Self::Again,
            "NotAuthorizedException" | "InvalidArgumentException" | "AccessDeniedException" => Self::Target,
            _ if status == 404 => Self::OtherStream,
            _ if (400..500).contains(&status) && status != 408 && status != 429 => Self::Target,
            _ => Self::Again,
        }
    }
}
