//! An XML document as a tree, bounded: no document type, no entity but XML's own, so that nothing in it can grow.

use quick_xml::XmlVersion;
use quick_xml::escape::resolve_predefined_entity;
use quick_xml::events::{BytesStart, Event};
use quick_xml::reader::Reader;

use super::MetadataError;

/// The largest document, in bytes.
const LARGEST: usize = 64 * 1024;
/// Elements may be so deep inside of each other.
const DEEPEST: usize = 16;
/// So many elements a document may have.
const MOST: usize = 1_024;

/// An element. Names are local ones: prefix and namespace are left out.
#[derive(Debug, Default)]
pub(super) struct Element {
    pub name: String,
    attributes: Vec<(String, String)>,
    /// Its own text, trimmed.
    pub text: String,
    pub children: Vec<Element>,
}

impl Element {
    /// The value of the first of these attributes that it has.
    pub fn attribute(&self, names: &[&str]) -> Option<&str> {
        let value = |name: &&str| self.attributes.iter().find(|(known, _)| known == name);
        names.iter().find_map(value).map(|(_, value)| value.as_str())
    }

    /// Its children of that name, in whatever case: an old draft has `dataMode`.
    pub fn all<'a, 'n>(&'a self, name: &'n str) -> impl Iterator<Item = &'a Element> + use<'a, 'n> {
        self.children.iter().filter(move |child| child.name.eq_ignore_ascii_case(name))
    }

    /// The text of its first child of that name; `None` where there is no text.
    pub fn text_of(&self, name: &str) -> Option<&str> {
        self.all(name).map(|child| child.text.as_str()).find(|text| !text.is_empty())
    }

    /// The texts of all its children of that name.
    pub fn texts_of(&self, name: &str) -> Vec<String> {
        let texts = self.all(name).map(|child| child.text.clone());
        texts.filter(|text| !text.is_empty()).collect()
    }
}

/// The root of a document.
pub(super) fn parse(bytes: &[u8]) -> Result<Element, MetadataError> {
    if bytes.len() > LARGEST {
        return Err(MetadataError::TooLarge);
    }
    let text = std::str::from_utf8(bytes)
        .map_err(|error| MetadataError::Malformed(u64::try_from(error.valid_up_to()).unwrap_or(u64::MAX)))?;
    let text = text.trim_start_matches('\u{feff}').trim_start();
    let mut reader = Reader::from_str(text);
    // The elements that are open, the root first.
    let mut open: Vec<Element> = Vec::new();
    let (mut root, mut count) = (None, 0);
    loop {
        let at = reader.buffer_position();
        let malformed = || MetadataError::Malformed(at);
        let event = reader.read_event().map_err(|_| malformed())?;
        let closed = match event {
            Event::Start(start) => {
                count += 1;
                if root.is_some() {
                    return Err(malformed());
                }
                if open.len() == DEEPEST || count > MOST {
                    return Err(MetadataError::TooMany);
                }
                open.push(element(&start).ok_or_else(malformed)?);
                None
            }
            Event::Empty(start) => {
                count += 1;
                if root.is_some() {
                    return Err(malformed());
                }
                if open.len() == DEEPEST || count > MOST {
                    return Err(MetadataError::TooMany);
                }
                Some(element(&start).ok_or_else(malformed)?)
            }
            Event::End(_) => Some(open.pop().ok_or_else(malformed)?),
            Event::Text(text) => {
                let text = text.xml10_content().map_err(|_| malformed())?;
                match open.last_mut() {
                    Some(element) => element.text.push_str(&text),
                    None if text.trim().is_empty() => {}
                    None => return Err(malformed()),
                }
                None
            }
            Event::CData(text) => {
                let text = text.xml10_content().map_err(|_| malformed())?;
                open.last_mut().ok_or_else(malformed)?.text.push_str(&text);
                None
            }
            Event::GeneralRef(name) => {
                let element = open.last_mut().ok_or_else(malformed)?;
                match name.resolve_char_ref().map_err(|_| malformed())? {
                    Some(letter) => element.text.push(letter),
                    None => {
                        let name = name.decode().map_err(|_| malformed())?;
                        let known = resolve_predefined_entity(&name).ok_or(MetadataError::Entity)?;
                        element.text.push_str(known);
                    }
                }
                None
            }
            Event::DocType(_) => return Err(MetadataError::DocumentType),
            Event::Comment(_) | Event::Decl(_) | Event::PI(_) => None,
            Event::Eof if open.is_empty() => return root.ok_or_else(malformed),
            Event::Eof => return Err(malformed()),
        };
        let Some(mut closed) = closed else { continue };
        let text = closed.text.trim();
        if text.len() != closed.text.len() {
            closed.text = text.to_owned();
        }
        match open.last_mut() {
            Some(parent) => parent.children.push(closed),
            None => root = Some(closed),
        }
    }
}

/// `None` for one that is not well-formed.
fn element(start: &BytesStart<'_>) -> Option<Element> {
    let name = |name: &[u8]| std::str::from_utf8(name).ok().map(str::to_owned);
    let mut element = Element { name: name(start.local_name().into_inner())?, ..Element::default() };
    for attribute in start.attributes() {
        let attribute = attribute.ok()?;
        let value = attribute.normalized_value(XmlVersion::Implicit1_0).ok()?;
        element.attributes.push((name(attribute.key.local_name().into_inner())?, value.trim().to_owned()));
    }
    Some(element)
}
