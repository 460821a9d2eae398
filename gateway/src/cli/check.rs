//! `voice-connector check FILE`.

use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use config::{Config, ConfigErrors, Secret};

use super::fail;
use super::output::{say, tell};
use crate::api;
use crate::core::Live;
use crate::doctor::{self, Finding, Level};
use crate::listen::Tls;
use crate::{media, route};

/// Parses the file and its inventory and says what it found; files and variables that are not there are only warned of,
/// since the file may be for another machine. What is there must do.
///
/// - `strict`: a warning is as bad as a mistake.
pub(super) fn check(file: &Path, strict: bool) -> ExitCode {
    let (mut config, warnings) = match Config::load(file) {
        Ok(loaded) => loaded,
        Err(errors) => return mistakes(&errors),
    };
    let mut warnings: Vec<String> = warnings.iter().map(ToString::to_string).collect();
    let missing = config.missing();
    warnings.extend(missing.iter().map(ToString::to_string));
    let inventory_is_there = config.gateway.phone_numbers.as_deref().is_some_and(Path::is_file);
    if inventory_is_there && let Err(errors) = config.read_inventory() {
        return mistakes(&errors);
    }
    // A variable or an inventory that is on another machine says nothing of the certificates here.
    let inventory = config.gateway.phone_numbers.as_deref();
    let certificates_are_there =
        missing.iter().filter_map(|one| one.file.as_deref()).all(|file| Some(file) == inventory);
    if certificates_are_there {
        if let Err(error) = Tls::new(&config) {
            tell(error);
            return ExitCode::FAILURE;
        }
        if let Err(error) = api::certified(&config) {
            return fail(format_args!("api: {error}"));
        }
        warnings.extend(doctor::without_host(&config).into_iter().filter_map(warning));
    }
    let config = Arc::new(config);
    if missing.is_empty() {
        if let Err(error) = Live::new(config.clone()) {
            return fail(error);
        }
        if let Some(Err(error)) = config.admin.token.as_ref().map(Secret::resolve) {
            return fail(format_args!("admin.token: {error}"));
        }
        if let Some(Err(error)) = config.api.as_ref().map(api::pool) {
            return fail(error);
        }
        if let Err(error) = crate::record::sink::of(&config.records, &crate::metrics::Metrics::new("")) {
            return fail(error);
        }
        let passwords = config.records.hep.iter().filter_map(|hep| Some((&hep.name, hep.password.as_ref()?)));
        for (name, password) in passwords {
            if let Err(error) = password.resolve() {
                return fail(format_args!("hep {name}: {error}"));
            }
        }
        // Where nothing is missing, this is the machine that the file is for.
        warnings.extend(media::doubt(&config));
    }
    warnings.extend(route::doubts(&config));
    for warning in &warnings {
        tell(format_args!("warning: {warning}"));
    }
    say(format_args!(
        "{}: {} listeners, {} voice connectors, {} groups, {} carriers, {} numbers\n",
        file.display(),
        config.listen.len(),
        config.voice_connector.len(),
        config.voice_connector_group.len(),
        config.carrier.len(),
        config.numbers.len()
    ));
    super::tell_of_managed(&config);
    match (strict, warnings.len()) {
        (false, _) | (true, 0) => ExitCode::SUCCESS,
        (true, 1) => fail("--strict takes no warnings, and there is one"),
        (true, count) => fail(format_args!("--strict takes no warnings, and there are {count}")),
    }
}

/// What is told of a finding that matters.
fn warning(finding: Finding) -> Option<String> {
    let Finding { level, text, remedy, .. } = finding;
    (level >= Level::Warning)
        .then(|| remedy.map_or_else(|| text.clone(), |remedy| format!("{text}; {remedy}")))
}

fn mistakes(errors: &ConfigErrors) -> ExitCode {
    tell(errors);
    ExitCode::FAILURE
}
