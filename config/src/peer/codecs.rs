//! Codecs of a peer.

use crate::read::{Item, nearest};

use super::{distinct, is_token};

/// Encoding names of audio that RFC 3551, its registry and phones in the field have.
const KNOWN: &[&str] = &[
    "PCMU",
    "PCMA",
    "PCMU-WB",
    "PCMA-WB",
    "G722",
    "G7221",
    "G723",
    "G726-16",
    "G726-24",
    "G726-32",
    "G726-40",
    "AAL2-G726-16",
    "AAL2-G726-24",
    "AAL2-G726-32",
    "AAL2-G726-40",
    "G728",
    "G729",
    "G729D",
    "G729E",
    "G7291",
    "GSM",
    "GSM-EFR",
    "GSM-HR-08",
    "AMR",
    "AMR-WB",
    "AMR-WB+",
    "EVS",
    "IVAS",
    "opus",
    "iLBC",
    "iSAC",
    "SILK",
    "speex",
    "BV16",
    "BV32",
    "L8",
    "L16",
    "L20",
    "L24",
    "DVI4",
    "LPC",
    "MPA",
    "MP4A-LATM",
    "mpeg4-generic",
    "QCELP",
    "EVRC",
    "EVRCB",
    "EVRCWB",
    "EVRCNW",
    "SMV",
    "VMR-WB",
    "VDVI",
    "UEMCLIP",
    "CLEARMODE",
    "CN",
    "RED",
    "tone",
    "telephone-event",
    "Siren7",
    "Siren14",
    "X-CELT",
    "LYRA",
];

/// What people say in place of the encoding name.
const NICKNAMES: &[(&str, &str)] = &[
    ("g711", "PCMU"),
    ("g711u", "PCMU"),
    ("g711ulaw", "PCMU"),
    ("g711mulaw", "PCMU"),
    ("ulaw", "PCMU"),
    ("mulaw", "PCMU"),
    ("g711a", "PCMA"),
    ("g711alaw", "PCMA"),
    ("alaw", "PCMA"),
    ("g729a", "G729"),
    ("g729ab", "G729"),
    ("g729b", "G729"),
    ("g7231", "G723"),
    ("g726", "G726-32"),
    ("slin", "L16"),
    ("dtmf", "telephone-event"),
    ("rfc2833", "telephone-event"),
    ("rfc4733", "telephone-event"),
    ("comfortnoise", "CN"),
];

/// Warns of a name that nobody knows: such a codec would never be offered.
pub(super) fn codecs(item: &Item<'_>) -> Option<Vec<String>> {
    let names = distinct(item, |item| {
        let name = item.string()?;
        if !is_token(name) {
            let remedy = "one that SDP knows, as in \"PCMU\", \"PCMA\", \"opus\"";
            item.wrong(format!("{name:?} is no encoding name"), remedy);
            return None;
        }
        if !KNOWN.iter().any(|known| known.eq_ignore_ascii_case(name)) {
            let remedy = match meant(name) {
                Some(meant) => format!("write {meant:?}"),
                None => "write a name as SDP has it, as in \"PCMU\", \"PCMA\", \"opus\"".to_owned(),
            };
            item.reader().warn(item.at(), format!("{name:?} is no codec that is known; {remedy}"));
        }
        // Encoding names ignore letter case, RFC 4855 §3.
        Some(Codec(name.to_owned()))
    })?;
    Some(names.into_iter().map(|Codec(name)| name).collect())
}

fn meant(name: &str) -> Option<&'static str> {
    let plain: String =
        name.chars().filter(char::is_ascii_alphanumeric).collect::<String>().to_ascii_lowercase();
    let nickname = NICKNAMES.iter().find(|(nickname, _)| *nickname == plain).map(|(_, name)| *name);
    let same = |known: &&&str| {
        known.chars().filter(char::is_ascii_alphanumeric).collect::<String>().eq_ignore_ascii_case(&plain)
    };
    nickname.or_else(|| KNOWN.iter().find(same).copied()).or_else(|| nearest(name, KNOWN.iter().copied()))
}

struct Codec(String);

impl PartialEq for Codec {
    fn eq(&self, other: &Self) -> bool {
        self.0.eq_ignore_ascii_case(&other.0)
    }
}
