//! A metadata document out of its elements, as RFC 7865 and the drafts before it name them.
//!
//! In drafts ids are plain `id` attributes, a participant names its session itself, and its streams are its children.

use super::tree::Element;
use super::{
    Attendance, DataMode, Flow, Group, MOST, Metadata, MetadataError, NameId, Participant, Period, Recorded,
    Session, Stream,
};

/// - `root`: of the document.
pub(super) fn metadata(root: &Element) -> Result<Metadata, MetadataError> {
    if root.name != "recording" {
        return Err(MetadataError::Root);
    }
    let partial = root.text_of("datamode").is_some_and(|mode| mode.eq_ignore_ascii_case("partial"));
    let mut metadata = Metadata {
        mode: if partial { DataMode::Partial } else { DataMode::Complete },
        groups: all(root, "group", group),
        sessions: all(root, "session", session),
        participants: all(root, "participant", participant),
        streams: all(root, "stream", stream),
        recorded: all(root, "sessionrecordingassoc", recorded),
        attendances: all(root, "participantsessionassoc", attendance),
        flows: all(root, "participantstreamassoc", flow),
    };
    // As drafts have it, unless the document has it as the RFC does.
    if metadata.attendances.is_empty() {
        metadata.attendances = all(root, "participant", attendance_of_draft);
    }
    if metadata.flows.is_empty() {
        metadata.flows = all(root, "participant", flow_of_draft);
    }
    Ok(metadata)
}

/// The objects of one kind.
fn all<T>(root: &Element, name: &str, read: impl Fn(&Element) -> Option<T>) -> Vec<T> {
    root.all(name).filter_map(read).take(MOST).collect()
}

fn text(element: &Element, attributes: &[&str]) -> Option<String> {
    element.attribute(attributes).filter(|value| !value.is_empty()).map(str::to_owned)
}

fn period(element: &Element) -> Period {
    Period {
        since: element.text_of("associate-time").map(str::to_owned),
        until: element.text_of("disassociate-time").map(str::to_owned),
    }
}

fn group(element: &Element) -> Option<Group> {
    Some(Group { id: text(element, &["group_id", "id"])?, period: period(element) })
}

fn session(element: &Element) -> Option<Session> {
    let time = |name| element.text_of(name).map(str::to_owned);
    Some(Session {
        id: text(element, &["session_id", "id"])?,
        sip_session_ids: element.texts_of("sipSessionID"),
        group: element.text_of("group-ref").map(str::to_owned),
        start: time("start-time").or_else(|| time("associate-time")),
        stop: time("stop-time").or_else(|| time("disassociate-time")),
    })
}

fn participant(element: &Element) -> Option<Participant> {
    let name = |element: &Element| NameId {
        aor: element.attribute(&["aor"]).unwrap_or_default().to_owned(),
        name: element.text_of("name").map(str::to_owned),
    };
    // Drafts before the tenth have the addresses as text.
    let mut names: Vec<NameId> = element.all("nameID").map(name).collect();
    let aors = element.texts_of("aor").into_iter().map(|aor| NameId { aor, name: None });
    names.extend(aors);
    names.truncate(MOST);
    Some(Participant { id: text(element, &["participant_id", "id"])?, names })
}

fn stream(element: &Element) -> Option<Stream> {
    Some(Stream {
        id: text(element, &["stream_id", "id"])?,
        session: text(element, &["session_id", "session"]),
        label: element.text_of("label").map(str::to_owned),
    })
}

fn recorded(element: &Element) -> Option<Recorded> {
    Some(Recorded { session: text(element, &["session_id"])?, period: period(element) })
}

fn attendance(element: &Element) -> Option<Attendance> {
    Some(Attendance {
        participant: text(element, &["participant_id"])?,
        session: text(element, &["session_id"])?,
        period: period(element),
    })
}

fn attendance_of_draft(element: &Element) -> Option<Attendance> {
    Some(Attendance {
        participant: text(element, &["participant_id", "id"])?,
        session: text(element, &["session_id", "session"])?,
        period: period(element),
    })
}

fn flow(element: &Element) -> Option<Flow> {
    Some(Flow { participant: text(element, &["participant_id"])?, ..streams(element) })
}

fn flow_of_draft(element: &Element) -> Option<Flow> {
    let flow = Flow { participant: text(element, &["participant_id", "id"])?, ..streams(element) };
    (!flow.sends.is_empty() || !flow.receives.is_empty()).then_some(flow)
}

fn streams(element: &Element) -> Flow {
    let ids = |name| {
        let mut ids = element.texts_of(name);
        ids.truncate(MOST);
        ids
    };
    Flow { participant: String::new(), sends: ids("send"), receives: ids("recv"), period: period(element) }
}
