//! Bodies that phones write: an offer or answer, alone or beside other parts.

use gateway::random::{Random, SeededRandom};

/// Headers and body from Content-Type on, or none at all.
pub fn body(random: &mut SeededRandom, host: &str, answers: bool) -> String {
    let sdp = sdp(random, host, answers);
    match random.below(20) {
        0 => EMPTY.to_owned(),
        1 => {
            with("multipart/mixed;boundary=b1", &parts(&[("application/sdp", &sdp), ("text/plain", "hello")]))
        }
        2 => with(
            "multipart/mixed; boundary=\"b1\"",
            &parts(&[("application/pidf+xml", "<presence/>"), ("application/sdp", &sdp)]),
        ),
        3 => with("application / sdp", &sdp),
        4 => with("APPLICATION/SDP;charset=utf-8", &sdp),
        _ => with("application/sdp", &sdp),
    }
}

/// No body.
pub const EMPTY: &str = "Content-Length: 0\r\n\r\n";

/// A body and its headers.
pub fn with(content_type: &str, body: &str) -> String {
    format!("Content-Type: {content_type}\r\nContent-Length: {}\r\n\r\n{body}", body.len())
}

fn parts(parts: &[(&str, &str)]) -> String {
    let each = parts.iter().map(|(kind, body)| format!("--b1\r\nContent-Type: {kind}\r\n\r\n{body}\r\n"));
    each.collect::<String>() + "--b1--\r\n"
}

/// A session description that everybody can take.
pub fn plain(host: &str) -> String {
    format!("v=0\r\no=- 1 1 IN IP4 {host}\r\ns=-\r\nc=IN IP4 {host}\r\nt=0 0\r\nm=audio 30000 RTP/AVP 0\r\n")
}

/// A session description; an answer takes the first codec of most offers.
pub fn sdp(random: &mut SeededRandom, host: &str, answers: bool) -> String {
    let direction = match random.below(8) {
        0 => "a=sendonly\r\n",
        1 => "a=inactive\r\n",
        2 => "a=sendrecv\r\n",
        _ => "",
    };
    let port = 30_000 + 2 * random.below(1_000);
    let formats = match random.below(if answers { 2 } else { 4 }) {
        0 => "0 8 101\r\na=rtpmap:0 PCMU/8000\r\na=rtpmap:8 PCMA/8000\r\na=rtpmap:101 telephone-event/8000",
        1 | 2 => "0",
        _ => "96 0\r\na=rtpmap:96 opus/48000/2",
    };
    let mut text = format!(
        "v=0\r\no=- {} {} IN IP4 {host}\r\ns=-\r\nc=IN IP4 {host}\r\nt=0 0\r\nm=audio {port} RTP/AVP {formats}\r\n{direction}",
        random.below(1 << 31),
        random.below(1 << 15)
    );
    if random.below(10) == 0 {
        text.push_str("m=video 30100 RTP/AVP 31\r\n");
    }
    text
}
