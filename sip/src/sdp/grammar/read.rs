//! Bytes to [`Session`].

use std::str::FromStr;

use smol_str::SmolStr;

use super::{Attribute, Bandwidth, Connection, Media, Origin, Session, Time};
use crate::grammar::is_token;

/// Why bytes are no session description.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {what}")]
pub(in crate::sdp) struct Fault {
    /// From 1; 0 where nothing came.
    line: usize,
    what: &'static str,
}

impl Session {
    /// Reads a description whose first line is `v=0`. `o=`, `s=` and `t=` may be missing, lines of unknown type are left out.
    pub fn parse(body: &[u8]) -> Result<Session, Fault> {
        let mut lines = Lines { rest: body, number: 0 };
        match lines.next()? {
            Some(Line { key: b'v', value: b"0", .. }) => {}
            Some(line) => return Err(line.fault("not v=0")),
            None => return Err(Fault { line: 0, what: "not v=0" }),
        }
        let mut session = Session::empty();
        let (mut origin, mut name) = (None, None);
        while let Some(line) = lines.next()? {
            if let (b'm', _) | (_, Some(_)) = (line.key, session.medias.last()) {
                line.add_to_media(&mut session.medias)?;
                continue;
            }
            match line.key {
                b'o' => line.once(&mut origin, Origin::parse)?,
                b's' => line.once(&mut name, Line::text)?,
                b'i' => line.once(&mut session.description, Line::text)?,
                b'u' => line.once(&mut session.uri, Line::text)?,
                b'e' => session.emails.push(line.text()?),
                b'p' => session.phones.push(line.text()?),
                b'c' => line.once(&mut session.connection, Connection::parse)?,
                b'b' => session.bandwidths.push(Bandwidth::parse(&line)?),
                b't' => session.times.push(Time::parse(&line)?),
                b'r' => {
                    let repeats = line.repeats()?;
                    let time = session.times.last_mut().ok_or_else(|| line.fault("r= without t="))?;
                    time.repeats.push(repeats);
                }
                b'z' => line.once(&mut session.zones, Line::zones)?,
                b'k' => line.once(&mut session.key, Line::text)?,
                b'a' => Attribute::parse(&line, &mut session.attributes)?,
                _ => {}
            }
        }
        session.origin = origin.unwrap_or(session.origin);
        session.name = name.unwrap_or_default();
        if let [Time { start: 0, stop: 0, repeats }] = session.times.as_slice()
            && repeats.is_empty()
        {
            session.times = Vec::new();
        }
        Ok(session)
    }

    /// Without a line but `o=`, which is never written so.
    fn empty() -> Session {
        Session {
            origin: Origin {
                user: SmolStr::new_static("-"),
                session_id: SmolStr::new_static("0"),
                version: 0,
                connection: Connection::to([0, 0, 0, 0].into()),
            },
            name: SmolStr::default(),
            description: None,
            uri: None,
            emails: Vec::new(),
            phones: Vec::new(),
            connection: None,
            bandwidths: Vec::new(),
            times: Vec::new(),
            zones: None,
            key: None,
            attributes: Vec::new(),
            medias: Vec::new(),
        }
    }
}

/// What is left to read.
struct Lines<'a> {
    rest: &'a [u8],
    number: usize,
}

/// One line; `key` is what stands before its `=`.
struct Line<'a> {
    number: usize,
    key: u8,
    value: &'a [u8],
}

