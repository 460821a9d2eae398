//! Credentials beside the allowlist.

use sip::auth::{Algorithm, Challenge, Secret, answer};
use sip::{Builder, Message, Name};

use crate::support::{Net, Peer, shown, status_line};
use crate::trunk::{Trunk, refused};

const HA1: &str = "4c989429f51604114424424dfd57d47b7ce7bc7aa01173741bf77d49bccb73ed";

/// The INVITE of a connector that asks for credentials; every call of it ends at the carrier, who is busy.
fn invite(phone: &Peer) -> Builder {
    phone.invite("+12125550123").set(Name::From, "<sip:+12065550104@trunk.example.com>;tag=f")
}

/// The challenges of a 407.
fn challenges(answer: &Message) -> Vec<Challenge> {
    assert_eq!(status_line(answer).0, 407, "{}", shown(answer));
    answer.lines(Name::ProxyAuthenticate).map(|line| Challenge::parse(&line).unwrap()).collect()
}

/// The same INVITE with an answer to the challenge: a new transaction of the same call.
fn again(
    phone: &Peer,
    invite: &Message,
    challenge: &Challenge,
    user: &str,
    secret: &Secret,
    nc: u32,
) -> Builder {
    let uri = invite.request_uri().unwrap();
    let credentials = answer(challenge, user, secret, "INVITE", uri, "c0ffee", nc).unwrap();
    let cseq = Peer::fresh() + 1;
    invite
        .edit()
        .set(Name::Via, phone.via())
        .set(Name::CSeq, format!("{cseq} INVITE"))
        .set(Name::ProxyAuthorization, credentials.to_string())
}

/// Sends an INVITE that is admitted: the carrier gets it and is busy.
fn is_admitted(trunk: &Trunk, phone: &Peer, carrier: &Peer, invite: Builder) {
    let invite = invite.build();
    phone.send(&invite);
    let offered = carrier.receive_request(sip::Method::Invite);
    assert!(
        !offered.has(Name::ProxyAuthorization),
        "the customer's credentials are not the carrier's to see"
    );
    carrier.reply(&offered, 486, "Busy Here");
    assert_eq!(carrier.receive().method(), Some(sip::Method::Ack));
    assert_eq!(status_line(&phone.answer_to(&invite)), (486, "Busy Here".to_owned()));
    trunk.expect_record("digest", "Outbound", "Failed", "486 Busy Here");
}

#[test]
fn right_credentials_admit_by_md5_and_by_sha_256() {
    let trunk = Trunk::start(Net(111));
    let (phone, carrier) = (trunk.phone(7), &trunk.west);
    let [password, ha1] = [Secret::password("a password"), Secret::ha1(HA1).unwrap()];
    for (algorithm, user, secret) in [
        (Algorithm::Md5, "desk", &password),
        (Algorithm::Sha256, "desk", &password),
        (Algorithm::Sha256, "new", &ha1),
    ] {
        let first = invite(&phone).build();
        phone.send(&first);
        let offered = challenges(&phone.answer_to(&first));
        assert!(offered.iter().all(|one| !one.stale && one.qop_auth && one.realm == "trunk.example.com"));
        let challenge = offered.iter().find(|one| one.algorithm == algorithm).unwrap();
        is_admitted(&trunk, &phone, carrier, again(&phone, &first, challenge, user, secret, 1));
        // The nonce goes on in the next call, by its count; the same count is a replay, and said to be stale.
        is_admitted(&trunk, &phone, carrier, again(&phone, &first, challenge, user, secret, 2));
        let replayed = phone.ask(again(&phone, &first, challenge, user, secret, 2));
        assert!(challenges(&replayed).iter().all(|one| one.stale));
    }
    // The record of a call names the user.
    let directory = trunk.gateway.records();
    let users = || -> Vec<String> {
        let records = crate::support::call_details(&directory);
        records.iter().map(|record| record["SipAuthUser"].as_str().unwrap().to_owned()).collect()
    };
    trunk.gateway.call_details(6);
    assert_eq!(users().iter().filter(|user| *user == "new").count(), 2);
    trunk.close();
}

