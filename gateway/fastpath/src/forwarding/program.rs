//! The program that looks at each packet that comes in at an interface, and sends on those of a flow.
//!
//! A packet of a flow is counted, gets the addresses and ports that the flow's entry has, and leaves. All others go the way
//! that they would have gone without us: what is no UDP over plain IPv4 or IPv6 over Ethernet, fragments, options, what is
//! longer than every way takes or at its last hop, and what comes from elsewhere or to elsewhere. Of what does come from
//! there, STUN and RTCP go up, and anything else that is not simply the stream's next packet goes up and ends the flow, with
//! all that follows it.
//!
//! Source: Linux, `struct __sk_buff` and the helpers in `include/uapi/linux/bpf.h`; RFC 1624 on checksums; RFC 3550 A.1, A.8.

use super::entry::{Key, field};
use super::{LONGEST, LONGEST_PAUSE, MAX_DROPOUT, MAX_MISORDER};
use crate::assembler::{Assembler, Label, Op, R0, R1, R2, R3, R4, R5, R6, R7, R8, R9, R10, Size, When};

/// To the programs behind this one, and up the stack.
const NEXT: i32 = -1;
const DROP: i32 = 2;

/// Helpers, by their numbers in `enum bpf_func_id`.
mod helper {
    pub(super) const MAP_LOOKUP_ELEM: i32 = 1;
    pub(super) const KTIME_GET_NS: i32 = 5;
    pub(super) const SKB_STORE_BYTES: i32 = 9;
    pub(super) const L4_CSUM_REPLACE: i32 = 11;
    pub(super) const SKB_LOAD_BYTES: i32 = 26;
    pub(super) const REDIRECT_NEIGH: i32 = 152;
}

/// Flags of `bpf_l4_csum_replace`: what changes is in the pseudo header; a checksum of 0 is none; it is IPv6.
const PSEUDO: i32 = 0x10;
const NONE_STAYS_NONE: i32 = 0x20;
const IPV6: i32 = 0x80;

/// Offsets in `struct __sk_buff`.
mod context {
    pub(super) const LEN: i16 = 0;
    pub(super) const VLAN_PRESENT: i16 = 20;
    #[cfg(test)]
    pub(super) const TSTAMP: i16 = 152;
    pub(super) const GSO_SIZE: i16 = 176;
}

/// Places on the stack, from its end. The Ethernet header lies so that the IP header begins at a multiple of eight.
mod stack {
    pub(super) const ETHERNET: i16 = -78;
    pub(super) const IP: i16 = -64;
    pub(super) const KEY: i16 = -120;
    /// The first twelve bytes of RTP.
    pub(super) const RTP: i16 = -136;
    /// Bytes of UDP's payload.
    pub(super) const LEN: i16 = -144;
    pub(super) const INDEX: i16 = -148;
}

const ETHERNET: i16 = 14;
const IPV4_HEADER: i16 = 20;
const IPV6_HEADER: i16 = 40;
const UDP_HEADER: i16 = 8;
const RTP_HEADER: i16 = 12;

/// Whence the program has the time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Clock {
    /// From the kernel.
    Monotonic,
    /// From the packet's stamp, which a test sets.
    #[cfg(test)]
    Stamp,
}

/// Where the jumps of a part lead.
#[derive(Clone, Copy)]
struct Ends {
    /// The flow ends with it.
    let_go: Label,
    /// It was not the flow's, but the entry is occupied.
    leave: Label,
}

/// The maps that a program uses, as descriptors.
#[derive(Debug, Clone, Copy)]
pub(super) struct Program {
    pub(super) flows: i32,
    pub(super) entries: i32,
    pub(super) clock: Clock,
}

