//! One open call: four sockets and its relay.

use std::io;
use std::net::IpAddr;
use std::time::Instant;

use rtp::relay::{Component, Relay, Side};

use super::counters::Whose;
use super::socket::MediaSocket;
use super::{MediaKey, Ports, Room};
use crate::random::Random;

/// Busy ports are passed over this many times before a call is refused.
const ATTEMPTS: usize = 64;

/// Why a call has no ports.
#[derive(Debug, thiserror::Error)]
pub(super) enum OpenError {
    #[error("no free media port on {0}")]
    Exhausted(IpAddr),
    #[error("media port {port} of {address}: {error}")]
    Bind { address: IpAddr, port: u16, error: io::Error },
    #[error("media worker: {0}")]
    Watch(nix::errno::Errno),
    #[error("the call is open already")]
    Open,
    #[error("media workers are overloaded")]
    Overloaded,
}

/// The sockets of one leg; its ports go back to rest when it is dropped, which also closes them.
pub(super) struct LegSockets<'a> {
    pub(super) rtp: MediaSocket,
    pub(super) rtcp: MediaSocket,
    pub(super) whose: Whose,
    pair: Pair<'a>,
}

/// A pair that was drawn, and goes back however this ends.
struct Pair<'a> {
    room: &'a Room,
    address: IpAddr,
    port: u16,
    /// It was in use: it rests. Otherwise it is free at once.
    used: bool,
}

impl Drop for Pair<'_> {
    fn drop(&mut self) {
        for port in [self.port, self.port | 1] {
            self.room.own.set_open(self.address, port, false);
        }
        let mut pools = self.room.pools();
        if self.used {
            pools.rest(Instant::now(), self.address, self.port);
        } else {
            pools.give_back(self.address, self.port);
        }
    }
}

impl LegSockets<'_> {
    /// Draws pairs until both ports of one can be bound.
    pub(super) fn open<'a>(
        room: &'a Room,
        address: IpAddr,
        emergency: bool,
        random: &mut impl Random,
    ) -> Result<LegSockets<'a>, OpenError> {
        for _ in 0..ATTEMPTS {
            let port = room.pools().draw(Instant::now(), address, emergency, random);
            let port = port.ok_or(OpenError::Exhausted(address))?;
            let mut pair = Pair { room, address, port, used: true };
            let bound = MediaSocket::bind(address, port)
                .and_then(|rtp| Ok((rtp, MediaSocket::bind(address, port | 1)?)));
            match bound {
                Ok((rtp, rtcp)) => {
                    for port in [port, port | 1] {
                        room.own.set_open(address, port, true);
                    }
                    return Ok(LegSockets { rtp, rtcp, whose: Whose::Remote, pair });
                }
                // Somebody else has it: let it rest, draw another.
                Err(error) if error.kind() == io::ErrorKind::AddrInUse => {}
                Err(error) => {
                    pair.used = false;
                    return Err(OpenError::Bind { address, port, error });
                }
            }
        }
        Err(OpenError::Exhausted(address))
    }

    /// Under which side its packets count.
    pub(super) fn set_customer(&mut self, customer: bool) {
        self.whose = if customer { Whose::Customer } else { Whose::Remote };
    }

    pub(super) fn ports(&self) -> Ports {
        Ports { rtp: self.pair.port, rtcp: self.pair.port | 1 }
    }

    pub(super) fn socket(&self, component: Component) -> &MediaSocket {
        match component {
            Component::Rtp => &self.rtp,
            Component::Rtcp => &self.rtcp,
        }
    }

    /// The call came to nothing before a port of it was told to anybody.
    pub(super) fn forget(&mut self) {
        self.pair.used = false;
    }
}

/// An open call.
pub(super) struct OpenCall<'a> {
    pub(super) key: MediaKey,
    /// Tells this call from others that had its place before.
    pub(super) generation: u16,
    pub(super) a: LegSockets<'a>,
    pub(super) b: LegSockets<'a>,
    pub(super) relay: Relay,
    /// When its next minute ends.
    pub(super) minute: Instant,
    /// When the worker looks at it next; an entry of the worker's heap says the same.
    pub(super) wake: Instant,
}

impl<'a> OpenCall<'a> {
    pub(super) fn leg(&self, side: Side) -> &LegSockets<'a> {
        match side {
            Side::A => &self.a,
            Side::B => &self.b,
        }
    }

    pub(super) fn leg_mut(&mut self, side: Side) -> &mut LegSockets<'a> {
        match side {
            Side::A => &mut self.a,
            Side::B => &mut self.b,
        }
    }
}
