//! One worker per resource at a time.

use crate::journal::lock;
use quell_core::resource::ResourceRef;
use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use tokio::sync::OwnedMutexGuard;

/// A lock per resource, made when it is first asked for and dropped when nobody holds it.
#[derive(Debug, Default)]
pub struct Locks(Mutex<HashMap<ResourceRef, Arc<tokio::sync::Mutex<()>>>>);

impl Locks {
    /// Waits for the resource's turn; it is held until the guard is dropped.
    pub async fn take(&self, resource: &ResourceRef) -> OwnedMutexGuard<()> {
        let turn = {
            let mut turns = lock(&self.0);
            // Whoever holds or waits has a clone; the map alone means that nobody does.
            turns.retain(|_, it| 1 < Arc::strong_count(it));
            Arc::clone(turns.entry(resource.clone()).or_default())
        };
        turn.lock_owned().await
    }
}
