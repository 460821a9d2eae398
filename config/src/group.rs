//! The tables `[[voice_connector_group]]`.

use crate::{ConnectorId, GroupId, Priority};

use crate::check::Kind;
use crate::read::Table;

/// `[[voice_connector_group]]`: inbound calls fail over across its members.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VoiceConnectorGroup {
    /// Unique.
    pub id: GroupId,
    /// For people. Default: the id.
    pub name: String,
    /// By priority, then in the file's order; not empty, no connector twice.
    pub members: Vec<Member>,
}

/// One connector of a group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// A connector of this configuration.
    pub voice_connector: ConnectorId,
    /// Default: 1.
    pub priority: Priority,
}

impl VoiceConnectorGroup {
    pub(crate) fn read(table: &Table<'_>) -> Option<Self> {
        let item = table.required("id", "id = \"...\"")?;
        let id = item.name_text()?;
        table.reader().fact(|facts| facts.name(Kind::Group, id, item.at()));
        let list = "members = [{ voice_connector = \"...\", priority = 1 }]";
        let members = table.required("members", list);
        let tables = members.as_ref().map(|item| item.tables("member")).unwrap_or_default();
        if let Some(item) = &members
            && item.list().is_some_and(|list| list.is_empty())
        {
            item.wrong("`members` is empty", "[{ voice_connector = \"...\", priority = 1 }]");
        }
        let mut members: Vec<Member> = Vec::new();
        for table in &tables {
            let Some(member) = Member::read(table) else { continue };
            if members.iter().any(|other| other.voice_connector == member.voice_connector) {
                let problem = format!("{} is a member of {id} already", member.voice_connector);
                table.reader().error(table.at(), problem, "remove one of the two");
            }
            members.push(member);
        }
        members.sort_by_key(|member| member.priority);
        let name = table.get("name").and_then(|item| item.name_text()).unwrap_or(id).to_owned();
        Some(Self { id: id.into(), name, members })
    }
}

impl Member {
    fn read(table: &Table<'_>) -> Option<Self> {
        let item = table.required("voice_connector", "voice_connector = \"...\" with the id of one")?;
        let id = item.string()?;
        table.reader().fact(|facts| facts.refer(Kind::Connector, id, item.at()));
        Some(Self { voice_connector: id.into(), priority: Priority::read(table) })
    }
}
