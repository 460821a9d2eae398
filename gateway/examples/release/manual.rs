//! Man pages and completions, made from what the command line understands.

use std::fs::File;
use std::io;
use std::path::Path;

use clap_complete::{Shell, generate_to};

/// A page for the program and one for each command in `man`, and a file for each shell in `completions`.
///
/// # Errors
/// A file can't be written.
pub fn write(folder: &Path) -> io::Result<()> {
    let [man, completions] = ["man", "completions"].map(|name| folder.join(name));
    std::fs::create_dir_all(&man)?;
    std::fs::create_dir_all(&completions)?;
    let command = gateway::cli::command();
    clap_mangen::generate_to(command.clone(), &man)?;
    for shell in [Shell::Bash, Shell::Zsh, Shell::Fish] {
        generate_to(shell, &mut command.clone(), "voice-connector", &completions)?;
    }
    File::open(man.join("voice-connector.1")).map(drop)
}
