//! A tiny HTTP server, and records to send there.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

use rustls::{ServerConfig, ServerConnection, StreamOwned};

use super::SinkRecord;
use crate::record::journal::Entry;
use crate::record::testing::facts_of;

/// A request as it came.
#[derive(Debug, Clone)]
pub struct Request {
    pub method: String,
    pub target: String,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Request {
    pub fn header(&self, name: &str) -> Option<&str> {
        let header = self.headers.iter().find(|(known, _)| known.eq_ignore_ascii_case(name));
        header.map(|(_, value)| value.as_str())
    }
}

/// What the server does about it.
pub enum Answer {
    Status(u16, Vec<(&'static str, String)>, Vec<u8>),
    Close,
}

impl Answer {
    pub fn status(status: u16) -> Answer {
        Answer::Status(status, Vec::new(), Vec::new())
    }
}

type Handler = Arc<dyn Fn(&Request) -> Answer + Send + Sync>;

pub struct Server {
    pub runtime: tokio::runtime::Runtime,
    scheme: &'static str,
    address: SocketAddr,
    requests: Arc<Mutex<Vec<Request>>>,
}

impl Server {
    /// Serves until the test ends.
    pub fn start(handler: impl Fn(&Request) -> Answer + Send + Sync + 'static) -> Server {
        Server::start_as("http", |stream| stream, handler)
    }

    /// The same by TLS.
    pub fn start_tls(
        config: Arc<ServerConfig>,
        handler: impl Fn(&Request) -> Answer + Send + Sync + 'static,
    ) -> Server {
        let tls = move |stream| {
            StreamOwned::new(ServerConnection::new(config.clone()).expect("a connection"), stream)
        };
        Server::start_as("https", tls, handler)
    }

    fn start_as<S: Read + Write>(
        scheme: &'static str,
        stream: impl Fn(TcpStream) -> S + Clone + Send + 'static,
        handler: impl Fn(&Request) -> Answer + Send + Sync + 'static,
    ) -> Server {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let requests = Arc::<Mutex<Vec<Request>>>::default();
        let (seen, handler): (_, Handler) = (requests.clone(), Arc::new(handler));
        thread::spawn(move || {
            while let Ok((connection, _)) = listener.accept() {
                let (seen, handler, stream) = (seen.clone(), handler.clone(), stream.clone());
                thread::spawn(move || {
                    let mut stream = BufReader::new(stream(connection));
                    while serve(&mut stream, &seen, &handler).is_some() {}
                });
            }
        });
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        Server { runtime, scheme, address, requests }
    }

    pub fn url(&self, target: &str) -> String {
        format!("{}://{}{target}", self.scheme, self.address)
    }

    pub fn requests(&self) -> Vec<Request> {
        self.requests.lock().unwrap().clone()
    }
}

/// One request of a connection, which ends with `None`.
fn serve<S: Read + Write>(
    reader: &mut BufReader<S>,
    seen: &Mutex<Vec<Request>>,
    handler: &Handler,
) -> Option<()> {
    let mut line = String::new();
    reader.read_line(&mut line).ok().filter(|length| *length > 0)?;
    let mut words = line.split(' ').map(str::to_owned);
    let (method, target) = (words.next()?, words.next()?);
    let mut headers = Vec::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        let Some((name, value)) = line.trim_end().split_once(": ") else { break };
        headers.push((name.to_owned(), value.to_owned()));
    }
    let mut request = Request { method, target, headers, body: Vec::new() };
    let length = request.header("content-length").map_or(0, |length| length.parse().unwrap());
    request.body.resize(length, 0);
    reader.read_exact(&mut request.body).ok()?;
    seen.lock().unwrap().push(request.clone());
    let Answer::Status(status, headers, body) = handler(&request) else { return None };
    let headers: String = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    let length = if status == 204 { String::new() } else { format!("Content-Length: {}\r\n", body.len()) };
    let stream = reader.get_mut();
    write!(stream, "HTTP/1.1 {status} So\r\n{headers}{length}\r\n").ok()?;
    stream.write_all(&body).ok()?;
    stream.flush().ok()
}

/// The records of so many calls.
pub fn batch(count: u32) -> Vec<SinkRecord> {
    let record = |n: u32| SinkRecord::of(&Entry::ended(n.into(), &facts_of(n), false)).unwrap().unwrap();
    (0..count).map(record).collect()
}
