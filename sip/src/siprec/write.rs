//! A metadata document in the form of RFC 7865 §9.

use std::borrow::Cow;

use quick_xml::escape::escape;

use super::{DataMode, Metadata, Period};

const NAMESPACE: &str = "urn:ietf:params:xml:ns:recording:1";

pub(super) fn document(metadata: &Metadata) -> String {
    let mut out = Writer::default();
    out.0.push_str("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\r\n");
    out.open("recording", &[("xmlns", NAMESPACE)]);
    out.text(
        "datamode",
        match metadata.mode {
            DataMode::Complete => "complete",
            DataMode::Partial => "partial",
        },
    );
    for group in &metadata.groups {
        out.open("group", &[("group_id", &group.id)]);
        out.period(&group.period);
        out.close("group");
    }
    for session in &metadata.sessions {
        out.open("session", &[("session_id", &session.id)]);
        session.sip_session_ids.iter().for_each(|id| out.text("sipSessionID", id));
        out.optional("group-ref", session.group.as_deref());
        out.optional("start-time", session.start.as_deref());
        out.optional("stop-time", session.stop.as_deref());
        out.close("session");
    }
    for participant in &metadata.participants {
        out.open("participant", &[("participant_id", &participant.id)]);
        for name in &participant.names {
            out.open("nameID", &[("aor", &name.aor)]);
            out.optional("name", name.name.as_deref());
            out.close("nameID");
        }
        out.close("participant");
    }
    for stream in &metadata.streams {
        let session = stream.session.as_deref().map(|id| ("session_id", id));
        let attributes: Vec<_> = [("stream_id", stream.id.as_str())].into_iter().chain(session).collect();
        out.open("stream", &attributes);
        out.optional("label", stream.label.as_deref());
        out.close("stream");
    }
    for recorded in &metadata.recorded {
        out.open("sessionrecordingassoc", &[("session_id", &recorded.session)]);
        out.period(&recorded.period);
        out.close("sessionrecordingassoc");
    }
    for one in &metadata.attendances {
        let attributes = [("participant_id", one.participant.as_str()), ("session_id", &one.session)];
        out.open("participantsessionassoc", &attributes);
        out.period(&one.period);
        out.close("participantsessionassoc");
    }
    for flow in &metadata.flows {
        out.open("participantstreamassoc", &[("participant_id", &flow.participant)]);
        flow.sends.iter().for_each(|id| out.text("send", id));
        flow.receives.iter().for_each(|id| out.text("recv", id));
        out.period(&flow.period);
        out.close("participantstreamassoc");
    }
    out.close("recording");
    out.0
}

#[derive(Default)]
struct Writer(String);

impl Writer {
    fn open(&mut self, name: &str, attributes: &[(&str, &str)]) {
        self.0.push('<');
        self.0.push_str(name);
        for (name, value) in attributes {
            for part in [" ", name, "=\"", &escape(legal(value)), "\""] {
                self.0.push_str(part);
            }
        }
        self.0.push_str(">\r\n");
    }

    fn close(&mut self, name: &str) {
        for part in ["</", name, ">\r\n"] {
            self.0.push_str(part);
        }
    }

    fn text(&mut self, name: &str, text: &str) {
        for part in ["<", name, ">", &escape(legal(text)), "</", name, ">\r\n"] {
            self.0.push_str(part);
        }
    }

    fn optional(&mut self, name: &str, text: Option<&str>) {
        if let Some(text) = text {
            self.text(name, text);
        }
    }

    fn period(&mut self, period: &Period) {
        self.optional("associate-time", period.since.as_deref());
        self.optional("disassociate-time", period.until.as_deref());
    }
}

/// Without what XML 1.0 has no way to write (§2.2), and without line ends, which would not be read as they were.
fn legal(text: &str) -> Cow<'_, str> {
    let illegal = |letter: char| letter.is_control() || matches!(letter, '\u{fffe}' | '\u{ffff}');
    match text.contains(illegal) {
        true => Cow::Owned(text.chars().filter(|letter| !illegal(*letter)).collect()),
        false => Cow::Borrowed(text),
    }
}
