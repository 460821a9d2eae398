//! A phone's end of the audio: it sends a tone, hears one, and answers RTCP.

use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use tokio::net::UdpSocket;
use tokio::sync::Notify;
use tokio::task::JoinSet;

use super::PATIENCE;
use super::audio::{Ear, PACKET_SAMPLES, SAMPLE_RATE, Tone};
use super::failure::Failure;
use super::ladder::{Column, Kind, Ladder};
use super::rtp::{LastReport, Packet, Reception, Report, reports_reception, sender_report};
use super::srtp::{MasterKey, Srtp};

/// Ports tried until one is even and the next is free too. RFC 3550 §11.
const PORT_ATTEMPTS: usize = 256;
/// From one packet to the next.
const PACKET_TIME: Duration = Duration::from_millis(20);
/// Payload type of PCMU. RFC 3551 §6.
const PCMU: u8 = 0;
/// Packets that a phone sends at most in one go: whoever waits for more than this waits in vain.
const MOST_PACKETS: u32 = 400;

/// What a line has seen of the audio.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Packets sent.
    pub sent: u32,
    /// Packets received.
    pub received: u32,
    /// Sender reports of the gateway that were answered.
    pub answered_reports: u32,
    /// Reports of the gateway on what we sent.
    pub reports_on_us: u32,
}

/// An RTP port and an RTCP port.
#[derive(Debug)]
pub struct Line {
    address: SocketAddr,
    rtp: Arc<UdpSocket>,
    shared: Arc<Shared>,
    /// Ends when the line does.
    _tasks: JoinSet<()>,
}

#[derive(Debug)]
struct Shared {
    column: Column,
    ladder: Ladder,
    start: Instant,
    state: Mutex<State>,
    changed: Notify,
}

#[derive(Debug, Default)]
struct State {
    far: Option<SocketAddr>,
    ssrc: u32,
    seq: u16,
    timestamp: u32,
    ear: Ear,
    heard: Option<Tone>,
    reception: Reception,
    counts: Counts,
    /// None: plain RTP.
    srtp: Option<Srtp>,
}

impl Line {
    /// Opens a pair of ports on `ip`.
    pub async fn open(ip: IpAddr, column: Column, ladder: Ladder) -> Result<Line, Failure> {
        let (rtp, rtcp) = bind_pair(ip).await?;
        let address = rtp.local_addr().map_err(Failure::io("asking for an RTP port"))?;
        let ssrc = u32::from(address.port()) << 16 | 0x5eed;
        let shared = Arc::new(Shared {
            column,
            ladder,
            start: Instant::now(),
            state: Mutex::new(State { ssrc, ..State::default() }),
            changed: Notify::new(),
        });
        let rtp = Arc::new(rtp);
        let mut tasks = JoinSet::new();
        tasks.spawn(listen(rtp.clone(), shared.clone()));
        tasks.spawn(report(rtcp, shared.clone()));
        Ok(Line { address, rtp, shared, _tasks: tasks })
    }

    /// Where we want to be sent to.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Where we send to from now on.
    pub fn aim(&self, far: SocketAddr) {
        self.shared.state().far = Some(far);
    }

    /// Sends SRTP from now on, under a new key, which is returned; receives none until
    /// [`unprotect`](Line::unprotect).
    ///
    /// # Errors
    /// No key can be made.
    pub fn protect(&self) -> Result<MasterKey, Failure> {
        let key = MasterKey::random()?;
        self.shared.state().srtp = Some(Srtp::new(&key)?);
        Ok(key)
    }

    /// Receives SRTP under that key, and nothing else.
    ///
    /// # Errors
    /// The key is of no use.
    pub fn unprotect(&self, theirs: MasterKey) -> Result<(), Failure> {
        match &mut self.shared.state().srtp {
            Some(srtp) => srtp.expect(theirs),
            None => Ok(()),
        }
    }

