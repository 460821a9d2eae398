//! The capture file of calls that come by TCP, by TLS and over IPv6, as Wireshark reads it.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::path::Path;

use super::reload::controlled;
use super::support::{Authority, Gateway, Media, Net, Peer, THEIRS, Talk, missing};
use super::trace::{Look, dissected};

const SIX: &str = "[::1]:5060";

/// The office takes calls by TCP and TLS and over IPv6 too; the carrier is called over UDP.
fn config(net: Net, files: &Path) -> String {
    let (address, secure, files) = (net.gateway(), net.at(1, 5061), files.display());
    let more = format!(
        r#"
[media]
address = ["{}", "::1"]

[[listen]]
protocol = "tcp"
address = "{address}"

[[listen]]
protocol = "tls"
address = "{secure}"
certificate = "{files}/gateway.pem"
key = "{files}/gateway.key"

[[listen]]
address = "{SIX}"

[[listen]]
protocol = "tcp"
address = "{SIX}"
"#,
        net.ip(1)
    );
    controlled(net, "").replace("\"127.0.0.1\"]", "\"127.0.0.1\", \"::1\"]") + more.as_str()
}

/// A call of `phone`'s whose media is at `media`, while somebody looks; each frame as `protocols|malformed|flags|method|status|branch`,
/// and how many words were said.
fn call(
    gateway: &Gateway,
    phone: &Peer,
    carrier: &Peer,
    media: SocketAddr,
    name: &str,
) -> (Vec<String>, usize) {
    let file = format!("{name}.pcapng");
    let look = Look::begin(gateway, &file, &["--number", THEIRS]);
    let (mut a, mut b) = (Media::new(media, 1), Media::new(gateway.net.at(3, 7000), 2));
    let mut talk = Talk::offers(phone, carrier, THEIRS, Some(a.plain()));
    b.learns(&talk.offered, 1);
    let answer = talk.answers("callee", Some(b.plain()));
    a.learns(&answer, 1);
    talk.acknowledges(None);
    for _ in 0..3 {
        a.reaches(&mut b);
        b.reaches(&mut a);
    }
    talk.ends();
    look.ends_after(2);
    let fields = [
        "frame.protocols",
        "_ws.malformed",
        "tcp.analysis.flags",
        "sip.Method",
        "sip.Status-Code",
        "sip.Via.branch",
    ];
    let said = usize::try_from(a.said + b.said).unwrap();
    (dissected(&gateway.config().with_file_name(file), &fields), said)
}

/// So many messages are a request or response of this kind on the leg whose frames `of` this chain of protocols; one that is said
/// again on a busy machine is the same.
fn count(frames: &[String], of: &str, what: &str) -> usize {
    let shows = |frame: &&String| {
        let mut fields = frame.split('\t');
        fields.next().is_some_and(|chain| chain.starts_with(of)) && fields.any(|field| field == what)
    };
    frames.iter().filter(shows).collect::<BTreeSet<_>>().len()
}

#[test]
fn a_call_by_any_transport_and_family_is_read_as_such() {
    if missing(&["tshark"]) {
        return;
    }
    let net = Net(302);
    let (files, ours) = (tempfile::tempdir().unwrap(), Authority::new("ours"));
    ours.leaf(&[&net.ip(1).to_string()]).write(files.path(), "gateway");
    let gateway = Gateway::start(net, &config(net, files.path()));
    let carrier = Peer::udp(net.at(3, 5060), net.gateway());
    let six: SocketAddr = SIX.parse().unwrap();
    let phone_six: SocketAddr = "[::1]:5070".parse().unwrap();
    let four = net.at(2, 7000);
    // TLS is shown in the clear, as datagrams: there is no stream of it that could be shown. A phone comes when it calls, for a
    // connection that says nothing is soon closed.
    let tcp = || Peer::tcp(net.at(2, 0), net.gateway());
    let tls = || Peer::tls(net.at(2, 5071), net.at(1, 5061), &ours);
    let (udp_six, tcp_six) = (|| Peer::udp(phone_six, six), || Peer::tcp(phone_six, six));
    let phones: [(&str, &dyn Fn() -> Peer, SocketAddr, &str); 4] = [
        ("tcp", &tcp, four, "raw:ip:tcp"),
        ("tls", &tls, four, "raw:ip:udp"),
        ("udp-6", &udp_six, "[::1]:7000".parse().unwrap(), "raw:ipv6:udp"),
        ("tcp-6", &tcp_six, "[::1]:7000".parse().unwrap(), "raw:ipv6:tcp"),
    ];
    for (name, phone, media, chain) in phones {
        let phone = phone();
        let (frames, said) = call(&gateway, &phone, &carrier, media, name);
        let wrong = |frame: &&String| frame.contains("alformed") || frame.contains("tcp.analysis");
        assert!(!frames.iter().any(|frame| wrong(&frame)), "{name}: {frames:#?}");
        // The caller's leg, and with datagrams of IPv4 the callee's too.
        let legs = if chain == "raw:ip:udp" { 2 } else { 1 };
        for what in ["INVITE", "ACK", "BYE"] {
            assert_eq!(count(&frames, chain, what), legs, "{name} {what}: {frames:#?}");
        }
        assert_eq!(count(&frames, chain, "200"), 2 * legs, "{name}: {frames:#?}");
        let rtp =
            |of: &str| frames.iter().filter(|frame| frame.starts_with(of) && frame.contains(":rtp")).count();
        let both = rtp("raw:ip:udp") + rtp("raw:ipv6:udp");
        assert!((12..=2 * said).contains(&both), "{name}: {both} of RTP: {frames:#?}");
        assert_eq!(rtp("raw:ipv6:udp") >= 6, media.is_ipv6(), "{name}: {frames:#?}");
    }
    gateway.stop();
}
