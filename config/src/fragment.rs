//! Objects that stand in no file: checked as a file's tables are, and added to a configuration of files.

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use ipnet::IpNet;

use crate::config::Index;
use crate::outline::{Keys, Outline};
use crate::read::{At, Reader, Source, Table, Vocabulary, parse};
use crate::{
    CallingName, Config, ConfigErrors, ConnectorId, E164, NumberEntry, Object, Owner, VoiceConnector,
    VoiceConnectorGroup,
};

/// One connector or group that stands in no file. What it refers to is looked for when it is added.
#[derive(Clone)]
pub struct Fragment {
    item: FragmentItem,
    object: Object,
    keys: Arc<Keys>,
    /// Addresses of a customer, which no carrier may have.
    nets: Vec<IpNet>,
}

impl fmt::Debug for Fragment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Fragment({})", self.object)
    }
}

/// What a fragment is.
#[derive(Debug, Clone)]
pub enum FragmentItem {
    /// `[[voice_connector]]`.
    Connector(Arc<VoiceConnector>),
    /// `[[voice_connector_group]]`.
    Group(Arc<VoiceConnectorGroup>),
}

/// Why something can't be added to a configuration of files. Displays as one sentence.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Clash {
    /// The files have it, too.
    #[error(
        "{object} is in the files already ({position}), and in the store: it has one owner, so remove one of the two"
    )]
    Both {
        /// The object.
        object: Object,
        /// Where the files have it.
        position: crate::Position,
    },
    /// What it refers to is not there.
    #[error("there is no {missing}, which {object} of the store needs")]
    Missing {
        /// What refers.
        object: Object,
        /// To what.
        missing: Object,
    },
    /// A source would be a customer and a carrier.
    #[error(
        "{net} of {object} overlaps with {other} of carrier {carrier}: an address belongs to one of the two only"
    )]
    Overlap {
        /// The connector.
        object: Object,
        /// Its addresses.
        net: IpNet,
        /// The carrier.
        carrier: crate::CarrierName,
        /// The carrier's.
        other: IpNet,
    },
}

impl Fragment {
    /// Parses a text with one `[[voice_connector]]` or one `[[voice_connector_group]]`.
    ///
    /// - `name`: what messages call it.
    ///
    /// # Errors
    /// All mistakes; a text that has neither, or both.
    pub fn parse(text: &str, name: &str) -> Result<Self, ConfigErrors> {
        let sources = [Source::new(Path::new(name), text)];
        let reader = Reader::new(&sources, Vocabulary::OfThisVersion);
        let start = At { source: 0, offset: 0 };
        let document = parse(&reader, 0, text);
        let fragment = document.as_ref().and_then(|document| {
            let root = Table::new(&reader, "", "the text", start, document.get_ref());
            let connectors = root.get("voice_connector").map(|item| item.tables("voice_connector"));
            let connector = connectors.as_deref().and_then(|tables| VoiceConnector::read(tables.first()?));
            let groups = root.get("voice_connector_group").map(|item| item.tables("voice_connector_group"));
            let group = groups.as_deref().and_then(|tables| VoiceConnectorGroup::read(tables.first()?));
            let (item, object) = match (connector, group) {
                (Some(connector), None) => {
                    let object = Object::Connector(connector.id.to_string());
                    (FragmentItem::Connector(Arc::new(connector)), object)
                }
                (None, Some(group)) => {
                    let object = Object::Group(group.id.to_string());
                    (FragmentItem::Group(Arc::new(group)), object)
                }
                _ => {
                    reader.error(start, "this is not one connector and not one group", "write one");
                    return None;
                }
            };
            let mut outline = Outline::default();
            outline.add(document.get_ref());
            let keys = outline.objects().get(&object).cloned().unwrap_or_default();
            let facts = reader.take_facts();
            let nets = facts.customer_nets.into_iter().map(|(_, net, _)| net).collect();
            Some(Self { item, object, keys, nets })
        });
        let (errors, _, _) = reader.take();
        ConfigErrors::or(errors, fragment)
    }

    /// What it is.
    pub fn item(&self) -> &FragmentItem {
        &self.item
    }

    /// Its name.
    pub fn object(&self) -> &Object {
        &self.object
    }

    /// Looks whether it can be added to `files`.
    ///
    /// - `has`: whether there is a connector of this id beside the files.
    ///
    /// # Errors
    /// What stands in the way.
    pub fn check(&self, files: &Config, has: impl Fn(&ConnectorId) -> bool) -> Result<(), Clash> {
        if let Some(position) = files.place(&self.object) {
            return Err(Clash::Both { object: self.object.clone(), position: position.clone() });
        }
        if let FragmentItem::Group(group) = &self.item {
            let known = |id: &ConnectorId| files.connector(id.as_str()).is_some() || has(id);
            if let Some(member) = group.members.iter().find(|member| !known(&member.voice_connector)) {
                let missing = Object::Connector(member.voice_connector.to_string());
                return Err(Clash::Missing { object: self.object.clone(), missing });
            }
        }
        for carrier in &files.carrier {
            for other in &carrier.allowlist {
                let overlaps = |net: &&IpNet| net.contains(other) || other.contains(*net);
                if let Some(net) = self.nets.iter().find(overlaps) {
                    return Err(Clash::Overlap {
                        object: self.object.clone(),
                        net: *net,
                        carrier: carrier.name.clone(),
                        other: *other,
                    });
                }
            }
        }
        Ok(())
    }
}

