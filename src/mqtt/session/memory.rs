//! Gives back memory that an idle session does not need.

use super::Session;

impl Session {
    /// Gives back the buffers in which nothing waits.
    pub fn release_memory(&mut self) {
        self.receiver.decoder.release_memory();
        self.outbox.release_memory();
    }
}
