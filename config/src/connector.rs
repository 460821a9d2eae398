//! The tables `[[voice_connector]]`.

mod digest;
mod emergency;
mod logging;
mod origination;
mod recording;
mod siprec;
mod streaming;
mod termination;

pub use digest::{ChallengeStatus, DigestAlgorithm};
pub use emergency::Emergency;
pub use logging::Logging;
pub use origination::Origination;
pub use recording::{OnFailure, Recorded, Recording, SampleRate};
pub use siprec::Siprec;
pub use streaming::{Kinesis, StreamFormat, Streaming, StreamingKind, StreamingSink, WebSocket};
pub use termination::{CallerIdPolicy, IdentityHeader, Termination};

use crate::check::Kind;
use crate::number_format::Home;
use crate::read::{Item, Table};
use crate::{ConnectorId, CountryCode, Peer, Registration, Srtp};

/// `[[voice_connector]]`: one trunk.
#[derive(Debug, Clone)]
pub struct VoiceConnector {
    /// Unique; 1 to 22 lower-case letters and digits. Reached at `<id>.<domain>`.
    pub id: ConnectorId,
    /// For people. Default: the id.
    pub name: String,
    /// TLS and SRTP only. Default: false.
    pub encryption: bool,
    /// Where the customer's systems dial from; required where a format of theirs is national or international. Default:
    /// none.
    pub country: Option<CountryCode>,
    /// Outbound. Default: off.
    pub termination: Termination,
    /// Inbound. Default: off.
    pub origination: Origination,
    /// How the customer's systems speak.
    pub peer: Peer,
    /// One entry a country. Default: none.
    pub emergency: Vec<Emergency>,
    /// What is logged of its calls.
    pub logging: Logging,
    /// What is recorded of its calls. Default: nothing.
    pub recording: Recording,
    /// Recording sessions. Default: none.
    pub siprec: Siprec,
    /// Where its calls are streamed to. Default: nowhere.
    pub streaming: Streaming,
}

impl VoiceConnector {
    pub(crate) fn read(table: &Table<'_>) -> Option<Self> {
        let reader = table.reader();
        let item = table.required("id", "id = \"office\", or other 1 to 22 lower-case letters and digits")?;
        let id = ConnectorId::from(item.string().map(|text| id_text(&item, text))?);
        reader.fact(|facts| facts.name(Kind::Connector, id.as_str(), item.at()));
        let encryption = table.get("encryption").and_then(|item| item.boolean()).unwrap_or(false);
        if encryption {
            reader.fact(|facts| facts.encrypted.push((id.clone(), table.at())));
        }
        let home = Home::read(table, "write country = \"US\" in [[voice_connector]]");
        let termination = table.get("termination").and_then(|item| item.table("termination"));
        let origination = table.get("origination").and_then(|item| item.table("origination"));
        let emergency = table.get("emergency").map(|item| item.tables("emergency")).unwrap_or_default();
        let peer = read_peer(table, encryption);
        let registers = peer.registration == Registration::On;
        let connector = Self {
            name: table.get("name").and_then(|item| item.name_text()).unwrap_or(id.as_str()).to_owned(),
            encryption,
            country: home.country,
            termination: termination
                .as_ref()
                .map(|table| Termination::read(table, &id, &home))
                .unwrap_or_default(),
            origination: origination
                .map(|table| Origination::read(&table, encryption, registers, &home))
                .unwrap_or_default(),
            peer,
            emergency: emergency.iter().filter_map(Emergency::read).collect(),
            logging: table
                .get("logging")
                .and_then(|item| item.table("logging"))
                .map(Logging::read)
                .unwrap_or_default(),
            recording: table
                .get("recording")
                .and_then(|item| item.table("recording"))
                .map(|table| Recording::read(&table))
                .unwrap_or_default(),
            streaming: table
                .get("streaming")
                .and_then(|item| item.table("streaming"))
                .map(|table| Streaming::read(&table))
                .unwrap_or_default(),
            siprec: table
                .get("siprec")
                .and_then(|item| item.table("siprec"))
                .map(|table| Siprec::read(&table, encryption))
                .unwrap_or_default(),
            id,
        };
        check_emergency(table, &emergency, &connector);
        check_registration(table, &connector);
        if connector.siprec.accept && !connector.termination.enabled {
            let id = &connector.id;
            reader.warn(
                table.at(),
                format!("voice connector {id} takes no recording sessions: its termination is off"),
            );
        }
        if let Some(termination) = &termination {
            warn_termination(termination, &connector);
        }
        Some(connector)
    }
}

