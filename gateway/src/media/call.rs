//! One open call: four ports and its relay.

use std::io;
use std::net::IpAddr;
use std::time::Instant;

use rtp::relay::{Component, Relay, Side};

use super::counters::Whose;
use super::driver::{Driver, PortId, Tag};
use super::flood::Flood;
use super::ports::Claim;
use super::{MediaEvent, MediaKey, NoRoom, Ports, Room};
use crate::random::Random;

/// Busy ports are passed over this many times before a call is refused.
const ATTEMPTS: usize = 64;

/// Why a call has no ports.
#[derive(Debug, thiserror::Error)]
pub(super) enum OpenError {
    #[error("no media port on {address}: {cause}")]
    NoRoom { address: IpAddr, cause: NoRoom },
    #[error("media port {port} of {address}: {error}")]
    Bind { address: IpAddr, port: u16, error: io::Error },
    #[error("the call is open already")]
    Open,
    #[error("media workers are overloaded")]
    Overloaded,
}

impl OpenError {
    /// What the signalling side hears of it.
    pub(super) fn event(&self, key: MediaKey) -> MediaEvent {
        let cause = match self {
            OpenError::NoRoom { cause, .. } => *cause,
            OpenError::Bind { error, .. } if has_no_descriptor(error) => NoRoom::Descriptors,
            OpenError::Bind { .. } | OpenError::Open | OpenError::Overloaded => NoRoom::System,
        };
        MediaEvent::OpenFailed { key, cause, text: self.to_string() }
    }
}

/// Whether the process, or the system, has as many files open as it may.
fn has_no_descriptor(error: &io::Error) -> bool {
    let errno = error.raw_os_error().map(nix::errno::Errno::from_raw);
    matches!(errno, Some(nix::errno::Errno::EMFILE | nix::errno::Errno::ENFILE))
}

/// The ports of one leg: closed first, then dropped, by which they go back to rest.
pub(super) struct LegPorts<'a> {
    pub(super) rtp: PortId,
    pub(super) rtcp: PortId,
    pub(super) whose: Whose,
    floods: [Flood; 2],
    pair: Pair<'a>,
}

/// A pair that was drawn, and goes back however this ends.
struct Pair<'a> {
    room: &'a Room,
    address: IpAddr,
    port: u16,
    claim: Claim,
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
            pools.rest(Instant::now(), self.address, self.port, &self.claim);
        } else {
            pools.give_back(self.address, self.port, &self.claim);
        }
    }
}

impl LegPorts<'_> {
    /// Draws pairs until both ports of one can be opened.
    ///
    /// - `whose`: the place of the call among the worker's, and the leg.
    pub(super) fn open<'a>(
        room: &'a Room,
        driver: &mut Driver,
        address: IpAddr,
        claim: &Claim,
        random: &mut impl Random,
        whose: (u32, Side),
    ) -> Result<LegPorts<'a>, OpenError> {
        for _ in 0..ATTEMPTS {
            let port = room.pools().draw(Instant::now(), address, claim, random);
            let port = port.map_err(|cause| OpenError::NoRoom { address, cause })?;
            let mut pair = Pair { room, address, port, claim: claim.clone(), used: true };
            match open_pair(driver, address, port, whose) {
                Ok((rtp, rtcp)) => {
                    for port in [port, port | 1] {
                        room.own.set_open(address, port, true);
                    }
                    let floods = [Flood::default(); 2];
                    return Ok(LegPorts { rtp, rtcp, whose: Whose::Remote, floods, pair });
                }
                // Somebody else has it: let it rest, draw another.
                Err(error) if error.kind() == io::ErrorKind::AddrInUse => {}
                Err(error) => {
                    pair.used = false;
                    return Err(OpenError::Bind { address, port, error });
                }
            }
        }
        Err(OpenError::NoRoom { address, cause: NoRoom::Ports })
    }

    /// Closes both ports.
    pub(super) fn close(&self, driver: &mut Driver) {
        driver.close(self.rtp);
        driver.close(self.rtcp);
    }

    /// Each port with its flood.
    pub(super) fn floods(&mut self) -> impl Iterator<Item = (PortId, &mut Flood)> {
        [self.rtp, self.rtcp].into_iter().zip(&mut self.floods)
    }

    pub(super) fn flood(&mut self, component: Component) -> &mut Flood {
        let [rtp, rtcp] = &mut self.floods;
        match component {
            Component::Rtp => rtp,
            Component::Rtcp => rtcp,
        }
    }

    /// Under which side its packets count.
    pub(super) fn set_customer(&mut self, customer: bool) {
        self.whose = if customer { Whose::Customer } else { Whose::Remote };
    }

    pub(super) fn ports(&self) -> Ports {
        Ports { rtp: self.pair.port, rtcp: self.pair.port | 1 }
    }

    pub(super) fn port(&self, component: Component) -> PortId {
        match component {
            Component::Rtp => self.rtp,
            Component::Rtcp => self.rtcp,
        }
    }

    /// The call came to nothing before a port of it was told to anybody.
    pub(super) fn forget(&mut self) {
        self.pair.used = false;
    }
}

/// Opens both ports of a pair, or none.
fn open_pair(
    driver: &mut Driver,
    address: IpAddr,
    port: u16,
    (place, side): (u32, Side),
) -> io::Result<(PortId, PortId)> {
    let tag = |component| Tag { place, side, component };
    let rtp = driver.open(address, port, tag(Component::Rtp))?;
    match driver.open(address, port | 1, tag(Component::Rtcp)) {
        Ok(rtcp) => Ok((rtp, rtcp)),
        Err(error) => {
            driver.close(rtp);
            Err(error)
        }
    }
}

/// An open call.
pub(super) struct OpenCall<'a> {
    pub(super) key: MediaKey,
    pub(super) a: LegPorts<'a>,
    pub(super) b: LegPorts<'a>,
    pub(super) relay: Relay,
    /// When its next minute ends.
    pub(super) minute: Instant,
    /// When the worker looks at it next; an entry of the worker's heap says the same.
    pub(super) wake: Instant,
}

impl<'a> OpenCall<'a> {
    /// Each port with its flood.
    pub(super) fn floods(&mut self) -> impl Iterator<Item = (PortId, &mut Flood)> {
        self.a.floods().chain(self.b.floods())
    }

    /// When it wants to be looked at, whatever the minute.
    pub(super) fn poll_timeout(&mut self) -> Option<Instant> {
        let relay = self.relay.poll_timeout();
        self.floods().filter_map(|(_, flood)| flood.poll_timeout()).chain(relay).min()
    }

    pub(super) fn leg(&self, side: Side) -> &LegPorts<'a> {
        match side {
            Side::A => &self.a,
            Side::B => &self.b,
        }
    }

    pub(super) fn leg_mut(&mut self, side: Side) -> &mut LegPorts<'a> {
        match side {
            Side::A => &mut self.a,
            Side::B => &mut self.b,
        }
    }
}
