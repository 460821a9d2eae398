//! How the shards are asked what they know: a question to each, and an answer within a time.
//!
//! A shard answers between two messages and waits for nobody; what asks waits, and is told where a shard does not answer.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::oneshot;

use crate::core::Input;
use crate::question::{Answer, Question, QuestionId};
use crate::shard::Mailboxes;

/// A shard that does not answer for so long hangs: a busy one answers within milliseconds.
const PATIENCE: Duration = Duration::from_secs(2);

/// A shard that said nothing in time.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("shard {0} does not answer")]
pub(super) struct Silence(pub u16);

/// The way to ask; a clone is the same.
#[derive(Clone)]
pub(super) struct Asking {
    mailboxes: Mailboxes,
    waiting: Arc<Waiting>,
}

/// Who waits for an answer.
#[derive(Default)]
struct Waiting {
    next: AtomicU64,
    answers: Mutex<HashMap<QuestionId, oneshot::Sender<Answer>>>,
}

impl Waiting {
    fn answers(&self) -> MutexGuard<'_, HashMap<QuestionId, oneshot::Sender<Answer>>> {
        self.answers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Nobody waits any more once it is dropped.
struct Waits<'a>(&'a Waiting, QuestionId);

impl Drop for Waits<'_> {
    fn drop(&mut self) {
        self.0.answers().remove(&self.1);
    }
}

impl Asking {
    pub fn new(mailboxes: &Mailboxes) -> Self {
        Asking { mailboxes: mailboxes.clone(), waiting: Arc::default() }
    }

    /// How many shards there are to ask.
    pub fn shards(&self) -> u16 {
        self.mailboxes.ownership().shards()
    }

    /// Asks one shard.
    ///
    /// # Errors
    /// The shard does not answer in time, or there is none of that number.
    pub async fn ask(&self, shard: u16, question: Question) -> Result<Answer, Silence> {
        if shard >= self.shards() {
            return Err(Silence(shard));
        }
        let id = QuestionId(self.waiting.next.fetch_add(1, Relaxed));
        let (sender, answer) = oneshot::channel();
        self.waiting.answers().insert(id, sender);
        let _waits = Waits(&self.waiting, id);
        self.mailboxes.post_event(shard, Input::Question { id, question });
        match tokio::time::timeout(PATIENCE, answer).await {
            Ok(Ok(answer)) => Ok(answer),
            _ => Err(Silence(shard)),
        }
    }

    /// A shard's answer. Called on its thread: never waits longer than for a look at a small table.
    pub fn answered(&self, question: QuestionId, answer: Answer) {
        let waits = self.waiting.answers().remove(&question);
        // Who has gone meanwhile wants it no more.
        waits.map(|waits| waits.send(answer));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::{HashKey, Ownership};
    use crate::question::Page;
    use crate::random::SeededRandom;
    use crate::shard::mailboxes;

    fn question() -> Question {
        Question::Calls { filter: Arc::default(), after: None }
    }

    #[tokio::test(start_paused = true)]
    async fn who_asks_is_told_of_a_shard_that_hangs_and_leaves_nothing_behind() {
        let ownership = Ownership::new(0, 2, HashKey::random(&mut SeededRandom::new(1)));
        let (mailboxes, mut inboxes) = mailboxes(ownership, Arc::default());
        let asking = Asking::new(&mailboxes);
        assert_eq!(asking.ask(0, question()).await, Err(Silence(0)));
        assert_eq!(asking.ask(2, question()).await, Err(Silence(2)), "there is no such shard");
        assert_eq!(asking.waiting.answers().len(), 0);
        // What is said too late is said to nobody.
        let Input::Question { id, .. } = inboxes[0].next_input().await else { panic!() };
        asking.answered(id, Answer::Calls(Page::default()));

        let other = asking.clone();
        let answers = tokio::spawn(async move {
            let Input::Question { id, .. } = inboxes[1].next_input().await else { panic!() };
            other.answered(id, Answer::Calls(Page::default()));
        });
        assert_eq!(asking.ask(1, question()).await, Ok(Answer::Calls(Page::default())));
        answers.await.unwrap();
        assert_eq!(asking.waiting.answers().len(), 0);
    }
}
