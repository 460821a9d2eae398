//! Servers of others, between the same phones.

pub mod bencode;
pub mod kamailio;
pub mod rtpengine;

use crate::daemon::Subject;

/// Whether a program can be run.
pub fn is_installed(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|folder| folder.join(program).is_file())
}

/// Kamailio, where it is wanted and installed; else it says so.
pub fn proxy(wanted: bool) -> Option<Subject> {
    available(wanted, "kamailio").then(Subject::kamailio)
}

/// Whether a peer is wanted and installed; says so where it is not.
pub fn available(wanted: bool, program: &str) -> bool {
    let installed = is_installed(program);
    if wanted && !installed {
        println!("Not measured: {program} is not installed\n");
    }
    wanted && installed
}
