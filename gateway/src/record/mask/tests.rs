use proptest::prelude::*;

use super::*;

/// What the log has of these bytes.
fn masked(message: &str) -> String {
    String::from_utf8(mask(&Bytes::copy_from_slice(message.as_bytes()))).unwrap()
}

/// A header field as it came, and as the log has it.
fn check_field(field: &str, expect: &str) {
    let message = |field: &str| format!("OPTIONS sip:a@b SIP/2.0\r\n{field}\r\nTo: <sip:a@b>\r\n\r\n");
    assert_eq!(masked(&message(field)), message(expect), "{field:?}");
}

fn with_body(fields: &str, body: &str) -> String {
    format!("INFO sip:a@b SIP/2.0\r\n{fields}\r\n\r\n{body}")
}

fn check_body(content_type: &str, body: &str, expect: &str) {
    let message = |body: &str| with_body(&format!("Content-Type: {content_type}"), body);
    assert_eq!(masked(&message(body)), message(expect), "{content_type} {body:?}");
}

const KEY: &str = "QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVphYmNk";

/// Each a way to write a key or credentials that some peer takes, or that some reader of the log might.
#[test]
fn no_spelling_of_a_secret_gets_through() {
    let fields = [
        "Authorization: Digest username=\"bob\", response=\"KEY\"",
        "Authorization: Digest username=\"bob\", response = \"KEY\"",
        "Authorization: Digest username=\"bob\", response\t=\tKEY",
        "Authorization: Digest username=\"bob\", response\r\n =\r\n \"KEY\"",
        "Authorization:\r\n Digest\r\n response=\"KEY\"",
        "AUTHORIZATION\t:\tdigest RESPONSE=KEY",
        "Authorization: Digest username=\"bob, response=\"KEY\"",
        "Authorization: Digest response='KEY'",
        "Authorization: Digest response=\"a\\\"KEY\"",
        "Authorization: Digest re\"sp\"onse=\"KEY\"",
        "Authorization: Digest response*=UTF-8''KEY",
        "Authorization: Digest responze=\"KEY\"",
        "Authorization: Digest response:\"KEY\"",
        "Authorization: Digest response \"KEY\"",
        "Authorization: Digest; response=\"KEY\"",
        "Authorization: Digest,response=\"KEY\"",
        "Authorization: Digest username=\"a\", response=\"x\", Digest username=\"b\", response=\"KEY\"",
        "Authorization: Digest username=\"a\"; response=\"KEY\"",
        "Authorization: Digest uri=\"sip:bob:KEY@b\", response=\"x\"",
        "Authorization: Digest auts=\"KEY\", response=\"x\"",
        "Authorization: KEY",
        "Authorization: Basic KEY",
        "Authorization: Basic\tKEY",
        "Authorization: Basic\r\n KEY",
        "Proxy-Authorization: Bearer KEY",
        "Authentication-Info: rspauth=\"KEY\"",
        "Proxy-Authentication-Info: rspauth=KEY",
        "Authorization Digest response=\"KEY\"",
        "Autho rization: Digest response=\"KEY\"",
        "(Authorization): Digest response=\"KEY\"",
        "X-Authorization: Digest response=\"KEY\"",
        "X-Auth-Token: KEY",
        "Cookie: id=KEY",
        "X-Api-Key: KEY",
        "X-SDP: a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:KEY",
        "Subject: a=crypto:1 AES_CM_128_HMAC_SHA1_80 INLINE:KEY",
        "User-to-User: a%3Dcrypto%3A1%20AES_CM_128_HMAC_SHA1_80%20KEY",
        "From: <sip:bob:KEY@a.example>;tag=x",
        "From: <sip:bob:\r\n KEY@a.example>;tag=x",
        "From: <sip:bob: KEY@a.example>;tag=x",
        "From: \"sip:bob:KEY@a.example\" <sip:bob@a.example>;tag=x",
        "From: \"open <sip:bob:KEY@a.example>;tag=x",
        "From: <sip:bob:KEY%40x@a.example>;tag=x",
        "From: <sip:bob:KEY@x@a.example>;tag=x",
        "m: <SIPS:bob:KEY@a.example>, <sip:c@d>",
        "X-Called: sip:bob:KEY@a.example",
        "Call-Info: <https://bob:KEY@a.example/x>",
        "Call-Info: <https://a.example/x?token=KEY>",
        "Refer-To: <sip:a@b?Authorization=Digest%20response%3DKEY>",
        "Refer-To: <sip:b?Proxy-Authorization=Digest%20response%3DKEY&Replaces=x>",
        "Refer-To: <sip:a@b?body=a%3Dcrypto%3A1%20X%20inline%3AKEY>",
        "Refer-To: <sip:a@b?Refer-To=sip%3Abob%3AKEY%40c>",
        "History-Info: <sip:a@b?Reason=sip%3Abob%3AKEY%40c>;index=1",
        "P-Asserted-Identity: <sip:a@b>;x=\"sip:bob:KEY@c\"",
    ];
    for field in fields {
        let message =
            format!("OPTIONS sip:a@b SIP/2.0\r\n{}\r\nTo: <sip:a@b>\r\n\r\n", field.replace("KEY", KEY));
        assert!(!masked(&message).contains(KEY), "{field}\n{}", masked(&message));
    }
    for start in [
        "INVITE sip:bob:KEY@a.example SIP/2.0",
        "INVITE sip:bob: KEY@a.example SIP/2.0",
        "INVITE sip:a@b?Authorization=KEY SIP/2.0",
        "SIP/2.0 404 sip:bob:KEY@a.example not found",
        "INVITE sip:a@b SIP/2.0\r\n Authorization: Digest response=KEY",
        "INVITE sip:a@b SIP/2.0\r\nno header KEY",
    ] {
        let message = format!("{}\r\nTo: <sip:a@b>\r\n\r\n", start.replace("KEY", KEY));
        assert!(!masked(&message).contains(KEY), "{start}\n{}", masked(&message));
    }
    let line = "a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:KEY";
    for line in [
        line,
        "a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:KEY|2^20|1:4;inline:KEY|2:4",
        "a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline : KEY",
        "a=crypto:1 AES_CM_128_HMAC_SHA1_80\tinline:\tKEY",
        "a=crypto:1 AES_CM_128_HMAC_SHA1_80 INLINE:KEY",
        "a=crypto:1 AES_CM_128_HMAC_SHA1_80 in line:KEY",
        "a=crypto:1 AES_CM_128_HMAC_SHA1_80 uri:KEY",
        "a=crypto:1 AES_CM_128_HMAC_SHA1_80 KEY",
        "a=crypto:1 KEY inline:QUJD",
        "a=crypto:KEY",
        "a=crypto KEY",
        "a=Crypto : 1 AES_CM_128_HMAC_SHA1_80 inline KEY",
        "A=CRYPTO:1 X inline KEY",
        "a = crypto:1 X inline KEY",
        " a=crypto:1 X inline KEY",
        "a=\tcrypto:1 X inline KEY",
        "a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:QUJD\r\n KEY",
        "a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:QUJD\rKEY",
        "a=crypto:1 X inline:QUJD FEC_KEY=inline:KEY",
        "a=acap:1 crypto:1 X inline:KEY",
        "a=key-mgmt:mikey KEY",
        "a=key-mgmt:\tmikey KEY",
        "a=KEY-MGMT :mikey KEY",
        "a=x-key-mgmt:KEY",
        "a=encryption:KEY",
        "a=ice-pwd:KEY",
        "a=ice-pwd :KEY",
        "a=ICE-PWD:\tKEY",
        "k=clear:KEY",
        "k=\tbase64:KEY",
        "K=base64:KEY",
        "k =base64:KEY",
        "k:KEY",
        "s=x\u{b}a=crypto:1 X inline:KEY",
        "i=k KEY",
        "a=fmtp:96 inline:KEY",
        "a=tool:a=crypto:1 X KEY",
        "b=X inline:KEY",
        "s=a=crypto:1 X inline:KEY",
        "u=https://bob:KEY@a.example/",
        "Authorization: Digest response=KEY",
    ] {
        let sdp = format!(
            "v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\nt=0 0\r\nm=audio 4 RTP/SAVP 0\r\n{}\r\n",
            line.replace("KEY", KEY)
        );
        let part = |head: &str, body: &str| format!("--b\r\n{head}\r\n\r\n{body}\r\n--b--\r\n");
        let sdp_part = part("Content-Type: application/sdp", &sdp);
        for (fields, body) in [
            ("Content-Type: application/sdp", sdp.clone()),
            ("c:application/SDP ; charset=utf-8", sdp.clone()),
            ("Content-Type: application / sdp", sdp.clone()),
            ("Content-Type: application/sdp\r\nContent-Type: text/plain", sdp.clone()),
            ("X: y", sdp.clone()),
            ("Content-Type: text/plain", sdp.clone()),
            ("Content-Type: application/x", sdp.clone()),
            ("Content-Type: application/pidf+xml", sdp.clone()),
            ("Content-Type: application/sdp\r\nContent-Length: 1000", sdp.clone()),
            ("Content-Type: application/sdp", sdp.replace("\r\n", "\n")),
            ("Content-Type: application/sdp", sdp.replace("v=0\r\n", "")),
            ("Content-Type: multipart/mixed;boundary=b", sdp_part.clone()),
            ("Content-Type: multipart/mixed;boundary=c", sdp_part.clone()),
            ("Content-Type: multipart/mixed", sdp_part.clone()),
            ("Content-Type: application/sdp", sdp_part.clone()),
            ("Content-Type: multipart/mixed;boundary=b", format!("{sdp}\r\n{sdp_part}\r\n{sdp}")),
            ("Content-Type: multipart/mixed;boundary=b", part("Content-Type: text/plain", &sdp)),
            ("Content-Type: multipart/mixed;boundary=b", part("X: y", &sdp)),
            (
                "Content-Type: multipart/mixed;boundary=a",
                format!("--a\r\nContent-Type: multipart/alternative;boundary=b\r\n\r\n{sdp_part}\r\n--a--"),
            ),
            ("Content-Type: message/sipfrag", format!("SIP/2.0 200 OK\r\nc: application/sdp\r\n\r\n{sdp}")),
            ("Content-Type: message/sip", format!("Content-Type: application/sdp\r\n\r\n{sdp}")),
        ] {
            let message = with_body(fields, &body);
            assert!(!masked(&message).contains(KEY), "{line:?} {fields:?}\n{}", masked(&message));
        }
    }
}

