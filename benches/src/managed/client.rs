//! A client of the API: one connection that brings one request after another, signed.

use std::fmt::Write as _;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use ring::{digest, hmac};

use crate::Result;

const PATIENCE: Duration = Duration::from_secs(30);

/// Requests of one connection: the daemon closes it after as many.
const REQUESTS: u32 = 999;

/// An access key.
#[derive(Debug, Clone)]
pub struct Key {
    id: String,
    secret: String,
}

impl Key {
    /// As `voice-connector keys create` prints it.
    pub fn read(text: &str) -> Option<Key> {
        let value = |name: &str| text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix('='));
        let [id, secret] = ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"].map(value);
        Some(Key { id: id?.to_owned(), secret: secret?.to_owned() })
    }
}

/// What is asked for; the path as it is on the wire, the query sorted.
#[derive(Debug, Clone)]
pub struct Request {
    pub method: &'static str,
    pub path: String,
    pub query: &'static str,
    pub body: String,
}

pub struct Client {
    api: SocketAddr,
    key: Key,
    stream: BufReader<TcpStream>,
    asked: u32,
}

impl Client {
    pub fn connect(api: SocketAddr, key: &Key) -> Result<Client> {
        Ok(Client { api, key: key.clone(), stream: open(api)?, asked: 0 })
    }

    /// Status and body of the answer.
    pub fn ask(&mut self, request: &Request) -> Result<(u16, String)> {
        self.asked += 1;
        if self.asked > REQUESTS {
            (self.stream, self.asked) = (open(self.api)?, 1);
        }
        let text = self.signed(request)?;
        self.stream.get_mut().write_all(text.as_bytes())?;
        let mut line = String::new();
        self.stream.read_line(&mut line)?;
        let status = line.split(' ').nth(1).and_then(|status| status.parse().ok()).ok_or("no status")?;
        let mut length = 0;
        loop {
            line.clear();
            self.stream.read_line(&mut line)?;
            match line.trim_end().split_once(": ") {
                Some((name, value)) if name.eq_ignore_ascii_case("content-length") => {
                    length = value.parse()?
                }
                Some(_) => {}
                None => break,
            }
        }
        let mut body = vec![0; length];
        self.stream.read_exact(&mut body)?;
        Ok((status, String::from_utf8(body)?))
    }

    fn signed(&self, Request { method, path, query, body }: &Request) -> Result<String> {
        let stamp = stamp(SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs());
        let (day, host) = (stamp.get(..8).unwrap_or_default(), self.api);
        // Escaped once more, as the service has it.
        let canonical = format!(
            "{method}\n{}\n{query}\nhost:{host}\nx-amz-date:{stamp}\n\nhost;x-amz-date\n{}",
            path.replace('%', "%25"),
            sha256(body.as_bytes())
        );
        let scope = format!("{day}/local/chime/aws4_request");
        let text = format!("AWS4-HMAC-SHA256\n{stamp}\n{scope}\n{}", sha256(canonical.as_bytes()));
        let mut signing = hmac::Key::new(hmac::HMAC_SHA256, format!("AWS4{}", self.key.secret).as_bytes());
        for part in [day, "local", "chime", "aws4_request"] {
            signing = hmac::Key::new(hmac::HMAC_SHA256, hmac::sign(&signing, part.as_bytes()).as_ref());
        }
        let signature = hex(hmac::sign(&signing, text.as_bytes()).as_ref());
        let (id, target) =
            (&self.key.id, if query.is_empty() { path.clone() } else { format!("{path}?{query}") });
        Ok(format!(
            "{method} {target} HTTP/1.1\r\nHost: {host}\r\nX-Amz-Date: {stamp}\r\nAuthorization: AWS4-HMAC-SHA256 \
             Credential={id}/{scope}, SignedHeaders=host;x-amz-date, Signature={signature}\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        ))
    }
}

fn open(api: SocketAddr) -> Result<BufReader<TcpStream>> {
    let stream = TcpStream::connect(api)?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    Ok(BufReader::new(stream))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

fn sha256(bytes: &[u8]) -> String {
    hex(digest::digest(&digest::SHA256, bytes).as_ref())
}

/// `yyyymmddThhmmssZ`; the day by Howard Hinnant's `civil_from_days`.
fn stamp(unix: u64) -> String {
    let (days, of_day) = (unix / 86_400 + 719_468, unix % 86_400);
    let (era, of_era) = (days / 146_097, days % 146_097);
    let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * of_year + 2) / 153;
    let day = of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    let year = year_of_era + era * 400 + u64::from(month <= 2);
    format!("{year:04}{month:02}{day:02}T{:02}{:02}{:02}Z", of_day / 3_600, of_day / 60 % 60, of_day % 60)
}

#[cfg(test)]
mod tests {
    use super::stamp;

    #[test]
    fn a_time_is_a_stamp() {
        assert_eq!(stamp(0), "19700101T000000Z");
        assert_eq!(stamp(1_565_399_625), "20190810T011345Z");
        assert_eq!(stamp(951_868_799), "20000229T235959Z");
    }
}
