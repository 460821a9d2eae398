//! Room for sockets: each media port and each connection is a descriptor.

use config::Config;
use nix::sys::resource::{Resource, getrlimit, setrlimit};

/// For listeners, connections, the journal and records.
const OTHERS: u64 = 2_048;

/// Raises the limit of open files to the hard limit, and says when that is too low for all media ports.
///
/// The soft limit is often 1,024, for programs that use `select`; this one doesn't.
pub(super) fn raise(config: &Config) {
    let limit = getrlimit(Resource::RLIMIT_NOFILE).and_then(|(soft, hard)| {
        if soft < hard {
            setrlimit(Resource::RLIMIT_NOFILE, hard, hard)?;
        }
        Ok(hard)
    });
    match limit {
        Ok(limit) => {
            let wanted = wanted(config);
            if limit < wanted {
                tracing::warn!(
                    limit,
                    wanted,
                    calls = limit.saturating_sub(OTHERS) / 4,
                    "fewer open files are allowed than media.ports has ports: calls beyond these get 503; raise \
                     LimitNOFILE (systemd) or ulimit -Hn"
                );
            }
        }
        Err(error) => tracing::warn!(%error, "the limit of open files can't be raised"),
    }
}

/// Open files when every media port is in use.
fn wanted(config: &Config) -> u64 {
    let ports = u64::from(config.media.ports.last()) - u64::from(config.media.ports.first()) + 1;
    ports + OTHERS
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_port_is_a_descriptor() {
        let text = "[[listen]]\naddress = \"127.0.0.1:5060\"\n[media]\nports = [20000, 20999]\n";
        let (config, _) = Config::parse(text, std::path::Path::new("test.toml")).unwrap();
        assert_eq!(wanted(&config), 1_000 + OTHERS);
    }

    #[test]
    fn the_soft_limit_meets_the_hard_one() {
        let (config, _) =
            Config::parse("[[listen]]\naddress = \"127.0.0.1:5060\"\n", std::path::Path::new("test.toml"))
                .unwrap();
        raise(&config);
        let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE).unwrap();
        assert_eq!(soft, hard);
    }
}
