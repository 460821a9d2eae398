use std::time::SystemTime;

use aws_credential_types::Credentials;
use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningSettings, sign};
use aws_sigv4::sign::v4;

use super::*;

fn client() -> Client {
    let roots = rustls::RootCertStore::empty();
    let tls = rustls::ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    Client::new(Arc::new(tls))
}

fn these(token: Option<&str>) -> Keys {
    Keys::These { id: "AKID".into(), secret: "s3cret".into(), token: token.map(Into::into) }
}

/// The signature that the AWS SDK makes of the same request.
fn expected(request: &Request<Bytes>, service: &str, signs_body: bool) -> String {
    let date = request.headers()["x-amz-date"].to_str().unwrap();
    let format = time::macros::format_description!("[year][month][day]T[hour][minute][second]Z");
    let time: SystemTime = time::PrimitiveDateTime::parse(date, format).unwrap().assume_utc().into();
    let identity = Credentials::new("AKID", "s3cret", None, None, "test").into();
    let params = v4::SigningParams::builder()
        .identity(&identity)
        .region("eu-central-1")
        .name(service)
        .time(time)
        .settings(SigningSettings::default())
        .build()
        .unwrap()
        .into();
    let authorization = request.headers()["authorization"].to_str().unwrap();
    let signed = authorization.split("SignedHeaders=").nth(1).unwrap().split(',').next().unwrap();
    let host = request.uri().authority().unwrap().as_str();
    let headers: Vec<(&str, &str)> = signed
        .split(';')
        .map(|name| (name, if name == "host" { host } else { request.headers()[name].to_str().unwrap() }))
        .filter(|(name, _)| *name != "x-amz-date")
        .collect();
    let body = if signs_body { SignableBody::Bytes(request.body()) } else { SignableBody::UnsignedPayload };
    let uri = request.uri().to_string();
    let signable = SignableRequest::new("POST", &uri, headers.into_iter(), body).unwrap();
    sign(signable, &params).unwrap().into_parts().1
}

#[tokio::test]
async fn a_signature_is_that_of_the_sdk() {
    let aws = Aws::new(client(), "eu-central-1", &these(None)).unwrap();
    for (service, signs) in [("kinesisvideo", false), ("kinesisvideo", true), ("sqs", true)] {
        let headers = [(HeaderName::from_static("x-amzn-stream-name"), "a-b_c")];
        let request = post("https://kinesis.example.com:8443/putMedia", &headers).unwrap();
        let request = request.header(CONTENT_TYPE, "application/json").body(Bytes::from("{}")).unwrap();
        let request = aws.sign(service, request, signs).await.unwrap();
        let authorization = request.headers()["authorization"].to_str().unwrap();
        let signature = authorization.split("Signature=").nth(1).unwrap();
        assert_eq!(signature, expected(&request, service, signs), "{authorization}");
        let digest = request.headers()["x-amz-content-sha256"].to_str().unwrap();
        assert_eq!(digest == "UNSIGNED-PAYLOAD", !signs);
    }
}

#[tokio::test]
async fn keys_of_a_file_are_those_of_the_profile_as_it_is_now() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let keys = Keys::File { path: file.path().to_owned(), profile: "gateway".to_owned() };
    let aws = Aws::new(client(), "eu-central-1", &keys).unwrap();
    assert!(matches!(aws.credential().await, Err(Error::Credentials(_))));
    std::fs::write(
        file.path(),
        "[default]\naws_access_key_id = A\naws_secret_access_key=B\n\n[gateway]\n# ours\naws_access_key_id= C\n\
         aws_secret_access_key = D=E\naws_session_token = F\n[x]\naws_access_key_id = G\n",
    )
    .unwrap();
    let credential = aws.credential().await.unwrap();
    assert_eq!(
        (credential.key_id.as_str(), credential.secret_key.as_str(), credential.token.as_deref()),
        ("C", "D=E", Some("F"))
    );
    assert!(!format!("{aws:?} {credential:?}").contains("D=E"));
}

#[tokio::test]
async fn what_cannot_be_signed_is_an_error() {
    for url in ["", "x", "/putMedia", "ftp://a/", "http:///x", "http://a b/"] {
        assert!(matches!(post(url, &[]), Err(Error::Request(_))), "{url}");
    }
    let aws = Aws::new(client(), "eu-central-1", &these(Some("a\nb"))).unwrap();
    let request = post("http://a/", &[]).unwrap().body(Bytes::new()).unwrap();
    assert!(matches!(aws.sign("sqs", request, true).await, Err(Error::Credentials(_))));
}

