//! rtpengine without its kernel module, driven by its control protocol (`ng`): offer and answer of each call.

use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::path::Path;
use std::process::{Child, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use super::bencode::{Value, text_of};
use crate::Result;
use crate::daemon::pinned;
use crate::generator::{Way, phone_port};
use crate::sdp;

/// Where it relays and takes commands, and the phones.
pub const LOCAL: Ipv4Addr = Ipv4Addr::new(127, 0, 101, 1);
pub const CUSTOMER: Ipv4Addr = Ipv4Addr::new(127, 0, 101, 2);
pub const CARRIER: Ipv4Addr = Ipv4Addr::new(127, 0, 101, 3);
const CONTROL: u16 = 2223;
/// How often a command is sent, half a second apart.
const TRIES: usize = 10;

/// A running rtpengine with its calls. Ends when dropped.
pub struct Rtpengine {
    child: Child,
    pub ways: Vec<Way>,
}

impl Rtpengine {
    /// - `srtp`: the carrier's side speaks SRTP, the customer's does not.
    pub fn start(calls: usize, srtp: bool) -> Result<Rtpengine> {
        let child = pinned(Path::new("rtpengine"))
            .args(["--config-file=none", "--foreground", "--log-stderr", "--table=-1", "--log-level=3"])
            .arg(format!("--interface={LOCAL}"))
            .arg(format!("--listen-ng={LOCAL}:{CONTROL}"))
            .args(["--port-min=20000", "--port-max=60000", "--num-threads=1"])
            .args(["--timeout=3600", "--silent-timeout=3600"])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()?;
        let mut rtpengine = Rtpengine { child, ways: Vec::new() };
        let mut control = Control::new()?;
        control.command(vec![("command", Value::text("ping"))])?;
        for call in 0..calls {
            rtpengine.ways.push(control.call(call, srtp)?);
        }
        Ok(rtpengine)
    }

    pub fn process(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for Rtpengine {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

struct Control {
    socket: UdpSocket,
    sent: u32,
}

impl Control {
    fn new() -> Result<Control> {
        let socket = UdpSocket::bind((CUSTOMER, 0))?;
        socket.set_read_timeout(Some(Duration::from_millis(500)))?;
        Ok(Control { socket, sent: 0 })
    }

    /// Has a call relayed.
    fn call(&mut self, call: usize, srtp: bool) -> Result<Way> {
        let of = |address| SocketAddr::from((address, phone_port(call)));
        let protocol = if srtp { "RTP/SAVP" } else { "RTP/AVP" };
        let offer = sdp::describe(of(CUSTOMER), false);
        let offered = self.describe("offer", call, &offer, protocol)?;
        // The answer has the tag of the suite that it takes.
        let tag = offered.lines().find_map(|line| {
            let (tag, rest) = line.strip_prefix("a=crypto:")?.split_once(' ')?;
            rest.starts_with("AES_CM_128_HMAC_SHA1_80 ").then_some(tag)
        });
        if srtp && tag.is_none() {
            return Err(format!("rtpengine offered no key of ours: {offered}").into());
        }
        let answer = sdp::describe(of(CARRIER), srtp)
            .replace("a=crypto:1 ", &format!("a=crypto:{} ", tag.unwrap_or("1")));
        let answered = self.describe("answer", call, &answer, "RTP/AVP")?;
        let at = |description: &str| sdp::media(description).ok_or("rtpengine gave no port");
        Ok(Way { customer: at(&answered)?, carrier: at(&offered)?, srtp })
    }

    /// Hands a description over. Returns the one that goes on.
    fn describe(&mut self, what: &str, call: usize, description: &str, protocol: &str) -> Result<String> {
        let mut entries = vec![
            ("ICE", Value::text("remove")),
            ("call-id", Value::text(format!("bench-{call}"))),
            ("command", Value::text(what)),
            ("flags", Value::texts(&["trust-address"])),
            ("from-tag", Value::text("customer")),
            ("replace", Value::texts(&["origin", "session-connection"])),
            ("rtcp-mux", Value::texts(&["demux"])),
            ("sdp", Value::text(description)),
        ];
        if what == "offer" {
            entries.insert(0, ("DTLS", Value::text("off")));
            entries.push(("transport-protocol", Value::text(protocol)));
        } else {
            entries.push(("to-tag", Value::text("carrier")));
        }
        let response = self.command(entries)?;
        Ok(text_of(&response, "sdp").ok_or_else(|| format!("rtpengine refused: {response}"))?.to_owned())
    }

    fn command(&mut self, entries: Vec<(&'static str, Value)>) -> Result<String> {
        self.sent += 1;
        let cookie = format!("{} ", self.sent);
        let text = cookie.clone() + &Value::Dictionary(entries).encode();
        let mut buffer = vec![0; 65536];
        for _ in 0..TRIES {
            let begun = Instant::now();
            self.socket.send_to(text.as_bytes(), (LOCAL, CONTROL))?;
            while let Ok(len) = self.socket.recv(&mut buffer) {
                let received = String::from_utf8_lossy(buffer.get(..len).unwrap_or_default()).into_owned();
                if let Some(response) = received.strip_prefix(&cookie) {
                    return Ok(response.to_owned());
                }
            }
            // Nobody may be there yet, which is told at once.
            sleep(Duration::from_millis(500).saturating_sub(begun.elapsed()));
        }
        Err("rtpengine does not answer".into())
    }
}
