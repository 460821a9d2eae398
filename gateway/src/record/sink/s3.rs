//! Records for an object store that speaks S3: an object each.

use std::sync::Arc;

use config::Encryption;
use http_body_util::{BodyExt, Full};
use hyper::header::{HeaderMap, HeaderName, HeaderValue};
use object_store::aws::{AmazonS3Builder, AmazonS3ConfigKey, Checksum};
use object_store::client::{HttpConnector, HttpError, HttpErrorKind, HttpRequest, HttpResponse, HttpService};
use object_store::path::Path;
use object_store::{
    ClientOptions, Error, ObjectStore, ObjectStoreExt, PutMode, PutOptions, PutPayload, RetryConfig,
};
use secrecy::{ExposeSecret, SecretString};

use super::http::{HttpClient, reason};
use super::{Outcome, Sink, SinkRecord, Taking};

/// Records of one name that are told apart, as in the directory.
const NAMESAKES: u32 = 1_000;

/// A bucket, with what stands before each name.
pub struct S3 {
    store: Arc<dyn ObjectStore>,
    prefix: String,
}

impl S3 {
    /// - `prefix`: stands before each name.
    #[must_use]
    pub fn new(store: Arc<dyn ObjectStore>, prefix: &str) -> S3 {
        S3 { store, prefix: prefix.to_owned() }
    }

    async fn put_all(&self, batch: &[SinkRecord]) -> Outcome {
        for record in batch {
            match self.put(record).await {
                Ok(()) => {}
                Err(error @ Error::InvalidPath { .. }) => return Outcome::Never(reason(&error)),
                Err(error) => return Outcome::Later(reason(&error)),
            }
        }
        Outcome::Done
    }

    /// A name is written once. A different record of the same name makes it go by the next free millisecond, as in the
    /// directory.
    async fn put(&self, record: &SinkRecord) -> Result<(), Error> {
        for nudge in 0..NAMESAKES {
            let path = Path::from(format!("{}{}", self.prefix, record.name(nudge)));
            let options = PutOptions { mode: PutMode::Create, ..PutOptions::default() };
            match self.store.put_opts(&path, PutPayload::from(record.body.clone()), options).await {
                Err(Error::AlreadyExists { .. }) => {}
                result => return result.map(drop),
            }
            let there = match self.store.get(&path).await {
                Ok(there) => there.bytes().await?,
                // Who may only write can't look. Nearly always it is this record, written before.
                Err(Error::PermissionDenied { .. } | Error::Unauthenticated { .. }) => return Ok(()),
                Err(error) => return Err(error),
            };
            if there == record.body {
                return Ok(());
            }
        }
        Ok(())
    }
}

impl Sink for S3 {
    fn take<'a>(&'a self, batch: &'a [SinkRecord]) -> Taking<'a> {
        Box::pin(self.put_all(batch))
    }
}

/// The bucket's client. It tries once: whoever is away is asked again by the queue.
///
/// - `secret`: of the configured access key.
///
/// # Errors
/// The client takes no such configuration.
pub(super) fn store(
    client: HttpClient,
    config: &config::S3,
    secret: Option<&SecretString>,
) -> Result<Arc<dyn ObjectStore>, Error> {
    let mut options = ClientOptions::new().with_allow_http(true);
    if config.bucket_owner_full_control {
        let mut headers = HeaderMap::new();
        let acl = HeaderValue::from_static("bucket-owner-full-control");
        headers.insert(HeaderName::from_static("x-amz-acl"), acl);
        options = options.with_default_headers(headers);
    }
    let mut builder = AmazonS3Builder::new()
        .with_bucket_name(&config.bucket)
        .with_region(&config.region)
        .with_virtual_hosted_style_request(!config.path_style)
        .with_checksum_algorithm(Checksum::SHA256)
        .with_client_options(options)
        .with_retry(RetryConfig { max_retries: 0, ..RetryConfig::default() })
        .with_http_connector(Connector(client));
    if let Some(endpoint) = &config.endpoint {
        builder = builder.with_endpoint(endpoint.as_str().trim_end_matches('/'));
    }
    if let (Some((access, _)), Some(secret)) = (&config.keys, secret) {
        builder = builder.with_access_key_id(access).with_secret_access_key(secret.expose_secret());
    }
    let sse: AmazonS3ConfigKey = "aws_server_side_encryption".parse()?;
    builder = match &config.encryption {
        None => builder,
        Some(Encryption::Aes256) => builder.with_config(sse, "AES256"),
        Some(Encryption::Kms(key)) => builder.with_sse_kms_encryption(key),
    };
    Ok(Arc::new(builder.build()?))
}

/// Our client for the store's.
#[derive(Debug, Clone)]
struct Connector(HttpClient);

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
        let answer = self.0.ask(hyper::Request::from_parts(head, Full::from(body))).await;
        let answer =
            answer.map_err(|error| HttpError::new(HttpErrorKind::Request, Told(reason(error.as_ref()))))?;
        Ok(answer.map(Into::into))
    }
}

#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct Told(String);

#[cfg(test)]
mod tests {
    use std::collections::HashMap;
    use std::sync::Mutex;

    use super::super::testing::{Answer, Request, Server, batch};
    use super::*;
    use crate::listen::tls::certificates::Authority;

    fn config(server: &Server) -> config::S3 {
        config::S3 {
            bucket: "calls".to_owned(),
            region: "eu-central-1".to_owned(),
            endpoint: Some(server.url("").parse().unwrap()),
            prefix: "gw/".to_owned(),
            keys: Some(("AKIA".to_owned(), config::Secret::Env("X".to_owned()))),
            bucket_owner_full_control: true,
            encryption: Some(Encryption::Kms("alias/k".to_owned())),
            path_style: true,
            ca: None,
        }
    }

