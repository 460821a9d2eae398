//! Connections and HTTP/1.1 requests, by TLS or not.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::Body;
use hyper::client::conn::http1::{self, SendRequest};
use hyper::header::{HOST, HeaderValue};
use hyper::{Request, Response, Uri};
use hyper_util::rt::TokioIo;
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

/// Whoever has not let us in by then is away.
const CONNECT: Duration = Duration::from_secs(10);

/// Whoever has not answered a request by then is away.
const ANSWER: Duration = Duration::from_secs(20);

/// So much of an answer is read.
const ANSWER_SIZE: usize = 1 << 20;

/// So many characters are said of what went wrong.
const REASON: usize = 300;

/// A connection, encrypted or not.
pub(crate) trait Io: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Io for T {}

/// Why there was no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Unanswered(pub(crate) String);

impl Unanswered {
    pub(crate) fn new(error: &(dyn std::error::Error + 'static)) -> Self {
        let mut causes: Vec<String> =
            std::iter::successors(Some(error), |error| error.source()).map(ToString::to_string).collect();
        causes.dedup_by(|cause, whole| whole.contains(cause.as_str()));
        Self(short(&causes.join(": ")))
    }
}

/// What somebody else said, short and without controls.
pub(crate) fn short(text: &str) -> String {
    text.chars().take(REASON).map(|letter| if letter.is_control() { '?' } else { letter }).collect()
}

/// Asks HTTP servers, a connection for each request. A clone is the same client.
#[derive(Debug, Clone)]
pub struct Client {
    tls: Arc<ClientConfig>,
}

impl Client {
    /// - `tls`: the trust anchors.
    #[must_use]
    pub fn new(tls: Arc<ClientConfig>) -> Self {
        Self { tls }
    }

    /// A connection to the host of a URL: by TLS for `https` and `wss`.
    pub(crate) async fn connect(&self, uri: &Uri) -> Result<Box<dyn Io>, Unanswered> {
        let connecting = async {
            let encrypted = matches!(uri.scheme_str(), Some("https" | "wss"));
            let host = uri.host().unwrap_or_default();
            let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
            let port = uri.port_u16().unwrap_or(if encrypted { 443 } else { 80 });
            let stream = TcpStream::connect((host, port)).await?;
            stream.set_nodelay(true)?;
            if !encrypted {
                return Ok(Box::new(stream) as Box<dyn Io>);
            }
            let name = ServerName::try_from(host.to_owned()).map_err(io::Error::other)?;
            Ok(Box::new(TlsConnector::from(self.tls.clone()).connect(name, stream).await?) as Box<dyn Io>)
        };
        match timeout(CONNECT, connecting).await {
            Ok(stream) => stream.map_err(|error: io::Error| Unanswered::new(&error)),
            Err(_) => Err(Unanswered(format!("no connection within {} s", CONNECT.as_secs()))),
        }
    }

    /// An HTTP/1.1 connection to the host of a URL.
    pub(crate) async fn open<B>(&self, uri: &Uri) -> Result<(SendRequest<B>, Task), Unanswered>
    where
        B: Body<Data = Bytes, Error: Into<Box<dyn std::error::Error + Send + Sync>>> + Send + 'static,
    {
        let stream = self.connect(uri).await?;
        let (sender, connection) = http1::handshake(TokioIo::new(stream))
            .await
            .map_err(|error: hyper::Error| Unanswered::new(&error))?;
        let task = tokio::spawn(async move {
            if let Err(error) = connection.await {
                tracing::debug!(%error, "an HTTP connection broke");
            }
        });
        Ok((sender, Task(task)))
    }

    /// The whole answer.
    ///
    /// # Errors
    /// Nobody answers in time, or not in HTTP.
    pub async fn ask(&self, mut request: Request<Full<Bytes>>) -> Result<Response<Bytes>, Unanswered> {
        let asked = async {
            let (mut sender, _task) = self.open(request.uri()).await?;
            to_origin(&mut request);
            let answer = sender.send_request(request).await.map_err(|error| Unanswered::new(&error))?;
            let (head, body) = answer.into_parts();
            let body = Limited::new(body, ANSWER_SIZE).collect().await;
            let body = body.map_err(|error| Unanswered(short(&error.to_string())))?.to_bytes();
            Ok(Response::from_parts(head, body))
        };
        match timeout(ANSWER, asked).await {
            Ok(answer) => answer,
            Err(_) => Err(Unanswered(format!("no answer within {} s", ANSWER.as_secs()))),
        }
    }
}

/// A task that ends when this is dropped, whatever it is doing.
#[derive(Debug)]
pub(crate) struct Task(pub(crate) JoinHandle<()>);

impl Drop for Task {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// The request line names the path alone, the host has a header. RFC 9112 §3.2.1.
pub(crate) fn to_origin<B>(request: &mut Request<B>) {
    if let Some(authority) = request.uri().authority()
        && let Ok(host) = HeaderValue::from_str(authority.as_str())
    {
        request.headers_mut().insert(HOST, host);
    }
    let path = request.uri().path_and_query().map_or("/", |path| path.as_str());
    if let Ok(uri) = path.parse() {
        *request.uri_mut() = uri;
    }
}
