//! What the standards print of the insides: keystream, session keys, GCM under given session keys.

use aes::Aes128Enc;
use aes::cipher::KeyInit;
use serde_json::Value;

use super::cipher::{Cipher, Gcm, OnFailure, apply_keystream};
use super::derivation::{Label, derive};
use super::{MasterKey, PacketIndex, Roc, Suite};
use crate::packet::{RtpPacket, Ssrc};

fn hex(text: &Value) -> Vec<u8> {
    let digits = text.as_str().unwrap().as_bytes().chunks(2);
    digits.map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap()).collect()
}

fn wide(bytes: &[u8]) -> u128 {
    bytes.iter().fold(0, |sum, byte| sum << 8 | u128::from(*byte))
}

fn vectors(name: &str) -> Option<Value> {
    let path = crate::shared::path("testdata/vectors/srtp.json")?;
    let vectors: Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    Some(vectors[name].clone())
}

#[test]
fn keystream() {
    let Some(vectors) = vectors("rfc3711_B2_aes_cm_keystream") else { return };
    let aes = Aes128Enc::new_from_slice(&hex(&vectors["session_key"])).unwrap();
    for vector in vectors["vectors"].as_array().unwrap() {
        let mut bytes = [0; 16];
        apply_keystream(&aes, wide(&hex(&vector["counter"])), &mut bytes);
        assert_eq!(bytes[..], hex(&vector["keystream"])[..], "{vector}");
    }
}

fn check_derivation(suite: Suite, vectors: &Value, fields: &[(&str, Label)]) {
    let inline = [hex(&vectors["master_key"]), hex(&vectors["master_salt"])].concat();
    let master = MasterKey::new(suite, &inline).unwrap();
    for (field, label) in fields {
        let expected = hex(&vectors[*field]);
        let derived = derive::<94>(suite, &master, *label).unwrap();
        assert_eq!(derived[..expected.len()], expected[..], "{field}");
    }
}

#[test]
fn key_derivation() {
    let Some(of_rfc_3711) = vectors("rfc3711_B3_key_derivation") else { return };
    let fields = [
        ("srtp_cipher_key", Label::RtpEncryption),
        ("srtp_cipher_salt", Label::RtpSalt),
        ("srtp_auth_key_20", Label::RtpAuthentication),
        ("srtp_auth_key_94", Label::RtpAuthentication),
        ("srtcp_cipher_key", Label::RtcpEncryption),
        ("srtcp_auth_key_20", Label::RtcpAuthentication),
        ("srtcp_cipher_salt", Label::RtcpSalt),
    ];
    check_derivation(Suite::AesCm128HmacSha1_80, &of_rfc_3711, &fields);

    let Some(of_rfc_6188) = vectors("rfc6188_7_kdf_aes256") else { return };
    let fields = [
        ("cipher_key", Label::RtpEncryption),
        ("cipher_salt", Label::RtpSalt),
        ("auth_key_20", Label::RtpAuthentication),
    ];
    check_derivation(Suite::AesCm256HmacSha1_80, &of_rfc_6188, &fields);
}

#[test]
fn gcm() {
    let Some(vectors) = vectors("rfc7714_16_aead") else { return };
    let salt = wide(&hex(&vectors["session_salt"]));
    let header = hex(&vectors["header_aad"]);
    let clear = [header.clone(), hex(&vectors["plaintext"])].concat();
    let packet = RtpPacket::parse(&clear).unwrap();
    let roc = Roc(u32::try_from(vectors["roc"].as_u64().unwrap()).unwrap());
    let (ssrc, index): (Ssrc, _) = (packet.ssrc(), PacketIndex::new(roc, packet.seq()));
    for (name, algorithm) in
        [("AEAD_AES_128_GCM", &ring::aead::AES_128_GCM), ("AEAD_AES_256_GCM", &ring::aead::AES_256_GCM)]
    {
        let key = hex(&vectors[name]["session_key"]);
        let cipher = Cipher::Gcm(Box::new(Gcm::new(algorithm, &key, salt).unwrap()));
        let (mut bytes, mut tag) = (clear.clone(), [0; 16]);
        cipher.seal_rtp(ssrc, index, header.len(), &mut bytes, &mut tag, None).unwrap();
        bytes.extend(tag);
        assert_eq!(bytes, hex(&vectors[name]["srtp_packet"]), "{name}");
        let len = cipher.open_rtp(ssrc, index, header.len(), &mut bytes, None, OnFailure::Spoil);
        assert_eq!(len, Ok(clear.len()));
        assert_eq!(bytes[..clear.len()], clear);
    }
}
