//! The transforms: AES counter mode with HMAC-SHA1, and AES-GCM.

use aes::cipher::consts::U16;
use aes::cipher::{
    BlockCipher, BlockEncrypt, BlockSizeUser, InnerIvInit, KeyInit, StreamCipher, StreamCipherCoreWrapper,
};
use aes::{Aes128Enc, Aes192Enc, Aes256Enc};
use ctr::{CtrCore, flavors};
use hmac::{Hmac, Mac};
use ring::aead::{AES_128_GCM, AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use sha1::Sha1;

use super::derivation::{Label, derive};
use super::{MasterKey, Mki, PacketIndex, SrtcpIndex, SrtcpTag, SrtpError, Suite};
use crate::packet::Ssrc;

/// Set in the word of the SRTCP index: the packet is encrypted. RFC 3711 §3.4.
const ENCRYPTED: u32 = 1 << 31;
/// SRTCP leaves the first header and the sender's SSRC in the clear.
const RTCP_CLEAR: usize = 8;

/// Session keys for RTP or for RTCP, made ready.
pub(super) enum Cipher {
    Counter(Box<Counter>),
    Gcm(Box<Gcm>),
}

/// Whether a packet that does not authenticate must stay as it came, since another key or index is to be tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum OnFailure {
    Keep,
    Spoil,
}

impl Cipher {
    pub(super) fn rtp(suite: Suite, master: &MasterKey) -> Result<Cipher, SrtpError> {
        let labels = [Label::RtpEncryption, Label::RtpAuthentication, Label::RtpSalt];
        Cipher::new(suite, master, labels, suite.rtp_growth())
    }

    pub(super) fn rtcp(suite: Suite, master: &MasterKey) -> Result<Cipher, SrtpError> {
        let labels = [Label::RtcpEncryption, Label::RtcpAuthentication, Label::RtcpSalt];
        Cipher::new(suite, master, labels, suite.srtcp_tag().len())
    }

    fn new(
        suite: Suite,
        master: &MasterKey,
        [encryption, authentication, salt]: [Label; 3],
        tag_len: usize,
    ) -> Result<Cipher, SrtpError> {
        let wide = |bytes: &[u8]| bytes.iter().fold(0, |sum, byte| sum << 8 | u128::from(*byte));
        let key = derive::<32>(suite, master, encryption)?;
        let key = key.get(..suite.key_len()).unwrap_or_default();
        if let Some(algorithm) = match suite {
            Suite::AeadAes128Gcm => Some(&AES_128_GCM),
            Suite::AeadAes256Gcm => Some(&AES_256_GCM),
            _ => None,
        } {
            let salt = wide(derive::<12>(suite, master, salt)?.as_slice());
            return Ok(Cipher::Gcm(Box::new(Gcm::new(algorithm, key, salt)?)));
        }
        let salt = wide(derive::<14>(suite, master, salt)?.as_slice());
        let authentication = derive::<20>(suite, master, authentication)?;
        let counter = Counter::new(key, salt, authentication.as_slice(), tag_len)?;
        Ok(Cipher::Counter(Box::new(counter)))
    }

    /// Encrypts the packet after its header; MKI and tag go to `trailer`, which has [`Suite::rtp_growth`] bytes and those of the MKI.
    pub(super) fn seal_rtp(
        &self,
        ssrc: Ssrc,
        index: PacketIndex,
        header_len: usize,
        packet: &mut [u8],
        trailer: &mut [u8],
        mki: Option<Mki>,
    ) -> Result<(), SrtpError> {
        let mki_len = Mki::len_of(mki);
        match self {
            Cipher::Counter(counter) => {
                let (at_mki, tag) = split(trailer, mki_len)?;
                Mki::write(mki, at_mki);
                counter.apply_keystream(ssrc, index.0, packet.get_mut(header_len..).unwrap_or_default());
                counter.sign(packet, &index.roc().0.to_be_bytes(), tag);
                Ok(())
            }
            Cipher::Gcm(gcm) => {
                let (tag, at_mki) = split_last(trailer, mki_len)?;
                Mki::write(mki, at_mki);
                let (header, payload) = split(packet, header_len)?;
                gcm.seal(ssrc, index.0, header, payload, tag)
            }
        }
    }

