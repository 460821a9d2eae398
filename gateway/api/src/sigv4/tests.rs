//! Requests that another library signed.

use std::net::{IpAddr, Ipv4Addr};
use std::time::{Duration, SystemTime};

use aws_credential_types::Credentials;
use aws_sigv4::http_request::{SignableBody, SignableRequest, SignatureLocation, SigningSettings, sign};
use aws_sigv4::sign::v4;
use proptest::prelude::*;
use time::OffsetDateTime;

use super::replay::{Replays, Seen};
use super::{Claim, Unproven};
use crate::Request;

const SECRET: &str = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";
const AT: u64 = 1_700_000_000;

#[derive(Debug, Clone)]
struct Signed {
    method: &'static str,
    path: String,
    query: String,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

impl Signed {
    fn request(&self) -> Request<'_> {
        let Signed { method, path, query, headers, body } = self;
        Request { method, path, query, headers, body, source: IpAddr::V4(Ipv4Addr::LOCALHOST) }
    }

    fn by_library(mut self, in_query: bool, token: Option<&str>) -> Signed {
        let identity = Credentials::new("AKIDEXAMPLE", SECRET, token.map(str::to_owned), None, "test").into();
        let mut settings = SigningSettings::default();
        if in_query {
            settings.signature_location = SignatureLocation::QueryParams;
            settings.expires_in = Some(Duration::from_secs(3600));
        }
        let parameters = v4::SigningParams::builder()
            .identity(&identity)
            .region("eu-central-1")
            .name("chime")
            .time(SystemTime::UNIX_EPOCH + Duration::from_secs(AT))
            .settings(settings)
            .build()
            .unwrap()
            .into();
        let mark = if self.query.is_empty() { "" } else { "?" };
        let url = format!("http://gateway.example:8080{}{mark}{}", self.path, self.query);
        let headers = self.headers.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        let signable =
            SignableRequest::new(self.method, url, headers, SignableBody::Bytes(&self.body)).unwrap();
        let (instructions, _) = sign(signable, &parameters).unwrap().into_parts();
        let added: Vec<_> =
            instructions.headers().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        let mut url = http::Request::builder()
            .uri(format!("http://gateway.example:8080{}{mark}{}", self.path, self.query))
            .body(())
            .unwrap();
        instructions.apply_to_request_http1x(&mut url);
        self.query = url.uri().query().unwrap_or_default().to_owned();
        self.headers.extend(added);
        self.headers.push(("Host".to_owned(), "gateway.example:8080".to_owned()));
        self
    }
}

fn signed() -> impl Strategy<Value = Signed> {
    (
        prop_oneof![Just("GET"), Just("PUT"), Just("POST"), Just("DELETE")],
        // No segment is `.` or `..`: libraries differ in what they sign for a path that ends so, and no operation has one.
        "(/[a-z0-9~_-]([a-z0-9~._-]|%2B|%20|%C3%BC|%2F|:){0,5}){1,4}",
        proptest::collection::vec("([a-z]|%2B){1,4}=([a-zA-Z0-9~._-]|%2B|%20|%3D|%C3%BC){0,6}", 0..4),
        proptest::collection::vec(("x-[a-z]{1,6}", "[a-z0-9,;=\"]{1,5}( {1,3}[a-z]{1,5}){0,2}"), 0..3),
        proptest::collection::vec(any::<u8>(), 0..40),
    )
        .prop_map(|(method, path, query, headers, body)| {
            let mut headers: Vec<_> = headers.into_iter().collect();
            headers.dedup_by(|one, other| one.0 == other.0);
            Signed { method, path, query: query.join("&"), headers, body }
        })
}

fn now() -> OffsetDateTime {
    OffsetDateTime::from_unix_timestamp(AT as i64).unwrap()
}

proptest! {
    #[test]
    fn what_the_kept_library_signs_is_proved(signed in signed(), in_query: bool, with_token: bool) {
        let signed = signed.by_library(in_query, with_token.then_some("a/token+of=one"));
        let claim = Claim::read(&signed.request()).unwrap();
        prop_assert_eq!(claim.verify(&signed.request(), SECRET), Ok(()), "{:?}", signed);
        prop_assert_eq!(claim.token.as_deref(), with_token.then_some("a/token+of=one"));
        prop_assert_eq!(&claim.region, "eu-central-1");
        prop_assert_eq!(claim.date, now());
        prop_assert_eq!(claim.verify(&signed.request(), "another"), Err(Unproven::Wrong));
    }

    #[test]
    fn what_was_changed_on_the_way_is_not(signed in signed(), in_query: bool, change in 0..5) {
        let mut signed = signed.by_library(in_query, None);
        let claim = Claim::read(&signed.request()).unwrap();
        match change {
            0 => signed.body.push(b' '),
            1 => signed.path.push('x'),
            2 => signed.query.push_str("&x=1"),
            3 => signed.method = "PATCH",
            _ => signed.headers.iter_mut().filter(|(name, _)| name == "Host").for_each(|(_, value)| value.push('0')),
        }
        prop_assert_eq!(claim.verify(&signed.request(), SECRET), Err(Unproven::Wrong));
    }
}

fn plain(in_query: bool) -> Signed {
    let signed = Signed {
        method: "PUT",
        path: "/x".to_owned(),
        query: String::new(),
        headers: Vec::new(),
        body: Vec::new(),
    };
    signed.by_library(in_query, None)
}