    /// Sends a tone until `enough`, a packet every 20 ms.
    ///
    /// Fails where that needs more than eight seconds.
    pub async fn speak(&self, tone: Tone, enough: impl Fn() -> bool) -> Result<(), Failure> {
        let mut ticks = tokio::time::interval(PACKET_TIME);
        let mut time = 0;
        let now = Instant::now();
        self.shared.ladder.note(now, self.shared.column, true, Kind::Audio, tone.to_string());
        for _ in 0..MOST_PACKETS {
            ticks.tick().await;
            if enough() {
                return Ok(());
            }
            let payload = tone.payload(time);
            time = time.wrapping_add(PACKET_SAMPLES as u32);
            let next = self.shared.state().next_packet(&payload)?;
            let Some((packet, far)) = next else {
                return Err(self.unmet("an address to send audio to"));
            };
            self.rtp.send_to(&packet, far).await.map_err(Failure::io(format!("sending audio to {far}")))?;
        }
        Err(self.unmet("the end of its own tone"))
    }

    /// The tone of the last 200 ms that arrived.
    pub fn heard(&self) -> Option<Tone> {
        self.shared.state().heard
    }

    /// What has passed so far.
    pub fn counts(&self) -> Counts {
        self.shared.state().counts
    }

    /// Forgets the tone that was heard: the next has to be heard anew.
    pub fn forget(&self) {
        let mut state = self.shared.state();
        state.heard = None;
        state.ear.clear();
    }

    /// Waits until the tone is heard.
    pub async fn hear(&self, tone: Tone) -> Result<(), Failure> {
        self.until(&tone.to_string(), |line| line.heard() == Some(tone)).await
    }

    /// Waits until so many packets have arrived.
    pub async fn receive(&self, packets: u32) -> Result<(), Failure> {
        self.until(&format!("{packets} packets"), |line| line.counts().received >= packets).await
    }

    async fn until(&self, what: &str, met: impl Fn(&Line) -> bool) -> Result<(), Failure> {
        let wait = async {
            loop {
                let changed = self.shared.changed.notified();
                if met(self) {
                    return;
                }
                changed.await;
            }
        };
        tokio::time::timeout(PATIENCE, wait).await.map_err(|_| self.unmet(what))
    }

