use super::*;
use crate::random::SeededRandom;

const SUITES: [Suite; 3] =
    [Suite::AesCm256HmacSha1_80, Suite::AesCm128HmacSha1_80, Suite::AesCm128HmacSha1_32];
const KEY: &str = "inline:d0RmdmcmVCspeEc3QGZiNWpVLFJhQX1cfHAwJSoj";

fn stream(protocol: &str, crypto: &[String]) -> Stream {
    let mut text = format!(
        "v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\nm=audio 4000 {protocol} 0\r\n"
    );
    for line in crypto {
        text.push_str(&format!("a=crypto:{line}\r\n"));
    }
    Sdp::parse(text.as_bytes()).unwrap().relayed_stream().cloned().unwrap()
}

fn sdes(policy: Srtp) -> (Sdes, SeededRandom) {
    (Sdes::new(policy, &SUITES), SeededRandom::new(1))
}

#[test]
fn each_policy_meets_each_offer() {
    let line = [format!("7 AES_CM_128_HMAC_SHA1_80 {KEY}")];
    let foreign = ["1 F8_128_HMAC_SHA1_80 inline:d0RmdmcmVCspeEc3QGZiNWpVLFJhQX1cfHAwJSoj".to_owned()];
    for (policy, protocol, crypto, expected) in [
        (Srtp::Off, "RTP/AVP", &[][..], Ok(false)),
        (Srtp::Off, "RTP/AVP", &line[..], Ok(false)),
        (Srtp::Off, "RTP/SAVP", &line[..], Err(488)),
        (Srtp::Optional, "RTP/AVP", &[][..], Ok(false)),
        (Srtp::Optional, "RTP/AVP", &line[..], Ok(true)),
        (Srtp::Optional, "RTP/SAVP", &line[..], Ok(true)),
        (Srtp::Optional, "RTP/SAVP", &foreign[..], Err(488)),
        (Srtp::Required, "RTP/AVP", &[][..], Err(488)),
        (Srtp::Required, "RTP/AVP", &line[..], Ok(true)),
        (Srtp::Required, "RTP/SAVP", &line[..], Ok(true)),
        (Srtp::Required, "RTP/SAVP", &[][..], Err(488)),
    ] {
        let (mut leg, mut random) = sdes(policy);
        let taken = leg.take_offer(&stream(protocol, crypto), &mut random);
        let taken = taken.map(|()| leg.keys().is_some()).map_err(|cause| cause.status.code());
        assert_eq!(taken, expected, "{policy:?} {protocol} {crypto:?}");
        let answer = leg.answer();
        if expected == Ok(true) {
            assert_eq!(answer.protocol.as_deref(), Some(protocol), "an answer repeats the transport");
            assert!(answer.crypto[0].starts_with("7 AES_CM_128_HMAC_SHA1_80 inline:"), "and the tag");
        } else {
            assert!(answer.crypto.is_empty());
        }
    }
}

#[test]
fn an_offer_and_its_answer_agree_on_both_keys() {
    let (mut we, mut random) = sdes(Srtp::Required);
    let (mut they, mut other) = (Sdes::new(Srtp::Required, &SUITES), SeededRandom::new(2));
    let offer = we.offer(&mut random);
    assert_eq!((offer.protocol.as_deref(), offer.crypto.len()), (Some("RTP/SAVP"), 3));
    they.take_offer(&stream("RTP/SAVP", &offer.crypto), &mut other).unwrap();
    we.take_answer(&stream("RTP/SAVP", &they.answer().crypto)).unwrap();
    let (ours, theirs) = (we.keys().unwrap(), they.keys().unwrap());
    assert_eq!((&ours.send, &ours.receive, ours.suite), (&theirs.receive, &theirs.send, theirs.suite));
    assert_ne!(ours.send, ours.receive);
    // A second offer goes on with the same key, and with the suite in use first.
    let again = we.offer(&mut random);
    assert_eq!(again.crypto[0], offer.crypto[0]);
}

#[test]
fn an_answer_may_only_choose_what_was_offered() {
    let (mut leg, mut random) = sdes(Srtp::Optional);
    assert_eq!(leg.offer(&mut random).protocol.as_deref(), Some("RTP/AVP"));
    assert!(leg.take_answer(&stream("RTP/AVP", &[])).is_ok());
    assert!(leg.keys().is_none());
    let foreign = format!("1 F8_128_HMAC_SHA1_80 {KEY}");
    assert!(leg.take_answer(&stream("RTP/SAVP", &[foreign])).is_err(), "a suite that was not offered");
    let (mut leg, mut random) = sdes(Srtp::Required);
    leg.offer(&mut random);
    assert!(leg.take_answer(&stream("RTP/AVP", &[])).is_err());
}

