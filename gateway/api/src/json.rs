//! Bodies: JSON objects of a bounded depth.

use serde_json::{Map, Value};

/// The deepest input of the model nests 5 times.
const DEEPEST: usize = 16;

/// Reads a body; none is an empty object.
///
/// # Errors
/// What the client is told: not JSON, not an object, too deep.
pub(crate) fn parse(body: &[u8]) -> Result<Map<String, Value>, &'static str> {
    if body.iter().all(u8::is_ascii_whitespace) {
        return Ok(Map::new());
    }
    if depth(body) > DEEPEST {
        return Err("The body nests too deep.");
    }
    match serde_json::from_slice(body) {
        Ok(Value::Object(object)) => Ok(object),
        Ok(_) => Err("The body must be a JSON object."),
        Err(_) => Err("The body is no JSON in UTF-8."),
    }
}

/// How deep brackets nest, those in texts aside.
fn depth(body: &[u8]) -> usize {
    let (mut depth, mut deepest, mut in_text, mut escaped) = (0_usize, 0, false, false);
    for byte in body {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_text => escaped = true,
            b'"' => in_text = !in_text,
            b'[' | b'{' if !in_text => {
                depth += 1;
                deepest = deepest.max(depth);
            }
            b']' | b'}' if !in_text => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    deepest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_is_an_object_of_a_bounded_depth() {
        assert!(parse(b"").unwrap().is_empty());
        assert!(parse(b" \r\n").unwrap().is_empty());
        assert_eq!(parse(br#"{"a":"\"[[[[[[[[[[[[[[[[[[[["}"#).unwrap().len(), 1);
        for bad in ["[]", "1", "{", "{}{}", "null", "{\"a\":\"\u{1}\"}", "{'a':1}"] {
            assert!(parse(bad.as_bytes()).is_err(), "{bad}");
        }
        assert!(parse(b"{\"a\":\"\xff\"}").is_err());
        let deep = |levels| format!("{{\"a\":{}1{}}}", "[".repeat(levels), "]".repeat(levels));
        assert!(parse(deep(15).as_bytes()).is_ok());
        assert_eq!(parse(deep(16).as_bytes()), Err("The body nests too deep."));
        assert_eq!(parse("[".repeat(1_000_000).as_bytes()), Err("The body nests too deep."));
    }
}
