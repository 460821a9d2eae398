//! A program that lives no longer than its test.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

/// A running program. Dropping it kills it; a test that panics gets the end of its output shown.
pub struct Process {
    name: String,
    child: Child,
    output: PathBuf,
}

impl Process {
    /// Starts `command` with what it prints going to `directory`/`name`.log.
    pub fn start(name: &str, command: Command, directory: &Path) -> Process {
        Process::spawn(name, command, directory, Stdio::null())
    }

    fn spawn(name: &str, mut command: Command, directory: &Path, input: Stdio) -> Process {
        let output = directory.join(format!("{name}.log"));
        let file = File::create(&output).unwrap();
        let child = command
            .stdin(input)
            .stdout(file.try_clone().unwrap())
            .stderr(file)
            .spawn()
            .unwrap_or_else(|error| panic!("{name}: {command:?}: {error}"));
        Process { name: name.to_owned(), child, output }
    }

    /// The same for a program that takes commands from a terminal.
    pub fn start_with_input(name: &str, command: Command, directory: &Path) -> (Process, ChildStdin) {
        let mut process = Process::spawn(name, command, directory, Stdio::piped());
        let input = process.child.stdin.take().unwrap();
        (process, input)
    }

    /// What it printed so far.
    pub fn output(&self) -> String {
        String::from_utf8_lossy(&std::fs::read(&self.output).unwrap()).into_owned()
    }

    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Sends it a signal, by its name without SIG.
    pub fn signal(&self, signal: &str) {
        let killed =
            Command::new("kill").args(["-s", signal, &self.child.id().to_string()]).status().unwrap();
        assert!(killed.success(), "{} was gone already", self.name);
    }

    /// Its exit status, if it has ended.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().unwrap()
    }

    /// Waits for its end.
    pub fn wait(&mut self, limit: Duration) -> ExitStatus {
        let until = Instant::now() + limit;
        loop {
            if let Some(status) = self.ended() {
                return status;
            }
            assert!(Instant::now() < until, "{} did not end within {limit:?}", self.name);
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            let output =
                String::from_utf8_lossy(&std::fs::read(&self.output).unwrap_or_default()).into_owned();
            let lines: Vec<&str> = output.lines().collect();
            let last = lines.get(lines.len().saturating_sub(40)..).unwrap_or_default();
            eprintln!("---- the last that {} printed:\n{}\n----", self.name, last.join("\n"));
        }
    }
}
