//! Recordings encrypted at rest, with a key of the operator's: written as they come, readable up to where they end.
//!
//! ```text
//! "VCSEAL1\n"  salt (32 bytes)                 the file's own key: HKDF-SHA256 of the operator's key and the salt
//! length (4 bytes, big-endian)  sealed bytes   again and again: a piece, AES-256-GCM, nonce = its number
//! ```
//!
//! The length is authenticated with the piece, and so is whether it is the last one: its highest bit says so. Pieces that were
//! swapped, left out, repeated or cut off are noticed; a file whose writer was killed is read up to its last whole piece, and
//! said to have no end.

use std::io::{self, Read, Write};

use ring::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use ring::hkdf::{HKDF_SHA256, Salt};
use zeroize::Zeroizing;

const MAGIC: &[u8; 8] = b"VCSEAL1\n";

/// Marks the last piece.
const LAST: u32 = 1 << 31;

/// The longest piece, in bytes before it is sealed.
const PIECE: usize = 64 << 10;

/// The key of the operator's, 256 bits.
#[derive(Clone)]
pub struct Key(Zeroizing<[u8; 32]>);

impl std::fmt::Debug for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Key(***)")
    }
}

/// Why a sealed file cannot be read, or a key not used.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// 64 hexadecimal digits are.
    #[error("a key has 64 hexadecimal digits")]
    Key,
    /// It is another kind of file.
    #[error("this is no sealed recording")]
    Kind,
    /// Another key sealed it, or it was changed.
    #[error("piece {0} is sealed with another key, or was changed")]
    Piece(u64),
    /// It can't be read or written.
    #[error(transparent)]
    Io(#[from] io::Error),
}

impl Key {
    /// - `text`: 64 hexadecimal digits, with space around them.
    ///
    /// # Errors
    /// It has others, or another number of them.
    pub fn parse(text: &str) -> Result<Self, Error> {
        let text = text.trim().as_bytes();
        let (digits, rest) = text.as_chunks::<2>();
        let mut key = Zeroizing::new([0; 32]);
        if digits.len() != key.len() || !rest.is_empty() {
            return Err(Error::Key);
        }
        for (byte, [high, low]) in key.iter_mut().zip(digits) {
            let digit =
                |letter: u8| char::from(letter).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
            *byte = digit(*high).ok_or(Error::Key)? << 4 | digit(*low).ok_or(Error::Key)?;
        }
        Ok(Self(key))
    }

    /// The key of a file.
    fn of_file(&self, salt: &[u8]) -> Result<LessSafeKey, Error> {
        let extracted = Salt::new(HKDF_SHA256, salt).extract(&*self.0);
        let expanded =
            extracted.expand(&[b"voice-connector recording"], &AES_256_GCM).map_err(|_| Error::Key)?;
        Ok(LessSafeKey::new(UnboundKey::from(expanded)))
    }
}

/// Seals what is written to it.
#[derive(Debug)]
pub struct Sealer<W: Write> {
    key: LessSafeKey,
    to: W,
    number: u64,
    waiting: Vec<u8>,
}

impl<W: Write> Sealer<W> {
    /// - `salt`: random.
    ///
    /// # Errors
    /// The beginning can't be written.
    pub fn new(key: &Key, salt: [u8; 32], mut to: W) -> Result<Self, Error> {
        to.write_all(MAGIC)?;
        to.write_all(&salt)?;
        Ok(Self { key: key.of_file(&salt)?, to, number: 0, waiting: Vec::new() })
    }

    /// Writes the last piece. Without it the file has no end.
    ///
    /// # Errors
    /// It can't be written.
    pub fn finish(mut self) -> io::Result<W> {
        self.seal(LAST)?;
        self.to.flush()?;
        Ok(self.to)
    }

    fn seal(&mut self, mark: u32) -> io::Result<()> {
        let mut piece = std::mem::take(&mut self.waiting);
        let length = u32::try_from(piece.len()).map_err(io::Error::other)? | mark;
        let header = length.to_be_bytes();
        self.key
            .seal_in_place_append_tag(nonce(self.number), Aad::from(header), &mut piece)
            .map_err(|_| io::Error::other("the piece cannot be sealed"))?;
        self.number += 1;
        self.to.write_all(&header)?;
        self.to.write_all(&piece)?;
        piece.clear();
        self.waiting = piece;
        Ok(())
    }
}

impl<W: Write> Write for Sealer<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let room = PIECE - self.waiting.len();
        let taken = bytes.get(..room.min(bytes.len())).unwrap_or_default();
        self.waiting.extend_from_slice(taken);
        if self.waiting.len() == PIECE {
            self.seal(0)?;
        }
        Ok(taken.len())
    }

    /// What was written so far survives the end of the program: it is sealed as a piece.
    fn flush(&mut self) -> io::Result<()> {
        if !self.waiting.is_empty() {
            self.seal(0)?;
        }
        self.to.flush()
    }
}

/// How a sealed file ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// As its writer ended it.
    Whole,
    /// Its writer was killed: all up to its last whole piece was read.
    Cut,
}

