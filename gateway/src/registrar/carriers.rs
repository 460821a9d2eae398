//! Where we have registered ourselves: at the hosts of carriers.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use config::Config;

use crate::peer::{Peer, Source, Transport};
use crate::resolve::Lookup;

/// Our registrations with carriers, as all shards see them: one shard keeps them.
#[derive(Default)]
pub struct AtCarriers(ArcSwap<State>);

#[derive(Clone, Default)]
struct State {
    lines: Vec<AtCarrier>,
    /// A carrier takes calls that we need not register with.
    other_way: bool,
}

/// Our registration at one host of a carrier.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AtCarrier {
    /// The carrier's name.
    pub carrier: Arc<str>,
    /// The host, as it is configured.
    pub host: Lookup,
    /// How it stands.
    pub standing: Standing,
    /// Since when, as time since the Unix epoch.
    pub since: Duration,
}

/// How a registration stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Standing {
    /// The carrier's calls come by this flow.
    Registered(Peer),
    /// The registration is down, and why.
    Down(Arc<str>),
}

impl AtCarrier {
    /// The host as it is configured, with its port where it has one.
    pub fn shown(&self) -> String {
        match self.host.port {
            Some(port) => format!("{}:{port}", self.host.host),
            None => self.host.host.to_string(),
        }
    }
}

impl AtCarriers {
    /// What is asked for under `config`, by the shard that keeps them; none is up yet but those that were.
    pub(crate) fn configure(
        &self,
        config: &Config,
        lines: impl Iterator<Item = (Arc<str>, Lookup)>,
        unix: Duration,
    ) {
        let takes_calls = |one: &config::Carrier| !(one.prefixes.is_empty() && one.countries.is_empty());
        let other_way = config.carrier.iter().any(|one| one.register.is_none() && takes_calls(one));
        let before = self.0.load();
        let lines = lines.map(|(carrier, host)| {
            let known = before.lines.iter().find(|one| one.carrier == carrier && one.host == host);
            let standing = Standing::Down("not registered yet".into());
            known.cloned().unwrap_or(AtCarrier { carrier, host, standing, since: unix })
        });
        self.0.store(Arc::new(State { lines: lines.collect(), other_way }));
    }

    /// A registration stands so now.
    pub(crate) fn stands(&self, carrier: &str, host: &Lookup, standing: Standing, unix: Duration) {
        let mut state = State::clone(&self.0.load());
        for line in state.lines.iter_mut().filter(|one| *one.carrier == *carrier && one.host == *host) {
            let up = |standing: &Standing| matches!(standing, Standing::Registered(_));
            if up(&line.standing) != up(&standing) {
                line.since = unix;
            }
            line.standing = standing.clone();
        }
        self.0.store(Arc::new(state));
    }

    /// All of them.
    pub fn all(&self) -> Vec<AtCarrier> {
        self.0.load().lines.clone()
    }

    /// The carrier whose registered flow a message came by: its connection, or the address that took our REGISTER.
    pub fn carrier_at(&self, source: &Source) -> Option<Arc<str>> {
        let is_it = |flow: &Peer| match source.transport {
            Transport::Udp => flow.transport == Transport::Udp && flow.remote == source.remote,
            Transport::Tcp | Transport::Tls => {
                source.connection.is_some() && flow.connection == source.connection
            }
        };
        let lines = &self.0.load().lines;
        let by_it =
            lines.iter().find(|one| matches!(&one.standing, Standing::Registered(flow) if is_it(flow)));
        by_it.map(|one| one.carrier.clone())
    }

    /// Whether a host of a carrier's wants a registration that is down.
    pub fn is_down(&self, carrier: &str, host: &Lookup) -> bool {
        let lines = &self.0.load().lines;
        let mine = lines.iter().find(|one| *one.carrier == *carrier && one.host == *host);
        mine.is_some_and(|one| matches!(one.standing, Standing::Down(_)))
    }

    /// `addresses` of a host with the one first that we have registered at.
    pub fn first(&self, host: &Lookup, mut addresses: Vec<SocketAddr>) -> Vec<SocketAddr> {
        let lines = &self.0.load().lines;
        let at = lines.iter().filter(|one| one.host == *host).find_map(|one| match &one.standing {
            Standing::Registered(flow) => Some(flow.remote),
            Standing::Down(_) => None,
        });
        addresses.sort_by_key(|address| Some(*address) != at);
        addresses
    }

    /// What an operator is told of those that are down, a line each; and whether no call has another way out.
    pub fn trouble(&self) -> (Vec<String>, bool) {
        let state = self.0.load();
        let told = state.lines.iter().filter_map(|one| match &one.standing {
            Standing::Registered(_) => None,
            Standing::Down(why) => Some(format!("carrier {} at {}: {why}", one.carrier, one.shown())),
        });
        let told: Vec<String> = told.collect();
        let all = !told.is_empty() && told.len() == state.lines.len();
        (told, all && !state.other_way)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::peer::ListenerId;

    fn lookup(host: &str) -> Lookup {
        Lookup { host: host.into(), port: None, transport: Transport::Udp }
    }

    fn config(more: &str) -> Config {
        let text = format!(
            "listen = [{{ address = \"192.0.2.10\" }}]\n[[carrier]]\nname = \"east\"\n\
             register = {{ user = \"u\", domain = \"east.example\" }}\n\
             host = [{{ host = \"192.0.2.20\" }}, {{ host = \"192.0.2.21\" }}]\n{more}"
        );
        Config::parse(&text, std::path::Path::new("f.toml")).unwrap().0
    }

    fn lines() -> impl Iterator<Item = (Arc<str>, Lookup)> {
        ["192.0.2.20", "192.0.2.21"].into_iter().map(|host| ("east".into(), lookup(host)))
    }

    fn flow(host: &str) -> Standing {
        Standing::Registered(Peer::new(
            Transport::Udp,
            ListenerId(0),
            format!("{host}:5060").parse().unwrap(),
        ))
    }

    #[test]
    fn what_is_down_is_told_and_counts_where_no_other_way_is() {
        let other = "[[carrier]]\nname = \"west\"\nhost = [{ host = \"192.0.2.30\" }]\n";
        let inbound = "[[carrier]]\nname = \"west\"\nprefixes = []\n";
        for (more, no_other_way) in [("", true), (other, false), (inbound, true)] {
            let carriers = AtCarriers::default();
            carriers.configure(&config(more), lines(), Duration::ZERO);
            let told = [20, 21].map(|host| format!("carrier east at 192.0.2.{host}: not registered yet"));
            assert_eq!(carriers.trouble(), (told.to_vec(), no_other_way), "{more}");
            carriers.stands("east", &lookup("192.0.2.21"), flow("192.0.2.21"), Duration::from_secs(5));
            assert_eq!(carriers.trouble(), (told[..1].to_vec(), false), "{more}");
        }
    }

    #[test]
    fn what_stands_is_kept_under_another_configuration_and_since_when() {
        let (carriers, host) = (AtCarriers::default(), lookup("192.0.2.20"));
        carriers.configure(&config(""), lines(), Duration::ZERO);
        for (second, standing) in
            [(5, flow("192.0.2.20")), (6, flow("192.0.2.20")), (7, Standing::Down("x".into()))]
        {
            carriers.stands("east", &host, standing, Duration::from_secs(second));
            carriers.configure(&config(""), lines(), Duration::from_secs(9));
            let expect = if second == 6 { 5 } else { second };
            assert_eq!(carriers.all()[0].since.as_secs(), expect);
        }
        carriers.configure(&config(""), lines().skip(1), Duration::ZERO);
        assert_eq!(carriers.all().len(), 1);
    }
}
