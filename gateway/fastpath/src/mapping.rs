//! A BPF array in the memory of this process: what is in it is read and written without a system call.
#![allow(unsafe_code)]

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::ptr::NonNull;

/// What may be in memory that the kernel writes too.
pub(crate) trait Atomic {}

impl Atomic for std::sync::atomic::AtomicU32 {}
impl Atomic for std::sync::atomic::AtomicU64 {}

/// Memory of an array of BPF. Its values begin at multiples of eight bytes.
#[derive(Debug)]
pub(crate) struct Mapping<T: Atomic> {
    start: NonNull<T>,
    len: usize,
}

impl<T: Atomic> Mapping<T> {
    /// Maps the first `len` bytes of an array of BPF.
    pub(crate) fn new(map: BorrowedFd<'_>, len: usize) -> io::Result<Self> {
        let protection = libc::PROT_READ | libc::PROT_WRITE;
        let nowhere = std::ptr::null_mut();
        // SAFETY: a new mapping, at an address of the kernel's choice.
        let start = unsafe { libc::mmap(nowhere, len, protection, libc::MAP_SHARED, map.as_raw_fd(), 0) };
        if start == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        let start = NonNull::new(start.cast()).ok_or(io::ErrorKind::InvalidData)?;
        Ok(Self { start, len })
    }

    /// What is at a byte.
    pub(crate) fn at(&self, offset: usize) -> Option<&T> {
        let is_inside = offset.checked_add(size_of::<T>()).is_some_and(|end| end <= self.len);
        let is_aligned = offset.is_multiple_of(align_of::<T>());
        // SAFETY: within the mapping, which lives as long as `self` and is aligned to a page; it is only read and written by
        // atomic operations and by the kernel.
        (is_inside && is_aligned).then(|| unsafe { self.start.byte_add(offset).as_ref() })
    }
}

impl<T: Atomic> Drop for Mapping<T> {
    fn drop(&mut self) {
        // SAFETY: this mapping is ours alone, and no reference into it outlives `self`.
        unsafe { libc::munmap(self.start.as_ptr().cast(), self.len) };
    }
}

// SAFETY: the memory is only touched by atomic operations.
unsafe impl<T: Atomic> Send for Mapping<T> {}
// SAFETY: likewise.
unsafe impl<T: Atomic> Sync for Mapping<T> {}
