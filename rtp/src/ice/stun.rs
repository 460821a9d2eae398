//! Binding requests and what is answered to them. RFC 8489.

use std::net::{IpAddr, SocketAddr};

use hmac::{Hmac, Mac};
use sha1::Sha1;

pub(super) const COOKIE: u32 = 0x2112_a442;
const HEADER: usize = 20;
const INTEGRITY: usize = 20;

const BINDING_REQUEST: u16 = 0x0001;
const BINDING_INDICATION: u16 = 0x0011;
const BINDING_SUCCESS: u16 = 0x0101;
const BINDING_ERROR: u16 = 0x0111;

const USERNAME: u16 = 0x0006;
const MESSAGE_INTEGRITY: u16 = 0x0008;
const ERROR_CODE: u16 = 0x0009;
const UNKNOWN_ATTRIBUTES: u16 = 0x000a;
const XOR_MAPPED_ADDRESS: u16 = 0x0020;
const PRIORITY: u16 = 0x0024;
const USE_CANDIDATE: u16 = 0x0025;
const FINGERPRINT: u16 = 0x8028;
const ICE_CONTROLLED: u16 = 0x8029;
/// What FINGERPRINT is xored with: "STUN".
const FINGERPRINT_XOR: u32 = 0x5354_554e;

/// Attributes below this number must be understood.
const OPTIONAL: u16 = 0x8000;
/// As many unknown attributes as are named in a response.
const MOST_UNKNOWN: usize = 4;

/// A message of the Binding method that holds together: of its own length, with a right FINGERPRINT.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Message<'a> {
    /// Nothing is answered to it.
    Indication,
    Request(Request<'a>),
}

/// A Binding request. RFC 8445 §7.1.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Request<'a> {
    bytes: &'a [u8],
    transaction: [u8; 12],
    pub username: &'a [u8],
    /// Where MESSAGE-INTEGRITY begins.
    integrity_at: usize,
    integrity: [u8; INTEGRITY],
    /// The peer takes this way.
    pub use_candidate: bool,
    /// The peer takes itself for the one that is controlled.
    pub is_controlled: bool,
    /// Attributes that must be understood, and are not.
    pub unknown: Vec<u16>,
}

impl<'a> Message<'a> {
    /// `None`: it is no message of this method, or not whole.
    pub fn parse(bytes: &'a [u8]) -> Option<Self> {
        let (header, body) = bytes.split_first_chunk::<HEADER>()?;
        let [k0, k1, l0, l1, c0, c1, c2, c3, transaction @ ..] = header;
        let whole = usize::from(u16::from_be_bytes([*l0, *l1])) == body.len() && body.len().is_multiple_of(4);
        if !whole || u32::from_be_bytes([*c0, *c1, *c2, *c3]) != COOKIE {
            return None;
        }
        match u16::from_be_bytes([*k0, *k1]) {
            BINDING_INDICATION => Some(Message::Indication),
            BINDING_REQUEST => Request::parse(bytes, *transaction).map(Message::Request),
            _ => None,
        }
    }
}

impl<'a> Request<'a> {
    fn parse(bytes: &'a [u8], transaction: [u8; 12]) -> Option<Self> {
        let mut request = Request {
            bytes,
            transaction,
            username: &[],
            integrity_at: 0,
            integrity: [0; INTEGRITY],
            use_candidate: false,
            is_controlled: false,
            unknown: Vec::new(),
        };
        let mut at = HEADER;
        while let Some((kind, value, next)) = attribute(bytes, at) {
            match kind {
                FINGERPRINT => {
                    let covered = bytes.get(..at)?;
                    let shown = u32::from_be_bytes(value.try_into().ok()?);
                    let right = next == bytes.len() && shown == crc32(covered) ^ FINGERPRINT_XOR;
                    return Some(request).filter(|request| right && request.integrity_at > 0);
                }
                // What follows on MESSAGE-INTEGRITY is not covered by it, and so is not looked at: RFC 8489 §14.5.
                _ if request.integrity_at > 0 => {}
                MESSAGE_INTEGRITY => {
                    request.integrity = value.try_into().ok()?;
                    request.integrity_at = at;
                }
                USERNAME => request.username = value,
                USE_CANDIDATE => request.use_candidate = true,
                ICE_CONTROLLED => request.is_controlled = true,
                PRIORITY => {}
                unknown if unknown < OPTIONAL && request.unknown.len() < MOST_UNKNOWN => {
                    request.unknown.push(unknown)
                }
                _ => {}
            }
            at = next;
        }
        None // Every check of ICE ends in a FINGERPRINT: RFC 8445 §7.1.
    }

    /// Whether whoever sent it knows the password.
    pub fn is_authentic(&self, password: &[u8]) -> bool {
        let Some(mac) = integrity(self.bytes, self.integrity_at, password) else { return false };
        mac.verify_slice(&self.integrity).is_ok()
    }

