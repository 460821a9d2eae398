//! Requests to AWS: credentials, signatures, errors as it names them.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::header::{CONTENT_TYPE, HeaderName, HeaderValue};
use hyper::{Method, Request, Response};
use object_store::RetryConfig;
use object_store::aws::{AmazonS3Builder, AwsAuthorizer, AwsCredential, AwsCredentialProvider};
use object_store::client::{
    ClientOptions, HttpConnector, HttpError, HttpErrorKind, HttpRequest, HttpRequestBody, HttpResponse,
    HttpService,
};
use secrecy::{ExposeSecret as _, SecretString};

use crate::http::{Client, Unanswered, short};

/// Where the keys come from.
#[derive(Debug, Clone)]
pub enum Keys {
    /// These.
    These {
        /// The id of the access key.
        id: String,
        /// Its secret.
        secret: SecretString,
        /// Of temporary keys.
        token: Option<SecretString>,
    },
    /// A profile of a shared credentials file, read again at each use: `~/.aws/credentials`.
    File {
        /// The file.
        path: PathBuf,
        /// `default`, as a rule.
        profile: String,
    },
    /// What the host has: environment variables, a web identity token, a container's or the instance's metadata service.
    Host,
}

/// Why a request was not answered as wished.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// No usable keys.
    #[error("no credentials: {0}")]
    Credentials(String),
    /// The request cannot be made: a URL or header that is none.
    #[error("no such request can be made: {0}")]
    Request(String),
    /// Nobody answered.
    #[error(transparent)]
    Unanswered(#[from] Unanswered),
    /// An error, by its name.
    #[error("{status} {name}: {message}")]
    Refused {
        /// Of HTTP.
        status: u16,
        /// `ResourceInUseException` and the like; empty where none is said.
        name: String,
        /// What it says.
        message: String,
    },
}

/// Makes signed requests in one region. A clone is the same.
#[derive(Clone)]
pub struct Aws {
    client: Client,
    region: String,
    source: Source,
}

#[derive(Clone)]
enum Source {
    These(Arc<AwsCredential>),
    File(PathBuf, String),
    Host(AwsCredentialProvider),
}

impl fmt::Debug for Aws {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Aws").field("region", &self.region).finish_non_exhaustive()
    }
}

impl Aws {
    /// - `region`: `us-east-1` and the like.
    ///
    /// # Errors
    /// What the environment says of credentials makes no sense.
    pub fn new(client: Client, region: &str, keys: &Keys) -> Result<Self, Error> {
        let source = match keys {
            Keys::These { id, secret, token } => Source::These(Arc::new(AwsCredential {
                key_id: id.clone(),
                secret_key: secret.expose_secret().to_owned(),
                token: token.as_ref().map(|token| token.expose_secret().to_owned()),
            })),
            Keys::File { path, profile } => Source::File(path.clone(), profile.clone()),
            // The library's chain of providers is to be had from its client of S3 alone. Nothing is asked of that bucket.
            Keys::Host => {
                let store = AmazonS3Builder::from_env()
                    .with_bucket_name("none")
                    .with_region(region)
                    .with_client_options(ClientOptions::new().with_allow_http(true))
                    .with_retry(RetryConfig { max_retries: 1, ..RetryConfig::default() })
                    .with_http_connector(Connector(client.clone()))
                    .build()
                    .map_err(|error| Error::Credentials(short(&error.to_string())))?;
                Source::Host(store.credentials().clone())
            }
        };
        Ok(Self { client, region: region.to_owned(), source })
    }

    /// The region.
    #[must_use]
    pub fn region(&self) -> &str {
        &self.region
    }

    /// Who makes the requests.
    pub(crate) fn client(&self) -> &Client {
        &self.client
    }

    async fn credential(&self) -> Result<Arc<AwsCredential>, Error> {
        match &self.source {
            Source::These(credential) => Ok(credential.clone()),
            Source::File(path, profile) => of_file(path, profile).map(Arc::new),
            Source::Host(provider) => {
                provider.get_credential().await.map_err(|error| Error::Credentials(short(&error.to_string())))
            }
        }
    }

    /// Signs a request with Signature Version 4.
    ///
    /// - `signs_body`: the body's digest is signed; otherwise `UNSIGNED-PAYLOAD` is.
    pub(crate) async fn sign(
        &self,
        service: &str,
        request: Request<Bytes>,
        signs_body: bool,
    ) -> Result<Request<Bytes>, Error> {
        let credential = self.credential().await?;
        // What the library would panic of, in a header that is made of the token.
        if credential.token.as_ref().is_some_and(|token| HeaderValue::from_str(token).is_err()) {
            return Err(Error::Credentials("the token is none".to_owned()));
        }
        let (head, body) = request.into_parts();
        let mut signed: HttpRequest = Request::from_parts(head, HttpRequestBody::from(body.clone()));
        AwsAuthorizer::new(&credential, service, &self.region)
            .with_sign_payload(signs_body)
            .try_authorize(&mut signed, None)
            .map_err(|error| Error::Request(short(&error.to_string())))?;
        Ok(signed.map(|_| body))
    }

