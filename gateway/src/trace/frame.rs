//! One message or datagram, with where it came from and where it went.

use std::net::SocketAddr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// What a frame is shown in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Carried {
    /// A datagram, which it was; or a message of a TLS connection, which is shown as one because it stands there in the clear.
    Udp,
    /// A part of a stream.
    Tcp,
}

/// See the module. Plain data, as it crosses the control socket.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Frame {
    /// When, since the Unix epoch.
    pub at: Duration,
    /// From where: ours, where it was sent.
    pub from: SocketAddr,
    /// To where.
    pub to: SocketAddr,
    /// In what.
    pub carried: Carried,
    /// What else there is to say of it: that TLS carried it.
    pub note: Option<String>,
    /// What was carried.
    #[serde(with = "hexadecimal")]
    pub bytes: Vec<u8>,
}

/// Bytes as hexadecimal digits, two each.
mod hexadecimal {
    use serde::de::Error;
    use serde::{Deserialize, Deserializer, Serializer};

    const DIGITS: &[u8; 16] = b"0123456789abcdef";

    pub(super) fn serialize<S: Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
        let digit = |value: u8| DIGITS.get(usize::from(value)).copied().map_or('0', char::from);
        let text: String = bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect();
        serializer.serialize_str(&text)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
        let text = String::deserialize(deserializer)?;
        let digit = |letter: u8| char::from(letter).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
        let byte = |pair: &[u8]| match pair {
            [high, low] => Some(digit(*high)? << 4 | digit(*low)?),
            _ => None,
        };
        let bytes: Option<Vec<u8>> = text.as_bytes().chunks(2).map(byte).collect();
        bytes.ok_or_else(|| D::Error::custom("no hexadecimal digits"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_crosses_as_a_line() {
        let frame = Frame {
            at: Duration::from_millis(1_700_000_000_123),
            from: "192.0.2.1:5060".parse().unwrap(),
            to: "[2001:db8::1]:5060".parse().unwrap(),
            carried: Carried::Udp,
            note: None,
            bytes: vec![0, 255, 16, 7],
        };
        let line = serde_json::to_string(&frame).unwrap();
        assert!(line.contains("\"00ff1007\""), "{line}");
        assert_eq!(serde_json::from_str::<Frame>(&line).unwrap(), frame);
        assert!(serde_json::from_str::<Frame>(&line.replace("00ff1007", "00f")).is_err());
    }
}
