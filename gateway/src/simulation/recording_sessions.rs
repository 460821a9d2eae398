//! A customer's session border controller sends us what the parties of its own calls say: a call with one leg and two streams,
//! which no carrier hears of.

use std::fs;
use std::path::Path;

use bytes::Bytes;
use sip::sdp::{Direction as Way, Sdp};
use sip::{Builder, Message, Method, Name};

use super::trunk::{Change, OUTSIDE, Trunk, everywhere_with, over_udp};
use super::world::PhoneId;
use crate::direction::Direction;

const ACCEPTS: Change = ("pbx", "siprec = { accept = true }");

/// A recording client's session, written by hand: what it sends is sent as it is.
struct Session {
    phone: PhoneId,
    call_id: String,
    tag: String,
    to: String,
    cseq: u32,
}

impl Session {
    fn new(trunk: &mut Trunk) -> Session {
        let phone = trunk.pbx;
        let (call_id, tag) = (trunk.phone(phone).token(), trunk.phone(phone).token());
        Session { phone, call_id, tag, to: String::new(), cseq: 0 }
    }

    fn request(&self, trunk: &mut Trunk, method: &str, uri: &str) -> Builder {
        let phone = trunk.phone(self.phone);
        let branch = phone.branch();
        Builder::request(Method::parse(method).unwrap(), uri)
            .header(Name::Via, phone.via(&branch))
            .header(Name::MaxForwards, "70")
            .header(Name::From, format!("<sip:src@pbx.example.com>;tag={}", self.tag))
            .header(Name::To, format!("<sip:recorder@vc.example.com>{}", self.to))
            .header(Name::CallId, self.call_id.as_str())
            .header(Name::CSeq, format!("{} {method}", self.cseq))
            .header(Name::Contact, format!("{};+sip.src", phone.contact()))
    }

    /// Sends `request` and gives the final response.
    fn send(&mut self, trunk: &mut Trunk, request: Builder) -> Message {
        let (before, request) = (trunk.world.ladder.len(), request.build());
        trunk.world.send(self.phone, request);
        trunk.run(0.3);
        let lines = &trunk.world.ladder[before..];
        let finals = lines.iter().filter(|line| line.from == "gw").map(|line| &line.message);
        let cseq = self.cseq;
        let mut mine = finals.filter(|message| {
            message.status().is_some_and(|status| status.is_final())
                && message.cseq().is_ok_and(|one| one.number == cseq)
        });
        // What is asked by OPTIONS is not drawn.
        let stray = || {
            trunk.world.phones[self.phone.0]
                .strays
                .last()
                .filter(|one| one.cseq().is_ok_and(|one| one.number == cseq))
        };
        let response = mine.next().or_else(stray).expect("no response").clone();
        if self.to.is_empty() && response.status().unwrap().is_success() {
            self.to = format!(";tag={}", response.to_tag().unwrap());
        }
        response
    }

    /// An INVITE, of whichever kind, acknowledged where it is accepted. Its response.
    fn invite(
        &mut self,
        trunk: &mut Trunk,
        uri: &str,
        headers: &[(&str, &str)],
        (content_type, body): (&str, &str),
    ) -> Message {
        self.cseq += 1;
        let mut invite = self.request(trunk, "INVITE", uri);
        for (name, value) in headers {
            invite = invite.raw(name, value);
        }
        let invite = match body.is_empty() {
            true => invite,
            false => invite.body(content_type, Bytes::from(body.to_owned())),
        };
        let response = self.send(trunk, invite);
        self.ack(trunk, &response, None);
        response
    }

    fn ack(&self, trunk: &mut Trunk, response: &Message, body: Option<&str>) {
        if !response.status().unwrap().is_success() {
            return;
        }
        let mut ack = self.request(trunk, "ACK", "sip:recorder@192.0.2.1:5060");
        if let Some(body) = body {
            ack = ack.body("application/sdp", Bytes::from(body.to_owned()));
        }
        trunk.world.send(self.phone, ack.build());
        trunk.run(0.3);
    }

    /// A request inside the session.
    fn ask(&mut self, trunk: &mut Trunk, method: &str, (content_type, body): (&str, &str)) -> Message {
        self.cseq += 1;
        let request = self.request(trunk, method, "sip:recorder@192.0.2.1:5060");
        let request = match body.is_empty() {
            true => request,
            false => request.body(content_type, Bytes::from(body.to_owned())),
        };
        self.send(trunk, request)
    }