#[test]
fn a_nonce_of_an_earlier_run_is_stale() {
    let trunk = Trunk::start(Net(112));
    let (phone, carrier) = (trunk.phone(7), &trunk.west);
    let secret = Secret::password("a password");
    let mut foreign =
        Challenge::new("trunk.example.com", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", Algorithm::Md5);
    foreign.qop_auth = true;
    let first = invite(&phone).build();
    let answer = phone.ask(again(&phone, &first, &foreign, "desk", &secret, 1));
    let offered = challenges(&answer);
    assert!(offered.iter().all(|one| one.stale), "{}", shown(&answer));
    is_admitted(&trunk, &phone, carrier, again(&phone, &first, &offered[0], "desk", &secret, 1));
    trunk.close();
}

/// Ten datagrams with a forged source must not lock its owner out.
#[test]
fn wrong_answers_to_a_made_up_nonce_cost_the_customer_nothing() {
    let trunk = Trunk::start(Net(210));
    let (phone, carrier) = (trunk.phone(7), &trunk.west);
    let first = invite(&phone).build();
    let made_up = Challenge::new("trunk.example.com", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", Algorithm::Md5);
    let mut offered = Vec::new();
    for (nc, user) in (1..=12).zip(["desk", "nobody"].into_iter().cycle()) {
        let answer = phone.ask(again(&phone, &first, &made_up, user, &Secret::password("a guess"), nc));
        offered = challenges(&answer);
        assert!(offered.iter().all(|one| one.stale), "the same for a user that is known and one that is not");
    }
    assert_eq!(trunk.gateway.metrics().sum("refusals_total", &[("cause", "digest")]), 0.0);
    let secret = Secret::password("a password");
    is_admitted(&trunk, &phone, carrier, again(&phone, &first, &offered[0], "desk", &secret, 1));
    trunk.close();
}

#[test]
fn missing_and_wrong_credentials_are_challenged_and_too_many_refused_by_one_shard() {
    too_many_guesses(Trunk::start_sharded(Net(113), 1));
}

/// Each guess may meet another shard; together they grant no more than one.
#[test]
fn missing_and_wrong_credentials_are_challenged_and_too_many_refused_by_four_shards() {
    too_many_guesses(Trunk::start_sharded(Net(114), 4));
}

fn too_many_guesses(trunk: Trunk) {
    let phone = trunk.phone(7);
    let counted = || trunk.gateway.metrics().sum("refusals_total", &[("cause", "digest")]);
    let first = invite(&phone).build();
    phone.send(&first);
    let answer = phone.answer_to(&first);
    assert_eq!(status_line(&answer), (407, "Proxy Authentication Required".to_owned()));
    assert_eq!(
        answer.value(Name::Reason).as_deref(),
        Some("SIP;cause=407;text=\"Proxy Authentication Required\"")
    );
    let mut offered = challenges(&answer);
    assert_eq!(counted(), 0.0); // To be asked is no offence.
    let wrong = Secret::password("a guess");
    for guess in 1..10 {
        let other = invite(&phone).build();
        let answer = phone.ask(again(&phone, &other, &offered[0], "desk", &wrong, guess));
        offered = challenges(&answer);
        assert!(offered.iter().all(|one| !one.stale), "a wrong answer is not stale");
        assert_eq!(counted(), f64::from(guess));
    }
    let last = again(&phone, &first, &offered[0], "desk", &wrong, 1);
    let refusal = refused(last.clone(), 403, "Too many wrong credentials")
        .recorded("digest", "Outbound")
        .counted("digest");
    let answer = phone.ask(last);
    trunk.judge(&phone, &refusal, &answer);
    // Nor do the right ones help now, in another call or this one: they may be the next guess.
    let right = Secret::password("a password");
    for _ in 0..4 {
        let other = invite(&phone).build();
        let answer = phone.ask(again(&phone, &other, &offered[0], "desk", &right, 2));
        trunk.judge(&phone, &refusal, &answer);
    }
    // The other user at that address has done nothing.
    let other = invite(&phone).build();
    phone.send(&other);
    let offered = challenges(&phone.answer_to(&other));
    let ha1 = Secret::ha1(HA1).unwrap();
    is_admitted(&trunk, &phone, &trunk.west, again(&phone, &other, &offered[0], "new", &ha1, 1));
    let (code, text) = trunk.explain(&phone, "+12065550104", "+12125550123", "digest");
    assert!(code == 0 && text.contains("assumed: the caller answers the digest challenge rightly"), "{text}");
    trunk.close();
}
