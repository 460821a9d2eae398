use std::fs;
use std::path::Path;

use bytes::Bytes;
use proptest::prelude::*;

use super::*;
use crate::message::Message;

const NAMESPACE: &str = "urn:ietf:params:xml:ns:recording:1";

/// An INVITE as some client writes it.
fn shape(name: &str) -> Message {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/siprec").join(name);
    let text = fs::read_to_string(path).unwrap().replace('\n', "\r\n");
    Message::parse(Bytes::from(text)).unwrap()
}

/// Who speaks in the streams with these labels.
fn speakers(name: &str, labels: [&str; 2]) -> [String; 2] {
    let metadata = Metadata::of(&shape(name)).unwrap().unwrap();
    assert_eq!((metadata.mode, metadata.sessions.len()), (DataMode::Complete, 1), "{name}");
    assert_eq!(metadata.attendances.len(), 2, "{name}");
    assert_eq!(Metadata::parse(metadata.to_xml().as_bytes()).unwrap(), metadata, "{name}");
    labels.map(|label| metadata.speaker(label).unwrap().aor().unwrap().to_owned())
}

#[test]
fn each_clients_shape_says_who_speaks_under_which_label() {
    let shapes = fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/siprec")).unwrap();
    assert_eq!(shapes.count(), 4);
    let of = |one: &str, other: &str| [one.to_owned(), other.to_owned()];
    assert_eq!(
        speakers("rfc_7866.sip", ["96", "97"]),
        of("sip:paul@biloxi.example", "sip:bob@biloxi.example")
    );
    assert_eq!(
        speakers("old_namespace.sip", ["16777227", "16777228"]),
        of("sip:5551001@192.0.2.5", "sip:5551002@192.0.2.5")
    );
    assert_eq!(
        speakers("metadata_first.sip", ["1", "2"]),
        of("sip:+12065550100@example.com", "sip:+12065550101@example.com")
    );
    assert_eq!(
        speakers("third_part.sip", ["a_leg", "b_leg"]),
        of("sip:5551001@192.0.2.5", "sip:5551002@192.0.2.6")
    );
}

#[test]
fn the_whole_form_is_read() {
    let metadata = Metadata::of(&shape("rfc_7866.sip")).unwrap().unwrap();
    let time = Some("2026-03-01T23:41:07Z".to_owned());
    assert_eq!(
        metadata.groups,
        [Group {
            id: "7+OTCyoxTmqmqyA/1weDAg==".into(),
            period: Period { since: time.clone(), until: None }
        }]
    );
    let session = &metadata.sessions[0];
    assert_eq!(
        (session.start.clone(), session.group.as_deref()),
        (time.clone(), Some("7+OTCyoxTmqmqyA/1weDAg=="))
    );
    assert!(session.sip_session_ids[0].ends_with(";remote=47755a9de7794ba387653f2099600ef2"));
    let names: Vec<_> = metadata.participants.iter().filter_map(|one| one.names[0].name.as_deref()).collect();
    assert_eq!(names, ["Bob & Börn", "Paul <B>"]);
    assert_eq!(metadata.recorded[0].period.since, time);
    assert_eq!(metadata.flows[0].receives, ["UAAMm5GRQKSCMVvLyl4rFw=="]);
}

#[test]
fn a_body_of_metadata_alone_is_found_and_other_bodies_have_none() {
    let message = |content_type: &str, body: &str| {
        let text = format!("UPDATE sip:a@b SIP/2.0\r\nContent-Type: {content_type}\r\n\r\n{body}");
        Message::parse(Bytes::from(text)).unwrap()
    };
    let found = |content_type: &str, body: &str| metadata_in(&message(content_type, body)).map(<[u8]>::len);
    assert_eq!(found("application/rs-metadata+xml", "<recording/>"), Some(12));
    assert_eq!(found("Application / RS-Metadata;charset=utf-8", "<recording/>"), Some(12));
    assert_eq!(found("application/pidf+xml", "<recording/>"), None);
    assert_eq!(found("application/sdp", "v=0\r\n"), None);
    assert_eq!(found("multipart/mixed;boundary=b", "nothing"), None);
    let mut nested = "<recording/>".to_owned();
    let mut content_type = MEDIA_TYPE.to_owned();
    for depth in 0..5 {
        assert_eq!(found(&content_type, &nested).is_some(), depth < 4, "{depth}");
        nested = format!("--b{depth}\r\nContent-Type: {content_type}\r\n\r\n{nested}\r\n--b{depth}--\r\n");
        content_type = format!("multipart/mixed;boundary=b{depth}");
    }
    assert!(asks_for_snapshot(&message("application/rs-metadata-request", "x")));
    assert!(!asks_for_snapshot(&message("application/rs-metadata", "x")));
}