#[test]
fn credentials_show_what_is_public() {
    check_field(
        "Authorization: Digest username=\"bob\", nonce=\"n\", cnonce=\"c\", response=\"6629fa\", nc=01",
        "Authorization: Digest username=\"bob\", nonce=\"n\", cnonce=\"c\", response=\"***\", nc=01",
    );
    check_field(
        "PROXY-authorization \t:DIGEST RESPONSE=abc,uri=x",
        "PROXY-authorization \t:DIGEST RESPONSE=***,uri=x",
    );
    check_field(
        "Authorization:\r\n Digest qop=auth,\r\n\tresponse\r\n =\r\n \"ab\\\"cd\"",
        "Authorization:\r\n Digest qop=auth,\r\n\tresponse\r\n =\r\n \"***\"",
    );
    check_field("Authentication-Info: rspauth=\"ab\", nc=1", "Authentication-Info: rspauth=\"***\", nc=1");
    check_field("Authorization: Digest response=\"ab, nc=1", "Authorization: Digest ***");
    check_field("Authorization: Basic dXNlcjpw", "Authorization: Basic ***");
    check_field("Proxy-Authorization:  Bearer a b=c ", "Proxy-Authorization:  Bearer *** ");
    for open in [
        "WWW-Authenticate: Digest realm=\"a@b\", nonce=\"n\"",
        "Subject: response=\"x\"",
        "Identity: eyJhbGciOiJFUzI1NiJ9..sig;info=<https://cert.example.org/passport.cer>;alg=ES256;ppt=shaken",
        "P-Charging-Vector: icid-value=\"a:1@192.0.2.1\";orig-ioi=b",
        "Geolocation: <cid:target123@atlanta.example.com>",
        "User-Agent: phone/1.0",
        "X-Site: hq",
        "i: a:b@c",
    ] {
        check_field(open, open);
    }
    check_field("no header", "***");
}

