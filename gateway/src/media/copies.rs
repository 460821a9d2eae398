//! Copies of packets that are on their way to recorders: what a worker has read in one turn leaves at its end.

use std::net::SocketAddr;
use std::ops::Range;

use rtp::relay::{Forward, Refusal};

use super::driver::{Driver, PortId};

/// What protection may add to a packet.
const TAG: usize = 64;
/// So many bytes may wait; what is more is lost. A turn reads less.
const MOST: usize = 4 << 20;

/// See the module. Its memory is used again each turn.
#[derive(Debug, Default)]
pub(super) struct Copies {
    /// The packet that was taken last.
    pub taken: Vec<u8>,
    bytes: Vec<u8>,
    waiting: Vec<(PortId, SocketAddr, Range<usize>)>,
    lost: u64,
}

impl Copies {
    /// Lets `protect` at the packet that was taken, with room behind it.
    pub fn protect(
        &mut self,
        protect: impl FnOnce(&mut [u8], usize) -> Result<Forward, Refusal>,
    ) -> Result<Forward, Refusal> {
        let len = self.taken.len();
        self.taken.resize(len + TAG, 0);
        protect(&mut self.taken, len)
    }

    /// The packet leaves by `port` at the end of the turn.
    pub fn keep(&mut self, port: PortId, forward: Forward) {
        let start = self.bytes.len();
        match self.taken.get(..forward.len).filter(|bytes| start + bytes.len() <= MOST) {
            Some(bytes) => {
                self.bytes.extend_from_slice(bytes);
                self.waiting.push((port, forward.to, start..self.bytes.len()));
            }
            None => self.lost += 1,
        }
    }

    /// Sends all that waits. How much of this turn the kernel did not take, or found no room, and is lost.
    pub fn send(&mut self, driver: &mut Driver) -> u64 {
        for (port, to, range) in self.waiting.drain(..) {
            let sent = self.bytes.get(range).map(|bytes| driver.send(port, bytes, to));
            self.lost += u64::from(!matches!(sent, Some(Ok(()))));
        }
        self.bytes.clear();
        std::mem::take(&mut self.lost)
    }
}
