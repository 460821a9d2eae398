//! What goes along with the program: man pages, shell completions, the licences of what it is made of, and a bill of materials.
//!
//! `cargo run --package gateway --example release -- FOLDER`

mod manual;
mod materials;

use std::error::Error;
use std::path::PathBuf;

fn main() -> Result<(), Box<dyn Error>> {
    let folder = std::env::args_os().nth(1).map(PathBuf::from).ok_or("name a folder to write to")?;
    std::fs::create_dir_all(&folder)?;
    manual::write(&folder)?;
    materials::write(&folder)
}
