//! What policies say of the console's pages that no operation of the API stands for.

/// One of them; its resource is `*`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ConsoleAction {
    /// See what is going on: figures, calls with their numbers, why calls are refused.
    ReadCalls,
    /// Read the audit.
    ReadAudit,
    /// See access keys, without their secrets, and policies.
    ReadKeys,
    /// Make and change access keys and policies: who may, may give itself everything but the root's place.
    ChangeKeys,
}

impl ConsoleAction {
    /// All of them.
    pub const ALL: [ConsoleAction; 4] = [
        ConsoleAction::ReadCalls,
        ConsoleAction::ReadAudit,
        ConsoleAction::ReadKeys,
        ConsoleAction::ChangeKeys,
    ];

    /// What policies call it.
    #[must_use]
    pub const fn action(self) -> &'static str {
        match self {
            ConsoleAction::ReadCalls => "console:ReadCalls",
            ConsoleAction::ReadAudit => "console:ReadAudit",
            ConsoleAction::ReadKeys => "console:ReadKeys",
            ConsoleAction::ChangeKeys => "console:ChangeKeys",
        }
    }
}
