//! A phone's SRTP, by `webrtc-srtp`: not ours either. RFC 3711, RFC 4568.

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use webrtc_srtp::context::Context;
use webrtc_srtp::protection_profile::ProtectionProfile;

use super::failure::Failure;

/// The suite that every implementation has.
pub const SUITE: &str = "AES_CM_128_HMAC_SHA1_80";
/// The suites of `webrtc-srtp`, by the names of SDP.
const SUITES: [(&str, ProtectionProfile); 6] = [
    (SUITE, ProtectionProfile::Aes128CmHmacSha1_80),
    ("AES_CM_128_HMAC_SHA1_32", ProtectionProfile::Aes128CmHmacSha1_32),
    ("AES_256_CM_HMAC_SHA1_80", ProtectionProfile::Aes256CmHmacSha1_80),
    ("AES_256_CM_HMAC_SHA1_32", ProtectionProfile::Aes256CmHmacSha1_32),
    ("AEAD_AES_128_GCM", ProtectionProfile::AeadAes128Gcm),
    ("AEAD_AES_256_GCM", ProtectionProfile::AeadAes256Gcm),
];
/// Bytes of the longest master key and salt.
const LONGEST: usize = 46;

/// A master key and its salt. `Debug` does not show them.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct MasterKey {
    suite: &'static str,
    /// Zeros after what the suite needs.
    bytes: [u8; LONGEST],
}

impl std::fmt::Debug for MasterKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("MasterKey(***)")
    }
}

impl MasterKey {
    /// A new one for the suite that every implementation has.
    ///
    /// # Errors
    /// The system gives no random bytes.
    pub fn random() -> Result<MasterKey, Failure> {
        MasterKey::random_for(SUITE)
    }

    /// A new one for that suite.
    ///
    /// # Errors
    /// The system gives no random bytes, or nobody knows the suite.
    pub fn random_for(suite: &str) -> Result<MasterKey, Failure> {
        let mut bytes = [0; LONGEST];
        getrandom::fill(&mut bytes).map_err(|error| Failure::Io {
            what: "drawing a key".to_owned(),
            error: std::io::Error::other(error.to_string()),
        })?;
        let key = MasterKey::of(suite, &bytes);
        key.ok_or_else(|| Failure::Tls { what: "SRTP".to_owned(), problem: format!("no suite {suite}") })
    }

    /// The key in front of `bytes`; `None` for another suite, and where there are too few of them.
    fn of(suite: &str, bytes: &[u8]) -> Option<MasterKey> {
        let (suite, profile) = SUITES.into_iter().find(|(name, _)| *name == suite)?;
        let key = bytes.get(..profile.key_len() + profile.salt_len())?;
        let mut bytes = [0; LONGEST];
        bytes.get_mut(..key.len())?.copy_from_slice(key);
        Some(MasterKey { suite, bytes })
    }

    /// The suite that it is for.
    pub fn suite(&self) -> &'static str {
        self.suite
    }

    /// The value of `a=crypto`. RFC 4568 §9.1.
    pub fn attribute(&self, tag: u32) -> String {
        let (key, salt, _) = self.parts();
        format!("{tag} {} inline:{}", self.suite, BASE64.encode([key, salt].concat()))
    }

    /// The tag and the key of an `a=crypto`; `None` for a suite that we lack.
    pub fn parse(attribute: &str) -> Option<(u32, MasterKey)> {
        let mut words = attribute.split(' ');
        let tag = words.next()?.parse().ok()?;
        let suite = words.next()?;
        // Behind a bar stand lifetime and MKI, which a simple phone does not have.
        let key = words.next()?.strip_prefix("inline:")?.split('|').next()?;
        Some((tag, MasterKey::of(suite, &BASE64.decode(key).ok()?)?))
    }

    /// Key, salt, and what `webrtc-srtp` calls the suite.
    fn parts(&self) -> (&[u8], &[u8], ProtectionProfile) {
        let known = SUITES.into_iter().find(|(name, _)| *name == self.suite);
        let profile = known.map_or(ProtectionProfile::Aes128CmHmacSha1_80, |(_, profile)| profile);
        let (key, rest) = self.bytes.split_at_checked(profile.key_len()).unwrap_or_default();
        (key, rest.get(..profile.salt_len()).unwrap_or_default(), profile)
    }

    fn context(&self) -> Result<Context, Failure> {
        let (key, salt, profile) = self.parts();
        Context::new(key, salt, profile, None, None).map_err(failure)
    }
}