/// The id, whatever is wrong with it, so that what refers to it finds it.
fn id_text<'a>(item: &Item<'_>, text: &'a str) -> &'a str {
    let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    if !(1..=22).contains(&text.len()) || !text.chars().all(fits) {
        let lower: String = text.to_ascii_lowercase().chars().filter(|c| fits(*c)).take(22).collect();
        let remedy = match lower.as_str() {
            "" => "1 to 22 lower-case letters and digits".into(),
            lower => format!("{lower:?}, or other 1 to 22 lower-case letters and digits"),
        };
        item.wrong(format!("{text:?} is not the id of a voice connector"), remedy);
    }
    text
}

fn read_peer(table: &Table<'_>, encryption: bool) -> Peer {
    let peer = Peer::read(table.get("peer"));
    if encryption
        && peer.srtp.is_some_and(|srtp| srtp != Srtp::Required)
        && let Some(srtp) = table.get("peer").and_then(|item| item.table("peer")?.get("srtp"))
    {
        srtp.error("an encrypted connector takes SRTP only", "remove the line");
    }
    peer
}

/// Calls go to whoever registers: an address alone, which may be forged, is no proof for that.
fn check_registration(table: &Table<'_>, connector: &VoiceConnector) {
    if connector.peer.registration != Registration::On || !connector.termination.credentials.is_empty() {
        return;
    }
    if let Some(item) = table.get("peer").and_then(|item| item.table("peer")?.get("registration")) {
        let problem = format!("voice connector {} has no credentials to register with", connector.id);
        let remedy = "write credentials = [{ username = \"...\", password = \"...\" }] in \
                      [voice_connector.termination], or \"accept\" here, which keeps nothing";
        item.error(problem, remedy);
    }
}

fn check_emergency(table: &Table<'_>, entries: &[Table<'_>], connector: &VoiceConnector) {
    let reader = table.reader();
    if let Some(first) = entries.first()
        && !(connector.termination.enabled && connector.origination.enabled)
    {
        let remedy = "write enabled = true in both, or remove the emergency tables";
        reader.error(first.at(), "emergency calls need termination and origination", remedy);
    }
    let mut countries = Vec::new();
    let mut dialled: Vec<&str> = Vec::new();
    for entry in entries {
        if let Some(country) = entry.get("country")
            && let Some(text) = country.quiet_string()
        {
            if countries.contains(&text) {
                country.wrong(format!("{text} has an emergency table already"), "its digits there");
            }
            countries.push(text);
        }
        for digits in ["digits", "test_digits"].iter().filter_map(|key| entry.get(key)?.list()).flatten() {
            let Some(text) = digits.quiet_string() else { continue };
            if dialled.contains(&text) {
                digits
                    .wrong(format!("{text} is here a second time"), "each number once in a voice connector");
            }
            dialled.push(text);
        }
    }
}

/// Tells of what refuses every call, and of emergency calls that go nowhere.
fn warn_termination(table: &Table<'_>, connector: &VoiceConnector) {
    let termination = &connector.termination;
    if !termination.enabled {
        return;
    }
    let warn = |text: String| table.reader().warn(table.at(), text);
    let id = &connector.id;
    if termination.allowlist.is_empty() {
        warn(format!("voice connector {id} admits nobody: its allowlist is empty"));
    }
    if termination.calling_plan.is_empty() {
        warn(format!("voice connector {id} may call no country: its calling_plan is empty"));
    }
    if termination.credentials.is_empty() && termination.allowlist.iter().any(|net| net.prefix_len() == 0) {
        warn(format!("voice connector {id} admits everybody: its allowlist is the whole internet"));
    }
    let covered = |country: &&CountryCode| connector.emergency.iter().any(|entry| entry.country == **country);
    let open: Vec<&str> = termination
        .calling_plan
        .iter()
        .filter(|country| !covered(country))
        .map(CountryCode::as_str)
        .collect();
    if !open.is_empty() {
        let countries = open.join(", ");
        warn(format!(
            "voice connector {id} takes no emergency calls in {countries}: it has no emergency table for them"
        ));
    }
}
