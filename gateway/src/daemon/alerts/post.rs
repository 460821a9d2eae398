//! One POST, signed as those of records are.

use std::path::Path;
use std::time::Duration;

use config::{HttpUrl, Secret};
use http_body_util::Full;
use hyper::header::{CONTENT_TYPE, USER_AGENT};
use hyper::{Method, Request};
use secrecy::ExposeSecret;

use crate::listen::TlsError;
use crate::record::sink::http::{HttpClient, reason};
use crate::record::sink::webhook::{SIGNATURE, signature};

/// What is posted.
pub(super) struct Post {
    pub webhook: HttpUrl,
    /// Since the Unix epoch.
    pub unix: Duration,
    pub body: String,
}

/// Why a post was not taken.
#[derive(Debug, thiserror::Error)]
pub(super) enum PostError {
    #[error("alerts.secret: {0}")]
    Secret(#[from] config::SecretError),
    #[error(transparent)]
    Tls(#[from] TlsError),
    #[error(transparent)]
    Request(#[from] hyper::http::Error),
    #[error("{0}")]
    NoAnswer(String),
    #[error("the answer is {0}")]
    Status(u16),
}

impl Post {
    /// Sends it, and waits for the answer.
    ///
    /// # Errors
    /// Whatever is not a 2xx.
    pub async fn send(&self, secret: Option<&Secret>, ca: Option<&Path>) -> Result<(), PostError> {
        let Post { webhook, unix, body } = self;
        let mut request = Request::builder()
            .method(Method::POST)
            .uri(webhook.as_str())
            .header(CONTENT_TYPE, "application/json")
            .header(USER_AGENT, concat!("voice-connector/", env!("CARGO_PKG_VERSION")));
        if let Some(secret) = secret {
            let secret = secret.resolve()?;
            let signature = signature(secret.expose_secret(), unix.as_secs(), body.as_bytes());
            request = request.header(SIGNATURE, signature);
        }
        let request = request.body(Full::from(body.clone()))?;
        let answer = HttpClient::new(ca)?.ask(request).await;
        match answer.map_err(|error| PostError::NoAnswer(reason(error.as_ref())))?.status() {
            status if status.is_success() => Ok(()),
            status => Err(PostError::Status(status.as_u16())),
        }
    }
}
