//! Both parties of a call, in step.

use std::time::Duration;

use rtp::relay::Tapped;

use crate::happening::{Happening, Party};
use crate::stream::Stream;
use crate::ticks;

/// How a call is listened to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Settings {
    /// How long packets are waited for: what comes later is lost. Frames are told so long after their time.
    pub delay: Duration,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings { delay: Duration::from_millis(120) }
    }
}

/// Listens to both parties of a call. Drain [`Listener::poll`] after each other call.
///
/// ```
/// use std::time::Duration;
/// use audio::{Happening, Listener, Settings};
///
/// let mut listener = Listener::new(Settings::default());
/// listener.finish(Duration::from_secs(1)); // Nobody has said a word.
/// let frames = std::iter::from_fn(|| listener.poll()).filter(|told| matches!(told, Happening::Frame { .. }));
/// assert_eq!(frames.count(), 2 * 50);
/// ```
pub struct Listener {
    caller: Stream,
    callee: Stream,
}

impl Listener {
    /// Of a call that is answered now.
    #[must_use]
    pub fn new(settings: Settings) -> Listener {
        let [caller, callee] = [Party::Caller, Party::Callee]
            .map(|party| Stream::new(party, ticks::from_duration(settings.delay)));
        Listener { caller, callee }
    }

    /// What a party said, in order of arrival.
    pub fn handle(&mut self, party: Party, tapped: &Tapped, payload: &[u8]) {
        match party {
            Party::Caller => self.caller.handle(tapped, payload),
            Party::Callee => self.callee.handle(tapped, payload),
        }
    }

    /// So much time has passed since the call was answered: makes the frames that are due. At most every 20 ms it is worth while.
    pub fn handle_timeout(&mut self, now: Duration) {
        let now = ticks::from_duration(now);
        while self.caller.is_due(now) {
            self.caller.play(now);
            self.callee.play(now);
        }
    }

    /// The call was over at `end`: makes the frames up to there.
    pub fn finish(&mut self, end: Duration) {
        self.caller.finish(ticks::from_duration(end));
        self.callee.finish(ticks::from_duration(end));
    }

    /// What was heard next; of both parties in turn.
    pub fn poll(&mut self) -> Option<Happening> {
        self.caller.poll().or_else(|| self.callee.poll())
    }
}
