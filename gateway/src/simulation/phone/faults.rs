//! Faults that a test plants in a phone, to see that a law tells them.

/// One way to break the rules.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// It never acknowledges a reliable response.
    NeverPracks,
    /// It offers again while its offer is not answered.
    OffersTwice,
    /// Its 2xx describes other media than its 18x did, in one dialog.
    ChangesItsAnswer,
    /// It holds what it offered to be agreed on, though the offer was refused.
    KeepsWhatWasRefused,
    /// It promises to refresh the session, does not, and stays.
    NeverRefreshes,
    /// Its last NOTIFY tells of success, whatever came of the call.
    LiesAboutTheTransfer,
    /// It never ends the subscription of a REFER.
    NeverEndsTheSubscription,
}
