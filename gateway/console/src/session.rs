//! Who is logged in.

use std::collections::HashMap;

use api::Request;
use ring::digest::{SHA256, digest};
use ring::hmac;
use time::{Duration, OffsetDateTime};

/// A session that nobody uses ends after so long.
const IDLE: Duration = Duration::minutes(30);
/// And any session after so long.
const LIFE: Duration = Duration::hours(12);
/// Sessions at one time; the one that was used longest ago makes room.
const MOST: usize = 512;
/// Sessions of one key at one time.
const MOST_OF_KEY: usize = 16;

/// The cookie's name. Browsers take the first only by TLS, without a domain and for the whole host.
pub fn cookie_name(secure: bool) -> &'static str {
    if secure { "__Host-voice-connector" } else { "voice-connector" }
}

/// The cookie that a browser is given.
///
/// - `token`: empty: it is to forget the one that it has.
pub fn cookie(secure: bool, token: &str) -> String {
    let (name, tls) = (cookie_name(secure), if secure { "; Secure" } else { "" });
    let age = if token.is_empty() { 0 } else { LIFE.whole_seconds() };
    format!("{name}={token}; Path=/; Max-Age={age}; HttpOnly; SameSite=Strict{tls}")
}

/// What a browser shows as its session.
pub fn token<'a>(request: &Request<'a>, secure: bool) -> Option<&'a str> {
    let cookies = request.headers.iter().filter(|(name, _)| name.eq_ignore_ascii_case("cookie"));
    let mut pairs = cookies.flat_map(|(_, value)| value.split(';'));
    pairs.find_map(|pair| pair.trim().strip_prefix(cookie_name(secure))?.strip_prefix('='))
}

/// A session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Session {
    /// The id of the key that was proved.
    pub key: String,
    /// What each form must bring.
    pub form: String,
    began: OffsetDateTime,
    seen: OffsetDateTime,
}

impl Session {
    fn holds(&self, now: OffsetDateTime) -> bool {
        now < self.seen + IDLE && now < self.began + LIFE
    }

    /// Whether a form brought what it must, in a time that does not tell where it differs.
    pub fn is_own_form(&self, form: &str) -> bool {
        let key = hmac::Key::new(hmac::HMAC_SHA256, b"form");
        let own = hmac::sign(&key, self.form.as_bytes());
        hmac::verify(&key, form.as_bytes(), own.as_ref()).is_ok()
    }
}

/// All sessions, by the hash of what browsers show: the time of a look-up tells nothing of it.
#[derive(Debug, Default)]
pub struct Sessions(HashMap<Vec<u8>, Session>);

impl Sessions {
    /// Begins a session.
    ///
    /// - `token`: what the browser is given, random.
    /// - `form`: what its forms bring, random.
    pub fn begin(&mut self, token: &str, key: &str, form: String, now: OffsetDateTime) {
        self.0.retain(|_, session| session.holds(now));
        let of_key = self.0.values().filter(|session| session.key == key).count();
        if of_key >= MOST_OF_KEY {
            self.drop_oldest(|session| session.key == key);
        }
        if self.0.len() >= MOST {
            self.drop_oldest(|_| true);
        }
        self.0.insert(hash(token), Session { key: key.to_owned(), form, began: now, seen: now });
    }

    /// The session of a browser, which is used now.
    pub fn used(&mut self, token: &str, now: OffsetDateTime) -> Option<Session> {
        let session = self.0.get_mut(&hash(token)).filter(|session| session.holds(now))?;
        session.seen = session.seen.max(now);
        Some(session.clone())
    }

    /// Ends one.
    pub fn end(&mut self, token: &str) {
        self.0.remove(&hash(token));
    }

    fn drop_oldest(&mut self, among: impl Fn(&Session) -> bool) {
        let oldest = self.0.iter().filter(|(_, session)| among(session)).min_by_key(|(_, one)| one.seen);
        if let Some(hash) = oldest.map(|(hash, _)| hash.clone()) {
            self.0.remove(&hash);
        }
    }
}

fn hash(token: &str) -> Vec<u8> {
    digest(&SHA256, token.as_bytes()).as_ref().to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_ends_unused_or_old_and_there_are_not_too_many() {
        let start = OffsetDateTime::UNIX_EPOCH;
        let mut sessions = Sessions::default();
        sessions.begin("one", "KEY", "form".to_owned(), start);
        assert!(sessions.used("two", start).is_none());
        let session = sessions.used("one", start + IDLE - Duration::seconds(1)).unwrap();
        assert!(session.is_own_form("form") && !session.is_own_form("from") && !session.is_own_form(""));
        assert!(sessions.used("one", start + IDLE + Duration::minutes(1)).is_some(), "it was used");
        assert!(sessions.used("one", start + IDLE * 3).is_none(), "it was not");
        let mut now = start;
        sessions.begin("long", "KEY", String::new(), start);
        while now < start + LIFE {
            assert!(sessions.used("long", now).is_some());
            now += IDLE / 2;
        }
        assert!(sessions.used("long", now).is_none(), "it is old");

        for number in 0..2 * MOST {
            let (token, key) = (format!("t{number}"), format!("K{number}"));
            sessions.begin(&token, &key, String::new(), now + Duration::milliseconds(number as i64));
        }
        assert_eq!(sessions.0.len(), MOST);
        assert!(sessions.used("t0", now).is_none() && sessions.used("t1023", now).is_some());
        for number in 0..2 * MOST_OF_KEY {
            sessions.begin(
                &format!("u{number}"),
                "ONE",
                String::new(),
                now + Duration::seconds(number as i64),
            );
        }
        assert_eq!(sessions.0.values().filter(|session| session.key == "ONE").count(), MOST_OF_KEY);
        sessions.end("u31");
        assert!(sessions.used("u31", now).is_none());
    }

    #[test]
    fn a_cookie_goes_by_tls_where_there_is_tls() {
        assert_eq!(
            cookie(true, "x"),
            "__Host-voice-connector=x; Path=/; Max-Age=43200; HttpOnly; SameSite=Strict; Secure"
        );
        assert_eq!(cookie(false, ""), "voice-connector=; Path=/; Max-Age=0; HttpOnly; SameSite=Strict");
        let headers = [("Cookie".to_owned(), "a=b; __Host-voice-connector=secret; c=d".to_owned())];
        let source = std::net::Ipv4Addr::LOCALHOST.into();
        let request = Request { method: "GET", path: "/", query: "", headers: &headers, body: b"", source };
        assert_eq!((token(&request, true), token(&request, false)), (Some("secret"), None));
    }
}
