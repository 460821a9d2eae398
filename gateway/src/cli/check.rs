//! `voice-connector check FILE`.

use std::path::Path;
use std::process::ExitCode;

use config::Config;

use crate::listen::Tls;

/// Parses the file and says what it found; files and variables that are not there are only warned of, since the file may be
/// for another machine. A certificate or key that is there must do.
pub(super) fn check(file: &Path) -> ExitCode {
    let (config, warnings) = match Config::load(file) {
        Ok(loaded) => loaded,
        Err(errors) => {
            eprintln!("{errors}");
            return ExitCode::FAILURE;
        }
    };
    for warning in warnings {
        eprintln!("warning: {warning}");
    }
    let missing = config.missing();
    for missing in &missing {
        eprintln!("warning: {missing}");
    }
    if missing.is_empty() {
        if let Err(error) = Tls::new(&config) {
            eprintln!("{error}");
            return ExitCode::FAILURE;
        }
        for doubt in Tls::doubts(&config) {
            eprintln!("warning: {doubt}");
        }
    }
    println!(
        "{}: {} listeners, {} voice connectors, {} groups, {} carriers, {} numbers",
        file.display(),
        config.listen.len(),
        config.voice_connector.len(),
        config.voice_connector_group.len(),
        config.carrier.len(),
        config.numbers.len()
    );
    ExitCode::SUCCESS
}
