//! A write that failed, and the time in which the server may still say why.

use std::time::{Duration, Instant};

use crate::transport;

/// How long the server may still say why a write failed.
const AFTER_FAILED_WRITE: Duration = Duration::from_secs(1);

/// A write that failed: what the server still says may explain it.
#[derive(Debug)]
pub struct FailedWrite {
    /// Why it failed.
    pub error: transport::Error,
    /// Until when the server may say why.
    pub until: Instant,
}

impl FailedWrite {
    /// A write that failed now.
    pub fn new(error: transport::Error, now: Instant) -> Self {
        Self { error, until: now + AFTER_FAILED_WRITE }
    }
}
