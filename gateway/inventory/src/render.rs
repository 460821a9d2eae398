//! A stored object as the table that a file would have for it, so that the files' validator reads it and nothing else does.

use std::fmt::Write;

use config::Fragment;
use zeroize::Zeroizing;

use crate::Error;
use crate::object::{Connector, DnisEmergency, Group, Login, OriginationRoute, RouteProtocol, Termination};
use crate::seal::Seal;
use crate::store::StoreError;

/// What a login's hashes are sealed for: they open for no other login.
pub(crate) fn login_seal(connector: &str, login: &Login) -> String {
    login_seal_of(connector, &login.realm, &login.username)
}

pub(crate) fn login_seal_of(connector: &str, realm: &str, username: &str) -> String {
    format!("login\0{connector}\0{realm}\0{username}")
}

/// The connector, checked.
///
/// # Errors
/// What the files' validator has to say about it.
pub(crate) fn connector(connector: &Connector, seal: &Seal) -> Result<Fragment, Error> {
    let mut text = Zeroizing::new(String::new());
    let out = &mut *text;
    line(out, format_args!("[[voice_connector]]"));
    line(out, format_args!("id = {}", Quoted(&connector.id)));
    line(out, format_args!("name = {}", Quoted(&connector.name)));
    line(out, format_args!("encryption = {}", connector.require_encryption));
    if let Some(termination) = &connector.termination {
        write_termination(out, termination);
        write_credentials(out, connector, seal)?;
    }
    if let Some(origination) = &connector.origination {
        line(out, format_args!("[voice_connector.origination]"));
        line(out, format_args!("enabled = {}", !origination.disabled));
        for route in &origination.routes {
            write_route(out, route, connector.require_encryption);
        }
    }
    connector.emergency.iter().flatten().for_each(|entry| write_emergency(out, entry));
    line(out, format_args!("[voice_connector.logging]"));
    line(out, format_args!("sip_messages = {}", connector.logging.sip_logs));
    line(out, format_args!("media_metrics = {}", connector.logging.media_metric_logs));
    checked(out, "the voice connector")
}

/// The group, checked; `None`: it has no members, and takes no part in calls.
///
/// # Errors
/// What the files' validator has to say about it.
pub(crate) fn group(group: &Group) -> Result<Option<Fragment>, Error> {
    if group.items.is_empty() {
        return Ok(None);
    }
    let mut text = String::new();
    line(&mut text, format_args!("[[voice_connector_group]]"));
    line(&mut text, format_args!("id = {}", Quoted(&group.id)));
    line(&mut text, format_args!("name = {}", Quoted(&group.name)));
    let members: Vec<String> = group
        .items
        .iter()
        .map(|item| {
            format!("{{ voice_connector = {}, priority = {} }}", Quoted(&item.connector), item.priority)
        })
        .collect();
    line(&mut text, format_args!("members = [{}]", members.join(", ")));
    checked(&text, "the voice connector group").map(Some)
}

fn checked(text: &str, name: &str) -> Result<Fragment, Error> {
    Fragment::parse(text, name).map_err(|errors| {
        let sentences = errors.iter().map(|error| format!("{}; {}", error.problem, error.remedy));
        Error::BadRequest(sentences.collect::<Vec<_>>().join("\n"))
    })
}

fn write_termination(out: &mut String, termination: &Termination) {
    line(out, format_args!("[voice_connector.termination]"));
    line(out, format_args!("enabled = {}", !termination.disabled));
    line(out, format_args!("allowlist = {}", List(&termination.cidr_allowed_list)));
    line(out, format_args!("calling_plan = {}", List(&termination.calling_regions)));
    line(out, format_args!("cps_limit = {}", termination.cps_limit.unwrap_or(DEFAULT_CPS)));
    if let Some(number) = &termination.default_phone_number {
        line(out, format_args!("caller_id = {}", Quoted(number)));
    }
}

/// `CpsLimit` where none is given.
pub(crate) const DEFAULT_CPS: u32 = 1;

fn write_credentials(out: &mut String, connector: &Connector, seal: &Seal) -> Result<(), Error> {
    if connector.credentials.is_empty() {
        return Ok(());
    }
    let _ = write!(out, "credentials = [");
    for login in &connector.credentials {
        let opened = seal.open(&login_seal(&connector.id, login), &login.hashes);
        let hashes = opened.map_err(|_| StoreError::OtherKey)?;
        // 32 digits of MD5, then 64 of SHA-256.
        for hash in hashes.split_at_checked(32).map(|(md5, sha256)| [md5, sha256]).into_iter().flatten() {
            let hash = std::str::from_utf8(hash).unwrap_or_default();
            let _ = write!(out, "{{ username = {}, ha1 = {} }}, ", Quoted(&login.username), Quoted(hash));
        }
    }
    line(out, format_args!("]"));
    Ok(())
}

fn write_route(out: &mut String, route: &OriginationRoute, encrypted: bool) {
    line(out, format_args!("[[voice_connector.origination.route]]"));
    line(out, format_args!("host = {}", Quoted(&route.host)));
    let (protocol, port) = match (encrypted, route.protocol) {
        (true, _) => ("tls", 5061),
        (false, Some(RouteProtocol::Tcp)) => ("tcp", 5060),
        (false, Some(RouteProtocol::Udp) | None) => ("udp", 5060),
    };
    line(out, format_args!("port = {}", route.port.unwrap_or(port)));
    line(out, format_args!("protocol = {}", Quoted(protocol)));
    if let Some(priority) = route.priority {
        line(out, format_args!("priority = {priority}"));
    }
    if let Some(weight) = route.weight {
        line(out, format_args!("weight = {weight}"));
    }
}

/// What is dialled for help in a country: 911 where North America's numbering plan holds, elsewhere the number that every mobile
/// phone takes for it (3GPP TS 22.101 §10.1).
fn emergency_digits(country: &str) -> &'static str {
    match country {
        "US" | "CA" | "PR" | "VI" | "GU" | "AS" | "MP" => "911",
        _ => "112",
    }
}

fn write_emergency(out: &mut String, entry: &DnisEmergency) {
    line(out, format_args!("[[voice_connector.emergency]]"));
    line(out, format_args!("country = {}", Quoted(&entry.calling_country)));
    line(out, format_args!("digits = [{}]", Quoted(emergency_digits(&entry.calling_country))));
    line(out, format_args!("routing_number = {}", Quoted(&entry.emergency_phone_number)));
    if let Some(number) = &entry.test_phone_number {
        line(out, format_args!("test_digits = [\"933\"]"));
        line(out, format_args!("test_routing_number = {}", Quoted(number)));
    }
}

fn line(out: &mut String, text: std::fmt::Arguments<'_>) {
    // A `String` takes all that is written to it.
    let _ = out.write_fmt(text);
    out.push('\n');
}

/// A text as TOML's basic string.
struct Quoted<'a>(&'a str);

impl std::fmt::Display for Quoted<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_char('"')?;
        for c in self.0.chars() {
            match c {
                '"' | '\\' => write!(f, "\\{c}")?,
                c if c.is_control() => write!(f, "\\u{:04X}", u32::from(c))?,
                c => f.write_char(c)?,
            }
        }
        f.write_char('"')
    }
}

/// Texts as TOML's array.
struct List<'a>(&'a [String]);

impl std::fmt::Display for List<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_char('[')?;
        for text in self.0 {
            write!(f, "{}, ", Quoted(text))?;
        }
        f.write_char(']')
    }
}
