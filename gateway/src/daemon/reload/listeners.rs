//! Listeners that come and go while the gateway runs.
//!
//! One that is gone takes no new call and no new connection. Calls that began before keep its sockets: these are closed when the last
//! of them has ended, and its transactions with it.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use config::{Config, Transport};
use tokio::runtime::Handle;

use super::ReloadError;
use crate::clock::Now;
use crate::daemon::asking::{Asking, Silence};
use crate::listen::stream::{Reserved, Streams};
use crate::listen::{Bound, Listener, bind, listeners};
use crate::local::BoundAddresses;
use crate::peer::ListenerId;
use crate::question::{Answer, CallFilter, Question};
use crate::shard::Mailboxes;

/// How often it is looked whether a call still needs a listener that is gone.
const LOOK: Duration = Duration::from_secs(1);

/// The longest life of what a call's last messages leave behind: 64 × T1, RFC 3261 §17.
const LAST_TRANSACTION: Duration = Duration::from_secs(33);

/// The listeners, and the way to those who serve them.
pub(in crate::daemon) struct Listeners {
    known: Mutex<Known>,
    mailboxes: Mailboxes,
    streams: Streams,
    asking: Asking,
    runtime: Handle,
}

/// The listeners that have sockets.
struct Known {
    listeners: Vec<One>,
    /// The number of the next one; none is given twice.
    next: u16,
}

#[derive(Debug, Clone, Copy)]
struct One {
    /// As it is bound.
    listener: Listener,
    /// As the file has it, where port 0 is one of the system's choice.
    configured: SocketAddr,
    /// Since when it is gone, after the Unix epoch.
    retired: Option<Duration>,
}

/// The sockets that another configuration needs, and who goes; nothing is served yet.
pub(super) struct Opened<'a> {
    of: &'a Arc<Listeners>,
    known: MutexGuard<'a, Known>,
    bound: Bound,
    back: Vec<ListenerId>,
    gone: Vec<ListenerId>,
    orders: Reserved<'a>,
}

impl Listeners {
    /// - `bound`: those of `config`, as they are.
    pub fn new(
        config: &Config,
        bound: &[Listener],
        mailboxes: Mailboxes,
        streams: Streams,
        asking: Asking,
        runtime: Handle,
    ) -> Arc<Listeners> {
        let one = |listener: &Listener| {
            let listen = config.listen.iter().find(|listen| listen.number == listener.id.0)?;
            Some(One { listener: *listener, configured: listen.address, retired: None })
        };
        let listeners: Vec<One> = bound.iter().filter_map(one).collect();
        let next = listeners.iter().map(|one| one.listener.id.0 + 1).max().unwrap_or(0);
        Arc::new(Listeners {
            known: Mutex::new(Known { listeners, next }),
            mailboxes,
            streams,
            asking,
            runtime,
        })
    }

    /// Gives each listener of `config` the number that it has, or a new one.
    ///
    /// # Errors
    /// There were so many that no number is left.
    pub(super) fn number(&self, config: &mut Config) -> Result<(), ReloadError> {
        let known = self.known();
        let (mut next, mut taken) = (known.next, Vec::new());
        config.number_listeners(|protocol, address| {
            let is_it = |one: &&One| one.is_at(protocol, address) && !taken.contains(&one.listener.id.0);
            let number = known.listeners.iter().find(is_it).map_or(next, |one| one.listener.id.0);
            next = next.max(number.saturating_add(1));
            taken.push(number);
            number
        });
        match next {
            u16::MAX => Err(ReloadError::Fixed(
                "so many listeners have come and gone that a restart is due".to_owned(),
            )),
            _ => Ok(()),
        }
    }

