//! Challenges and credentials are written as they are read, and no value gets out of its line.

#![no_main]

use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use libfuzzer_sys::fuzz_target;
use sip::auth::{Algorithm, Challenge, Credentials, Nonces, Protection, Secret, answer};

fuzz_target!(|data: &[u8]| {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let secret = Secret::password("secret");
    if let Ok(challenge) = Challenge::parse(text) {
        let written = challenge.to_string();
        assert!(!written.contains(['\r', '\n']));
        let again = Challenge::parse(&written).unwrap();
        assert_eq!(again.to_string(), written);
        let answered = answer(&challenge, "user", &secret, "INVITE", "sip:x", "c", 1).unwrap();
        assert!(Credentials::parse(&answered.to_string()).is_ok());
    }
    if let Ok(credentials) = Credentials::parse(text) {
        let written = credentials.to_string();
        assert!(!written.contains(['\r', '\n']));
        assert_eq!(Credentials::parse(&written).unwrap().to_string(), written);
        let mut nonces = Nonces::new([0; 32], 0, Duration::from_secs(60));
        let realm = credentials.realm.clone();
        let source = IpAddr::V4(Ipv4Addr::LOCALHOST);
        let protection = Protection {
            realm: &realm,
            algorithms: &[Algorithm::Sha512_256, Algorithm::Sha256, Algorithm::Md5],
        };
        let verdict =
            nonces.verify(Duration::ZERO, source, &credentials, "INVITE", protection, |_| Some([secret]));
        assert!(verdict.is_err(), "nobody guesses");
    }
});