    /// Checks the MKI and the tag that end `packet`, then decrypts; returns the packet's length in the clear.
    ///
    /// The MKI stands before the tag of counter mode (RFC 3711 §3.1), and behind that of GCM (RFC 7714 §8.2).
    pub(super) fn open_rtp(
        &self,
        ssrc: Ssrc,
        index: PacketIndex,
        header_len: usize,
        packet: &mut [u8],
        mki: Option<Mki>,
        on_failure: OnFailure,
    ) -> Result<usize, SrtpError> {
        let mki_len = Mki::len_of(mki);
        match self {
            Cipher::Counter(counter) => {
                let (rest, tag) = split_last(packet, counter.tag_len)?;
                let (clear, at_mki) = split_last(rest, mki_len)?;
                Mki::check(mki, at_mki)?;
                counter.verify(clear, &index.roc().0.to_be_bytes(), tag)?;
                counter.apply_keystream(ssrc, index.0, clear.get_mut(header_len..).unwrap_or_default());
                Ok(clear.len())
            }
            Cipher::Gcm(gcm) => {
                let (rest, at_mki) = split_last(packet, mki_len)?;
                Mki::check(mki, at_mki)?;
                let (header, payload) = split(rest, header_len)?;
                Ok(header_len + gcm.open(ssrc, index.0, header, payload, on_failure)?)
            }
        }
    }

    /// Encrypts an RTCP packet; index, MKI and tag go to `trailer`, which has [`RtcpTrailer::len`] bytes.
    pub(super) fn seal_rtcp(
        &self,
        ssrc: Ssrc,
        index: SrtcpIndex,
        packet: &mut [u8],
        trailer: &mut [u8],
        RtcpTrailer { mki, .. }: RtcpTrailer,
    ) -> Result<(), SrtpError> {
        let word = (index.0 | ENCRYPTED).to_be_bytes();
        let (header, body) = split(packet, RTCP_CLEAR)?;
        match self {
            Cipher::Counter(counter) => {
                counter.apply_keystream(ssrc, u64::from(index.0), body);
                let (at_word, rest) = split(trailer, word.len())?;
                copy(at_word, &word);
                let (at_mki, tag) = split(rest, Mki::len_of(mki))?;
                Mki::write(mki, at_mki);
                counter.sign(packet, &word, tag);
                Ok(())
            }
            Cipher::Gcm(gcm) => {
                let (rest, at_mki) = split_last(trailer, Mki::len_of(mki))?;
                Mki::write(mki, at_mki);
                let (tag, at_word) = split_last(rest, word.len())?;
                copy(at_word, &word);
                let mut known = [0; RTCP_CLEAR + 4];
                let (at_header, at_word) = known.split_at_mut(RTCP_CLEAR);
                copy(at_header, header);
                copy(at_word, &word);
                gcm.seal(ssrc, u64::from(index.0), &known, body, tag)
            }
        }
    }

    /// The index that an SRTCP packet carries. Not authenticated.
    pub(super) fn srtcp_index(&self, packet: &[u8], trailer: RtcpTrailer) -> Option<SrtcpIndex> {
        let after = match self {
            Cipher::Counter(_) => trailer.len() - 4,
            Cipher::Gcm(_) => Mki::len_of(trailer.mki),
        };
        let word = packet.get(..packet.len().checked_sub(after)?)?.last_chunk::<4>()?;
        Some(SrtcpIndex(u32::from_be_bytes(*word) & !ENCRYPTED))
    }

    /// Checks the tag of an SRTCP packet, then decrypts; returns the packet's length in the clear.
    ///
    /// A packet without the E bit is authenticated only, and taken.
    pub(super) fn open_rtcp(
        &self,
        ssrc: Ssrc,
        packet: &mut [u8],
        RtcpTrailer { tag, mki }: RtcpTrailer,
        on_failure: OnFailure,
    ) -> Result<usize, SrtpError> {
        match self {
            Cipher::Counter(counter) => {
                let (rest, tag) = split_last(packet, tag.len())?;
                let (rest, at_mki) = split_last(rest, Mki::len_of(mki))?;
                Mki::check(mki, at_mki)?;
                let (clear, at_word) = split_last(rest, 4)?;
                let word = word(at_word)?;
                counter.verify(clear, at_word, tag)?;
                if word & ENCRYPTED != 0 {
                    let body = clear.get_mut(RTCP_CLEAR..).unwrap_or_default();
                    counter.apply_keystream(ssrc, u64::from(word & !ENCRYPTED), body);
                }
                Ok(clear.len())
            }
            Cipher::Gcm(gcm) => {
                let (rest, at_mki) = split_last(packet, Mki::len_of(mki))?;
                Mki::check(mki, at_mki)?;
                gcm.open_rtcp(ssrc, rest, on_failure)
            }
        }
    }
}

/// What stands behind an SRTCP packet beside the word of its index.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct RtcpTrailer {
    pub(super) tag: SrtcpTag,
    pub(super) mki: Option<Mki>,
}

impl RtcpTrailer {
    /// Bytes, the index included.
    pub(super) fn len(self) -> usize {
        4 + Mki::len_of(self.mki) + self.tag.len()
    }
}

/// AES_CM with HMAC_SHA1. RFC 3711 §4.1.1, §4.2.1; RFC 6188.
pub(super) struct Counter {
    aes: Aes,
    /// Times 2^16, ready for the counter block.
    salt: u128,
    /// Keyed, to be cloned for each packet.
    mac: Hmac<Sha1>,
    tag_len: usize,
}

