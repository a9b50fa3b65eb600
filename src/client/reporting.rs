//! The lines about a connection: notes, warnings, and the log of packets and frames.

use super::Client;
use super::connection::Connection;

impl Client {
    /// Warns of what was tolerated in the upgrade.
    pub(super) fn warn_of_tolerated(&self) {
        if let Some(connection) = &self.connection
            && !self.lifecycle.is_ending_session()
        {
            connection.warnings().iter().for_each(|line| self.warn(line));
        }
    }

    /// Warns of TLS secrets that were not written, once for all connections.
    pub(super) fn warn_of_key_log(&mut self) {
        let failure = self.connection.as_ref().and_then(Connection::key_log_failure);
        if let Some(failure) = failure
            && self.key_log_failure.is_none()
        {
            let failure = failure.to_owned();
            self.warn(&failure);
            self.key_log_failure = Some(failure);
        }
    }

    pub(super) fn note(&self, line: &str) {
        self.guard();
        (self.options.lines.note)(line);
    }

    /// Writing a warning may block: stderr may be a pipe that is not read.
    pub(super) fn warn(&self, line: &str) {
        self.guard();
        (self.options.lines.warn)(line);
    }

    /// Warns of what the session has taken although it is against the protocol.
    pub(super) fn tell_deviations(&mut self) {
        while let Some(deviation) = self.session.next_deviation() {
            self.warn(&deviation.to_string());
        }
    }

    /// Writes the log: packets before the frames that carry them.
    pub(super) fn trace(&mut self) {
        while let Some(line) = self.session.traced() {
            (self.options.lines.trace)(&self.masked(line));
        }
        self.trace_transport();
    }

    /// A line about a packet without our secrets, which the server may repeat in its reasons. A
    /// message is shown as it is.
    fn masked(&self, line: String) -> String {
        match line.split_once(" received ") {
            Some((client, packet)) if !packet.starts_with("PUBLISH") => {
                format!("{client} received {}", self.echo.masked(packet))
            }
            _ => line,
        }
    }

    pub(super) fn trace_transport(&mut self) {
        while self.options.lines.log
            && let Some(line) = self.connection.as_mut().and_then(Connection::traced)
        {
            (self.options.lines.trace)(&line);
        }
    }
}
