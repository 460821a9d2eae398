//! One WebSocket, from its request to its end.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use futures_util::{SinkExt as _, StreamExt as _};
use hyper::Uri;
use hyper::header::{HeaderName, HeaderValue};
use secrecy::ExposeSecret as _;
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout};
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{WebSocketStream, client_async_with_config};

use super::Target;
use crate::http::{Io, Unanswered, short};
use crate::signature;

/// For the request and its answer.
const HANDSHAKE: Duration = Duration::from_secs(10);

/// A server that takes nothing for so long is away.
const STUCK: Duration = Duration::from_secs(10);

/// For the last words, once all is sent.
const CLOSE: Duration = Duration::from_secs(5);

/// The longest message that is taken, in bytes: seconds of audio.
const MESSAGE: usize = 256 << 10;

/// Bytes that wait for the socket, beyond what one message needs.
const WRITES: usize = 64 << 10;

/// Messages, and bytes, that a server may send in a second. More is a flood.
const RATE: (usize, usize) = (5_000, 4 << 20);

/// What comes of a WebSocket.
#[derive(Debug)]
pub(super) enum Event {
    /// Messages may be sent; how many of them were written is counted.
    Open(mpsc::Sender<Message>, Arc<AtomicUsize>),
    /// The server said something.
    Text(String),
    /// The server sent audio.
    Binary(bytes::Bytes),
    /// Both sides have said that this is the end.
    Closed,
    /// It failed. Why.
    Failed(String),
}

/// Runs a WebSocket to its end: until the sender of messages is dropped, and the server has closed.
pub(super) async fn run(target: Target, events: mpsc::Sender<Event>) {
    let end = match talk(&target, &events).await {
        Ok(()) => Event::Closed,
        Err(cause) => Event::Failed(cause),
    };
    let _ = events.send(end).await;
}

/// Whether a server would take a WebSocket now: it is asked for one, which is closed at once.
pub(super) async fn probe(target: &Target) -> Result<(), String> {
    let mut socket = open(target).await?;
    let _ = timeout(CLOSE, socket.close(None)).await;
    Ok(())
}

async fn open(target: &Target) -> Result<WebSocketStream<Box<dyn Io>>, String> {
    let uri: Uri = target.url.parse().map_err(|_| "the URL is none".to_owned())?;
    let mut request = uri.clone().into_client_request().map_err(|error| cause(&error))?;
    for (name, value) in &target.headers {
        let name = HeaderName::try_from(name).map_err(|_| "a header's name is none".to_owned())?;
        let value = HeaderValue::try_from(value.expose_secret())
            .map_err(|_| "a header's value is none".to_owned())?;
        request.headers_mut().insert(name, value);
    }
    if let Some(secret) = &target.secret {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        let value = signature::signature(secret.expose_secret(), now, target.url.as_bytes());
        let value = HeaderValue::try_from(value).map_err(|_| "the signature is none".to_owned())?;
        request.headers_mut().insert(HeaderName::from_static("voice-connector-signature"), value);
    }
    let stream = target.client.connect(&uri).await.map_err(|error| error.to_string())?;
    let config = WebSocketConfig::default()
        .max_message_size(Some(MESSAGE))
        .max_frame_size(Some(MESSAGE))
        .write_buffer_size(0)
        .max_write_buffer_size(WRITES + MESSAGE);
    let shaken = timeout(HANDSHAKE, client_async_with_config(request, stream, Some(config))).await;
    let (socket, _) =
        shaken.map_err(|_| "no answer to the request".to_owned())?.map_err(|error| cause(&error))?;
    Ok(socket)
}

async fn talk(target: &Target, events: &mpsc::Sender<Event>) -> Result<(), String> {
    let mut socket = open(target).await?;
    let (sender, mut messages) = mpsc::channel(8);
    let written = Arc::new(AtomicUsize::new(0));
    let _ = events.send(Event::Open(sender, written.clone())).await;
    let mut second = (Instant::now(), 0_usize, 0_usize);
    let (mut open, mut give_up) = (true, None);
    loop {
        tokio::select! {
            message = messages.recv(), if open => {
                let message = message.unwrap_or_else(|| {
                    open = false;
                    give_up = Some(Instant::now() + CLOSE);
                    Message::Close(None)
                });
                match timeout(STUCK, socket.send(message)).await {
                    Ok(Ok(())) => drop(written.fetch_add(1, Relaxed)),
                    Ok(Err(Error::ConnectionClosed)) if !open => return Ok(()),
                    Ok(Err(error)) => return Err(cause(&error)),
                    Err(_) => return Err(format!("nothing was taken for {} s", STUCK.as_secs())),
                }
            }
            came = socket.next() => {
                let message = match came {
                    Some(Ok(message)) => message,
                    Some(Err(Error::ConnectionClosed)) | None if !open => return Ok(()),
                    Some(Err(error)) => return if open { Err(cause(&error)) } else { Ok(()) },
                    None => return Err("the server closed".to_owned()),
                };
                let now = Instant::now();
                if second.0 + Duration::from_secs(1) <= now {
                    second = (now, 0, 0);
                }
                second.1 += 1;
                second.2 += message.len();
                if second.1 > RATE.0 || second.2 > RATE.1 {
                    return Err("the server floods us".to_owned());
                }
                let event = match message {
                    Message::Text(text) => Event::Text(text.as_str().to_owned()),
                    Message::Binary(bytes) => Event::Binary(bytes),
                    Message::Close(_) if open => return Err("the server closed".to_owned()),
                    _ => continue, // The library answers pings, and closes.
                };
                let _ = events.send(event).await;
            }
            () = tokio::time::sleep_until(give_up.unwrap_or_else(Instant::now)), if give_up.is_some() => {
                return Ok(());
            }
        }
    }
}

fn cause(error: &Error) -> String {
    match error {
        Error::Http(answer) => format!("the server answered {}", answer.status()),
        error => short(&Unanswered::new(error).to_string()),
    }
}
