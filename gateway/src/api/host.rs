//! What the API asks of the gateway.

use std::sync::Arc;

use ::api::audit::Record;
use ::api::{Grant, Health, Host, Key};
use inventory::{Inventory, Timestamp};
use secrecy::ExposeSecret;
use time::OffsetDateTime;
use zeroize::Zeroizing;

use crate::record::{self, AuditRecord, Recorder};
use crate::termination_health::TerminationHealth;

/// See the module.
pub(super) struct GatewayHost {
    inventory: Arc<Inventory>,
    health: Arc<TerminationHealth>,
    recorder: Recorder,
}

impl GatewayHost {
    pub(super) fn new(
        inventory: Arc<Inventory>,
        health: Arc<TerminationHealth>,
        recorder: Recorder,
    ) -> GatewayHost {
        GatewayHost { inventory, health, recorder }
    }

    /// The documents of policies; one that is gone denies everything, as one that can't be read does.
    fn documents(&self, names: &[String]) -> Vec<String> {
        let document = |name: &String| {
            let policy = self.inventory.policy(name);
            policy.map_or_else(|_| String::new(), |policy| policy.value.document.clone())
        };
        names.iter().map(document).collect()
    }
}

impl Host for GatewayHost {
    fn key(&self, id: &str) -> Option<Key> {
        let (key, secret) = self.inventory.access_key_secret(id).ok()?;
        let key = &key.value;
        if key.disabled {
            return None;
        }
        let grant = if key.root { Grant::Root } else { Grant::Policies(self.documents(&key.policies)) };
        Some(Key {
            user: key.user.clone(),
            secret: Zeroizing::new(secret.expose_secret().to_owned()),
            token: None,
            expires: key.expires.map(date),
            grant,
        })
    }

    fn random(&self) -> [u8; 16] {
        let mut bytes = [0; 16];
        super::store::fill(&mut bytes);
        bytes
    }

    fn termination_health(&self, connector: &str) -> Option<Health> {
        let heard = self.health.of(connector)?;
        Some(Health { at: OffsetDateTime::UNIX_EPOCH + heard.at, source: heard.source })
    }

    fn record(&self, record: Record) {
        keep(&self.recorder, &record);
    }
}

/// Hands a call of the API to the journal. One that finds no room there is told in the log.
pub(super) fn keep(recorder: &Recorder, record: &Record) {
    let Ok(body) = serde_json::to_string(record) else { return };
    let error = record.error_code.as_deref().unwrap_or_default();
    let (operation, user) = (record.event_name.as_str(), record.user_identity.user_name.as_str());
    if record.changes {
        tracing::info!(operation, user, source = %record.source_ip_address, error, id = record.event_id, "API call");
    }
    let audit = AuditRecord {
        event_id: record.event_id.as_str().into(),
        at_ms: super::now().0,
        changes: record.changes,
        body,
    };
    if let Err(record::Full) = recorder.record(record::Record::Audit(Box::new(audit.clone()))) {
        tracing::warn!(record = audit.body, "the journal has no room for a call of the API");
    }
}

pub(super) fn date(at: Timestamp) -> OffsetDateTime {
    let date = OffsetDateTime::from_unix_timestamp_nanos(i128::from(at.0) * 1_000_000);
    // Beyond the year 9999.
    date.unwrap_or(time::macros::datetime!(9999-12-31 0:00 UTC))
}