#[test]
fn uris_show_all_but_passwords_and_headers() {
    check_field(
        "f: \"Bob\"  <SIPS:bob:secret@a.example:5061> ;tag=x",
        "f: Bob <sips:bob:***@a.example:5061>;tag=x",
    );
    check_field(
        "Refer-To: <sip:a@b?Authorization=Digest&Replaces=x%40y>",
        "Refer-To: <sip:a@b?Authorization=***&Replaces=x%40y>",
    );
    for open in [
        "Contact: sip:a@h:5060,sip:b@h:5060",
        "From: \"Bob\"\t<sip:bob@a.example>;tag=x",
        "From:\r\n <sip:bob@a.example>\r\n ;tag=x",
        "To: <tel:+12065550100>",
        "History-Info: <sip:a@b?Reason=SIP%3Bcause%3D302>;index=1",
    ] {
        check_field(open, open);
    }
    check_field("From: <sip:a@b@c>", "From: ***");
    let start = |uri: &str| format!("INVITE {uri} SIP/2.0\r\n\r\n");
    assert_eq!(masked(&start("sip:bob:secret@a.example")), start("sip:bob:***@a.example"));
    assert_eq!(masked(&start("sip:10.0.0.1:5060")), start("sip:10.0.0.1:5060"));
    assert_eq!(masked("SIP/2.0 404 no a:b@c\r\n\r\n"), "SIP/2.0 404 ***\r\n\r\n");
    assert_eq!(masked("no message"), "***");
}