    fn bye(&mut self, trunk: &mut Trunk) {
        assert_eq!(status(&self.ask(trunk, "BYE", ("", ""))), 200);
        trunk.run(1.0);
    }
}

fn status(message: &Message) -> u16 {
    message.status().unwrap().code()
}

const SIPREC: &[(&str, &str)] = &[("Require", "siprec")];
const URI: &str = "sip:recorder@vc.example.com";
const SDP: &str = "application/sdp";

/// Two streams, unlike in port, label and direction.
fn sdp(streams: &[(u16, &str, &str)]) -> String {
    let mut text = "v=0\r\no=- 1 1 IN IP4 10.0.0.1\r\ns=-\r\nc=IN IP4 10.0.0.1\r\nt=0 0\r\n".to_owned();
    for (port, label, direction) in streams {
        text += &format!("m=audio {port} RTP/AVP 0 8\r\na=label:{label}\r\na={direction}\r\n");
    }
    text
}

fn two() -> String {
    sdp(&[(4000, "1", "sendonly"), (4002, "2", "sendonly")])
}

/// What a response describes: port, label and direction of each stream.
fn described(message: &Message) -> Vec<(u16, Option<String>, Way)> {
    let sdp = Sdp::parse(message.body()).unwrap();
    let text = String::from_utf8(message.body().to_vec()).unwrap();
    assert!(text.contains("c=IN IP4 192.0.2.1") && !text.contains("10.0.0."), "{text}");
    let stream =
        |one: &sip::sdp::Stream| (one.port, one.label.as_ref().map(ToString::to_string), one.direction);
    sdp.streams().iter().map(stream).collect()
}

fn nobody_else_hears_of_it(trunk: &Trunk) {
    for phone in [trunk.branch, trunk.east, trunk.west] {
        assert_eq!(trunk.received(phone), 0);
    }
}

/// INVITEs as Oracle, BroadWorks, Cisco and the RFC write them.
#[test]
fn each_clients_session_is_taken_stream_by_stream() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../sip/tests/siprec");
    for (name, labels, parties) in [
        ("rfc_7866.sip", ["96", "97"], ["paul", "bob"]),
        ("old_namespace.sip", ["16777227", "16777228"], ["5551001", "5551002"]),
        ("metadata_first.sip", ["1", "2"], ["+12065550100", "+12065550101"]),
        ("third_part.sip", ["a_leg", "b_leg"], ["5551001", "5551002"]),
    ] {
        let text = fs::read_to_string(folder.join(name)).unwrap().replace('\n', "\r\n");
        let shape = Message::parse(Bytes::from(text.replace("192.0.2.5", "10.0.0.1"))).unwrap();
        let content_type = shape.value(Name::ContentType).unwrap().into_owned();
        let body = String::from_utf8(shape.body().to_vec()).unwrap();
        everywhere_with(&[ACCEPTS], |trunk| {
            let mut session = Session::new(trunk);
            let answer = session.invite(trunk, URI, SIPREC, (&content_type, &body));
            assert_eq!(status(&answer), 200, "{name}");
            assert!(Trunk::header(&answer, "Contact").contains("+sip.srs"), "{name}");
            let streams = described(&answer);
            let told: Vec<_> =
                streams.iter().map(|(_, label, way)| (label.as_deref().unwrap(), *way)).collect();
            assert_eq!(told, labels.map(|label| (label, Way::RecvOnly)), "{name}");
            assert!(streams[0].0 != 0 && streams[1].0 != 0 && streams[0].0 != streams[1].0);
            for (stream, port) in streams.iter().zip([40_000, 40_002]) {
                let remote = trunk.world.told_of(stream.0).unwrap();
                assert!(remote.ends_here && !remote.on_hold && remote.rtp.unwrap().port() == port);
            }
            nobody_else_hears_of_it(trunk);
            session.bye(trunk);
            let record = trunk.cdr("pbx", Direction::Outbound);
            assert!(record.streaming && record.answered_at.is_some(), "{record:?}");
            assert_eq!([&record.source.number, &record.destination.number], parties, "{name}");
            assert_eq!(record.status_message, "OK");
        });
    }
}