#[test]
fn a_clock_may_be_five_minutes_off() {
    let seconds = |seconds: i64| now() + time::Duration::seconds(seconds);
    let header = Claim::read(&plain(false).request()).unwrap();
    let query = Claim::read(&plain(true).request()).unwrap();
    for (claim, changes, after, expected) in [
        (&header, false, 300, Ok(())),
        (&header, false, 301, Err(Unproven::Expired)),
        (&header, true, -300, Ok(())),
        (&header, false, -301, Err(Unproven::Early)),
        (&query, false, 3600, Ok(())),
        (&query, false, 3601, Err(Unproven::Expired)),
        (&query, true, 300, Ok(())),
        (&query, true, 301, Err(Unproven::Expired)),
        (&query, true, -301, Err(Unproven::Early)),
    ] {
        assert_eq!(claim.check_time(seconds(after), changes), expected, "{after} s");
    }
}

#[test]
fn claims_that_cannot_be_proved_are_refused() {
    let refused = |signed: &Signed| Claim::read(&signed.request()).unwrap_err();
    let with = |name: &str, value: &str| {
        let mut signed = plain(false);
        signed.headers.retain(|(other, _)| !other.eq_ignore_ascii_case(name));
        signed.headers.push((name.to_owned(), value.to_owned()));
        signed
    };
    let credential = "Credential=AKIDEXAMPLE/20231114/us-east-1/chime/aws4_request";
    let signature = format!("Signature={}", "0".repeat(64));
    let authorization =
        |text: &str| refused(&with("authorization", &format!("AWS4-HMAC-SHA256 {text}, {signature}")));
    let mut unsigned = plain(false);
    unsigned.headers.clear();
    assert_eq!(refused(&unsigned), Unproven::Unsigned);
    assert_eq!(refused(&with("authorization", "Bearer x")), Unproven::Unsigned);
    let mut twice = plain(true);
    twice.headers.push(("authorization".to_owned(), "x".to_owned()));
    assert_eq!(refused(&twice), Unproven::Twice);
    assert_eq!(refused(&with("x-amz-date", "20231115T000000Z")), Unproven::Day);
    assert_eq!(refused(&with("x-amz-date", "now")), Unproven::Unreadable("X-Amz-Date"));
    for service in ["s3/aws4_request", "chime/aws4", "chime/aws4_request/x"] {
        let credential = format!("Credential=A/20231114/us-east-1/{service}, SignedHeaders=host;x-amz-date");
        assert_eq!(authorization(&credential), Unproven::Scope);
    }
    for (headers, missing) in [
        ("host", "x-amz-date"),
        ("x-amz-date", "host"),
        ("x-amz-date;host", "host"),
        ("host;host;x-amz-date", "host"),
        ("Host;x-amz-date", "host"),
        ("", "host"),
    ] {
        let text = format!("{credential}, SignedHeaders={headers}");
        assert_eq!(authorization(&text), Unproven::SignedHeaders(missing), "{headers}");
    }
    let absent = format!("{credential}, SignedHeaders=absent;host;x-amz-date, {signature}");
    let absent = with("authorization", &format!("AWS4-HMAC-SHA256 {absent}"));
    let claim = Claim::read(&absent.request()).unwrap();
    assert_eq!(claim.verify(&absent.request(), SECRET), Err(Unproven::Wrong));
    for short in ["Signature=00", "Signature=", "X=1"] {
        let text = format!("AWS4-HMAC-SHA256 {credential}, SignedHeaders=host;x-amz-date, {short}");
        assert_eq!(refused(&with("authorization", &text)), Unproven::Unreadable("Signature"));
    }
}

#[test]
fn a_change_is_taken_once() {
    let mut replays = Replays::new(now() - Duration::from_secs(1));
    let claim = Claim::read(&plain(false).request()).unwrap();
    assert_eq!(replays.take(&claim, now()), Seen::New);
    assert_eq!(replays.take(&claim, now() + Duration::from_secs(300)), Seen::Before);
    let mut after_restart = Replays::new(now());
    assert_eq!(after_restart.take(&claim, now()), Seen::Before, "another process may have taken it");
}

#[test]
fn what_is_remembered_has_a_bound_and_a_key_has_half_of_it() {
    let mut replays = Replays::with_room_for(100, now() - Duration::from_secs(1));
    let claim = |key: &str, number: u64, after: i64| {
        let mut claim = Claim::read(&plain(false).request()).unwrap();
        claim.key = key.to_owned();
        claim.signature = [0; 32];
        claim.signature[..8].copy_from_slice(&number.to_be_bytes());
        claim.date += time::Duration::seconds(after);
        claim
    };
    let taken = |replays: &mut Replays, key, after: i64| {
        let later = now() + time::Duration::seconds(after);
        (0..100_u64)
            .filter(|number| {
                replays.take(&claim(key, number + 1000 * key.len() as u64, after), later) == Seen::New
            })
            .count()
    };
    assert_eq!(taken(&mut replays, "a", 0), 50);
    assert_eq!(taken(&mut replays, "bb", 0), 50);
    assert_eq!(taken(&mut replays, "ccc", 0), 0);
    assert_eq!(taken(&mut replays, "ccc", 420), 50, "what can't be proved any more is forgotten");
}