impl Program {
    pub(super) fn assemble(&self) -> Option<Vec<[u8; 8]>> {
        let mut code = Assembler::default();
        let [up, let_go, leave, six, known] = [(); 5].map(|()| code.label());
        let ends = Ends { let_go, leave };
        let code_ref = &mut code;
        code_ref.copy(R6, R1);
        for offset in [context::VLAN_PRESENT, context::GSO_SIZE] {
            code_ref.load(Size::Four, R1, R6, offset);
            code_ref.jump_when(R1, When::IsNot, 0, up);
        }
        load_packet(code_ref, ETHERNET + IPV4_HEADER + UDP_HEADER + RTP_HEADER, up);
        clear_key(code_ref);
        code_ref.load(Size::Two, R1, R10, stack::ETHERNET + 12);
        code_ref.jump_when(R1, When::IsNot, network([0x08, 0x00]), six);
        read_ipv4(code_ref, up);
        code_ref.jump(known);
        code_ref.place(six);
        code_ref.jump_when(R1, When::IsNot, network([0x86, 0xdd]), up);
        load_packet(code_ref, ETHERNET + IPV6_HEADER + UDP_HEADER + RTP_HEADER, up);
        read_ipv6(code_ref, up);
        code_ref.place(known);
        self.find_entry(code_ref, up);
        self.check(code_ref, ends);
        count(code_ref, let_go);
        code_ref.set(R1, 1);
        code_ref.fetch_add(R7, field::LEFT, R1);
        rewrite(code_ref);
        code_ref.place(let_go);
        code_ref.set(R1, 0);
        code_ref.store_sized(Size::Eight, R7, field::ON, R1);
        code_ref.place(leave);
        code_ref.set(R1, 1);
        code_ref.fetch_add(R7, field::LEFT, R1);
        code_ref.place(up);
        code_ref.exit(NEXT);
        code.finish()
    }

    /// `R7`: the entry of the flow whose key is on the stack.
    fn find_entry(&self, code: &mut Assembler, up: Label) {
        // Neither STUN nor what is no RTP of version 2; RTCP, where it is muxed. RFC 5761 §4.
        let rtp = code.label();
        code.load(Size::One, R1, R10, stack::RTP);
        code.calculate_value(Op::ShiftRight, R1, 6);
        code.jump_when(R1, When::IsNot, 2, up);
        code.load(Size::One, R1, R10, stack::RTP + 1);
        code.jump_when(R1, When::Below, 192, rtp);
        code.jump_when(R1, When::Below, 224, up);
        code.place(rtp);
        code.load_map(R1, self.flows);
        code.copy(R2, R10);
        code.add_value(R2, i32::from(stack::KEY));
        code.call(helper::MAP_LOOKUP_ELEM);
        code.jump_if_null(R0, up);
        code.load(Size::Four, R1, R0, 0);
        code.store(R10, stack::INDEX, R1);
        code.load_map(R1, self.entries);
        code.copy(R2, R10);
        code.add_value(R2, i32::from(stack::INDEX));
        code.call(helper::MAP_LOOKUP_ELEM);
        code.jump_if_null(R0, up);
        code.copy(R7, R0);
    }

    /// Occupies the entry, and leaves to the relay what is not of the stream. `R8`: now.
    fn check(&self, code: &mut Assembler, ends: Ends) {
        code.set(R1, 1);
        code.fetch_add(R7, field::ENTERED, R1);
        code.load(Size::Eight, R1, R7, field::ON);
        code.jump_when(R1, When::Is, 0, ends.leave);
        code.load(Size::One, R1, R10, stack::RTP);
        code.jump_when(R1, When::IsNot, 0x80, ends.let_go);
        code.load(Size::One, R1, R10, stack::RTP + 1);
        code.and_value(R1, 0x7f);
        code.load(Size::Eight, R2, R7, field::PAYLOAD_TYPE);
        code.jump_when_other(R1, When::IsNot, R2, ends.let_go);
        code.load(Size::Four, R1, R10, stack::RTP + 8);
        code.load(Size::Eight, R2, R7, field::SSRC);
        code.jump_when_other(R1, When::IsNot, R2, ends.let_go);
        match self.clock {
            Clock::Monotonic => code.call(helper::KTIME_GET_NS),
            #[cfg(test)]
            Clock::Stamp => code.load(Size::Eight, R0, R6, context::TSTAMP),
        }
        code.copy(R8, R0);
        code.load(Size::Eight, R1, R7, field::HEARD);
        code.calculate(Op::Sub, R0, R1);
        code.jump_when(R0, When::SignedAbove, LONGEST_PAUSE, ends.let_go);
    }
}

