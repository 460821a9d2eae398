//! What may be wrong with a header.

use super::Name;
use crate::text::word;
use crate::uri::UriError;

/// A header that cannot be understood. Its text names the header and the fault, fit for a reason phrase.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{name}: {fault}")]
pub struct HeaderError {
    /// Which header.
    pub name: Name,
    /// What is wrong with it.
    pub fault: HeaderFault,
}

/// What is wrong with a header's value. Carries what was found; shown as [`word`] has it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum HeaderFault {
    /// A header that must be there is not.
    #[error("missing")]
    Missing,
    /// A header that may stand once stands more than once.
    #[error("more than one")]
    Repeated,
    /// No value.
    #[error("empty")]
    Empty,
    /// A quoted string does not end.
    #[error("quoted string does not end")]
    OpenQuote,
    /// `<` without `>`, or the other way round.
    #[error("unbalanced angle brackets")]
    Brackets,
    /// The URI in it.
    #[error("{0}")]
    Uri(#[from] UriError),
    /// A comma or another separator in a display name that is not in quotes.
    #[error("display name needs quotes")]
    DisplayName,
    /// A URI with `?` outside angle brackets. RFC 3261 §20.
    #[error("URI needs angle brackets")]
    BareUri,
    /// A parameter without a name, or with a broken value.
    #[error("bad parameter '{}'", word(.0))]
    Parameter(String),
    /// Something else follows the value.
    #[error("unexpected text '{}'", word(.0))]
    Trailing(String),
    /// Not a number, or out of its range.
    #[error("bad number '{}'", word(.0))]
    Number(String),
    /// Not a method.
    #[error("bad method '{}'", word(.0))]
    Method(String),
    /// The CSeq's method is not the request's.
    #[error("method is not the request's")]
    OtherMethod,
    /// Not an option tag.
    #[error("bad option tag '{}'", word(.0))]
    OptionTag(String),
    /// Not `SIP/2.0/TRANSPORT host`.
    #[error("no 'SIP/2.0/transport host'")]
    Via,
    /// A branch of nothing but the magic cookie. RFC 4475 §3.2.1.
    #[error("branch has nothing after z9hG4bK")]
    Branch,
    /// Longer than the bytes that came.
    #[error("{stated} octets stated, {found} came")]
    Longer {
        /// What the header says.
        stated: u32,
        /// What is there.
        found: usize,
    },
}
