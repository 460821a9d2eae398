//! Tokens that know their owner: branches, tags and Call-IDs of ours carry the shard that made them.
//!
//! ```text
//! vc1  7f     0003   d                       5e1f00d2c3b4a596
//! |    |      |      |                       64 random bits (of a stateless tag: a keyed hash)
//! |    |      |      d: kept by its shard, s: tag of a stateless reply
//! |    |      shard
//! |    address group
//! version
//! ```
//!
//! So a later message finds its shard without a table. Nothing here is a secret or a proof: whoever makes up such
//! a token reaches a shard that has never heard of it, and is told 481.

use std::fmt::{self, Display as _};
use std::hash::Hasher;

use sip::Message;
use siphasher::sip::SipHasher13;
use smol_str::{SmolStr, ToSmolStr};

use crate::random::Random;

/// What a branch of RFC 3261 begins with. §8.1.1.7.
pub(crate) const MAGIC_COOKIE: &str = "z9hG4bK";
const VERSION: &str = "vc1";
/// Length of [`Tokens::branch`].
pub(crate) const BRANCH_LENGTH: usize = 7 + TOKEN_LENGTH;

/// Bytes of each of our tokens.
const TOKEN_LENGTH: usize = 3 + 2 + 4 + 1 + 16;
const KEPT: u8 = b'd';
const STATELESS: u8 = b's';

/// The key of the hash that spreads Call-IDs over the shards: nobody outside can aim at one shard.
#[derive(Clone, Copy)]
pub struct HashKey([u8; 16]);

impl HashKey {
    /// A fresh key.
    pub fn random(random: &mut dyn Random) -> HashKey {
        let mut key = [0; 16];
        for (byte, from) in key
            .iter_mut()
            .zip([random.next_u64(), random.next_u64()].iter().flat_map(|half| half.to_ne_bytes()))
        {
            *byte = from;
        }
        HashKey(key)
    }

    /// A key for one more purpose, from a secret that has another.
    pub fn derived(secret: &[u8; 32]) -> HashKey {
        let (first, second) = secret.split_at(16);
        let mut key = [0; 16];
        key.copy_from_slice(first);
        let (seed, mut derived) = (HashKey(key), [0; 16]);
        for (number, half) in (0..).zip(derived.chunks_mut(8)) {
            half.copy_from_slice(&seed.hash(&[second, &[number]].concat()).to_ne_bytes());
        }
        HashKey(derived)
    }

    /// SipHash-1-3 of `bytes`.
    pub fn hash(&self, bytes: &[u8]) -> u64 {
        let mut hasher = SipHasher13::new_with_key(&self.0);
        hasher.write(bytes);
        hasher.finish()
    }
}

impl std::fmt::Debug for HashKey {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("HashKey(***)")
    }
}

/// What a token of ours says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TokenInfo {
    /// The address group: which movable address its call lives at. 0 on a single machine.
    pub group: u8,
    /// The shard that made it.
    pub shard: u16,
    /// Whether it is the To tag of a stateless reply, whose ACK is absorbed.
    pub stateless: bool,
}

/// Reads a branch, a tag or a Call-ID; `None` when it is not one of ours.
pub fn token_info(text: &str) -> Option<TokenInfo> {
    let token = text.strip_prefix(MAGIC_COOKIE).unwrap_or(text);
    let token = token.split_once('@').map_or(token, |(token, _host)| token);
    let fields = token.strip_prefix(VERSION)?;
    if fields.len() != 2 + 4 + 1 + 16 || !fields.is_ascii() {
        return None;
    }
    let (group, rest) = fields.split_at_checked(2)?;
    let (shard, rest) = rest.split_at_checked(4)?;
    let (kind, random) = rest.split_at_checked(1)?;
    let hex = |text: &str| text.bytes().all(|byte| byte.is_ascii_hexdigit());
    if !hex(group) || !hex(shard) || !hex(random) {
        return None;
    }
    Some(TokenInfo {
        group: u8::from_str_radix(group, 16).ok()?,
        shard: u16::from_str_radix(shard, 16).ok()?,
        stateless: match kind.as_bytes() {
            [KEPT] => false,
            [STATELESS] => true,
            _ => return None,
        },
    })
}