/// The first `len` bytes of the packet to the stack.
fn load_packet(code: &mut Assembler, len: i16, up: Label) {
    code.copy(R1, R6);
    code.set(R2, 0);
    code.copy(R3, R10);
    code.add_value(R3, i32::from(stack::ETHERNET));
    code.set(R4, i32::from(len));
    code.call(helper::SKB_LOAD_BYTES);
    code.jump_when(R0, When::IsNot, 0, up);
}

fn clear_key(code: &mut Assembler) {
    code.set(R1, 0);
    for offset in (0..Key::LEN).step_by(8) {
        code.store_sized(Size::Eight, R10, stack::KEY + offset, R1);
    }
}

/// Checks the header, and takes from it the key, the length and RTP's first bytes.
fn read_ipv4(code: &mut Assembler, up: Label) {
    let ip = stack::IP;
    let udp = ip + IPV4_HEADER;
    code.load(Size::One, R1, R10, ip);
    code.jump_when(R1, When::IsNot, 0x45, up); // without options
    code.load(Size::Two, R1, R10, ip + 6);
    code.and_value(R1, network([0x3f, 0xff])); // more fragments, or not the first
    code.jump_when(R1, When::IsNot, 0, up);
    code.load(Size::One, R1, R10, ip + 8);
    code.jump_when(R1, When::Below, 2, up);
    code.load(Size::One, R1, R10, ip + 9);
    code.jump_when(R1, When::IsNot, libc::IPPROTO_UDP, up);
    code.load(Size::Two, R1, R10, ip + 2);
    code.swap_two(R1);
    check_len(code, udp, [IPV4_HEADER, 0], up);
    copy(code, Size::Four, stack::KEY + Key::LOCAL, ip + 16, 1);
    copy(code, Size::Four, stack::KEY + Key::REMOTE, ip + 12, 1);
    read_udp(code, udp, libc::AF_INET);
}

fn read_ipv6(code: &mut Assembler, up: Label) {
    let ip = stack::IP;
    let udp = ip + IPV6_HEADER;
    code.load(Size::One, R1, R10, ip + 6);
    code.jump_when(R1, When::IsNot, libc::IPPROTO_UDP, up); // or an extension
    code.load(Size::One, R1, R10, ip + 7);
    code.jump_when(R1, When::Below, 2, up);
    code.load(Size::Two, R1, R10, ip + 4);
    code.swap_two(R1);
    check_len(code, udp, [0, IPV6_HEADER], up);
    copy(code, Size::Eight, stack::KEY + Key::LOCAL, ip + 24, 2);
    copy(code, Size::Eight, stack::KEY + Key::REMOTE, ip + 8, 2);
    read_udp(code, udp, libc::AF_INET6);
}

/// Whether the lengths of IP (in `R1`), UDP and the packet agree, and every way takes it. The packet may be longer, for
/// Ethernet pads.
///
/// - `header`: how much longer than UDP's the length is that IP tells, and what is to be added to it for the whole.
fn check_len(code: &mut Assembler, udp: i16, [within, beside]: [i16; 2], up: Label) {
    code.load(Size::Two, R2, R10, udp + 4);
    code.swap_two(R2);
    code.jump_when(R2, When::Below, i32::from(UDP_HEADER + RTP_HEADER), up);
    code.copy(R3, R2);
    code.add_value(R3, i32::from(within));
    code.jump_when_other(R1, When::IsNot, R3, up);
    code.add_value(R1, i32::from(beside));
    code.jump_when(R1, When::Above, LONGEST, up);
    code.add_value(R1, i32::from(ETHERNET));
    code.load(Size::Four, R3, R6, context::LEN);
    code.jump_when_other(R1, When::Above, R3, up);
    code.add_value(R2, -i32::from(UDP_HEADER));
    code.store_sized(Size::Eight, R10, stack::LEN, R2);
}

fn read_udp(code: &mut Assembler, udp: i16, family: i32) {
    copy(code, Size::Two, stack::KEY + Key::LOCAL_PORT, udp + 2, 1);
    copy(code, Size::Two, stack::KEY + Key::REMOTE_PORT, udp, 1);
    code.set(R1, family);
    code.store(R10, stack::KEY + Key::FAMILY, R1);
    copy(code, Size::Four, stack::RTP, udp + UDP_HEADER, 3);
}

