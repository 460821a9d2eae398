//! Bends a message: what peers get wrong, what they may write otherwise, and noise.

use gateway::random::{Random, SeededRandom};

/// Values that stand where others are expected.
const NUMBERS: [&str; 12] = [
    "0",
    "-1",
    "1",
    "69",
    "255",
    "256",
    "65535",
    "65536",
    "2147483647",
    "2147483648",
    "4294967296",
    "99999999999999999999",
];

/// Lines that a session description may hold besides, or in place of another.
const SDP_LINES: [&str; 27] = [
    "c=IN IP4 0.0.0.0",
    "c=IN IP4 10.0.0.7",
    "c=IN IP6 ::1",
    "c=IN IP4 phone.invalid",
    "c=IN IP4 224.2.1.1/127",
    "c=IN IP4",
    "m=audio 0 RTP/AVP 0",
    "m=audio 5060 RTP/AVP 0",
    "m=audio 30000/2 RTP/AVP 0",
    "m=audio 70000 RTP/AVP 0",
    "m=audio 30000 RTP/SAVP 0",
    "m=audio 30000 UDP/TLS/RTP/SAVPF 0 111",
    "m=image 30000 udptl t38",
    "m=audio 30000 RTP/AVP 127 126 125",
    "m=application 9 TCP/BFCP *",
    "a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5",
    "a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:short",
    "a=rtpmap:0 PCMA/8000",
    "a=rtpmap:101 telephone-event/8000",
    "a=rtcp:1",
    "a=rtcp-mux",
    "a=inactive",
    "a=sendonly",
    "a=candidate:1 1 UDP 2130706431 127.0.0.1 30000 typ host",
    "a=fingerprint:sha-256 00:11",
    "a=group:BUNDLE 0 1",
    "b=AS:0",
];

/// Headers that a message may hold besides.
const HEADERS: [&str; 30] = [
    "Require: 100rel",
    "Require: x-none",
    "Supported: 100rel, timer, replaces, norefersub",
    "Session-Expires: 90;refresher=uac",
    "Min-SE: 3600",
    "RSeq: 1",
    "RAck: 1 1 INVITE",
    "Record-Route: <sip:10.0.0.1;lr>",
    "Record-Route: <sip:127.0.0.1:1;lr>, <sip:strict.invalid>",
    "Route: <sip:127.0.0.1:1;lr>",
    "Contact: <sip:other@127.0.0.9:9>",
    "Contact: *",
    "Contact: <tel:+12065550100>",
    "Contact: <sip:m@nowhere.invalid>",
    "Contact: \"broken",
    "Content-Encoding: gzip",
    "Content-Disposition: render",
    "Content-Type: text/plain",
    "Content-Type: application",
    "Content-Length: 1",
    "Reason: Q.850;cause=16;text=\"bye\"",
    "Replaces: a;to-tag=b;from-tag=c",
    "P-Asserted-Identity: <sip:+19005550100@x>, <tel:+12065550100>",
    "Privacy: id;header",
    "Diversion: <sip:+12065550100@x>;reason=unconditional",
    "Retry-After: 99999999999",
    "Max-Forwards: 0",
    "Expires: 1",
    "Geolocation: <cid:x>",
    "Via: SIP/2.0/UDP 127.0.0.9;branch=z9hG4bKx",
];

const COMPACT: [(&str, &str); 8] = [
    ("Via", "v"),
    ("From", "f"),
    ("To", "t"),
    ("Call-ID", "i"),
    ("Contact", "m"),
    ("Content-Type", "c"),
    ("Content-Length", "l"),
    ("Supported", "k"),
];

fn pick<'a>(random: &mut SeededRandom, of: &[&'a str]) -> &'a str {
    of[index(random, of.len())]
}

fn index(random: &mut SeededRandom, length: usize) -> usize {
    usize::try_from(random.below(length as u64)).unwrap()
}

/// One to three changes.
pub fn bend(random: &mut SeededRandom, mut message: Vec<u8>) -> Vec<u8> {
    for _ in 0..=random.below(3) {
        message = match random.below(10) {
            0..=4 => header(random, &message),
            5..=7 => description(random, &message),
            _ => noise(random, message),
        };
    }
    message
}

