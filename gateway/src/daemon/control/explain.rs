//! `explain` with what holds at this moment.

use super::{Control, Response};
use crate::clock::Now;
use crate::explain::{Live, Question, explain_live};

/// What would become of a call.
pub(super) fn explain(control: &Control, question: &Question) -> Vec<Response> {
    let config = control.reload.current.load_full();
    let live = Live { shared: &control.reload.shared, now: Now::read() };
    let explanation = explain_live(&config, live, question);
    let lines = explanation.to_string().lines().map(str::to_owned).collect();
    vec![Response::Explained { lines, admitted: explanation.exit_code() == 0 }, Response::Done(true)]
}
