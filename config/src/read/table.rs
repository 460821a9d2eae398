//! One table of a file.

use toml::Spanned;
use toml::de::{DeString, DeTable, DeValue};

use crate::available::{self, Key};

use super::{At, Item, Reader, nearest};

/// One table of the file, asked for its keys one by one.
pub(crate) struct Table<'a> {
    reader: &'a Reader<'a>,
    section: &'static str,
    shown: &'static str,
    at: At,
    table: &'a DeTable<'a>,
}

impl<'a> Table<'a> {
    /// A table whose keys are those of `section` in the vocabulary, and which messages call `shown`. What the
    /// vocabulary does not know is a mistake.
    pub(crate) fn new(
        reader: &'a Reader<'a>,
        section: &'static str,
        shown: &'static str,
        at: At,
        table: &'a DeTable<'a>,
    ) -> Self {
        let this = Self { reader, section, shown, at, table };
        this.refuse_unknown_keys();
        this
    }

    pub(crate) fn reader(&self) -> &'a Reader<'a> {
        self.reader
    }

    /// Where the table begins.
    pub(crate) fn at(&self) -> At {
        self.at
    }

    /// The value of a key of the section; `None` where it is not there.
    pub(crate) fn get(&self, name: &str) -> Option<Item<'a>> {
        let key = available::key(self.section, name)?;
        let (found, value) = self.table.get_key_value(name)?;
        Some(Item::new(self.reader, self.at.source, key, found.span().start, value))
    }

    /// As `get`, where the table makes no sense without; `example` completes "write".
    pub(crate) fn required(&self, name: &str, example: &str) -> Option<Item<'a>> {
        let item = self.get(name);
        let misspelt = || self.unknown().any(|(_, _, meant)| meant == Some(name));
        if item.is_none() && !misspelt() {
            let problem = format!("{} has no `{name}`", self.shown);
            self.reader.error(self.at(), problem, format!("write {example}"));
        }
        item
    }

    /// Whether it stands in braces, where a key has no line of its own.
    fn is_inline(&self) -> bool {
        self.reader.text(self.at.source).get(self.at.offset..).is_some_and(|text| text.starts_with('{'))
    }

    /// Keys that the section has not, and what each was probably meant to be.
    fn unknown(
        &self,
    ) -> impl Iterator<Item = (&'a Spanned<DeString<'a>>, &'a Spanned<DeValue<'a>>, Option<&'static str>)>
    {
        let known = available::keys(self.section);
        let unknown =
            self.table.iter().filter(|(name, _)| known.iter().all(|key| key.name != name.get_ref().as_ref()));
        unknown.map(move |(name, value)| {
            // One that is there already would be there twice.
            let free = known.iter().filter(|key| self.table.get(key.name).is_none());
            (name, value, nearest(name.get_ref(), free.map(|key| key.name)))
        })
    }

    fn refuse_unknown_keys(&self) {
        for (name, value, meant) in self.unknown() {
            let name_text = name.get_ref().as_ref();
            // Of two tables of a kind the one that belongs to this table's kind.
            let nearer = |shown: &'static str| {
                shown.split(" or ").find(|one| one.contains(self.section)).unwrap_or(shown)
            };
            let elsewhere = available::sections_with(name_text).map(nearer);
            let remedy = match (meant, elsewhere) {
                (Some(own), _) => format!("write {}", header(self.section, own)),
                (None, Some(elsewhere)) => format!("write it in {elsewhere}"),
                (None, None) if self.is_inline() => "remove it".into(),
                (None, None) if matches!(value.get_ref(), DeValue::Table(_)) => "remove the table".into(),
                (None, None) => "remove the line".into(),
            };
            let what = format!("unknown key `{name_text}` in {}", self.shown);
            self.reader.error(At { offset: name.span().start, ..self.at }, what, remedy);
        }
    }
}

/// How a key of a section is written: `[media]`, `[[listen]]` for a table, else `` `key` ``.
pub(crate) fn header(section: &str, name: &str) -> String {
    match available::key(section, name) {
        Some(Key { table: Some(shown), .. }) => (*shown).to_owned(),
        _ => format!("`{name}`"),
    }
}
