//! What is logged, changed while the gateway runs.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

/// Takes another filter, or says why not.
type Set = dyn Fn(&str) -> Result<(), String> + Send + Sync;

/// Which levels are logged, of which parts of the program. A clone is the same.
#[derive(Clone)]
pub struct LogLevels {
    set: Arc<Set>,
    first: Arc<str>,
    now: Arc<Mutex<String>>,
}

impl fmt::Debug for LogLevels {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LogLevels").field("now", &self.now()).finish_non_exhaustive()
    }
}

impl LogLevels {
    /// - `first`: the filter that holds from the start, directives with commas between.
    /// - `set`: makes another one hold.
    pub fn new(first: &str, set: impl Fn(&str) -> Result<(), String> + Send + Sync + 'static) -> Self {
        LogLevels { set: Arc::new(set), first: first.into(), now: Arc::new(Mutex::new(first.to_owned())) }
    }

    /// The filter that holds.
    #[must_use]
    pub fn now(&self) -> String {
        self.now.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Lays directives over the filter that holds: a level alone holds for all that has none of its own, `part=level` for that part.
    /// `reset` brings back the first filter. Returns the filter that holds now.
    ///
    /// # Errors
    /// Which directive is none; nothing has changed.
    pub fn change(&self, directives: &str) -> Result<String, String> {
        let mut now = self.now.lock().unwrap_or_else(PoisonError::into_inner);
        let next = match directives {
            "reset" => self.first.to_string(),
            directives => laid_over(&now, directives),
        };
        (self.set)(&next)?;
        now.clone_from(&next);
        Ok(next)
    }
}

fn laid_over(filter: &str, directives: &str) -> String {
    let parts = |text: &str| -> Vec<String> {
        text.split(',').map(|one| one.trim().to_owned()).filter(|one| !one.is_empty()).collect()
    };
    let target = |directive: &str| directive.rsplit_once('=').map(|(target, _)| target.to_owned());
    let changes = parts(directives);
    let mut all = parts(filter);
    all.retain(|one| !changes.iter().any(|change| target(change) == target(one)));
    all.extend(changes);
    all.join(",")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn directives_lie_over_those_of_the_same_part() {
        let levels = LogLevels::new("info", |filter| match filter.contains("loud") {
            true => Err(format!("{filter}: no level")),
            false => Ok(()),
        });
        assert_eq!(levels.change("gateway::call=debug"), Ok("info,gateway::call=debug".to_owned()));
        assert_eq!(
            levels.change("gateway::call=trace,sip=debug").unwrap(),
            "info,gateway::call=trace,sip=debug"
        );
        assert_eq!(levels.change("warn").unwrap(), "gateway::call=trace,sip=debug,warn");
        assert!(levels.change("sip=loud").is_err());
        assert_eq!(levels.now(), "gateway::call=trace,sip=debug,warn");
        assert_eq!(levels.change("reset").unwrap(), "info");
    }
}
