//! What the store beside the files leads to.

use std::sync::Arc;

use config::{Config, Warning};
use inventory::Inventory;

use super::{Reload, ReloadError, Report};
use crate::api::now;
use crate::core::Live;

impl Reload {
    /// Hears of every change of the store from now on.
    pub fn hear(this: &Arc<Self>) {
        let Some(inventory) = &this.inventory else { return };
        let weak = Arc::downgrade(this);
        inventory.tell(Box::new(move |config| {
            if let Some(this) = weak.upgrade() {
                this.take_stored(config);
            }
        }));
    }

    /// Goes on beside other files, while the store stands still.
    pub(super) fn take_beside(
        &self,
        inventory: &Inventory,
        files: Config,
        warnings: &[Warning],
    ) -> Result<Report, ReloadError> {
        let take = |config: Arc<Config>| self.take(self.prepare(config, warnings)?);
        inventory.replace_files(Arc::new(files), now(), take)
    }

    /// The store never changes listeners, certificates, carriers, or what is settled at the start.
    fn take_stored(&self, config: Arc<Config>) {
        let _taking = self.taking();
        match Live::after(config.clone(), Some(&self.live.load())) {
            Ok(live) => self.go_on_under(&config, &Arc::new(live)),
            // Carriers' secrets are read again with it; the next change, or a reload, tries once more.
            Err(error) => tracing::warn!(%error, "a change of the inventory waits for a secret"),
        }
    }
}
