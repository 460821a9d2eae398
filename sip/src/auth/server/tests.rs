use super::*;
use crate::auth::answer;

const REALM: &str = "biloxi.com";
const SOURCE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 20));
const OPEN: Protection<'static> = Protection { realm: REALM, algorithms: &Algorithm::STRONGEST_FIRST };
const NOW: Duration = Duration::from_secs(1_800_000_000);

fn nonces() -> Nonces {
    Nonces::new([7; 32], 3, Duration::from_secs(300))
}

fn bob(user: &str) -> Option<Secret> {
    (user == "bob").then(|| Secret::password("zanzibar"))
}

/// Bob's answer, with his own password or another.
fn answered(nonce: &str, algorithm: Algorithm, password: &str, nc: u32) -> Credentials {
    let challenge = Challenge::new(REALM, nonce, algorithm);
    answer(&challenge, "bob", &Secret::password(password), "INVITE", "sip:x", "c", nc).unwrap()
}

fn right(nonce: &str, nc: u32) -> Credentials {
    answered(nonce, Algorithm::Sha256, "zanzibar", nc)
}

#[test]
fn the_right_answer_is_accepted_in_every_algorithm() {
    let mut nonces = nonces();
    let offered = nonces.challenges(NOW, [1; 8], SOURCE, OPEN, &[Secret::password("zanzibar")], false);
    let algorithms: Vec<_> = offered.iter().map(|challenge| challenge.algorithm).collect();
    assert_eq!(algorithms, Algorithm::STRONGEST_FIRST);
    for (challenge, nc) in offered.iter().zip(1..) {
        let credentials = answered(&challenge.nonce, challenge.algorithm, "zanzibar", nc);
        let wire = Credentials::parse(&credentials.to_string()).unwrap();
        assert_eq!(nonces.verify(NOW, SOURCE, &wire, "INVITE", OPEN, bob), Ok("bob".to_owned()));
    }
}

#[test]
fn a_nonce_count_is_good_once() {
    let mut nonces = nonces();
    let nonce = nonces.issue(NOW, [1; 8], SOURCE);
    let mut check = |nc, expect: Result<(), AuthFailure>| {
        let verdict = nonces.verify(NOW, SOURCE, &right(&nonce, nc), "INVITE", OPEN, bob);
        assert_eq!(verdict.map(|_| ()), expect, "{nc}");
    };
    check(1, Ok(()));
    check(1, Err(AuthFailure::Replayed));
    check(2, Ok(()));
    check(0, Err(AuthFailure::Malformed));
}

#[test]
fn a_nonce_turns_stale_with_time_and_elsewhere() {
    let mut nonces = nonces();
    let nonce = nonces.issue(NOW, [1; 8], SOURCE);
    let late = NOW + Duration::from_secs(301);
    assert_eq!(nonces.verify(late, SOURCE, &right(&nonce, 1), "INVITE", OPEN, bob), Err(AuthFailure::Stale));
    let mut elsewhere = Nonces::new([7; 32], 4, Duration::from_secs(300));
    assert_eq!(
        elsewhere.verify(NOW, SOURCE, &right(&nonce, 1), "INVITE", OPEN, bob),
        Err(AuthFailure::Stale)
    );
    let mut restarted = Nonces::new([8; 32], 3, Duration::from_secs(300));
    assert_eq!(
        restarted.verify(NOW, SOURCE, &right(&nonce, 1), "INVITE", OPEN, bob),
        Err(AuthFailure::Stale)
    );
    assert!(AuthFailure::Stale.is_stale() && AuthFailure::Replayed.is_stale());
}