#[test]
fn a_tag_may_be_another_where_the_suite_says_which_line_is_meant() {
    let suite = Suite::AesCm128HmacSha1_80;
    for (tag, renumbered) in [(2, false), (1, true), (9, true)] {
        let (mut leg, mut random) = sdes(Srtp::Required);
        let offer = leg.offer(&mut random);
        let answer = stream("RTP/SAVP", &[format!("{tag} {suite} {KEY}")]);
        assert_eq!(leg.take_answer(&answer).unwrap(), renumbered);
        let keys = leg.keys().unwrap();
        assert_eq!(keys.suite, suite);
        let ours = Crypto::parse(&offer.crypto[1]).unwrap();
        assert_eq!(keys.send.expose(), *ours.keys[0].key_and_salt);
    }
    // Of two lines, the one that repeats the tag.
    let (mut leg, mut random) = sdes(Srtp::Required);
    leg.offer(&mut random);
    let lines = [format!("1 {suite} {KEY}"), format!("3 AES_CM_128_HMAC_SHA1_32 {KEY}")];
    assert!(!leg.take_answer(&stream("RTP/SAVP", &lines)).unwrap());
    assert_eq!(leg.keys().unwrap().suite, Suite::AesCm128HmacSha1_32);
}

#[test]
fn a_refusal_says_what_is_lacking() {
    let line = |rest: &str| format!("1 AES_CM_128_HMAC_SHA1_80 {KEY}{rest}");
    for (crypto, lacks) in [
        (vec![], "no key is offered"),
        (vec!["1 AES_CM_128_HMAC_SHA1_80 inline:***".to_owned()], "no crypto line can be read"),
        (vec!["1 AES_CM_128_HMAC_SHA1_80 inline:AAAA".to_owned()], "the key has not its suite's length"),
        (vec![format!("1 F8_128_HMAC_SHA1_80 {KEY}")], "no crypto suite in common"),
        (vec![line("|2^31|256:1")], "the MKI does not fit its length"),
        (vec![line(&format!("|1:1;{KEY}|2:1"))], "several keys in one crypto line are not supported"),
        (vec![line(&format!(";{KEY}"))], "several keys in one crypto line are not supported"),
        (vec![line(" UNENCRYPTED_SRTP")], "session parameters of the crypto line are not supported"),
    ] {
        let (mut leg, mut random) = sdes(Srtp::Optional);
        let refusal = leg.take_offer(&stream("RTP/SAVP", &crypto), &mut random).unwrap_err();
        assert_eq!((refusal.status.code(), refusal.text.as_str()), (488, lacks));
        let (mut leg, mut random) = sdes(Srtp::Required);
        let refusal = leg.take_offer(&stream("RTP/SAVP", &crypto), &mut random).unwrap_err();
        assert_eq!(refusal.text, format!("SRTP is required: {lacks}"));
    }
}

#[test]
fn an_answer_of_rtp_under_a_key_that_was_not_offered_is_noise() {
    for (policy, taken) in [(Srtp::Optional, false), (Srtp::Off, true)] {
        let (mut leg, mut random) = sdes(policy);
        leg.offer(&mut random);
        let answer = stream("RTP/AVP", &[format!("9 F8_128_HMAC_SHA1_80 {KEY}")]);
        assert_eq!(leg.take_answer(&answer).is_ok(), taken, "{policy:?}");
        assert!(leg.keys().is_none());
    }
}

/// Everybody on the way could send us what we sent, and two streams might share a keystream.
#[test]
fn our_own_key_is_no_answer() {
    let (mut leg, mut random) = sdes(Srtp::Required);
    let offer = leg.offer(&mut random);
    assert!(leg.take_answer(&stream("RTP/SAVP", &offer.crypto)).is_err());
    assert!(leg.take_offer(&stream("RTP/SAVP", &offer.crypto), &mut random).is_err());
}

