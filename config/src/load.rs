//! From files to a configuration.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use toml::Spanned;
use toml::de::DeTable;

use crate::config::Index;
use crate::outline::Outline;
use crate::read::{At, Item, Reader, Source, Table, Vocabulary, header, parse};
use crate::room;
use crate::{
    Admin, Alerts, Api, Carrier, Config, ConfigError, ConfigErrors, Gateway, Listen, Media, Network,
    NumberEntry, Object, Position, Records, Telemetry, Tls, VoiceConnector, VoiceConnectorGroup, Warning,
};

impl Config {
    /// Reads the file, and the `*.toml` of a directory `conf.d` beside it in the order of their names.
    ///
    /// The files of `conf.d` are as if they stood below the first, except that each has its own paths
    /// relative to itself. Nothing that the files name is looked at; see [`Config::missing`] and
    /// [`Config::read_inventory`] for that. Fails with all mistakes that can be found in one go.
    pub fn load(path: &Path) -> Result<(Config, Vec<Warning>), ConfigErrors> {
        Config::of_texts(&Texts::read(path)?)
    }

    /// The same of texts that were read.
    pub fn of_texts(texts: &Texts) -> Result<(Config, Vec<Warning>), ConfigErrors> {
        let sources: Vec<Source> = texts.0.iter().map(|(path, text)| Source::new(path, text)).collect();
        build(&sources, Vocabulary::OfThisVersion, Vec::new())
    }

    /// The files that [`Config::load`] reads: this one, and those of `conf.d` as far as it can be listed.
    pub fn files(path: &Path) -> Vec<PathBuf> {
        files(path, &mut Vec::new())
    }

    /// Parses one file's text.
    ///
    /// - `file`: what messages call it, and whose directory relative paths start from. Not opened.
    ///
    /// Fails with all mistakes that can be found in one go.
    pub fn parse(text: &str, file: &Path) -> Result<(Config, Vec<Warning>), ConfigErrors> {
        build(&[Source::new(file, text)], Vocabulary::OfThisVersion, Vec::new())
    }
}

/// The files of a configuration with their texts, the main one first. Paths within start at each file's directory.
///
/// Secrets may stand in them: `Debug` shows the files alone.
#[derive(Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Texts(pub Vec<(PathBuf, String)>);

impl std::fmt::Debug for Texts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.0.iter().map(|(path, _)| path)).finish()
    }
}

impl Texts {
    /// Reads the file, and those of `conf.d` beside it.
    ///
    /// # Errors
    /// The files that can't be read, and mistakes of the others.
    pub fn read(path: &Path) -> Result<Texts, ConfigErrors> {
        let mut texts = Vec::new();
        let mut errors = Vec::new();
        for path in files(path, &mut errors) {
            match read_text(&path) {
                Ok(text) => texts.push((path, text)),
                Err(error) => errors.push(error),
            }
        }
        if errors.is_empty() {
            return Ok(Texts(texts));
        }
        let sources: Vec<Source> = texts.iter().map(|(path, text)| Source::new(path, text)).collect();
        match build(&sources, Vocabulary::OfThisVersion, errors) {
            Ok(_) => Ok(Texts(texts)),
            Err(errors) => Err(errors),
        }
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
        remedy: crate::missing::remedy(error).into(),
    }
}

