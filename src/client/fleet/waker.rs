//! What wakes the loop of a fleet from another thread.

use std::io;
use std::sync::Arc;

use mio::{Registry, Token, Waker};

/// What wakes a fleet that waits.
#[derive(Debug, Clone)]
pub struct FleetWaker(Arc<Waker>);

impl FleetWaker {
    pub(super) fn new(registry: &Registry, token: Token) -> io::Result<Self> {
        Waker::new(registry, token).map(|waker| Self(Arc::new(waker)))
    }

    /// Ends the wait of the fleet, or its next one.
    pub fn wake(&self) {
        // It fails only if it was rung so often that the fleet is awake in any case.
        let _ = self.0.wake();
    }
}
