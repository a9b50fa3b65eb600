//! The end of a run: nothing is left behind.

use std::time::Duration;

use super::{Bench, RunStage};

/// How long cleaning up may take for each connection.
const CLEANING: Duration = Duration::from_secs(1);

impl Bench {
    /// Ends all connections, clears retained messages, ends sessions. Also after a signal, and then
    /// quickly.
    pub fn clean_up(&mut self) {
        self.interrupts.stage = RunStage::CleaningUp;
        self.connections.shared = None;
        for conn in self.connections.all() {
            self.close(conn);
        }
        self.begin_as("clean-up", None);
        self.patience = self.patience.min(CLEANING);
        self.clear_all_retained();
        self.end_sessions();
        self.interrupts.stage = RunStage::Asking;
    }

    fn clear_all_retained(&mut self) {
        let retained = self.leftovers.take_retained();
        if retained.is_empty() {
            return;
        }
        let Ok(conn) = self.on() else { return };
        for topic in retained {
            // What the server does not take cannot be cleared.
            let _ = self.clear_retained(conn, &topic);
        }
        self.close(conn);
    }

    fn end_sessions(&mut self) {
        for (version, client_id) in self.leftovers.take_sessions() {
            self.asked.version = Some(version);
            let mut connect = self.connect_packet(version);
            let Ok(client_id) = bytestring::ByteString::try_from(client_id) else { continue };
            connect.client_id = client_id;
            if let Ok(conn) = self.on_with(connect) {
                self.close(conn);
            }
        }
    }
}
