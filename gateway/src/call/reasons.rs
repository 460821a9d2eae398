//! How much of a peer's reasons crosses.

/// Far more than any protocol and cause need with a sentence of words; beyond it nobody means well.
const LONGEST: usize = 512;

/// What of a Reason field may be said to the other side: all of it, or as many whole values and parameters as
/// [`LONGEST`] holds; `None` where not even the first protocol fits. RFC 3326 §2.
pub(super) fn bounded(value: &[u8]) -> Option<&[u8]> {
    if value.len() <= LONGEST {
        return Some(value);
    }
    let (mut quoted, mut escaped, mut whole) = (false, false, 0);
    for (at, byte) in value.iter().enumerate().take(LONGEST + 1) {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            b';' | b',' if !quoted => whole = at,
            _ => {}
        }
    }
    value.get(..whole).map(<[u8]>::trim_ascii_end).filter(|kept| !kept.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_one_ends_with_a_whole_parameter() {
        let cut = |text: &str| bounded(text.as_bytes()).map(|kept| String::from_utf8(kept.to_vec()).unwrap());
        let (long, some) = ("x".repeat(20_000), "y".repeat(400));
        let said = format!("Q.850;cause=16;text=\"{some}\"");
        for (text, kept) in [
            (said.clone(), Some(said.as_str())),
            (format!("{said}, SIP;cause=200;text=\"{some}\""), Some(&*format!("{said}, SIP;cause=200"))),
            (format!("SIP;cause=200;text=\"{long}\""), Some("SIP;cause=200")),
            (format!("SIP ;cause=200 ;text=\"a;\\\";b,{long}\""), Some("SIP ;cause=200")),
            (format!("{said},{said},{said}"), Some(&*format!("{said},Q.850;cause=16"))),
            (long, None),
            (format!("\"{};", "\\\"".repeat(20_000)), None),
        ] {
            assert_eq!(cut(&text).as_deref(), kept);
        }
    }
}
