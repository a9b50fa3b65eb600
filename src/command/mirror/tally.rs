//! What was mirrored, and the line about it.

use crate::format::count::count;

/// Counts of messages.
#[derive(Debug, Default, Clone, Copy)]
pub struct MirrorTally {
    /// Those that were taken from the source to be passed on.
    pub taken: u64,
    /// Those that the target has acknowledged or, at QoS 0, was sent.
    pub mirrored: u64,
    /// The payloads of these, in bytes.
    pub bytes: u64,
    /// Those that the target has refused, or that cannot be passed on.
    pub refused: u64,
    /// Those that have expired before they could be sent.
    pub expired: u64,
}

impl MirrorTally {
    /// Whether as many messages were taken as are wanted.
    pub fn taken_is(&self, wanted: Option<u64>) -> bool {
        wanted.is_some_and(|wanted| self.taken >= wanted)
    }

    /// The target has this many bytes of a message.
    pub fn add(&mut self, length: usize) {
        self.mirrored += 1;
        self.bytes += length as u64;
    }

    /// The line at the end; `unfinished` messages are left to the source.
    pub fn line(&self, early: Option<&str>, unfinished: u64) -> String {
        let early = early.map(|why| format!("{why}: ")).unwrap_or_default();
        let (messages, bytes) = (count(self.mirrored, "message"), count(self.bytes, "byte"));
        let refused = match self.refused {
            0 => String::new(),
            refused => format!("; {refused} refused"),
        };
        let expired = match self.expired {
            0 => String::new(),
            expired => format!("; {expired} expired"),
        };
        let unfinished = match unfinished {
            0 => String::new(),
            unfinished => format!("; {unfinished} not finished"),
        };
        format!("{early}mirrored {messages}, {bytes}{refused}{expired}{unfinished}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_names_what_did_not_go_well() {
        let mut tally = MirrorTally::default();
        tally.add(5);
        assert_eq!(tally.line(None, 0), "mirrored 1 message, 5 bytes");
        tally.refused = 2;
        tally.expired = 4;
        let line = tally.line(Some("interrupted"), 3);
        assert_eq!(
            line,
            "interrupted: mirrored 1 message, 5 bytes; 2 refused; 4 expired; 3 not finished"
        );
    }
}
