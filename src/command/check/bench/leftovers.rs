//! What the run would leave behind at the server: it is removed at the end.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;

use crate::mqtt::version::Version;

/// A session that outlives its connection: its version and its client id.
type KeptSession = (Version, Bytes);

/// The retained messages and the sessions that the run has made. Copies are of the same list, so
/// that what a point has left is known also if a fault of this program ends it.
#[derive(Debug, Clone, Default)]
pub struct Leftovers(Arc<Mutex<LeftoverList>>);

#[derive(Debug, Default)]
struct LeftoverList {
    /// Topics at which we have left a retained message.
    retained: Vec<String>,
    /// Our sessions that outlive their connection.
    sessions: Vec<KeptSession>,
}

impl Leftovers {
    /// We have left a retained message at this topic.
    pub fn add_retained(&self, topic: &str) {
        let mut list = self.list();
        if !list.retained.iter().any(|known| known == topic) {
            list.retained.push(topic.to_owned());
        }
    }

    /// This session outlives its connection.
    pub fn add_session(&self, version: Version, client_id: impl Into<Bytes>) {
        let session = (version, client_id.into());
        let mut list = self.list();
        if !list.sessions.contains(&session) {
            list.sessions.push(session);
        }
    }

    /// The topics of retained messages, which are no longer remembered.
    pub fn take_retained(&self) -> Vec<String> {
        std::mem::take(&mut self.list().retained)
    }

    /// The sessions, which are no longer remembered.
    pub fn take_sessions(&self) -> Vec<KeptSession> {
        std::mem::take(&mut self.list().sessions)
    }

    fn list(&self) -> MutexGuard<'_, LeftoverList> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
