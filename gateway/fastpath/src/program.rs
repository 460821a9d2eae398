//! The program that the kernel asks for the socket of a datagram, made for the addresses that media has.
//!
//! For UDP to one of these addresses it looks the port up in the table of ports, and selects the socket that the entry
//! names. Where there is no entry it selects nothing: the datagram goes the way that it would have gone without us. A port
//! that is flooded has a flag in its entry: there whoever is not the one source of it is dropped and counted.
//!
//! Source: Linux, `Documentation/bpf/prog_sk_lookup.rst`; `struct bpf_sk_lookup` in `include/uapi/linux/bpf.h`.

use std::net::IpAddr;

use crate::assembler::{Assembler, Label, R0, R1, R2, R3, R4, R6, R7, R9, R10, Size};

/// Set in the entry of a port that is flooded. What else there is of an entry of the table of ports is 0, or one more than
/// the number of a socket.
pub(crate) const FLOODED: u32 = 0x8000;
/// What [`Program::sources`] has for each flooded port: address, port, and how many datagrams of others were dropped.
pub(crate) const SOURCE: usize = 32;

const UDP: i32 = 17;
/// The program's word: go on, with the socket that was selected if one was.
const PASS: i32 = 1;
const DROP: i32 = 0;

/// Helpers, by their numbers in `enum bpf_func_id`.
const MAP_LOOKUP_ELEM: i32 = 1;
const SK_RELEASE: i32 = 86;
const SK_ASSIGN: i32 = 124;

/// Offsets in `struct bpf_sk_lookup`.
mod context {
    pub(super) const FAMILY: i16 = 8;
    pub(super) const PROTOCOL: i16 = 12;
    pub(super) const REMOTE_IP4: i16 = 16;
    pub(super) const REMOTE_IP6: i16 = 20;
    pub(super) const REMOTE_PORT: i16 = 36;
    pub(super) const LOCAL_IP4: i16 = 40;
    pub(super) const LOCAL_IP6: i16 = 44;
    /// In the host's byte order, unlike all others.
    pub(super) const LOCAL_PORT: i16 = 60;
}

/// Offsets in a value of `sources`.
mod source {
    pub(super) const PORT: i16 = 16;
    pub(super) const DROPPED: i16 = 24;
}

/// The maps that a program uses, as descriptors.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Program {
    /// By number of address (upper half) and port: an entry of four bytes. The verifier lets less privileged programs
    /// look up an element of an array, not add what it was told to an address: so it is no array of one large value.
    pub(crate) ports: i32,
    pub(crate) sockets: i32,
    /// By number of address (upper half) and port: who alone is heard there.
    pub(crate) sources: i32,
}

impl Program {
    /// The instructions, for media at these addresses; `0.0.0.0` and `::` are all of a family.
    pub(crate) fn assemble(&self, addresses: &[IpAddr]) -> Option<Vec<[u8; 8]>> {
        let mut code = Assembler::default();
        let [pass, found, flooded, select] = [(); 4].map(|()| code.label());
        code.copy(R6, R1);
        code.load(Size::Four, R2, R6, context::PROTOCOL);
        code.jump_unless_is(R2, UDP, pass);
        code.load(Size::Four, R7, R6, context::LOCAL_PORT);
        code.and_value(R7, 0xffff);
        find_address(&mut code, addresses, found, pass)?;
        code.place(found); // R9: number of the address in the upper half.
        code.add(R9, R7);
        self.look_up(&mut code, self.ports, R9);
        code.jump_if_null(R0, pass);
        code.load(Size::Four, R7, R0, 0);
        code.jump_if_is(R7, 0, pass);
        code.jump_if_set(R7, FLOODED as i32, flooded);
        code.place(select);
        code.and_value(R7, !FLOODED as i32);
        code.add_value(R7, -1);
        self.look_up(&mut code, self.sockets, R7);
        code.jump_if_null(R0, pass);
        code.copy(R7, R0);
        code.copy(R1, R6);
        code.copy(R2, R0);
        code.set(R3, 0);
        code.call(SK_ASSIGN);
        code.copy(R1, R7);
        code.call(SK_RELEASE);
        code.place(pass);
        code.exit(PASS);
        code.place(flooded);
        self.shed(&mut code, select);
        code.finish()
    }