/// From one place of the stack to another.
fn copy(code: &mut Assembler, size: Size, to: i16, from: i16, times: i16) {
    let width = match size {
        Size::One => 1,
        Size::Two => 2,
        Size::Four => 4,
        Size::Eight => 8,
    };
    for offset in (0..times).map(|n| n * width) {
        code.load(size, R1, R10, from + offset);
        code.store_sized(size, R10, to + offset, R1);
    }
}

/// Places the packet in its stream (RFC 3550 A.1) and counts it, or lets the flow go.
fn count(code: &mut Assembler, let_go: Label) {
    let [behind, far, shifted, high, seen, fresh, counted] = [(); 7].map(|()| code.label());
    code.load(Size::Two, R1, R10, stack::RTP + 2);
    code.swap_two(R1);
    code.copy(R9, R1); // the number
    code.load(Size::Eight, R2, R7, field::HIGHEST);
    code.calculate(Op::Sub, R1, R2);
    code.and_value(R1, 0xffff); // ahead by
    code.load(Size::Eight, R3, R7, field::SEEN_LOW);
    code.load(Size::Eight, R4, R7, field::SEEN_HIGH);
    code.jump_when(R1, When::Is, 0, behind);
    code.jump_when(R1, When::AtLeast, MAX_DROPOUT, behind);
    code.calculate(Op::Add, R2, R1);
    code.store_sized(Size::Eight, R7, field::HIGHEST, R2);
    code.jump_when(R1, When::AtLeast, 64, far);
    code.set(R5, 64);
    code.calculate(Op::Sub, R5, R1);
    code.copy(R2, R3);
    code.calculate(Op::ShiftRight, R2, R5);
    code.calculate(Op::ShiftLeft, R4, R1);
    code.calculate(Op::Or, R4, R2);
    code.calculate(Op::ShiftLeft, R3, R1);
    code.jump(shifted);
    code.place(far);
    code.copy(R4, R3);
    code.set(R3, 0);
    code.add_value(R1, -64);
    let near = code.label();
    code.jump_when(R1, When::Below, 64, near);
    code.set(R1, 0);
    code.set(R4, 0);
    code.place(near);
    code.calculate(Op::ShiftLeft, R4, R1);
    code.place(shifted);
    code.calculate_value(Op::Or, R3, 1);
    code.jump(fresh);

    code.place(behind);
    code.copy(R1, R2);
    code.calculate(Op::Sub, R1, R9);
    code.and_value(R1, 0xffff);
    code.jump_when(R1, When::Above, MAX_MISORDER, let_go);
    code.set(R2, 1);
    code.jump_when(R1, When::AtLeast, 64, high);
    code.calculate(Op::ShiftLeft, R2, R1);
    code.copy(R5, R3);
    code.calculate(Op::And, R5, R2);
    code.jump_when(R5, When::IsNot, 0, seen);
    code.calculate(Op::Or, R3, R2);
    code.jump(fresh);
    code.place(high);
    code.add_value(R1, -64);
    code.calculate(Op::ShiftLeft, R2, R1);
    code.copy(R5, R4);
    code.calculate(Op::And, R5, R2);
    code.jump_when(R5, When::IsNot, 0, seen);
    code.calculate(Op::Or, R4, R2);
    code.jump(fresh);
    code.place(seen);
    increase(code, field::DUPLICATES);
    code.jump(counted);

    code.place(fresh);
    code.store_sized(Size::Eight, R7, field::SEEN_LOW, R3);
    code.store_sized(Size::Eight, R7, field::SEEN_HIGH, R4);
    measure(code);
    code.place(counted);
    increase(code, field::PACKETS);
    code.load(Size::Eight, R1, R7, field::BYTES);
    code.load(Size::Eight, R2, R10, stack::LEN);
    code.calculate(Op::Add, R1, R2);
    code.store_sized(Size::Eight, R7, field::BYTES, R1);
    code.store_sized(Size::Eight, R7, field::HEARD, R8);
    code.store_sized(Size::Eight, R7, field::SEQ, R9);
    code.load(Size::Four, R1, R10, stack::RTP + 4);
    code.swap_four(R1);
    code.store_sized(Size::Eight, R7, field::TIMESTAMP, R1);
}