/// Head and body; the empty line belongs to neither.
fn split(message: &[u8]) -> (Vec<String>, Vec<u8>) {
    let at = message.windows(4).position(|four| four == b"\r\n\r\n").unwrap_or(message.len());
    let head = String::from_utf8_lossy(&message[..at]).split("\r\n").map(str::to_owned).collect();
    (head, message.get(at + 4..).unwrap_or_default().to_vec())
}

fn join(head: &[String], body: &[u8]) -> Vec<u8> {
    [head.join("\r\n").as_bytes(), b"\r\n\r\n", body].concat()
}

fn header(random: &mut SeededRandom, message: &[u8]) -> Vec<u8> {
    let (mut head, body) = split(message);
    if head.len() < 2 {
        return message.to_vec();
    }
    let at = 1 + index(random, head.len() - 1);
    let (name, value) =
        head[at].split_once(':').map_or(("X", ""), |(name, value)| (name.trim(), value.trim()));
    let (name, value) = (name.to_owned(), value.to_owned());
    match random.below(14) {
        0 => drop(head.remove(at)),
        1 => head.insert(at, head[at].clone()),
        2 => {
            let other = 1 + index(random, head.len() - 1);
            head.swap(at, other);
        }
        3 => head[at] = format!("{}: {value}", name.to_uppercase()),
        4 => head[at] = format!("{name} \t:  \t{value}  "),
        5 => head[at] = format!("{name}:\r\n {value}"),
        6 => {
            let compact = COMPACT.iter().find(|(long, _)| *long == name);
            head[at] = format!("{}: {value}", compact.map_or(name.as_str(), |(_, short)| short));
        }
        7 => head[at] = format!("{name}: {value};x={}", pick(random, &NUMBERS)),
        8 => head[at] = format!("{name}: {value}, {value}"),
        9 => head[at] = format!("{name}: {}", pick(random, &NUMBERS)),
        10 => head[at] = number_in(random, &head[at]),
        _ => {
            let at = 1 + index(random, head.len());
            head.insert(at.min(head.len()), pick(random, &HEADERS).to_owned());
        }
    }
    join(&head, &body)
}

/// Another number in place of one of a line's.
fn number_in(random: &mut SeededRandom, line: &str) -> String {
    let digits: Vec<usize> =
        line.char_indices().filter(|(_, c)| c.is_ascii_digit()).map(|(at, _)| at).collect();
    if digits.is_empty() {
        return line.to_owned();
    }
    let from = digits[index(random, digits.len())];
    let to = line[from..].find(|c: char| !c.is_ascii_digit()).map_or(line.len(), |end| from + end);
    format!("{}{}{}", &line[..from], pick(random, &NUMBERS), &line[to..])
}

fn description(random: &mut SeededRandom, message: &[u8]) -> Vec<u8> {
    let (mut head, body) = split(message);
    let body = String::from_utf8_lossy(&body).into_owned();
    let mut lines: Vec<String> = body.split("\r\n").map(str::to_owned).collect();
    let at = index(random, lines.len());
    match random.below(9) {
        0 => drop(lines.remove(at)),
        1 => lines.insert(at, lines[at].clone()),
        2 => {
            let other = index(random, lines.len());
            lines.swap(at, other);
        }
        3 => lines[at] = number_in(random, &lines[at]),
        4 => lines[at] = lines[at].to_uppercase(),
        5 => lines.truncate(at),
        6 => lines[at] = pick(random, &SDP_LINES).to_owned(),
        _ => lines.insert(at, pick(random, &SDP_LINES).to_owned()),
    }
    let body = lines.join("\r\n");
    for line in &mut head {
        if line.starts_with("Content-Length:") {
            *line = format!("Content-Length: {}", body.len());
        }
    }
    join(&head, body.as_bytes())
}

/// Bytes that were never meant.
fn noise(random: &mut SeededRandom, mut message: Vec<u8>) -> Vec<u8> {
    if message.is_empty() {
        return message;
    }
    let at = index(random, message.len());
    match random.below(6) {
        0 => message[at] ^= 1 << random.below(8),
        1 => message.insert(at, u8::try_from(random.below(256)).unwrap()),
        2 => drop(message.remove(at)),
        3 => message.truncate(at),
        4 => {
            let end = (at + 40).min(message.len());
            message.splice(at..at, message[at..end].to_vec());
        }
        _ => message.extend(std::iter::repeat_n(message[at], 300)),
    }
    message
}
