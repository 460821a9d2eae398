//! `voice-connector check FILE`.

use std::path::Path;
use std::process::ExitCode;

use config::Config;

/// Parses the file and says what it found; files and variables that it names are only warned of.
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
    if missing.is_empty()
        && let Err(error) = crate::listen::Tls::new(&config)
    {
        eprintln!("warning: {error}");
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
