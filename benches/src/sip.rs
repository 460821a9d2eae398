//! SIP as text: templates to write, and as much reading as two phones that know their peer need.
//!
//! On purpose not the gateway's own `sip` crate, whose faults it would share.

/// The first value of a header, by its long name.
pub fn header<'a>(message: &'a str, name: &str) -> Option<&'a str> {
    headers(message, name).next()
}

/// All values of a header.
pub fn headers<'a>(message: &'a str, name: &str) -> impl Iterator<Item = &'a str> {
    let head = message.split("\r\n\r\n").next().unwrap_or_default();
    head.split("\r\n").skip(1).filter_map(move |line| {
        let (found, value) = line.split_once(':')?;
        found.trim().eq_ignore_ascii_case(name).then_some(value.trim())
    })
}

/// What follows the headers.
pub fn body(message: &str) -> &str {
    message.split_once("\r\n\r\n").map_or("", |(_, body)| body)
}

/// The code of a response.
pub fn status(message: &str) -> Option<u16> {
    message.strip_prefix("SIP/2.0 ")?.get(..3)?.parse().ok()
}

/// The method of a request.
pub fn method(message: &str) -> Option<&str> {
    message.split(' ').next().filter(|first| !first.starts_with("SIP/"))
}

/// What stands between `<` and `>`.
pub fn bracketed(value: &str) -> Option<&str> {
    Some(value.split_once('<')?.1.split_once('>')?.0)
}

/// Puts the lines of a message together, with its length.
pub fn message(lines: &[String], body: &str) -> String {
    let mut text = lines.join("\r\n");
    if !body.is_empty() {
        text.push_str("\r\nContent-Type: application/sdp");
    }
    text.push_str(&format!("\r\nContent-Length: {}\r\n\r\n{body}", body.len()));
    text
}

/// Answers a request.
///
/// - `tag`: put on To where it has none.
/// - `contact`: where the rest of the dialog goes.
pub fn answer(request: &str, status: &str, tag: &str, contact: &str, body: &str) -> String {
    let mut lines = vec![format!("SIP/2.0 {status}")];
    lines.extend(headers(request, "Via").map(|via| format!("Via: {via}")));
    lines.extend(headers(request, "Record-Route").map(|route| format!("Record-Route: {route}")));
    for name in ["From", "To", "Call-ID", "CSeq"] {
        let value = header(request, name).unwrap_or_default();
        let tagged = name != "To" || value.contains(";tag=");
        let tag = if tagged { String::new() } else { format!(";tag={tag}") };
        lines.push(format!("{name}: {value}{tag}"));
    }
    lines.push(format!("Contact: {contact}"));
    message(&lines, body)
}
