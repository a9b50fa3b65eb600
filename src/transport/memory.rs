//! Gives back memory that an idle connection does not need.

use super::{HandshakeStage, Transport};

impl Transport {
    /// Gives back the buffers in which nothing waits, and the heads of the upgrade, which
    /// [`Transport::info`] then has no more.
    pub fn release_memory(&mut self) {
        if let HandshakeStage::Open(open) = &mut self.stage {
            open.release_memory();
            (self.info.request, self.info.answer) = (String::new(), String::new());
        }
    }
}