/// Both directions of a line.
pub struct Srtp {
    sending: Context,
    /// None until the far end has told its key.
    receiving: Option<(MasterKey, Context)>,
}

impl std::fmt::Debug for Srtp {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Srtp(***)")
    }
}

impl Srtp {
    /// What we send is protected by `ours`.
    ///
    /// # Errors
    /// The key is of no use.
    pub fn new(ours: &MasterKey) -> Result<Srtp, Failure> {
        Ok(Srtp { sending: ours.context()?, receiving: None })
    }

    /// What we receive is protected by `theirs`; a repeat changes nothing.
    ///
    /// # Errors
    /// The key is of no use.
    pub fn expect(&mut self, theirs: MasterKey) -> Result<(), Failure> {
        if self.receiving.as_ref().is_none_or(|(known, _)| *known != theirs) {
            self.receiving = Some((theirs, theirs.context()?));
        }
        Ok(())
    }

    /// An RTP packet as it goes on the wire.
    ///
    /// # Errors
    /// The packet can't be protected.
    pub fn protect(&mut self, packet: &[u8]) -> Result<Vec<u8>, Failure> {
        self.sending.encrypt_rtp(packet).map(Vec::from).map_err(failure)
    }

    /// An RTCP compound as it goes on the wire.
    ///
    /// # Errors
    /// The packet can't be protected.
    pub fn protect_rtcp(&mut self, compound: &[u8]) -> Result<Vec<u8>, Failure> {
        self.sending.encrypt_rtcp(compound).map(Vec::from).map_err(failure)
    }

    /// The RTP packet that came; `None` where it does not authenticate.
    pub fn unprotect(&mut self, packet: &[u8]) -> Option<Vec<u8>> {
        let (_, context) = self.receiving.as_mut()?;
        context.decrypt_rtp(packet).ok().map(Vec::from)
    }

    /// The RTCP compound that came; `None` where it does not authenticate.
    pub fn unprotect_rtcp(&mut self, compound: &[u8]) -> Option<Vec<u8>> {
        let (_, context) = self.receiving.as_mut()?;
        context.decrypt_rtcp(compound).ok().map(Vec::from)
    }
}

#[allow(clippy::needless_pass_by_value, reason = "for map_err")]
fn failure(error: webrtc_srtp::Error) -> Failure {
    Failure::Tls { what: "SRTP".to_owned(), problem: error.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_one_protects_the_other_reads() {
        let (ours, theirs) = (MasterKey::random().unwrap(), MasterKey::random().unwrap());
        let (tag, read) = MasterKey::parse(&ours.attribute(7)).unwrap();
        assert_eq!((tag, read), (7, ours));
        assert_eq!(MasterKey::parse("1 AES_CM_128_HMAC_SHA1_32 inline:AAAA"), None);
        assert_eq!(MasterKey::parse("1 F8_128_HMAC_SHA1_80 inline:AAAA"), None);
        assert!(format!("{ours:?}").ends_with("(***)"));

        let (mut a, mut b) = (Srtp::new(&ours).unwrap(), Srtp::new(&theirs).unwrap());
        let packet =
            crate::demo::rtp::Packet { payload_type: 0, seq: 1, timestamp: 2, ssrc: 3, payload: b"x" };
        let protected = a.protect(&packet.bytes()).unwrap();
        assert_ne!(protected, packet.bytes());
        assert_eq!(b.unprotect(&protected), None);
        b.expect(ours).unwrap();
        assert_eq!(b.unprotect(&protected), Some(packet.bytes()));
        b.expect(theirs).unwrap();
        assert_eq!(b.unprotect(&protected), None);
    }
}
