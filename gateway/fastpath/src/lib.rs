//! One socket for all media ports of a thread, in place of one each: the kernel is told by a program of ours which ports
//! those are ([`Steering`]), and datagrams come and go many at a time ([`Batch`]), each with headers of our own.
//!
//! Streams that are steady need no thread at all: the kernel forwards and counts them ([`Forwarding`], Linux 6.6).
//!
//! All of the gateway's `unsafe` is here: the system calls that no library of ours has, `bpf`, `recvmmsg` and `sendmmsg`.
//! Linux 5.9 and newer; `CAP_BPF`, `CAP_NET_ADMIN` and `CAP_NET_RAW`.

mod assembler;
mod batch;
mod bpf;
mod control;
mod forwarding;
mod mapping;
mod packet;
mod program;
mod steering;

pub use batch::{Batch, Received};
pub use forwarding::{Flow, Forwarding, Place, Standing};
pub use packet::{HEADROOM, write_headers};
pub use steering::{Steering, accept_originals};
