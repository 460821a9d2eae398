//! The floor: the least that a user-space relay of one socket a port can do, epoll, receive, send.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::process::{Child, Stdio};

use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};

use crate::Result;
use crate::daemon::pinned;
use crate::generator::{Way, phone_port};

/// The forwarder.
pub const LOCAL: Ipv4Addr = Ipv4Addr::new(127, 0, 100, 1);
/// The phones of the floor.
pub const CUSTOMER: Ipv4Addr = Ipv4Addr::new(127, 0, 100, 2);
pub const CARRIER: Ipv4Addr = Ipv4Addr::new(127, 0, 100, 3);

/// A running forwarder. Ends when dropped.
pub struct Forwarder {
    child: Child,
    pub ways: Vec<Way>,
}

impl Forwarder {
    pub fn start(calls: usize) -> Result<Forwarder> {
        let mut child = pinned(&std::env::current_exe()?)
            .args(["forward", "--calls", &calls.to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let output = child.stdout.take().ok_or("no output")?;
        let mut forwarder = Forwarder { child, ways: Vec::new() };
        for line in BufReader::new(output).lines().take(calls) {
            let line = line?;
            let (customer, carrier) = line.split_once(' ').ok_or("the forwarder's ports")?;
            forwarder.ways.push(Way::plain(customer.parse()?, carrier.parse()?));
        }
        Ok(forwarder)
    }

    pub fn process(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for Forwarder {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The forwarder itself: like the daemon it holds a second, silent port beside each.
pub fn forward(calls: usize) -> Result<()> {
    let epoll = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC)?;
    let mut sockets = Vec::new();
    let mut silent = Vec::new();
    let mut output = std::io::stdout().lock();
    for call in 0..calls {
        let mut ports = Vec::new();
        for peer in [CUSTOMER, CARRIER] {
            let socket = UdpSocket::bind((LOCAL, 0))?;
            socket.set_nonblocking(true)?;
            let beside = UdpSocket::bind((LOCAL, 0))?;
            epoll.add(&socket, EpollEvent::new(EpollFlags::EPOLLIN, sockets.len() as u64))?;
            epoll.add(&beside, EpollEvent::new(EpollFlags::EPOLLIN, u64::MAX))?;
            silent.push(beside);
            ports.push(socket.local_addr()?);
            sockets.push((socket, SocketAddr::from((peer, phone_port(call)))));
        }
        let ports: Vec<String> = ports.iter().map(ToString::to_string).collect();
        writeln!(output, "{}", ports.join(" "))?;
    }
    output.flush()?;
    // Whoever started it is gone: so is the reason to run.
    std::thread::spawn(|| {
        let _ = std::io::stdin().read_to_end(&mut Vec::new());
        std::process::exit(0);
    });
    let (mut ready, mut buffer) = ([EpollEvent::empty(); 256], [0; 2048]);
    loop {
        let count = epoll.wait(&mut ready, EpollTimeout::NONE).unwrap_or(0);
        for event in ready.iter().take(count) {
            let Ok(index) = usize::try_from(event.data()) else { continue };
            let Some((socket, _)) = sockets.get(index) else { continue };
            // In on one port of the pair, out of the other, to the phone behind it.
            let Some((other, to)) = sockets.get(index ^ 1) else { continue };
            if let Ok((len, _)) = socket.recv_from(&mut buffer) {
                let _ = other.send_to(buffer.get(..len).unwrap_or_default(), to);
            }
        }
    }
}
