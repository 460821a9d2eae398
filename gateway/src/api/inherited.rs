//! A socket that the service manager has bound for us: it goes on taking connections while one gateway ends and the next one
//! starts, so that no client is refused meanwhile.
//!
//! Source: systemd's `sd_listen_fds(3)`.

use std::io;
use std::net::{SocketAddr, TcpListener};

use listenfd::ListenFd;

/// The socket of that address; `None`: none was passed.
///
/// # Errors
/// What was passed is no socket.
pub(super) fn take(address: SocketAddr) -> io::Result<Option<TcpListener>> {
    let mut passed = ListenFd::from_env();
    for index in 0..passed.len() {
        let Some(listener) = passed.take_tcp_listener(index)? else { continue };
        let bound = listener.local_addr()?;
        if bound == address {
            listener.set_nonblocking(true)?;
            return Ok(Some(listener));
        }
        tracing::warn!(%bound, "the service manager has passed a socket that is not of api.address: it is closed");
    }
    Ok(None)
}
