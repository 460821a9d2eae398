//! A party's end of the audio: RTP and RTCP sockets at an address of the test, SRTP by `webrtc-srtp`.

use std::net::{SocketAddr, UdpSocket};
use std::time::{Duration, Instant};

use gateway::demo::rtp::Packet;
use gateway::demo::srtp::{MasterKey, Srtp};
use sip::Message;
use sip::sdp::{Sdp, Stream};

use super::{PATIENCE, eventually};

/// What the gateway has not sent on by then it does not any more: its worker came too late.
const LATE: Duration = Duration::from_secs(1);

/// From one packet to the next.
const PACKET_TIME: Duration = Duration::from_millis(20);

/// One voice at one address. It sends only when it is told to.
pub struct Media {
    pub at: SocketAddr,
    /// What its packets are filled with: who hears them knows whose they are.
    voice: u8,
    pub ssrc: u32,
    /// Of the next packet.
    pub seq: u16,
    /// Where the gateway takes its media.
    pub to: Option<SocketAddr>,
    /// Packets of other voices that reached it.
    pub heard: u64,
    /// Packets that it sent.
    pub said: u64,
    rtp: UdpSocket,
    rtcp: UdpSocket,
    key: Option<MasterKey>,
    /// SRTP that it sends under its own key, and that it reads under the gateway's: either may change alone.
    sends: Option<Srtp>,
    reads: Option<Srtp>,
}

/// A packet that came, in the clear.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Word {
    pub ssrc: u32,
    pub seq: u16,
    pub voice: u8,
}

impl Media {
    /// RTP at `at`, RTCP at the next port.
    pub fn new(at: SocketAddr, voice: u8) -> Media {
        let bind = |port| {
            let at = SocketAddr::new(at.ip(), port);
            // A process that another test starts just now may hold the socket that was here for a moment.
            let socket = eventually("an address", PATIENCE, || {
                UdpSocket::bind(at).map_err(|error| format!("{at}: {error}"))
            });
            socket.set_read_timeout(Some(PACKET_TIME)).unwrap();
            socket
        };
        let (rtp, rtcp) = (bind(at.port()), bind(at.port() + 1));
        let ssrc = 0x5eed_0000 | u32::from(voice);
        Media {
            at,
            voice,
            ssrc,
            seq: 1_000,
            to: None,
            heard: 0,
            said: 0,
            rtp,
            rtcp,
            key: None,
            sends: None,
            reads: None,
        }
    }

    /// Where it sends its RTP from.
    pub fn socket(&self) -> UdpSocket {
        self.rtp.try_clone().unwrap()
    }

    /// The same voice and stream from another address: the device moved, or its NAT did.
    pub fn moved(self, at: SocketAddr) -> Media {
        let Media { voice, ssrc, seq, to, heard, said, key, sends, reads, .. } = self;
        Media { ssrc, seq, to, heard, said, key, sends, reads, ..Media::new(at, voice) }
    }

    /// A description of it: `RTP/AVP` and so on, then lines of its stream.
    pub fn sdp(&self, protocol: &str, lines: &[String]) -> String {
        describe(self.at, protocol, lines)
    }

    /// A description of it as RTP.
    pub fn plain(&self) -> String {
        self.sdp("RTP/AVP", &[])
    }

    /// A description of it with a new key, which it sends under from now on, as the line `tag`.
    pub fn keyed(&mut self, protocol: &str, tag: u32, suite: &str) -> String {
        let key = MasterKey::random_for(suite).unwrap();
        self.key = Some(key);
        self.sends = Some(Srtp::new(&key).unwrap());
        self.reads.get_or_insert_with(|| Srtp::new(&key).unwrap());
        self.again(protocol, tag, &[])
    }

    /// A description of it with the key that it has, and more lines.
    pub fn again(&self, protocol: &str, tag: u32, more: &[String]) -> String {
        let key = self.key.unwrap();
        let lines = [format!("a=crypto:{}", key.attribute(tag))];
        self.sdp(protocol, &[&lines, more].concat())
    }

    /// RTP from now on, both ways.
    pub fn clear(&mut self) {
        (self.sends, self.reads) = (None, None);
    }

    /// The key that it sends under, as SDP writes it.
    pub fn key(&self) -> String {
        secret(&self.key.unwrap())
    }

    /// Reads a description of the gateway's: where to send, and the key of the line `tag` if it has SRTP.
    pub fn learns(&mut self, message: &Message, tag: u32) -> Stream {
        let stream = stream(message);
        self.to = stream.rtp();
        if let Some(srtp) = &mut self.reads {
            let keys = stream.crypto.iter().filter_map(|line| MasterKey::parse(line));
            let theirs = keys.into_iter().find(|(offered, _)| *offered == tag);
            let (_, theirs) = theirs.unwrap_or_else(|| panic!("{}: no line {tag}: {stream:?}", self.at));
            srtp.expect(theirs).unwrap();
        }
        stream
    }

    /// Sends one packet.
    pub fn says(&mut self) {
        let packet = self.packet();
        let packet = match &mut self.sends {
            Some(srtp) => srtp.protect(&packet).unwrap(),
            None => packet,
        };
        self.rtp.send_to(&packet, self.to.unwrap()).unwrap();
    }

