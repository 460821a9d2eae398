//! What costs enough to be done once for a message: a test counts how often it is done.

use std::cell::RefCell;

thread_local! {
    static SPENT: RefCell<Vec<String>> = const { RefCell::new(Vec::new()) };
}

/// `what` was done, on this thread.
pub fn spend(what: impl Into<String>) {
    SPENT.with_borrow_mut(|spent| spent.push(what.into()));
}

/// What was done on this thread since this was asked last, in alphabetical order.
pub fn take() -> Vec<String> {
    let mut spent = SPENT.take();
    spent.sort();
    spent
}
