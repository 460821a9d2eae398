//! Notices that the files of the configuration were changed.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, Sender, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

use config::Config;
use notify::event::{EventKind, ModifyKind};
use notify::{Event, RecommendedWatcher, RecursiveMode, Watcher};

use super::signals::Wish;

/// Whoever writes several files, or one in several steps, is done when nothing has happened for so long.
const QUIET: Duration = Duration::from_millis(300);

/// The longest that is waited for that.
const LONGEST: Duration = Duration::from_secs(3);

/// Watches the directory of `file`, and `conf.d` in it, for as long as the process lives. The directory and not the file: editors
/// and configuration management put another file in its place.
///
/// - `wishes`: where [`Wish::Reload`] goes when what the files hold has changed.
///
/// # Errors
/// The system does not let the directory be watched, or gives no thread.
pub(super) fn watch(file: &Path, wishes: Sender<Wish>) -> io::Result<()> {
    let (happened, events) = sync_channel(1);
    let heard = move |event: notify::Result<Event>| {
        if event.is_err() || event.is_ok_and(|event| matters(&event)) {
            // One that waits already stands for all.
            let _ = happened.try_send(());
        }
    };
    let mut watcher = notify::recommended_watcher(heard).map_err(io::Error::other)?;
    let directory = match file.parent() {
        Some(parent) if parent != Path::new("") => parent.to_path_buf(),
        _ => PathBuf::from("."),
    };
    watcher.watch(&directory, RecursiveMode::NonRecursive).map_err(io::Error::other)?;
    let file = file.to_path_buf();
    let seen = content(&file);
    thread::Builder::new()
        .name("configuration".to_owned())
        .spawn(move || look(&mut watcher, &events, &file, &directory.join("conf.d"), seen, &wishes))?;
    Ok(())
}

/// Other files are written in the same directory, logs among them: of these only that they come or go may mean something, as a
/// symbolic link in a mounted ConfigMap does.
fn matters(event: &Event) -> bool {
    let is_ours = |path: &PathBuf| path.extension().is_some_and(|extension| extension == "toml");
    match event.kind {
        EventKind::Access(_) => false,
        EventKind::Modify(ModifyKind::Name(_)) => true,
        EventKind::Modify(_) => event.paths.iter().any(is_ours),
        _ => true,
    }
}

fn look(
    watcher: &mut RecommendedWatcher,
    events: &Receiver<()>,
    file: &Path,
    more: &Path,
    mut seen: u64,
    wishes: &Sender<Wish>,
) {
    loop {
        if more.is_dir() && watcher.watch(more, RecursiveMode::NonRecursive).is_err() {
            tracing::warn!(directory = %more.display(), "this directory cannot be watched; reload by hand");
        }
        // What changed while the directory was not watched yet counts too.
        let now = content(file);
        if now != seen {
            seen = now;
            if wishes.send(Wish::Reload).is_err() {
                return;
            }
        }
        if events.recv().is_err() {
            return;
        }
        let latest = Instant::now() + LONGEST;
        while events.recv_timeout(QUIET).is_ok() && Instant::now() < latest {}
    }
}

/// What tells one state of the files from another.
fn content(file: &Path) -> u64 {
    let mut hasher = DefaultHasher::new();
    for path in Config::files(file) {
        std::fs::read(&path).ok().hash(&mut hasher);
        path.hash(&mut hasher);
    }
    hasher.finish()
}
