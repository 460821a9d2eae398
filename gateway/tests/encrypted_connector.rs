//! What an encrypted connector must not do: take or tell anything in clear, before the call and in it.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)] // A test from its first line to its last.

mod support;

use std::process::Command;

use serde_json::Value;
use sip::dialog::Dialog;
use sip::{Builder, Message, Method, Name};
use support::{Authority, Gateway, Net, PATIENCE, Peer, THEIRS, eventually, lines, shown, status_line};

const SRTP: &str = "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n\
                    m=audio 9 RTP/SAVP 0\r\na=rtpmap:0 PCMU/8000\r\n\
                    a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:d0RmdmcmVCspeEc3QGZiNWpVLFJhQX1cfHAwJSoj\r\n";

struct Trunk {
    net: Net,
    gateway: Gateway,
    /// By TLS.
    pbx: Peer,
    /// The same PBX without it.
    plain: Peer,
    carrier: Peer,
    _files: tempfile::TempDir,
}

impl Trunk {
    fn start(net: Net) -> Trunk {
        let directory = tempfile::tempdir().unwrap();
        let ours = Authority::new("ours");
        ours.leaf(&[&net.ip(1).to_string()]).write(directory.path(), "gateway");
        let [secure, plain, admin] = [net.at(1, 5061), net.gateway(), net.admin()];
        let [pbx, carrier] = [net.pbx(), net.carrier()];
        let files = directory.path().display();
        let config = format!(
            r#"
[[listen]]
protocol = "tls"
address = "{secure}"
certificate = "{files}/gateway.pem"
key = "{files}/gateway.key"

[[listen]]
address = "{plain}"

[admin]
address = "{admin}"
socket = "control.sock"

[[voice_connector]]
id = "office"
encryption = true
peer = {{ ca = "{files}/gateway.pem" }}

[voice_connector.termination]
allowlist = ["{pbx}", "127.0.0.1"] # Where a connection to loopback comes from.
calling_plan = ["US"]

[voice_connector.origination]
options_interval = "0s"
route = [{{ host = "{pbx}" }}]

[[voice_connector.emergency]]
country = "US"
digits = ["911"]
routing_number = "+15105550111"

[[phone_number]]
number = "+12065550100"
voice_connector = "office"

[[carrier]]
name = "carrier"
allowlist = ["{carrier}"]
host = [{{ host = "{carrier}", port = 5060 }}]
"#
        );
        let carrier = Peer::udp(net.at(3, 5060), plain);
        let gateway = Gateway::start(net, &config);
        Trunk {
            net,
            gateway,
            pbx: Peer::tls(net.at(2, 5071), secure, &ours),
            plain: Peer::udp(net.at(2, 5072), plain),
            carrier,
            _files: directory,
        }
    }

    /// A call to `number` by TLS with SRTP.
    fn invite(&self, number: &str) -> Builder {
        let uri = format!("sip:{number}@{}", self.net.at(1, 5061));
        self.pbx.request(Method::Invite, &uri).body("application/sdp", SRTP.into())
    }

    /// The call is up: the PBX's dialog, and the ACK that the carrier got.
    fn up(&self, invite: &Message) -> (Dialog, Message) {
        self.pbx.send(invite);
        let offered = self.carrier.receive_request(Method::Invite);
        assert!(!shown(&offered).contains("a=crypto"), "{}", shown(&offered));
        self.carrier.accept(&offered);
        let answer = self.pbx.answer_to(invite);
        assert_eq!(status_line(&answer).0, 200, "{}", shown(&answer));
        let mut dialog = Dialog::uac(invite, &answer).unwrap();
        let ack = dialog.ack(1).header(Name::Via, self.pbx.via()).header(Name::MaxForwards, "70");
        self.pbx.send(&ack.build());
        let ack = self.carrier.receive_request(Method::Ack);
        // Once this is answered, the ACK before it has come.
        let options = dialog.request(Method::Options).header(Name::Via, self.pbx.via());
        assert_eq!(status_line(&self.pbx.ask(options.header(Name::MaxForwards, "70"))).0, 200);
        (dialog, ack)
    }

    /// A request of the carrier's inside its dialog, which it knows by the ACK.
    fn of_carrier(&self, method: Method, ack: &Message) -> Builder {
        let value = |name| ack.value(name).unwrap().into_owned();
        self.carrier
            .request(method, &format!("sip:gateway@{}", self.net.gateway()))
            .set(Name::From, value(Name::To))
            .set(Name::To, value(Name::From))
            .set(Name::CallId, value(Name::CallId))
    }

    fn close(self) {
        self.gateway.settled();
        self.gateway.stop();
    }
}

#[test]
fn nobody_is_helped_in_clear_and_everybody_is_under_tls() {
    let trunk = Trunk::start(Net(190));
    for (number, asked) in [(THEIRS, THEIRS), ("911", "+15105550111")] {
        let answer = trunk.plain.ask(trunk.plain.invite(number));
        let phrase = "Voice connector office takes TLS only, not udp";
        assert_eq!(status_line(&answer), (403, phrase.to_owned()));
        let reason = answer.value(Name::Reason).unwrap().into_owned();
        assert_eq!(reason, format!("SIP;cause=403;text=\"{phrase}\""));
        let answer = trunk.pbx.ask(trunk.pbx.invite(number));
        let phrase = "Voice connector office takes SRTP only";
        assert_eq!(status_line(&answer), (488, phrase.to_owned()));

        let invite = trunk.invite(number).build();
        trunk.pbx.send(&invite);
        let offered = trunk.carrier.receive_request(Method::Invite);
        assert!(offered.request_uri().unwrap().starts_with(&format!("sip:{asked}@")), "{}", shown(&offered));
        trunk.carrier.reply(&offered, 486, "Busy Here");
        assert_eq!(status_line(&trunk.pbx.answer_to(&invite)).0, 486);
        assert_eq!(trunk.carrier.receive().method(), Some(Method::Ack));
    }
    trunk.gateway.call_details(6);
    assert_eq!(trunk.gateway.metrics().sum("refusals_total", &[("cause", "encryption")]), 4.0);
    trunk.close();
}