    /// A signed POST, and its answer.
    ///
    /// # Errors
    /// It was not answered, or refused.
    pub(crate) async fn post(
        &self,
        service: &str,
        url: &str,
        headers: &[(HeaderName, &str)],
        content_type: &'static str,
        body: Bytes,
    ) -> Result<Response<Bytes>, Error> {
        let request = post(url, headers)?.header(CONTENT_TYPE, content_type).body(body);
        let request = request.map_err(|error| Error::Request(error.to_string()))?;
        let request = self.sign(service, request, true).await?;
        let answer = self.client.ask(request.map(Full::new)).await?;
        if answer.status().is_success() { Ok(answer) } else { Err(refused(&answer)) }
    }
}

/// A POST to a URL that can be signed.
pub(crate) fn post(
    url: &str,
    headers: &[(HeaderName, &str)],
) -> Result<hyper::http::request::Builder, Error> {
    // The library that signs takes a URL that it can't read for a mistake of the program.
    let uri: hyper::Uri = url.parse().map_err(|_| Error::Request(format!("{} is no URL", short(url))))?;
    if !matches!(uri.scheme_str(), Some("http" | "https")) || uri.host().is_none_or(str::is_empty) {
        return Err(Error::Request(format!("{} is no URL of a server", short(url))));
    }
    let request = Request::builder().method(Method::POST).uri(uri);
    Ok(headers.iter().fold(request, |request, (name, value)| request.header(name, *value)))
}

/// What an answer says that is no success.
pub(crate) fn refused(answer: &Response<Bytes>) -> Error {
    let header = |name| answer.headers().get(name).and_then(|value: &HeaderValue| value.to_str().ok());
    let body: Option<serde_json::Value> = serde_json::from_slice(answer.body()).ok();
    let field = |names: &[&str]| {
        let body = body.as_ref()?;
        names.iter().find_map(|name| body.get(name)?.as_str()).map(short)
    };
    let text = || short(&String::from_utf8_lossy(answer.body().get(..600).unwrap_or(answer.body())));
    // Of the older protocols: `<Error><Code>NotFound</Code>`.
    let xml = |name: &str| {
        let text = std::str::from_utf8(answer.body()).ok()?;
        let (_, rest) = text.split_once(&format!("<{name}>"))?;
        rest.split_once(&format!("</{name}>")).map(|(content, _)| short(content))
    };
    let name = header("x-amzn-errortype").or_else(|| header("x-amz-errortype")).map(short);
    let name =
        name.or_else(|| field(&["__type", "code", "Code"])).or_else(|| xml("Code")).unwrap_or_default();
    // `com.amazonaws.sqs#QueueDoesNotExist`, `ResourceInUseException:http://...`
    let name = name.rsplit('#').next().and_then(|name| name.split(':').next()).unwrap_or_default();
    Error::Refused {
        status: answer.status().as_u16(),
        name: name.to_owned(),
        message: field(&["message", "Message"]).or_else(|| xml("Message")).unwrap_or_else(text),
    }
}

/// The keys of a profile.
fn of_file(path: &Path, profile: &str) -> Result<AwsCredential, Error> {
    let said = |what: &dyn fmt::Display| Error::Credentials(format!("{}: {what}", path.display()));
    let text = std::fs::read_to_string(path).map_err(|error| said(&error))?;
    let (mut id, mut secret, mut token, mut inside) = (None, None, None, false);
    for line in text.lines().map(str::trim) {
        if let Some(name) = line.strip_prefix('[').and_then(|line| line.strip_suffix(']')) {
            let name = name.trim();
            inside = name.strip_prefix("profile ").unwrap_or(name).trim() == profile;
        } else if inside && let Some((name, value)) = line.split_once('=') {
            let value = Some(value.trim().to_owned());
            match name.trim() {
                "aws_access_key_id" => id = value,
                "aws_secret_access_key" => secret = value,
                "aws_session_token" => token = value,
                _ => {}
            }
        }
    }
    match (id, secret) {
        (Some(key_id), Some(secret_key)) => Ok(AwsCredential { key_id, secret_key, token }),
        _ => Err(said(&format_args!("no keys in profile {profile}"))),
    }
}

/// Our client for the library's requests, to metadata services and for a web identity.
#[derive(Debug, Clone)]
struct Connector(Client);

impl HttpConnector for Connector {
    fn connect(&self, _: &ClientOptions) -> object_store::Result<object_store::client::HttpClient> {
        Ok(object_store::client::HttpClient::new(self.clone()))
    }
}

#[async_trait::async_trait]
impl HttpService for Connector {
    async fn call(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        let (head, body) = request.into_parts();
        let body = body.collect().await?.to_bytes();
        let answer = self.0.ask(Request::from_parts(head, Full::new(body))).await;
        let answer = answer.map_err(|error| HttpError::new(HttpErrorKind::Connect, error))?;
        Ok(answer.map(Into::into))
    }
}

#[cfg(test)]
mod tests;
