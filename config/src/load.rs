//! From files to a configuration.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use toml::Spanned;
use toml::de::DeTable;

use crate::config::Index;
use crate::read::{At, Item, Reader, Source, Table, header, parse};
use crate::{
    Admin, Carrier, Config, ConfigError, ConfigErrors, Gateway, Listen, Media, Network, NumberEntry,
    Position, Records, Tls, VoiceConnector, VoiceConnectorGroup, Warning,
};

impl Config {
    /// Reads the file, and the `*.toml` of a directory `conf.d` beside it in the order of their names.
    ///
    /// The files of `conf.d` are as if they stood below the first, except that each has its own paths
    /// relative to itself. Nothing that the files name is looked at; see [`Config::missing`] and
    /// [`Config::read_inventory`] for that. Fails with all mistakes that can be found in one go.
    pub fn load(path: &Path) -> Result<(Config, Vec<Warning>), ConfigErrors> {
        let mut sources = Vec::new();
        let mut errors = Vec::new();
        for path in files(path, &mut errors) {
            match read_text(&path) {
                Ok(text) => sources.push(Source::new(&path, &text)),
                Err(error) => errors.push(error),
            }
        }
        build(&sources, errors)
    }

    /// Parses one file's text.
    ///
    /// - `file`: what messages call it, and whose directory relative paths start from. Not opened.
    ///
    /// Fails with all mistakes that can be found in one go.
    pub fn parse(text: &str, file: &Path) -> Result<(Config, Vec<Warning>), ConfigErrors> {
        build(&[Source::new(file, text)], Vec::new())
    }
}

/// The file, then those of `conf.d`.
fn files(path: &Path, errors: &mut Vec<ConfigError>) -> Vec<PathBuf> {
    let directory = path.parent().unwrap_or(Path::new("")).join("conf.d");
    let mut more: Vec<PathBuf> = match std::fs::read_dir(&directory) {
        Ok(entries) => entries
            .filter_map(|entry| entry.map(|entry| entry.path()).ok())
            .filter(|path| path.extension().is_some_and(|extension| extension == "toml"))
            .collect(),
        Err(error) => {
            if directory.is_dir() {
                errors.push(unreadable(&directory, &error));
            }
            Vec::new()
        }
    };
    more.sort();
    more.insert(0, path.to_path_buf());
    more
}

/// A file's text, or why there is none.
pub(crate) fn read_text(path: &Path) -> Result<String, ConfigError> {
    let bytes = std::fs::read(path).map_err(|error| unreadable(path, &error))?;
    String::from_utf8(bytes).map_err(|error| {
        let valid = error.utf8_error().valid_up_to();
        let text = String::from_utf8_lossy(error.as_bytes().get(..valid).unwrap_or_default()).into_owned();
        ConfigError {
            position: Source::new(path, &text).position(valid),
            problem: "this is not UTF-8".into(),
            remedy: "write the file in UTF-8".into(),
        }
    })
}

fn unreadable(path: &Path, error: &std::io::Error) -> ConfigError {
    ConfigError {
        position: Position { file: path.display().to_string().into(), line: 0, column: 0 },
        problem: format!("cannot be read: {error}"),
        remedy: "name a file that can".into(),
    }
}

fn build(sources: &[Source], mut errors: Vec<ConfigError>) -> Result<(Config, Vec<Warning>), ConfigErrors> {
    let mut documents: Vec<(usize, Spanned<DeTable<'_>>)> = Vec::new();
    let reader = Reader::new(sources);
    let mut whole = errors.is_empty();
    for (index, source) in sources.iter().enumerate() {
        match parse(&reader, index, source.text()) {
            Some(document) => documents.push((index, document)),
            None => whole = false,
        }
    }
    // What would be told of half a configuration is mostly not true.
    let config = whole.then(|| read_documents(&reader, &documents));
    let (found, mut warnings, needs) = reader.take();
    errors.extend(found);
    warnings.sort();
    let config = config.map(|config| Config { needs, ..config });
    ConfigErrors::or(errors, config).map(|config| (config, warnings))
}

fn read_documents<'a>(reader: &'a Reader<'a>, documents: &'a [(usize, Spanned<DeTable<'a>>)]) -> Config {
    let root = Root {
        tables: documents
            .iter()
            .map(|(source, table)| {
                Table::new(reader, "", "the file", At { source: *source, offset: 0 }, table.get_ref())
            })
            .collect(),
    };
    let listen: Vec<Listen> = root.tables("listen").iter().filter_map(Listen::read).collect();
    if root.items("listen").is_empty() {
        let remedy = "write [[listen]] with address = \"192.0.2.10:5060\", an address of this machine";
        reader.error(At { source: 0, offset: 0 }, "there is no [[listen]]", remedy);
    }
    let voice_connector = shared(root.tables("voice_connector"), VoiceConnector::read);
    let voice_connector_group = shared(root.tables("voice_connector_group"), VoiceConnectorGroup::read);
    let carrier = shared(root.tables("carrier"), Carrier::read);
    let config = Config {
        gateway: Gateway::read(root.single("gateway").as_ref()),
        media: Media::read(root.single("media").as_ref(), &listen),
        tls: Tls::read(root.single("tls").as_ref()),
        network: root.tables("network").iter().filter_map(Network::read).collect(),
        records: Records::read(reader, root.single("records").as_ref()),
        admin: Admin::read(root.single("admin").as_ref()),
        numbers: root.tables("phone_number").iter().filter_map(NumberEntry::read).collect(),
        index: Index::new(&voice_connector, &voice_connector_group, &carrier),
        listen,
        voice_connector,
        voice_connector_group,
        carrier,
        positions: Default::default(),
        needs: Vec::new(),
    };
    let facts = reader.take_facts();
    facts.check(reader);
    let positions = facts.numbers.iter().map(|(number, at)| (number.clone(), reader.position(*at))).collect();
    Config { positions, ..config }
}

fn shared<T>(tables: Vec<Table<'_>>, read: impl Fn(&Table<'_>) -> Option<T>) -> Vec<Arc<T>> {
    tables.iter().filter_map(read).map(Arc::new).collect()
}

/// The top of all files as if they were one.
struct Root<'a> {
    tables: Vec<Table<'a>>,
}

impl<'a> Root<'a> {
    fn items(&self, key: &str) -> Vec<Item<'a>> {
        self.tables.iter().filter_map(|table| table.get(key)).collect()
    }

    /// `[[key]]` of every file.
    fn tables(&self, key: &'static str) -> Vec<Table<'a>> {
        self.items(key).iter().flat_map(|item| item.tables(key)).collect()
    }

    /// `[key]`, which one file may have.
    fn single(&self, key: &'static str) -> Option<Table<'a>> {
        let items = self.items(key);
        let (first, more) = items.split_first()?;
        for item in more {
            let place = item.reader().position(first.at());
            item.error(format!("{} is already in {place}", header("", key)), "write its keys there");
        }
        first.table(key)
    }
}
