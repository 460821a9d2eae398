//! An HTTP client for sinks: HTTP/1.1, by TLS or not, connections used again.

use std::future::Future;
use std::io;
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::{Request, Response, Uri};
use hyper_util::client::legacy;
use hyper_util::client::legacy::connect::{Connected, Connection};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::listen::{TlsError, client_config};

/// A server that has not begun to answer by then is away.
const LIMIT: Duration = Duration::from_secs(20);

/// So much of an answer is read; sinks answer briefly.
const ANSWER: usize = 4 << 20;

/// Why there was no answer.
pub(crate) type Fault = Box<dyn std::error::Error + Send + Sync>;

/// Asks HTTP servers. A clone is the same client.
#[derive(Debug, Clone)]
pub struct HttpClient(legacy::Client<Connector, Full<Bytes>>);

impl HttpClient {
    /// - `ca`: trust anchors, PEM; `None`: the system's.
    ///
    /// # Errors
    /// The file can't be used.
    pub fn new(ca: Option<&Path>) -> Result<HttpClient, TlsError> {
        let connector = Connector(Arc::new(client_config(ca)?));
        let client = legacy::Client::builder(TokioExecutor::new())
            .pool_idle_timeout(Duration::from_secs(30))
            .build(connector);
        Ok(HttpClient(client))
    }

    /// The whole answer.
    ///
    /// # Errors
    /// Nobody answers in time, or not in HTTP.
    pub(crate) async fn ask(&self, request: Request<Full<Bytes>>) -> Result<Response<Bytes>, Fault> {
        let asked = async {
            let (head, body) = self.0.request(request).await?.into_parts();
            let body = Limited::new(body, ANSWER).collect().await?.to_bytes();
            Ok(Response::from_parts(head, body))
        };
        match tokio::time::timeout(LIMIT, asked).await {
            Ok(answer) => answer,
            Err(_) => Err(format!("no answer within {} s", LIMIT.as_secs()).into()),
        }
    }
}

/// So many characters are said of what went wrong: the last ones, which tell the cause.
const REASON: usize = 300;

/// What went wrong, down to the cause.
pub(crate) fn reason(error: &(dyn std::error::Error + 'static)) -> String {
    let causes = std::iter::successors(Some(error), |error| error.source());
    let mut causes: Vec<String> = causes.map(ToString::to_string).collect();
    causes.dedup_by(|cause, whole| whole.contains(cause.as_str()));
    let text = causes.join(": ");
    let before = text.chars().count().saturating_sub(REASON);
    text.chars().skip(before).map(|letter| if letter.is_control() { '?' } else { letter }).collect()
}

/// Connects by the URL's scheme.
#[derive(Debug, Clone)]
struct Connector(Arc<ClientConfig>);

impl tower_service::Service<Uri> for Connector {
    type Response = TokioIo<Stream>;
    type Error = io::Error;
    type Future = Pin<Box<dyn Future<Output = io::Result<TokioIo<Stream>>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        let config = self.0.clone();
        Box::pin(async move {
            let encrypted = uri.scheme_str() == Some("https");
            let host = uri.host().unwrap_or_default();
            let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
            let port = uri.port_u16().unwrap_or(if encrypted { 443 } else { 80 });
            let stream = TcpStream::connect((host, port)).await?;
            stream.set_nodelay(true)?;
            if !encrypted {
                return Ok(TokioIo::new(Stream::Plain(stream)));
            }
            let name = ServerName::try_from(host.to_owned()).map_err(io::Error::other)?;
            let stream = TlsConnector::from(config).connect(name, stream).await?;
            Ok(TokioIo::new(Stream::Tls(Box::new(stream))))
        })
    }
}

#[derive(Debug)]
enum Stream {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

impl Connection for Stream {
    fn connected(&self) -> Connected {
        Connected::new()
    }
}

impl AsyncRead for Stream {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Stream::Plain(stream) => Pin::new(stream).poll_read(cx, buffer),
            Stream::Tls(stream) => Pin::new(stream).poll_read(cx, buffer),
        }
    }
}

impl AsyncWrite for Stream {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Stream::Plain(stream) => Pin::new(stream).poll_write(cx, bytes),
            Stream::Tls(stream) => Pin::new(stream).poll_write(cx, bytes),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Stream::Plain(stream) => Pin::new(stream).poll_flush(cx),
            Stream::Tls(stream) => Pin::new(stream).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Stream::Plain(stream) => Pin::new(stream).poll_shutdown(cx),
            Stream::Tls(stream) => Pin::new(stream).poll_shutdown(cx),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Answer, Server, batch};
    use super::super::webhook::Webhook;
    use super::super::{Outcome, Sink};
    use super::*;
    use crate::listen::tls::certificates::Authority;

    #[test]
    fn a_server_is_known_by_its_authority_and_its_name() {
        let directory = tempfile::tempdir().unwrap();
        let [ours, theirs] = ["ours", "theirs"].map(|name| {
            let (authority, file) = (Authority::new(name), directory.path().join(format!("{name}.pem")));
            std::fs::write(&file, &authority.pem).unwrap();
            (authority, file)
        });
        let post = |server: &Server, ca: &Path| {
            let client = HttpClient::new(Some(ca)).unwrap();
            let webhook = Webhook::new(client, &server.url("/calls"), "s3cret".into());
            server.runtime.block_on(webhook.take(&batch(1)))
        };
        let server = Server::start_tls(ours.0.leaf(&["127.0.0.1"]).server(), |_| Answer::status(204));
        assert_eq!(post(&server, &ours.1), Outcome::Done);
        let Outcome::Later(why) = post(&server, &theirs.1) else { panic!() };
        assert!(why.contains("certificate"), "{why}");
        assert_eq!(server.requests().len(), 1, "nothing is said to who is not known");
        let server =
            Server::start_tls(ours.0.leaf(&["records.example.com"]).server(), |_| Answer::status(204));
        let Outcome::Later(why) = post(&server, &ours.1) else { panic!() };
        assert!(why.contains("certificate") && server.requests().is_empty(), "{why}");
        assert!(HttpClient::new(Some(&directory.path().join("none.pem"))).is_err());
    }
}
