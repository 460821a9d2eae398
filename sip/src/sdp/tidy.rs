//! Mends what real devices get wrong in lines that the relay replaces or never reads.

/// A second try at a body that the grammar refused.
///
/// Only lines whose meaning survives are touched; an `m=` or `c=` that says nothing certain stays broken.
pub(super) fn tidy(body: &[u8]) -> Vec<u8> {
    let text = String::from_utf8_lossy(body);
    let mut tidied = String::with_capacity(text.len());
    for line in text.lines().filter_map(tidy_line) {
        tidied.push_str(&line);
        tidied.push_str("\r\n");
    }
    tidied.into_bytes()
}

/// One line, or `None` to leave it out.
fn tidy_line(line: &str) -> Option<String> {
    // A NUL pads the body of some devices.
    let line = line.trim_matches(['\0', ' ', '\t', '\r']);
    let Some((key, value)) = line.split_once('=') else {
        return (!line.is_empty()).then(|| line.to_owned());
    };
    match key {
        // Ours replaces it; only its presence and its numbers, if they are numbers, matter.
        "o" => Some(format!("o={}", origin(value))),
        "m" => Some(format!("m={}", media(value))),
        "v" | "c" => Some(format!("{key}={}", fields(value).join(" "))),
        // Calls are not scheduled; a bandwidth that is no number limits nothing; keys in `k=` must not be used.
        "t" if fields(value).iter().any(|time| time.parse::<u64>().is_err()) => Some("t=0 0".to_owned()),
        "b" if !is_bandwidth(value) => None,
        "r" | "z" | "k" => None,
        _ => Some(line.to_owned()),
    }
}

fn fields(value: &str) -> Vec<&str> {
    value.split_ascii_whitespace().collect()
}

/// `<username> <sess-id> <sess-version> <nettype> <addrtype> <address>`, RFC 8866 §5.2.
fn origin(value: &str) -> String {
    let fields = fields(value);
    match fields.as_slice() {
        // A user name with blanks in it: the last five are certain.
        [.., id, version, "IN", kind @ ("IP4" | "IP6"), address] => {
            format!("- {id} {} IN {kind} {address}", version.parse::<u64>().unwrap_or_default())
        }
        _ => "- 0 0 IN IP4 0.0.0.0".to_owned(),
    }
}

/// `<media> <port> <proto> <fmt> ...`, RFC 8866 §5.14. A refused stream may come without a format.
fn media(value: &str) -> String {
    let fields = fields(value);
    match fields.as_slice() {
        [media, "0", protocol] => format!("{media} 0 {protocol} 0"),
        _ => fields.join(" "),
    }
}

fn is_bandwidth(value: &str) -> bool {
    value.split_once(':').is_some_and(|(_, number)| number.parse::<u64>().is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_mended_or_left() {
        let check =
            |line: &str, expect: Option<&str>| assert_eq!(tidy_line(line).as_deref(), expect, "{line}");
        check("o=John Doe 1 2 IN IP4 192.0.2.1", Some("o=- 1 2 IN IP4 192.0.2.1"));
        check("o=- 1 99999999999999999999999 IN IP4 192.0.2.1", Some("o=- 1 0 IN IP4 192.0.2.1"));
        check("o=nonsense", Some("o=- 0 0 IN IP4 0.0.0.0"));
        check("m=audio  4000 RTP/AVP 0 8 ", Some("m=audio 4000 RTP/AVP 0 8"));
        check("m=video 0 RTP/AVP", Some("m=video 0 RTP/AVP 0"));
        check("m=audio 4000 RTP/AVP", Some("m=audio 4000 RTP/AVP"));
        check("c=IN IP4  192.0.2.1 ", Some("c=IN IP4 192.0.2.1"));
        check("t=0 forever", Some("t=0 0"));
        check("b=AS:64kbit", None);
        check("b=AS:64 ", Some("b=AS:64"));
        check("k=clear:secret", None);
        check("\0\0", None);
        check("rubbish", Some("rubbish"));
    }
}