/// A token as it is written.
#[derive(Clone, Copy)]
struct Token {
    group: u8,
    shard: u16,
    kind: u8,
    random: u64,
}

impl fmt::Display for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Token { group, shard, kind, random } = *self;
        // Digit by digit: a call writes several, and a format of them all takes many times longer.
        f.write_str(VERSION)?;
        write_hex(f, u64::from(group), 2)?;
        write_hex(f, u64::from(shard), 4)?;
        char::from(kind).fmt(f)?;
        write_hex(f, random, 16)
    }
}

/// The last so many hexadecimal digits of a number.
fn write_hex(f: &mut fmt::Formatter<'_>, number: u64, digits: usize) -> fmt::Result {
    let (mut text, mut left) = ([0; 16], number);
    for place in text.iter_mut().rev() {
        let digit = u8::try_from(left & 0xf).unwrap_or_default();
        *place = if digit < 10 { b'0' + digit } else { b'a' - 10 + digit };
        left >>= 4;
    }
    let (_, last) = text.split_at(text.len().saturating_sub(digits));
    f.write_str(std::str::from_utf8(last).unwrap_or_default())
}

/// Makes the tokens of one shard.
pub struct Tokens {
    group: u8,
    shard: u16,
    stateless_key: HashKey,
    random: Box<dyn Random>,
}

impl Tokens {
    /// - `group`: the address group, 0 on a single machine.
    /// - `random`: unpredictable in production, seeded in a simulation.
    pub fn new(group: u8, shard: u16, mut random: Box<dyn Random>) -> Tokens {
        let stateless_key = HashKey::random(random.as_mut());
        Tokens { group, shard, stateless_key, random }
    }

    /// A Via branch: the magic cookie and a token. RFC 3261 §8.1.1.7.
    pub fn branch(&mut self) -> impl fmt::Display + use<> {
        let token = self.fresh();
        fmt::from_fn(move |f| {
            f.write_str(MAGIC_COOKIE)?;
            token.fmt(f)
        })
    }

    /// A From or To tag. RFC 3261 §19.3.
    pub fn tag(&mut self) -> SmolStr {
        self.fresh().to_smolstr()
    }

    /// A Call-ID, `token@host`. RFC 3261 §20.8.
    pub fn call_id<'a>(&mut self, host: &'a str) -> impl fmt::Display + use<'a> {
        let token = self.fresh();
        fmt::from_fn(move |f| write!(f, "{token}@{host}"))
    }

    /// The To tag of a reply for which nothing is kept.
    ///
    /// - `identity`: what repeats of the request have in common (Call-ID and branch); the same identity gives the
    ///   same tag, as RFC 3261 §8.2.7 demands.
    pub fn stateless_tag(&self, identity: &[u8]) -> String {
        self.token(STATELESS, self.stateless_key.hash(identity)).to_string()
    }

    /// A client nonce for a digest answer. RFC 7616 §3.4.
    pub fn cnonce(&mut self) -> SmolStr {
        self.tag()
    }

    /// The session id of an SDP origin: positive as a signed 64-bit number, for peers that read it so.
    pub fn session_id(&mut self) -> u64 {
        self.random.next_u64() >> 1
    }

    /// A random number from the same source.
    pub fn random(&mut self) -> &mut dyn Random {
        self.random.as_mut()
    }

    /// The shard whose tokens these are.
    pub fn shard(&self) -> u16 {
        self.shard
    }

    fn fresh(&mut self) -> Token {
        let random = self.random.next_u64();
        self.token(KEPT, random)
    }

    fn token(&self, kind: u8, random: u64) -> Token {
        Token { group: self.group, shard: self.shard, kind, random }
    }
}

impl std::fmt::Debug for Tokens {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Tokens").field("group", &self.group).field("shard", &self.shard).finish()
    }
}

