//! Policies that were read already.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use super::{Policy, PolicyError};

/// More than that are not kept.
const MOST: usize = 1024;

/// Policies by their text.
#[derive(Debug, Default)]
pub(crate) struct Kept(Mutex<HashMap<String, Arc<Policy>>>);

impl Kept {
    /// Reads a policy, once.
    pub(crate) fn policy(&self, text: &str) -> Result<Arc<Policy>, PolicyError> {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(policy) = kept.get(text) {
            return Ok(Arc::clone(policy));
        }
        let policy = Arc::new(text.parse::<Policy>()?);
        if kept.len() >= MOST {
            kept.clear();
        }
        kept.insert(text.to_owned(), Arc::clone(&policy));
        Ok(policy)
    }
}
