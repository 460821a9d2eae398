//! The `bpf` system call: maps, programs, links.
//!
//! Source: `bpf(2)`, `union bpf_attr` in `include/uapi/linux/bpf.h`.
#![allow(unsafe_code)]

#[cfg(test)]
pub(crate) mod test_run;

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};

const MAP_CREATE: libc::c_int = 0;
const MAP_LOOKUP_ELEM: libc::c_int = 1;
const MAP_UPDATE_ELEM: libc::c_int = 2;
const MAP_DELETE_ELEM: libc::c_int = 3;
const PROG_LOAD: libc::c_int = 5;
const LINK_CREATE: libc::c_int = 28;

const PROG_TYPE_SK_LOOKUP: u32 = 30;
const ATTACH_SK_LOOKUP: u32 = 36;
const PROG_TYPE_SCHED_CLS: u32 = 3;
const ATTACH_TCX_INGRESS: u32 = 46;

/// Types of maps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum MapType {
    Hash = 1,
    Array = 2,
    SockMap = 15,
}

/// The values may be mapped into memory.
pub(crate) const MMAPABLE: u32 = 1 << 10;

#[repr(C)]
#[derive(Default)]
struct MapCreate {
    map_type: u32,
    key_size: u32,
    value_size: u32,
    max_entries: u32,
    map_flags: u32,
    inner_map_fd: u32,
    numa_node: u32,
    map_name: [u8; 16],
}

#[repr(C)]
#[derive(Default)]
struct Element {
    map_fd: u32,
    _reserved: u32,
    key: u64,
    value: u64,
    flags: u64,
}

#[repr(C)]
#[derive(Default)]
struct ProgLoad {
    prog_type: u32,
    insn_cnt: u32,
    insns: u64,
    license: u64,
    log_level: u32,
    log_size: u32,
    log_buf: u64,
    kern_version: u32,
    prog_flags: u32,
    prog_name: [u8; 16],
    prog_ifindex: u32,
    expected_attach_type: u32,
}

#[repr(C)]
#[derive(Default)]
struct LinkCreate {
    prog_fd: u32,
    target_fd: u32,
    attach_type: u32,
    flags: u32,
    relative: u64,
    expected_revision: u64,
}

/// Shows up beside the object in `bpftool`.
fn name(text: &str) -> [u8; 16] {
    let mut name = [0; 16];
    name.iter_mut().take(15).zip(text.bytes()).for_each(|(to, from)| *to = from);
    name
}

pub(crate) fn create_map(
    map_type: MapType,
    key_size: u32,
    value_size: u32,
    max_entries: u32,
    map_flags: u32,
) -> io::Result<OwnedFd> {
    let map_type = map_type as u32;
    let map_name = name("vc_media");
    let attr = MapCreate {
        map_type,
        key_size,
        value_size,
        max_entries,
        map_flags,
        map_name,
        ..MapCreate::default()
    };
    descriptor(call(MAP_CREATE, &attr)?)
}

/// Puts a value of as many bytes as the map's values have, under a `key` of as many as its keys have.
pub(crate) fn update(map: BorrowedFd<'_>, key: &[u8], value: &[u8]) -> io::Result<()> {
    element(MAP_UPDATE_ELEM, map, key, value.as_ptr().addr_of_memory())
}

/// Reads the value under `key` into as many bytes as the map's values have.
pub(crate) fn look_up(map: BorrowedFd<'_>, key: &[u8], value: &mut [u8]) -> io::Result<()> {
    element(MAP_LOOKUP_ELEM, map, key, value.as_mut_ptr().addr_of_memory())
}

pub(crate) fn delete(map: BorrowedFd<'_>, key: &[u8]) -> io::Result<()> {
    element(MAP_DELETE_ELEM, map, key, 0)
}

fn element(command: libc::c_int, map: BorrowedFd<'_>, key: &[u8], value: u64) -> io::Result<()> {
    let key = key.as_ptr();
    let attr =
        Element { map_fd: number(map.as_raw_fd()), key: key.addr_of_memory(), value, ..Element::default() };
    call(command, &attr).map(drop)
}

