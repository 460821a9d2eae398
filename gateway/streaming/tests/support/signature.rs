//! Signature Version 4 checked by the library of AWS, which the client does not use.

use std::time::SystemTime;

use aws_credential_types::Credentials;
use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningSettings, sign};
use aws_sigv4::sign::v4;
use hyper::http::request::Parts;

pub const KEY: &str = "AKIAIOSFODNN7EXAMPLE";
pub const SECRET: &str = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";

/// Panics unless the request is signed for that service.
pub fn check(head: &Parts, service: &str, region: &str, body: Option<&[u8]>) {
    let header = |name: &str| head.headers.get(name).unwrap_or_else(|| panic!("no {name}")).to_str().unwrap();
    let authorization = header("authorization");
    let scope = format!("/{region}/{service}/aws4_request");
    assert!(authorization.starts_with(&format!("AWS4-HMAC-SHA256 Credential={KEY}/")), "{authorization}");
    assert!(authorization.contains(&scope), "{authorization}");
    let format = time::macros::format_description!("[year][month][day]T[hour][minute][second]Z");
    let time = time::PrimitiveDateTime::parse(header("x-amz-date"), format).unwrap().assume_utc();
    assert!((time::OffsetDateTime::now_utc() - time).abs() < time::Duration::minutes(5));
    let identity = Credentials::new(KEY, SECRET, None, None, "test").into();
    let params = v4::SigningParams::builder()
        .identity(&identity)
        .region(region)
        .name(service)
        .time(SystemTime::from(time))
        .settings(SigningSettings::default())
        .build()
        .unwrap()
        .into();
    let signed = authorization.split("SignedHeaders=").nth(1).unwrap().split(',').next().unwrap();
    assert!(
        signed.split(';').any(|name| name == "host") && signed.split(';').any(|name| name == "x-amz-date")
    );
    let headers: Vec<(&str, &str)> =
        signed.split(';').filter(|name| *name != "x-amz-date").map(|name| (name, header(name))).collect();
    let uri = format!("http://{}{}", header("host"), head.uri);
    let body = body.map_or(SignableBody::UnsignedPayload, SignableBody::Bytes);
    let request = SignableRequest::new("POST", &uri, headers.into_iter(), body).unwrap();
    let expected = sign(request, &params).unwrap().into_parts().1;
    assert!(authorization.ends_with(&format!("Signature={expected}")), "{authorization}");
}
