//! Room for sockets: each media port and each connection is a descriptor, and the process may open only so many.
//!
//! They are divided beforehand, so that no use of them takes another's: least of all ordinary calls the emergency calls'.

use config::Config;
use nix::sys::resource::{Resource, getrlimit, setrlimit};

use crate::listen::stream::StreamLimits;

/// For listeners, threads, the journal and records, the admin server; an eighth of a limit that is very low.
const OTHERS: u64 = 256;

/// How the open files are divided.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Descriptors {
    /// Media sockets of ordinary calls.
    pub media: usize,
    /// TCP and TLS connections.
    pub connections: usize,
}

/// Raises the limit of open files to the hard limit, and divides them.
///
/// The soft limit is often 1,024, for programs that use `select`; this one doesn't.
pub(super) fn raise(config: &Config) -> Descriptors {
    let limit = getrlimit(Resource::RLIMIT_NOFILE).and_then(|(soft, hard)| {
        if soft < hard {
            setrlimit(Resource::RLIMIT_NOFILE, hard, hard)?;
        }
        Ok(hard)
    });
    let limit = limit.unwrap_or_else(|error| {
        tracing::warn!(%error, "the limit of open files can't be raised");
        1_024
    });
    divide(limit, config)
}

/// Says when open files are fewer than media ports, where each port is one.
pub(super) fn tell(config: &Config, descriptors: &Descriptors) {
    if descriptors.media < ports(config) {
        tracing::warn!(
            limit = getrlimit(Resource::RLIMIT_NOFILE).ok().map(|(soft, _)| soft),
            ports = ports(config),
            calls = descriptors.media / 4,
            "fewer open files are allowed than media.ports has ports: calls beyond these get 503; raise LimitNOFILE \
             (systemd) or ulimit -Hn"
        );
    }
}

/// Of the media sockets of ordinary calls: pairs that may stay open between two calls. None where files are few.
pub(super) fn kept(media: usize) -> usize {
    if media < 4_096 { 0 } else { (media / 4).min(8_192) }
}

/// Emergency calls have a descriptor for each port that is set aside for them, or a quarter of all. Of the others
/// connections have a quarter, and no more than their own limit.
fn divide(limit: u64, config: &Config) -> Descriptors {
    let addresses = config.media_addresses().len().max(1) as u64;
    let emergency = (u64::from(config.media.emergency_ports) * addresses).min(limit / 4);
    let left = limit - OTHERS.min(limit / 8) - emergency;
    let most = StreamLimits::default().connections;
    let connections = usize::try_from(left / 4).unwrap_or(usize::MAX).min(most);
    let media = usize::try_from(left).unwrap_or(usize::MAX) - connections;
    Descriptors { media, connections }
}

/// Media ports of all addresses.
fn ports(config: &Config) -> usize {
    let range = usize::from(config.media.ports.last() - config.media.ports.first()) + 1;
    range * config.media_addresses().len().max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(more: &str) -> Config {
        let text = format!("[[listen]]\naddress = \"127.0.0.1:5060\"\n[media]\n{more}\n");
        Config::parse(&text, std::path::Path::new("test.toml")).unwrap().0
    }

    #[test]
    fn a_low_limit_leaves_some_to_emergency_calls() {
        let config = config("ports = [20000, 20999]");
        let Descriptors { media, connections } = divide(1_024, &config);
        assert_eq!((media, connections), (657, 219));
        assert_eq!(1_024 - 128 - media - connections, usize::from(config.media.emergency_ports));
        assert_eq!(divide(64, &config), Descriptors { media: 30, connections: 10 });
        assert_eq!(divide(0, &config), Descriptors { media: 0, connections: 0 });
    }

    #[test]
    fn a_high_limit_is_left_to_media() {
        let config = config("address = [\"127.0.0.1\", \"::1\"]");
        let Descriptors { media, connections } = divide(524_288, &config);
        assert_eq!((media, connections), (524_288 - 256 - 40 - 8_192, 8_192));
        assert!(media > ports(&config));
        assert_eq!(divide(u64::MAX, &config).connections, 8_192);
    }

    #[test]
    fn the_soft_limit_meets_the_hard_one() {
        raise(&config(""));
        let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE).unwrap();
        assert_eq!(soft, hard);
    }
}