/// What was agreed on is shown while the call is up, and recorded when it is over.
#[test]
fn what_the_parties_are_reached_by_is_told() {
    let trunk = Trunk::start(Net(193));
    let (mut dialog, _) = trunk.up(&trunk.invite(THEIRS).build());
    let client = |arguments: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_voice-connector"));
        command.args(arguments).current_dir(trunk.gateway.config().parent().unwrap());
        let output = command.output().unwrap();
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap()
    };
    let (suite, srtp, codec) = ("TLS_AES_256_GCM_SHA384", "AES_CM_128_HMAC_SHA1_80", "PCMU/8000");
    let listed: Value = serde_json::from_str(&client(&["calls", "gateway.toml", "--json"])).unwrap();
    let id = listed["id"].as_str().unwrap();
    let view: Value = serde_json::from_str(&client(&["call", id, "gateway.toml", "--json"])).unwrap();
    let caller = &view["caller"];
    assert_eq!((&caller["tls"], &caller["codec"]), (&format!("1.3 {suite}").into(), &codec.into()), "{view}");
    assert_eq!((&view["callee"]["tls"], &view["callee"]["codec"]), (&Value::Null, &codec.into()), "{view}");

    let bye = dialog.request(Method::Bye).header(Name::Via, trunk.pbx.via());
    let bye = bye.header(Name::MaxForwards, "70").build();
    trunk.pbx.send(&bye);
    trunk.carrier.is_hung_up();
    assert_eq!(status_line(&trunk.pbx.answer_to(&bye)).0, 200);
    let wide = eventually("the wide record", PATIENCE, || {
        lines(&trunk.gateway.records(), "voice-connector-calls").pop().ok_or_else(|| "none".to_owned())
    });
    let leg = |leg: &Value| {
        let names = ["transport", "tls_version", "tls_cipher_suite", "srtp_suite", "codec"];
        names.map(|name| leg[name].as_str().map(str::to_owned))
    };
    let some = |text: &str| Some(text.to_owned());
    assert_eq!(leg(&wide["caller_leg"]), [some("tls"), some("1.3"), some(suite), some(srtp), some(codec)]);
    assert_eq!(leg(&wide["callee_leg"]), [some("udp"), None, None, None, some(codec)]);
    assert_eq!(wide["trace_id"].as_str(), Some(&*id.replace('-', "")));
    assert!(wide["media"]["milliseconds"].as_u64().is_some_and(|open| open > 0), "{wide}");
    assert_eq!(wide["media"]["caller"]["received"]["rtp_packets"], 0);
    let table = client(&["records", "--config", "gateway.toml"]);
    assert!(table.contains(&format!("    - {codec} ")), "{table}");
    assert_eq!(
        serde_json::from_str::<Value>(&client(&["records", "--config", "gateway.toml", "--format", "wide"]))
            .unwrap(),
        wide
    );
    trunk.close();
}

/// The carrier's re-INVITE has keys of the gateway's on the PBX's side.
#[test]
fn a_route_set_that_leaves_tls_learns_no_key() {
    let trunk = Trunk::start(Net(191));
    let way = format!("<sip:{};transport=udp;lr>", trunk.plain.local);
    let (_, ack) = trunk.up(&trunk.invite(THEIRS).header(Name::RecordRoute, way).build());
    let offer =
        trunk.of_carrier(Method::Invite, &ack).body("application/sdp", SRTP.replace("/SAVP", "/AVP").into());
    let offer = offer.build();
    trunk.carrier.send(&offer);
    let asked = trunk.pbx.receive_request(Method::Invite);
    assert!(shown(&asked).contains("a=crypto"), "{}", shown(&asked));
    trunk.pbx.reply(&asked, 488, "Not Acceptable Here");
    assert_eq!(trunk.pbx.receive().method(), Some(Method::Ack));
    assert_eq!(status_line(&trunk.carrier.answer_to(&offer)).0, 488);
    let bye = trunk.of_carrier(Method::Bye, &ack).set(Name::CSeq, "2 BYE").build();
    trunk.carrier.send(&bye);
    trunk.pbx.is_hung_up();
    assert_eq!(status_line(&trunk.carrier.answer_to(&bye)).0, 200);
    assert!(!trunk.plain.has_heard());
    trunk.close();
}

#[test]
fn a_plain_offer_inside_the_call_is_refused_and_a_plain_bye_ends_it() {
    let trunk = Trunk::start(Net(192));
    let (mut dialog, _) = trunk.up(&trunk.invite(THEIRS).build());
    let mut inside = |method| {
        let request = dialog.request(method).header(Name::Via, trunk.plain.via());
        request.header(Name::MaxForwards, "70").header(Name::Contact, format!("<sip:{}>", trunk.plain.local))
    };
    for method in [Method::Invite, Method::Update, Method::Options] {
        let answer = trunk.plain.ask(inside(method).body("application/sdp", SRTP.into()));
        assert_eq!(status_line(&answer), (403, "This call takes TLS only, not udp".to_owned()));
    }
    let bye = inside(Method::Bye).build();
    trunk.plain.send(&bye);
    trunk.carrier.is_hung_up();
    assert_eq!(status_line(&trunk.plain.answer_to(&bye)).0, 200);
    assert_eq!(trunk.gateway.call_details(1)[0]["Status"], "Completed");
    trunk.close();
}
