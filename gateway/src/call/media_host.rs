//! A description that names its host in place of an address. RFC 8866 §5.7.
//!
//! The name is looked up outside. Until it is known, and where it never is, the media is taken to be beside the party's
//! signalling, and follows its source (RFC 7362).

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use sip::sdp::Stream;

use super::Action;
use super::cx::Cx;
use super::leg::End;
use crate::media::{Remote, Side};
use crate::peer::Transport;
use crate::resolve::Lookup;

/// The longest name that DNS knows. RFC 1035 §2.3.4.
const LONGEST_NAME: usize = 253;

/// The host that a party's newest description names.
#[derive(Debug)]
pub(super) struct MediaHost {
    host: Arc<str>,
    /// The question that its address is the answer to.
    query: u32,
    /// The answer.
    address: Option<IpAddr>,
}

impl Cx<'_> {
    /// Where the media of `side` is, if its description names a host.
    pub fn locate_media(&mut self, side: Side, stream: &Stream, remote: &mut Remote) {
        let before = self.media.host_mut(side).take();
        if !stream.names_host() {
            return;
        }
        let host: Arc<str> = stream.host.as_str().into();
        let host = match before.filter(|before| before.host == host) {
            Some(known) => known,
            None => {
                let query = self.requests.query();
                if is_name(&host) {
                    let lookup =
                        Lookup { host: host.clone(), port: Some(stream.port), transport: Transport::Udp };
                    self.act(Action::LocateMedia { query, lookup });
                }
                Box::new(MediaHost { host, query, address: None })
            }
        };
        let address = host.address.or(remote.signalling);
        remote.symmetric |= host.address.is_none();
        set_address(remote, address, stream.port);
        *self.media.host_mut(side) = Some(host);
    }

    /// The side whose host was looked up under `query`.
    pub fn media_was_asked_for(&self, query: u32) -> Option<Side> {
        let asked = |side: &Side| self.media.host(*side).is_some_and(|host| host.query == query);
        [Side::A, Side::B].into_iter().find(asked)
    }

    /// The addresses behind the name that the description of `end`, on `side`, has; none: it is not known.
    pub fn media_located(&mut self, side: Side, end: &End, addresses: &[SocketAddr]) {
        let (local, symmetric) = (end.local.media, end.profile.symmetric);
        let family = |address: &IpAddr| address.is_ipv4() == local.is_ipv4();
        let address = addresses.iter().map(|address| address.ip().to_canonical()).find(family);
        let remote = self.media.remote(side).cloned();
        let remote = remote.and_then(|remote| Some((remote.rtp?.port(), remote)));
        if let (Some(address), Some((port, mut remote))) = (address, remote) {
            if let Some(host) = self.media.host_mut(side) {
                host.address = Some(address);
            }
            remote.symmetric = symmetric;
            set_address(&mut remote, Some(address), port);
            self.tell_remote(side, remote);
        }
    }
}

/// RTCP is on the port after RTP's. RFC 3605 §2.
fn set_address(remote: &mut Remote, address: Option<IpAddr>, port: u16) {
    let usable = address.filter(|address| !address.is_multicast() && !address.is_unspecified());
    remote.rtp = usable.map(|address| SocketAddr::new(address, port));
    remote.rtcp = usable.zip(port.checked_add(1)).map(|(address, port)| SocketAddr::new(address, port));
}

/// Whether DNS can be asked for it.
fn is_name(host: &str) -> bool {
    let letters = host.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_'));
    letters && host.len() <= LONGEST_NAME
}