#[test]
fn whoever_said_srtp_is_asked_for_no_less() {
    let keyed = |protocol| stream(protocol, &[format!("1 AES_CM_128_HMAC_SHA1_80 {KEY}")]);
    for (said, asked) in [("RTP/AVP", "RTP/AVP"), ("RTP/SAVP", "RTP/SAVP"), ("RTP/SAVPF", "RTP/SAVP")] {
        let (mut leg, mut random) = sdes(Srtp::Optional);
        leg.take_offer(&keyed(said), &mut random).unwrap();
        assert_eq!(leg.offer(&mut random).protocol.as_deref(), Some(asked));
        leg.take_answer(&keyed(asked)).unwrap();
        assert_eq!(leg.offer(&mut random).protocol.as_deref(), Some(asked));
        // The party went to RTP: SRTP is a wish again.
        leg.take_offer(&stream("RTP/AVP", &[]), &mut random).unwrap();
        assert_eq!(leg.offer(&mut random).protocol.as_deref(), Some("RTP/AVP"));
    }
}

/// RFC 4568 §6.1: each side names its own key. Who names its key finds a name in what it is sent, and one that names none finds none.
#[test]
fn a_key_with_a_name_is_answered_with_one() {
    let line = |rest: &str| stream("RTP/SAVP", &[format!("7 AES_CM_128_HMAC_SHA1_80 {KEY}{rest}")]);
    let (mut leg, mut random) = sdes(Srtp::Required);
    leg.take_offer(&line("|2^20|1:4"), &mut random).unwrap();
    let keys = leg.keys().unwrap().clone();
    assert_eq!((keys.send_mki, keys.receive_mki), (Mki::new(1, 4), Mki::new(1, 4)));
    assert_eq!(keys.lifetime, Some(1 << 20));
    let ours = Crypto::parse(&leg.answer().crypto[0]).unwrap();
    assert_eq!(ours.keys[0].mki, Some(sip::sdp::crypto::Mki { value: 1, length: 4 }));
    assert_eq!(ours.keys[0].lifetime, None, "as long as the suite allows");

    // What we offer later has it, too, and an answer without one is one.
    assert!(leg.offer(&mut random).crypto.iter().all(|line| line.ends_with("|1:4")));
    leg.take_answer(&line("|2^31")).unwrap();
    let keys = leg.keys().unwrap();
    assert_eq!((keys.send_mki, keys.receive_mki, keys.lifetime), (Mki::new(1, 4), None, Some(1 << 31)));

    // An offer without a name takes ours away.
    leg.take_offer(&line(""), &mut random).unwrap();
    let keys = leg.keys().unwrap();
    assert_eq!((keys.send_mki, keys.receive_mki, keys.lifetime), (None, None, None));
    assert!(!leg.answer().crypto[0].contains('|'));

    // A party that names its key where we have named none.
    let (mut leg, mut random) = sdes(Srtp::Required);
    assert!(leg.offer(&mut random).crypto.iter().all(|line| !line.contains('|')));
    leg.take_answer(&stream("RTP/SAVP", &[format!("2 AES_CM_128_HMAC_SHA1_80 {KEY}|9:2")])).unwrap();
    let keys = leg.keys().unwrap();
    assert_eq!((keys.send_mki, keys.receive_mki), (None, Mki::new(9, 2)));
}

#[test]
fn lines_that_ask_for_what_we_lack_are_passed_over() {
    for (line, taken) in [
        (format!("AES_CM_128_HMAC_SHA1_80 {KEY}|2^31"), true),
        (format!("AES_CM_128_HMAC_SHA1_80 {KEY}|2^31|1:1"), true),
        (format!("AES_CM_128_HMAC_SHA1_80 {KEY}|300:1"), false),
        (format!("AES_CM_128_HMAC_SHA1_80 {KEY}|1:1;{KEY}|2:1"), false),
        (format!("AES_CM_128_HMAC_SHA1_80 {KEY};{KEY}"), false),
        (format!("AES_CM_128_HMAC_SHA1_80 {KEY} UNENCRYPTED_SRTP"), false),
        (format!("AES_CM_128_HMAC_SHA1_80 {KEY} UNENCRYPTED_SRTCP"), false),
        (format!("AES_CM_128_HMAC_SHA1_80 {KEY} UNAUTHENTICATED_SRTP"), false),
        (format!("AES_CM_128_HMAC_SHA1_80 {KEY} KDR=1"), false),
        (format!("AES_CM_128_HMAC_SHA1_80 {KEY} SOMETHING=NEW"), false),
        (format!("AES_CM_128_HMAC_SHA1_80 {KEY} -something WSH=64"), true),
        (format!("aes_cm_128_hmac_sha1_80 {KEY}"), true),
    ] {
        let (mut leg, mut random) = sdes(Srtp::Required);
        // What we lack may stand in front of what we have.
        let second = format!("2 AES_CM_128_HMAC_SHA1_32 {KEY}");
        let offered = stream("RTP/SAVP", &[format!("1 {line}"), second]);
        leg.take_offer(&offered, &mut random).unwrap();
        let tag = if taken { '1' } else { '2' };
        let answer = leg.answer().crypto.remove(0);
        assert!(answer.starts_with(tag), "{line}: {answer}");
        assert_eq!(answer.split(' ').nth(1), offered.cryptos()[usize::from(!taken)].suite.as_str().into());
        assert_eq!(leg.keys().unwrap().suite, SUITES[if taken { 1 } else { 2 }]);
    }
}

