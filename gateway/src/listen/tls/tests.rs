//! Handshakes over real loopback sockets, with certificates that are made here.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use config::Config;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::server::WebPkiClientVerifier;
use rustls::version::{TLS12, TLS13};
use rustls::{ClientConfig, ProtocolVersion, RootCertStore, ServerConfig, SupportedProtocolVersion};
use sip::transaction::Owner;
use sip::{Frame, Message, StreamFramer};
use tempfile::TempDir;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::{TlsAcceptor, TlsConnector, client, server};

use super::certificates::{Authority, Leaf, Purpose};
use super::{Tls, TlsError, provider, server_name};
use crate::core::Input;
use crate::peer::{Party, Peer, Transport};
use crate::shard::testing::{Gateway, Setup, clients, options, request, within};

/// One TLS listener, named by these keys; then what follows.
const LISTENER: &str = "[[listen]]\nprotocol = \"tls\"\naddress = \"127.0.0.1:0\"\n";
const OWN: &str = "certificate = \"gateway.pem\"\nkey = \"gateway.key\"\n";

/// A directory with certificates and the configuration beside them.
struct Place {
    directory: TempDir,
    /// Signed the gateway's certificate for 127.0.0.1; `ca.pem`.
    authority: Authority,
}

impl Place {
    fn new() -> Place {
        let place = Place { directory: tempfile::tempdir().unwrap(), authority: Authority::new("ours") };
        place.authority.leaf(&["127.0.0.1"]).write(place.path(), "gateway");
        place.write("ca.pem", &place.authority.pem);
        place
    }

    fn path(&self) -> &Path {
        self.directory.path()
    }

    fn write(&self, name: &str, text: &str) {
        std::fs::write(self.path().join(name), text).unwrap();
    }

    fn config(&self, listener: &str, rest: &str) -> Config {
        let text = format!("{LISTENER}{listener}{rest}");
        let (config, _) = Config::parse(&text, &self.path().join("gateway.toml")).unwrap();
        assert_eq!(config.missing(), []);
        config
    }

    fn gateway(&self, listener: &str, rest: &str) -> Gateway {
        self.gateway_with(listener, rest, |_| {})
    }

    fn gateway_with(&self, listener: &str, rest: &str, change: impl FnOnce(&mut Setup)) -> Gateway {
        let tls = Tls::new(&self.config(listener, rest)).unwrap();
        Gateway::with(1, &[(Transport::Tls, "127.0.0.1:0")], |setup| {
            setup.tls = tls;
            change(setup);
        })
    }
}

