//! What a REGISTER asks for.

use std::fmt;

use crate::grammar::number;
use crate::{HeaderError, Message, Name, NameAddr, SipUri, StatusCode, Uri};

/// What a REGISTER asks for, read and bounded.
///
/// Source: RFC 3261 §10.3, with RFC 3327 (Path), RFC 5626 (flows that are named) and RFC 6140 (bulk registration).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asked {
    /// Call-ID: registrations under one are in order by their CSeq.
    pub call_id: String,
    /// CSeq.
    pub cseq: u32,
    /// What is to become of the bindings.
    pub change: Change,
    /// The values of Path, the one that is nearest to the registrar first. RFC 3327.
    pub path: Vec<String>,
}

/// What is to become of the bindings of an address of record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// Nothing: what is there is asked for.
    Fetch,
    /// All go: `Contact: *` with `Expires: 0`.
    RemoveAll,
    /// The bindings that come, go on, or go. Not empty.
    Contacts(Vec<Contact>),
}

/// A Contact of a REGISTER.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Contact {
    /// Where requests go, as it was written.
    pub uri: SipUri,
    /// Seconds that are asked for; 0 removes it; `None`: the registrar chooses.
    pub expires: Option<u32>,
    /// `q`, in thousandths: who of several is tried first. RFC 3261 §20.10.
    pub q: u16,
    /// `+sip.instance`, which is the same device whatever its address, and `reg-id`, which is one of its flows.
    /// RFC 5626 §4.1.
    pub instance: Option<String>,
    /// See `instance`; none without it.
    pub reg_id: Option<u32>,
    /// `bnc`: each number of the address of record is at this host, under its own name. RFC 6140 §5.1.
    pub bulk: bool,
}

/// Why a REGISTER can't be carried out.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RegisterFault {
    /// A header can't be read.
    #[error("{0}")]
    Header(#[from] HeaderError),
    /// `Contact: *` beside another Contact, or without `Expires: 0`.
    #[error("Contact: * goes alone and with Expires: 0")]
    Everything,
    /// Not a `sip:` or `sips:` URI.
    #[error("a Contact is no SIP URI")]
    Scheme,
    /// `bnc` and a user part. RFC 6140 §5.2.
    #[error("a bnc Contact has no user part")]
    BulkUser,
    /// So much is not kept of anybody.
    #[error("the {0} of a Contact is too long")]
    TooLong(&'static str),
    /// More Contacts or Path values than anybody has.
    #[error("too many {0}")]
    TooMany(&'static str),
}

impl RegisterFault {
    /// The response that says it.
    pub fn status(&self) -> StatusCode {
        StatusCode::BAD_REQUEST
    }
}

/// Contacts of one REGISTER.
const MOST_CONTACTS: usize = 16;
/// Values of Path.
const MOST_PATHS: usize = 8;
/// Bytes of a URI, of an instance, of a value of Path.
const LONGEST: usize = 512;

impl Asked {
    /// Reads a REGISTER that [`Message::check`] has passed.
    ///
    /// An `Expires` or `expires` that is no number counts as not said, as RFC 3261 §20.19 and §10.2.1.1 have it.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn read(message: &Message) -> Result<Asked, RegisterFault> {
        let cseq = message.cseq()?.number;
        let call_id = message.call_id()?.to_owned();
        let path = paths(message)?;
        let expires = message.value(Name::Expires).and_then(|text| seconds(&text));
        let values: Vec<_> = message.values(Name::Contact).take(MOST_CONTACTS + 1).collect();
        let change = match values.as_slice() {
            [] => Change::Fetch,
            [only] if only == "*" && expires == Some(0) => Change::RemoveAll,
            several if several.iter().any(|one| one == "*") => return Err(RegisterFault::Everything),
            several if several.len() > MOST_CONTACTS => return Err(RegisterFault::TooMany("Contacts")),
            _ => {
                let read = |address: Result<NameAddr, HeaderError>| Contact::read(&address?, expires);
                Change::Contacts(message.contacts().map(read).collect::<Result<_, _>>()?)
            }
        };
        Ok(Asked { call_id, cseq, change, path })
    }
}

impl Contact {
    fn read(address: &NameAddr, expires: Option<u32>) -> Result<Contact, RegisterFault> {
        let Uri::Sip(uri) = &address.uri else { return Err(RegisterFault::Scheme) };
        let bulk = uri.has_param("bnc");
        if bulk && uri.user.is_some() {
            return Err(RegisterFault::BulkUser);
        }
        let instance = address.param("+sip.instance").map(|text| text.into_owned());
        if instance.as_ref().is_some_and(|text| text.len() > LONGEST) {
            return Err(RegisterFault::TooLong("+sip.instance"));
        }
        if uri.to_string().len() > LONGEST {
            return Err(RegisterFault::TooLong("URI"));
        }
        let reg_id = address.params.value("reg-id").and_then(number).filter(|id| *id > 0);
        Ok(Contact {
            uri: uri.clone(),
            expires: address.params.value("expires").and_then(seconds).or(expires),
            q: address.params.value("q").map_or(1000, thousandths),
            reg_id: reg_id.filter(|_| instance.is_some()),
            instance,
            bulk,
        })
    }

    /// Whether it is the same binding as `other`: the same flow of the same device, or else the same URI. RFC 3261
    /// §10.3, RFC 5626 §6.
    pub(super) fn is_same(&self, other: &Contact) -> bool {
        match (&self.instance, self.reg_id, &other.instance, other.reg_id) {
            (Some(instance), Some(id), Some(other), Some(other_id)) => instance == other && id == other_id,
            // A device that names itself and no flow has one: it moved.
            (Some(instance), None, Some(other), None) => instance == other,
            _ => is_same_uri(&self.uri, &other.uri),
        }
    }

    /// Where a request for `number` goes: a bulk Contact under the number, any other as it was registered. RFC 6140 §5.2,
    /// RFC 3261 §16.5.
    pub fn target(&self, number: &str) -> SipUri {
        let mut uri = SipUri { headers: None, ..self.uri.clone() };
        if self.bulk {
            uri.params.remove("bnc");
            uri.user = Some(number.into());
        }
        uri
    }
}

/// The value of a Contact header of the response, without its `expires`.
impl fmt::Display for Contact {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "<{}>", self.uri)?;
        if self.q < 1000 {
            write!(f, ";q=0.{:03}", self.q)?;
        }
        if let Some(instance) = &self.instance {
            write!(f, ";+sip.instance={}", crate::grammar::quote(instance))?;
        }
        if let Some(id) = self.reg_id {
            write!(f, ";reg-id={id}")?;
        }
        Ok(())
    }
}

