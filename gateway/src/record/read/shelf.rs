//! Where records are, by their names.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use crate::record::journal::peek;
use crate::record::sink::SinkRecord;

/// Records under their object names.
pub trait Shelf {
    /// The names right below a path; none where it is not there.
    ///
    /// # Errors
    /// It can't be looked at.
    fn list(&self, path: &str) -> io::Result<Vec<String>>;

    /// What stands under a name; `None`: nothing.
    ///
    /// # Errors
    /// It can't be read.
    fn read(&self, path: &str) -> io::Result<Option<Vec<u8>>>;
}

/// `records.directory`.
pub struct Folder(pub PathBuf);

impl Shelf for Folder {
    fn list(&self, path: &str) -> io::Result<Vec<String>> {
        match fs::read_dir(self.0.join(path)) {
            Ok(entries) => {
                entries.map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned())).collect()
            }
            Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
                Ok(Vec::new())
            }
            Err(error) => Err(error),
        }
    }

    fn read(&self, path: &str) -> io::Result<Option<Vec<u8>>> {
        match fs::read(self.0.join(path)) {
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            body => body.map(Some),
        }
    }
}

/// What a journal has and the directory has not, whether a gateway runs with it or not.
pub struct InJournal(BTreeMap<String, Vec<u8>>);

impl InJournal {
    /// - `directory`: `records.directory`.
    ///
    /// # Errors
    /// There is a journal, and it can't be read.
    pub fn of(directory: &Path) -> io::Result<InJournal> {
        let records = peek(&directory.join(".journal"))?.into_iter().filter_map(|entry| {
            let record = SinkRecord::of(&entry).ok().flatten()?;
            Some((record.name(0), record.body.to_vec()))
        });
        Ok(InJournal(records.collect()))
    }
}

impl Shelf for InJournal {
    fn list(&self, path: &str) -> io::Result<Vec<String>> {
        let below = format!("{path}/");
        let names = self.0.range(below.clone()..).map_while(|(name, _)| name.strip_prefix(&below));
        let mut names: Vec<String> =
            names.filter_map(|rest| rest.split('/').next()).map(str::to_owned).collect();
        names.dedup();
        Ok(names)
    }

    fn read(&self, path: &str) -> io::Result<Option<Vec<u8>>> {
        Ok(self.0.get(path).cloned())
    }
}

#[cfg(feature = "s3")]
pub use bucket::Bucket;

#[cfg(feature = "s3")]
mod bucket {
    use std::io;
    use std::sync::Arc;

    use object_store::path::Path;
    use object_store::{Error, ObjectStore, ObjectStoreExt};
    use tokio::runtime::Runtime;

    use super::Shelf;

    /// The bucket of a sink.
    pub struct Bucket {
        store: Arc<dyn ObjectStore>,
        prefix: String,
        runtime: Runtime,
    }

    impl Bucket {
        /// - `prefix`: stands before each name.
        ///
        /// # Errors
        /// The system refuses what a runtime needs.
        pub fn new(store: Arc<dyn ObjectStore>, prefix: &str) -> io::Result<Bucket> {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            Ok(Bucket { store, prefix: prefix.to_owned(), runtime })
        }

        fn path(&self, path: &str) -> Path {
            Path::from(format!("{}{path}", self.prefix))
        }
    }

    impl Shelf for Bucket {
        fn list(&self, path: &str) -> io::Result<Vec<String>> {
            let path = self.path(path);
            let listed = self.runtime.block_on(self.store.list_with_delimiter(Some(&path)))?;
            let objects = listed.objects.into_iter().map(|object| object.location);
            let names = listed.common_prefixes.into_iter().chain(objects);
            Ok(names.filter_map(|path| path.filename().map(str::to_owned)).collect())
        }

        fn read(&self, path: &str) -> io::Result<Option<Vec<u8>>> {
            let path = self.path(path);
            let body = self.runtime.block_on(async { self.store.get(&path).await?.bytes().await });
            match body {
                Ok(body) => Ok(Some(body.to_vec())),
                Err(Error::NotFound { .. }) => Ok(None),
                Err(error) => Err(error.into()),
            }
        }
    }
}
