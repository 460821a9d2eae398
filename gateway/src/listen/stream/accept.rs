//! Takes connections from a listening socket.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;

use super::connection::Shared;
use crate::abort::AbortOnPanic;
use crate::listen::Listener;
use crate::listen::tls::Seldom;

/// A connection that a peer opened.
pub(super) struct Accepted {
    pub(super) stream: TcpStream,
    pub(super) listener: Listener,
    pub(super) remote: SocketAddr,
}

/// Accepts until the table is gone.
pub(super) async fn accept(
    socket: TcpListener,
    listener: Listener,
    shared: Shared,
    table: mpsc::Sender<Accepted>,
) {
    let _abort = AbortOnPanic;
    let cannot = Seldom::new(tokio::time::Instant::now().into_std());
    loop {
        match socket.accept().await {
            Ok((stream, remote)) => {
                if shared.guard.silenced(tokio::time::Instant::now().into_std(), remote.ip()) {
                    shared.counters.silenced.increment();
                    shared.counters.connections_refused.increment();
                    continue;
                }
                if table.send(Accepted { stream, listener, remote }).await.is_err() {
                    return;
                }
            }
            // Out of descriptors, most likely: trying again at once would only burn the processor.
            Err(error) => {
                if let Some(repeats) = cannot.may(tokio::time::Instant::now().into_std()) {
                    tracing::error!(address = %listener.address, %error, repeats, "cannot accept connections");
                }
                tokio::time::sleep(Duration::from_millis(200)).await;
            }
        }
    }
}
