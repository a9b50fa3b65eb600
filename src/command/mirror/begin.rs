//! The beginning of a mirror: the source has answered SUBSCRIBE.

use std::time::Instant;

use anyhow::Result;

use super::Mirror;
use crate::exit::Exit;
use crate::mqtt::packet::SubAck;

impl Mirror {
    /// Reports the filters that were refused. When all were, that is the end.
    pub(super) fn subscribed(&mut self, suback: &SubAck) -> Result<Option<Exit>> {
        let refused = self.subscriptions.report(suback, self.verbosity);
        if refused > 0 {
            self.note(Exit::Denied);
        }
        let all = refused == self.subscriptions.count();
        if all || (refused > 0 && self.start.needs_all()) {
            return Ok(Some(Exit::Denied));
        }
        self.granted()
    }

    /// The source has answered the first SUBSCRIBE: whoever waits for that is told.
    fn granted(&mut self) -> Result<Option<Exit>> {
        self.times.latest = Instant::now();
        if !self.subscriptions.answered() {
            return Ok(None);
        }
        self.times.ends = self.times.end.after.and_then(|after| Instant::now().checked_add(after));
        let (status, remote) = (self.source.at_server("Mirroring from"), self.source.remote());
        self.start.begin(&status.to_string(), move || remote.wake())?;
        Ok(None)
    }
}
