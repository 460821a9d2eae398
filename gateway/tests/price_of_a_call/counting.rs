//! Counts what a thread allocates while it says so.

use std::alloc::{GlobalAlloc, Layout, System};
use std::backtrace::Backtrace;
use std::cell::{Cell, RefCell};

/// Counts for each thread, so that tests may run beside each other.
struct Counting;

thread_local! {
    static IN_USE: Cell<isize> = const { Cell::new(0) };
    static IS_COUNTED: Cell<bool> = const { Cell::new(false) };
    static ALLOCATIONS: Cell<usize> = const { Cell::new(0) };
    static STACKS: RefCell<Option<Vec<String>>> = const { RefCell::new(None) };
}

impl Counting {
    fn grows(by: usize) {
        Self::changes(by.cast_signed());
        if IS_COUNTED.get() {
            ALLOCATIONS.set(ALLOCATIONS.get() + 1);
            note_whence();
        }
    }

    fn changes(by: isize) {
        IN_USE.set(IN_USE.get() + by);
    }
}

#[allow(unsafe_code)]
// SAFETY: everything is the system's allocator's own; what is added counts.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        Self::grows(layout.size());
        // SAFETY: as the caller promised.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        Self::changes(-layout.size().cast_signed());
        // SAFETY: as the caller promised.
        unsafe { System.dealloc(at, layout) }
    }

    unsafe fn realloc(&self, at: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        Self::changes(-layout.size().cast_signed());
        Self::grows(size);
        // SAFETY: as the caller promised.
        unsafe { System.realloc(at, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Bytes of the heap that this thread has and has not given back.
pub fn in_use() -> isize {
    IN_USE.get()
}

/// So often this thread has allocated, or grown what it had, inside of [`counted`].
pub fn allocations() -> usize {
    ALLOCATIONS.get()
}

/// Counts the allocations of `work`.
pub fn counted<T>(work: impl FnOnce() -> T) -> T {
    IS_COUNTED.set(true);
    let done = work();
    IS_COUNTED.set(false);
    done
}

/// Prints where `work` allocates, if the environment asks for it by `WHENCE`: our own functions, innermost first.
pub fn show_whence(work: impl FnOnce()) {
    if std::env::var_os("WHENCE").is_none() {
        return;
    }
    STACKS.set(Some(Vec::new()));
    work();
    let mut stacks = STACKS.take().unwrap_or_default();
    stacks.sort_unstable();
    let mut sites: Vec<_> = stacks
        .chunk_by(|one, next| one == next)
        .filter_map(|same| Some((same.len(), same.first()?)))
        .collect();
    sites.sort_unstable_by(|one, next| next.cmp(one));
    for (count, stack) in sites {
        println!("{count:4} {stack}");
    }
}

fn note_whence() {
    // While a stack is noted nobody is counted.
    let Some(mut stacks) = STACKS.take() else { return };
    IS_COUNTED.set(false);
    let trace = Backtrace::force_capture().to_string();
    let ours = trace.lines().filter_map(|line| line.trim_start().split_once(": "));
    let ours = ours.map(|(_, name)| name).filter(|name| {
        ["sip::", "gateway::", "config::", "<sip::", "<gateway::", "<config::"]
            .iter()
            .any(|krate| name.starts_with(krate))
    });
    stacks.push(ours.collect::<Vec<_>>().join(" < "));
    STACKS.set(Some(stacks));
    IS_COUNTED.set(true);
}
