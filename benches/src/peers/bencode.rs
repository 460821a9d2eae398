//! Bencode, as much of it as rtpengine's control protocol needs here: texts, lists and dictionaries of texts.

/// A value to write. Dictionaries must have their keys in order.
#[derive(Debug, Clone)]
pub enum Value {
    Text(String),
    List(Vec<Value>),
    Dictionary(Vec<(&'static str, Value)>),
}

impl Value {
    pub fn text(text: impl Into<String>) -> Value {
        Value::Text(text.into())
    }

    pub fn texts(texts: &[&str]) -> Value {
        Value::List(texts.iter().map(|text| Value::text(*text)).collect())
    }

    pub fn encode(&self) -> String {
        let of_text = |text: &str| format!("{}:{text}", text.len());
        match self {
            Value::Text(text) => of_text(text),
            Value::List(items) => format!("l{}e", items.iter().map(Value::encode).collect::<String>()),
            Value::Dictionary(entries) => {
                let entries = entries.iter().map(|(key, value)| of_text(key) + &value.encode());
                format!("d{}e", entries.collect::<String>())
            }
        }
    }
}

/// The text behind a key, anywhere in what was received; a dictionary of rtpengine's has each once.
pub fn text_of<'a>(encoded: &'a str, key: &str) -> Option<&'a str> {
    let (_, rest) = encoded.split_once(&format!("{}:{key}", key.len()))?;
    let (length, rest) = rest.split_once(':')?;
    rest.get(..length.parse().ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_found() {
        let flags = Value::texts(&["trust-address"]);
        let value = Value::Dictionary(vec![("flags", flags), ("sdp", Value::text("v=0\r\n"))]);
        let encoded = value.encode();
        assert_eq!(encoded, "d5:flagsl13:trust-addresse3:sdp5:v=0\r\ne");
        assert_eq!(text_of(&encoded, "sdp"), Some("v=0\r\n"));
        assert_eq!(text_of(&encoded, "result"), None);
    }
}
