//! Parameters of a Request-URI.

use std::fmt;

use super::ValueError;
use crate::Transport;
use crate::read::Item;

/// Parameters of a Request-URI, in the file's order, each as it stands on the wire: `user=phone`.
///
/// Never `transport`, which the protocol gives. Displays with a `;` before each.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct UriParameters(Vec<String>);

/// Parameters that lead a request elsewhere, or that RFC 3261 §19.1.1 table 1 lets into no Request-URI.
const ELSEWHERE: [&str; 4] = ["lr", "maddr", "ttl", "method"];

impl UriParameters {
    /// - `protocol`: what carries requests there; a `transport` must say the same.
    pub(crate) fn read(item: &Item<'_>, protocol: Transport) -> Option<Self> {
        item.text(|text| parse(text, protocol))
    }
}

fn parse(text: &str, protocol: Transport) -> Result<UriParameters, ValueError> {
    let mut parameters = Vec::new();
    for parameter in text.split(';').map(str::trim) {
        let (name, value) =
            parameter.split_once('=').map_or((parameter, None), |(name, value)| (name, Some(value)));
        let lower = name.to_ascii_lowercase();
        if !is_written(name) || !value.is_none_or(is_written) {
            return Err(ValueError::new(
                format!("{text:?} are no parameters of a URI"),
                "them as in \"user=phone;tgrp=1\"",
            ));
        }
        if ELSEWHERE.contains(&lower.as_str()) {
            let remedy = "the others, without it";
            return Err(ValueError::new(format!("{name} has no place in a Request-URI"), remedy));
        }
        match value {
            _ if lower != "transport" => parameters.push(parameter.to_owned()),
            Some(value) if value.eq_ignore_ascii_case(&protocol.to_string()) => {}
            _ => {
                let problem = format!("{parameter:?}, and the protocol is {protocol}");
                return Err(ValueError::new(problem, format!("\"transport={protocol}\", or leave it out")));
            }
        }
    }
    Ok(UriParameters(parameters))
}

/// Whether a name or value may stand in a URI as it is: `paramchar` of RFC 3261 §25.1.
fn is_written(text: &str) -> bool {
    let unreserved = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.!~*'()[]/:&+$%".contains(&byte);
    let escapes_are_whole = text
        .split('%')
        .skip(1)
        .all(|rest| rest.len() >= 2 && rest.bytes().take(2).all(|byte| byte.is_ascii_hexdigit()));
    !text.is_empty() && text.bytes().all(unreserved) && escapes_are_whole
}

impl fmt::Display for UriParameters {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|parameter| write!(f, ";{parameter}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_as_the_protocol_and_lead_nowhere_else() {
        let shown = |text| parse(text, Transport::Tls).map(|parameters| parameters.to_string());
        for (text, expected) in [
            ("user=phone", ";user=phone"),
            ("transport=tls", ""),
            ("Transport=TLS; tgrp=a%20b;x", ";tgrp=a%20b;x"),
        ] {
            assert_eq!(shown(text).as_deref(), Ok(expected), "{text}");
        }
        for (text, problem) in [
            ("transport=udp", "\"transport=udp\", and the protocol is tls"),
            ("transport", "\"transport\", and the protocol is tls"),
            ("user=phone;maddr=192.0.2.1", "maddr has no place in a Request-URI"),
            ("LR", "LR has no place in a Request-URI"),
            ("", "\"\" are no parameters of a URI"),
            ("user=", "\"user=\" are no parameters of a URI"),
            ("a=b@c", "\"a=b@c\" are no parameters of a URI"),
            ("a=%2", "\"a=%2\" are no parameters of a URI"),
            ("a>b", "\"a>b\" are no parameters of a URI"),
        ] {
            assert_eq!(shown(text).unwrap_err().problem, problem, "{text}");
        }
    }
}