#[test]
fn descriptions_show_all_but_keys() {
    let sdp = |lines: &str| {
        format!("v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\nt=0 0\r\nm=audio 4 RTP/SAVP 0\r\n{lines}\r\n")
    };
    let check = |lines: &str, expect: &str| check_body("application/sdp", &sdp(lines), &sdp(expect));
    check(
        "a=rtpmap:0 PCMU/8000\r\na=ptime:20\r\na=sendrecv\r\nb=AS:64\r\na=fingerprint:sha-256 AB:CD\r\na=ice-ufrag:u",
        "a=rtpmap:0 PCMU/8000\r\na=ptime:20\r\na=sendrecv\r\nb=AS:64\r\na=fingerprint:sha-256 AB:CD\r\na=ice-ufrag:u",
    );
    check(
        &format!("a=crypto:1  AES_CM_128_HMAC_SHA1_80 inline:{KEY}|2^20|1:4;inline:{KEY} WSH=64 FEC_KEY=x"),
        "a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:***|2^20|1:4;inline:*** WSH=64 ***",
    );
    check("a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:abc", "a=crypto:***");
    check("a=ice-pwd:secret\r\na=x-site:hq\r\nk=prompt", "a=ice-pwd:***\r\na=x-site:***\r\nk=***");
}

#[test]
fn what_a_caller_pressed_is_masked() {
    check_body("application/dtmf-relay", "Signal=5\r\nDuration=160\r\n", "Signal=***\r\nDuration=160\r\n");
    check_body("Application/DTMF-Relay;x=y", "signal = 5\nDuration= 160", "Signal=***\nDuration= 160");
    check_body("application/dtmf-relay", "5\r\nDuration=5#\r\n", "***\r\n***\r\n");
    for kind in [
        "application/dtmf",
        "audio/telephone-event",
        "application/vnd.nortelnetworks.digits",
        "application/kpml-response+xml",
        "text/plain",
    ] {
        check_body(kind, "d=5", "***");
    }
}