#[test]
fn a_connector_that_takes_no_recordings_refuses_them_and_places_no_call() {
    everywhere_with(&[], |trunk| {
        let mut session = Session::new(trunk);
        let refused = session.invite(trunk, URI, SIPREC, (SDP, &two()));
        assert_eq!((status(&refused), &*Trunk::header(&refused, "Unsupported")), (420, "siprec"));
        let dialled = format!("sip:{OUTSIDE}@vc.example.com");
        let only = &[("X-Voice-Connector-Record-Only", "true")];
        let refused = Session::new(trunk).invite(trunk, &dialled, only, (SDP, &two()));
        assert_eq!(status(&refused), 403);
        let by_uri = format!("{dialled};X-Voice-Connector-Record-Only=true");
        let refused = Session::new(trunk).invite(trunk, &by_uri, &[], (SDP, &two()));
        assert_eq!(status(&refused), 403);
        nobody_else_hears_of_it(trunk);
    });
}

/// As a Cisco CUBE forks it: no metadata, and whatever the extension is.
#[test]
fn network_based_recording_needs_no_number_and_no_metadata() {
    let only = ("X-Voice-Connector-Record-Only", "true");
    for (uri, headers) in [
        ("sip:5551@vc.example.com", &[only][..]),
        (&*format!("sip:{OUTSIDE}@vc.example.com"), &[only]),
        ("sip:12345678901@192.0.2.1;x-voice-connector-record-only=true", &[]),
        ("sip:vc.example.com", &[("x-voice-connector-record-only", " TRUE ")]),
    ] {
        everywhere_with(&[ACCEPTS], |trunk| {
            let mut session = Session::new(trunk);
            let answer = session.invite(trunk, uri, headers, (SDP, &two()));
            assert_eq!(status(&answer), 200, "{uri}");
            assert_eq!(described(&answer).len(), 2);
            nobody_else_hears_of_it(trunk);
            session.bye(trunk);
            assert_eq!(trunk.cdr("pbx", Direction::Outbound).source.number, "src");
        });
    }
    // Said of anything else it means nothing, and a call for help is one.
    over_udp(&[ACCEPTS], |trunk| {
        let a = trunk.dial_with(trunk.pbx, OUTSIDE, &[("X-Voice-Connector-Record-Only", "false")]);
        let b = trunk.dial_with(trunk.pbx, "911", &[only]);
        trunk.run(0.5);
        assert_eq!(trunk.received(trunk.east), 2);
        [a, b].into_iter().for_each(|call| trunk.cancel(call));
        trunk.run(1.0);
    });
}

#[test]
fn streams_pause_come_and_go_by_reinvite_and_update() {
    everywhere_with(&[ACCEPTS], |trunk| {
        let mut session = Session::new(trunk);
        let first = described(&session.invite(trunk, URI, SIPREC, (SDP, &sdp(&[(4000, "1", "sendonly")]))));
        assert_eq!(first.len(), 1);
        assert!(trunk.world.told_of(first[0].0 + 2).unwrap().on_hold);
        // The callee's stream comes.
        let both = described(&session.invite(trunk, URI, SIPREC, (SDP, &two())));
        assert_eq!((both[0].0, both.len()), (first[0].0, 2));
        assert!(!trunk.world.told_of(both[1].0).unwrap().on_hold);
        // The caller is held.
        let held = sdp(&[(4000, "1", "inactive"), (4002, "2", "sendonly")]);
        let answer = session.ask(trunk, "UPDATE", (SDP, &held));
        assert_eq!((status(&answer), described(&answer)[0].2), (200, Way::Inactive));
        assert!(trunk.world.told_of(both[0].0).unwrap().on_hold);
        // The caller's stream goes, and the callee's keeps its place.
        let gone = sdp(&[(0, "1", "inactive"), (4002, "2", "sendonly")]);
        let answer = described(&session.invite(trunk, URI, SIPREC, (SDP, &gone)));
        assert_eq!((answer[0].0, answer[1].0), (0, both[1].0));
        assert_eq!(trunk.world.told_of(both[1].0).unwrap().rtp.unwrap().port(), 4002);
        // What can't be taken changes nothing.
        let none = sdp(&[(0, "1", "sendonly"), (0, "2", "sendonly")]);
        assert_eq!(status(&session.invite(trunk, URI, SIPREC, (SDP, &none))), 488);
        assert_eq!(status(&session.ask(trunk, "UPDATE", (SDP, "nonsense"))), 400);
        assert_eq!(trunk.world.told_of(both[1].0).unwrap().rtp.unwrap().port(), 4002);
        // Metadata alone, and what is none.
        for xml in ["<recording><datamode>partial</datamode></recording>", "<!DOCTYPE a []>"] {
            let answer = session.ask(trunk, "UPDATE", ("application/rs-metadata+xml", xml));
            assert_eq!((status(&answer), answer.body().len()), (200, 0));
        }
        for (method, expect) in [("OPTIONS", 200), ("INFO", 405), ("REFER", 405), ("PRACK", 405)] {
            assert_eq!(status(&session.ask(trunk, method, ("", ""))), expect, "{method}");
        }
        // Without an offer ours is what holds, and the ACK answers it.
        session.cseq += 1;
        let invite = session.request(trunk, "INVITE", "sip:recorder@192.0.2.1:5060");
        let answer = session.send(trunk, invite);
        assert_eq!(described(&answer)[1].0, both[1].0);
        session.ack(trunk, &answer, Some(&gone));
        session.bye(trunk);
        nobody_else_hears_of_it(trunk);
    });
}