/// The parts of a message that say whose it is.
#[derive(Debug, Clone, Copy)]
pub enum Clue<'a> {
    /// A response: the branch of its top Via.
    Branch(&'a str),
    /// A request: its To tag, where it has one.
    ToTag(&'a str),
    /// A request outside a dialog: nothing but its Call-ID. CANCEL and ACK follow their INVITE by it.
    None,
}

/// Which shards there are, and how a message finds its own.
#[derive(Debug, Clone, Copy)]
pub struct Ownership {
    group: u8,
    shards: u16,
    key: HashKey,
}

impl Ownership {
    /// - `shards`: how many there are; 0 counts as 1.
    /// - `key`: the same for every shard and transport thread.
    pub fn new(group: u8, shards: u16, key: HashKey) -> Ownership {
        Ownership { group, shards: shards.max(1), key }
    }

    /// How many shards there are, at least one.
    pub fn shards(&self) -> u16 {
        self.shards
    }

    /// The To tag of a reply that a transport thread gives itself; see [`Tokens::stateless_tag`].
    pub fn stateless_tag(&self, identity: &[u8]) -> String {
        let (group, hash) = (self.group, self.key.hash(identity));
        format!("{VERSION}{group:02x}0000{}{hash:016x}", char::from(STATELESS))
    }

    /// The shard that `message` belongs to, always below [`Ownership::shards`].
    ///
    /// A response names it in the branch of its top Via, a request in its To tag; what has none of these goes by its Call-ID, so
    /// that CANCEL and ACK follow their INVITE. One with Replaces is handed on from there (`core/handed_on.rs`).
    pub fn owner(&self, message: &Message) -> u16 {
        let call_id = message.call_id().unwrap_or_default().as_bytes();
        if message.is_response() {
            let branch = message.branch();
            return self.owner_of(branch.as_deref().map_or(Clue::None, Clue::Branch), call_id);
        }
        self.owner_of(message.to_tag().as_deref().map_or(Clue::None, Clue::ToTag), call_id)
    }

    /// The shard that a message with these parts belongs to.
    ///
    /// A token of ours names it; a foreign or outdated one (another group, a shard that is no more) counts for
    /// nothing, and the keyed hash of `call_id` decides.
    pub fn owner_of(&self, clue: Clue<'_>, call_id: &[u8]) -> u16 {
        let named = match clue {
            Clue::Branch(token) | Clue::ToTag(token) => token_info(token),
            Clue::None => None,
        };
        match named {
            Some(info) if info.group == self.group && info.shard < self.shards => info.shard,
            _ => {
                let slot = self.key.hash(call_id) % u64::from(self.shards);
                u16::try_from(slot).unwrap_or(0)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::SeededRandom;

    fn tokens(shard: u16) -> Tokens {
        Tokens::new(2, shard, Box::new(SeededRandom::new(1)))
    }

    fn ownership(shards: u16) -> Ownership {
        Ownership::new(2, shards, HashKey::random(&mut SeededRandom::new(5)))
    }

    #[test]
    fn a_token_is_written_with_all_its_digits() {
        for (group, shard, random) in
            [(0, 0, 0), (0xf, 0xabc, 0x0123_4567_89ab_cdef), (0xff, 0xffff, u64::MAX)]
        {
            let token = Token { group, shard, kind: KEPT, random };
            assert_eq!(token.to_string(), format!("vc1{group:02x}{shard:04x}d{random:016x}"));
            assert_eq!(token.to_string().len(), TOKEN_LENGTH);
        }
    }

    #[test]
    fn every_token_names_its_shard() {
        let mut tokens = tokens(3);
        let kept = Some(TokenInfo { group: 2, shard: 3, stateless: false });
        assert_eq!(token_info(&tokens.branch().to_string()), kept);
        assert_eq!(token_info(&tokens.tag()), kept);
        assert_eq!(token_info(&tokens.call_id("gateway.example.com").to_string()), kept);
        assert_eq!(
            token_info(&tokens.stateless_tag(b"x")),
            kept.map(|info| TokenInfo { stateless: true, ..info })
        );
        assert!(tokens.branch().to_string().starts_with("z9hG4bK"));
        assert_eq!(tokens.branch().to_string().len(), BRANCH_LENGTH);
    }

    #[test]
    fn tokens_differ_but_stateless_tags_of_one_request_do_not() {
        let mut tokens = tokens(0);
        assert_ne!(tokens.tag(), tokens.tag());
        assert_eq!(tokens.stateless_tag(b"call 1"), tokens.stateless_tag(b"call 1"));
        assert_ne!(tokens.stateless_tag(b"call 1"), tokens.stateless_tag(b"call 2"));
    }

    #[test]
    fn foreign_tokens_are_not_read() {
        let ours = tokens(1).tag();
        for foreign in [
            "",
            "z9hG4bK",
            "z9hG4bK776asdhds",
            "vc1",
            "1928301774",
            &ours[1..],
            &ours[..ours.len() - 1],
            &format!("{ours}0"),
            &ours.replacen("d", "x", 1),
            &ours.replacen("vc1", "vc2", 1),
            "vc1+2+001d0000000000000000",
            "vc1é2000d0000000000000000",
        ] {
            assert_eq!(token_info(foreign), None, "{foreign}");
        }
    }

    #[test]
    fn our_tokens_decide_and_foreign_ones_leave_it_to_the_call_id() {
        let four = ownership(4);
        let call_id = b"abc@phone";
        let hashed = four.owner_of(Clue::None, call_id);
        for shard in 0..4 {
            assert_eq!(four.owner_of(Clue::ToTag(&tokens(shard).tag()), call_id), shard);
            assert_eq!(four.owner_of(Clue::Branch(&tokens(shard).branch().to_string()), call_id), shard);
        }
        let outdated = tokens(9).tag();
        let elsewhere = Tokens::new(3, 1, Box::new(SeededRandom::new(1))).tag();
        for clue in [Clue::ToTag("foreign"), Clue::ToTag(&outdated), Clue::Branch(&elsewhere)] {
            assert_eq!(four.owner_of(clue, call_id), hashed);
        }
        assert_eq!(ownership(0).owner_of(Clue::None, call_id), 0);
    }

    #[test]
    fn a_whole_message_finds_its_shard() {
        let four = ownership(4);
        let hashed = four.owner_of(Clue::None, b"abc@phone");
        let other = (hashed + 1) % 4;
        let (tag, branch) = (tokens(other).tag(), tokens(other).branch().to_string());
        let parse = |start: &str, branch: &str, to: &str| {
            let text = format!(
                "{start}\r\nVia: SIP/2.0/UDP 192.0.2.1;branch={branch}\r\nFrom: <sip:a@b>;tag=1\r\n\
                 To: <sip:c@d>{to}\r\nCall-ID: abc@phone\r\nCSeq: 1 INVITE\r\n\r\n"
            );
            Message::parse(text.into()).unwrap()
        };
        for (start, branch, to, owner) in [
            ("INVITE sip:c@d SIP/2.0", "z9hG4bK1", "", hashed),
            ("INVITE sip:c@d SIP/2.0", &branch, "", hashed),
            ("BYE sip:c@d SIP/2.0", "z9hG4bK1", &format!(";tag={tag}"), other),
            ("BYE sip:c@d SIP/2.0", "z9hG4bK1", ";tag=theirs", hashed),
            ("SIP/2.0 200 OK", &branch, ";tag=theirs", other),
            ("SIP/2.0 200 OK", "z9hG4bK1", &format!(";tag={tag}"), hashed),
        ] {
            assert_eq!(four.owner(&parse(start, branch, to)), owner, "{start} {branch} {to}");
        }
    }

    #[test]
    fn call_ids_spread_over_all_shards() {
        let four = ownership(4);
        let mut counts = [0; 4];
        for call in 0..4_000 {
            counts[usize::from(four.owner_of(Clue::None, format!("{call}@pbx").as_bytes()))] += 1;
        }
        assert!(counts.iter().all(|count| (850..1_150).contains(count)), "{counts:?}");
    }
}
