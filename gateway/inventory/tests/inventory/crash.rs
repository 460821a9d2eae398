//! A process that is killed in a burst of changes loses none that it was told of.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};

use inventory::{Embedded, Inventory};

use crate::house::{FILES, NOW, files, new_connector, setup};

/// Tells this test's own child what store to write to.
const STORE: &str = "INVENTORY_CRASH_STORE";

/// So many writers at once.
const WRITERS: usize = 4;

fn open(path: &Path, seed: u8) -> Inventory {
    let mut setup = setup(Box::new(Embedded::open(path).unwrap()));
    // Another process makes other ids.
    (0..=seed).for_each(|_| (setup.random)(&mut [0; 7]));
    Inventory::open(setup, files(FILES), NOW).unwrap()
}

/// Makes connectors and changes them, and says of each change that it is done, until it is killed.
fn write_for_ever(path: &Path) {
    let inventory = open(path, u8::try_from(std::process::id() % 251).unwrap());
    std::thread::scope(|scope| {
        for _ in 0..WRITERS {
            scope.spawn(|| {
                loop {
                    let id =
                        inventory.create_voice_connector(NOW, new_connector("new")).unwrap().value.id.clone();
                    let mut out = std::io::stdout().lock();
                    writeln!(out, "done {id} new").unwrap();
                    drop(out);
                    inventory.update_voice_connector(NOW, &id, "changed", false).unwrap();
                    writeln!(std::io::stdout().lock(), "done {id} changed").unwrap();
                }
            });
        }
    });
}

#[test]
fn what_was_acknowledged_is_there_after_a_kill() {
    if let Some(path) = std::env::var_os(STORE) {
        write_for_ever(Path::new(&path));
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("inventory.redb");
    let mut total = 0;
    for killed_after in [1, 3, 17, 40, 97] {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "crash::what_was_acknowledged_is_there_after_a_kill", "--nocapture"])
            .env(STORE, &path)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut done = Vec::new();
        for line in lines {
            if let Ok(line) = line
                && let Some(told) = line.strip_prefix("done ")
                && let Some((id, name)) = told.split_once(' ')
            {
                done.push((id.to_owned(), name.to_owned()));
            }
            if done.len() == killed_after {
                // SIGKILL; what it said by then is still in the pipe.
                child.kill().unwrap();
            }
        }
        child.wait().unwrap();
        assert!(done.len() >= killed_after);
        total += done.len();
        let inventory = open(&path, 0);
        for (id, name) in &done {
            let kept = inventory.voice_connector(id).unwrap();
            assert!(kept.value.name == *name || name == "new", "{id} {name}");
        }
        inventory.snapshot().unwrap();
    }
    assert!(total > 100);
}