/// The other end of a TLS connection.
struct Phone<S> {
    stream: S,
    framer: StreamFramer,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Phone<S> {
    fn new(stream: S) -> Phone<S> {
        Phone { stream, framer: StreamFramer::new(65_536, 65_536) }
    }

    async fn write(&mut self, message: &Message) {
        self.stream.write_all(message.bytes()).await.unwrap();
        self.stream.flush().await.unwrap();
    }

    /// The next message; `Err` at the end of the stream.
    async fn read(&mut self) -> std::io::Result<Message> {
        within(async {
            loop {
                // An alert in clear is no SIP.
                let frame = self.framer.next().map_err(std::io::Error::other)?;
                if let Some(Frame::Message(message)) = frame {
                    return Ok(message);
                }
                let mut buffer = [0; 4_096];
                match self.stream.read(&mut buffer).await? {
                    0 => return Err(std::io::ErrorKind::UnexpectedEof.into()),
                    length => self.framer.push(&buffer[..length]),
                }
            }
        })
        .await
    }

    /// Whether the gateway answers an OPTIONS.
    async fn is_served(&mut self) -> bool {
        // A refusal may already have closed the connection.
        if self.stream.write_all(options("TLS", "1@phone", "z9hG4bK1", None).bytes()).await.is_err() {
            return false;
        }
        let _ = self.stream.flush().await;
        self.read().await.is_ok()
    }
}

fn store(pem: &str) -> RootCertStore {
    let mut store = RootCertStore::empty();
    store.add(CertificateDer::from_pem_slice(pem.as_bytes()).unwrap()).unwrap();
    store
}

fn chain(leaf: &Leaf) -> (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>) {
    let certificate = CertificateDer::from_pem_slice(leaf.certificate.as_bytes()).unwrap();
    (vec![certificate], PrivateKeyDer::from_pem_slice(leaf.key.as_bytes()).unwrap())
}

/// - `ca`: whom the phone trusts. `shown`: its own certificate.
fn phone_config(
    ca: &str,
    shown: Option<&Leaf>,
    versions: &[&'static SupportedProtocolVersion],
) -> ClientConfig {
    let builder = ClientConfig::builder_with_provider(provider()).with_protocol_versions(versions).unwrap();
    let builder = builder.with_root_certificates(store(ca));
    match shown.map(chain) {
        Some((chain, key)) => builder.with_client_auth_cert(chain, key).unwrap(),
        None => builder.with_no_client_auth(),
    }
}

const BOTH: &[&SupportedProtocolVersion] = &[&TLS13, &TLS12];

async fn connect(
    to: SocketAddr,
    config: ClientConfig,
    name: &'static str,
) -> std::io::Result<Phone<client::TlsStream<TcpStream>>> {
    let stream = TcpStream::connect(to).await.unwrap();
    let connector = TlsConnector::from(Arc::new(config));
    Ok(Phone::new(within(connector.connect(ServerName::try_from(name).unwrap(), stream)).await?))
}

/// A carrier that takes TLS.
struct Carrier {
    socket: TcpListener,
    acceptor: TlsAcceptor,
}

impl Carrier {
    /// - `clients`: whose certificates it asks for.
    async fn new(leaf: &Leaf, clients: Option<&Authority>) -> Carrier {
        let builder = ServerConfig::builder_with_provider(provider()).with_safe_default_protocol_versions();
        let builder = builder.unwrap();
        let builder = match clients {
            Some(authority) => {
                let anchors = Arc::new(store(&authority.pem));
                let verifier = WebPkiClientVerifier::builder_with_provider(anchors, provider()).build();
                builder.with_client_cert_verifier(verifier.unwrap())
            }
            None => builder.with_no_client_auth(),
        };
        let (chain, key) = chain(leaf);
        let config = builder.with_single_cert(chain, key).unwrap();
        let socket = TcpListener::bind("127.0.0.1:0").await.unwrap();
        Carrier { socket, acceptor: TlsAcceptor::from(Arc::new(config)) }
    }

    fn peer(&self, gateway: &Gateway) -> Peer {
        Peer::new(Transport::Tls, gateway.id(0), self.socket.local_addr().unwrap())
    }

    async fn accept(&self) -> std::io::Result<Phone<server::TlsStream<TcpStream>>> {
        let (stream, _) = within(self.socket.accept()).await?;
        Ok(Phone::new(within(self.acceptor.accept(stream)).await?))
    }
}

fn named(name: &str, peer: Peer) -> Peer {
    Peer { server_name: Some(name.into()), ..peer }
}

#[tokio::test]
async fn both_versions_are_served_and_told_with_each_message() {
    let place = Place::new();
    let mut gateway = place.gateway(OWN, "");
    for (version, expect) in [(&TLS12, ProtocolVersion::TLSv1_2), (&TLS13, ProtocolVersion::TLSv1_3)] {
        let config = phone_config(&place.authority.pem, None, &[version]);
        let mut phone = connect(gateway.address(0), config, "127.0.0.1").await.unwrap();
        assert!(phone.is_served().await);
        let connection = phone.stream.get_ref().1;
        assert_eq!(connection.protocol_version(), Some(expect));
        let suite = connection.negotiated_cipher_suite().unwrap().suite();
        let suite = suite.as_str().unwrap();
        assert!(suite.starts_with("TLS_ECDHE_") || suite.starts_with("TLS13_"), "{suite}");
        let Input::Message { source, .. } = gateway.input().await.1 else { panic!() };
        let told = source.secured.unwrap();
        let version = if expect == ProtocolVersion::TLSv1_3 { "1.3" } else { "1.2" };
        assert_eq!((told.version(), told.cipher_suite()), (version, &*suite.replace("TLS13_", "TLS_")));
        assert_eq!(source.peer().secured, source.secured);
    }
    assert_eq!(gateway.counters.handshakes_failed.value(), 0);
    gateway.stop();
}

#[tokio::test]
async fn the_certificate_fits_the_name_that_is_asked_for_else_it_is_the_first() {
    let place = Place::new();
    place.authority.leaf(&["b.example", "other.example"]).write(place.path(), "b");
    place.authority.leaf(&["*.c.example"]).write(place.path(), "c");
    let more = "certificates = [{ certificate = \"b.pem\", key = \"b.key\" }, \
                { certificate = \"c.pem\", key = \"c.key\" }]\n";
    let gateway = place.gateway(&format!("{OWN}{more}"), "");
    let trusting = || phone_config(&place.authority.pem, None, BOTH);
    for name in ["127.0.0.1", "b.example", "other.example", "sip.c.example"] {
        let mut phone = connect(gateway.address(0), trusting(), name).await.unwrap();
        assert!(phone.is_served().await, "{name}");
    }
    for name in ["d.example", "c.example", "a.b.c.example"] {
        let error = connect(gateway.address(0), trusting(), name).await.map(|_| ()).unwrap_err();
        assert!(error.to_string().contains("127.0.0.1"), "{name}: {error}");
    }
    gateway.stop();
}

#[tokio::test]
async fn with_client_ca_a_peer_must_show_a_certificate_of_it() {
    let place = Place::new();
    let theirs = Authority::new("theirs");
    place.write("clients.pem", &theirs.pem);
    let gateway = place.gateway(&format!("{OWN}client_ca = \"clients.pem\"\n"), "");
    let good = theirs.leaf(&["pbx.example"]);
    let (foreign, expired) = (place.authority.leaf(&["pbx.example"]), theirs.expired(&["pbx.example"]));
    for (version, served) in [(&TLS12, false), (&TLS13, false), (&TLS12, true), (&TLS13, true)] {
        let shown: &[Option<&Leaf>] =
            if served { &[Some(&good)] } else { &[None, Some(&foreign), Some(&expired)] };
        for shown in shown {
            let config = phone_config(&place.authority.pem, *shown, &[version]);
            // With TLS 1.3 the client is done before it is refused.
            let is_served = match connect(gateway.address(0), config, "127.0.0.1").await {
                Ok(mut phone) => phone.is_served().await,
                Err(_) => false,
            };
            assert_eq!(is_served, served);
        }
    }
    gateway.until(|counters| counters.handshakes_failed.value() == 6).await;
    use crate::listen::HandshakeFault::{Expired, NoCertificate, UnknownIssuer};
    let failed = |fault| gateway.counters.handshakes_failed_for(fault);
    assert_eq!([NoCertificate, UnknownIssuer, Expired].map(failed), [2, 2, 2]);
    gateway.stop();
}

/// Public authorities sign for servers alone: such a peer is taken where the operator wrote its name down.
#[tokio::test]
async fn a_servers_certificate_is_taken_by_name_only() {
    let place = Place::new();
    let theirs = Authority::new("theirs");
    place.write("clients.pem", &theirs.pem);
    let server = |authority: &Authority, name: &str| authority.leaf_for(&[name], &[Purpose::ServerAuth]);
    let named = server(&theirs, "sip.carrier.example");
    for (names, shown, served) in [
        ("", &named, false),
        ("client_names = [\"sip.carrier.example\"]\n", &named, true),
        ("client_names = [\"192.0.2.1\", \"sip.carrier.example\"]\n", &named, true),
        ("client_names = [\"sip.carrier.example\"]\n", &server(&theirs, "192.0.2.1"), false),
        ("client_names = [\"192.0.2.1\"]\n", &server(&theirs, "192.0.2.1"), true),
        (
            "client_names = [\"sip.carrier.example\"]\n",
            &server(&place.authority, "sip.carrier.example"),
            false,
        ),
        ("client_names = [\"sip.carrier.example\"]\n", &theirs.expired(&["sip.carrier.example"]), false),
        // A client's is taken as before.
        (
            "client_names = [\"sip.carrier.example\"]\n",
            &theirs.leaf_for(&["x.example"], &[Purpose::ClientAuth]),
            true,
        ),
    ] {
        let gateway = place.gateway(&format!("{OWN}client_ca = \"clients.pem\"\n{names}"), "");
        for version in [&TLS12, &TLS13] {
            let config = phone_config(&place.authority.pem, Some(shown), &[version]);
            let is_served = match connect(gateway.address(0), config, "127.0.0.1").await {
                Ok(mut phone) => phone.is_served().await,
                Err(_) => false,
            };
            assert_eq!(is_served, served, "{names}");
        }
        gateway.stop();
    }
}

#[tokio::test]
async fn a_peer_that_does_not_trust_us_and_one_that_speaks_no_tls_are_counted_and_closed() {
    let place = Place::new();
    let gateway = place.gateway(OWN, "");
    let config = phone_config(&Authority::new("other").pem, None, BOTH);
    assert!(connect(gateway.address(0), config, "127.0.0.1").await.is_err());
    gateway.until(|counters| counters.handshakes_failed.value() == 1).await;
    let mut phone = Phone::new(TcpStream::connect(gateway.address(0)).await.unwrap());
    assert!(!phone.is_served().await);
    gateway.until(|counters| counters.handshakes_failed.value() == 2).await;
    use crate::listen::HandshakeFault::{NotTls, OursRefused};
    let failed = |fault| gateway.counters.handshakes_failed_for(fault);
    assert_eq!([OursRefused, NotTls].map(failed), [1, 1]);
    gateway.until(|counters| counters.connections_open.value() == 0).await;
    gateway.stop();
}

#[tokio::test]
async fn who_does_not_shake_hands_is_closed_and_holds_a_place_until_then() {
    let place = Place::new();
    let gateway = place.gateway_with(OWN, "", |setup| {
        setup.streams.handshake_timeout = Duration::from_secs(3);
        setup.streams.per_stranger = 2;
    });
    let mut slow = Vec::new();
    for _ in 0..2 {
        let mut stream = TcpStream::connect(gateway.address(0)).await.unwrap();
        // The first bytes of a handshake record, and no more.
        stream.write_all(&[22, 3, 1, 2, 0]).await.unwrap();
        slow.push(stream);
    }
    gateway.until(|counters| counters.connections_accepted.value() == 2).await;
    let config = || phone_config(&place.authority.pem, None, BOTH);
    assert!(connect(gateway.address(0), config(), "127.0.0.1").await.is_err());
    assert_eq!(gateway.counters.connections_refused.value(), 1);
    for mut stream in slow {
        assert_eq!(within(stream.read(&mut [0; 100])).await.unwrap_or(0), 0);
    }
    gateway.until(|counters| counters.handshakes_failed.value() == 2).await;
    within(async {
        // The table hears of an end a moment after the peer.
        loop {
            if let Ok(mut phone) = connect(gateway.address(0), config(), "127.0.0.1").await {
                return assert!(phone.is_served().await);
            }
            tokio::task::yield_now().await;
        }
    })
    .await;
    gateway.stop();
}

#[tokio::test]
async fn a_handshake_alone_is_no_message() {
    let place = Place::new();
    let gateway = place.gateway_with(OWN, "", |setup| {
        setup.streams.message_timeout = Duration::from_secs(2);
    });
    let config = phone_config(&place.authority.pem, None, BOTH);
    let mut phone = connect(gateway.address(0), config, "127.0.0.1").await.unwrap();
    assert_eq!(phone.read().await.unwrap_err().kind(), std::io::ErrorKind::UnexpectedEof);
    gateway.until(|counters| counters.connections_timed_out.value() == 1).await;
    gateway.stop();
}

/// What each of these costs us is a signature, and the peer next to nothing.
#[tokio::test]
async fn a_stranger_that_begins_handshakes_and_leaves_is_met_with_silence() {
    let place = Place::new();
    for whole in [false, true] {
        let gateway = place.gateway_with(OWN, "", |setup| setup.guard.refusals = 5);
        let address = gateway.address(0);
        // A monitor that asks whether the port is open is not blamed.
        for _ in 0..10 {
            drop(TcpStream::connect(address).await.unwrap());
        }
        gateway.until(|counters| counters.connections_accepted.value() == 10).await;
        let config = || phone_config(&place.authority.pem, None, BOTH);
        within(async {
            let mut shaken = 0;
            while gateway.counters.sources_silenced.value() == 0 {
                if whole {
                    shaken += u32::from(connect(address, config(), "127.0.0.1").await.is_ok());
                } else {
                    let mut stream = TcpStream::connect(address).await.unwrap();
                    let name = ServerName::try_from("127.0.0.1").unwrap();
                    let mut hello = Vec::new();
                    let mut client = rustls::ClientConnection::new(Arc::new(config()), name).unwrap();
                    client.write_tls(&mut hello).unwrap();
                    stream.write_all(&hello).await.unwrap();
                    shaken += u32::from(stream.read(&mut [0; 1]).await.is_ok_and(|length| length == 1));
                }
                assert!(shaken < 100, "never silenced");
            }
            assert!(shaken >= 5, "silenced after {shaken}");
        })
        .await;
        assert!(connect(address, config(), "127.0.0.1").await.is_err());
        gateway.stop();
    }
}

#[tokio::test]
async fn tls_at_a_port_without_it_is_no_wait_for_the_end_of_headers() {
    let gateway = Gateway::new(1, &[(Transport::Tcp, "127.0.0.1:0")]);
    let config = phone_config(&Authority::new("ours").pem, None, BOTH);
    assert!(connect(gateway.address(0), config, "127.0.0.1").await.is_err());
    gateway.until(|counters| counters.connections_broken.value() == 1).await;
    gateway.stop();
}

const CA: &str = "[tls]\nca = \"ca.pem\"\n";

#[tokio::test]
async fn a_dialled_connection_is_used_again_by_who_trusts_it_alike_and_replaced_when_it_is_lost() {
    let place = Place::new();
    let mut gateway = place.gateway(OWN, CA);
    let carrier = Carrier::new(&place.authority.leaf(&["127.0.0.1", "a.example"]), None).await;
    let peer = carrier.peer(&gateway);
    let [first, second] = clients();
    gateway.transmit(0, request("INVITE", "TLS", "1@gw", "z9hG4bKa", None), peer.clone(), first);
    let mut flow = carrier.accept().await.unwrap();
    assert_eq!(flow.read().await.unwrap().call_id(), Ok("1@gw"));
    // The address as the configured name is the address.
    let literal = named("127.0.0.1", peer.clone());
    gateway.transmit(0, options("TLS", "2@gw", "z9hG4bKb", None), literal, Owner::Stateless);
    let asked = flow.read().await.unwrap();
    assert_eq!(asked.call_id(), Ok("2@gw"));
    flow.write(&gateway.reply(&asked)).await;
    assert!(matches!(gateway.input().await.1, Input::Message { .. }));

    let party = Some(Party::Carrier("a".into()));
    for other in [named("a.example", peer.clone()), Peer { party, ..peer.clone() }] {
        gateway.transmit(0, options("TLS", "3@gw", "z9hG4bKc", None), other, Owner::Stateless);
        let mut other = carrier.accept().await.unwrap();
        assert_eq!(other.read().await.unwrap().call_id(), Ok("3@gw"));
    }

    drop(flow);
    loop {
        let (_, input) = gateway.input().await;
        if matches!(input, Input::SendFailed { owner } if owner == first) {
            break;
        }
    }
    gateway.transmit(0, request("BYE", "TLS", "1@gw", "z9hG4bKd", None), peer, second);
    let mut flow = carrier.accept().await.unwrap();
    assert_eq!(flow.read().await.unwrap().call_id(), Ok("1@gw"));
    assert_eq!(gateway.counters.connections_dialled.value(), 4);
    assert_eq!(gateway.counters.handshakes_failed.value(), 0);
    gateway.stop();
}

#[tokio::test]
async fn who_cannot_prove_its_name_is_refused_and_the_owner_told() {
    let place = Place::new();
    let mut gateway = place.gateway(OWN, CA);
    let authority = &place.authority;
    for (leaf, name) in [
        (Authority::new("other").leaf(&["127.0.0.1"]), None),
        (authority.leaf(&["127.0.0.2", "a.example"]), None),
        (authority.leaf(&["a.example"]), Some("b.example")),
        (authority.leaf(&["127.0.0.1"]), Some("b.example")),
        (authority.expired(&["127.0.0.1"]), None),
        (Leaf::by_common_name("127.0.0.1"), None),
    ] {
        let carrier = Carrier::new(&leaf, None).await;
        let mut peer = carrier.peer(&gateway);
        peer.server_name = name.map(Into::into);
        let [owner] = clients();
        gateway.transmit(0, request("INVITE", "TLS", "1@gw", "z9hG4bKa", None), peer, owner);
        let (served, (_, input)) = tokio::join!(carrier.accept(), gateway.input());
        assert!(served.map(|_| ()).is_err());
        assert!(matches!(input, Input::SendFailed { owner: failed } if failed == owner), "{input:?}");
    }
    assert_eq!(gateway.counters.handshakes_failed.value(), 6);
    assert_eq!(gateway.counters.dials_failed.value(), 6);
    gateway.stop();
}

const PARTIES: &str = r#"
[[carrier]]
name = "a"
allowlist = ["127.0.0.0/8"]
host = [{ host = "127.0.0.1", protocol = "tls" }]
peer = { ca = "a.pem", client_certificate = "client.pem", client_key = "client.key" }
[[carrier]]
name = "b"
allowlist = ["127.0.0.0/8"]
host = [{ host = "127.0.0.1", protocol = "tls" }]
peer = { ca = "b.pem" }
[[voice_connector]]
id = "office"
termination = { allowlist = ["192.0.2.1/32"] }
"#;

#[tokio::test]
async fn each_party_has_its_own_anchors_and_sees_its_own_certificate() {
    let place = Place::new();
    let [theirs, other, us] = ["a", "b", "us"].map(Authority::new);
    place.write("a.pem", &theirs.pem);
    place.write("b.pem", &other.pem);
    us.leaf(&["gateway.example"]).write(place.path(), "client");
    let mut gateway = place.gateway(OWN, &format!("{CA}{PARTIES}"));
    let carrier = Carrier::new(&theirs.leaf(&["127.0.0.1"]), Some(&us)).await;
    let [of_a, of_b] = ["a", "b"].map(|name| Some(Party::Carrier(name.into())));
    let office = Some(Party::VoiceConnector("office".into()));
    // Nobody named: the first whose allowlist has the address.
    for (party, accepted) in [(of_a, true), (None, true), (of_b, false), (office, false)] {
        let peer = Peer { party, ..carrier.peer(&gateway) };
        let [owner] = clients();
        gateway.transmit(0, request("INVITE", "TLS", "1@gw", "z9hG4bKa", None), peer, owner);
        match carrier.accept().await {
            Ok(mut flow) => {
                assert!(accepted);
                assert_eq!(flow.stream.get_ref().1.peer_certificates().unwrap().len(), 1);
                assert_eq!(flow.read().await.unwrap().call_id(), Ok("1@gw"));
            }
            Err(error) => assert!(!accepted, "{error}"),
        }
        assert!(matches!(gateway.input().await.1, Input::SendFailed { .. }));
    }
    gateway.stop();
}

#[tokio::test]
async fn a_certificate_that_the_peer_wants_and_we_lack_fails_the_request() {
    let place = Place::new();
    let mut gateway = place.gateway(OWN, CA);
    let carrier = Carrier::new(&place.authority.leaf(&["127.0.0.1"]), Some(&place.authority)).await;
    let [owner] = clients();
    let invite = request("INVITE", "TLS", "1@gw", "z9hG4bKa", None);
    gateway.transmit(0, invite, carrier.peer(&gateway), owner);
    assert!(carrier.accept().await.map(|_| ()).is_err());
    let (_, input) = gateway.input().await;
    assert!(matches!(input, Input::SendFailed { owner: failed } if failed == owner), "{input:?}");
    gateway.until(|counters| counters.handshakes_failed.value() == 1).await;
    gateway.stop();
}

#[tokio::test]
async fn a_request_takes_the_peers_flow_while_it_lives_and_dials_when_it_is_gone() {
    let place = Place::new();
    let mut gateway = place.gateway(OWN, CA);
    let pbx = Carrier::new(&place.authority.leaf(&["127.0.0.1"]), None).await;
    let config = phone_config(&place.authority.pem, None, BOTH);
    let mut flow = connect(gateway.address(0), config, "127.0.0.1").await.unwrap();
    assert!(flow.is_served().await);
    let Input::Message { source, .. } = gateway.input().await.1 else { panic!() };
    let peer = Peer { remote: pbx.socket.local_addr().unwrap(), ..source.peer() };
    gateway.transmit(0, options("TLS", "2@gw", "z9hG4bK2", None), peer.clone(), Owner::Stateless);
    assert_eq!(flow.read().await.unwrap().call_id(), Ok("2@gw"));
    drop(flow);
    gateway.until(|counters| counters.connections_open.value() == 0).await;
    gateway.transmit(0, options("TLS", "3@gw", "z9hG4bK3", None), peer, Owner::Stateless);
    let mut flow = pbx.accept().await.unwrap();
    assert_eq!(flow.read().await.unwrap().call_id(), Ok("3@gw"));
    gateway.stop();
}

/// What stands in the log, by the way of the functions that write it.
#[tokio::test]
async fn the_reason_says_what_to_look_at() {
    let place = Place::new();
    let ours = &place.authority;
    let theirs = Authority::new("theirs");
    place.write("clients.pem", &theirs.pem);
    let open = Tls::new(&place.config(OWN, CA)).unwrap();
    let guarded = Tls::new(&place.config(&format!("{OWN}client_ca = \"clients.pem\"\n"), CA)).unwrap();
    let id = crate::peer::ListenerId(0);
    let limit = Duration::from_secs(20);
    // Who connects to us.
    for (tls, ca, shown, expect) in [
        (&guarded, ours, None, "it showed no certificate, and must"),
        (
            &guarded,
            ours,
            Some(ours.leaf(&["a"])),
            "its certificate is not signed by the authorities of client_ca",
        ),
        (&guarded, ours, Some(theirs.expired(&["a"])), "its certificate has expired"),
        (&open, &theirs, None, "it does not trust who signed our certificate (unknown_ca)"),
    ] {
        let socket = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let config = phone_config(&ca.pem, shown.as_ref(), &[&TLS13]);
        let address = socket.local_addr().unwrap();
        let phone = tokio::spawn(connect(address, config, "127.0.0.1"));
        let (stream, _) = socket.accept().await.unwrap();
        let how = tls.server(id).unwrap();
        let error = crate::listen::stream::open::accept_tls(stream, address, how, limit).await;
        assert_eq!(error.map(|_| ()).unwrap_err().to_string(), expect);
        let _ = phone.await;
    }
    // Whom we dial.
    let file = place.path().join("ca.pem");
    for (leaf, name, expect) in [
        (
            theirs.leaf(&["127.0.0.1"]),
            None,
            format!("its certificate is not signed by the authorities of {}", file.display()),
        ),
        (ours.leaf(&["127.0.0.2"]), None, "its certificate is for 127.0.0.2, not for 127.0.0.1".to_owned()),
        (
            ours.leaf(&["a.example"]),
            Some("b.example"),
            "its certificate is for a.example, not for b.example".to_owned(),
        ),
        (ours.expired(&["127.0.0.1"]), None, "its certificate has expired".to_owned()),
    ] {
        let carrier = Carrier::new(&leaf, None).await;
        let remote = carrier.socket.local_addr().unwrap();
        let how = open.client(None, remote.ip()).unwrap();
        let name = server_name(name, remote.ip()).unwrap();
        let local = "127.0.0.1".parse().unwrap();
        let dialling = crate::listen::stream::open::connect_tls(local, remote, name, how, limit);
        let (_, error) = tokio::join!(carrier.accept(), dialling);
        assert_eq!(error.map(|_| ()).unwrap_err().to_string(), expect);
    }
    // One that is its own authority, and one that speaks no TLS.
    let leaf = Leaf::by_common_name("127.0.0.1");
    place.write("ca.pem", &leaf.certificate);
    let tls = Tls::new(&place.config(OWN, CA)).unwrap();
    let carrier = Carrier::new(&leaf, None).await;
    let remote = carrier.socket.local_addr().unwrap();
    let how = tls.client(None, remote.ip()).unwrap();
    let name = server_name(None, remote.ip()).unwrap();
    let dialling =
        crate::listen::stream::open::connect_tls(remote.ip(), remote, name.clone(), how.clone(), limit);
    let (_, error) = tokio::join!(carrier.accept(), dialling);
    let expect = "its certificate is an authority's (CA:TRUE), not a server's";
    assert_eq!(error.map(|_| ()).unwrap_err().to_string(), expect);
    let plain = async {
        let (mut stream, _) = carrier.socket.accept().await.unwrap();
        stream.write_all(b"SIP/2.0 400 Bad Request\r\n\r\n").await.unwrap();
        let _ = stream.read(&mut [0; 1]).await;
    };
    let dialling = crate::listen::stream::open::connect_tls(remote.ip(), remote, name, how, limit);
    let ((), error) = tokio::join!(plain, dialling);
    assert_eq!(error.map(|_| ()).unwrap_err().to_string(), "what it speaks is no TLS");
}

#[tokio::test]
async fn certificates_are_replaced_whole_or_not_at_all() {
    let place = Place::new();
    let config = place.config(OWN, CA);
    let tls = Tls::new(&config).unwrap();
    let shown = |tls: &Tls| Arc::as_ptr(&tls.server(crate::peer::ListenerId(0)).unwrap());
    let first = shown(&tls);
    place.write("gateway.key", &place.authority.leaf(&["127.0.0.1"]).key);
    let refused = tls.replace(&config).unwrap_err();
    let TlsError::Placed { error, .. } = refused else { panic!("{refused}") };
    assert!(matches!(*error, TlsError::Mismatch { .. }), "{error}");
    assert_eq!(shown(&tls), first);
    place.authority.leaf(&["127.0.0.1"]).write(place.path(), "gateway");
    tls.replace(&config).unwrap();
    assert_ne!(shown(&tls), first);
}

#[test]
fn a_file_that_cannot_be_used_is_named() {
    let place = Place::new();
    let check = |file: &str, text: &str, expect: &str| {
        let was = std::fs::read_to_string(place.path().join(file)).unwrap();
        place.write(file, text);
        let error = Tls::new(&place.config(OWN, CA)).unwrap_err().to_string();
        let expect = format!("gateway.toml:{expect}");
        assert_eq!(error.replace(&format!("{}/", place.path().display()), ""), expect);
        place.write(file, &was);
    };
    let other = place.authority.leaf(&["127.0.0.1"]);
    let none = "4:15: certificate: gateway.pem: holds no certificate; write PEM, the leaf first";
    check("gateway.pem", "", none);
    check("gateway.pem", &other.key, none);
    let foreign = "5:7: key: gateway.key does not belong to the certificate gateway.pem; name the key that it was made with";
    check("gateway.pem", &other.certificate, foreign);
    let own = std::fs::read_to_string(place.path().join("gateway.pem")).unwrap();
    check(
        "gateway.pem",
        &format!("{}{own}", place.authority.pem),
        "4:15: certificate: gateway.pem: the first certificate is not that of gateway.key; write the leaf first, then \
         who signed it",
    );
    check("gateway.key", &other.certificate, "5:7: key: gateway.key: holds no private key; write PEM");
    // As openssl writes it, of old and now.
    for (label, header) in [
        ("RSA PRIVATE KEY", "Proc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,00\n\n"),
        ("ENCRYPTED PRIVATE KEY", ""),
    ] {
        check(
            "gateway.key",
            &format!("-----BEGIN {label}-----\n{header}AAAA\n-----END {label}-----\n"),
            "5:7: key: gateway.key: a password protects this key; write it without: openssl pkey -in gateway.key -out NEW",
        );
    }
    check(
        "gateway.key",
        "-----BEGIN EC PRIVATE KEY-----\nAAAA\n-----END EC PRIVATE KEY-----\n",
        "5:7: key: gateway.key: no such key is taken; write RSA of 2048 to 8192 bits, P-256, P-384 or Ed25519",
    );
    check("ca.pem", "", "7:6: ca: ca.pem: holds no certificate; write those of the authorities, PEM");
    check(
        "ca.pem",
        "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
        "7:6: ca: ca.pem: the certificate is damaged, or too old a kind; name another one",
    );
    let missing = place.path().join("ca.pem");
    std::fs::remove_file(&missing).unwrap();
    let (config, _) =
        Config::parse(&format!("{LISTENER}{OWN}{CA}"), &place.path().join("gateway.toml")).unwrap();
    let error = Tls::new(&config).unwrap_err().to_string();
    assert!(error.contains(&format!(":7:6: ca: {}: ", missing.display())), "{error}");
}

#[test]
fn a_certificate_that_no_peer_will_take_is_told_beforehand() {
    let place = Place::new();
    let doubts = || {
        let doubts = Tls::doubts(&place.config(OWN, CA)).join("\n");
        doubts.replace(&format!("{}/", place.path().display()), "")
    };
    assert_eq!(doubts(), "");
    place.authority.expired(&["127.0.0.1"]).write(place.path(), "gateway");
    assert!(Tls::new(&place.config(OWN, CA)).is_ok());
    let expect =
        "gateway.toml:4:15: certificate: gateway.pem: the certificate has expired: peers refuse it; renew it";
    assert_eq!(doubts(), expect);
    place.authority.expiring(&["127.0.0.1"], 3).write(place.path(), "gateway");
    let expect =
        "gateway.toml:4:15: certificate: gateway.pem: the certificate expires within 14 days; renew it";
    assert_eq!(doubts(), expect);
    place.authority.expiring(&["127.0.0.1"], 30).write(place.path(), "gateway");
    assert_eq!(doubts(), "");
    place.authority.leaf_for(&["127.0.0.1"], &[Purpose::ClientAuth]).write(place.path(), "gateway");
    let expect = "gateway.toml:4:15: certificate: gateway.pem: the certificate is not for servers \
                  (its extendedKeyUsage lacks serverAuth): peers refuse it; have one signed that is";
    assert_eq!(doubts(), expect);
}

/// Renewed on the disk and not read again, it is the old one that is shown.
#[test]
fn the_end_of_what_is_shown_is_that_of_the_first_in_the_chain_to_end() {
    let place = Place::new();
    place.authority.expiring(&["127.0.0.1"], 30).write(place.path(), "gateway");
    let days = |tls: &Tls| {
        let now = std::time::UNIX_EPOCH.elapsed().unwrap();
        let days = |expiry: &crate::listen::Expiry| (expiry.at - now).as_secs_f64() / 86_400.0;
        let expiries = tls.expiries();
        expiries.iter().map(|expiry| (expiry.shown_as, days(expiry).round())).collect::<Vec<_>>()
    };
    let config = place.config(OWN, CA);
    let tls = Tls::new(&config).unwrap();
    assert_eq!(days(&tls), [("server", 30.0)]);
    place.authority.expiring(&["127.0.0.1"], 90).write(place.path(), "gateway");
    assert_eq!(days(&tls), [("server", 30.0)]);
    tls.replace(&config).unwrap();
    assert_eq!(days(&tls), [("server", 90.0)]);
    let chain = std::fs::read_to_string(place.path().join("gateway.pem")).unwrap();
    place.authority.expiring(&["other"], 5).write(place.path(), "other");
    let other = std::fs::read_to_string(place.path().join("other.pem")).unwrap();
    place.write("gateway.pem", &format!("{chain}{other}"));
    tls.replace(&config).unwrap();
    assert_eq!(days(&tls), [("server", 5.0)]);
}

#[test]
fn a_certificate_of_ours_that_is_for_servers_alone_is_told_before_a_peer_asks_for_it() {
    let place = Place::new();
    let carrier = "[[carrier]]\nname = \"a\"\nhost = [{ host = \"127.0.0.1\", protocol = \"tls\" }]\n\
                   peer = { ca = \"ca.pem\", client_certificate = \"client.pem\", client_key = \"client.key\" }\n";
    let both = [Purpose::ServerAuth, Purpose::ClientAuth];
    for (purposes, told) in [(&both[..], false), (&both[1..], false), (&both[..1], true), (&[], false)] {
        place.authority.leaf_for(&["127.0.0.1"], purposes).write(place.path(), "client");
        let doubts = Tls::doubts(&place.config(OWN, &format!("{CA}{carrier}"))).join("\n");
        assert_eq!(doubts.contains("client.pem: the certificate is not for clients"), told, "{doubts}");
        assert_eq!(doubts.is_empty(), !told, "{doubts}");
    }
}

#[test]
fn the_name_to_check_is_the_configured_one_or_the_address() {
    let remote = "192.0.2.1".parse().unwrap();
    for (name, expect) in [
        (None, Some("192.0.2.1")),
        (Some("192.0.2.7"), Some("192.0.2.7")),
        (Some("[2001:db8::1]"), Some("2001:db8::1")),
        (Some("sip.example.com."), Some("sip.example.com")),
        (Some("sip_1.example.com"), Some("sip_1.example.com")),
        (Some("no name"), None),
    ] {
        let found = server_name(name, remote).map(|name| name.to_str().into_owned());
        assert_eq!(found.as_deref(), expect, "{name:?}");
    }
}
