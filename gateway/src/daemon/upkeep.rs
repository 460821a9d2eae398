//! What somebody has to do now and then, whether anybody asks for metrics or not.

use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use config::Config;

use super::alerts::{Alerts, Sources};
use crate::clock::Now;
use crate::core::Shared;

/// How often.
const INTERVAL: Duration = Duration::from_secs(1);

/// See the module.
pub(super) struct Upkeep {
    pub shared: Arc<Shared>,
    pub config: Arc<ArcSwap<Config>>,
    pub alerts: Arc<Alerts>,
    pub sources: Sources,
}

impl Upkeep {
    /// Goes on for ever.
    pub async fn run(self) {
        loop {
            let (now, config) = (Now::read(), self.config.load_full());
            self.shared.look_at_hosts(now, &config);
            self.alerts.look(now, &self.sources, &config);
            self.shared.metrics.upkeep();
            tokio::time::sleep(INTERVAL).await;
        }
    }
}
