//! Media that comes from somewhere else than it was said or than it did: early media, hold, NAT, moves, strangers.
//!
//! Datagrams on loopback keep their order through one socket of the gateway, so a packet that is heard tells that those
//! sent before it were not.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)] // A test from its first line to its last.

mod support;

use std::time::{Duration, Instant};

use serde_json::Value;
use support::{
    Gateway, Media, Metrics, Net, Office, PATIENCE, Peer, THEIRS, Talk, Who, both_hear, describe, eventually,
    lines,
};

/// How long a new source can be bettered; see `rtp::lock`.
const LEARNING: Duration = Duration::from_secs(3);

/// A call that is shorter has no quality record.
const SHORTEST: Duration = Duration::from_millis(1_100);

/// An address that means nothing outside the phone's own network.
const PRIVATE: &str = "169.254.7.9:4000";

struct Trunk {
    net: Net,
    gateway: Gateway,
    pbx: Peer,
    carrier: Peer,
}

impl Trunk {
    fn start(net: Net) -> Trunk {
        Trunk::with(net, "")
    }

    /// With more keys of the connector.
    fn with(net: Net, connector: &str) -> Trunk {
        let office = Office { termination: connector, ..Office::new(net, "udp") };
        let pbx = Peer::udp(net.at(2, 5070), net.gateway());
        let carrier = Peer::udp(net.at(3, 5060), net.gateway());
        let gateway = Gateway::start(net, &office.config());
        Trunk { net, gateway, pbx, carrier }
    }

    /// A call that is up: the caller said `offer`, the callee `answer`; everybody knows where to send.
    fn call(&self, offer: String, answer: String, phone: &mut Media, others: &mut [&mut Media]) -> Talk<'_> {
        let (talk, answer) = Talk::up(&self.pbx, &self.carrier, THEIRS, offer, |_| answer);
        phone.learns(&answer, 0);
        for other in others {
            other.learns(&talk.offered, 0);
        }
        talk
    }

    /// A voice at the PBX, one at the carrier, one of nobody.
    fn voices(&self) -> (Media, Media, Media) {
        let at = |host| self.net.at(host, 4000);
        (Media::new(at(2), b'a'), Media::new(at(3), b'b'), Media::new(at(66), b'x'))
    }

    fn refused(&self, cause: &str) -> f64 {
        self.gateway.metrics().sum("media_refusals_total", &[("cause", cause)])
    }

    /// The caller has hung up: the last figures and the quality record. Ports are back, and what the phones heard is what
    /// was counted.
    fn ends(self, to_customer: u64, to_remote: u64) -> (Metrics, Value) {
        let record = self.gateway.call_details(1).remove(0);
        assert_eq!(record["Status"], "Completed", "{record:#}");
        self.gateway.settled();
        let metrics = self.gateway.metrics();
        let directory = self.gateway.stop();
        let quality = lines(&directory.path().join("records"), "aws/ChimeVoiceConnectorLogs").pop().unwrap();
        for (flow, heard) in [("vc2cust", to_customer), ("vc2rem", to_remote)] {
            assert_eq!(quality[format!("{flow}_rtp_packets")], heard, "{flow}: {quality:#}");
        }
        (metrics, quality)
    }
}

/// Both stay for as long as it takes to have a quality record; then the caller hangs up.
fn ends(call: Talk<'_>, one: &mut Media, other: &mut Media) {
    while call.began.elapsed() < SHORTEST {
        one.reaches(other);
    }
    call.ends();
}

fn refusals(metrics: &Metrics, cause: &str) -> f64 {
    metrics.sum("media_refusals_total", &[("cause", cause)])
}

/// An announcement rings from one machine, the callee answers at another one (another To tag), and a third sprays.
#[test]
fn early_media_comes_from_one_address_and_the_answer_from_another() {
    let trunk = Trunk::start(Net(170));
    let (mut phone, mut announcer, mut stranger) = trunk.voices();
    let mut callee = Media::new(trunk.net.at(4, 4000), b'c');
    let mut talk = Talk::offers(&trunk.pbx, &trunk.carrier, THEIRS, Some(phone.plain()));
    for media in [&mut announcer, &mut callee, &mut stranger] {
        media.learns(&talk.offered, 0);
    }
    phone.learns(&talk.progresses(183, "early", announcer.plain()), 0);
    announcer.reaches(&mut phone);
    phone.reaches(&mut announcer);
    stranger.says();
    stranger.says();
    announcer.reaches(&mut phone);

    phone.learns(&talk.answers("late", Some(callee.plain())), 0);
    talk.acknowledges(None);
    announcer.reaches(&mut phone); // Its last words are no attack.
    stranger.says(); // At least the announcer is where the signalling comes from.
    callee.reaches(&mut phone);
    phone.reaches(&mut callee);
    announcer.says();
    stranger.says();
    callee.reaches(&mut phone);
    announcer.hears_nothing();
    stranger.hears_nothing();

    ends(talk, &mut phone, &mut callee);
    let (metrics, quality) = trunk.ends(phone.heard, announcer.heard + callee.heard);
    assert_eq!(refusals(&metrics, "source"), 5.0);
    assert_eq!(quality["rem2vc_packets_lost"], 0, "{quality:#}");
}