/// What a program is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// To select a datagram's socket.
    SkLookup,
    /// To look at the packets that come in at an interface.
    Ingress,
}

impl Kind {
    fn numbers(self) -> (u32, u32) {
        match self {
            Kind::SkLookup => (PROG_TYPE_SK_LOOKUP, ATTACH_SK_LOOKUP),
            Kind::Ingress => (PROG_TYPE_SCHED_CLS, ATTACH_TCX_INGRESS),
        }
    }
}

/// Loads a program; an error has the last words of the verifier, if it was asked.
pub(crate) fn load(kind: Kind, code: &[[u8; 8]]) -> io::Result<OwnedFd> {
    let (prog_type, expected_attach_type) = kind.numbers();
    let license = c"Dual MIT/GPL";
    let mut attr = ProgLoad {
        prog_type,
        insn_cnt: u32::try_from(code.len()).unwrap_or(u32::MAX),
        insns: code.as_ptr().addr_of_memory(),
        license: license.as_ptr().addr_of_memory(),
        prog_name: name("vc_media"),
        expected_attach_type,
        ..ProgLoad::default()
    };
    let error = match call(PROG_LOAD, &attr) {
        Ok(loaded) => return descriptor(loaded),
        Err(error) => error,
    };
    if !matches!(error.raw_os_error(), Some(libc::EACCES | libc::EINVAL)) {
        return Err(error);
    }
    let mut log = vec![0; 1 << 16];
    attr.log_level = 1;
    attr.log_size = 1 << 16;
    attr.log_buf = log.as_mut_ptr().addr_of_memory();
    if let Ok(loaded) = call(PROG_LOAD, &attr) {
        return descriptor(loaded);
    }
    let log = String::from_utf8_lossy(&log);
    let lines: Vec<_> = log.trim_end_matches('\0').trim().lines().rev().take(4).collect();
    let last: Vec<_> = lines.into_iter().rev().collect();
    Err(io::Error::new(error.kind(), format!("{error}; {}", last.join(" / "))))
}

/// Attaches a program to a network namespace (by its descriptor) or to an interface (by its number); it is detached when
/// the link is closed.
pub(crate) fn attach(kind: Kind, program: BorrowedFd<'_>, target: u32) -> io::Result<OwnedFd> {
    let (_, attach_type) = kind.numbers();
    let attr = LinkCreate {
        prog_fd: number(program.as_raw_fd()),
        target_fd: target,
        attach_type,
        ..LinkCreate::default()
    };
    descriptor(call(LINK_CREATE, &attr)?)
}

/// A pointer as `union bpf_attr` has it.
trait AddressOfMemory {
    fn addr_of_memory(self) -> u64;
}

impl<T> AddressOfMemory for *const T {
    fn addr_of_memory(self) -> u64 {
        self.expose_provenance() as u64
    }
}

impl<T> AddressOfMemory for *mut T {
    fn addr_of_memory(self) -> u64 {
        self.expose_provenance() as u64
    }
}

fn number(descriptor: RawFd) -> u32 {
    u32::try_from(descriptor).unwrap_or(u32::MAX)
}

fn call<T>(command: libc::c_int, attr: &T) -> io::Result<libc::c_long> {
    let attr: *const T = attr;
    // SAFETY: the kernel reads as many bytes as `T` has, and what the addresses in it point to lives in the callers.
    let result = unsafe { libc::syscall(libc::SYS_bpf, command, attr, size_of::<T>()) };
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(result) }
}

fn descriptor(result: libc::c_long) -> io::Result<OwnedFd> {
    let raw = RawFd::try_from(result).map_err(|_| io::ErrorKind::InvalidData)?;
    // SAFETY: the kernel has just made this descriptor for us; nobody else knows of it.
    Ok(unsafe { OwnedFd::from_raw_fd(raw) })
}