#[test]
fn odd_offers_and_broken_metadata_are_borne_as_far_as_something_can_be_recorded() {
    let part = |xml: &str| {
        let description = two();
        sip::siprec::with_metadata("b", description.as_bytes(), xml)
    };
    let bomb = "<!DOCTYPE r [<!ENTITY a 'aaaaaaaa'>]><recording>&a;</recording>";
    for xml in [bomb, "<recording", "", "no XML", &"<a>".repeat(100)] {
        over_udp(&[ACCEPTS], |trunk| {
            let mut session = Session::new(trunk);
            let (content_type, body) = part(xml);
            let body = String::from_utf8(body).unwrap();
            let answer = session.invite(trunk, URI, SIPREC, (&content_type, &body));
            assert_eq!((status(&answer), described(&answer).len()), (200, 2), "{xml}");
            session.bye(trunk);
        });
    }
    let video = "m=video 4004 RTP/AVP 96\r\na=rtpmap:96 VP8/90000\r\n";
    let three = sdp(&[(4000, "1", "sendonly"), (4002, "2", "sendrecv"), (4006, "3", "sendonly")]);
    for (name, offer, expect) in [
        ("three", three.clone(), &[true, true, false][..]),
        ("video", format!("{}{video}", two()), &[true, true, false]),
        ("secret", two().replacen("RTP/AVP", "RTP/SAVP", 1), &[false, true]),
        ("unspoken", two().replacen("0 8", "97", 1), &[false, true]),
    ] {
        over_udp(&[ACCEPTS, ("pbx_peer", "codecs = [\"PCMU\", \"PCMA\"]\nsrtp = \"off\"")], |trunk| {
            let mut session = Session::new(trunk);
            let answer = session.invite(trunk, URI, SIPREC, (SDP, &offer));
            let taken: Vec<bool> = described(&answer).iter().map(|stream| stream.0 != 0).collect();
            assert_eq!(taken, expect, "{name}");
            session.bye(trunk);
        });
    }
    for (body, expect) in [("", 488), (video, 400), (&*sdp(&[(0, "1", "sendonly")]), 488)] {
        over_udp(&[ACCEPTS], |trunk| {
            let refused = Session::new(trunk).invite(trunk, URI, SIPREC, (SDP, body));
            assert_eq!(status(&refused), expect, "{body}");
            assert!(trunk.cdr("pbx", Direction::Outbound).answered_at.is_none());
        });
    }
    over_udp(&[ACCEPTS], |trunk| {
        let refused = Session::new(trunk).invite(trunk, URI, &[("Require", "siprec, x-odd")], (SDP, &two()));
        assert_eq!((status(&refused), &*Trunk::header(&refused, "Unsupported")), (420, "x-odd"));
    });
}

