//! What the console asks of who hosts it: plain data about calls and the gateway. Texts are shown as they are, and need no escaping.

use std::net::IpAddr;

use time::OffsetDateTime;

/// Who hosts the console. Each question may wait for an answer; an error is a sentence for people.
pub trait Host: Send + Sync {
    /// 16 bytes that nobody can guess.
    fn random(&self) -> [u8; 16];

    /// How things are.
    fn overview(&self) -> Overview;

    /// Calls that are going on, oldest first.
    ///
    /// - `number`: part of a party's number; empty: any.
    /// - `most`: so many at most.
    ///
    /// # Errors
    /// A part of the gateway does not answer.
    fn calls(&self, number: &str, most: usize) -> Result<Vec<CallLine>, String>;

    /// Calls that are over, newest first: as [`Host::calls`].
    ///
    /// # Errors
    /// Records can't be read.
    fn ended(&self, number: &str, most: usize) -> Result<Vec<CallLine>, String>;

    /// Calls that came to nothing lately, newest first: as [`Host::calls`].
    ///
    /// # Errors
    /// A part of the gateway does not answer.
    fn refused(&self, number: &str, most: usize) -> Result<Vec<Refused>, String>;

    /// A call that goes on, came to nothing lately, or is on record; `None`: nothing is known of it.
    ///
    /// - `id`: the gateway's UUID of it, or a Call-ID.
    ///
    /// # Errors
    /// It can't be looked for.
    fn call(&self, id: &str) -> Result<Option<Call>, String>;

    /// What would become of a call that nobody has made.
    ///
    /// # Errors
    /// What is wrong with the question.
    fn explain(&self, question: &Question) -> Result<Explained, String>;

    /// What was asked of the API, newest first.
    ///
    /// # Errors
    /// It can't be read.
    fn audit(&self, wanted: &AuditWanted) -> Result<AuditPage, String>;
}

/// How things are. `None`: nothing to tell it by.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Overview {
    /// Why ordinary calls are not taken; empty: they are.
    pub obstacles: Vec<String>,
    /// Calls that go on.
    pub calls: u64,
    /// New calls a second.
    pub cps: Option<f64>,
    /// Answer-seizure ratio: the share of calls that were answered, in percent.
    pub asr: Option<f64>,
    /// Mean opinion score.
    pub mos: Option<f64>,
    /// Calls refused by a limit.
    pub throttled: u64,
    /// Since so many minutes; `None`: since the gateway began.
    pub minutes: Option<u64>,
    /// Requests refused by cause, the most first.
    pub refusals: Vec<(String, u64)>,
    /// Each carrier.
    pub carriers: Vec<Carrier>,
    /// Each certificate.
    pub certificates: Vec<Certificate>,
}

/// A carrier.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Carrier {
    /// Its name.
    pub name: String,
    /// Whether a host of it answers; `None`: nobody has asked.
    pub up: Option<bool>,
    /// Calls that are up.
    pub active: u64,
    /// As in [`Overview`].
    pub cps: Option<f64>,
    /// As in [`Overview`].
    pub asr: Option<f64>,
}

/// A certificate that is shown to peers.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Certificate {
    /// Its file.
    pub name: String,
    /// Days that are left; negative: it has expired.
    pub days: i64,
}

/// A call in a list.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct CallLine {
    /// The gateway's UUID of it.
    pub id: String,
    /// A word: `ringing`, `up`, `Completed`.
    pub state: String,
    /// Who calls.
    pub caller: String,
    /// Who is called.
    pub callee: String,
    /// The connector or carrier that calls.
    pub from: String,
    /// The one that is called.
    pub to: String,
    /// When it began, in milliseconds since the Unix epoch.
    pub started: u64,
    /// So long it lasts, or lasted, in seconds.
    pub seconds: u64,
    /// Mean opinion score.
    pub mos: Option<f64>,
    /// An emergency call.
    pub emergency: bool,
}