    fn sink(config: &config::S3) -> S3 {
        S3::new(
            store(HttpClient::new(None).unwrap(), config, Some(&"s3cret".into())).unwrap(),
            &config.prefix,
        )
    }

    /// What a bucket does that takes each name once.
    fn bucket() -> impl Fn(&Request) -> Answer + Send + Sync {
        let objects = Mutex::<HashMap<String, Vec<u8>>>::default();
        move |request| {
            let mut objects = objects.lock().unwrap();
            let etag = vec![
                ("ETag", "\"e\"".to_owned()),
                ("Last-Modified", "Sat, 10 Aug 2019 01:13:45 GMT".to_owned()),
            ];
            match (request.method.as_str(), objects.get(&request.target)) {
                ("PUT", Some(_)) => {
                    assert_eq!(request.header("if-none-match"), Some("*"));
                    Answer::status(412)
                }
                ("PUT", None) => {
                    objects.insert(request.target.clone(), request.body.clone());
                    Answer::Status(200, etag, Vec::new())
                }
                ("GET", Some(body)) => Answer::Status(200, etag, body.clone()),
                _ => Answer::status(404),
            }
        }
    }

    #[test]
    fn a_record_is_an_object_that_is_written_once() {
        let server = Server::start(bucket());
        let (sink, batch) = (sink(&config(&server)), batch(2));
        for _ in 0..2 {
            assert_eq!(server.runtime.block_on(sink.take(&batch)), Outcome::Done);
        }
        let requests = server.requests();
        let methods: Vec<_> = requests.iter().map(|request| request.method.as_str()).collect();
        assert_eq!(methods, ["PUT", "PUT", "PUT", "GET", "PUT", "GET"]);
        let put = &requests[0];
        assert_eq!(put.target, format!("/calls/gw/{}", batch[0].name(0)));
        assert_eq!(put.body, batch[0].body);
        for (name, value) in [
            ("if-none-match", "*"),
            ("x-amz-acl", "bucket-owner-full-control"),
            ("x-amz-server-side-encryption", "aws:kms"),
            ("x-amz-server-side-encryption-aws-kms-key-id", "alias/k"),
        ] {
            assert_eq!(put.header(name), Some(value), "{name}");
        }
        let signed = put.header("authorization").unwrap();
        assert!(
            signed.starts_with("AWS4-HMAC-SHA256 Credential=AKIA/") && signed.contains("eu-central-1/s3"),
            "{signed}"
        );
        assert!(signed.contains("x-amz-acl") && put.header("x-amz-checksum-sha256").is_some());
    }

    #[test]
    fn two_records_of_one_name_are_two_objects() {
        let server = Server::start(bucket());
        let sink = sink(&config(&server));
        let [record] = batch(1).try_into().unwrap();
        let other = SinkRecord { body: "{}".into(), ..record.clone() };
        assert_eq!(
            server.runtime.block_on(sink.take(&[record.clone(), other, record.clone()])),
            Outcome::Done
        );
        let requests = server.requests();
        let puts: Vec<_> = requests
            .iter()
            .filter(|request| request.method == "PUT")
            .map(|put| put.target.as_str())
            .collect();
        let [first, second] = [0, 1].map(|nudge| format!("/calls/gw/{}", record.name(nudge)));
        assert_eq!(puts, [&first, &first, &second, &first]);
    }

    #[test]
    fn what_a_store_refuses_comes_again() {
        for status in [403, 500, 503, 404] {
            let server = Server::start(move |_| Answer::status(status));
            let outcome = server.runtime.block_on(sink(&config(&server)).take(&batch(1)));
            assert!(matches!(outcome, Outcome::Later(_)), "{status} {outcome:?}");
            assert_eq!(server.requests().len(), 1, "the queue tries again, not the client");
        }
    }

    #[test]
    fn a_store_of_a_private_authority() {
        let (directory, authority) = (tempfile::tempdir().unwrap(), Authority::new("ours"));
        let ca = directory.path().join("ca.pem");
        std::fs::write(&ca, &authority.pem).unwrap();
        let server = Server::start_tls(authority.leaf(&["127.0.0.1"]).server(), bucket());
        let config = config(&server);
        let sink = |ca| {
            let client = HttpClient::new(ca).unwrap();
            S3::new(store(client, &config, Some(&"s3cret".into())).unwrap(), "")
        };
        assert_eq!(server.runtime.block_on(sink(Some(&*ca)).take(&batch(2))), Outcome::Done);
        assert_eq!(server.requests().len(), 2);
        let outcome = server.runtime.block_on(sink(None).take(&batch(1)));
        assert!(matches!(&outcome, Outcome::Later(why) if why.contains("certificate")), "{outcome:?}");
    }

    /// A store that is encrypted by its own keys, in the host's name.
    #[test]
    fn the_stores_own_keys() {
        let server = Server::start(bucket());
        let config = config::S3 {
            encryption: Some(Encryption::Aes256),
            bucket_owner_full_control: false,
            ..config(&server)
        };
        assert_eq!(server.runtime.block_on(sink(&config).take(&batch(1))), Outcome::Done);
        let put = server.requests().remove(0);
        assert_eq!(put.header("x-amz-server-side-encryption"), Some("AES256"));
        assert_eq!(put.header("x-amz-acl"), None);
    }
}
