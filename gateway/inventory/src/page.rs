//! Lists, a page at a time.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::Error;
use crate::seal::Seal;

/// What page of a list is asked for.
#[derive(Debug, Clone, Copy)]
pub struct Paging<'a> {
    /// Objects at most; 0 is taken for 1.
    pub limit: usize,
    /// The `next` of the page before. Default: none, the first page.
    pub after: Option<&'a str>,
}

impl Default for Paging<'_> {
    /// The first 100.
    fn default() -> Self {
        Self { limit: 100, after: None }
    }
}

/// A page of a list, in the order of ids.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page<T> {
    /// As many as were asked for, or what is left.
    pub items: Vec<T>,
    /// Where the next page begins, for [`Paging::after`]: letters, digits, `-` and `_`. None: this was the last.
    pub next: Option<String>,
}

impl<T> Page<T> {
    /// The page with its items as something else.
    pub fn map<U>(self, change: impl FnMut(T) -> U) -> Page<U> {
        Page { items: self.items.into_iter().map(change).collect(), next: self.next }
    }
}

/// Bytes of a cursor's mark.
const MARK: usize = 16;

/// The key behind which a page begins.
///
/// - `list`: which list with which filter; the cursor of another one is refused.
pub(crate) fn key_of(seal: &Seal, list: &str, cursor: &str) -> Result<String, Error> {
    let wrong = || Error::BadRequest("the paging token is none of this list".to_owned());
    let bytes = URL_SAFE_NO_PAD.decode(cursor).map_err(|_| wrong())?;
    let (mark, key) = bytes.split_first_chunk::<MARK>().ok_or_else(wrong)?;
    let key = std::str::from_utf8(key).map_err(|_| wrong())?;
    if *mark == seal.mark(list, key) { Ok(key.to_owned()) } else { Err(wrong()) }
}

pub(crate) fn cursor(seal: &Seal, list: &str, key: &str) -> String {
    let mark = seal.mark(list, key);
    URL_SAFE_NO_PAD.encode(mark.iter().chain(key.as_bytes()).copied().collect::<Vec<u8>>())
}
