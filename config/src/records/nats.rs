//! `[[records.nats]]`: NATS JetStream.

use std::path::PathBuf;

use crate::Secret;
use crate::read::{Item, Table};
use crate::value::{NatsSubject, NatsUrl};

/// A stream of NATS JetStream, to which each record is published as a message.
#[derive(Debug, Clone)]
pub struct Nats {
    /// Servers of one cluster, tried in this order. All of them by TLS, or none.
    pub servers: Vec<NatsUrl>,
    /// What the messages are published under. Default: `voice-connector.{kind}.{connector}`.
    pub subject: NatsSubject,
    /// Who we are there. Default: nobody is named.
    pub login: Option<NatsLogin>,
    /// Trust anchors, PEM. Default: the system's.
    pub ca: Option<PathBuf>,
}

/// Who we are at a NATS server.
#[derive(Debug, Clone)]
pub enum NatsLogin {
    /// A name and its password.
    User(String, Secret),
    /// A token.
    Token(Secret),
    /// The seed of an nkey, `SU...`.
    Nkey(Secret),
    /// A credentials file: a user's JWT with its seed.
    Credentials(PathBuf),
}

impl Nats {
    pub(super) fn read(table: &Table<'_>) -> Option<Self> {
        let servers = table.required("servers", "servers = [\"tls://nats.example.com\"]");
        let servers = servers.and_then(|item| servers_of(&item));
        let subject = table.get("subject").and_then(|item| item.parse());
        let login = login(table);
        let ca = table.get("ca").and_then(|item| item.needed_file());
        Some(Self { servers: servers?, subject: subject.unwrap_or_default(), login, ca })
    }
}

fn servers_of(item: &Item<'_>) -> Option<Vec<NatsUrl>> {
    let list = item.one_or_list()?;
    let servers: Vec<NatsUrl> = list.iter().filter_map(|item| item.parse()).collect();
    if list.is_empty() {
        item.wrong("`servers` is empty", "[\"tls://nats.example.com\"]");
    }
    let encrypted = servers.iter().filter(|server| server.is_encrypted()).count();
    if encrypted > 0 && encrypted < servers.len() {
        item.error(
            "some servers are asked by TLS and others are not",
            "write `tls://` before each, or before none",
        );
    } else if let Some(open) = servers.iter().find(|server| !server.is_private()) {
        let text = format!("`{open}` is not encrypted: who is on the way reads who called whom; write tls");
        item.reader().warn(item.at(), text);
    }
    (servers.len() == list.len() && !servers.is_empty()).then_some(servers)
}

fn login(table: &Table<'_>) -> Option<NatsLogin> {
    let secret = |item: &Item<'_>| Secret::read(item);
    let user = match (table.get("user"), table.get("password")) {
        (Some(user), Some(password)) => {
            let named = user.name_text().map(str::to_owned).zip(secret(&password));
            Some((user, named.map(|(name, secret)| NatsLogin::User(name, secret))))
        }
        (Some(one), None) | (None, Some(one)) => {
            one.error("one of them alone opens nothing", "write `user` and `password`, or neither of them");
            Some((one, None))
        }
        (None, None) => None,
    };
    let token = table.get("token").map(|item| (secret(&item).map(NatsLogin::Token), item));
    let nkey = table.get("nkey").map(|item| (secret(&item).map(NatsLogin::Nkey), item));
    let file = table.get("credentials").map(|item| (item.needed_file().map(NatsLogin::Credentials), item));
    let others = [token, nkey, file].into_iter().flatten().map(|(login, item)| (item, login));
    let mut logins = user.into_iter().chain(others);
    let (_, first) = logins.next()?;
    if let Some((item, _)) = logins.next() {
        item.error(
            "there are two ways to log in",
            "keep one of `user` with `password`, `token`, `nkey`, `credentials`",
        );
    }
    first
}
