#!/usr/bin/env bash
# rustls 0.23.46 (rustls-webpki 0.103.17): its verifier of client certificates refuses one whose extended key usage names
# server authentication alone. RFC 5280 §4.2.1.12 leaves it to the application which purposes it asks for, and in SIP one
# host is client and server by turns with one site certificate (RFC 3261 §26.3.1). Public authorities stop issuing
# certificates for client authentication during 2026, so a trunk with mutual TLS that works breaks at its peer's next
# renewal. A good engineer would expect the builder to have a setting for the purpose; it has none, so whoever terminates
# such a trunk has to ask of the peer a certificate of a private authority.
#
# Seen: both purposes, clientAuth alone and no extension: accepted. serverAuth alone: "invalid peer certificate:
# certificate does not allow extended key usage for client authentication, allows server authentication".
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
mkdir src
cat >Cargo.toml <<'TOML'
[package]
name = "purpose"
version = "0.0.0"
edition = "2021"

[workspace]

[dependencies]
rcgen = "=0.14.10"
rustls = { version = "=0.23.46", default-features = false, features = ["ring", "std", "tls12"] }
rustls-webpki = { version = "=0.103.17", default-features = false }
TOML
cat >src/main.rs <<'RUST'
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, ExtendedKeyUsagePurpose as Purpose, IsCa, KeyPair};
use rustls::{pki_types::UnixTime, server::WebPkiClientVerifier, RootCertStore};
use std::{error::Error, sync::Arc};

fn main() -> Result<(), Box<dyn Error>> {
    let mut authority = CertificateParams::new([])?;
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority = CertifiedIssuer::self_signed(authority, KeyPair::generate()?)?;
    let mut roots = RootCertStore::empty();
    roots.add(authority.der().clone())?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider).build()?;
    for (name, purposes) in [
        ("serverAuth and clientAuth", vec![Purpose::ServerAuth, Purpose::ClientAuth]),
        ("clientAuth", vec![Purpose::ClientAuth]),
        ("no extension", vec![]),
        ("serverAuth", vec![Purpose::ServerAuth]),
    ] {
        let mut trunk = CertificateParams::new(["trunk.example.com".to_owned()])?;
        trunk.extended_key_usages = purposes;
        let trunk = trunk.signed_by(&KeyPair::generate()?, &authority)?;
        let verdict = verifier.verify_client_cert(trunk.der(), &[], UnixTime::now());
        println!("{name}: {}", verdict.map_or_else(|error| error.to_string(), |_| "accepted".to_owned()));
    }
    Ok(())
}
RUST
CARGO_TARGET_DIR=$work/target CARGO_BUILD_JOBS=1 cargo run --quiet | tee seen
diff - seen <<'SEEN'
serverAuth and clientAuth: accepted
clientAuth: accepted
no extension: accepted
serverAuth: invalid peer certificate: certificate does not allow extended key usage for client authentication, allows server authentication
SEEN
