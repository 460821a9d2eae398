//! A WebSocket server on a library that the client does not use.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use futures_util::{SinkExt as _, StreamExt as _};
use serde_json::Value;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio_websockets::{Limits, Message, ServerBuilder};

/// What a WebSocket meets.
#[derive(Debug, Clone)]
pub enum Fault {
    None,
    /// Sends this once the stream has started, and goes on reading.
    Say(Vec<Message>),
    /// Closes after so many messages.
    Close(usize),
    /// Drops the connection after so many messages.
    Drop(usize),
    /// Answers the request with no upgrade.
    Refuse,
    /// Never answers the request.
    Stuck,
    /// Answers, and reads nothing any more.
    ReadsNothing,
    /// Sends without end.
    Flood,
}

/// One WebSocket's messages.
#[derive(Debug, Default, Clone)]
pub struct Heard {
    pub texts: Vec<Value>,
    pub binaries: Vec<Vec<u8>>,
    pub headers: HashMap<String, String>,
    pub ended: bool,
}

#[derive(Clone)]
pub struct Server {
    pub url: String,
    pub heard: Arc<Mutex<Vec<Heard>>>,
}

impl Server {
    pub async fn start(faults: impl IntoIterator<Item = Fault>) -> Server {
        Self::start_over(faults, None).await
    }

    pub async fn start_over(
        faults: impl IntoIterator<Item = Fault>,
        tls: Option<Arc<rustls::ServerConfig>>,
    ) -> Server {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let scheme = if tls.is_some() { "wss" } else { "ws" };
        let url = format!("{scheme}://localhost:{}/media?of=1", listener.local_addr().unwrap().port());
        let server = Server { url, heard: Arc::default() };
        let heard = server.heard.clone();
        let mut faults: std::collections::VecDeque<Fault> = faults.into_iter().collect();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (heard, fault, tls) =
                    (heard.clone(), faults.pop_front().unwrap_or(Fault::None), tls.clone());
                tokio::spawn(async move {
                    match tls {
                        None => serve(stream, fault, heard).await,
                        Some(tls) => {
                            if let Ok(stream) = tokio_rustls::TlsAcceptor::from(tls).accept(stream).await {
                                serve(stream, fault, heard).await;
                            }
                        }
                    }
                });
            }
        });
        server
    }
}

async fn serve(mut stream: impl AsyncRead + AsyncWrite + Unpin, fault: Fault, heard: Arc<Mutex<Vec<Heard>>>) {
    match fault {
        Fault::Refuse => {
            use tokio::io::AsyncWriteExt as _;
            let _ = stream.write_all(b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n").await;
            return;
        }
        Fault::Stuck => return std::future::pending().await,
        _ => {}
    }
    let limits = Limits::default();
    let Ok((request, mut socket)) = ServerBuilder::new().limits(limits).accept(stream).await else { return };
    let headers = request.headers().iter();
    let headers =
        headers.map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned())).collect();
    let place = {
        let mut heard = heard.lock().unwrap();
        heard.push(Heard { headers, ..Heard::default() });
        heard.len() - 1
    };
    if let Fault::ReadsNothing = fault {
        return std::future::pending().await;
    }
    let mut count = 0;
    let mut say = match &fault {
        Fault::Say(messages) => messages.clone(),
        _ => Vec::new(),
    };
    loop {
        if let Fault::Flood = fault {
            if socket
                .send(Message::text("{\"event\":\"media\",\"media\":{\"payload\":\"AAAA\"}}"))
                .await
                .is_err()
            {
                return;
            }
            continue;
        }
        let Some(Ok(message)) = socket.next().await else { break };
        {
            let heard = &mut heard.lock().unwrap()[place];
            if let Some(text) = message.as_text() {
                heard.texts.push(serde_json::from_str(text).unwrap());
            } else if message.is_binary() {
                heard.binaries.push(message.as_payload().to_vec());
            }
        }
        count += 1;
        if count == 3 {
            for message in say.drain(..) {
                socket.send(message).await.unwrap();
            }
        }
        match fault {
            Fault::Close(after) if count > after => {
                let _ = socket.close().await;
            }
            Fault::Drop(after) if count > after => return,
            _ => {}
        }
    }
    heard.lock().unwrap()[place].ended = true;
}