#[test]
fn an_answer_to_no_nonce_of_this_source_is_stale_and_no_guess() {
    let mut nonces = nonces();
    let elsewhere = nonces.issue(NOW, [1; 8], "192.0.2.21".parse().unwrap());
    let old = nonces.issue(NOW - Duration::from_secs(301), [2; 8], SOURCE);
    for nonce in ["made up", &elsewhere, &old] {
        for password in ["guess", "zanzibar"] {
            for algorithm in Algorithm::STRONGEST_FIRST {
                let credentials = answered(nonce, algorithm, password, 1);
                let verdict = nonces.verify(NOW, SOURCE, &credentials, "INVITE", OPEN, bob);
                assert_eq!(verdict, Err(AuthFailure::Stale), "{nonce}");
                let nobody = |_: &str| None::<Secret>;
                let verdict = nonces.verify(NOW, SOURCE, &credentials, "INVITE", OPEN, nobody);
                assert_eq!(verdict, Err(AuthFailure::Stale), "{nonce}");
            }
        }
    }
    assert!(nonces.is_empty());
}

#[test]
fn a_guess_counts_whichever_shard_it_meets() {
    let nonce = nonces().issue(NOW, [1; 8], SOURCE);
    let mut other = Nonces::new([7; 32], 4, Duration::from_secs(300));
    let wrong = answered(&nonce, Algorithm::Md5, "guess", 1);
    let verdict = other.verify(NOW, SOURCE, &wrong, "INVITE", OPEN, bob);
    assert_eq!(verdict, Err(AuthFailure::WrongResponse));
    let nobody = other.verify(NOW, SOURCE, &wrong, "INVITE", OPEN, |_| None::<Secret>);
    assert_eq!(nobody, Err(AuthFailure::UnknownUser));
    assert!(!AuthFailure::WrongResponse.is_stale() && !AuthFailure::UnknownUser.is_stale());
}

#[test]
fn wrong_answers_leave_no_trace() {
    let mut nonces = nonces();
    let nonce = nonces.issue(NOW, [1; 8], SOURCE);
    let wrong = answered(&nonce, Algorithm::Md5, "guess", 1);
    assert_eq!(nonces.verify(NOW, SOURCE, &wrong, "INVITE", OPEN, bob), Err(AuthFailure::WrongResponse));
    assert!(nonces.is_empty());
    assert!(nonces.verify(NOW, SOURCE, &right(&nonce, 1), "INVITE", OPEN, bob).is_ok());
    assert_eq!(nonces.len(), 1);
}

#[test]
fn every_part_of_the_answer_counts() {
    let mut nonces = nonces();
    let nonce = nonces.issue(NOW, [1; 8], SOURCE);
    let mut check = |credentials: &Credentials, method: &str, realm: &str, expect| {
        let protection = Protection { realm, ..OPEN };
        assert_eq!(nonces.verify(NOW, SOURCE, credentials, method, protection, bob), Err(expect));
    };
    let good = right(&nonce, 1);
    check(&good, "BYE", REALM, AuthFailure::WrongResponse);
    check(&good, "INVITE", "other.com", AuthFailure::Realm);
    check(&Credentials { uri: "sip:y".into(), ..good.clone() }, "INVITE", REALM, AuthFailure::WrongResponse);
    check(
        &Credentials { nc: Some("00000002".into()), ..good.clone() },
        "INVITE",
        REALM,
        AuthFailure::WrongResponse,
    );
    check(
        &Credentials { response: String::new(), ..good.clone() },
        "INVITE",
        REALM,
        AuthFailure::WrongResponse,
    );
    check(&Credentials { qop_auth: false, ..good.clone() }, "INVITE", REALM, AuthFailure::Malformed);
    check(&Credentials { nc: None, ..good.clone() }, "INVITE", REALM, AuthFailure::Malformed);
    check(&Credentials { session: true, ..good.clone() }, "INVITE", REALM, AuthFailure::Algorithm);
    check(&Credentials { username: "eve".into(), ..good }, "INVITE", REALM, AuthFailure::UnknownUser);
}

#[test]
fn only_offered_algorithms_are_accepted() {
    let mut nonces = nonces();
    let strict = Protection { algorithms: &[Algorithm::Sha256], ..OPEN };
    let nonce = nonces.issue(NOW, [1; 8], SOURCE);
    assert_eq!(nonces.challenges(NOW, [1; 8], SOURCE, strict, &[Secret::password("p")], true).len(), 1);
    let weak = answered(&nonce, Algorithm::Md5, "zanzibar", 1);
    assert_eq!(nonces.verify(NOW, SOURCE, &weak, "INVITE", strict, bob), Err(AuthFailure::Algorithm));
}

