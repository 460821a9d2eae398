//! What a form or a query says: names and values.

/// More pairs than that are not read.
const MOST: usize = 4096;

/// Names and values in their order; a name may come more than once.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Form(Vec<(String, String)>);

impl Form {
    /// Reads `application/x-www-form-urlencoded`. What is no UTF-8 becomes replacement characters; control characters but line
    /// breaks and tabs are left out.
    pub fn read(text: &[u8]) -> Form {
        let pairs = text.split(|byte| *byte == b'&').filter(|pair| !pair.is_empty()).take(MOST);
        let read = |pair: &[u8]| {
            let mut parts = pair.splitn(2, |byte| *byte == b'=');
            let mut part = || decoded(parts.next().unwrap_or_default(), true);
            (part(), part())
        };
        Form(pairs.map(read).collect())
    }

    /// The first value of a name, without blanks around it; empty where there is none.
    pub fn text(&self, name: &str) -> &str {
        self.first(name).unwrap_or_default().trim()
    }

    /// The same; `None` where it is empty.
    pub fn some(&self, name: &str) -> Option<&str> {
        Some(self.text(name)).filter(|text| !text.is_empty())
    }

    /// The first value of a name, as it is.
    pub fn first(&self, name: &str) -> Option<&str> {
        self.all(name).next()
    }

    /// Every value of a name.
    pub fn all<'a>(&'a self, name: &str) -> impl Iterator<Item = &'a str> {
        let name = name.to_owned();
        self.0.iter().filter(move |(other, _)| *other == name).map(|(_, value)| value.as_str())
    }

    /// Whether a box of that name is ticked.
    pub fn is_ticked(&self, name: &str) -> bool {
        self.first(name).is_some()
    }

    /// What stands between blanks, commas and line breaks in a text.
    pub fn words(&self, name: &str) -> Vec<String> {
        let words = self.text(name).split(|letter: char| letter.is_whitespace() || letter == ',');
        words.filter(|word| !word.is_empty()).map(str::to_owned).collect()
    }
}

/// A part of a path or a form without its escapes.
///
/// - `plus`: a plus sign is a blank.
pub fn decoded(text: &[u8], plus: bool) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((first, after)) = rest.split_first() {
        rest = after;
        let escaped = match (first, after) {
            (b'%', [high, low, ..]) => hex(*high).zip(hex(*low)).map(|(high, low)| high * 16 + low),
            _ => None,
        };
        match escaped {
            Some(byte) => {
                bytes.push(byte);
                rest = after.get(2..).unwrap_or_default();
            }
            None if plus && *first == b'+' => bytes.push(b' '),
            None => bytes.push(*first),
        }
    }
    let text = String::from_utf8_lossy(&bytes);
    text.chars().filter(|letter| !letter.is_control() || matches!(letter, '\n' | '\t')).collect()
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).and_then(|digit| u8::try_from(digit).ok())
}

/// A text as part of a path or a query.
pub fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_form_is_read_as_browsers_write_it() {
        let form = Form::read(
            b"name=New+York+1&number=%2B12065550100&number=x&empty=&list=10.0.0.0%2F8%0D%0A10.1.1.1%2C&&odd",
        );
        assert_eq!(form.text("name"), "New York 1");
        assert_eq!(form.all("number").collect::<Vec<_>>(), ["+12065550100", "x"]);
        assert_eq!((form.some("empty"), form.some("none"), form.text("none")), (None, None, ""));
        assert_eq!(form.words("list"), ["10.0.0.0/8", "10.1.1.1"]);
        assert!(form.is_ticked("odd") && form.is_ticked("empty") && !form.is_ticked("none"));
        assert_eq!(Form::read(b"a=%00%07b%zz%").text("a"), "b%zz%");
        assert_eq!(Form::read("x=1&".repeat(10_000).as_bytes()).0.len(), MOST);
    }

    proptest! {
        #[test]
        fn what_is_escaped_comes_back(text in "[^\\p{Cc}]{0,40}") {
            prop_assert_eq!(decoded(escaped(&text).as_bytes(), true), text);
        }

        #[test]
        fn no_bytes_do_harm(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = Form::read(&bytes);
        }
    }
}
