//! The transport thread.

use std::collections::HashMap;
use std::io;
use std::net::TcpListener;
use std::sync::Arc;
use std::thread::JoinHandle;

use tokio::sync::{mpsc, oneshot};

use super::connection::Shared;
use super::limits::StreamLimits;
use super::table::Table;
use super::troubles::Troubles;
use super::{Order, Streams};
use crate::abort::AbortOnPanic;
use crate::ids::Ownership;
use crate::listen::tls::Tls;
use crate::listen::{Guard, ListenCounters, Listener, Sink};
use crate::pulse::Pulse;

/// Messages on their way from the shards to the table.
const OUTGOING: usize = 16_384;

/// What the transport thread is given to start with.
pub struct StreamSetup {
    /// Every listener: connections that we open leave from the address of one.
    pub listeners: Vec<Listener>,
    /// The sockets of those that take streams.
    pub sockets: Vec<(Listener, TcpListener)>,
    /// The way to the shards.
    pub sink: Arc<dyn Sink>,
    /// How their tags are made.
    pub ownership: Ownership,
    /// The flood guard.
    pub guard: Arc<Guard>,
    /// What is counted.
    pub counters: Arc<ListenCounters>,
    /// Certificates and trust anchors of those that take TLS.
    pub tls: Arc<Tls>,
    /// How much peers may take.
    pub limits: StreamLimits,
}

/// The running transport thread.
#[derive(Debug)]
pub struct StreamThread {
    /// Its sign of life.
    pub pulse: Pulse,
    stop: oneshot::Sender<()>,
    thread: JoinHandle<()>,
}

impl StreamThread {
    /// Lets the connections write what they have, for two seconds at most, closes them and ends the thread.
    pub fn stop(self) {
        let _ = self.stop.send(());
        let _ = self.thread.join();
    }
}

/// Starts the transport thread.
///
/// # Errors
///
/// The thread, its runtime or a socket could not be set up.
pub fn start(setup: StreamSetup) -> io::Result<(Streams, StreamThread)> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let (to_table, outgoing) = mpsc::channel::<Order>(OUTGOING);
    let (stop, stopped) = oneshot::channel();
    let shared = Shared {
        sink: setup.sink,
        ownership: setup.ownership,
        guard: setup.guard,
        counters: setup.counters,
        limits: setup.limits,
        tls: setup.tls,
        troubles: Arc::new(Troubles::new(std::time::Instant::now())),
    };
    let mut table = Table::new(shared);
    {
        let _entered = runtime.enter();
        let mut sockets: HashMap<_, _> =
            setup.sockets.into_iter().map(|(listener, socket)| (listener.id, socket)).collect();
        for listener in setup.listeners {
            table.listen(listener, sockets.remove(&listener.id))?;
        }
    }
    let pulse = Pulse::new("streams");
    runtime.spawn(pulse.clone().keep());
    let thread = std::thread::Builder::new().name("streams".to_owned()).spawn(move || {
        let _abort = AbortOnPanic;
        runtime.block_on(table.run(outgoing, async {
            // A dropped sender means that nobody will ever stop us.
            if stopped.await.is_err() {
                std::future::pending::<()>().await;
            }
        }));
    })?;
    Ok((Streams(to_table), StreamThread { pulse, stop, thread }))
}