impl Config {
    /// This configuration of files with `fragments` and `numbers` beside its own.
    ///
    /// - `fragments`: connectors in the order of ids.
    /// - `calling_name`: for `gateway.default_calling_name`, where the files have none.
    ///
    /// # Errors
    /// The first that can't be added.
    pub fn with<'f>(
        &self,
        fragments: impl Iterator<Item = &'f Fragment> + Clone,
        numbers: impl Iterator<Item = (E164, NumberEntry)>,
        calling_name: Option<&CallingName>,
    ) -> Result<Config, Clash> {
        let mut config = self.clone();
        for fragment in fragments.clone() {
            if let FragmentItem::Connector(connector) = &fragment.item {
                config.voice_connector.push(Arc::clone(connector));
            }
            if let FragmentItem::Group(group) = &fragment.item {
                config.voice_connector_group.push(Arc::clone(group));
            }
            config.outline.insert(fragment.object.clone(), Arc::clone(&fragment.keys));
        }
        config.gateway.default_calling_name =
            config.gateway.default_calling_name.take().or_else(|| calling_name.cloned());
        let (connectors, groups) = (&config.voice_connector, &config.voice_connector_group);
        config.index = Index::new(&config.gateway.domain, connectors, groups, &config.carrier).into();
        for fragment in fragments {
            fragment.check(self, |id| config.connector(id.as_str()).is_some())?;
        }
        Arc::make_mut(&mut config.numbers).reserve(numbers.size_hint().0);
        for (number, entry) in numbers {
            config.add_number(self, number, entry)?;
        }
        Ok(config)
    }
}

/// One thing that is otherwise in what is added to a configuration of files.
#[derive(Debug, Clone)]
pub enum Altered {
    /// A connector is new, or another one of its name.
    Connector(Arc<Fragment>),
    /// A connector is gone.
    NoConnector(ConnectorId),
    /// A number is new, or somebody else's.
    Number(E164, NumberEntry),
    /// A number is gone.
    NoNumber(E164),
}

impl Config {
    /// This configuration, which [`Config::with`] made of `files`, with some of what was added otherwise: what `with` would make, at a
    /// tenth of the cost.
    ///
    /// # Errors
    /// The first that can't be added.
    pub fn altered(
        &self,
        files: &Config,
        alterations: impl Iterator<Item = Altered>,
        calling_name: Option<&CallingName>,
    ) -> Result<Config, Clash> {
        let mut config = self.clone();
        let of_files = files.voice_connector.len();
        let mut others = false;
        let mut numbers = Vec::new();
        for altered in alterations {
            match altered {
                Altered::Connector(fragment) => {
                    let FragmentItem::Connector(connector) = &fragment.item else { continue };
                    fragment.check(files, |_| true)?;
                    match config.stored(of_files, &connector.id) {
                        (at, true) => {
                            let known = config.voice_connector.get_mut(at);
                            known.into_iter().for_each(|known| *known = Arc::clone(connector));
                        }
                        (at, false) => {
                            config.voice_connector.insert(at, Arc::clone(connector));
                            others = true;
                        }
                    }
                    config.outline.insert(fragment.object.clone(), Arc::clone(&fragment.keys));
                }
                Altered::NoConnector(id) => {
                    if let (at, true) = config.stored(of_files, &id) {
                        config.voice_connector.remove(at);
                        config.outline.remove(&Object::Connector(id.to_string()));
                        others = true;
                    }
                }
                Altered::Number(number, entry) => numbers.push((number, entry)),
                Altered::NoNumber(number) => {
                    Arc::make_mut(&mut config.numbers).remove(&number);
                }
            }
        }
        if others {
            let (connectors, groups) = (&config.voice_connector, &config.voice_connector_group);
            config.index = Index::new(&config.gateway.domain, connectors, groups, &config.carrier).into();
        }
        config.gateway.default_calling_name =
            files.gateway.default_calling_name.as_ref().or(calling_name).cloned();
        numbers.into_iter().try_for_each(|(number, entry)| config.add_number(files, number, entry))?;
        Ok(config)
    }

    /// Where a connector that is in no file stands or would stand, and whether it does: they are in the order of ids.
    fn stored(&self, of_files: usize, id: &ConnectorId) -> (usize, bool) {
        let stored = self.voice_connector.get(of_files..).unwrap_or_default();
        match stored.binary_search_by(|connector| connector.id.cmp(id)) {
            Ok(at) => (of_files + at, true),
            Err(at) => (of_files + at, false),
        }
    }