/// A call that came to nothing, or several alike.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Refused {
    /// What finds it again: see [`Host::call`].
    pub id: String,
    /// Who called.
    pub caller: String,
    /// Who was called.
    pub callee: String,
    /// Where it came from.
    pub source: String,
    /// When the newest was over, in milliseconds since the Unix epoch.
    pub at: u64,
    /// How many there were.
    pub times: u64,
    /// As a status.
    pub status: u16,
    /// In words.
    pub cause: String,
    /// Which step said no.
    pub step: String,
    /// What can be done about it.
    pub to_do: String,
}

/// A label and what there is to say.
pub type Fact = (String, String);

/// All that is known of a call.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Call {
    /// The line of a list.
    pub line: CallLine,
    /// Whether it goes on.
    pub live: bool,
    /// What else is known of it as a whole.
    pub facts: Vec<Fact>,
    /// Its two legs, the caller's first.
    pub legs: Vec<Leg>,
    /// Its signalling.
    pub ladder: Vec<Rung>,
    /// Its media, minute by minute.
    pub minutes: Vec<Minute>,
    /// The hosts that were tried.
    pub attempts: Vec<Attempt>,
    /// What admission and routing looked at, in order.
    pub steps: Vec<String>,
    /// The steps are those of the same call if it came now.
    pub steps_of_now: bool,
    /// What can be done about it.
    pub to_do: Option<String>,
    /// What else there is to say.
    pub notes: Vec<String>,
    /// Its record, as JSON.
    pub record: Option<String>,
    /// What would ask the same again.
    pub question: Option<Question>,
}

/// A leg of a call.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Leg {
    /// What is known of it.
    pub facts: Vec<Fact>,
}

/// Where a message crossed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Side {
    /// Between the caller and the gateway.
    #[default]
    Caller,
    /// Between the gateway and the callee.
    Callee,
}

/// A message of a call.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Rung {
    /// Since the call began.
    pub milliseconds: u64,
    /// Where it crossed.
    pub side: Side,
    /// The gateway sent it.
    pub sent: bool,
    /// `INVITE`, `180 INVITE`.
    pub what: String,
    /// The other end, and how it was reached.
    pub peer: String,
    /// So often it was repeated at once.
    pub copies: u32,
    /// So many before it are not known.
    pub left_out: u32,
}

/// The media of a minute.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Minute {
    /// From the caller.
    pub caller: Stream,
    /// From the callee.
    pub callee: Stream,
}

/// What came from one party.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Stream {
    /// Packets.
    pub packets: u64,
    /// Packets that did not come.
    pub lost: u64,
    /// Milliseconds.
    pub jitter: Option<f64>,
    /// Mean opinion score.
    pub mos: Option<f64>,
}

/// A host that was tried.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Attempt {
    /// Whose it is.
    pub whose: String,
    /// The host, and where the INVITE went.
    pub host: String,
    /// Its final status.
    pub status: Option<u16>,
    /// How it ended, in words.
    pub cause: String,
    /// What can be done about it.
    pub to_do: Option<String>,
}

/// A call that nobody has made.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Question {
    /// The caller: a number, or `anonymous`.
    pub from: String,
    /// The callee.
    pub to: String,
    /// Where it would come from.
    pub source: String,
    /// `udp`, `tcp` or `tls`.
    pub transport: String,
    /// The connector whose host name is called; empty: the bare domain.
    pub connector: String,
}

/// What would become of it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Explained {
    /// It would be taken at this moment.
    pub admitted: bool,
    /// Each step, and the outcome last.
    pub steps: Vec<String>,
}

/// What of the audit is wanted; empty texts: any.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AuditWanted {
    /// Part of the user's name or the key's id.
    pub user: String,
    /// Part of the operation's name.
    pub operation: String,
    /// Older than that.
    pub before: Option<OffsetDateTime>,
    /// So many at most.
    pub most: usize,
}

/// Part of the audit.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AuditPage {
    /// Newest first.
    pub lines: Vec<AuditLine>,
    /// There are older ones.
    pub more: bool,
}

/// What was asked of the API.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditLine {
    /// When.
    pub at: OffsetDateTime,
    /// By whom.
    pub user: String,
    /// With which key.
    pub key: String,
    /// From where.
    pub source: Option<IpAddr>,
    /// What.
    pub operation: String,
    /// The exception; `None`: it was done.
    pub error: Option<String>,
    /// Its parameters, as JSON without secrets.
    pub parameters: String,
}