#[test]
fn limits_and_credentials_hold_as_for_any_call() {
    over_udp(&[ACCEPTS, ("pbx_termination", "max_calls = 1")], |trunk| {
        let mut session = Session::new(trunk);
        assert_eq!(status(&session.invite(trunk, URI, SIPREC, (SDP, &two()))), 200);
        assert_eq!(status(&Session::new(trunk).invite(trunk, URI, SIPREC, (SDP, &two()))), 503);
        session.bye(trunk);
    });
    let login = "credentials = [{ username = \"u\", password = \"p\" }]";
    over_udp(&[ACCEPTS, ("pbx_termination", login)], |trunk| {
        assert_eq!(status(&Session::new(trunk).invite(trunk, URI, SIPREC, (SDP, &two()))), 407);
    });
}

#[test]
fn each_stream_has_keys_of_its_own() {
    let suite = "AES_CM_128_HMAC_SHA1_80";
    let key = |letter: &str| format!("a=crypto:1 {suite} inline:{}\r\n", letter.repeat(40));
    let offer = |keys: [&str; 2]| {
        let text = two().replace("RTP/AVP", "RTP/SAVP");
        let text = text.replacen("a=label:1\r\n", &format!("a=label:1\r\n{}", key(keys[0])), 1);
        text.replacen("a=label:2\r\n", &format!("a=label:2\r\n{}", key(keys[1])), 1)
    };
    over_udp(&[ACCEPTS, ("pbx_peer", "srtp = \"required\"")], |trunk| {
        assert_eq!(status(&Session::new(trunk).invite(trunk, URI, SIPREC, (SDP, &two()))), 488);
        let mut session = Session::new(trunk);
        let answer = session.invite(trunk, URI, SIPREC, (SDP, &offer(["A", "B"])));
        let described = Sdp::parse(answer.body()).unwrap();
        let [first, second] = described.streams() else { panic!("two streams") };
        assert!(first.is_srtp() && second.is_srtp());
        assert_ne!(first.cryptos()[0].keys[0].key_and_salt, second.cryptos()[0].keys[0].key_and_salt);
        for stream in [first, second] {
            assert!(trunk.world.told_of(stream.port).unwrap().srtp.is_some());
        }
        let again = session.invite(trunk, URI, SIPREC, (SDP, &offer(["A", "C"])));
        let again = Sdp::parse(again.body()).unwrap();
        assert_eq!(again.streams()[0].crypto, first.crypto);
        session.bye(trunk);
    });
}

/// A recorder whose clients are gone must not wait for them.
#[test]
fn a_session_ends_with_its_time_its_ack_or_the_operator() {
    let timer = &[("Require", "siprec"), ("Supported", "timer"), ("Session-Expires", "90;refresher=uac")];
    over_udp(&[ACCEPTS], |trunk| {
        let answer = Session::new(trunk).invite(trunk, URI, timer, (SDP, &two()));
        assert_eq!(Trunk::header(&answer, "Session-Expires"), "90;refresher=uac");
        trunk.run(100.0);
        assert!(trunk.cdr("pbx", Direction::Outbound).status_message.contains("Session timer expired"));
    });
    over_udp(&[ACCEPTS, ("max_duration", "1m")], |trunk| {
        Session::new(trunk).invite(trunk, URI, SIPREC, (SDP, &two()));
        trunk.run(70.0);
        assert!(trunk.cdr("pbx", Direction::Outbound).status_message.contains("Maximum call duration"));
    });
    over_udp(&[ACCEPTS], |trunk| {
        let mut session = Session::new(trunk);
        session.cseq += 1;
        let invite = session.request(trunk, "INVITE", URI).header(Name::Require, "siprec");
        let answer = session.send(trunk, invite.body(SDP, Bytes::from(two())));
        assert_eq!(status(&answer), 200);
        trunk.run(40.0);
        assert!(!trunk.world.cdrs.is_empty());
    });
}

/// What a session brings is recorded like a call.
#[test]
fn a_session_goes_where_the_connectors_calls_go() {
    let records = ("pbx", "siprec = { accept = true }\nrecording = { calls = \"all\" }");
    over_udp(&[records], |trunk| {
        let mut session = Session::new(trunk);
        assert_eq!(status(&session.invite(trunk, URI, SIPREC, (SDP, &two()))), 200);
        let [listen] = &trunk.world.listened[..] else { panic!("{:?}", trunk.world.listened) };
        assert_eq!(listen.recorded, [("pbx".into(), 8000)]);
        session.bye(trunk);
    });
}
