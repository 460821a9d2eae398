//! Faults that a test plants in a phone, to see that a law tells them.

/// One way to break the rules.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// Never acknowledges a reliable response.
    NeverPracks,
    /// Offers again while its offer is not answered.
    OffersTwice,
    /// Its 2xx describes other media than its 18x did, in one dialog.
    ChangesItsAnswer,
    /// Holds what it offered to be agreed on, though the offer was refused.
    KeepsWhatWasRefused,
    /// Promises to refresh the session, does not, and stays.
    NeverRefreshes,
    /// Its last NOTIFY tells of success, whatever came of the call.
    LiesAboutTheTransfer,
    /// Never ends the subscription of a REFER.
    NeverEndsTheSubscription,
}