#[test]
fn an_ha1_limits_the_offer_to_its_algorithm() {
    let ha1 = Secret::ha1("12af60467a33e8518da5c68bbff12b11").unwrap(); // bob:biloxi.com:zanzibar
    let mut nonces = nonces();
    let offered = nonces.challenges(NOW, [1; 8], SOURCE, OPEN, std::slice::from_ref(&ha1), false);
    assert_eq!(offered.len(), 1);
    assert_eq!(offered[0].algorithm, Algorithm::Md5);
    let nonce = &offered[0].nonce;
    let md5 = answered(nonce, Algorithm::Md5, "zanzibar", 1);
    assert_eq!(nonces.verify(NOW, SOURCE, &md5, "INVITE", OPEN, |_| Some(ha1.clone())), Ok("bob".into()));
    let sha = answered(nonce, Algorithm::Sha256, "zanzibar", 2);
    assert_eq!(nonces.verify(NOW, SOURCE, &sha, "INVITE", OPEN, |_| Some(ha1)), Err(AuthFailure::Algorithm));
    assert!(nonces.challenges(NOW, [1; 8], SOURCE, OPEN, &[], false).is_empty());
}

#[test]
fn what_everybody_can_answer_is_offered_first() {
    use Algorithm::{Md5, Sha256, Sha512_256};
    let check = |algorithms: &[Algorithm], secrets: &[Secret], expect: &[Algorithm]| {
        let protection = Protection { algorithms, ..OPEN };
        let offered = nonces().challenges(NOW, [1; 8], SOURCE, protection, secrets, false);
        let offered: Vec<_> = offered.iter().map(|challenge| challenge.algorithm).collect();
        assert_eq!(offered, expect);
    };
    let strongest = &Algorithm::STRONGEST_FIRST;
    let password = Secret::password("p");
    let (sha256, md5) = (Secret::ha1(&"0".repeat(64)).unwrap(), Secret::ha1(&"0".repeat(32)).unwrap());
    check(strongest, &[password.clone(), password.clone()], strongest);
    check(&[Md5], &[password.clone(), md5.clone()], &[Md5]);
    check(&[Md5, Sha256], std::slice::from_ref(&password), &[Md5, Sha256]);
    check(strongest, &[sha256.clone(), password.clone()], &[Sha256, Sha512_256, Md5]);
    check(strongest, &[md5.clone(), password], &[Md5, Sha512_256, Sha256]);
    check(strongest, &[md5, sha256.clone()], &[Sha256, Md5]);
    check(&[Md5], &[sha256], &[]);
    check(strongest, &[], &[]);
}

#[test]
fn a_user_may_have_a_hash_for_each_algorithm() {
    let secrets = [Secret::ha1(&"0".repeat(64)).unwrap(), Secret::password("zanzibar")];
    let mut nonces = nonces();
    let nonce = nonces.issue(NOW, [1; 8], SOURCE);
    let md5 = answered(&nonce, Algorithm::Md5, "zanzibar", 1);
    assert!(nonces.verify(NOW, SOURCE, &md5, "INVITE", OPEN, |_| Some(secrets)).is_ok());
}

#[test]
fn memory_is_bounded() {
    let mut nonces = nonces().with_capacity(8);
    for ms in 0..100 {
        let now = NOW + Duration::from_millis(ms);
        let nonce = nonces.issue(now, ms.to_be_bytes(), SOURCE);
        assert!(nonces.verify(now, SOURCE, &right(&nonce, 1), "INVITE", OPEN, bob).is_ok());
        assert!(nonces.len() <= 8);
        assert!(nonces.verify(now, SOURCE, &right(&nonce, 1), "INVITE", OPEN, bob).is_err());
    }
    let first = nonces.issue(NOW, 0_u64.to_be_bytes(), SOURCE);
    assert_eq!(nonces.verify(NOW, SOURCE, &right(&first, 1), "INVITE", OPEN, bob), Err(AuthFailure::Stale));
}

#[test]
fn debug_hides_the_key() {
    assert!(format!("{:?}", nonces()).contains("key: ***"));
}