#[test]
fn errors_have_the_names_that_the_services_give_them() {
    for (header, body, name) in [
        (Some("ResourceInUseException:http://x/"), "{}", "ResourceInUseException"),
        (None, r#"{"__type":"com.amazonaws.sqs#QueueDoesNotExist","message":"no"}"#, "QueueDoesNotExist"),
        (None, r#"{"Code":"Throttled"}"#, "Throttled"),
        (None, "<html>", ""),
    ] {
        let mut answer = Response::builder().status(400);
        if let Some(header) = header {
            answer = answer.header("x-amzn-ErrorType", header);
        }
        let Error::Refused { status: 400, name: found, .. } =
            refused(&answer.body(Bytes::from(body)).unwrap())
        else {
            panic!()
        };
        assert_eq!(found, name);
    }
}

/// The library's chain, which reads the environment: in a process of its own.
#[tokio::test]
async fn keys_of_the_host_come_from_the_environment_a_web_identity_or_the_metadata_service() {
    const CHILD: &str = "STREAMING_TEST_KEYS_OF_THE_HOST";
    if std::env::var_os(CHILD).is_some() {
        let aws = Aws::new(client(), "eu-central-1", &Keys::Host).unwrap();
        let credential = aws.credential().await.unwrap();
        println!("keys: {} {} {:?}", credential.key_id, credential.secret_key, credential.token);
        return;
    }
    let child = async |environment: &[(&str, &str)]| {
        let mut command = tokio::process::Command::new(std::env::current_exe().unwrap());
        command.args(["keys_of_the_host", "--nocapture", "--test-threads=1"]);
        for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("AWS_")) {
            command.env_remove(name);
        }
        let output = command.env(CHILD, "1").envs(environment.iter().copied()).output().await.unwrap();
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let keys = text.split_once("keys: ").map(|(_, keys)| keys.lines().next().unwrap().to_owned());
        keys.unwrap_or_else(|| panic!("{text} {}", String::from_utf8_lossy(&output.stderr)))
    };
    let found =
        child(&[("AWS_ACCESS_KEY_ID", "A"), ("AWS_SECRET_ACCESS_KEY", "B"), ("AWS_SESSION_TOKEN", "C")])
            .await;
    assert_eq!(found, "A B Some(\"C\")");

    let metadata = serve(|path| match path {
        "PUT /latest/api/token" => "session".to_owned(),
        "GET /latest/meta-data/iam/security-credentials/" => "role".to_owned(),
        "GET /latest/meta-data/iam/security-credentials/role" => format!(
            r#"{{"AccessKeyId":"D","SecretAccessKey":"E","Token":"F","Expiration":"{}"}}"#,
            "2099-01-01T00:00:00Z"
        ),
        path => panic!("{path}"),
    })
    .await;
    assert_eq!(child(&[("AWS_METADATA_ENDPOINT", &metadata)]).await, "D E Some(\"F\")");

    let sts = serve(|path| {
        assert!(path.starts_with("POST /?") && path.contains("Action=AssumeRoleWithWebIdentity"), "{path}");
        assert!(path.contains("WebIdentityToken=jwt") && path.contains("RoleArn=arn"), "{path}");
        "<AssumeRoleWithWebIdentityResponse><AssumeRoleWithWebIdentityResult><Credentials><SessionToken>I</SessionToken>\
         <SecretAccessKey>H</SecretAccessKey><Expiration>2099-01-01T00:00:00Z</Expiration><AccessKeyId>G</AccessKeyId>\
         </Credentials></AssumeRoleWithWebIdentityResult></AssumeRoleWithWebIdentityResponse>"
            .to_owned()
    })
    .await;
    let token = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(token.path(), "jwt").unwrap();
    let found = child(&[
        ("AWS_WEB_IDENTITY_TOKEN_FILE", token.path().to_str().unwrap()),
        ("AWS_ROLE_ARN", "arn"),
        ("AWS_ENDPOINT_URL_STS", &sts),
    ])
    .await;
    assert_eq!(found, "G H Some(\"I\")");
}

/// Answers requests by their method and target.
async fn serve(answer: impl Fn(&str) -> String + Send + Sync + 'static) -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let answer = Arc::new(answer);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let answer = answer.clone();
            let service = hyper::service::service_fn(move |request: Request<hyper::body::Incoming>| {
                let body = answer(&format!("{} {}", request.method(), request.uri()));
                async { Ok::<_, std::convert::Infallible>(Response::new(Full::new(Bytes::from(body)))) }
            });
            let io = hyper_util::rt::TokioIo::new(stream);
            tokio::spawn(hyper::server::conn::http1::Builder::new().serve_connection(io, service));
        }
    });
    url
}
