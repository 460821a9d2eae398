//! `metrics`: what is counted, for who draws it.

use super::{Control, Response};

/// The lines of these families. Rendering all of them takes a while where there are thousands of connectors, so that it is done
/// beside the threads that serve others.
pub(super) async fn carry_out(control: &Control, families: Vec<String>) -> Vec<Response> {
    let metrics = control.reload.metrics.clone();
    let read = move || {
        let text = metrics.render();
        let is_asked_for = |line: &&str| {
            let name = line.split(['{', ' ']).next().unwrap_or_default();
            families.iter().any(|family| family == name)
        };
        text.lines().filter(is_asked_for).map(|line| Response::Line(line.to_owned())).collect::<Vec<_>>()
    };
    match tokio::task::spawn_blocking(read).await {
        Ok(lines) => lines.into_iter().chain([Response::Done(true)]).collect(),
        Err(_) => vec![Response::Error("the metrics could not be read".to_owned())],
    }
}