    /// Opens what `config` has and the gateway has not.
    ///
    /// # Errors
    /// What can't be opened; then nothing is.
    pub(super) fn open(self: &Arc<Self>, config: &Config) -> Result<Opened<'_>, ReloadError> {
        let known = self.known();
        let wanted = listeners(config);
        let (mut missing, mut back) = (Vec::new(), Vec::new());
        for listener in &wanted {
            let one = known.listeners.iter().find(|one| one.listener.id == listener.id);
            match one {
                None => missing.push(*listener),
                Some(One { retired: None, .. }) => {}
                // Its sockets are open still.
                Some(one) if one.listener.transport == Transport::Udp => back.push(one.listener.id),
                Some(one) => missing.push(one.listener),
            }
        }
        let served = known.listeners.iter().filter(|one| one.retired.is_none());
        let gone = served.map(|one| one.listener.id);
        let gone: Vec<ListenerId> =
            gone.filter(|id| !wanted.iter().any(|listener| listener.id == *id)).collect();
        let bound = bind(&missing, self.mailboxes.ownership().shards())?;
        let orders = self.streams.reserve(bound.listeners.len() + gone.len())?;
        Ok(Opened { of: self, known, bound, back, gone, orders })
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Closes a listener that has been gone since `since`, once no call needs it.
    async fn close_in_time(self: Arc<Self>, id: ListenerId, since: Duration) {
        loop {
            tokio::time::sleep(LOOK).await;
            // A shard that does not answer may have calls.
            if let Ok(false) = self.has_calls_of(since).await {
                break;
            }
        }
        tokio::time::sleep(LAST_TRANSACTION).await;
        self.close(id, since);
    }

    /// Whether a call is up that began before.
    async fn has_calls_of(&self, before: Duration) -> Result<bool, Silence> {
        for shard in 0..self.asking.shards() {
            let mut after = None;
            loop {
                let age = Now::read().unix.saturating_sub(before).as_secs();
                let filter = Arc::new(CallFilter { older_than: Some(age), ..CallFilter::default() });
                match self.asking.ask(shard, Question::Calls { filter, after }).await? {
                    Answer::Calls(page) if !page.calls.is_empty() => return Ok(true),
                    Answer::Calls(page) if page.next.is_some() => after = page.next,
                    _ => break,
                }
            }
        }
        Ok(false)
    }

    /// Unless it has come back meanwhile.
    fn close(&self, id: ListenerId, since: Duration) {
        let mut known = self.known();
        let is_it = |one: &One| one.listener.id == id && one.retired == Some(since);
        let Some(place) = known.listeners.iter().position(is_it) else { return };
        let Listener { transport, address, .. } = known.listeners.remove(place).listener;
        self.mailboxes.close(id);
        if let Ok(mut orders) = self.streams.reserve(1) {
            orders.forget(id);
        }
        tracing::info!(%transport, %address, "a listener that is gone is closed: no call needs it any more");
    }
}

impl One {
    fn is_at(&self, protocol: Transport, address: SocketAddr) -> bool {
        (self.listener.transport, self.configured) == (protocol, address)
    }
}

impl Opened<'_> {
    /// Where the listeners of the new configuration are.
    pub fn addresses(&self) -> BoundAddresses {
        let stay = self.known.listeners.iter().filter(|one| !self.gone.contains(&one.listener.id));
        let all = stay.map(|one| one.listener).chain(self.bound.listeners.iter().copied());
        all.map(|listener| (listener.id, listener.address)).collect()
    }

    /// Serves what was opened, and lets go of who is gone. The shards go on under the new configuration by now.
    pub fn serve(mut self, config: &Config) {
        let now = Now::read().unix;
        for one in &mut self.known.listeners {
            if self.back.contains(&one.listener.id) {
                one.retired = None;
            }
            if self.gone.contains(&one.listener.id) {
                one.retired = Some(now);
            }
        }
        let mut udp: Vec<_> = self.bound.udp.into_iter().map(Vec::into_iter).collect();
        let mut streams = self.bound.streams;
        for listener in self.bound.listeners {
            let of_config = config.listen.iter().find(|listen| listen.number == listener.id.0);
            let configured = of_config.map_or(listener.address, |listen| listen.address);
            self.known.listeners.retain(|one| one.listener.id != listener.id);
            self.known.listeners.push(One { listener, configured, retired: None });
            self.known.next = self.known.next.max(listener.id.0.saturating_add(1));
            let socket =
                streams.iter().position(|(of, _)| of.id == listener.id).map(|at| streams.swap_remove(at).1);
            if socket.is_none() {
                let sockets = udp.iter_mut().filter_map(Iterator::next).map(|(_, socket)| socket);
                self.of.mailboxes.open(listener, sockets);
            }
            self.orders.listen(listener, socket);
        }
        for id in self.gone {
            self.orders.retire(id);
            self.of.runtime.spawn(self.of.clone().close_in_time(id, now));
        }
    }
}