#[test]
fn bodies_are_open_only_if_they_are_what_they_say() {
    check_body(
        "application/pidf+xml",
        "<?xml version=\"1.0\"?><presence/>",
        "<?xml version=\"1.0\"?><presence/>",
    );
    check_body("application/pidf+xml", "presence", "***");
    check_body("application/pidf+xml", "<a>a=crypto:1 X inline:abc</a>", "***");
    check_body(
        "multipart/mixed;boundary=\"b\"",
        "before\r\n--b\r\nContent-Type:application/pidf+xml\r\nContent-ID: <l@x>\r\n\r\n<a/>\r\n--b\r\n\r\ntext\r\n--b--\r\nafter",
        "--b\r\nContent-Type: application/pidf+xml\r\nContent-ID: <l@x>\r\n\r\n<a/>\r\n--b\r\n\r\n***\r\n--b--\r\n",
    );
    check_body("message/sipfrag", "SIP/2.0 200 OK", "SIP/2.0 200 OK");
    check_body(
        "message/sipfrag;version=2.0",
        "SIP/2.0 200 OK\r\nAuthorization: Digest response=3\r\n\r\n",
        "SIP/2.0 200 OK\r\nAuthorization: Digest response=***\r\n\r\n",
    );
    for coded in ["Content-Encoding: gzip", "e: deflate, identity", "Content-Transfer-Encoding: base64"] {
        let message = |body: &str| with_body(&format!("{coded}\r\nc: application/pidf+xml"), body);
        assert_eq!(masked(&message("<a/>")), message("***"));
    }
    let plain =
        with_body("e: identity\r\nContent-Transfer-Encoding: 8bit\r\nc: application/pidf+xml", "<a/>");
    assert_eq!(masked(&plain), plain);
    // Whoever nests without end is not followed without end.
    let nested = "SIP/2.0 200 OK\r\nc:message/sip\r\n\r\n".repeat(1000);
    assert_eq!(masked(&nested).matches("200 OK").count(), MAX_DEPTH + 1);
}

/// Words that begin anew within each other, as many as fit a message: looking each of them through to its end would take
/// minutes.
#[test]
fn a_message_is_walked_once() {
    for (before, words) in [
        ("X: ", "sip:a@"),
        ("X: ", "<sip:a:b@,"),
        ("X: ", "?="),
        ("Authorization: Digest ", "response="),
        ("Authorization: Digest ", "a=\"\\\"\","),
        ("Authorization: Digest ", "a=,"),
        ("c: application/sdp\r\n\r\nv=0\r\nm=audio 4 RTP/AVP 0\r\n", "a=crypto:1 A inline:;inline:\r\n"),
        ("c: multipart/mixed;boundary=b\r\n\r\n", "--b\r\n"),
        ("c: application/dtmf-relay\r\n\r\n", "Signal=\r"),
    ] {
        let head = "OPTIONS sip:a@b SIP/2.0\r\n";
        let message = format!("{head}{before}{}", words.repeat(60_000 / words.len()));
        assert!(!masked(&message).is_empty(), "{words}");
    }
}

proptest! {
    #[test]
    fn any_bytes_are_survived(message: Vec<u8>) {
        let message = [b"SIP/2.0 200 OK\r\n", message.as_slice()].concat();
        let _ = mask(&Bytes::from(message));
    }

    #[test]
    fn a_key_never_gets_through(before in "[ -~\r\n\t]{0,60}", after in "([|; \r\n][ -~\r\n]{0,20})?") {
        let head = "INVITE sip:a@b SIP/2.0\r\nContent-Type: application/sdp\r\n\r\nv=0\r\nm=audio 4 RTP/SAVP 0\r\n";
        let crypto = format!("{head}{before}\r\na=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:{KEY}{after}");
        prop_assert!(!masked(&crypto).contains(KEY));
        let folded = before.replace('\r', "").replace('\n', "\r\n ");
        let head = "INVITE sip:a@b SIP/2.0\r\n";
        let digest = format!("{head}Authorization: Digest {folded}response=\"{KEY}\"{after}");
        prop_assert!(!masked(&digest).contains(KEY), "{}", digest);
    }
}
