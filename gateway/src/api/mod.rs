//! The `chime-sdk-voice` API: the crate `api` behind a listener, on what `api.directory` keeps.
//!
//! Beside it, where `api.console` says so, the console: the crate `console`.
//!
//! A request is handled on a thread that may wait for the disk, never on one of calls; a connection brings one after another.

mod access;
mod host;
mod inherited;
mod listener;
mod store;
#[cfg(test)]
mod tests;

pub(crate) use access::act_audited;
pub use access::{AccessError, Act, Issued, KeyLine, NewKey, PolicyLine, Told, act};
pub use listener::Certified;
pub use store::{StoreError, open};
pub(crate) use store::{fill, now, pool};

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use ::console::Console;
use axum::Router;
use axum::body::Body;
use axum::extract::connect_info::ConnectInfo;
use axum::extract::{Request, State};
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use config::Config;
use http_body_util::{BodyExt, Limited};
use inventory::Inventory;
use rustls::ServerConfig;
use time::OffsetDateTime;

use crate::listen::{TlsError, server_config};
use crate::record::Recorder;
use crate::termination_health::TerminationHealth;
use host::GatewayHost;
use listener::{Listener, Peer};

/// Why the API cannot start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ApiError {
    /// The address cannot be bound.
    #[error("api.address {address}: {source}")]
    Bind {
        /// As configured.
        address: SocketAddr,
        /// Why.
        source: io::Error,
    },
}

/// What the API works with.
pub struct Parts {
    /// What it manages.
    pub inventory: Arc<Inventory>,
    /// What is heard of customers.
    pub health: Arc<TerminationHealth>,
    /// Where calls of it are kept.
    pub recorder: Recorder,
    /// What it shows; `None`: it speaks plain HTTP.
    pub certified: Option<Arc<Certified>>,
    /// What the console shows; `None`: there is no console.
    pub pages: Option<Arc<dyn ::console::Host>>,
}

/// The certificate of the API as its files have it now; `None`: it has none.
///
/// # Errors
/// It can't be used.
pub fn certified(config: &Config) -> Result<Option<Arc<ServerConfig>>, TlsError> {
    let certificate = config.api.as_ref().and_then(|api| api.certificate.as_ref());
    certificate.map(server_config).transpose()
}

/// The account in ARNs: `gateway.account`, or zeros.
fn account(gateway: &config::Gateway) -> &str {
    gateway.account.as_deref().unwrap_or("000000000000")
}

/// A bound API.
pub struct Bound {
    listener: Listener,
    address: SocketAddr,
    served: Arc<Served>,
}

/// What requests come to.
struct Served {
    api: Arc<::api::Api>,
    console: Option<Console>,
}

impl Served {
    fn handle(&self, request: &::api::Request<'_>, now: OffsetDateTime) -> ::api::Response {
        match &self.console {
            Some(console) if Console::serves(request.path) => console.handle(request, now),
            _ => self.api.handle(request, now),
        }
    }
}

impl Bound {
    /// Binds the address, or takes the socket of that address that the service manager has bound.
    ///
    /// # Errors
    /// The address cannot be used.
    pub async fn bind(settings: &config::Api, config: &Config, parts: Parts) -> Result<Bound, ApiError> {
        let Parts { inventory, health, recorder, certified, pages } = parts;
        let bind = |source| ApiError::Bind { address: settings.address, source };
        let listener = match inherited::take(settings.address).map_err(bind)? {
            Some(listener) => tokio::net::TcpListener::from_std(listener).map_err(bind)?,
            None => tokio::net::TcpListener::bind(settings.address).await.map_err(bind)?,
        };
        let address = listener.local_addr().map_err(bind)?;
        let gateway = &config.gateway;
        let of_api = ::api::Settings {
            base_path: settings.base_path.clone(),
            domain: gateway.domain.clone(),
            region: gateway.region.clone(),
            account: account(gateway).to_owned(),
            rate: settings.rate,
            burst: settings.rate.saturating_mul(2),
            audit_reads: settings.audit_reads,
        };
        let host = Arc::new(GatewayHost::new(inventory.clone(), health, recorder));
        let api = ::api::Api::new(of_api, inventory.clone(), host, OffsetDateTime::now_utc());
        let api = Arc::new(api);
        let of_console = ::console::Settings { secure: certified.is_some(), domain: gateway.domain.clone() };
        let console = pages.map(|pages| Console::new(of_console, api.clone(), inventory, pages));
        let served = Arc::new(Served { api, console });
        Ok(Bound { listener: Listener::new(listener, address, certified), address, served })
    }

    /// Where it listens; the port where 0 was asked for.
    #[must_use]
    pub fn local_addr(&self) -> SocketAddr {
        self.address
    }

    /// Answers until `stop` is done, then finishes what it has begun.
    ///
    /// # Errors
    /// The listener failed.
    pub async fn serve(self, stop: impl Future<Output = ()> + Send + 'static) -> io::Result<()> {
        let router = Router::new().fallback(handle).with_state(self.served);
        let service = router.into_make_service_with_connect_info::<Peer>();
        axum::serve(self.listener, service).with_graceful_shutdown(stop).await
    }
}

async fn handle(
    State(served): State<Arc<Served>>,
    ConnectInfo(peer): ConnectInfo<Peer>,
    request: Request,
) -> Response {
    let last = peer.asks();
    let (mut response, whole) = respond(served, peer.address, request).await;
    if last || !whole {
        response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    response
}

/// The answer, and whether the whole request was read.
async fn respond(served: Arc<Served>, peer: SocketAddr, request: Request) -> (Response, bool) {
    let (parts, body) = request.into_parts();
    let body = match Limited::new(body, ::api::MAX_BODY).collect().await {
        Ok(body) => body.to_bytes(),
        Err(error) if error.is::<http_body_util::LengthLimitError>() => {
            return (written(served.api.too_long()), false);
        }
        Err(_) => return (StatusCode::BAD_REQUEST.into_response(), false),
    };
    let answer = tokio::task::spawn_blocking(move || {
        let headers: Vec<(String, String)> = parts
            .headers
            .iter()
            .map(|(name, value)| (name.to_string(), String::from_utf8_lossy(value.as_bytes()).into_owned()))
            .collect();
        let request = ::api::Request {
            method: parts.method.as_str(),
            path: parts.uri.path(),
            query: parts.uri.query().unwrap_or_default(),
            headers: &headers,
            body: &body,
            source: peer.ip(),
        };
        served.handle(&request, OffsetDateTime::now_utc())
    });
    let answer = answer.await;
    (answer.map_or_else(|_| StatusCode::INTERNAL_SERVER_ERROR.into_response(), written), true)
}

fn written(response: ::api::Response) -> Response {
    let mut written = Response::new(Body::from(response.body));
    *written.status_mut() =
        StatusCode::from_u16(response.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    for (name, value) in response.headers {
        if let Ok(value) = HeaderValue::try_from(value) {
            written.headers_mut().insert(HeaderName::from_static(name), value);
        }
    }
    written
}
