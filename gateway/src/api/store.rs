//! The directory of what is managed: `objects.redb`, and `seal.key` without which its secrets are lost.

use std::fs::{self, DirBuilder, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use config::Config;
use inventory::{Embedded, Inventory, Limits, Pool, PoolError, SEAL_KEY, Setup, Timestamp};

const OBJECTS: &str = "objects.redb";
const KEY: &str = "seal.key";

/// Why what is managed cannot be had.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// A file or the directory can't be used.
    #[error("api.directory: {}: {source}", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The store is there and its key is not.
    #[error("api.directory: {} is gone, and what is kept cannot be read without it: put it back", path.display())]
    NoKey {
        /// Where it should be.
        path: PathBuf,
    },
    /// The key is not as long as keys are.
    #[error("api.directory: {} is no key of {SEAL_KEY} bytes: put the right one back", path.display())]
    WrongKey {
        /// The file.
        path: PathBuf,
    },
    /// The numbers that may be ordered can't be read.
    #[error("api.number_pool: {}: {problem}", path.display())]
    Pool {
        /// The file.
        path: PathBuf,
        /// Why.
        problem: String,
    },
    /// The store's own trouble.
    #[error("api.directory: {0}")]
    Inventory(#[from] inventory::Error),
}

/// Opens what `[api]` names, and makes it where nothing is.
///
/// - `files`: the operator's configuration.
///
/// # Errors
/// It can't be had; another process has it.
pub fn open(settings: &config::Api, files: Arc<Config>) -> Result<Arc<Inventory>, StoreError> {
    let directory = &settings.directory;
    let failed = |path: &Path| {
        let path = path.to_owned();
        move |source| StoreError::File { path, source }
    };
    DirBuilder::new().recursive(true).mode(0o700).create(directory).map_err(failed(directory))?;
    let (objects, key) = (directory.join(OBJECTS), directory.join(KEY));
    let seal = match fs::read(&key) {
        Ok(bytes) => bytes.try_into().map_err(|_| StoreError::WrongKey { path: key })?,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            if objects.try_exists().map_err(failed(&objects))? {
                return Err(StoreError::NoKey { path: key });
            }
            new_key(&key).map_err(failed(&key))?
        }
        Err(error) => return Err(failed(&key)(error)),
    };
    let store = Embedded::open(&objects).map_err(inventory::Error::from)?;
    let setup = Setup { store: Box::new(store), seal, random: Box::new(fill), limits: Limits::default() };
    let pool = pool(settings)?;
    let inventory = Inventory::open(setup, files, now())?;
    inventory.set_pool(pool);
    Ok(Arc::new(inventory))
}

/// The numbers that may be ordered, as their file has them now.
///
/// # Errors
/// It can't be read, or has a line that is none.
pub(crate) fn pool(settings: &config::Api) -> Result<Pool, StoreError> {
    let Some(path) = &settings.number_pool else { return Ok(Pool::default()) };
    let wrong = |problem: String| StoreError::Pool { path: path.clone(), problem };
    let text = fs::read_to_string(path).map_err(|error| wrong(error.to_string()))?;
    Pool::parse(&text).map_err(|error: PoolError| wrong(error.to_string()))
}

fn new_key(path: &Path) -> io::Result<[u8; SEAL_KEY]> {
    let mut seal = [0; SEAL_KEY];
    fill(&mut seal);
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all(&seal)?;
    file.sync_all()?;
    if let Some(directory) = path.parent() {
        fs::File::open(directory)?.sync_all()?;
    }
    Ok(seal)
}

/// Random bytes of the system.
pub(crate) fn fill(bytes: &mut [u8]) {
    // Linux fails here only before its pool is first seeded: going on with a predictable key would be worse than waiting.
    while getrandom::fill(bytes).is_err() {
        std::thread::yield_now();
    }
}

/// A random UUID.
pub(super) fn uuid() -> String {
    let mut bytes = [0; 16];
    fill(&mut bytes);
    uuid::Builder::from_random_bytes(bytes).into_uuid().to_string()
}

/// The time.
pub(crate) fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}
