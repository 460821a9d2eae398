//! `call` and `hangup`: one call, found by what an operator knows of it.

use super::calls::Calls;
use super::{Control, Response};
use crate::daemon::asking::Asking;
use crate::question::{Answer, CallFilter, CallLine, CallView, Question};
use crate::reply::Cause;
use crate::sound::RecordOrder;

/// Shorter beginnings of an id are those of too many calls.
const SHORTEST: usize = 4;

/// The one call that is not over and that `id` means: the beginning of its id, or the Call-ID of a leg.
async fn find(asking: &Asking, id: &str) -> Result<(u16, CallLine), String> {
    if id.len() < SHORTEST {
        return Err(format!("write {SHORTEST} characters of the call's id at least"));
    }
    let filter = CallFilter { id: Some(id.to_owned()), ..CallFilter::default() };
    let mut calls = Calls::new(asking, filter);
    let (mut found, mut silence) = (None, None);
    loop {
        match calls.next().await {
            Ok(Some(call)) if found.is_some() => {
                return Err(format!("more than one call begins so, {} among them", call.1.id));
            }
            Ok(Some(call)) => found = Some(call),
            Ok(None) => break,
            Err(shard) => silence = Some(shard),
        }
    }
    found.ok_or_else(|| silence.map_or_else(|| "there is no such call".to_owned(), |one| one.to_string()))
}

/// All that is known of a call.
pub(in crate::daemon) async fn look_at(asking: &Asking, id: &str) -> Result<Box<CallView>, String> {
    let (shard, line) = find(asking, id).await?;
    let asked = asking.ask(shard, Question::Call { key: line.key }).await;
    let Answer::Call(Some(mut view)) = asked.map_err(|silence| silence.to_string())? else {
        return Err("the call is over".to_owned());
    };
    // A media worker that hangs hides nothing else.
    if let Ok(Answer::Media(media)) = asking.ask(shard, Question::Media { key: line.key }).await {
        view.media = media;
    }
    Ok(view)
}

/// The same for a client.
pub(super) async fn view(control: &Control, id: &str) -> Result<Response, String> {
    look_at(&control.asking, id).await.map(Response::View)
}

/// Ends a call; returns its id.
pub(super) async fn hang_up(
    control: &Control,
    id: &str,
    status: Option<u16>,
    cause: Option<&str>,
) -> Result<Response, String> {
    let status = status.unwrap_or(480);
    if !(400..700).contains(&status) {
        return Err("write a status of 400 to 699".to_owned());
    }
    let (shard, line) = find(&control.asking, id).await?;
    let cause = Cause::new(status, cause.unwrap_or("Ended by the operator"));
    let asked = control.asking.ask(shard, Question::HangUp { key: line.key, cause }).await;
    match asked.map_err(|silence| silence.to_string())? {
        Answer::HungUp(true) => Ok(Response::Line(format!("{} is hung up", line.id))),
        _ => Err("the call is over".to_owned()),
    }
}

/// Begins, ends, silences or goes on with the recording of a call; returns its id.
pub(super) async fn record(control: &Control, id: &str, order: RecordOrder) -> Result<Response, String> {
    let (shard, line) = find(&control.asking, id).await?;
    let asked = control.asking.ask(shard, Question::Record { key: line.key, order }).await;
    match asked.map_err(|silence| silence.to_string())? {
        Answer::Recorded(Ok(())) => Ok(Response::Line(match order {
            RecordOrder::Start => format!("{} is recorded from now on", line.id),
            RecordOrder::Stop => format!("{} is not recorded any more", line.id),
            RecordOrder::Pause => format!("the recording of {} is silent from now on", line.id),
            RecordOrder::Resume => format!("the recording of {} goes on", line.id),
        })),
        Answer::Recorded(Err(why)) => Err(why.to_owned()),
        _ => Err("the call is over".to_owned()),
    }
}