enum Aes {
    Aes128(Aes128Enc),
    Aes192(Aes192Enc),
    Aes256(Aes256Enc),
}

impl Counter {
    fn new(key: &[u8], salt: u128, authentication: &[u8], tag_len: usize) -> Result<Counter, SrtpError> {
        let length = SrtpError::KeyLength { expected: key.len(), found: key.len() };
        let aes = match key.len() {
            16 => Aes::Aes128(Aes128Enc::new_from_slice(key).map_err(|_| length)?),
            24 => Aes::Aes192(Aes192Enc::new_from_slice(key).map_err(|_| length)?),
            _ => Aes::Aes256(Aes256Enc::new_from_slice(key).map_err(|_| length)?),
        };
        let mac = <Hmac<Sha1> as Mac>::new_from_slice(authentication).map_err(|_| length)?;
        Ok(Counter { aes, salt: salt << 16, mac, tag_len })
    }

    /// Encrypts or decrypts: one is the other.
    fn apply_keystream(&self, ssrc: Ssrc, index: u64, bytes: &mut [u8]) {
        let counter = self.salt ^ u128::from(ssrc.0) << 64 ^ u128::from(index) << 16;
        match &self.aes {
            Aes::Aes128(aes) => apply_keystream(aes, counter, bytes),
            Aes::Aes192(aes) => apply_keystream(aes, counter, bytes),
            Aes::Aes256(aes) => apply_keystream(aes, counter, bytes),
        }
    }

    fn sign(&self, packet: &[u8], more: &[u8], tag: &mut [u8]) {
        let mac = self.mac.clone().chain_update(packet).chain_update(more);
        copy(tag, &mac.finalize().into_bytes());
    }

    /// In constant time.
    fn verify(&self, packet: &[u8], more: &[u8], tag: &[u8]) -> Result<(), SrtpError> {
        let mac = self.mac.clone().chain_update(packet).chain_update(more);
        mac.verify_truncated_left(tag).map_err(|_| SrtpError::AuthFailed)
    }
}

/// Encrypts or decrypts `bytes` in counter mode, from the block `counter` on.
pub(super) fn apply_keystream<C>(aes: &C, counter: u128, bytes: &mut [u8])
where
    C: BlockEncrypt + BlockCipher + BlockSizeUser<BlockSize = U16>,
{
    let core = CtrCore::<_, flavors::Ctr128BE>::inner_iv_init(aes, &counter.to_be_bytes().into());
    StreamCipherCoreWrapper::from_core(core).apply_keystream(bytes);
}

/// AEAD_AES_GCM. RFC 7714.
pub(super) struct Gcm {
    key: LessSafeKey,
    salt: u128,
}

/// Length of a tag.
const TAG: usize = 16;
/// Longest packet that can be tried twice.
const KEPT: usize = 2048;

impl Gcm {
    pub(super) fn new(
        algorithm: &'static ring::aead::Algorithm,
        key: &[u8],
        salt: u128,
    ) -> Result<Gcm, SrtpError> {
        let length = SrtpError::KeyLength { expected: algorithm.key_len(), found: key.len() };
        let key = UnboundKey::new(algorithm, key).map_err(|_| length)?;
        Ok(Gcm { key: LessSafeKey::new(key), salt })
    }

    /// Two bytes of zero, SSRC and index, over the salt. RFC 7714 §8.1, §9.1.
    fn nonce(&self, ssrc: Ssrc, index: u64) -> Nonce {
        let wide = self.salt ^ u128::from(ssrc.0) << 48 ^ u128::from(index);
        let [_, _, _, _, nonce @ ..] = wide.to_be_bytes();
        Nonce::assume_unique_for_key(nonce)
    }

    fn seal(
        &self,
        ssrc: Ssrc,
        index: u64,
        known: &[u8],
        body: &mut [u8],
        tag: &mut [u8],
    ) -> Result<(), SrtpError> {
        let nonce = self.nonce(ssrc, index);
        let sealed = self.key.seal_in_place_separate_tag(nonce, Aad::from(known), body);
        copy(tag, sealed.map_err(|_| SrtpError::Exhausted)?.as_ref());
        Ok(())
    }

    /// `body` ends with its tag; returns its length without.
    fn open(
        &self,
        ssrc: Ssrc,
        index: u64,
        known: &[u8],
        body: &mut [u8],
        on_failure: OnFailure,
    ) -> Result<usize, SrtpError> {
        let nonce = self.nonce(ssrc, index);
        let open = |body: &mut [u8]| {
            let opened = self.key.open_in_place(nonce, Aad::from(known), body);
            opened.map(|clear| clear.len()).map_err(|_| SrtpError::AuthFailed)
        };
        if on_failure == OnFailure::Spoil || body.len() > KEPT {
            return open(body);
        }
        // The cipher decrypts as it goes, and wipes what did not authenticate.
        let mut kept = [0; KEPT];
        copy(&mut kept, body);
        open(body).inspect_err(|_| copy(body, &kept))
    }

