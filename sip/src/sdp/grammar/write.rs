//! [`Session`] to text, lines in the order of RFC 8866 §5.

use std::fmt::{self, Write};

use smol_str::SmolStr;

use super::{Attribute, Bandwidth, Connection, Media, Session};

impl Session {
    /// Writes it, lines ending in CRLF.
    pub fn write(&self, to: &mut impl Write) -> fmt::Result {
        let origin = &self.origin;
        let user = if origin.user.is_empty() { "-" } else { &origin.user };
        to.write_str("v=0\r\no=")?;
        clean(to, user)?;
        to.write_str(" ")?;
        clean(to, &origin.session_id)?;
        write!(to, " {} ", origin.version)?;
        origin.connection.write(to)?;
        line(to, "s=", &self.name)?;
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
        to.write_str("m=")?;
        clean(to, &self.kind)?;
        write!(to, " {}", self.port)?;
        if let Some(ports) = self.ports {
            write!(to, "/{ports}")?;
        }
        to.write_str(" ")?;
        clean(to, &self.protocol)?;
        line(to, " ", &self.formats)?;
        texts(to, 'i', &self.title)?;
        connections(to, &self.connections)?;
        bandwidths(to, &self.bandwidths)?;
        texts(to, 'k', &self.key)?;
        attributes(to, &self.attributes)
    }
}

impl Connection {
    fn write(&self, to: &mut impl Write) -> fmt::Result {
        clean(to, &self.network)?;
        to.write_str(" ")?;
        clean(to, &self.kind)?;
        line(to, " ", &self.address)
    }
}

fn texts<'a>(to: &mut impl Write, key: char, texts: impl IntoIterator<Item = &'a SmolStr>) -> fmt::Result {
    texts.into_iter().try_for_each(|text| {
        to.write_char(key)?;
        line(to, "=", text)
    })
}

fn connections<'a>(to: &mut impl Write, all: impl IntoIterator<Item = &'a Connection>) -> fmt::Result {
    all.into_iter().try_for_each(|connection| {
        to.write_str("c=")?;
        connection.write(to)
    })
}

fn bandwidths(to: &mut impl Write, all: &[Bandwidth]) -> fmt::Result {
    all.iter().try_for_each(|Bandwidth { kind, limit }| {
        to.write_str("b=")?;
        clean(to, kind)?;
        write!(to, ":{limit}\r\n")
    })
}

fn attributes(to: &mut impl Write, all: &[Attribute]) -> fmt::Result {
    all.iter().try_for_each(|Attribute { name, value }| match value {
        Some(value) => {
            to.write_str("a=")?;
            clean(to, name)?;
            line(to, ":", value)
        }
        None => line(to, "a=", name),
    })
}

/// The rest of a line.
fn line(to: &mut impl Write, before: &str, text: &str) -> fmt::Result {
    to.write_str(before)?;
    clean(to, text)?;
    to.write_str("\r\n")
}

/// Text without what would end a line: words of ours may have been put in.
fn clean(to: &mut impl Write, text: &str) -> fmt::Result {
    let ends = |byte: u8| matches!(byte, b'\0' | b'\r' | b'\n');
    if !text.bytes().any(ends) {
        return to.write_str(text);
    }
    text.split(['\0', '\r', '\n']).try_for_each(|part| to.write_str(part))
}
