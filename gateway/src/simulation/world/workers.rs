//! The media workers: they do as they are told, in order, after a while.

use std::net::SocketAddr;
use std::time::Duration;

use super::{Answers, Coming, GATEWAY, World};
use crate::core::Input;
use crate::media::{CallStatistics, Command, MediaEvent, MediaKey, NoRoom, Ports, Remote, Side};

impl World {
    /// What the media workers were last told of the party that sends to this port of the gateway.
    pub fn told_of(&self, port: u16) -> Option<&Remote> {
        let (key, side) = self.media_ports.get(&port)?;
        self.media_log.iter().rev().find_map(|(_, command)| match command {
            Command::Remote { key: of, side: its, remote, .. } if (of, its) == (key, side) => Some(remote),
            _ => None,
        })
    }

    /// The media workers: they do as they are told, in order, after a while.
    pub(super) fn command(&mut self, shard: u16, command: Command) {
        self.media_log.push((self.elapsed(), command.clone()));
        let key = command.key();
        assert_eq!(key.shard(), shard, "a media key names its shard");
        let delay = match self.media {
            Answers::After(delay) => delay,
            Answers::Failing | Answers::Never => Duration::ZERO,
        };
        let busy = self.media_busy.get(&key).copied().unwrap_or(self.now).max(self.now);
        let at = busy + delay;
        self.media_busy.insert(key, at);
        let event = match command {
            Command::Open { .. }
                if self.media == Answers::Failing || self.open_media.len() >= self.media_room =>
            {
                MediaEvent::OpenFailed { key, cause: NoRoom::Ports, text: "no port on 192.0.2.1".into() }
            }
            Command::Open { .. } => {
                assert!(self.open_media.insert(key, 0).is_none(), "{key:?} was opened twice");
                self.next_port = self.next_port.wrapping_add(4) | 0x4000;
                let port = self.next_port & !3;
                let ports = |rtp| Ports { rtp, rtcp: rtp + 1 };
                self.media_ports.insert(port, (key, Side::A));
                self.media_ports.insert(port + 2, (key, Side::B));
                self.hold_ports(key, true);
                MediaEvent::Opened { key, a: ports(port), b: ports(port + 2) }
            }
            Command::Close { .. } => {
                self.hold_ports(key, false);
                let was_open = self.open_media.remove(&key).is_some();
                self.media_busy.remove(&key);
                let statistics = was_open.then(crate::record::testing::figures).unwrap_or_default();
                MediaEvent::Closed { key, statistics: Box::new(statistics) }
            }
            Command::Report { .. } => {
                let packets = self.open_media.contains_key(&key).then(|| {
                    let mut statistics = CallStatistics::default();
                    statistics.a.received.rtp_packets = 50;
                    Box::new(statistics)
                });
                MediaEvent::Report { key, statistics: packets }
            }
            Command::ExpectSrtp { .. }
            | Command::Tap { .. }
            | Command::Listen { .. }
            | Command::StopListening { .. }
            | Command::Copy { .. }
            | Command::Reports { .. } => return,
            Command::Remote { remote, .. } => {
                for to in [remote.rtp, remote.rtcp].into_iter().flatten() {
                    let is_ours = self.is_gateway(to);
                    self.watch.media_goes_to(self.elapsed(), key, to, is_ours);
                }
                *self.open_media.get_mut(&key).expect("a remote for an open session") += 1;
                return;
            }
        };
        if self.media != Answers::Never {
            self.queue(at, Coming::Core(shard, Input::Media(event)));
        }
    }

    /// Whether what is sent there comes to the gateway.
    pub(super) fn is_gateway(&self, to: SocketAddr) -> bool {
        let listens = to.port() == 5060;
        let open =
            self.media_ports.get(&(to.port() & !1)).is_some_and(|(key, _)| self.open_media.contains_key(key));
        to.ip() == GATEWAY && (listens || open)
    }

    /// The ports of a session are the gateway's own while it is open.
    pub(super) fn hold_ports(&self, key: MediaKey, open: bool) {
        for port in self.media_ports.iter().filter(|(_, (of, _))| *of == key).map(|(port, _)| *port) {
            self.shared.media.own.set_open(GATEWAY, port, open);
            self.shared.media.own.set_open(GATEWAY, port + 1, open);
        }
    }
}