    /// Writes the response: whence the request came. RFC 8489 §14.2. Returns its length.
    pub fn succeed(&self, from: SocketAddr, password: &[u8], out: &mut [u8]) -> Option<usize> {
        let mut writer = Writer::new(out, BINDING_SUCCESS, self.transaction)?;
        writer.xor_mapped(from)?;
        writer.close(password)
    }

    /// Writes an error response.
    ///
    /// - `code`: 420 names the unknown attributes.
    pub fn fail(&self, code: u16, reason: &str, password: &[u8], out: &mut [u8]) -> Option<usize> {
        let mut writer = Writer::new(out, BINDING_ERROR, self.transaction)?;
        let (class, number) = (u8::try_from(code / 100).ok()?, u8::try_from(code % 100).ok()?);
        writer.attribute(ERROR_CODE, &[&[0, 0, class, number], reason.as_bytes()])?;
        if code == 420 {
            let named: Vec<u8> = self.unknown.iter().flat_map(|kind| kind.to_be_bytes()).collect();
            writer.attribute(UNKNOWN_ATTRIBUTES, &[&named])?;
        }
        writer.close(password)
    }
}

/// The attribute at `at`: its kind, its value and where the next one begins.
fn attribute(bytes: &[u8], at: usize) -> Option<(u16, &[u8], usize)> {
    let (&[k0, k1, l0, l1], _) = bytes.get(at..)?.split_first_chunk::<4>()?;
    let length = usize::from(u16::from_be_bytes([l0, l1]));
    let value = bytes.get(at + 4..at + 4 + length)?;
    Some((u16::from_be_bytes([k0, k1]), value, at + 4 + length.next_multiple_of(4)))
}

/// The MAC over a message up to its MESSAGE-INTEGRITY at `at`, its length as if it ended there. RFC 8489 §14.5.
fn integrity(bytes: &[u8], at: usize, password: &[u8]) -> Option<Hmac<Sha1>> {
    let length = u16::try_from((at + 4 + INTEGRITY).checked_sub(HEADER)?).ok()?;
    let mut mac = Hmac::<Sha1>::new_from_slice(password).ok()?;
    mac.update(bytes.get(..2)?);
    mac.update(&length.to_be_bytes());
    mac.update(bytes.get(4..at)?);
    Some(mac)
}

/// Writes a message into a buffer.
pub(super) struct Writer<'a> {
    out: &'a mut [u8],
    len: usize,
}

impl<'a> Writer<'a> {
    pub fn new(out: &'a mut [u8], kind: u16, transaction: [u8; 12]) -> Option<Self> {
        let mut writer = Writer { out, len: 0 };
        writer.put(&kind.to_be_bytes())?;
        writer.put(&[0; 2])?;
        writer.put(&COOKIE.to_be_bytes())?;
        writer.put(&transaction)?;
        Some(writer)
    }

    pub fn attribute(&mut self, kind: u16, parts: &[&[u8]]) -> Option<()> {
        let length: usize = parts.iter().map(|part| part.len()).sum();
        self.put(&kind.to_be_bytes())?;
        self.put(&u16::try_from(length).ok()?.to_be_bytes())?;
        parts.iter().try_for_each(|part| self.put(part))?;
        self.put([0; 3].get(..length.next_multiple_of(4) - length)?)
    }

    fn xor_mapped(&mut self, address: SocketAddr) -> Option<()> {
        let port = address.port() ^ (COOKIE >> 16) as u16;
        // The cookie, then the transaction: the header has them in this order.
        let mask: [u8; 16] = self.out.get(4..HEADER)?.try_into().ok()?;
        let xored =
            |bytes: &[u8]| -> Vec<u8> { bytes.iter().zip(mask).map(|(byte, mask)| byte ^ mask).collect() };
        let (family, bytes) = match address.ip() {
            IpAddr::V4(ip) => (1, xored(&ip.octets())),
            IpAddr::V6(ip) => (2, xored(&ip.octets())),
        };
        self.attribute(XOR_MAPPED_ADDRESS, &[&[0, family], &port.to_be_bytes(), &bytes])
    }

    /// MESSAGE-INTEGRITY, then FINGERPRINT. Returns the length of the message.
    pub fn close(mut self, password: &[u8]) -> Option<usize> {
        let at = self.len;
        let mac = integrity(self.out, at, password)?.finalize().into_bytes();
        self.attribute(MESSAGE_INTEGRITY, &[&mac])?;
        let length = u16::try_from(self.len + 8 - HEADER).ok()?;
        self.out.get_mut(2..4)?.copy_from_slice(&length.to_be_bytes());
        let shown = crc32(self.out.get(..self.len)?) ^ FINGERPRINT_XOR;
        self.attribute(FINGERPRINT, &[&shown.to_be_bytes()])?;
        Some(self.len)
    }

