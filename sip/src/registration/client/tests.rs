use super::*;
use crate::{Builder, StatusCode};

const CONTACT: &str = "sip:trunk@192.0.2.1:5060";
const CHALLENGE: &str = "Digest realm=\"carrier\", nonce=\"abc\", algorithm=MD5, qop=\"auth\"";

struct Bench {
    client: Client,
    start: Instant,
    now: Instant,
    secret: Secret,
}

impl Bench {
    #[expect(clippy::disallowed_methods, reason = "a starting instant")]
    fn new(wants: u32) -> Bench {
        let now = Instant::now();
        let client = Client::new(now, wants);
        let mut bench = Bench { client, start: now, now, secret: Secret::password("p") };
        bench.client.handle_timeout(now);
        bench
    }

    /// What it wants next.
    fn next(&mut self) -> ClientOutput {
        self.client.poll_output().expect("an output")
    }

    /// What it wants when the next deadline has come, and when that was.
    fn wait(&mut self) -> (u64, ClientOutput) {
        assert_eq!(self.client.poll_output(), None);
        self.now = self.client.poll_timeout().expect("a deadline");
        self.client.handle_timeout(self.now);
        ((self.now - self.start).as_secs(), self.next())
    }

    fn respond(&mut self, status: u16, headers: &[(&str, &str)]) {
        let status = StatusCode::new(status).unwrap();
        let mut response = Builder::response(status, "");
        for (name, value) in headers {
            response = response.raw(name, value);
        }
        let login = Login { user: "trunk", secret: &self.secret, uri: "sip:carrier.example", cnonce: "c" };
        self.client.handle_response(self.now, &response.build(), CONTACT, Some(login), 0);
    }
}

fn ask(cseq: u32, expires: u32) -> ClientOutput {
    ClientOutput::Ask { cseq, expires, credentials: Vec::new() }
}

fn registered(new: bool, seconds: u64) -> ClientOutput {
    ClientOutput::Registered { new, lasts: Duration::from_secs(seconds) }
}

fn failed(cause: ClientFailure, seconds: u64) -> ClientOutput {
    ClientOutput::Failed { cause, again: Duration::from_secs(seconds) }
}

#[test]
fn it_is_refreshed_after_three_quarters_of_what_was_granted() {
    let mut bench = Bench::new(3600);
    assert_eq!(bench.next(), ask(1, 3600));
    bench.respond(100, &[]);
    assert!(!bench.client.is_registered(bench.now));
    bench.respond(200, &[("Contact", "<sip:trunk@192.0.2.1:5060>;expires=400")]);
    assert_eq!(bench.next(), registered(true, 400));
    assert!(bench.client.is_registered(bench.now));
    assert_eq!(bench.wait(), (300, ask(2, 3600)));
    bench.respond(200, &[("Expires", "800")]);
    assert_eq!(bench.next(), registered(false, 800));
    assert_eq!(bench.wait(), (900, ask(3, 3600)));
    // A registrar that does not say what it grants grants what was asked for.
    bench.respond(200, &[("Contact", "<sip:other@192.0.2.9>;expires=5")]);
    assert_eq!(bench.next(), registered(false, 3600));
}

#[test]
fn a_challenge_is_answered_and_a_wrong_password_is_not_given_twice() {
    let mut bench = Bench::new(600);
    assert_eq!(bench.next(), ask(1, 600));
    bench.respond(401, &[("WWW-Authenticate", CHALLENGE)]);
    let ClientOutput::Ask { cseq: 2, expires: 600, credentials } = bench.next() else { panic!() };
    let [(Name::Authorization, value)] = &credentials[..] else { panic!("{credentials:?}") };
    assert!(value.contains("username=\"trunk\"") && value.contains("uri=\"sip:carrier.example\""), "{value}");
    // A proxy before it has a challenge of its own, and a stale nonce says nothing of the password.
    bench.respond(407, &[("Proxy-Authenticate", CHALLENGE)]);
    let ClientOutput::Ask { credentials, .. } = bench.next() else { panic!() };
    let names: Vec<&Name> = credentials.iter().map(|(name, _)| name).collect();
    assert_eq!(names, [&Name::Authorization, &Name::ProxyAuthorization]);
    let stale = format!("{CHALLENGE}, stale=true");
    bench.respond(407, &[("Proxy-Authenticate", &stale)]);
    let next = bench.next();
    assert!(matches!(&next, ClientOutput::Ask { credentials, .. } if credentials.len() == 2), "{next:?}");
    bench.respond(401, &[("WWW-Authenticate", CHALLENGE)]);
    assert_eq!(bench.next(), failed(ClientFailure::Credentials, 15));
    assert_eq!(bench.wait(), (15, ask(5, 600)));
    for _ in 0..3 {
        bench.respond(401, &[("WWW-Authenticate", &stale)]);
        assert!(matches!(bench.next(), ClientOutput::Ask { .. }));
    }
    bench.respond(401, &[("WWW-Authenticate", &stale)]);
    assert_eq!(bench.next(), failed(ClientFailure::Credentials, 30));
}

