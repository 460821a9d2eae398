//! The media of a phone's call: what it offers and answers, and what it believes to have agreed on with the gateway.
//! RFC 3264; keys by RFC 4568.
//!
//! Descriptions are written and read as text here: the gateway's own reading of them is what is tested.

use std::net::{IpAddr, SocketAddr};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use rtp::srtp::{MasterKey, SrtpKeys, Suite};

use crate::random::{Random, SeededRandom};

/// The suites that a phone with SRTP knows.
const SUITES: [Suite; 3] =
    [Suite::AesCm128HmacSha1_80, Suite::AesCm128HmacSha1_32, Suite::AesCm256HmacSha1_80];

/// Whether a phone's media is SRTP.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Speaks {
    #[default]
    Rtp,
    /// Offers `RTP/AVP` with keys, and takes either.
    Either,
    /// Offers `RTP/SAVP`, and takes nothing without keys.
    Srtp,
}

/// One `a=crypto` line.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Line {
    tag: u32,
    suite: Suite,
    key: Vec<u8>,
}

/// What a phone has agreed on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Agreed {
    /// The gateway's RTP port.
    pub port: u16,
    /// The phone does not want to hear anything.
    pub on_hold: bool,
    /// As the gateway must have them; `None`: RTP.
    pub keys: Option<Box<SrtpKeys>>,
    /// The marks of the two descriptions that hold; empty where they carry none.
    pub ours: String,
    pub theirs: String,
}

/// See the module.
#[derive(Debug, Clone, Default)]
pub(crate) struct Media {
    speaks: Speaks,
    /// Makes new keys for each description.
    rekeys: bool,
    own: Vec<Line>,
    version: u32,
    /// The offer of its own that is not answered: its lines, and whether it holds.
    offered: Option<(Vec<Line>, bool)>,
    agreed: Option<Agreed>,
    /// The marks of all that was ever agreed on: its own description, and the other side's.
    pairs: Vec<(String, String)>,
    /// What its newest description is told apart by.
    mark: String,
    last: Bytes,
}

/// What a phone's descriptions say beside keys: its address, and its streams as lines.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Terms {
    pub ip: IpAddr,
    pub streams: &'static str,
    /// A name in place of `ip` in `c=`.
    pub host: Option<&'static str>,
    /// Where it wants its media, if that is not `ip` and the port of `streams`.
    pub at: Option<SocketAddr>,
    /// Each description carries a mark, `a=x-mark`, by which it is told apart.
    pub marked: bool,
    /// What says the same as the description before is the same, version included. RFC 3264 §8.
    pub repeats: bool,
}

/// The other side's description.
struct Described {
    port: u16,
    secure: bool,
    lines: Vec<Line>,
    mark: String,
}

impl Media {
    pub fn new(speaks: Speaks, rekeys: bool) -> Media {
        Media { speaks, rekeys, ..Media::default() }
    }

    /// What holds now; `None` while an offer of its own is not answered, and before the first.
    pub fn agreed(&self) -> Option<&Agreed> {
        self.agreed.as_ref().filter(|_| self.offered.is_none())
    }

    /// Whether an offer of its own is not answered.
    pub fn is_offering(&self) -> bool {
        self.offered.is_some()
    }

    /// An offer with a version of its own.
    pub fn offer(&mut self, terms: Terms, direction: &str, random: &mut SeededRandom) -> Bytes {
        if self.rekeys || self.own.is_empty() {
            self.make_keys(random);
        }
        let lines = if self.speaks == Speaks::Rtp { Vec::new() } else { self.own.clone() };
        let transport = if self.speaks == Speaks::Srtp { "RTP/SAVP" } else { "RTP/AVP" };
        self.make_mark(terms, random);
        self.offered = Some((lines.clone(), holds(direction)));
        self.describe(terms, transport, &lines, direction)
    }

    /// The answer to an offer; `None`: it does not suit.
    pub fn answer(
        &mut self,
        terms: Terms,
        offer: &[u8],
        direction: &str,
        random: &mut SeededRandom,
    ) -> Option<Bytes> {
        let Described { port, secure, lines, mark } = read(offer)?;
        if self.rekeys || self.own.is_empty() {
            self.make_keys(random);
        }
        let own = |suite| self.own.iter().find(|own| own.suite == suite);
        let chosen = lines
            .iter()
            .filter(|_| self.speaks != Speaks::Rtp)
            .find_map(|line| Some((line, Line { tag: line.tag, ..own(line.suite)?.clone() })));
        if chosen.is_none() && (secure || self.speaks == Speaks::Srtp) {
            return None;
        }
        let keys = chosen.as_ref().map(|(theirs, ours)| keys(theirs, ours));
        self.make_mark(terms, random);
        self.agree(Agreed { port, on_hold: holds(direction), keys, ours: self.mark.clone(), theirs: mark });
        let transport = if secure { "RTP/SAVP" } else { "RTP/AVP" };
        let line: Vec<Line> = chosen.into_iter().map(|(_, ours)| ours).collect();
        Some(self.describe(terms, transport, &line, direction))
    }