fn paths(message: &Message) -> Result<Vec<String>, RegisterFault> {
    let mut paths = Vec::new();
    for value in message.addresses(Name::Path) {
        let value = value?.to_string();
        if value.len() > LONGEST {
            return Err(RegisterFault::TooLong("Path"));
        }
        if paths.len() == MOST_PATHS {
            return Err(RegisterFault::TooMany("values of Path"));
        }
        paths.push(value);
    }
    Ok(paths)
}

/// `delta-seconds`; what is above 2^32-1 is as good as that (RFC 3261 §20.19).
pub(super) fn seconds(text: &str) -> Option<u32> {
    let text = text.trim();
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    digits.then(|| text.parse().unwrap_or(u32::MAX))
}

/// `qvalue` (RFC 3261 §25.1); what is none is the highest.
fn thousandths(text: &str) -> u16 {
    let (whole, part) = text.split_once('.').unwrap_or((text, ""));
    let digits = part.len() <= 3 && part.bytes().all(|byte| byte.is_ascii_digit());
    match (whole, digits) {
        ("0", true) => format!("{part:0<3}").parse().unwrap_or(1000),
        _ => 1000,
    }
}

/// RFC 3261 §19.1.4, but for escapes.
fn is_same_uri(one: &SipUri, other: &SipUri) -> bool {
    /// Parameters that count as different where one URI has them and the other has not.
    const TELLING: [&str; 6] = ["user", "ttl", "method", "maddr", "transport", "bnc"];
    let param = |uri: &SipUri, name: &str| {
        uri.params.get(name).map(|value| value.unwrap_or_default().to_ascii_lowercase())
    };
    let both = |name: &str| match (param(one, name), param(other, name)) {
        (Some(one), Some(other)) => one == other,
        (None, None) => true,
        _ => !TELLING.iter().any(|telling| telling.eq_ignore_ascii_case(name)),
    };
    one.secure == other.secure
        && one.user == other.user
        && one.password == other.password
        && one.host.to_string().eq_ignore_ascii_case(&other.host.to_string())
        && one.port == other.port
        && one.params.iter().chain(other.params.iter()).all(|param| both(param.name))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Builder;
    use crate::Method;

    fn read(headers: &[(&str, &str)]) -> Result<Asked, RegisterFault> {
        let mut builder = Builder::request(Method::Register, "sip:example.com")
            .header(Name::CallId, "c")
            .header(Name::CSeq, "7 REGISTER");
        for (name, value) in headers {
            builder = builder.raw(name, value);
        }
        Asked::read(&builder.build())
    }

    fn contacts(value: &str) -> Vec<Contact> {
        match read(&[("Contact", value), ("Expires", "600")]).unwrap().change {
            Change::Contacts(contacts) => contacts,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn what_is_asked_for() {
        assert_eq!(read(&[]).unwrap().change, Change::Fetch);
        assert_eq!(read(&[("Contact", "*"), ("Expires", "0")]).unwrap().change, Change::RemoveAll);
        let asked = read(&[("Path", "<sip:p1;lr>, <sip:p2;lr>"), ("Contact", "<sip:a@b>")]).unwrap();
        assert_eq!((asked.call_id.as_str(), asked.cseq), ("c", 7));
        assert_eq!(asked.path, ["<sip:p1;lr>", "<sip:p2;lr>"]);
        let Change::Contacts(plain) = asked.change else { panic!() };
        assert_eq!((plain[0].expires, plain[0].q, plain[0].bulk), (None, 1000, false));
        for (value, expires) in [
            ("<sip:a@b>;expires=30", Some(30)),
            ("<sip:a@b>", Some(600)),
            ("<sip:a@b>;expires=soon", Some(600)),
            ("<sip:a@b>;expires=99999999999", Some(u32::MAX)),
        ] {
            assert_eq!(contacts(value)[0].expires, expires, "{value}");
        }
        for (q, expect) in [("0", 0), ("0.5", 500), ("0.25", 250), ("1.0", 1000), ("2", 1000), ("x", 1000)] {
            assert_eq!(contacts(&format!("<sip:a@b>;q={q}"))[0].q, expect, "{q}");
        }
    }

    #[test]
    fn what_cannot_be_carried_out() {
        let long = format!("<sip:{}@b>", "a".repeat(600));
        let many = vec!["<sip:a@b>"; 17].join(",");
        for (headers, fault) in [
            (&[("Contact", "*")][..], "Contact: * goes alone and with Expires: 0"),
            (&[("Contact", "*"), ("Expires", "60")], "Contact: * goes alone and with Expires: 0"),
            (&[("Contact", "*, <sip:a@b>"), ("Expires", "0")], "Contact: * goes alone and with Expires: 0"),
            (&[("Contact", "<tel:+1>")], "a Contact is no SIP URI"),
            (&[("Contact", "<sip:+1@b;bnc>")], "a bnc Contact has no user part"),
            (&[("Contact", long.as_str())], "the URI of a Contact is too long"),
            (&[("Contact", many.as_str())], "too many Contacts"),
            (&[("Path", "<sip:b")], "Path: unbalanced angle brackets"),
        ] {
            assert_eq!(read(headers).unwrap_err().to_string(), fault, "{headers:?}");
        }
    }

    #[test]
    fn which_contacts_are_the_same_binding() {
        for (one, other, same) in [
            ("<sip:a@b>", "<sip:a@B>;expires=5", true),
            ("<sip:a@b>", "<sip:A@b>", false),
            ("<sip:a@b>", "<sips:a@b>", false),
            ("<sip:a@b>", "<sip:a@b:5060>", false),
            ("<sip:a@b;transport=tcp>", "<sip:a@b;Transport=TCP>", true),
            ("<sip:a@b;transport=tcp>", "<sip:a@b>", false),
            ("<sip:a@b;line=x>", "<sip:a@b>", true),
            ("<sip:a@b;line=x>", "<sip:a@b;line=y>", false),
            ("<sip:b;bnc>", "<sip:b>", false),
            (
                "<sip:a@b>;+sip.instance=\"<urn:1>\";reg-id=1",
                "<sip:a@c>;+sip.instance=\"<urn:1>\";reg-id=1",
                true,
            ),
            (
                "<sip:a@b>;+sip.instance=\"<urn:1>\";reg-id=1",
                "<sip:a@b>;+sip.instance=\"<urn:1>\";reg-id=2",
                false,
            ),
            ("<sip:a@b>;+sip.instance=\"<urn:1>\"", "<sip:a@c>;+sip.instance=\"<urn:1>\"", true),
            ("<sip:a@b>;+sip.instance=\"<urn:1>\"", "<sip:a@c>;+sip.instance=\"<urn:2>\"", false),
            ("<sip:a@b>;reg-id=1", "<sip:a@b>;reg-id=2", true),
        ] {
            let (one, other) = (&contacts(one)[0], &contacts(other)[0]);
            assert_eq!(one.is_same(other), same, "{one} {other}");
            assert_eq!(other.is_same(one), same, "{other} {one}");
        }
    }

    #[test]
    fn a_bulk_contact_is_called_under_the_number() {
        let [bulk, plain] = ["<sip:198.51.100.3:5070;bnc;transport=tcp>", "<sip:trunk@198.51.100.3?X=y>"]
            .map(|value| contacts(value).remove(0).target("+12145550102").to_string());
        assert_eq!(bulk, "sip:+12145550102@198.51.100.3:5070;transport=tcp");
        assert_eq!(plain, "sip:trunk@198.51.100.3");
    }

    #[test]
    fn a_contact_is_told_as_it_came() {
        let text = "<sip:a@b;ob>;q=0.500;+sip.instance=\"<urn:1>\";reg-id=1";
        assert_eq!(contacts(text)[0].to_string(), text);
    }
}