fn increase(code: &mut Assembler, field: i16) {
    code.load(Size::Eight, R1, R7, field);
    code.add_value(R1, 1);
    code.store_sized(Size::Eight, R7, field, R1);
}

/// RFC 3550 A.8, in 2^-16 ns. A second and more off schedule, a fifth of it with a marker, begins the measurement anew.
fn measure(code: &mut Assembler) {
    let [first, forward, backward, positive, plain, sum, same, known] = [(); 8].map(|()| code.label());
    code.load(Size::Four, R1, R10, stack::RTP + 4);
    code.swap_four(R1);
    code.load(Size::Eight, R2, R7, field::PREVIOUS);
    code.jump_when(R2, When::Is, 0, first);
    code.load(Size::Eight, R3, R7, field::PREVIOUS_TIMESTAMP);
    code.copy(R4, R1);
    code.calculate(Op::Sub, R4, R3);
    code.calculate_value(Op::ShiftLeft, R4, 32);
    code.calculate_value(Op::ArithmeticShiftRight, R4, 32); // ticks, with their sign
    code.copy(R5, R8);
    code.calculate(Op::Sub, R5, R2); // ns
    code.load(Size::Eight, R3, R7, field::CLOCK_RATE);
    code.jump_when(R4, When::SignedBelow, 0, backward);
    code.calculate_value(Op::Mul, R4, 1_000_000_000);
    code.calculate(Op::Div, R4, R3);
    code.calculate(Op::Sub, R5, R4);
    code.jump(forward);
    code.place(backward);
    code.set(R2, 0);
    code.calculate(Op::Sub, R2, R4);
    code.calculate_value(Op::Mul, R2, 1_000_000_000);
    code.calculate(Op::Div, R2, R3);
    code.calculate(Op::Add, R5, R2);
    code.place(forward);
    code.jump_when(R5, When::SignedAbove, -1, positive);
    code.set(R2, 0);
    code.calculate(Op::Sub, R2, R5);
    code.copy(R5, R2);
    code.place(positive);
    code.load(Size::One, R2, R10, stack::RTP + 1);
    code.jump_when(R2, When::Below, 0x80, plain);
    code.jump_when(R5, When::AtLeast, 200_000_000, first);
    code.place(plain);
    code.jump_when(R5, When::AtLeast, 1_000_000_000, first);
    code.calculate_value(Op::ShiftLeft, R5, 16);
    code.load(Size::Eight, R2, R7, field::JITTER);
    code.calculate(Op::Sub, R5, R2);
    code.calculate_value(Op::ArithmeticShiftRight, R5, 4);
    code.calculate(Op::Add, R2, R5);
    code.store_sized(Size::Eight, R7, field::JITTER, R2);
    // The relay has begun another period: so do we.
    code.load(Size::Eight, R3, R7, field::ASKED);
    code.load(Size::Eight, R4, R7, field::PERIOD);
    code.jump_when_other(R3, When::Is, R4, same);
    code.store_sized(Size::Eight, R7, field::PERIOD, R3);
    code.set(R3, 0);
    for field in [field::JITTER_SUM, field::JITTER_COUNT, field::JITTER_MAX] {
        code.store_sized(Size::Eight, R7, field, R3);
    }
    code.place(same);
    code.load(Size::Eight, R3, R7, field::JITTER_MAX);
    code.jump_when_other(R3, When::AtLeast, R2, sum);
    code.store_sized(Size::Eight, R7, field::JITTER_MAX, R2);
    code.place(sum);
    code.calculate_value(Op::ShiftRight, R2, 8);
    code.load(Size::Eight, R3, R7, field::JITTER_SUM);
    code.calculate(Op::Add, R3, R2);
    code.store_sized(Size::Eight, R7, field::JITTER_SUM, R3);
    code.copy(R2, R1);
    increase(code, field::JITTER_COUNT);
    code.copy(R1, R2);
    code.jump(known);
    code.place(first);
    code.place(known);
    code.store_sized(Size::Eight, R7, field::PREVIOUS, R8);
    code.store_sized(Size::Eight, R7, field::PREVIOUS_TIMESTAMP, R1);
}

