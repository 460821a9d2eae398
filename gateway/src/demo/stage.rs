//! Who takes part: the phones, and the gateway that they call through.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use super::audio::Tone;
use super::certificates::Authority;
use super::config::{Addresses, DOMAIN};
use super::failure::Failure;
use super::ladder::{Column, Ladder};
use super::phone::{Answer, Call, Phone};

/// The head office's PBX.
pub const PBX: Column = Column("PBX");
/// The branch's PBX, which answers digest challenges.
pub const BRANCH: Column = Column("branch");
/// Somebody whom no allowlist knows.
pub const STRANGER: Column = Column("stranger");
/// The first carrier.
pub const CARRIER_A: Column = Column("carrier-a");
/// The second carrier.
pub const CARRIER_B: Column = Column("carrier-b");

/// What who calls says.
const CALLER_TONE: Tone = Tone(440);
/// What who is called says.
const CALLEE_TONE: Tone = Tone(1_000);
/// Packets that each sends at least: the gateway writes no quality line of less than a second.
const LEAST_PACKETS: u32 = 55;

/// The phones.
pub struct Phones {
    /// What they draw on.
    pub ladder: Ladder,
    /// 127.0.0.2, the head office.
    pub pbx: Phone,
    /// 127.0.0.5.
    pub branch: Phone,
    /// 127.0.0.3.
    pub carrier_a: Phone,
    /// 127.0.0.6.
    pub carrier_b: Phone,
    /// 127.0.0.9.
    pub stranger: Phone,
}

impl Phones {
    /// Opens them all, each on an address of its own, so that allowlists tell them apart.
    pub async fn start(authority: &Authority) -> Result<Phones, Failure> {
        let ladder = Ladder::default();
        let start = async |column, last| {
            let ip = IpAddr::V4(Ipv4Addr::new(127, 0, 0, last));
            Phone::start(column, ip, authority.phone(ip)?, ladder.clone()).await
        };
        Ok(Phones {
            pbx: start(PBX, 2).await?,
            branch: start(BRANCH, 5).await?,
            carrier_a: start(CARRIER_A, 3).await?,
            carrier_b: start(CARRIER_B, 6).await?,
            stranger: start(STRANGER, 9).await?,
            ladder,
        })
    }

    /// What the configuration has to know of them.
    pub fn addresses(&self) -> Addresses {
        Addresses {
            pbx: self.pbx.address(),
            secure_pbx: self.pbx.secure_address(),
            branch: self.branch.address(),
            carrier_a: self.carrier_a.address(),
            carrier_b: self.carrier_b.address(),
        }
    }

    /// All of them.
    pub fn all(&self) -> [&Phone; 5] {
        [&self.pbx, &self.branch, &self.carrier_a, &self.carrier_b, &self.stranger]
    }
}

/// Where the gateway is.
#[derive(Debug, Clone, Copy)]
pub struct Gateway {
    /// Its UDP listener.
    pub udp: SocketAddr,
    /// Its TCP listener.
    pub tcp: SocketAddr,
    /// Its TLS listener.
    pub tls: SocketAddr,
}

/// What a scenario plays on.
pub struct Stage {
    /// The phones.
    pub phones: Phones,
    /// The gateway.
    pub gateway: Gateway,
}

/// The host of a connector's Request-URIs.
pub fn host(connector: &str) -> String {
    format!("{connector}.{DOMAIN}")
}

/// What came of a scenario, for its checks.
#[derive(Debug, Default)]
pub struct Outcome {
    /// The final answer that the caller got.
    pub answer: Option<Answer>,
    /// What each party heard.
    pub heard: Vec<Heard>,
}

impl Outcome {
    /// A call that was answered, and the talk in it.
    pub fn answered(answer: Answer, heard: [Heard; 2]) -> Outcome {
        Outcome { answer: Some(answer), heard: heard.to_vec() }
    }

    /// A call that was not.
    pub fn refused(answer: Answer) -> Outcome {
        Outcome { answer: Some(answer), heard: Vec::new() }
    }
}

/// One side of a talk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Heard {
    /// Whose side.
    pub who: Column,
    /// What it heard.
    pub tone: Tone,
    /// RTP packets that it sent in the whole call.
    pub sent: u32,
    /// RTP packets that it received in the whole call.
    pub received: u32,
}