#[test]
fn what_is_written_beside_a_description_is_found_again() {
    let metadata = Metadata {
        streams: vec![Stream { id: id([7; 16]), session: None, label: Some("1".into()) }],
        ..Metadata::default()
    };
    assert_eq!(metadata.streams[0].id, "BwcHBwcHBwcHBwcHBwcHBw==");
    let (content_type, body) = with_metadata("b7", b"v=0\r\nm=audio 4 RTP/AVP 0\r\n", &metadata.to_xml());
    let head = format!("INVITE sip:a@b SIP/2.0\r\nContent-Type: {content_type}\r\n\r\n");
    let message = Message::parse(Bytes::from([head.as_bytes(), &body].concat())).unwrap();
    assert_eq!(Metadata::of(&message), Some(Ok(metadata)));
    let multipart = crate::multipart::Multipart::parse(&content_type, &body).unwrap();
    assert_eq!(multipart.parts()[0].body(), b"v=0\r\nm=audio 4 RTP/AVP 0\r\n");
}

#[test]
fn a_partial_document_changes_what_it_names() {
    let mut held = Metadata::of(&shape("rfc_7866.sip")).unwrap().unwrap();
    let bob = held.flows[0].participant.clone();
    let text = format!(
        "<recording xmlns='{NAMESPACE}'><datamode>Partial</datamode>\
         <participant participant_id='carol'><nameID aor='sip:carol@biloxi.example'/></participant>\
         <participantstreamassoc participant_id='{bob}'><disassociate-time>2026-03-02T00:00:00Z</disassociate-time>\
         <send>i1Pz3to5hGk8fuXl+PbwCw==</send></participantstreamassoc>\
         <participantstreamassoc participant_id='carol'><send>i1Pz3to5hGk8fuXl+PbwCw==</send></participantstreamassoc>\
         </recording>"
    );
    held.update(Metadata::parse(text.as_bytes()).unwrap());
    assert_eq!((held.mode, held.participants.len(), held.flows.len()), (DataMode::Complete, 3, 3));
    assert_eq!(held.speaker("97").unwrap().id, "carol");
    assert_eq!(held.speaker("96").unwrap().aor(), Some("sip:paul@biloxi.example"));
    held.update(
        Metadata::parse(b"<recording><participant participant_id='only'/><participant/></recording>")
            .unwrap(),
    );
    assert_eq!((held.participants.len(), held.streams.len()), (1, 0));
}

#[test]
fn updates_without_end_grow_nothing() {
    let mut held = Metadata::default();
    for round in 0..20 {
        let streams: String =
            (0..100).map(|number| format!("<stream stream_id='{round}/{number}'/>")).collect();
        let text = format!("<recording><datamode>partial</datamode>{streams}</recording>");
        held.update(Metadata::parse(text.as_bytes()).unwrap());
    }
    assert_eq!(held.streams.len(), MOST);
}