/// The 200 names one address and the callee's media server sends from another, while the announcement still runs: the
/// server is heard, though the caller's voice goes where the answer says.
#[test]
fn an_answer_that_is_not_where_its_media_comes_from() {
    let trunk = Trunk::start(Net(171));
    let (mut phone, mut callee, mut server) = trunk.voices();
    let mut announcer = Media::new(trunk.net.at(7, 4000), b'e');
    let mut call = Talk::offers(&trunk.pbx, &trunk.carrier, THEIRS, Some(phone.plain()));
    for media in [&mut announcer, &mut callee, &mut server] {
        media.learns(&call.offered, 0);
    }
    phone.learns(&call.progresses(183, "early", announcer.plain()), 0);
    both_hear(&mut announcer, &mut phone);
    server.says();
    announcer.reaches(&mut phone);
    phone.learns(&call.answers("late", Some(callee.plain())), 0);
    call.acknowledges(None);
    announcer.reaches(&mut phone);
    server.reaches(&mut phone);
    announcer.says();
    server.reaches(&mut phone);
    phone.reaches(&mut callee);
    // The one that was named speaks up, and is the only one from then on.
    callee.reaches(&mut phone);
    server.says();
    callee.reaches(&mut phone);
    for left in [&mut server, &mut announcer] {
        left.hears_nothing();
    }
    ends(call, &mut phone, &mut callee);
    let (metrics, _) = trunk.ends(phone.heard, callee.heard + announcer.heard);
    assert_eq!(refusals(&metrics, "source"), 3.0);
}

#[test]
fn hold_and_resume_from_the_same_address_and_from_another() {
    let trunk = Trunk::start(Net(172));
    let (mut phone, mut callee, mut stranger) = trunk.voices();
    let mut call = trunk.call(phone.plain(), callee.plain(), &mut phone, &mut [&mut callee]);
    stranger.to = callee.to;
    both_hear(&mut phone, &mut callee);
    let line = |direction: &str| [format!("a={direction}")];

    for (hold, answer) in [("sendonly", "recvonly"), ("inactive", "inactive")] {
        let held = callee.sdp("RTP/AVP", &line(answer));
        let (offered, _) = call.renegotiates(Who::Caller, phone.sdp("RTP/AVP", &line(hold)), |_| held);
        assert_eq!(support::stream(&offered).direction.as_str(), hold);
        if hold == "sendonly" {
            phone.reaches(&mut callee); // Music.
        }
        stranger.says();
        call.renegotiates(Who::Caller, phone.plain(), |_| callee.plain());
        both_hear(&mut phone, &mut callee);
    }

    // The old way: an address of zeros. Nobody is sent anything there, and no stranger takes the silent phone's place.
    let zeros = describe("0.0.0.0:4000".parse().unwrap(), "RTP/AVP", &[]);
    let (offered, _) = call.renegotiates(Who::Caller, zeros, |_| callee.plain());
    assert_eq!(support::stream(&offered).direction.as_str(), "sendonly");
    let unroutable = trunk.refused("unroutable");
    eventually("a voice that nobody is to hear", PATIENCE, || {
        callee.says();
        if trunk.refused("unroutable") > unroutable { Ok(()) } else { Err("it went somewhere".to_owned()) }
    });
    phone.hears_nothing();
    let source = trunk.refused("source");
    eventually("a second of silence", PATIENCE, || {
        stranger.says();
        if trunk.refused("discontinuous") > 0.0 { Ok(()) } else { Err("still refused by source".to_owned()) }
    });
    assert!(trunk.refused("source") > source);

    // Back at another machine, whose first word puts the old one out.
    let mut desk = Media::new(trunk.net.at(5, 4000), b'd');
    desk.to = phone.to;
    call.renegotiates(Who::Caller, desk.plain(), |_| callee.plain());
    both_hear(&mut desk, &mut callee);
    phone.says();
    stranger.says();
    both_hear(&mut desk, &mut callee);
    stranger.hears_nothing();
    phone.hears_nothing();
    ends(call, &mut desk, &mut callee);
    let (_, quality) = trunk.ends(phone.heard + desk.heard, callee.heard);
    // What was said into the hold arrived here, and is no loss.
    assert_eq!((&quality["rem2vc_packets_lost"], &quality["cust2vc_packets_lost"]), (&0.into(), &0.into()));
}

