//! Published digest responses: the shared vectors, and some of our own, through the client. The server computes what it
//! expects by the same function.

#![allow(clippy::expect_used, clippy::panic, clippy::indexing_slicing)] // Helpers of tests.

use std::path::PathBuf;

use sip::auth::{Challenge, Credentials, Secret, answer};

/// One response and what it is made of.
struct Vector<'a> {
    source: &'a str,
    algorithm: &'a str,
    username: &'a str,
    password: &'a str,
    realm: &'a str,
    nonce: &'a str,
    method: &'a str,
    uri: &'a str,
    /// `None`: without qop.
    nc: Option<&'a str>,
    cnonce: &'a str,
    response: &'a str,
}

fn check(vector: &Vector) {
    let Vector { source, algorithm, username, password, realm, nonce, method, uri, nc, cnonce, response } =
        *vector;
    let qop = if nc.is_some() { ", qop=\"auth\"" } else { "" };
    let challenge = format!(r#"Digest realm="{realm}", nonce="{nonce}", algorithm={algorithm}{qop}"#);
    let challenge = Challenge::parse(&challenge).expect(source);
    let count = nc.map_or(1, |nc| u32::from_str_radix(nc, 16).expect(source));
    let secret = Secret::password(password);
    let credentials = answer(&challenge, username, &secret, method, uri, cnonce, count).expect(source);
    assert_eq!(credentials.response, response, "{source}");

    let wire = credentials.to_string();
    assert_eq!(Credentials::parse(&wire).as_ref(), Ok(&credentials), "{source}");
}

#[test]
fn shared_vectors_are_met() {
    let shared = std::env::var_os("VOICE_CONNECTOR_SHARED")
        .map(PathBuf::from)
        .unwrap_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../shared"));
    let path = shared.join("testdata/vectors/digest.json");
    let Ok(text) = std::fs::read_to_string(&path) else {
        assert!(std::env::var("CI").as_deref() != Ok("true"), "{} must be there in CI", path.display());
        println!("skipped: {} is not there", path.display());
        return;
    };
    let vectors: Vec<serde_json::Value> = serde_json::from_str(&text).expect("digest.json");
    assert!(!vectors.is_empty());
    for vector in &vectors {
        let text = |name: &str| vector[name].as_str();
        let need = |name: &str| text(name).unwrap_or_else(|| panic!("{name} in {vector}"));
        check(&Vector {
            source: need("source"),
            algorithm: need("algorithm"),
            username: need("username"),
            password: need("password"),
            realm: need("realm"),
            nonce: need("nonce"),
            method: need("method"),
            uri: need("uri"),
            nc: text("qop").map(|_| need("nc")),
            cnonce: text("cnonce").unwrap_or_default(),
            response: need("response"),
        });
    }
}

/// Computed with Python's hashlib, whose functions are OpenSSL's: no published vector has SHA-512-256 with plain user
/// names, nor SHA-256 over SIP.
#[test]
fn own_vectors_are_met() {
    let of = |source, algorithm, nc, response| Vector {
        source,
        algorithm,
        username: "branch",
        password: "correct horse battery staple",
        realm: "voiceconnector.example.com",
        nonce: "AQADAaQ-0cMAMTIzNDU2Nzg",
        method: "INVITE",
        uri: "sip:+12065550100@voiceconnector.example.com",
        nc,
        cnonce: "f00dcafe",
        response,
    };
    check(&of("MD5, qop=auth", "MD5", Some("0000000a"), "f7835f671045a02f5f1a9e6c538356bf"));
    check(&of("MD5, no qop", "MD5", None, "fe705a35ed842f917ad4b4c0b917f298"));
    check(&of(
        "SHA-256, qop=auth",
        "SHA-256",
        Some("0000000a"),
        "81dabbdf580fbb0c4e882395be588e5645e8b2f799bd4372fe5889e181b27cef",
    ));
    check(&of(
        "SHA-256, no qop",
        "SHA-256",
        None,
        "27d445a6f1d35470bb0754e172a19ac0cee5964d570388472e48d770ecada07a",
    ));
    check(&of(
        "SHA-512-256, qop=auth",
        "SHA-512-256",
        Some("0000000a"),
        "878d46679baafb974eb70a0d6fa5b7c903b0f5e8ae1112ce6e0be5d012caa467",
    ));
    check(&of(
        "SHA-512-256, no qop",
        "SHA-512-256",
        None,
        "fff648180b64ada2f1fc6b2bdb39d5e6f9a4e3096803399a94fb97441fdb434f",
    ));
    check(&of(
        "SHA-256-sess, qop=auth",
        "SHA-256-sess",
        Some("0000000a"),
        "274db88bbd194636ca15938b27b8654aba50f82e613d20a3d6bbebfc790229bd",
    ));
    check(&of(
        "SHA-256-sess, no qop",
        "SHA-256-sess",
        None,
        "b3e6a3129a5acefbb5212c8cadaf0bd7203a8a9d08190b13c2d61c8c3ad06471",
    ));
    check(&of(
        "SHA-512-256-sess, qop=auth",
        "SHA-512-256-sess",
        Some("0000000a"),
        "a6b2696dafd88ce2aac1eabd1e093d07dd45a1aa4ef8b650cdcd84c223c8bbfe",
    ));
    check(&of(
        "SHA-512-256-sess, no qop",
        "SHA-512-256-sess",
        None,
        "8a0362280ca4e16e8ef442d08e10bb94db33d4c393f8a3f4541911e9f65749da",
    ));
}

/// What baresip 1.0.0 sent to a challenge of ours, nonce and all.
#[test]
fn an_answer_of_baresip_is_right() {
    let seen = "Digest username=\"alice\", realm=\"r\", nonce=\"n0\", uri=\"sip:bob@127.0.0.1:6099;transport=udp\", \
                response=\"5c7957001e6fb4d3057e533cfa6f536c\", cnonce=\"0bf5f795867be4b3\", qop=auth, nc=00000001";
    let credentials = Credentials::parse(seen).expect("baresip");
    let challenge = Challenge::parse("Digest realm=\"r\", nonce=\"n0\", qop=\"auth\"").expect("a challenge");
    let ours = |password| {
        let (secret, uri, cnonce) = (Secret::password(password), &credentials.uri, "0bf5f795867be4b3");
        answer(&challenge, "alice", &secret, "INVITE", uri, cnonce, 1).expect("an answer").response
    };
    assert_eq!(ours("secret"), credentials.response);
    assert_ne!(ours("guess"), credentials.response);
}