impl<'a> Lines<'a> {
    /// The next line that is not empty.
    fn next(&mut self) -> Result<Option<Line<'a>>, Fault> {
        while !self.rest.is_empty() {
            let end = self.rest.iter().position(|&byte| byte == b'\n').unwrap_or(self.rest.len());
            let (line, rest) = self.rest.split_at_checked(end).unwrap_or((self.rest, &[]));
            self.rest = rest.get(1..).unwrap_or_default();
            self.number += 1;
            let whole = line.strip_suffix(b"\r").filter(|_| !rest.is_empty());
            let line = whole.unwrap_or(line);
            let fault = |what| Err(Fault { line: self.number, what });
            // A CR of its own would end a line for whoever reads it next.
            if line.iter().any(|byte| matches!(byte, b'\0' | b'\r')) {
                return fault("contains NUL or CR");
            }
            match line {
                [] => {}
                [key, b'=', value @ ..] if *key != b'=' => {
                    return Ok(Some(Line { number: self.number, key: *key, value }));
                }
                _ => return fault("not one letter and ="),
            }
        }
        Ok(None)
    }
}

impl<'a> Line<'a> {
    fn fault(&self, what: &'static str) -> Fault {
        Fault { line: self.number, what }
    }

    fn once<T>(
        &self,
        value: &mut Option<T>,
        parse: impl FnOnce(&Line<'a>) -> Result<T, Fault>,
    ) -> Result<(), Fault> {
        if value.is_some() {
            return Err(self.fault("more than one"));
        }
        *value = Some(parse(self)?);
        Ok(())
    }

    fn str(&self) -> Result<&'a str, Fault> {
        std::str::from_utf8(self.value).map_err(|_| self.fault("not UTF-8"))
    }

    fn text(&self) -> Result<SmolStr, Fault> {
        self.str().map(SmolStr::from)
    }

    /// The words of it; runs of blanks are one.
    fn words(&self) -> Result<impl Iterator<Item = &'a str>, Fault> {
        Ok(self.str()?.split(' ').filter(|word| !word.is_empty()))
    }

    fn word(&self, words: &mut impl Iterator<Item = &'a str>) -> Result<&'a str, Fault> {
        words.next().ok_or_else(|| self.fault("a field is missing"))
    }

    fn token(&self, words: &mut impl Iterator<Item = &'a str>) -> Result<&'a str, Fault> {
        let word = self.word(words)?;
        match is_sdp_token(word) {
            true => Ok(word),
            false => Err(self.fault("a field is no token")),
        }
    }

    fn number<T: FromStr>(&self, word: &str) -> Result<T, Fault> {
        word.parse().map_err(|_| self.fault("a field is no number"))
    }

    fn ends(&self, words: &mut impl Iterator<Item = &'a str>) -> Result<(), Fault> {
        words.next().map_or(Ok(()), |_| Err(self.fault("more fields than it has")))
    }

    /// `<interval> <duration> <offset>...`
    fn repeats(&self) -> Result<SmolStr, Fault> {
        let mut words = self.words()?;
        for _ in 0..2 {
            self.duration(self.word(&mut words)?)?;
        }
        words.try_for_each(|word| self.duration(word))?;
        self.text()
    }

    /// `<time> <offset> <time> <offset>...`
    fn zones(&self) -> Result<SmolStr, Fault> {
        let mut words = self.words()?;
        while let Some(time) = words.next() {
            self.number::<u64>(time)?;
            let offset = self.word(&mut words)?;
            self.duration(offset.strip_prefix('-').unwrap_or(offset))?;
        }
        self.text()
    }

    /// A number of seconds, or of what its letter says.
    fn duration(&self, word: &str) -> Result<(), Fault> {
        self.number::<u64>(word.strip_suffix(['d', 'h', 'm', 's']).unwrap_or(word)).map(|_| ())
    }

    /// Takes a line from the first `m=` on.
    fn add_to_media(&self, medias: &mut Vec<Media>) -> Result<(), Fault> {
        if self.key == b'm' {
            medias.push(Media::parse(self)?);
            return Ok(());
        }
        let Some(media) = medias.last_mut() else { return Ok(()) };
        match self.key {
            b'i' => self.once(&mut media.title, Line::text),
            b'c' => Connection::parse(self).map(|connection| media.connections.push(connection)),
            b'b' => Bandwidth::parse(self).map(|bandwidth| media.bandwidths.push(bandwidth)),
            b'k' => self.once(&mut media.key, Line::text),
            b'a' => Attribute::parse(self, &mut media.attributes),
            _ => Ok(()),
        }
    }
}

impl Origin {
    /// `<user> <session id> <version> <network> <kind> <address>`
    fn parse(line: &Line<'_>) -> Result<Origin, Fault> {
        let mut words = line.words()?;
        let (user, session_id) = (line.word(&mut words)?.into(), line.word(&mut words)?.into());
        let version = line.number(line.word(&mut words)?)?;
        Ok(Origin { user, session_id, version, connection: Connection::of(line, words)? })
    }
}

impl Connection {
    /// `<network> <kind> <address>`
    fn parse(line: &Line<'_>) -> Result<Connection, Fault> {
        Connection::of(line, line.words()?)
    }

    fn of<'a>(line: &Line<'a>, mut words: impl Iterator<Item = &'a str>) -> Result<Connection, Fault> {
        let (network, kind) = (line.token(&mut words)?, line.token(&mut words)?);
        let address = line.word(&mut words)?.into();
        line.ends(&mut words)?;
        // Known words are written in the case of the RFC.
        let known = |word: &str, all: &[&'static str]| {
            let known = all.iter().find(|known| known.eq_ignore_ascii_case(word));
            known.map_or_else(|| word.into(), |known| SmolStr::new_static(known))
        };
        Ok(Connection { network: known(network, &["IN"]), kind: known(kind, &["IP4", "IP6"]), address })
    }
}