    /// Takes the answer to its own offer. False: it does not fit the offer.
    pub fn take_answer(&mut self, answer: &[u8]) -> bool {
        let Some((lines, on_hold)) = self.offered.take() else { return true };
        let Some(Described { port, secure, lines: chosen, mark }) = read(answer) else { return false };
        if port == 0 && !self.mark.is_empty() {
            return false;
        }
        if secure != (self.speaks == Speaks::Srtp) || chosen.len() > 1 {
            return false;
        }
        let keys = match chosen.first() {
            None if self.speaks == Speaks::Srtp => return false,
            None => None,
            Some(theirs) => {
                let same = |line: &&Line| line.tag == theirs.tag && line.suite == theirs.suite;
                let Some(ours) = lines.iter().find(same) else { return false };
                Some(keys(theirs, ours))
            }
        };
        self.agree(Agreed { port, on_hold, keys, ours: self.mark.clone(), theirs: mark });
        true
    }

    fn agree(&mut self, agreed: Agreed) {
        self.pairs.push((agreed.ours.clone(), agreed.theirs.clone()));
        self.agreed = Some(agreed);
    }

    /// Whether these two descriptions were agreed on at any time, by their marks.
    pub fn has_agreed_on(&self, ours: &str, theirs: &str) -> bool {
        self.pairs.iter().any(|(mine, other)| mine == ours && other == theirs)
    }

    /// Its offer was refused: what was agreed before holds on.
    pub fn refused(&mut self) {
        self.offered = None;
    }

    /// A fault of a phone: what it offered in vain holds from now on, as it believes.
    pub fn keep_what_was_refused(&mut self) {
        if let Some(agreed) = &mut self.agreed {
            agreed.ours.clone_from(&self.mark);
        }
    }

    fn make_mark(&mut self, terms: Terms, random: &mut SeededRandom) {
        if terms.marked {
            self.mark = format!("{:010x}", random.next_u64() >> 24);
        }
    }

    fn make_keys(&mut self, random: &mut SeededRandom) {
        let first = random.below(3) as usize;
        self.own = (0..SUITES.len())
            .map(|index| {
                let suite = SUITES[(first + index) % SUITES.len()];
                let key = (0..suite.inline_len()).map(|_| random.below(256) as u8).collect();
                Line { tag: index as u32 + 1, suite, key }
            })
            .collect();
    }

    fn describe(&mut self, terms: Terms, transport: &str, lines: &[Line], direction: &str) -> Bytes {
        let crypto: String = lines
            .iter()
            .map(|line| {
                format!("a=crypto:{} {} inline:{}\r\n", line.tag, line.suite, STANDARD.encode(&line.key))
            })
            .collect();
        let Terms { ip, streams, host, at, .. } = terms;
        let mark = if terms.marked { format!("a=x-mark:{}\r\n", self.mark) } else { String::new() };
        let mut streams = streams.replacen("RTP/AVP", transport, 1);
        if let Some(at) = at {
            streams = streams.replacen("audio 40000", &format!("audio {}", at.port()), 1);
        }
        let ip = at.map_or(ip, |at| at.ip());
        let host = host.map_or(ip.to_string(), str::to_owned);
        let (media, attributes) = streams.split_once("\r\n").unwrap_or((&streams, ""));
        let describe = |version: u32| -> Bytes {
            format!(
                "v=0\r\no=- 42 {version} IN IP4 {ip}\r\ns=-\r\nc=IN IP4 {host}\r\nt=0 0\r\n\
                 {media}\r\n{crypto}{attributes}a={direction}\r\n{mark}"
            )
            .into()
        };
        if !terms.repeats || describe(self.version) != self.last {
            self.version += 1;
            self.last = describe(self.version);
        }
        self.last.clone()
    }
}

fn holds(direction: &str) -> bool {
    matches!(direction, "sendonly" | "inactive")
}

/// The gateway's view: it sends with its own key.
fn keys(gateway: &Line, phone: &Line) -> Box<SrtpKeys> {
    let key = |line: &Line| MasterKey::new(line.suite, &line.key).unwrap();
    Box::new(SrtpKeys::new(gateway.suite, key(gateway), key(phone)))
}

/// Whether a body has a session description in it.
pub(crate) fn describes(body: &[u8]) -> bool {
    read(body).is_some()
}

/// Reads the session description in a body, other parts aside.
fn read(body: &[u8]) -> Option<Described> {
    let text = String::from_utf8_lossy(body);
    let mut described = None;
    for line in text.lines() {
        if let Some(media) = line.strip_prefix("m=audio ").or_else(|| line.strip_prefix("m=image ")) {
            let mut words = media.split(' ');
            let port = words.next()?.parse().ok()?;
            // One that is refused says nothing beside another.
            if port != 0 || described.is_none() {
                let secure = words.next()? == "RTP/SAVP";
                described = Some(Described { port, secure, lines: Vec::new(), mark: String::new() });
            }
        }
        if let (Some(mark), Some(described)) = (line.strip_prefix("a=x-mark:"), &mut described) {
            described.mark = mark.to_owned();
        }
        if let (Some(crypto), Some(described)) = (line.strip_prefix("a=crypto:"), &mut described) {
            let mut words = crypto.split(' ');
            let (tag, suite, key) = (words.next()?.parse().ok()?, words.next()?, words.next()?);
            let Ok(suite) = suite.parse() else { continue };
            let key = STANDARD.decode(key.strip_prefix("inline:")?).ok()?;
            described.lines.push(Line { tag, suite, key });
        }
    }
    described
}
