//! Access keys and policies of the API.

use super::{Control, Response};
use crate::api::{Act, act_audited};

/// Does it, and tells what there is to tell.
pub(super) async fn carry_out(control: &Control, act: Act) -> Vec<Response> {
    let Some(inventory) = control.inventory.clone() else {
        return vec![Response::Error(
            "the configuration has no [api]: write one, and restart the gateway".to_owned(),
        )];
    };
    let (recorder, config) = (control.recorder.clone(), control.reload.current.load_full());
    let done =
        tokio::task::spawn_blocking(move || act_audited(&inventory, &recorder, &config.gateway, &act)).await;
    match done {
        Ok(Ok(told)) => told.into_iter().map(Response::Access).chain([Response::Done(true)]).collect(),
        Ok(Err(error)) => vec![Response::Error(error.to_string())],
        Err(_) => vec![Response::Error("the gateway is about to stop".to_owned())],
    }
}
