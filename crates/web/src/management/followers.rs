//! How many may follow logs at once on this node: each holds a connection, and asks the database once a second.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use model::TenantId;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

const FOLLOWERS: usize = 256;
const FOLLOWERS_OF_TENANT: usize = 16;

/// The places.
#[derive(Debug)]
pub(crate) struct Followers {
    all: Arc<Semaphore>,
    tenants: Mutex<HashMap<TenantId, Arc<Semaphore>>>,
}

impl Default for Followers {
    fn default() -> Self {
        Self { all: Arc::new(Semaphore::new(FOLLOWERS)), tenants: Mutex::default() }
    }
}

impl Followers {
    /// A place of the tenant's and one of all, until they are dropped.
    pub(super) fn place(&self, tenant: &TenantId) -> Option<[OwnedSemaphorePermit; 2]> {
        let own = {
            let mut tenants = self.tenants.lock().unwrap_or_else(PoisonError::into_inner);
            // Nobody of theirs follows.
            tenants.retain(|_, places| places.available_permits() < FOLLOWERS_OF_TENANT);
            let places = tenants
                .entry(tenant.clone())
                .or_insert_with(|| Arc::new(Semaphore::new(FOLLOWERS_OF_TENANT)));
            Arc::clone(places).try_acquire_owned().ok()?
        };
        Some([own, Arc::clone(&self.all).try_acquire_owned().ok()?])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tenant_has_so_many_places_whatever_others_have() {
        let (followers, [acme, other]) = (Followers::default(), ["acme", "other"].map(TenantId::new));
        let mut taken: Vec<_> = (0..FOLLOWERS_OF_TENANT).map(|_| followers.place(&acme).unwrap()).collect();
        assert!(followers.place(&acme).is_none());
        assert!(followers.place(&other).is_some());
        taken.pop();
        assert!(followers.place(&acme).is_some());
    }
}
