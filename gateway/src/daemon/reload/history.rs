//! The configurations that were taken last, kept beside the records: what `rollback` returns to.

use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use config::Texts;

/// So many are kept, the present one among them.
const KEPT: usize = 10;

/// A directory with a file for each configuration, by ascending numbers. Secrets may stand in them: nobody else may read it.
#[derive(Debug, Clone)]
pub(in crate::daemon) struct History(PathBuf);

impl History {
    pub(in crate::daemon) fn new(directory: PathBuf) -> History {
        History(directory)
    }

    /// Keeps a configuration that was taken, unless it is the newest already; the oldest go.
    ///
    /// # Errors
    /// The system's.
    pub(in crate::daemon) fn keep(&self, texts: &Texts) -> io::Result<()> {
        std::fs::DirBuilder::new().recursive(true).mode(0o700).create(&self.0)?;
        let kept = self.kept()?;
        let newest = kept.last();
        if newest.is_some_and(|(_, path)| read(path).is_ok_and(|known| known == *texts)) {
            return Ok(());
        }
        let number = newest.map_or(1, |(number, _)| number + 1);
        let unfinished = self.0.join("unfinished");
        let _ = std::fs::remove_file(&unfinished);
        let mut file =
            std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&unfinished)?;
        file.write_all(&serde_json::to_vec(texts)?)?;
        file.sync_all()?;
        std::fs::rename(&unfinished, self.0.join(format!("{number}.json")))?;
        for (_, path) in kept.iter().take((kept.len() + 1).saturating_sub(KEPT)) {
            std::fs::remove_file(path)?;
        }
        Ok(())
    }

    /// The configuration that held so many before the present one; `None`: so many are not kept.
    ///
    /// # Errors
    /// The system's.
    pub(super) fn before(&self, steps: usize) -> io::Result<Option<Texts>> {
        match self.kept()?.iter().rev().nth(steps) {
            Some((_, path)) => read(path).map(Some),
            None => Ok(None),
        }
    }

    /// The oldest first.
    fn kept(&self) -> io::Result<Vec<(u64, PathBuf)>> {
        let number = |path: &Path| path.file_name()?.to_str()?.strip_suffix(".json")?.parse().ok();
        let mut kept = Vec::new();
        for entry in std::fs::read_dir(&self.0)? {
            let path = entry?.path();
            kept.extend(number(&path).map(|number| (number, path)));
        }
        kept.sort();
        Ok(kept)
    }
}

fn read(path: &Path) -> io::Result<Texts> {
    Ok(serde_json::from_slice(&std::fs::read(path)?)?)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn texts(number: usize) -> Texts {
        Texts(vec![("f.toml".into(), format!("# {number}"))])
    }

    #[test]
    fn the_last_ten_are_kept_for_nobody_else() {
        let directory = tempfile::tempdir().unwrap();
        let history = History::new(directory.path().join("a").join("b"));
        (1..=25).for_each(|number| history.keep(&texts(number)).unwrap());
        history.keep(&texts(25)).unwrap();
        let files: Vec<_> = std::fs::read_dir(&history.0).unwrap().map(|entry| entry.unwrap()).collect();
        assert_eq!(files.len(), KEPT);
        assert!(files.iter().all(|file| file.metadata().unwrap().permissions().mode() & 0o777 == 0o600));
        assert_eq!(std::fs::metadata(&history.0).unwrap().permissions().mode() & 0o777, 0o700);
        assert_eq!(history.before(0).unwrap(), Some(texts(25)));
        assert_eq!(history.before(9).unwrap(), Some(texts(16)));
        assert_eq!(history.before(10).unwrap(), None);
    }

    #[test]
    fn what_is_damaged_is_an_error_and_does_not_keep_the_next_out() {
        let directory = tempfile::tempdir().unwrap();
        let history = History::new(directory.path().to_path_buf());
        history.keep(&texts(1)).unwrap();
        std::fs::write(directory.path().join("2.json"), "{").unwrap();
        history.keep(&texts(3)).unwrap();
        assert_eq!(history.before(0).unwrap(), Some(texts(3)));
        assert!(history.before(1).is_err());
        assert_eq!(history.before(2).unwrap(), Some(texts(1)));
    }
}