impl Bandwidth {
    /// `<kind>:<limit>`
    fn parse(line: &Line<'_>) -> Result<Bandwidth, Fault> {
        let (kind, limit) = line.str()?.split_once(':').ok_or_else(|| line.fault("no limit"))?;
        Ok(Bandwidth { kind: kind.into(), limit: line.number(limit)? })
    }
}

impl Time {
    /// `<start> <stop>`
    fn parse(line: &Line<'_>) -> Result<Time, Fault> {
        let mut words = line.words()?;
        let start = line.number(line.word(&mut words)?)?;
        let stop = line.number(line.word(&mut words)?)?;
        line.ends(&mut words)?;
        Ok(Time { start, stop, repeats: Vec::new() })
    }
}

impl Attribute {
    /// `<name>` or `<name>:<value>`
    fn parse(line: &Line<'_>, attributes: &mut Vec<Attribute>) -> Result<(), Fault> {
        let text = line.str()?;
        let (name, value) =
            text.split_once(':').map_or((text, None), |(name, value)| (name, Some(value.into())));
        if attributes.is_empty() {
            attributes.reserve(16); // As many as an ordinary stream has.
        }
        attributes.push(Attribute { name: name.into(), value });
        Ok(())
    }
}

impl Media {
    /// `<kind> <port>[/<ports>] <protocol> <format>...`
    fn parse(line: &Line<'_>) -> Result<Media, Fault> {
        let mut words = line.str()?.splitn(4, ' ');
        let kind = line.word(&mut words)?.into();
        let port = line.word(&mut words)?;
        let (port, ports) = match port.split_once('/') {
            Some((port, ports)) => (port, Some(line.number(ports)?)),
            None => (port, None),
        };
        Ok(Media {
            kind,
            port: line.number(port)?,
            ports,
            protocol: line.word(&mut words)?.into(),
            formats: line.word(&mut words)?.into(),
            title: None,
            connections: Vec::new(),
            bandwidths: Vec::new(),
            key: None,
            attributes: Vec::new(),
        })
    }
}

/// `token` of RFC 8866 §9, which has some characters more than that of SIP.
fn is_sdp_token(word: &str) -> bool {
    let more = |byte: u8| b"#$&^{|}".contains(&byte);
    let fits = |byte: u8| more(byte) || is_token(&[byte]);
    !word.is_empty() && word.bytes().all(fits)
}
