//! What the run would leave behind at the server: it is removed at the end.

use bytes::Bytes;

use crate::mqtt::version::Version;

/// The retained messages and the sessions that the run has made.
#[derive(Debug, Default)]
pub struct Leftovers {
    /// Topics at which we have left a retained message.
    pub retained: Vec<String>,
    /// Our sessions that outlive their connection, by version and client id.
    pub sessions: Vec<(Version, Bytes)>,
}

impl Leftovers {
    /// We have left a retained message at this topic.
    pub fn add_retained(&mut self, topic: &str) {
        if !self.retained.iter().any(|known| known == topic) {
            self.retained.push(topic.to_owned());
        }
    }

    /// This session outlives its connection.
    pub fn add_session(&mut self, version: Version, client_id: impl Into<Bytes>) {
        let session = (version, client_id.into());
        if !self.sessions.contains(&session) {
            self.sessions.push(session);
        }
    }
}
