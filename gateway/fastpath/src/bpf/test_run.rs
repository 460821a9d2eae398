//! A program run over a packet that no interface has seen.

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};

use super::{AddressOfMemory, number};

const PROG_TEST_RUN: libc::c_int = 10;

#[repr(C)]
#[derive(Default)]
struct TestRun {
    prog_fd: u32,
    retval: u32,
    data_size_in: u32,
    data_size_out: u32,
    data_in: u64,
    data_out: u64,
    repeat: u32,
    duration: u32,
    ctx_size_in: u32,
    ctx_size_out: u32,
    ctx_in: u64,
    ctx_out: u64,
    flags: u32,
    cpu: u32,
    batch_size: u32,
    _reserved: u32,
}

/// Runs a program over a packet as if it had come in with `context`. Returns its word, the packet afterwards, and how long it
/// took in ns, in the mean of `repeat` runs.
pub(crate) fn test_run(
    program: BorrowedFd<'_>,
    packet: &[u8],
    context: &[u8],
    repeat: u32,
) -> io::Result<(i32, Vec<u8>, u32)> {
    let mut out = vec![0; packet.len() + 256];
    let len = |bytes: &[u8]| u32::try_from(bytes.len()).unwrap_or(u32::MAX);
    let mut attr = TestRun {
        prog_fd: number(program.as_raw_fd()),
        data_size_in: len(packet),
        data_size_out: len(&out),
        data_in: packet.as_ptr().addr_of_memory(),
        data_out: out.as_mut_ptr().addr_of_memory(),
        repeat,
        ctx_size_in: len(context),
        ctx_in: context.as_ptr().addr_of_memory(),
        ..TestRun::default()
    };
    call_mut(PROG_TEST_RUN, &mut attr)?;
    out.truncate(attr.data_size_out as usize);
    Ok((attr.retval.cast_signed(), out, attr.duration))
}

/// [`call`](super::call) where the kernel answers in `attr`.
fn call_mut<T>(command: libc::c_int, attr: &mut T) -> io::Result<libc::c_long> {
    let attr: *mut T = attr;
    // SAFETY: the kernel reads and writes as many bytes as `T` has, and what the addresses in it point to lives in the callers.
    let result = unsafe { libc::syscall(libc::SYS_bpf, command, attr, size_of::<T>()) };
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(result) }
}