#[test]
fn of_several_streams_the_one_that_fits_the_policy_is_taken() {
    let key = format!("a=crypto:1 AES_CM_128_HMAC_SHA1_80 {KEY}");
    let foreign = format!("a=crypto:1 F8_128_HMAC_SHA1_80 {KEY}");
    let (plain, secured) = ("m=audio 4000 RTP/AVP 0".to_owned(), format!("m=audio 4002 RTP/SAVP 0\n{key}"));
    let unknown = format!("m=audio 4004 RTP/SAVP 0\n{foreign}");
    let refused = "m=audio 0 RTP/SAVP 0".to_owned();
    let fax = "m=image 4006 udptl t38".to_owned();
    let mute = "m=audio 4008 RTP/AVP 101\na=rtpmap:101 telephone-event/8000".to_owned();
    for (streams, off, optional, required) in [
        ([&plain, &secured], 0, 1, 1),
        ([&secured, &plain], 1, 0, 0),
        ([&unknown, &plain], 1, 1, 0),
        ([&refused, &plain], 1, 1, 1),
        ([&refused, &fax], 1, 1, 1),
        ([&fax, &secured], 0, 0, 1),
        ([&unknown, &fax], 1, 1, 0),
        ([&mute, &plain], 1, 1, 0),
        ([&mute, &secured], 0, 1, 1),
    ] {
        let [one, other] = streams;
        let text = format!("v=0\nc=IN IP4 192.0.2.1\n{one}\n{other}\n");
        let offer = Sdp::parse(text.as_bytes()).unwrap();
        for (policy, index) in [(Srtp::Off, off), (Srtp::Optional, optional), (Srtp::Required, required)] {
            let speaks = |stream: &Stream| stream.has_codec(|_| true);
            let chosen = sdes(policy).0.choose(&offer, speaks).map(|stream| stream.index);
            assert_eq!(chosen, Some(index), "{policy:?} {text}");
        }
    }
}

#[test]
fn the_guides_spelling_of_a_suite_is_understood_and_repeated() {
    let (mut leg, mut random) = sdes(Srtp::Optional);
    let offered = stream("RTP/SAVP", &[format!("1 AES_CM_256_HMAC_SHA1_80 inline:{}==", "A".repeat(62))]);
    leg.take_offer(&offered, &mut random).unwrap();
    assert_eq!(leg.keys().unwrap().suite, Suite::AesCm256HmacSha1_80);
    assert!(leg.answer().crypto[0].contains("AES_CM_256_HMAC_SHA1_80"));
}

#[test]
fn a_key_that_is_forgotten_is_never_used_again() {
    let (mut leg, mut random) = sdes(Srtp::Required);
    let offered = stream("RTP/SAVP", &[format!("1 AES_CM_128_HMAC_SHA1_80 {KEY}")]);
    leg.take_offer(&offered, &mut random).unwrap();
    let before = leg.keys().unwrap().send.clone();
    leg.forget_own();
    leg.take_offer(&offered, &mut random).unwrap();
    assert_ne!(leg.keys().unwrap().send, before);
}

#[test]
fn keys_stay_out_of_debug_output() {
    let (mut leg, mut random) = sdes(Srtp::Required);
    let line = format!("1 AES_CM_128_HMAC_SHA1_80 {KEY}");
    leg.take_offer(&stream("RTP/SAVP", &[line]), &mut random).unwrap();
    let text = format!("{leg:?}");
    assert!(text.contains("***") && !text.contains('['), "{text}");
}