    /// The value of a map under the key in a register, in `R0`.
    fn look_up(&self, code: &mut Assembler, map: i32, key: crate::assembler::Reg) {
        code.store(R10, -4, key);
        code.load_map(R1, map);
        code.copy(R2, R10);
        code.add_value(R2, -4);
        code.call(MAP_LOOKUP_ELEM);
    }

    /// Goes on with `select` for the source that is heard at a flooded port, and drops all others.
    fn shed(&self, code: &mut Assembler, select: Label) {
        let [drop, six] = [(); 2].map(|()| code.label());
        self.look_up(code, self.sources, R9);
        code.jump_if_null(R0, select);
        code.load(Size::Two, R1, R6, context::REMOTE_PORT);
        code.load(Size::Two, R2, R0, source::PORT);
        code.jump_unless_same(R1, R2, drop);
        code.load(Size::Four, R2, R6, context::FAMILY);
        code.jump_unless_is(R2, libc::AF_INET, six);
        code.load(Size::Four, R1, R6, context::REMOTE_IP4);
        code.load(Size::Four, R2, R0, 0);
        code.jump_unless_same(R1, R2, drop);
        code.jump(select);
        code.place(six);
        for word in 0..4 {
            code.load(Size::Four, R1, R6, context::REMOTE_IP6 + 4 * word);
            code.load(Size::Four, R2, R0, 4 * word);
            code.jump_unless_same(R1, R2, drop);
        }
        code.jump(select);
        code.place(drop);
        code.set(R1, 1);
        code.add_to_memory(R0, source::DROPPED, R1);
        code.exit(DROP);
    }
}

/// Which of our addresses the datagram is for: its number goes to the upper half of `R9`.
fn find_address(code: &mut Assembler, addresses: &[IpAddr], found: Label, pass: Label) -> Option<()> {
    let six = code.label();
    code.load(Size::Four, R2, R6, context::FAMILY);
    code.jump_unless_is(R2, libc::AF_INET, six);
    let v4 = |address: &IpAddr| match address {
        IpAddr::V4(address) => Some(vec![(context::LOCAL_IP4, address.octets())]),
        IpAddr::V6(_) => None,
    };
    find_in_family(code, addresses, v4, found, pass)?;
    code.place(six);
    code.jump_unless_is(R2, libc::AF_INET6, pass);
    let v6 = |address: &IpAddr| match address {
        IpAddr::V4(_) => None,
        IpAddr::V6(address) => {
            let octets = address.octets();
            let (words, _) = octets.as_chunks::<4>();
            Some((context::LOCAL_IP6..).step_by(4).zip(words.iter().copied()).collect())
        }
    };
    find_in_family(code, addresses, v6, found, pass)
}

/// - `words`: what an address of the family has at which offsets of the context; `None`: it is of the other family.
fn find_in_family(
    code: &mut Assembler,
    addresses: &[IpAddr],
    words: impl Fn(&IpAddr) -> Option<Vec<(i16, [u8; 4])>>,
    found: Label,
    pass: Label,
) -> Option<()> {
    for (number, address) in addresses.iter().enumerate() {
        let Some(words) = words(address) else { continue };
        let next = code.label();
        for (offset, word) in words.iter().filter(|_| !address.is_unspecified()) {
            code.load(Size::Four, R4, R6, *offset);
            code.jump_unless_is(R4, i32::from_ne_bytes(*word), next);
        }
        code.set(R9, i32::try_from(number << 16).ok()?);
        code.jump(found);
        code.place(next);
        if address.is_unspecified() {
            return Some(()); // Every datagram of the family is for this one: nothing can come behind it.
        }
    }
    code.jump(pass);
    Some(())
}