/// Opens a sealed file: `voice-connector recording decrypt`.
///
/// # Errors
/// The key is another, the file was changed, or it can't be read or written. What was written before that is authentic.
pub fn open(key: &Key, mut from: impl Read, mut to: impl Write) -> Result<End, Error> {
    let (mut magic, mut salt) = ([0; MAGIC.len()], [0; 32]);
    if !fill(&mut from, &mut magic)? || magic != *MAGIC || !fill(&mut from, &mut salt)? {
        return Err(Error::Kind);
    }
    let key = key.of_file(&salt)?;
    let mut number = 0;
    let mut piece = Vec::new();
    loop {
        let mut header = [0; 4];
        if !fill(&mut from, &mut header)? {
            to.flush()?;
            return Ok(End::Cut);
        }
        let length = u32::from_be_bytes(header);
        let size = (length & !LAST) as usize;
        if size > PIECE {
            return Err(Error::Piece(number));
        }
        piece.resize(size + AES_256_GCM.tag_len(), 0);
        if !fill(&mut from, &mut piece)? {
            to.flush()?;
            return Ok(End::Cut);
        }
        let content = key.open_in_place(nonce(number), Aad::from(header), &mut piece);
        to.write_all(content.map_err(|_| Error::Piece(number))?)?;
        number += 1;
        if length & LAST != 0 {
            to.flush()?;
            // Nothing belongs behind the last piece.
            return if fill(&mut from, &mut [0])? { Err(Error::Piece(number)) } else { Ok(End::Whole) };
        }
    }
}

/// Each piece has a number of its own, and each file a key: no nonce is used twice.
fn nonce(number: u64) -> Nonce {
    let mut nonce = [0; 12];
    nonce.iter_mut().skip(4).zip(number.to_be_bytes()).for_each(|(byte, from)| *byte = from);
    Nonce::assume_unique_for_key(nonce)
}

/// Whether there was as much.
fn fill(from: &mut impl Read, buffer: &mut [u8]) -> io::Result<bool> {
    match from.read_exact(buffer) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(false),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(digit: &str) -> Key {
        Key::parse(&digit.repeat(64)).unwrap()
    }

    /// Three pieces: of a flush, of a full buffer, and the end.
    fn sealed() -> (Vec<u8>, Vec<u8>) {
        let content: Vec<u8> = (0..PIECE + 100).map(|at| (at % 251) as u8).collect();
        let mut sealer = Sealer::new(&key("a"), [7; 32], Vec::new()).unwrap();
        sealer.write_all(&content[..50]).unwrap();
        sealer.flush().unwrap();
        sealer.flush().unwrap();
        sealer.write_all(&content[50..]).unwrap();
        (content, sealer.finish().unwrap())
    }

    fn opened(bytes: &[u8]) -> (Result<End, Error>, Vec<u8>) {
        let mut out = Vec::new();
        (open(&key("a"), bytes, &mut out), out)
    }

    #[test]
    fn what_was_sealed_is_opened_with_its_key_alone() {
        let (content, sealed) = sealed();
        let (end, found) = opened(&sealed);
        assert!(matches!(end, Ok(End::Whole)) && found == content);
        assert!(!sealed.windows(16).any(|window| window == &content[..16]));
        let mut out = Vec::new();
        assert!(matches!(open(&key("b"), &sealed[..], &mut out), Err(Error::Piece(0))));
        assert!(out.is_empty());
        assert!(matches!(opened(b"RIFF").0, Err(Error::Kind)));
        assert_eq!(format!("{:?}", key("a")), "Key(***)");
        for text in ["", "xy", &"g".repeat(64), &"a".repeat(63), &"a".repeat(66)] {
            assert!(matches!(Key::parse(text), Err(Error::Key)));
        }
    }

    #[test]
    fn a_file_that_was_cut_is_read_up_to_its_last_whole_piece() {
        let (content, sealed) = sealed();
        for length in (40..sealed.len()).step_by(997).chain([sealed.len() - 1]) {
            let (end, found) = opened(&sealed[..length]);
            assert!(matches!(end, Ok(End::Cut)), "{length}: {end:?}");
            assert!(content.starts_with(&found));
            assert_eq!(
                found.len(),
                if length < 110 {
                    0
                } else if length < 110 + 20 + PIECE {
                    50
                } else {
                    50 + PIECE
                }
            );
        }
    }

    #[test]
    fn any_change_is_noticed() {
        let (_, sealed) = sealed();
        for at in (0..sealed.len()).step_by(331) {
            let mut changed = sealed.clone();
            changed[at] ^= 0x80;
            let (end, _) = opened(&changed);
            assert!(!matches!(end, Ok(End::Whole)), "byte {at}");
        }
        // Pieces of 50 and of 65536 bytes, with 20 bytes around each.
        let (head, pieces) = sealed.split_at(40);
        let (first, rest) = pieces.split_at(70);
        let (second, last) = rest.split_at(PIECE + 20);
        for order in [
            vec![second, first, last],
            vec![first, last],
            vec![first, first, second, last],
            vec![first, second, last, last],
        ] {
            let (end, _) = opened(&[head, &order.concat()].concat());
            assert!(matches!(end, Err(Error::Piece(_))), "{end:?}");
        }
    }
}