    /// Sends one packet in the clear, whatever was agreed.
    pub fn says_in_the_clear(&mut self) {
        let packet = self.packet();
        self.rtp.send_to(&packet, self.to.unwrap()).unwrap();
    }

    fn packet(&mut self) -> Vec<u8> {
        let timestamp = u32::from(self.seq) * 160;
        let payload = [self.voice; 160];
        let packet = Packet { payload_type: 0, seq: self.seq, timestamp, ssrc: self.ssrc, payload: &payload };
        self.seq = self.seq.wrapping_add(1);
        self.said += 1;
        packet.bytes()
    }

    /// Sends a report to the port beside the gateway's RTP.
    pub fn reports(&mut self) {
        let to = self.to.unwrap();
        // RFC 3550 §6.4.2: a receiver report without blocks.
        let mut report = vec![0x80, 201, 0, 1];
        report.extend(self.ssrc.to_be_bytes());
        let report = match &mut self.sends {
            Some(srtp) => srtp.protect_rtcp(&report).unwrap(),
            None => report,
        };
        self.rtcp.send_to(&report, SocketAddr::new(to.ip(), to.port() + 1)).unwrap();
    }

    /// Waits for a report of the gateway's, which must be readable.
    pub fn gets_a_report(&mut self) {
        let until = Instant::now() + PATIENCE;
        let mut buffer = [0; 2048];
        let len = loop {
            match self.rtcp.recv(&mut buffer) {
                Ok(len) => break len,
                Err(error) => assert!(Instant::now() < until, "{}: no report: {error}", self.at),
            }
        };
        let report = match &mut self.reads {
            Some(srtp) => srtp.unprotect_rtcp(&buffer[..len]).unwrap(),
            None => buffer[..len].to_vec(),
        };
        assert!(matches!(report[1], 200 | 201), "{}: {report:?}", self.at);
    }

    /// The next packet, if one comes within its time. One that can't be read is a failure.
    pub fn hears(&mut self) -> Option<Word> {
        let mut buffer = [0; 2048];
        let len = self.rtp.recv(&mut buffer).ok()?;
        let packet = match &mut self.reads {
            Some(srtp) => srtp.unprotect(&buffer[..len]),
            None => Some(buffer[..len].to_vec()),
        };
        let packet = packet.unwrap_or_else(|| panic!("{} can't read {len} bytes", self.at));
        let packet = Packet::parse(&packet).unwrap_or_else(|| panic!("{} hears noise", self.at));
        let voice = packet.payload[0];
        assert!(packet.payload == [voice; 160], "{} hears noise: {:?}", self.at, packet.payload);
        self.heard += 1;
        Some(Word { ssrc: packet.ssrc, seq: packet.seq, voice })
    }

    /// Speaks until `other` hears it. Whatever else `other` hears is a failure.
    pub fn reaches(&mut self, other: &mut Media) -> Word {
        let until = Instant::now() + PATIENCE;
        loop {
            self.says();
            if let Some(heard) = other.hears() {
                let (at, voice) = (other.at, char::from(heard.voice));
                assert_eq!(heard.voice, self.voice, "{at} hears {voice:?}, not {:?}", char::from(self.voice));
                assert_eq!(heard.ssrc, self.ssrc, "{at} hears another stream");
                other.catches_up(self, heard);
                return heard;
            }
            assert!(Instant::now() < until, "{} is not heard at {}", self.at, other.at);
        }
    }

    /// Takes what else is on its way, to the last packet that `speaker` sent.
    fn catches_up(&mut self, speaker: &Media, mut heard: Word) {
        let mut until = Instant::now() + LATE;
        while heard.seq != speaker.seq.wrapping_sub(1) && Instant::now() < until {
            let Some(next) = self.hears() else { continue };
            assert_eq!(next.voice, speaker.voice, "{} hears another voice", self.at);
            (heard, until) = (next, Instant::now() + LATE);
        }
    }

    /// Nothing waits here. Only what has happened for sure tells that none will come.
    pub fn hears_nothing(&mut self) {
        assert_eq!(self.hears(), None, "at {}", self.at);
    }
}

/// Both hear each other.
pub fn both_hear(one: &mut Media, other: &mut Media) {
    one.reaches(other);
    other.reaches(one);
}

/// A description of a voice at `at`.
pub fn describe(at: SocketAddr, protocol: &str, lines: &[String]) -> String {
    let (ip, port, version) = (at.ip(), at.port(), super::Peer::fresh());
    let family = if ip.is_ipv6() { "IP6" } else { "IP4" };
    let mut sdp = format!(
        "v=0\r\no=- 1 {version} IN {family} {ip}\r\ns=-\r\nc=IN {family} {ip}\r\nt=0 0\r\n\
         m=audio {port} {protocol} 0\r\na=rtpmap:0 PCMU/8000\r\n"
    );
    for line in lines {
        sdp.push_str(line);
        sdp.push_str("\r\n");
    }
    sdp
}

/// The stream of a message's description.
pub fn stream(message: &Message) -> Stream {
    let sdp = Sdp::parse(message.body()).unwrap_or_else(|error| panic!("{error}: {}", super::shown(message)));
    sdp.relayed_stream().cloned().unwrap_or_else(|| panic!("no stream: {}", super::shown(message)))
}

fn secret(key: &MasterKey) -> String {
    key.attribute(1).split_once("inline:").unwrap().1.to_owned()
}