    /// Adds a number that stands in no file.
    fn add_number(&mut self, files: &Config, number: E164, entry: NumberEntry) -> Result<(), Clash> {
        let object = || Object::Number(number.to_string());
        let missing = match &entry.owner {
            Owner::Connector(id) if self.connector(id.as_str()).is_none() => {
                Some(Object::Connector(id.to_string()))
            }
            Owner::Group(id) if self.group(id.as_str()).is_none() => Some(Object::Group(id.to_string())),
            _ => None,
        };
        if let Some(missing) = missing {
            return Err(Clash::Missing { object: object(), missing });
        }
        if let Some(position) = files.place_of_number(number.as_str()) {
            return Err(Clash::Both { object: object(), position });
        }
        Arc::make_mut(&mut self.numbers).insert(number, entry);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = r#"
        listen = [{ address = "127.0.0.1:5060" }]
        voice_connector = [{ id = "hq" }]
        phone_number = [{ number = "+12065550100", voice_connector = "hq" }]
        [[carrier]]
        name = "west"
        allowlist = ["198.51.100.0/24"]
        host = [{ host = "198.51.100.1" }]
    "#;

    fn files() -> Config {
        Config::parse(FILE, Path::new("f.toml")).map_err(|errors| errors.to_string()).unwrap().0
    }

    fn fragment(text: &str) -> Fragment {
        Fragment::parse(text, "the store").map_err(|errors| errors.to_string()).unwrap()
    }

    fn connector(id: &str, net: &str) -> Fragment {
        fragment(&format!("[[voice_connector]]\nid = \"{id}\"\ntermination = {{ allowlist = [\"{net}\"] }}"))
    }

    fn group(id: &str, member: &str) -> Fragment {
        let members = format!("members = [{{ voice_connector = \"{member}\" }}]");
        fragment(&format!("[[voice_connector_group]]\nid = \"{id}\"\n{members}"))
    }

    fn number(text: &str, owner: Owner) -> (E164, NumberEntry) {
        (text.parse().unwrap(), NumberEntry { owner, calling_name: None })
    }

    #[test]
    fn what_is_added_is_as_if_it_stood_in_a_file() {
        let fragments = [connector("store1", "192.0.2.1"), group("both", "hq"), group("own", "store1")];
        let numbers = [
            number("+12065550101", Owner::Connector("store1".into())),
            number("+12065550102", Owner::Group("both".into())),
            number("+12065550103", Owner::Connector("hq".into())),
        ];
        let name: CallingName = "Example".parse().unwrap();
        let files = files();
        let config = files.with(fragments.iter(), numbers.into_iter(), Some(&name)).unwrap();
        assert!(config.connector_by_host("store1.localhost").is_some());
        assert!(config.owns(&"hq".into(), "+12065550102"));
        assert!(config.owns(&"store1".into(), "+12065550101"));
        assert_eq!(config.gateway.default_calling_name, Some(name));
        let changes: Vec<String> = files.difference(&config).iter().map(ToString::to_string).collect();
        assert_eq!(
            changes,
            [
                "+ voice_connector store1",
                "+ voice_connector_group both",
                "+ voice_connector_group own",
                "+ phone_number +12065550101",
                "+ phone_number +12065550102",
                "+ phone_number +12065550103",
            ]
        );
        let changed = [connector("store1", "192.0.2.2"), group("both", "hq"), group("own", "store1")];
        let other = files.with(changed.iter(), [].into_iter(), None).unwrap();
        let changes = config.difference(&other);
        assert_eq!(changes[0].to_string(), "- voice_connector store1 termination.allowlist \"192.0.2.1\"");
    }

    #[test]
    fn what_does_not_fit_says_why() {
        let check = |fragments: &[Fragment], numbers: &[(E164, NumberEntry)], expected: &str| {
            let clash = files().with(fragments.iter(), numbers.iter().cloned(), None).unwrap_err();
            assert_eq!(clash.to_string(), expected);
        };
        check(
            &[connector("hq", "192.0.2.1")],
            &[],
            "voice_connector hq is in the files already (f.toml:3:35), and in the store: it has one owner, so remove one of the two",
        );
        check(
            &[group("g", "gone")],
            &[],
            "there is no voice_connector gone, which voice_connector_group g of the store needs",
        );
        check(
            &[connector("a", "198.51.100.7")],
            &[],
            "198.51.100.7/32 of voice_connector a overlaps with 198.51.100.0/24 of carrier west: \
             an address belongs to one of the two only",
        );
        check(
            &[],
            &[number("+12065550100", Owner::Connector("hq".into()))],
            "phone_number +12065550100 is in the files already (f.toml:4:36), and in the store: \
             it has one owner, so remove one of the two",
        );
        check(
            &[],
            &[number("+12065550101", Owner::Group("g".into()))],
            "there is no voice_connector_group g, which phone_number +12065550101 of the store needs",
        );
    }

    #[test]
    fn a_fragment_is_read_as_strictly_as_a_file() {
        let errors = |text: &str| Fragment::parse(text, "x").unwrap_err().to_string();
        assert!(errors("[[voice_connector]]\nid = \"A\"").contains("is not the id of a voice connector"));
        assert!(errors("[[voice_connector]]\nid = \"a\"\nnmae = \"x\"").contains("unknown key `nmae`"));
        assert!(errors("").contains("not one connector"));
        assert!(errors("a = ").starts_with("x:1:"));
    }
}