/// Gives the packet its new addresses and ports, and sends it on.
fn rewrite(code: &mut Assembler) {
    let [six, out, drop, stays] = [(); 4].map(|()| code.label());
    code.load(Size::Four, R1, R10, stack::KEY + Key::FAMILY);
    code.jump_when(R1, When::IsNot, libc::AF_INET, six);
    let ip = stack::IP;
    // One hop less, and new addresses: HC' = ~(~HC + change). RFC 1624 §3.
    code.load(Size::Two, R1, R10, ip + 10);
    code.calculate_value(Op::Xor, R1, 0xffff);
    code.load(Size::Four, R2, R7, field::IP_CHANGE);
    code.calculate(Op::Add, R1, R2);
    for _ in 0..2 {
        code.copy(R2, R1);
        code.calculate_value(Op::ShiftRight, R2, 16);
        code.and_value(R1, 0xffff);
        code.calculate(Op::Add, R1, R2);
    }
    code.calculate_value(Op::Xor, R1, 0xffff);
    code.store_sized(Size::Two, R10, ip + 10, R1);
    one_hop_less(code, ip + 8);
    place_addresses(code, ip + 12, 3);
    replace_checksum(code, ETHERNET + IPV4_HEADER + 6, field::ADDRESSES_CHANGE, &[PSEUDO]);
    replace_checksum(code, ETHERNET + IPV4_HEADER + 6, field::PORTS_CHANGE, &[0]);
    store_packet(code, ip + 8, 16, drop);
    code.jump(out);

    code.place(six);
    one_hop_less(code, ip + 7);
    place_addresses(code, ip + 8, 9);
    // Kernels before 6.16 do not know that flag, and refuse.
    replace_checksum(code, ETHERNET + IPV6_HEADER + 6, field::ADDRESSES_CHANGE, &[PSEUDO | IPV6, PSEUDO]);
    replace_checksum(code, ETHERNET + IPV6_HEADER + 6, field::PORTS_CHANGE, &[0]);
    store_packet(code, ip + 7, 37, drop);

    code.place(out);
    code.load(Size::Eight, R1, R7, field::INTERFACE);
    code.jump_when(R1, When::Is, 0, stays);
    code.set(R2, 0);
    code.set(R3, 0);
    code.set(R4, 0);
    code.call(helper::REDIRECT_NEIGH);
    code.exit_with_result();
    code.place(stays);
    code.exit(NEXT);
    code.place(drop);
    code.exit(DROP);
}

fn one_hop_less(code: &mut Assembler, hops: i16) {
    code.load(Size::One, R1, R10, hops);
    code.add_value(R1, -1);
    code.store_sized(Size::One, R10, hops, R1);
}

/// Addresses and ports, which lie behind each other in an entry as in a packet.
fn place_addresses(code: &mut Assembler, to: i16, words: i16) {
    for offset in (0..words).map(|word| word * 4) {
        code.load(Size::Four, R1, R7, field::REWRITE + offset);
        code.store(R10, to + offset, R1);
    }
}

/// Tells UDP's checksum of a change, which the kernel may have to make, or a network card. Of several `flags` the next are
/// tried where the kernel refuses.
fn replace_checksum(code: &mut Assembler, offset: i16, change: i16, flags: &[i32]) {
    let done = code.label();
    for flags in flags {
        code.copy(R1, R6);
        code.set(R2, i32::from(offset));
        code.set(R3, 0);
        code.load(Size::Four, R4, R7, change);
        code.set(R5, NONE_STAYS_NONE | flags);
        code.call(helper::L4_CSUM_REPLACE);
        code.jump_when(R0, When::Is, 0, done);
    }
    code.place(done);
}

/// `len` bytes from a place of the stack to where they came from.
fn store_packet(code: &mut Assembler, from: i16, len: i32, drop: Label) {
    code.copy(R1, R6);
    code.set(R2, i32::from(from - stack::ETHERNET));
    code.copy(R3, R10);
    code.add_value(R3, i32::from(from));
    code.set(R4, len);
    code.set(R5, 0);
    code.call(helper::SKB_STORE_BYTES);
    code.jump_when(R0, When::IsNot, 0, drop);
}

/// Two bytes as they are loaded from a packet.
fn network(bytes: [u8; 2]) -> i32 {
    i32::from(u16::from_ne_bytes(bytes))
}