/// How long a talk is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Talk {
    /// Until both have heard each other.
    Short,
    /// Until the gateway has measured the round trip of both, from their RTCP.
    Measured,
}

/// Rings, is answered, and acknowledges: what most calls begin with.
pub async fn connect(caller: &mut Call, callee: &mut Call) -> Result<Answer, Failure> {
    callee.ring().await?;
    caller.provisional(180).await?;
    callee.accept().await?;
    let answer = caller.answered().await?;
    callee.acknowledged().await?;
    Ok(answer)
}

/// Both speak until both have heard the other's tone, and everything that was sent has arrived.
pub async fn talk(caller: &Call, callee: &Call, length: Talk) -> Result<[Heard; 2], Failure> {
    let lines = [caller.line(), callee.line()];
    let reports = lines.map(|line| line.counts().answered_reports);
    let sent = lines.map(|line| line.counts().sent);
    lines.iter().for_each(|line| line.forget());
    let enough = || {
        let spoken =
            lines.iter().zip(sent).all(|(line, before)| line.counts().sent >= before + LEAST_PACKETS);
        let measured =
            lines.iter().zip(reports).all(|(line, before)| line.counts().answered_reports > before);
        let heard = lines.iter().all(|line| line.heard().is_some());
        spoken && heard && (measured || length == Talk::Short)
    };
    let [one, other] = lines;
    let spoken = tokio::join!(one.speak(CALLER_TONE, enough), other.speak(CALLEE_TONE, enough));
    spoken.0?;
    spoken.1?;
    one.hear(CALLEE_TONE).await?;
    other.hear(CALLER_TONE).await?;
    one.receive(other.counts().sent).await?;
    other.receive(one.counts().sent).await?;
    let heard = |call: &Call, tone| {
        let counts = call.line().counts();
        Heard { who: call.who(), tone, sent: counts.sent, received: counts.received }
    };
    Ok([heard(caller, CALLEE_TONE), heard(callee, CALLER_TONE)])
}

/// One hangs up, the other is hung up on.
pub async fn end(ending: &mut Call, other: &mut Call) -> Result<(), Failure> {
    let (hung_up, answered) = tokio::join!(ending.hang_up(), other.hung_up());
    hung_up.and(answered)
}

/// Fails where a call was not dialled as that number.
///
/// # Errors
/// What was dialled instead.
pub fn want_dialled(call: &Call, number: &str) -> Result<(), Failure> {
    if call.dialled() == number {
        return Ok(());
    }
    Err(Failure::Unexpected {
        who: call.who().0.to_owned(),
        wanted: format!("a call to {number}"),
        got: format!("one to {}", call.dialled()),
    })
}

/// Fails where the caller's own header did not come through, or where its Call-ID did: each leg has its own.
///
/// # Errors
/// What of one leg is on the other.
pub fn want_own_leg(caller: &Call, callee: &Call, header: &str) -> Result<(), Failure> {
    let (sent, came) = (caller.header(header), callee.header(header));
    let passed = sent.is_some() && sent == came;
    if passed && caller.call_id() != callee.call_id() {
        return Ok(());
    }
    Err(Failure::Unexpected {
        who: callee.who().0.to_owned(),
        wanted: format!("{header} {sent:?} under another Call-ID than {}", caller.call_id()),
        got: format!("{header} {came:?} under {}", callee.call_id()),
    })
}

/// Fails where a leg's signalling and audio are not both secret, or both plain.
///
/// # Errors
/// How its media went instead.
pub fn want_secret(call: &Call, secret: bool) -> Result<(), Failure> {
    if call.is_secret() == (secret, secret) {
        return Ok(());
    }
    let (signalling, audio) = call.is_secret();
    Err(Failure::Unexpected {
        who: call.who().0.to_owned(),
        wanted: format!("TLS and SRTP: {secret}"),
        got: format!("TLS: {signalling}, SRTP: {audio}"),
    })
}

/// Fails where a phone was called that should not have been.
pub async fn want_quiet(phone: &Phone) -> Result<(), Failure> {
    if !phone.has_been_called().await {
        return Ok(());
    }
    Err(Failure::Unexpected {
        who: phone.column().0.to_owned(),
        wanted: "no call".to_owned(),
        got: "one".to_owned(),
    })
}