#[test]
fn a_registrar_that_wants_longer_registrations_gets_them_once() {
    let mut bench = Bench::new(60);
    assert_eq!(bench.next(), ask(1, 60));
    bench.respond(423, &[("Min-Expires", "1800")]);
    assert_eq!(bench.next(), ask(2, 1800));
    bench.respond(200, &[]);
    assert_eq!(bench.next(), registered(true, 1800));
    assert_eq!(bench.wait(), (1350, ask(3, 1800)));
    bench.respond(423, &[("Min-Expires", "1900")]);
    assert_eq!(bench.next(), ask(4, 1900));
    bench.respond(423, &[("Min-Expires", "2000")]);
    assert_eq!(bench.next(), failed(ClientFailure::Refused(423), 15));
    for without in [&[][..], &[("Min-Expires", "5")], &[("Min-Expires", "99999999")]] {
        let mut bench = Bench::new(60);
        bench.next();
        bench.respond(423, without);
        assert_eq!(bench.next(), failed(ClientFailure::Refused(423), 15));
    }
}

#[test]
fn waits_grow_after_failures_and_start_anew_after_a_success() {
    let mut bench = Bench::new(600);
    bench.next();
    let mut waits = Vec::new();
    for _ in 0..8 {
        bench.client.handle_failed(bench.now, ClientFailure::Timeout, 0);
        let ClientOutput::Failed { again, .. } = bench.next() else { panic!() };
        waits.push(again.as_secs());
        bench.wait();
    }
    assert_eq!(waits, [15, 30, 60, 120, 240, 480, 900, 900]);
    bench.respond(200, &[]);
    bench.next();
    bench.wait();
    bench.client.handle_failed(bench.now, ClientFailure::Transport, u64::MAX);
    let ClientOutput::Failed { again, .. } = bench.next() else { panic!() };
    assert!((29..=30).contains(&again.as_secs()), "{again:?}");
}

#[test]
fn retry_after_is_kept_within_half_an_hour() {
    for (retry_after, wait) in [("5", 15), ("120", 120), ("86400", 1800)] {
        let mut bench = Bench::new(600);
        bench.next();
        bench.respond(503, &[("Retry-After", retry_after)]);
        assert_eq!(bench.next(), failed(ClientFailure::Refused(503), wait));
    }
}

#[test]
fn what_was_granted_outlives_a_registrar_in_trouble_and_nothing_else() {
    for (status, holds) in [(503, true), (500, true), (403, false), (404, false), (600, false)] {
        let mut bench = Bench::new(600);
        bench.next();
        bench.respond(200, &[]);
        bench.next();
        bench.wait();
        bench.respond(status, &[]);
        bench.next();
        assert_eq!(bench.client.is_registered(bench.now), holds, "{status}");
        assert!(!bench.client.is_registered(bench.start + Duration::from_secs(600)));
    }
    let mut bench = Bench::new(600);
    bench.next();
    bench.respond(200, &[("Expires", "0")]);
    assert_eq!(bench.next(), failed(ClientFailure::NothingGranted, 15));
}

#[test]
fn a_flow_that_is_gone_is_opened_anew_at_once() {
    let mut bench = Bench::new(600);
    bench.next();
    bench.client.lost(bench.now); // A REGISTER is out, and will tell.
    assert_eq!(bench.client.poll_output(), None);
    bench.respond(200, &[]);
    bench.next();
    bench.now += Duration::from_secs(10);
    bench.client.lost(bench.now);
    assert!(!bench.client.is_registered(bench.now));
    assert_eq!(bench.wait(), (10, ask(2, 600)));
    bench.respond(200, &[]);
    assert_eq!(bench.next(), registered(true, 600));
}

#[test]
fn it_is_taken_back_at_the_end() {
    let mut bench = Bench::new(600);
    bench.next();
    bench.respond(200, &[]);
    bench.next();
    bench.client.stop();
    assert_eq!(bench.next(), ask(2, 0));
    bench.client.stop();
    assert_eq!(bench.client.poll_output(), None);
    bench.respond(401, &[("WWW-Authenticate", CHALLENGE)]);
    let next = bench.next();
    let proves = |credentials: &[(Name, String)]| credentials.len() == 1;
    assert!(matches!(&next, ClientOutput::Ask { cseq: 3, expires: 0, credentials } if proves(credentials)));
    bench.respond(200, &[]);
    assert_eq!(bench.next(), ClientOutput::Over);
    bench.client.stop();
    assert_eq!((bench.client.poll_output(), bench.client.poll_timeout()), (None, None));
    // Nobody knows of one that never came up; of one that is being asked for somebody may.
    let mut bench = Bench::new(600);
    bench.next();
    bench.client.stop();
    assert_eq!(bench.next(), ask(2, 0));
    bench.client.handle_failed(bench.now, ClientFailure::Timeout, 0);
    assert_eq!(bench.next(), ClientOutput::Over);
    let mut bench = Bench::new(600);
    bench.next();
    bench.respond(403, &[]);
    bench.next();
    bench.client.stop();
    assert_eq!(bench.next(), ClientOutput::Over);
}
