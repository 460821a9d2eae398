//! `calls`: those of all shards, oldest first, page after page as they are read.

use std::collections::VecDeque;
use std::io;
use std::sync::Arc;

use super::client::Client;
use super::{Control, Response};
use crate::daemon::asking::{Asking, Silence};
use crate::question::{Answer, CallFilter, CallLine, Question};

/// The calls that a filter takes, of all shards, oldest first.
pub(in crate::daemon) struct Calls {
    asking: Asking,
    filter: Arc<CallFilter>,
    shards: Vec<Shard>,
}

/// What is known of one shard's calls.
struct Shard {
    number: u16,
    page: VecDeque<CallLine>,
    /// There may be more: those after this one.
    more: Option<Option<u64>>,
}

impl Calls {
    pub fn new(asking: &Asking, filter: CallFilter) -> Self {
        let asking = asking.clone();
        let shard = |number| Shard { number, page: VecDeque::new(), more: Some(None) };
        let shards = (0..asking.shards()).map(shard).collect();
        Calls { asking, filter: Arc::new(filter), shards }
    }

    /// The next call and its shard; `None` after the last one.
    ///
    /// # Errors
    /// A shard does not answer; the next call is one of the others'.
    pub async fn next(&mut self) -> Result<Option<(u16, CallLine)>, Silence> {
        for shard in &mut self.shards {
            while shard.page.is_empty()
                && let Some(after) = shard.more.take()
            {
                let question = Question::Calls { filter: self.filter.clone(), after };
                if let Answer::Calls(page) = self.asking.ask(shard.number, question).await? {
                    shard.page = page.calls.into();
                    shard.more = page.next.map(Some);
                }
            }
        }
        let waiting = self.shards.iter_mut().filter(|shard| !shard.page.is_empty());
        let oldest = waiting.min_by_key(|shard| shard.page.front().map(|call| call.started));
        Ok(oldest.and_then(|shard| Some((shard.number, shard.page.pop_front()?))))
    }
}

/// Tells a client of them.
pub(super) async fn tell(control: &Control, filter: CallFilter, client: &mut Client) -> io::Result<()> {
    let mut calls = Calls::new(&control.asking, filter);
    let mut silence = None;
    loop {
        match calls.next().await {
            Ok(Some((_, call))) => client.say(&Response::Call(Box::new(call))).await?,
            Ok(None) => break,
            Err(shard) => silence = Some(shard),
        }
    }
    match silence {
        Some(silence) => client.say(&Response::Error(silence.to_string())).await,
        None => client.say(&Response::Done(true)).await,
    }
}
