//! A BPF array in the memory of this process: an entry is written by a store, without a system call.
#![allow(unsafe_code)]

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::ptr::NonNull;
use std::sync::atomic::{AtomicU32, Ordering};

/// Values of an array begin at multiples of eight bytes.
const STRIDE: usize = 8;

/// Entries of four bytes that the kernel reads; there are eight from one to the next.
#[derive(Debug)]
pub(crate) struct Mapping {
    start: NonNull<AtomicU32>,
    entries: usize,
}

impl Mapping {
    /// Maps the first `entries` entries of an array of BPF.
    pub(crate) fn new(map: BorrowedFd<'_>, entries: usize) -> io::Result<Self> {
        let (len, protection) = (entries * STRIDE, libc::PROT_READ | libc::PROT_WRITE);
        let nowhere = std::ptr::null_mut();
        // SAFETY: a new mapping, at an address of the kernel's choice.
        let start = unsafe { libc::mmap(nowhere, len, protection, libc::MAP_SHARED, map.as_raw_fd(), 0) };
        if start == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        let start = NonNull::new(start.cast()).ok_or(io::ErrorKind::InvalidData)?;
        Ok(Self { start, entries })
    }

    pub(crate) fn entry(&self, index: usize) -> Option<&AtomicU32> {
        // SAFETY: within the mapping, which lives as long as `self`, is aligned to a page, and is only read and written
        // by atomic operations and by the kernel.
        (index < self.entries).then(|| unsafe { self.start.byte_add(index * STRIDE).as_ref() })
    }

    pub(crate) fn set(&self, index: usize, value: u32) {
        if let Some(entry) = self.entry(index) {
            entry.store(value, Ordering::Release);
        }
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        // SAFETY: this mapping is ours alone, and no reference into it outlives `self`.
        unsafe { libc::munmap(self.start.as_ptr().cast(), self.entries * STRIDE) };
    }
}

// SAFETY: the memory is only touched by atomic operations.
unsafe impl Send for Mapping {}
// SAFETY: likewise.
unsafe impl Sync for Mapping {}