/// The phone's address is private, so the gateway sends to where its packets come from; then its NAT gives it another
/// port, which no signalling tells.
#[test]
fn a_rebind_of_nat_is_followed_after_a_second_of_silence_and_no_stranger_is() {
    let trunk = Trunk::start(Net(173));
    let (mut phone, mut callee, mut stranger) = trunk.voices();
    let offer = describe(PRIVATE.parse().unwrap(), "RTP/AVP", &[]);
    let call = trunk.call(offer, callee.plain(), &mut phone, &mut [&mut callee]);
    stranger.to = phone.to;
    let first = Instant::now();
    both_hear(&mut phone, &mut callee);
    while first.elapsed() < LEARNING + Duration::from_millis(200) {
        stranger.says();
        phone.reaches(&mut callee);
    }
    callee.reaches(&mut phone);

    let last = Instant::now();
    phone.reaches(&mut callee);
    let mut phone = phone.moved(trunk.net.at(2, 6000));
    let source = trunk.refused("source");
    eventually("the first words come too early", PATIENCE, || {
        phone.says();
        if trunk.refused("source") > source { Ok(()) } else { Err("not refused".to_owned()) }
    });
    // A stranger's own stream, and the phone's own past.
    let mut echo = Media::new(trunk.net.at(66, 5000), b'x');
    (echo.to, echo.ssrc, echo.seq) = (phone.to, phone.ssrc, phone.seq - 100);
    eventually("a second of silence", PATIENCE, || {
        stranger.says();
        if trunk.refused("discontinuous") > 0.0 { Ok(()) } else { Err("still refused by source".to_owned()) }
    });
    assert!(last.elapsed() >= Duration::from_secs(1));
    let discontinuous = trunk.refused("discontinuous");
    echo.says();
    phone.reaches(&mut callee);
    assert_eq!(trunk.refused("discontinuous"), discontinuous + 1.0);
    callee.reaches(&mut phone);
    stranger.says();
    both_hear(&mut phone, &mut callee);
    for nobody in [&mut stranger, &mut echo] {
        nobody.hears_nothing();
    }
    ends(call, &mut phone, &mut callee);
    trunk.ends(phone.heard, callee.heard);
}

/// Whoever sends before the phone does is heard, for he might be the phone's media server. He never gets the stream,
/// and the phone's first word puts him out for the rest of the call.
#[test]
fn a_stranger_sprays_before_during_and_after() {
    let trunk = Trunk::start(Net(174));
    let (mut phone, mut callee, mut stranger) = trunk.voices();
    let mut call = trunk.call(phone.plain(), callee.plain(), &mut phone, &mut [&mut callee]);
    stranger.to = phone.to;
    stranger.reaches(&mut callee);
    callee.reaches(&mut phone);
    phone.reaches(&mut callee);
    let mut sprayed = 0.0;
    for _ in 0..20 {
        stranger.says();
        phone.reaches(&mut callee);
        sprayed += 1.0;
    }
    // Learning opens again with each offer; the phone fits better.
    for who in [Who::Caller, Who::Callee] {
        let (offer, answer) = match who {
            Who::Caller => (phone.plain(), callee.plain()),
            Who::Callee => (callee.plain(), phone.plain()),
        };
        call.renegotiates(who, offer, |_| answer);
        stranger.says();
        phone.reaches(&mut callee);
        sprayed += 1.0;
    }
    callee.reaches(&mut phone);
    stranger.hears_nothing();
    let to = stranger.to.unwrap();
    ends(call, &mut phone, &mut callee);
    let (metrics, quality) = trunk.ends(phone.heard, callee.heard);
    assert_eq!(refusals(&metrics, "source"), sprayed);
    assert_eq!(quality["cust2vc_packets_lost"], 0, "{quality:#}");
    assert!(std::net::UdpSocket::bind(to).is_ok(), "the port is the gateway's no more");
}

