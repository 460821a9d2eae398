//! What an operator asks about the calls of this shard. One kind of question is one file.

mod call;
mod calls;
mod hang_up;
mod media;
mod minutes;

use super::{Core, Effect};
use crate::clock::Now;
use crate::question::{Answer, Question, QuestionId};

pub(super) use media::Reports;
pub(super) use minutes::Minutes;

impl Core {
    /// Answers by [`Effect::Answer`], at once but where the media workers have to be asked.
    pub(super) fn asked(&mut self, now: Now, id: QuestionId, question: Question) {
        let answer = match question {
            Question::Calls { filter, after } => Answer::Calls(self.page(now, &filter, after)),
            Question::Call { key } => Answer::Call(self.view(now, super::CallKey(key)).map(Box::new)),
            Question::Media { key } => return self.ask_for_media(id, super::CallKey(key)),
            Question::HangUp { key, cause } => Answer::HungUp(self.hang_up(now, super::CallKey(key), cause)),
            Question::Record { key, order } => {
                Answer::Recorded(self.record_call(now, super::CallKey(key), order))
            }
            Question::Why(wanted) => Answer::Why(self.explained(&wanted)),
            Question::LookAt { after } => Answer::LookedAt(self.look_at_page(after)),
        };
        self.answer_question(id, answer);
    }

    fn answer_question(&mut self, question: QuestionId, answer: Answer) {
        self.effect(Effect::Answer { question, answer: Box::new(answer) });
    }
}