    fn unmet(&self, what: &str) -> Failure {
        let counts = self.counts();
        let what = format!("{what} ({} packets sent, {} received)", counts.sent, counts.received);
        Failure::Waited { who: self.shared.column.0.to_owned(), what, patience: PATIENCE }
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// None: nowhere to send it yet.
    fn next_packet(&mut self, payload: &[u8]) -> Result<Option<(Vec<u8>, SocketAddr)>, Failure> {
        let Some(far) = self.far else { return Ok(None) };
        let (seq, timestamp, ssrc) = (self.seq, self.timestamp, self.ssrc);
        self.seq = self.seq.wrapping_add(1);
        self.timestamp = self.timestamp.wrapping_add(PACKET_SAMPLES as u32);
        self.counts.sent += 1;
        let packet = Packet { payload_type: PCMU, seq, timestamp, ssrc, payload }.bytes();
        let packet = match &mut self.srtp {
            Some(srtp) => srtp.protect(&packet)?,
            None => packet,
        };
        Ok(Some((packet, far)))
    }

    /// What arrived, in the clear; `None` where it is not what it should be.
    fn received(&mut self, packet: &[u8]) -> Option<Vec<u8>> {
        match &mut self.srtp {
            Some(srtp) => srtp.unprotect(packet),
            None => Some(packet.to_vec()),
        }
    }

    /// The same for RTCP.
    fn received_rtcp(&mut self, compound: &[u8]) -> Option<Vec<u8>> {
        match &mut self.srtp {
            Some(srtp) => srtp.unprotect_rtcp(compound),
            None => Some(compound.to_vec()),
        }
    }

    /// Our answer to a sender report, as it goes on the wire.
    fn report(&mut self, last: LastReport) -> Option<Vec<u8>> {
        let report = Report {
            ssrc: self.ssrc,
            now: SystemTime::now(),
            timestamp: self.timestamp,
            packets: self.counts.sent,
            bytes: self.counts.sent * PACKET_SAMPLES as u32,
            reception: self.reception,
            last,
        };
        match &mut self.srtp {
            Some(srtp) => srtp.protect_rtcp(&report.bytes()).ok(),
            None => Some(report.bytes()),
        }
    }
}

async fn bind_pair(ip: IpAddr) -> Result<(UdpSocket, UdpSocket), Failure> {
    let failed = || Failure::io(format!("opening RTP ports on {ip}"));
    for _ in 0..PORT_ATTEMPTS {
        let rtp = UdpSocket::bind(SocketAddr::new(ip, 0)).await.map_err(failed())?;
        let port = rtp.local_addr().map_err(failed())?.port();
        if port % 2 == 0
            && let Ok(rtcp) = UdpSocket::bind(SocketAddr::new(ip, port + 1)).await
        {
            return Ok((rtp, rtcp));
        }
    }
    let error = std::io::Error::from(std::io::ErrorKind::AddrInUse);
    Err(failed()(error))
}

async fn listen(rtp: Arc<UdpSocket>, shared: Arc<Shared>) {
    let mut buffer = [0; 2_048];
    loop {
        let Ok((length, _)) = rtp.recv_from(&mut buffer).await else { continue };
        let arrived = Instant::now();
        let at_ticks = arrived.duration_since(shared.start).as_secs_f64() * SAMPLE_RATE;
        let news = {
            let mut state = shared.state();
            let Some(packet) = state.received(buffer.get(..length).unwrap_or_default()) else { continue };
            let Some(packet) = Packet::parse(&packet) else { continue };
            state.reception.handle_packet(&packet, at_ticks);
            state.counts.received += 1;
            if packet.payload_type == PCMU {
                state.ear.hear(packet.payload);
            }
            let tone = state.ear.tone();
            let news = tone.filter(|tone| state.heard != Some(*tone));
            state.heard = tone.or(state.heard);
            news
        };
        if let Some(tone) = news {
            shared.ladder.note(arrived, shared.column, false, Kind::Audio, tone.to_string());
        }
        shared.changed.notify_waiters();
    }
}

/// Answers each sender report of the gateway at once with our own report, from which it knows the round trip.
async fn report(rtcp: UdpSocket, shared: Arc<Shared>) {
    let mut buffer = [0; 2_048];
    loop {
        let Ok((length, from)) = rtcp.recv_from(&mut buffer).await else { continue };
        let arrived = Instant::now();
        let answer = {
            let mut state = shared.state();
            let Some(compound) = state.received_rtcp(buffer.get(..length).unwrap_or_default()) else {
                continue;
            };
            if reports_reception(&compound) {
                state.counts.reports_on_us += 1;
            }
            sender_report(&compound).and_then(|(ssrc, middle)| {
                state.counts.answered_reports += 1;
                state.report(LastReport { ssrc, middle, age: arrived.elapsed() })
            })
        };
        if let Some(answer) = answer {
            // A phone that hung up meanwhile needs no report.
            let _ = rtcp.send_to(&answer, from).await;
        }
        shared.changed.notify_waiters();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn two_lines_hear_each_other() {
        let ladder = Ladder::default();
        let open = |name| Line::open("127.0.0.1".parse().unwrap(), Column(name), ladder.clone());
        let (a, b) = (open("a").await.unwrap(), open("b").await.unwrap());
        assert_eq!(a.address().port() % 2, 0);
        a.aim(b.address());
        b.aim(a.address());
        let (one, other) = tokio::join!(
            a.speak(Tone(440), || b.heard().is_some() && a.heard().is_some()),
            b.speak(Tone(1_000), || a.heard().is_some() && b.heard().is_some()),
        );
        one.unwrap();
        other.unwrap();
        a.hear(Tone(1_000)).await.unwrap();
        b.hear(Tone(440)).await.unwrap();
        b.receive(a.counts().sent).await.unwrap();
    }
}