#[test]
fn what_could_grow_or_is_no_recording_is_refused() {
    let refused = |text: &str| Metadata::parse(text.as_bytes()).unwrap_err();
    let laughs = "<!DOCTYPE r [<!ENTITY a 'ha'><!ENTITY b '&a;&a;'>]><recording>&b;</recording>";
    assert_eq!(refused(laughs), MetadataError::DocumentType);
    let elsewhere = "<!DOCTYPE r SYSTEM 'file:///etc/passwd'><recording/>";
    assert_eq!(refused(elsewhere), MetadataError::DocumentType);
    assert_eq!(refused("<recording>&b;</recording>"), MetadataError::Entity);
    assert!(matches!(refused("<recording a='&b;'/>"), MetadataError::Malformed(_)));
    assert_eq!(refused(&format!("<recording>{}</recording>", " ".repeat(65_536))), MetadataError::TooLarge);
    assert_eq!(refused(&"<a>".repeat(17)), MetadataError::TooMany);
    assert_eq!(refused(&format!("<recording>{}</recording>", "<a/>".repeat(1_024))), MetadataError::TooMany);
    assert_eq!(refused("<rs/>"), MetadataError::Root);
    for text in [
        "",
        " ",
        "<recording>",
        "<recording></record>",
        "<recording/><recording/>",
        "<recording/>text",
        "text<recording/>",
        "<recording a='1' a='2'/>",
        "<recording a=1/>",
        "<recording>&#0;</recording>",
        "<recording>&#xD800;</recording>",
        "<recording>& </recording>",
        "</recording>",
    ] {
        assert!(matches!(refused(text), MetadataError::Malformed(_)), "{text}");
    }
    assert!(matches!(Metadata::parse(b"<recording>\xff</recording>"), Err(MetadataError::Malformed(11))));
    let bom = Metadata::parse("\u{feff}<?xml version='1.0'?><!-- x --><recording/>\r\n".as_bytes());
    assert_eq!(bom, Ok(Metadata::default()));
}

fn text() -> impl Strategy<Value = String> {
    "[!-~é漢]([ -~é漢]{0,8}[!-~é漢])?"
}

fn period() -> impl Strategy<Value = Period> {
    (prop::option::of(text()), prop::option::of(text())).prop_map(|(since, until)| Period { since, until })
}

prop_compose! {
    fn participant()(id in text(), names in prop::collection::vec((text(), prop::option::of(text())), 0..3))
        -> Participant {
        let names = names.into_iter().map(|(aor, name)| NameId { aor, name }).collect();
        Participant { id, names }
    }
}

prop_compose! {
    fn session()(
        id in text(),
        sip_session_ids in prop::collection::vec(text(), 0..3),
        group in prop::option::of(text()),
        start in prop::option::of(text()),
        stop in prop::option::of(text()),
    ) -> Session {
        Session { id, sip_session_ids, group, start, stop }
    }
}

prop_compose! {
    fn flow()(
        participant in text(),
        sends in prop::collection::vec(text(), 0..3),
        receives in prop::collection::vec(text(), 0..3),
        period in period(),
    ) -> Flow {
        Flow { participant, sends, receives, period }
    }
}

prop_compose! {
    fn metadata()(
        partial in any::<bool>(),
        groups in prop::collection::vec((text(), period()), 0..3),
        sessions in prop::collection::vec(session(), 0..3),
        participants in prop::collection::vec(participant(), 0..4),
        streams in prop::collection::vec((text(), prop::option::of(text()), prop::option::of(text())), 0..4),
        recorded in prop::collection::vec((text(), period()), 0..3),
        attendances in prop::collection::vec((text(), text(), period()), 0..3),
        flows in prop::collection::vec(flow(), 0..4),
    ) -> Metadata {
        Metadata {
            mode: if partial { DataMode::Partial } else { DataMode::Complete },
            groups: groups.into_iter().map(|(id, period)| Group { id, period }).collect(),
            sessions,
            participants,
            streams: streams.into_iter().map(|(id, session, label)| Stream { id, session, label }).collect(),
            recorded: recorded.into_iter().map(|(session, period)| Recorded { session, period }).collect(),
            attendances: attendances
                .into_iter()
                .map(|(participant, session, period)| Attendance { participant, session, period })
                .collect(),
            flows,
        }
    }
}

proptest! {
    #[test]
    fn what_is_written_is_read(metadata in metadata()) {
        prop_assert_eq!(Metadata::parse(metadata.to_xml().as_bytes()), Ok(metadata));
    }

    #[test]
    fn any_text_can_be_written(text in any::<String>()) {
        let metadata = Metadata {
            participants: vec![Participant {
                id: "1".into(),
                names: vec![NameId { aor: text.clone(), name: Some(text) }],
            }],
            ..Metadata::default()
        };
        prop_assert!(Metadata::parse(metadata.to_xml().as_bytes()).is_ok());
    }

    #[test]
    fn no_bytes_make_it_fall(bytes in prop::collection::vec(any::<u8>(), 0..256)) {
        let _ = Metadata::parse(&bytes);
    }
}
