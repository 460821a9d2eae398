//! One open call: four ports and its relay.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::Instant;

use rtp::relay::{Component, Relay, Side};

use super::counters::Whose;
use super::driver::{Driver, PortId, Tag};
use super::flood::Flood;
use super::kernel::Flows;
use super::ports::{Claim, Drawn};
use super::ready::Kept;
use super::{MediaEvent, MediaKey, NoRoom, Ports, Room};
use crate::hep::Reports;
use crate::random::Random;
use crate::trace::Tap;

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
    /// Its ports, if they stay open.
    kept: Option<Kept>,
}

impl Drop for Pair<'_> {
    fn drop(&mut self) {
        for port in [self.port, self.port | 1] {
            self.room.own.set_open(self.address, port, false);
        }
        let mut pools = self.room.pools();
        if self.used {
            pools.rest(Instant::now(), self.address, self.port, &self.claim, self.kept);
        } else {
            pools.give_back(self.address, self.port, &self.claim, self.kept);
        }
    }
}

impl LegPorts<'_> {
    /// Draws pairs until both ports of one can be opened.
    ///
    /// - `worker`: whose the call is.
    /// - `whose`: the place of the call among the worker's, and the leg.
    pub(super) fn open<'a>(
        room: &'a Room,
        driver: &mut Driver,
        (address, claim): (IpAddr, &Claim),
        random: &mut impl Random,
        worker: usize,
        whose: (u32, Side),
    ) -> Result<LegPorts<'a>, OpenError> {
        for _ in 0..ATTEMPTS {
            let drawn = room.pools().draw(Instant::now(), address, claim, random, worker);
            let drawn = drawn.map_err(|cause| OpenError::NoRoom { address, cause })?;
            let port = drawn.pair;
            let mut pair = Pair { room, address, port, claim: claim.clone(), used: true, kept: None };
            match open_pair(driver, address, drawn, whose) {
                Ok((rtp, rtcp)) => return Ok(LegPorts::new(pair, rtp, rtcp)),
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

    /// The same with a pair that was drawn already.
    pub(super) fn open_drawn<'a>(
        room: &'a Room,
        driver: &mut Driver,
        (address, claim): (IpAddr, &Claim),
        drawn: Drawn,
        whose: (u32, Side),
    ) -> Result<LegPorts<'a>, OpenError> {
        let port = drawn.pair;
        let pair = Pair { room, address, port, claim: claim.clone(), used: true, kept: None };
        match open_pair(driver, address, drawn, whose) {
            Ok((rtp, rtcp)) => Ok(LegPorts::new(pair, rtp, rtcp)),
            Err(error) => Err(OpenError::Bind { address, port, error }),
        }
    }

    fn new(pair: Pair<'_>, rtp: PortId, rtcp: PortId) -> LegPorts<'_> {
        for port in [pair.port, pair.port | 1] {
            pair.room.own.set_open(pair.address, port, true);
        }
        LegPorts { rtp, rtcp, whose: Whose::Remote, floods: [Flood::default(); 2], pair }
    }

    /// Takes both ports from the call: the worker keeps them open, or they are closed.
    pub(super) fn close(&mut self, driver: &mut Driver, worker: usize) {
        if !self.pair.room.pools().may_keep() {
            driver.close(self.rtp);
            driver.close(self.rtcp);
            return;
        }
        self.pair.kept = match (driver.keep(self.rtp), driver.keep(self.rtcp)) {
            (Some(rtp), Some(rtcp)) => Some(Kept { worker, ports: [rtp, rtcp] }),
            (one, other) => {
                one.into_iter().chain(other).for_each(|port| driver.close_kept(port));
                self.pair.room.pools().keeps_not();
                None
            }
        };
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

    /// Address and port of ours for RTP; the address may be all of the host.
    pub(super) fn address(&self) -> SocketAddr {
        SocketAddr::new(self.pair.address, self.pair.port)
    }

    /// Address and port of ours; the address may be all of the host.
    fn local(&self, component: Component) -> SocketAddr {
        let odd = u16::from(component == Component::Rtcp);
        SocketAddr::new(self.pair.address, self.pair.port | odd)
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
    Drawn { pair: port, kept }: Drawn,
    (place, side): (u32, Side),
) -> io::Result<(PortId, PortId)> {
    let tag = |component| Tag { place, side, component };
    if let Some(Kept { ports: [rtp, rtcp], .. }) = kept {
        let opened = (driver.reopen(rtp, tag(Component::Rtp)), driver.reopen(rtcp, tag(Component::Rtcp)));
        let (Some(rtp), Some(rtcp)) = opened else { return Err(io::ErrorKind::NotConnected.into()) };
        return Ok((rtp, rtcp));
    }
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
    /// What of it the kernel forwards.
    pub(super) flows: Flows,
    /// Who looks at it.
    pub(super) tap: Option<Tap>,
    /// Where its RTCP is told.
    pub(super) reports: Option<Reports>,
    /// The session that sends on what its parties say.
    pub(super) copies: Option<MediaKey>,
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

    /// Somebody looks at it from now on.
    pub(super) fn look(&mut self, tap: Tap) {
        self.relay.set_tapped(true);
        self.relay.set_shown(tap.is_clear());
        self.tap = Some(tap);
    }

    /// Shows a datagram that a leg has received, or one that it sends, to who looks.
    pub(super) fn show(
        &mut self,
        at: Instant,
        (side, component): (Side, Component),
        peer: SocketAddr,
        bytes: &[u8],
        sent: bool,
    ) {
        let local = self.leg(side).local(component);
        let (from, to) = if sent { (local, peer) } else { (peer, local) };
        let looks = self.tap.as_ref().is_some_and(|tap| tap.datagram(at, from, to, bytes));
        if !looks && self.tap.take().is_some() {
            self.relay.set_tapped(false);
            self.relay.set_shown(false);
        }
    }

    /// Its RTCP is told from now on.
    pub(super) fn tell_reports(&mut self, reports: Reports) {
        self.relay.tell_reports();
        self.reports = Some(reports);
    }

    /// Tells the RTCP that a leg has just taken, or that it sends, where somebody wants to know.
    pub(super) fn report(
        &mut self,
        at: Instant,
        (side, component): (Side, Component),
        peer: SocketAddr,
        sent: bool,
    ) {
        let Some(reports) = &self.reports else { return };
        let Some(bytes) = self.relay.take_report() else { return };
        let local = self.leg(side).local(component);
        let (from, to) = if sent { (local, peer) } else { (peer, local) };
        reports.tell(at, from, to, bytes);
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