fn build(
    sources: &[Source],
    vocabulary: Vocabulary,
    mut errors: Vec<ConfigError>,
) -> Result<(Config, Vec<Warning>), ConfigErrors> {
    let mut documents: Vec<(usize, Spanned<DeTable<'_>>)> = Vec::new();
    let reader = Reader::new(sources, vocabulary);
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
    let mut outline = Outline::default();
    documents.iter().for_each(|(_, document)| outline.add(document.get_ref()));
    let config = config.map(|config| Config { needs, outline, ..config });
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
    let listen = root.tables("listen");
    let listen = listen.iter().filter_map(Listen::read);
    let listen: Vec<Listen> = (0..).zip(listen).map(|(number, listen)| Listen { number, ..listen }).collect();
    if root.items("listen").is_empty() {
        let remedy = "write [[listen]] with address = \"192.0.2.10:5060\", an address of this machine";
        reader.error(At { source: 0, offset: 0 }, "there is no [[listen]]", remedy);
    }
    let voice_connector = shared(root.tables("voice_connector"), VoiceConnector::read);
    let voice_connector_group = shared(root.tables("voice_connector_group"), VoiceConnectorGroup::read);
    let carrier = shared(root.tables("carrier"), Carrier::read);
    let of_gateway = root.single("gateway");
    let gateway = Gateway::read(of_gateway.as_ref());
    let config = Config {
        media: Media::read(root.single("media").as_ref(), &listen),
        tls: Tls::read(root.single("tls").as_ref()),
        network: root.tables("network").iter().filter_map(Network::read).collect(),
        records: Records::read(reader, root.single("records").as_ref()),
        admin: Admin::read(root.single("admin").as_ref()),
        alerts: Alerts::read(root.single("alerts").as_ref()),
        telemetry: Telemetry::read(root.single("telemetry").as_ref()),
        api: root.single("api").as_ref().and_then(Api::read),
        numbers: Arc::new(root.tables("phone_number").iter().filter_map(NumberEntry::read).collect()),
        index: Index::new(&gateway.domain, &voice_connector, &voice_connector_group, &carrier).into(),
        gateway,
        listen,
        voice_connector,
        voice_connector_group,
        carrier,
        positions: Default::default(),
        places: Default::default(),
        needs: Vec::new(),
        outline: Outline::default(),
    };
    let facts = reader.take_facts();
    facts.check(reader);
    let media = root.items("media").first().map_or(At { source: 0, offset: 0 }, Item::at);
    room::warn(reader, media, &config);
    let positions = facts.numbers.iter().map(|(number, at)| (number.clone(), reader.position(*at)));
    let positions = Arc::new(positions.collect());
    let mut places = facts.places(reader);
    if let Some(table) = of_gateway {
        places.insert(Object::Table("gateway".to_owned()), reader.position(table.at()));
    }
    Config { positions, places: Arc::new(places), ..config }
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

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use rtp::srtp::Suite;

    use crate::{Dtmf, Prack, Refer, Srtp, Transport};

    fn whole(text: &str) -> Result<Config, String> {
        let sources = [Source::new(Path::new("etc/f.toml"), text)];
        build(&sources, Vocabulary::Whole, Vec::new())
            .map(|(config, _)| config)
            .map_err(|error| error.to_string())
    }

    const NOT_YET: &str = r#"
        [tls]
        ca = "ca.pem"
        [[network]]
        name = "inside"
        local = ["10.0.0.0/8"]
        media_address = "10.1.1.5"
        [[listen]]
        protocol = "tls"
        address = "127.0.0.1:5061"
        network = "inside"
        certificate = "a.pem"
        key = "a.key"
        certificates = [{ certificate = "b.pem", key = "b.key" }]
        client_ca = "clients.pem"
        [[listen]]
        protocol = "tls"
        address = "127.0.0.2:5061"
        certificates = [{ certificate = "c.pem", key = "c.key" }]
        [admin]
        socket = "/run/s"
        [[voice_connector]]
        id = "a"
        [voice_connector.termination]
        daily_minutes = 10000
        credentials = [{ username = "u", password = "p" }]
        [voice_connector.peer]
        srtp = "required"
        srtp_suites = ["AES_CM_256_HMAC_SHA1_80", "AEAD_AES_128_GCM"]
        dtmf = "info"
        session_timer = "1800s"
        prack = "required"
        refer = "pass"
        ca = "peer.pem"
        client_certificate = "client.pem"
        client_key = "client.key"
        udp_size_limit = 1300
        registration = true
        [[carrier]]
        name = "c"
        outbound_proxy = "sip:sbc.carrier.example;transport=tcp;lr"
        host = [{ host = "192.0.2.30" }]
        register = { user = "trunk", domain = "carrier.example", password = { file = "p" } }
    "#;

    #[test]
    fn keys_that_cannot_be_used_yet_are_read_like_others() {
        let config = whole(NOT_YET).unwrap();
        assert_eq!(config.tls.ca, Some("etc/ca.pem".into()));
        let network = &config.network[0];
        assert_eq!((network.name.as_str(), network.local[0].to_string().as_str()), ("inside", "10.0.0.0/8"));
        assert_eq!(network.media_address, [std::net::IpAddr::from([10, 1, 1, 5])]);
        let [first, second] = config.listen.as_slice() else { panic!("two listeners") };
        assert_eq!(first.network.as_ref().map(|name| name.as_str()), Some("inside"));
        let certificates = |listen: &Listen| {
            listen.certificates.iter().map(|own| own.certificate.display().to_string()).collect::<Vec<_>>()
        };
        assert_eq!(
            (certificates(first), certificates(second)),
            (vec!["etc/a.pem".into(), "etc/b.pem".into()], vec!["etc/c.pem".into()])
        );
        assert_eq!(first.client_ca, Some("etc/clients.pem".into()));
        assert_eq!(config.admin.socket, Some("/run/s".into()));
        let connector = config.connector("a").unwrap();
        assert_eq!(connector.termination.daily_minutes, Some(10000));
        let peer = &connector.peer;
        assert_eq!((peer.srtp, peer.dtmf), (Some(Srtp::Required), Dtmf::Info));
        assert_eq!(peer.srtp_suites, [Suite::AesCm256HmacSha1_80, Suite::AeadAes128Gcm]);
        assert_eq!((peer.prack, peer.refer), (Prack::Required, Refer::Pass));
        assert_eq!(peer.session_timer, Some(Duration::from_secs(1800)));
        assert_eq!((peer.udp_size_limit, peer.registration), (Some(1300), crate::Registration::On));
        assert_eq!(
            (&peer.ca, &peer.client_key),
            (&Some("etc/peer.pem".into()), &Some("etc/client.key".into()))
        );
        let carrier = config.carrier("c").unwrap();
        let proxy = carrier.outbound_proxy.as_ref().unwrap();
        assert_eq!(
            (proxy.host.to_string().as_str(), proxy.protocol),
            ("sbc.carrier.example", Transport::Tcp)
        );
        let register = carrier.register.as_ref().unwrap();
        assert_eq!((register.user.as_str(), register.expires), ("trunk", Duration::from_secs(3600)));
        assert!(register.password.is_some());
        assert_eq!(config.missing().len(), 12);
    }

    #[test]
    fn references_to_networks_are_checked() {
        let wrong = NOT_YET.replace("network = \"inside\"", "network = \"insid\"");
        assert_eq!(
            whole(&wrong).unwrap_err(),
            "etc/f.toml:11:19: there is no network \"insid\"; write \"inside\""
        );
    }
}
