//! The media of a call so far, which its media worker alone knows.

use std::collections::VecDeque;

use rtp::relay::CallStatistics;

use super::super::{CallKey, Core, Effect};
use crate::media::{Command, MediaKey};
use crate::question::{Answer, MediaView, QuestionId};

/// So many questions wait for the media workers at one time; who asks waits no longer than it wants, whatever becomes of it here.
const MOST: usize = 16;

/// Who waits for a report on which media session.
#[derive(Default)]
pub(in crate::core) struct Reports(VecDeque<(MediaKey, QuestionId)>);

impl Core {
    pub(super) fn ask_for_media(&mut self, id: QuestionId, key: CallKey) {
        let Some(media) = self.calls.get(&key).and_then(|slot| slot.call.media_key()) else {
            return self.answer_question(id, Answer::Media(None));
        };
        if self.reports.0.len() == MOST {
            self.reports.0.pop_front();
        }
        self.reports.0.push_back((media, id));
        self.effect(Effect::Media(Command::Report { key: media }));
    }

    /// A media worker's report on a session; none: it holds no ports for it.
    pub(in crate::core) fn reported_media(&mut self, key: MediaKey, statistics: Option<&CallStatistics>) {
        let view = statistics.map(MediaView::of);
        while let Some(index) = self.reports.0.iter().position(|(waits, _)| *waits == key)
            && let Some((_, id)) = self.reports.0.remove(index)
        {
            self.answer_question(id, Answer::Media(view));
        }
    }
}