#[test]
fn either_side_moves_its_media_by_a_new_offer() {
    let trunk = Trunk::start(Net(175));
    let (mut phone, mut callee, mut stranger) = trunk.voices();
    let mut call = trunk.call(phone.plain(), callee.plain(), &mut phone, &mut [&mut callee]);
    stranger.to = phone.to;
    both_hear(&mut phone, &mut callee);

    let mut mobile = Media::new(trunk.net.at(5, 4000), b'm');
    mobile.to = phone.to;
    call.renegotiates(Who::Caller, mobile.plain(), |_| callee.plain());
    phone.reaches(&mut callee); // On its way when it moved.
    callee.reaches(&mut mobile);
    mobile.reaches(&mut callee);
    phone.says();
    stranger.says();
    both_hear(&mut mobile, &mut callee);

    let mut operator = Media::new(trunk.net.at(6, 4000), b'o');
    operator.to = callee.to;
    call.renegotiates(Who::Callee, operator.plain(), |_| mobile.plain());
    both_hear(&mut operator, &mut mobile);
    callee.says();
    both_hear(&mut operator, &mut mobile);
    for left in [&mut phone, &mut callee, &mut stranger] {
        left.hears_nothing();
    }
    ends(call, &mut mobile, &mut operator);
    let (metrics, _) = trunk.ends(phone.heard + mobile.heard, callee.heard + operator.heard);
    assert_eq!(refusals(&metrics, "source"), 3.0);
}

/// `symmetric`: the stream goes where packets come from, though the description names a public address. The carrier is
/// not so configured.
#[test]
fn a_symmetric_peer_is_sent_to_where_it_sends_from() {
    let trunk = Trunk::with(Net(176), "\n[voice_connector.peer]\nsymmetric = true\n");
    let (mut named, mut callee, mut stranger) = trunk.voices();
    let mut phone = Media::new(trunk.net.at(5, 4000), b'p');
    let mut server = Media::new(trunk.net.at(6, 4000), b's');
    let mut call = trunk.call(named.plain(), callee.plain(), &mut phone, &mut [&mut callee]);
    stranger.to = phone.to;
    callee.reaches(&mut named); // Nothing came yet.
    phone.reaches(&mut callee);
    callee.reaches(&mut phone);
    server.to = callee.to;
    stranger.says();
    both_hear(&mut phone, &mut callee);
    // Hold and resume of the same description keep what was learned.
    call.renegotiates(Who::Caller, named.sdp("RTP/AVP", &["a=sendonly".to_owned()]), |_| callee.plain());
    call.renegotiates(Who::Caller, named.plain(), |_| callee.plain());
    callee.reaches(&mut phone);
    named.hears_nothing();
    stranger.hears_nothing();
    ends(call, &mut phone, &mut callee);
    let (metrics, _) = trunk.ends(named.heard + phone.heard, callee.heard);
    assert_eq!(refusals(&metrics, "source"), 1.0);
}

/// RTCP has a lock of its own, beside RTP's: who sends reports from elsewhere is not heard, and is told nothing.
#[test]
fn reports_are_locked_beside_the_stream() {
    let trunk = Trunk::start(Net(177));
    let (mut phone, mut callee, mut stranger) = trunk.voices();
    let call = trunk.call(phone.plain(), callee.plain(), &mut phone, &mut [&mut callee]);
    stranger.to = phone.to;
    both_hear(&mut phone, &mut callee);
    let received = |trunk: &Trunk| {
        let labels = [("side", "customer"), ("direction", "received")];
        trunk.gateway.metrics().sum("rtcp_packets_total", &labels)
    };
    let arrives = |count: f64| {
        eventually("reports", PATIENCE, || {
            let seen = received(&trunk);
            if seen == count { Ok(()) } else { Err(format!("{seen} of {count}")) }
        });
    };
    stranger.reports();
    both_hear(&mut phone, &mut callee);
    phone.reports();
    arrives(1.0);
    stranger.reports();
    phone.reports();
    arrives(2.0);
    assert_eq!(trunk.refused("source"), 2.0);
    stranger.hears_nothing();
    // Ours go beside the address of the description.
    phone.gets_a_report();
    callee.gets_a_report();
    ends(call, &mut phone, &mut callee);
    let (_, quality) = trunk.ends(phone.heard, callee.heard);
    assert_eq!(quality["cust2vc_rtcp_packets"], 2, "{quality:#}");
}
