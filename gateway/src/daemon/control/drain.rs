//! `drain` and `undrain`: what takes no new calls but emergencies.

use super::calls::Calls;
use super::{Control, Response};
use crate::drains::{Part, is_configured};
use crate::question::CallFilter;
use crate::readiness::Obstacle;

/// Takes a part out of service.
pub(super) async fn drain(control: &Control, part: Part) -> Result<Response, String> {
    if !is_configured(&part, &control.reload.current.load()) {
        return Err(format!("the configuration has no {part}"));
    }
    let shared = &control.reload.shared;
    let news = shared.drains.drain(part.clone());
    if part == Part::Gateway {
        shared.readiness.block(Obstacle::Draining, "no new calls but emergencies");
    }
    show(control, &part);
    let live =
        live(control, &part).await.map_or_else(String::new, |live| format!(", {live} live calls go on"));
    if news {
        tracing::warn!(part = %part, "no new calls but emergencies from now on");
    }
    let already = if news { "" } else { " already" };
    Ok(Response::Line(format!("{part} is draining{already}: no new calls but emergencies{live}")))
}

/// Puts a part back into service.
pub(super) fn undrain(control: &Control, part: &Part) -> Result<Response, String> {
    let shared = &control.reload.shared;
    if shared.drains.is_stopping() {
        return Err("the gateway is about to stop".to_owned());
    }
    if !shared.drains.undrain(part) {
        return Err(format!("{part} is not draining"));
    }
    if *part == Part::Gateway {
        shared.readiness.clear(Obstacle::Draining);
    }
    show(control, part);
    tracing::warn!(part = %part, "takes new calls again");
    Ok(Response::Line(format!("{part} takes new calls again")))
}

fn show(control: &Control, part: &Part) {
    let parts = control.reload.shared.drains.parts();
    let count = parts.iter().filter(|one| one.kind() == part.kind()).count();
    control.reload.metrics.draining(part.kind(), count);
}

/// The calls of a part; none where nobody counts them.
async fn live(control: &Control, part: &Part) -> Option<usize> {
    let filter = match part {
        Part::Gateway => return Some(control.reload.shared.live_calls()),
        Part::Connector(id) => CallFilter { connector: Some(id.clone()), ..CallFilter::default() },
        Part::Carrier(name) => CallFilter { carrier: Some(name.clone()), ..CallFilter::default() },
        Part::Host(_) => return None,
    };
    let mut calls = Calls::new(&control.asking, filter);
    let mut count = 0;
    while let Ok(Some(_)) = calls.next().await {
        count += 1;
    }
    Some(count)
}
