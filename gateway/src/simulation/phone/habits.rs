//! What a phone does by itself.

/// What a phone does by itself.
#[derive(Debug, Clone)]
pub(crate) struct Habits {
    /// Answer re-INVITE and UPDATE with this; `None`: the test answers.
    pub renegotiates: Option<u16>,
    /// Answer INFO and MESSAGE inside dialogs with this; `None`: silence.
    pub informed: Option<u16>,
    /// Answer OPTIONS outside of calls with this; `None`: silence.
    pub probed: Option<u16>,
    /// Challenge requests inside dialogs that carry no credentials.
    pub challenges: bool,
    /// So many answers to its challenges are stale.
    pub stale: u32,
    /// Hear nothing at all.
    pub deaf: bool,
    /// A message with a fault fails the test; else it is ignored.
    pub strict: bool,
}

impl Default for Habits {
    fn default() -> Habits {
        Habits {
            renegotiates: Some(200),
            informed: Some(200),
            probed: Some(200),
            challenges: false,
            stale: 0,
            deaf: false,
            strict: true,
        }
    }
}