    fn put(&mut self, bytes: &[u8]) -> Option<()> {
        self.out.get_mut(self.len..self.len + bytes.len())?.copy_from_slice(bytes);
        self.len += bytes.len();
        Some(())
    }
}

/// The checksum of ISO 3309, bit by bit: a check has some hundred bytes.
fn crc32(bytes: &[u8]) -> u32 {
    let bit = |crc: u32| if crc & 1 == 1 { crc >> 1 ^ 0xedb8_8320 } else { crc >> 1 };
    let byte = |crc: u32, byte: &u8| (0..8).fold(crc ^ u32::from(*byte), |crc, _| bit(crc));
    !bytes.iter().fold(!0, byte)
}

#[cfg(test)]
pub(crate) mod checks {
    use super::*;

    /// A check as a full agent makes it.
    pub fn request(username: &str, password: &str, extra: &[(u16, &[u8])]) -> Vec<u8> {
        let mut out = [0; 512];
        let mut writer = Writer::new(&mut out, BINDING_REQUEST, *b"abcdefghijkl").unwrap();
        writer.attribute(USERNAME, &[username.as_bytes()]).unwrap();
        writer.attribute(PRIORITY, &[&[0x6e, 0, 1, 0xff]]).unwrap();
        for (kind, value) in extra {
            writer.attribute(*kind, &[value]).unwrap();
        }
        let len = writer.close(password.as_bytes()).unwrap();
        out[..len].to_vec()
    }

    /// RFC 5769 §2.1: as another implementation writes it.
    pub const SAMPLE: &[u8] = b"\x00\x01\x00\x58\x21\x12\xa4\x42\xb7\xe7\xa7\x01\xbc\x34\xd6\x86\xfa\x87\xdf\xae\
        \x80\x22\x00\x10STUN test client\x00\x24\x00\x04\x6e\x00\x01\xff\x80\x29\x00\x08\x93\x2f\xf9\xb1\x51\x26\x3b\x36\
        \x00\x06\x00\x09evtj:h6vY\x20\x20\x20\x00\x08\x00\x14\x9a\xea\xa7\x0c\xbf\xd8\xcb\x56\x78\x1e\xf2\xb5\
        \xb2\xd3\xf2\x49\xc1\xb5\x71\xa2\x80\x28\x00\x04\xe5\x7a\x3b\xcf";
    pub const SAMPLE_PASSWORD: &str = "VOkJxbRl1RmTxUk/WvJxBt";

    #[test]
    fn a_request_of_the_standard_is_read() {
        let Some(Message::Request(request)) = Message::parse(SAMPLE) else { panic!() };
        assert_eq!(
            (request.username, request.is_controlled, request.use_candidate),
            (&b"evtj:h6vY"[..], true, false)
        );
        assert!(request.unknown.is_empty());
        assert!(request.is_authentic(SAMPLE_PASSWORD.as_bytes()));
        assert!(!request.is_authentic(b"another"));
    }

    #[test]
    fn a_response_of_the_standard_is_written() {
        // RFC 5769 §2.2, without its SOFTWARE: address and transaction are those of the sample.
        let Some(Message::Request(request)) = Message::parse(SAMPLE) else { panic!() };
        let mut out = [0; 128];
        let len = request
            .succeed("192.0.2.1:32853".parse().unwrap(), SAMPLE_PASSWORD.as_bytes(), &mut out)
            .unwrap();
        assert_eq!(&out[..4], [1, 1, 0, 44]);
        assert_eq!(len, 64);
        assert_eq!(&out[20..32], b"\x00\x20\x00\x08\x00\x01\xa1\x47\xe1\x12\xa6\x43");
        // RFC 5769 §2.3.
        let len =
            request.succeed("[2001:db8:1234:5678:11:2233:4455:6677]:32853".parse().unwrap(), b"x", &mut out);
        assert_eq!(len, Some(76));
        let expect = b"\x00\x20\x00\x14\x00\x02\xa1\x47\x01\x13\xa9\xfa\xa5\xd3\xf1\x79\xbc\x25\xf4\xb5\xbe\xd2\xb9\xd9";
        assert_eq!(&out[20..44], expect);
    }

    #[test]
    fn no_bit_of_a_request_may_change() {
        for bit in 0..SAMPLE.len() * 8 {
            let mut changed = SAMPLE.to_vec();
            changed[bit / 8] ^= 1 << (bit % 8);
            let taken = Message::parse(&changed);
            assert!(!matches!(taken, Some(Message::Request(_))), "bit {bit}");
        }
        for len in 0..SAMPLE.len() {
            assert_eq!(Message::parse(&SAMPLE[..len]), None, "{len}");
        }
    }
}
