//! `reload`, `rollback` and `plan`.

use std::path::Path;
use std::sync::Arc;

use super::{Control, Response};
use crate::daemon::reload::{Reload, ReloadError, Report};

/// Carries out what reads files, beside the threads that serve others.
pub(super) async fn carry_out(
    control: &Control,
    command: impl FnOnce(&Reload) -> Result<Report, ReloadError> + Send + 'static,
) -> Vec<Response> {
    let reload: Arc<Reload> = control.reload.clone();
    match tokio::task::spawn_blocking(move || command(&reload)).await {
        Ok(Ok(report)) => {
            report.lines.into_iter().map(Response::Line).chain([Response::Done(true)]).collect()
        }
        Ok(Err(error)) => vec![Response::Error(error.to_string())],
        Err(_) => vec![Response::Error("the command failed".to_owned())],
    }
}

/// What the configuration in `file` would change.
pub(super) async fn plan(control: &Control, file: &Path) -> Vec<Response> {
    if !file.is_absolute() {
        return vec![Response::Error("write the file's path from the root on".to_owned())];
    }
    let file = file.to_path_buf();
    carry_out(control, move |reload| reload.plan(&file)).await
}
