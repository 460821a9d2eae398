//! [`Session`] to text, lines in the order of RFC 8866 §5.

use std::fmt::{self, Write};

use smol_str::SmolStr;

use super::{Attribute, Bandwidth, Connection, Media, Session};

impl Session {
    /// Writes it, lines ending in CRLF.
    pub fn write(&self, to: &mut impl Write) -> fmt::Result {
        let origin = &self.origin;
        let user = if origin.user.is_empty() { "-" } else { &origin.user };
        write!(to, "v=0\r\no={} {} {} ", Clean(user), Clean(&origin.session_id), origin.version)?;
        origin.connection.write(to)?;
        write!(to, "s={}\r\n", Clean(&self.name))?;
        texts(to, 'i', &self.description)?;
        texts(to, 'u', &self.uri)?;
        texts(to, 'e', &self.emails)?;
        texts(to, 'p', &self.phones)?;
        connections(to, &self.connection)?;
        bandwidths(to, &self.bandwidths)?;
        if self.times.is_empty() {
            to.write_str("t=0 0\r\n")?;
        }
        for time in &self.times {
            write!(to, "t={} {}\r\n", time.start, time.stop)?;
            texts(to, 'r', &time.repeats)?;
        }
        texts(to, 'z', &self.zones)?;
        texts(to, 'k', &self.key)?;
        attributes(to, &self.attributes)?;
        self.medias.iter().try_for_each(|media| media.write(to))
    }
}

impl Media {
    fn write(&self, to: &mut impl Write) -> fmt::Result {
        write!(to, "m={} {}", Clean(&self.kind), self.port)?;
        if let Some(ports) = self.ports {
            write!(to, "/{ports}")?;
        }
        write!(to, " {} {}\r\n", Clean(&self.protocol), Clean(&self.formats))?;
        texts(to, 'i', &self.title)?;
        connections(to, &self.connections)?;
        bandwidths(to, &self.bandwidths)?;
        texts(to, 'k', &self.key)?;
        attributes(to, &self.attributes)
    }
}

impl Connection {
    fn write(&self, to: &mut impl Write) -> fmt::Result {
        write!(to, "{} {} {}\r\n", Clean(&self.network), Clean(&self.kind), Clean(&self.address))
    }
}

fn texts<'a>(to: &mut impl Write, key: char, texts: impl IntoIterator<Item = &'a SmolStr>) -> fmt::Result {
    texts.into_iter().try_for_each(|text| write!(to, "{key}={}\r\n", Clean(text)))
}

fn connections<'a>(to: &mut impl Write, all: impl IntoIterator<Item = &'a Connection>) -> fmt::Result {
    all.into_iter().try_for_each(|connection| {
        to.write_str("c=")?;
        connection.write(to)
    })
}

fn bandwidths(to: &mut impl Write, all: &[Bandwidth]) -> fmt::Result {
    all.iter().try_for_each(|Bandwidth { kind, limit }| write!(to, "b={}:{limit}\r\n", Clean(kind)))
}

fn attributes(to: &mut impl Write, all: &[Attribute]) -> fmt::Result {
    all.iter().try_for_each(|Attribute { name, value }| match value {
        Some(value) => write!(to, "a={}:{}\r\n", Clean(name), Clean(value)),
        None => write!(to, "a={}\r\n", Clean(name)),
    })
}

/// Text without what would end a line: words of ours may have been put in.
struct Clean<'a>(&'a str);

impl fmt::Display for Clean<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.split(['\0', '\r', '\n']).try_for_each(|part| f.write_str(part))
    }
}
