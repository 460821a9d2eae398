//! STUN keep-alives at a port of SIP: a phone learns that its flow lives, and whether its NAT has given it another address.
//! RFC 5626 §4.4.2, RFC 5389.

use std::net::{IpAddr, SocketAddr};

const MAGIC: [u8; 4] = [0x21, 0x12, 0xa4, 0x42];
const BINDING_SUCCESS: [u8; 2] = [1, 1];
const XOR_MAPPED_ADDRESS: [u8; 2] = [0, 0x20];

/// The response to a Binding request, where `datagram` is one: it tells `from` back.
pub(crate) fn response(datagram: &[u8], from: SocketAddr) -> Option<Vec<u8>> {
    let (header, attributes) = datagram.split_first_chunk::<20>()?;
    let [0, 1, high, low, m0, m1, m2, m3, id @ ..] = header else { return None };
    let length = usize::from(u16::from_be_bytes([*high, *low]));
    if [*m0, *m1, *m2, *m3] != MAGIC || length != attributes.len() || !length.is_multiple_of(4) {
        return None;
    }
    let mask: Vec<u8> = MAGIC.iter().chain(id).copied().collect();
    let masked = |bytes: &[u8]| bytes.iter().zip(&mask).map(|(byte, mask)| byte ^ mask).collect::<Vec<_>>();
    let (family, address) = match from.ip().to_canonical() {
        IpAddr::V4(address) => (1, masked(&address.octets())),
        IpAddr::V6(address) => (2, masked(&address.octets())),
    };
    let value = [&[0, family][..], &masked(&from.port().to_be_bytes()), &address].concat();
    let length = u16::try_from(value.len()).ok()?;
    let all = (length + 4).to_be_bytes();
    Some([&BINDING_SUCCESS, &all, &mask[..], &XOR_MAPPED_ADDRESS, &length.to_be_bytes(), &value].concat())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The transaction id and the addresses of RFC 5769 §2.2 and §2.3.
    #[test]
    fn the_address_is_told_as_the_test_vectors_have_it() {
        let id = [0xb7, 0xe7, 0xa7, 0x01, 0xbc, 0x34, 0xd6, 0x86, 0xfa, 0x87, 0xdf, 0xae];
        let request = [&[0, 1, 0, 0][..], &MAGIC, &id].concat();
        let v4 = [0x00, 0x01, 0xa1, 0x47, 0xe1, 0x12, 0xa6, 0x43];
        let told = response(&request, "192.0.2.1:32853".parse().unwrap()).unwrap();
        assert_eq!(told, [&[1, 1, 0, 12][..], &MAGIC, &id, &[0, 0x20, 0, 8], &v4].concat());
        let v6 = [
            0x00, 0x02, 0xa1, 0x47, 0x01, 0x13, 0xa9, 0xfa, 0xa5, 0xd3, 0xf1, 0x79, 0xbc, 0x25, 0xf4, 0xb5,
            0xbe, 0xd2, 0xb9, 0xd9,
        ];
        let told =
            response(&request, "[2001:db8:1234:5678:11:2233:4455:6677]:32853".parse().unwrap()).unwrap();
        assert_eq!(told[24..], v6);
        let mapped = response(&request, "[::ffff:192.0.2.1]:32853".parse().unwrap()).unwrap();
        assert_eq!(mapped[24..], v4);
    }

    #[test]
    fn what_is_no_binding_request_has_no_response() {
        let from = "192.0.2.1:5060".parse().unwrap();
        let good = [&[0, 1, 0, 0][..], &MAGIC, &[7; 12]].concat();
        assert!(response(&good, from).is_some());
        for (at, byte) in [(0, 1), (1, 0x11), (3, 4), (3, 1), (4, 0)] {
            let mut bad = good.clone();
            bad[at] = byte;
            assert_eq!(response(&bad, from), None, "{at}");
        }
        assert_eq!(response(&good[..19], from), None);
        assert_eq!(response(b"OPTIONS sip:gateway SIP/2.0\r\n\r\n", from), None);
    }
}
