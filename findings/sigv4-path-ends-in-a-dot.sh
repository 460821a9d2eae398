#!/usr/bin/env bash
# aws-sigv4 1.6.4 (Rust) and botocore 1.44.8 (Python), both AWS's own: they sign different things for a path that ends in a
# segment of one dot. Signature Version 4 removes dot segments first (RFC 3986 §5.2.4, which leaves the slash before them);
# botocore drops that slash too. So a server that computes the canonical path once refuses the clients of one of them:
# whoever serves such paths has to send clients elsewhere, or compare with both.
#
# Seen: the signature for /a/. is that for /a/ in aws-sigv4, and that for /a in botocore.
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
mkdir src
cat >Cargo.toml <<'TOML'
[package]
name = "dot"
version = "0.0.0"
edition = "2021"

[workspace]

[dependencies]
aws-sigv4 = "=1.6.4"
aws-credential-types = { version = "=1.3.1", features = ["hardcoded-credentials"] }
TOML
cat >src/main.rs <<'RUST'
use aws_credential_types::Credentials;
use aws_sigv4::http_request::{sign, SignableBody, SignableRequest, SigningSettings};
use aws_sigv4::sign::v4;
use std::time::{Duration, SystemTime};

fn main() {
    let identity = Credentials::new("AKIDEXAMPLE", "secret", None, None, "finding").into();
    let signature = |path: &str| {
        let time = SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000);
        let parameters = v4::SigningParams::builder().identity(&identity).region("us-east-1").name("chime").time(time);
        let parameters = parameters.settings(SigningSettings::default()).build().unwrap().into();
        let headers = std::iter::empty::<(&str, &str)>();
        let url = format!("http://gateway.example{path}");
        let request = SignableRequest::new("GET", url, headers, SignableBody::Bytes(b"")).unwrap();
        sign(request, &parameters).unwrap().into_parts().1
    };
    let dotted = signature("/a/.");
    println!("aws-sigv4: /a/. is signed as /a/: {}, as /a: {}", dotted == signature("/a/"), dotted == signature("/a"));
}
RUST
cat >dot.py <<'PY'
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

def signature(path):
    auth = SigV4Auth(Credentials("AKIDEXAMPLE", "secret"), "chime", "us-east-1")
    request = AWSRequest("GET", "http://gateway.example" + path)
    request.context["timestamp"] = "20231114T221320Z"
    request.headers["X-Amz-Date"] = request.context["timestamp"]
    canonical = auth.canonical_request(request)
    return auth.signature(auth.string_to_sign(request, canonical), request)

dotted = signature("/a/.")
print(f"botocore: /a/. is signed as /a/: {dotted == signature('/a/')}, as /a: {dotted == signature('/a')}".replace("T", "t").replace("F", "f"))
PY
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check botocore==1.44.8
{ cargo run --quiet && venv/bin/python dot.py; } | tee seen
diff - seen <<'EXPECTED'
aws-sigv4: /a/. is signed as /a/: true, as /a: false
botocore: /a/. is signed as /a/: false, as /a: true
EXPECTED
