//! What the service says while a stream is sent to it: JSON objects one after another, cut at any byte.

use serde::Deserialize;

/// The longest acknowledgement that is read, in bytes. Real ones have 150 to 300.
const LONGEST: usize = 4_096;

/// What became of a fragment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Acknowledgement {
    /// Its first bytes came.
    Buffering(Fragment),
    /// All of it came.
    Received(Fragment),
    /// It is stored.
    Persisted(Fragment),
    /// It, or the session, failed.
    Error {
        /// The fragment's time, where it is about one.
        time_ms: Option<u64>,
        /// `4004` and the like; 0 where there is none.
        id: u32,
        /// What the service calls it.
        code: String,
    },
    /// Nothing has come for long.
    Idle,
}

/// Which fragment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fragment {
    /// Its time, milliseconds since the Unix epoch.
    pub time_ms: u64,
    /// Its number: decimal, of some 47 digits.
    pub number: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Raw {
    event_type: Option<String>,
    ack_event_type: Option<String>,
    fragment_timecode: Option<u64>,
    fragment_number: Option<String>,
    error_id: Option<u32>,
    error_code: Option<String>,
}

/// What was no acknowledgement.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("what the service says is no acknowledgement")]
pub struct Garbage;

/// Collects bytes until they are objects.
#[derive(Debug, Default)]
pub struct Acknowledgements {
    buffer: Vec<u8>,
}

impl Acknowledgements {
    /// Takes bytes, and returns what they complete, in order.
    ///
    /// # Errors
    /// It is no acknowledgement, or too long: the session is of no use any more.
    pub fn handle(&mut self, bytes: &[u8]) -> Result<Vec<Acknowledgement>, Garbage> {
        let mut found = Vec::new();
        for part in bytes.chunks(LONGEST) {
            self.buffer.extend_from_slice(part);
            let mut objects = serde_json::Deserializer::from_slice(&self.buffer).into_iter::<Raw>();
            for object in objects.by_ref() {
                match object {
                    Ok(raw) => found.extend(raw.meaning()?),
                    Err(error) if error.is_eof() => break,
                    Err(_) => return Err(Garbage),
                }
            }
            let used = objects.byte_offset().min(self.buffer.len());
            self.buffer.drain(..used);
            if self.buffer.len() > LONGEST {
                return Err(Garbage);
            }
        }
        Ok(found)
    }
}

impl Raw {
    /// `None`: a kind that came later than this was written.
    fn meaning(self) -> Result<Option<Acknowledgement>, Garbage> {
        let kind = self.event_type.or(self.ack_event_type).ok_or(Garbage)?;
        let fragment = || {
            let number = self.fragment_number.clone().filter(|number| {
                (1..=128).contains(&number.len()) && number.bytes().all(|byte| byte.is_ascii_digit())
            });
            Ok(Fragment { time_ms: self.fragment_timecode.ok_or(Garbage)?, number: number.ok_or(Garbage)? })
        };
        Ok(Some(match kind.as_str() {
            "BUFFERING" => Acknowledgement::Buffering(fragment()?),
            "RECEIVED" => Acknowledgement::Received(fragment()?),
            "PERSISTED" => Acknowledgement::Persisted(fragment()?),
            "ERROR" => Acknowledgement::Error {
                time_ms: self.fragment_timecode,
                id: self.error_id.unwrap_or_default(),
                code: crate::http::short(&self.error_code.unwrap_or_default()),
            },
            "IDLE" => Acknowledgement::Idle,
            _ => return Ok(None),
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SAID: &str = concat!(
        r#"{"EventType":"BUFFERING","FragmentTimecode":1700000000000,"FragmentNumber":"9134385233318143"}"#,
        "\n",
        r#"{"EventType":"RECEIVED","FragmentTimecode":1700000000000,"FragmentNumber":"9134385233318143"}"#,
        r#"{"AckEventType":"PERSISTED","FragmentTimecode":1700000000000,"FragmentNumber":"9134385233318143"}"#,
        "\r\n",
        r#"{"EventType":"LATER","New":[1,{"a":2}]}"#,
        r#"{"EventType":"ERROR","FragmentTimecode":1700000001000,"FragmentNumber":"91","ErrorId":4004,"ErrorCode":"FRAGMENT_TIMECODE_LESSER_THAN_PREVIOUS"}"#,
        r#"{"EventType":"IDLE"}"#,
        "\n"
    );

    #[test]
    fn objects_are_found_however_they_are_cut() {
        let fragment = || Fragment { time_ms: 1_700_000_000_000, number: "9134385233318143".to_owned() };
        let expected = [
            Acknowledgement::Buffering(fragment()),
            Acknowledgement::Received(fragment()),
            Acknowledgement::Persisted(fragment()),
            Acknowledgement::Error {
                time_ms: Some(1_700_000_001_000),
                id: 4004,
                code: "FRAGMENT_TIMECODE_LESSER_THAN_PREVIOUS".to_owned(),
            },
            Acknowledgement::Idle,
        ];
        for size in [1, 2, 3, 7, 50, 101, SAID.len()] {
            let mut acknowledgements = Acknowledgements::default();
            let found: Vec<_> = SAID
                .as_bytes()
                .chunks(size)
                .flat_map(|part| acknowledgements.handle(part).unwrap())
                .collect();
            assert_eq!(found, expected, "cut every {size} bytes");
            assert!(acknowledgements.buffer.len() <= 1);
        }
    }

    #[test]
    fn garbage_is_told_and_never_kept() {
        for garbage in [
            "<html>",
            "{}",
            "[1]",
            "\u{0}",
            r#"{"EventType":"RECEIVED"}"#,
            r#"{"EventType":"RECEIVED","FragmentTimecode":-1,"FragmentNumber":"1"}"#,
            r#"{"EventType":"RECEIVED","FragmentTimecode":1,"FragmentNumber":"1\n2"}"#,
        ] {
            assert_eq!(Acknowledgements::default().handle(garbage.as_bytes()), Err(Garbage), "{garbage}");
        }
        let mut endless = Acknowledgements::default();
        let said = format!("{{\"EventType\":\"{}", "A".repeat(100_000));
        assert_eq!(endless.handle(said.as_bytes()), Err(Garbage));
        assert!(endless.buffer.capacity() < 4 * LONGEST);
        let mut spaces = Acknowledgements::default();
        assert!(spaces.handle(&[b' '; 100_000]).is_err() || spaces.buffer.len() <= LONGEST);
    }
}
