//! The admin server: `/metrics`, `/healthz`, `/readyz` over HTTP/1.1.
//!
//! It answers one request a connection, and every connection is short: a stranger may waste its own
//! time, not the gateway's. It never serves SIP's threads: metrics are read, not asked for.

mod listener;

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use secrecy::{ExposeSecret, SecretString};
use subtle::ConstantTimeEq;

use crate::metrics::Metrics;
use crate::readiness::Readiness;
pub(crate) use listener::{Connection, Limited, Limits};

/// Prometheus text format.
const METRICS_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Why the admin server cannot start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AdminError {
    /// Others than this host could connect.
    #[error("admin.address {0} can be reached from elsewhere: set admin.token, or use a loopback address")]
    TokenRequired(SocketAddr),
    /// The address cannot be bound.
    #[error("admin.address {address}: {source}")]
    Bind {
        /// As configured.
        address: SocketAddr,
        /// Why.
        source: io::Error,
    },
}

/// A bound admin server.
pub struct Admin {
    listener: Limited,
    address: SocketAddr,
    router: Router,
}

impl Admin {
    /// Binds the address.
    ///
    /// - `token`: off loopback every request must bring it (`Authorization: Bearer`); on a loopback
    ///   address what only reads needs none.
    ///
    /// # Errors
    /// The address can't be bound, or may not be without a token.
    pub async fn bind(
        address: SocketAddr,
        token: Option<SecretString>,
        metrics: Metrics,
        readiness: Readiness,
    ) -> Result<Admin, AdminError> {
        Admin::bind_within(Limits::default(), address, token, metrics, readiness).await
    }

    async fn bind_within(
        limits: Limits,
        address: SocketAddr,
        token: Option<SecretString>,
        metrics: Metrics,
        readiness: Readiness,
    ) -> Result<Admin, AdminError> {
        let guarded = !is_loopback(address);
        if guarded && token.is_none() {
            return Err(AdminError::TokenRequired(address));
        }
        let bind = |source| AdminError::Bind { address, source };
        let listener = tokio::net::TcpListener::bind(address).await.map_err(bind)?;
        let address = listener.local_addr().map_err(bind)?;
        let required = token.filter(|_| guarded).map(Arc::new);
        let router = Router::new()
            .route("/metrics", get(text_of_metrics).with_state(metrics))
            .route("/healthz", get(async || "ok\n"))
            .route("/readyz", get(ready).with_state(readiness))
            .layer(middleware::from_fn_with_state(required, guard));
        Ok(Admin { listener: Limited::new(listener, limits), address, router })
    }

    /// Where it listens; the port where 0 was asked for.
    #[must_use]
    pub fn local_addr(&self) -> SocketAddr {
        self.address
    }

    /// Answers until `stop` is done, then finishes what it has begun, within the life of a connection.
    ///
    /// # Errors
    /// The listener failed.
    pub async fn serve(self, stop: impl Future<Output = ()> + Send + 'static) -> io::Result<()> {
        axum::serve(self.listener, self.router).with_graceful_shutdown(stop).await
    }
}

fn is_loopback(address: SocketAddr) -> bool {
    address.ip().to_canonical().is_loopback()
}

/// On a thread of its own: for thousands of connectors it takes a while, and `/healthz` must not wait for it.
async fn text_of_metrics(State(metrics): State<Metrics>) -> impl IntoResponse {
    let text = tokio::task::spawn_blocking(move || metrics.render()).await;
    text.map(|text| ([(header::CONTENT_TYPE, METRICS_TYPE)], text))
        .map_err(|_| StatusCode::INTERNAL_SERVER_ERROR)
}

async fn ready(State(readiness): State<Readiness>) -> (StatusCode, String) {
    match readiness.obstacles() {
        obstacles if obstacles.is_empty() => {
            let notes = readiness.notes();
            (StatusCode::OK, ["ready".to_owned()].into_iter().chain(notes).map(|line| line + "\n").collect())
        }
        obstacles => (StatusCode::SERVICE_UNAVAILABLE, obstacles.join("\n") + "\n"),
    }
}

/// Lets through who brings the token, where one is required, and closes the connection afterwards.
async fn guard(State(required): State<Option<Arc<SecretString>>>, request: Request, next: Next) -> Response {
    let mut response = match required {
        Some(token) if !brings(request.headers(), &token) => {
            (StatusCode::UNAUTHORIZED, [(header::WWW_AUTHENTICATE, "Bearer")], "token required\n")
                .into_response()
        }
        _ => next.run(request).await,
    };
    response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    response
}

/// Takes the same time whatever the token is wrong in, its length aside.
fn brings(headers: &HeaderMap, token: &SecretString) -> bool {
    let Some(value) = headers.get(header::AUTHORIZATION) else { return false };
    let Some((scheme, given)) = value.as_bytes().split_at_checked("Bearer ".len()) else { return false };
    scheme.eq_ignore_ascii_case(b"Bearer ")
        && bool::from(given.trim_ascii().ct_eq(token.expose_secret().as_bytes()))
}

#[cfg(test)]
mod tests;