    fn open_rtcp(&self, ssrc: Ssrc, packet: &mut [u8], on_failure: OnFailure) -> Result<usize, SrtpError> {
        let (rest, at_word) = split_last(packet, 4)?;
        let word_bytes: [u8; 4] = first_chunk(at_word)?;
        let word = u32::from_be_bytes(word_bytes);
        let index = u64::from(word & !ENCRYPTED);
        if word & ENCRYPTED != 0 {
            let (header, body) = split(rest, RTCP_CLEAR)?;
            let mut known = [0; RTCP_CLEAR + 4];
            let (at_header, at_word) = known.split_at_mut(RTCP_CLEAR);
            copy(at_header, header);
            copy(at_word, &word_bytes);
            return Ok(RTCP_CLEAR + self.open(ssrc, index, &known, body, on_failure)?);
        }
        // Not encrypted: what is authenticated is the whole packet and the word, between which the tag stands.
        let len = rest.len().checked_sub(TAG).ok_or(SrtpError::Malformed(rest.len()))?;
        let mut tag: [u8; TAG] = first_chunk(rest.get(len..).unwrap_or_default())?;
        let kept = tag;
        copy(rest.get_mut(len..).unwrap_or_default(), &word_bytes);
        let known = rest.get(..len + 4).unwrap_or_default();
        let opened = self.open(ssrc, index, known, &mut tag, OnFailure::Spoil);
        copy(rest.get_mut(len..).unwrap_or_default(), &kept);
        opened.map(|_| len)
    }
}

/// Copies as much as fits.
fn copy(to: &mut [u8], from: &[u8]) {
    to.iter_mut().zip(from).for_each(|(to, from)| *to = *from);
}

fn split(bytes: &mut [u8], len: usize) -> Result<(&mut [u8], &mut [u8]), SrtpError> {
    let all = bytes.len();
    bytes.split_at_mut_checked(len).ok_or(SrtpError::Malformed(all))
}

/// Splits off the last `len` bytes.
fn split_last(bytes: &mut [u8], len: usize) -> Result<(&mut [u8], &mut [u8]), SrtpError> {
    let rest = bytes.len().checked_sub(len).ok_or(SrtpError::Malformed(bytes.len()))?;
    split(bytes, rest)
}

fn first_chunk<const N: usize>(bytes: &[u8]) -> Result<[u8; N], SrtpError> {
    bytes.first_chunk().copied().ok_or(SrtpError::Malformed(bytes.len()))
}

fn word(bytes: &[u8]) -> Result<u32, SrtpError> {
    first_chunk(bytes).map(u32::from_be_bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    const REPORT: [u8; 12] = [0x80, 201, 0, 2, 0, 0, 0, 1, 9, 9, 9, 9];
    const WORD: [u8; 4] = [0, 0, 0, 5];

    #[test]
    fn rtcp_that_is_authenticated_only() {
        let counter = Counter::new(&[1; 16], 2, &[3; 20], 10).unwrap();
        let mut tag = [0; 10];
        counter.sign(&REPORT, &WORD, &mut tag);
        check(&Cipher::Counter(Box::new(counter)), [&REPORT[..], &WORD, &tag].concat(), SrtcpTag::Bits80);

        let gcm = Gcm::new(&AES_128_GCM, &[1; 16], 2).unwrap();
        let mut tag = [0; TAG];
        gcm.seal(Ssrc(1), 5, &[&REPORT[..], &WORD].concat(), &mut [], &mut tag).unwrap();
        check(&Cipher::Gcm(Box::new(gcm)), [&REPORT[..], &tag, &WORD].concat(), SrtcpTag::Bits128);
    }

    fn check(cipher: &Cipher, mut protected: Vec<u8>, tag: SrtcpTag) {
        let trailer = RtcpTrailer { tag, mki: None };
        assert_eq!(cipher.srtcp_index(&protected, trailer), Some(SrtcpIndex(5)));
        protected[8] ^= 1;
        let forged = protected.clone();
        let opened = cipher.open_rtcp(Ssrc(1), &mut protected, trailer, OnFailure::Keep);
        assert_eq!(opened, Err(SrtpError::AuthFailed));
        assert_eq!(protected, forged);
        protected[8] ^= 1;
        let opened = cipher.open_rtcp(Ssrc(1), &mut protected, trailer, OnFailure::Keep);
        assert_eq!(opened, Ok(REPORT.len()));
        assert_eq!(protected[..REPORT.len()], REPORT);
    }
}
