//! Session keys from a master key.

use aes::cipher::KeyInit;
use aes::{Aes128Enc, Aes192Enc, Aes256Enc};
use zeroize::Zeroizing;

use super::cipher::apply_keystream;
use super::{MasterKey, SrtpError, Suite};

/// What a session key is for; the first half are RTP's, the second RTCP's. RFC 3711 §4.3.1, §4.3.2.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Label {
    RtpEncryption = 0,
    RtpAuthentication = 1,
    RtpSalt = 2,
    RtcpEncryption = 3,
    RtcpAuthentication = 4,
    RtcpSalt = 5,
}

/// Derives the session key of `label`, `N` bytes of it, with a key derivation rate of 0: one key for the whole session.
///
/// AES in counter mode under the master key, from the salt with the label in its eighth byte (bytes counted from the left,
/// 14 of salt, the short salt of GCM filled up with zeros). Fails with [`SrtpError::KeyLength`].
///
/// Source: RFC 3711 §4.3, RFC 6188 §3, RFC 7714 §11.
pub(super) fn derive<const N: usize>(
    suite: Suite,
    master: &MasterKey,
    label: Label,
) -> Result<Zeroizing<[u8; N]>, SrtpError> {
    let (key, salt) = master.parts(suite)?;
    let mut counter = [0; 16];
    counter.iter_mut().zip(salt).for_each(|(to, from)| *to = *from);
    let [.., at_label, _, _, _, _, _, _, _, _] = &mut counter;
    *at_label ^= label as u8;

    let mut derived = Zeroizing::new([0; N]);
    let length = SrtpError::KeyLength { expected: suite.inline_len(), found: key.len() + salt.len() };
    let (counter, bytes) = (u128::from_be_bytes(counter), derived.as_mut_slice());
    match key.len() {
        16 => apply_keystream(&Aes128Enc::new_from_slice(key).map_err(|_| length)?, counter, bytes),
        24 => apply_keystream(&Aes192Enc::new_from_slice(key).map_err(|_| length)?, counter, bytes),
        _ => apply_keystream(&Aes256Enc::new_from_slice(key).map_err(|_| length)?, counter, bytes),
    }
    Ok(derived)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 3711 B.3.
    #[test]
    fn the_standard_s_example() {
        let master = [
            0xe1, 0xf9, 0x7a, 0x0d, 0x3e, 0x01, 0x8b, 0xe0, 0xd6, 0x4f, 0xa3, 0x2c, 0x06, 0xde, 0x41,
            0x39, // key
            0x0e, 0xc6, 0x75, 0xad, 0x49, 0x8a, 0xfe, 0xeb, 0xb6, 0x96, 0x0b, 0x3a, 0xab, 0xe6, // salt
        ];
        let suite = Suite::AesCm128HmacSha1_80;
        let master = MasterKey::new(suite, &master).unwrap();
        let key = derive::<16>(suite, &master, Label::RtpEncryption).unwrap();
        assert_eq!(u128::from_be_bytes(*key), 0xc61e_7a93_744f_39ee_1073_4afe_3ff7_a087);
        let salt = derive::<14>(suite, &master, Label::RtpSalt).unwrap();
        assert_eq!(salt[..4], [0x30, 0xcb, 0xbc, 0x08]);
        let authentication = derive::<20>(suite, &master, Label::RtpAuthentication).unwrap();
        assert_eq!(authentication[..4], [0xce, 0xbe, 0x32, 0x1f]);
    }
}
