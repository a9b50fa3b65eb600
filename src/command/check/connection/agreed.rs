//! What was agreed on beside frames: TLS and compression.

use bytes::Bytes;

use super::Link;
use crate::command::check::finding::{StreamEnd, Verdict};
use crate::command::check::journal::Journal;
use crate::transport::tls::CertificateDer;

impl Link {
    /// The certificates that the server has sent, its own first.
    pub fn certificates(&self) -> &[CertificateDer<'static>] {
        self.stream.certificates()
    }

    /// Whether compression was agreed to.
    pub fn may_compress(&self) -> bool {
        self.frames.may_compress
    }

    /// A piece of a compressed message as it was; nothing once a piece could not be read.
    pub(super) fn inflated(&mut self, payload: &[u8], ends: bool) -> Bytes {
        if self.inflate_error.is_some() {
            return Bytes::new();
        }
        match self.inflater.feed(payload, ends) {
            Ok(plain) => plain.into(),
            Err(words) => {
                self.inflate_error = Some(words);
                Bytes::new()
            }
        }
    }

    /// Notes whether the server ended TLS in order after it was told to (RFC 8446 §6.1).
    pub(super) fn note_end_of_tls(&self, how: StreamEnd, journal: &mut Journal) {
        if !self.has_said_goodbye || self.tls().is_none() {
            return;
        }
        let bare = match how {
            StreamEnd::Fin if !self.stream.is_truncated() => None,
            StreamEnd::Fin => Some("FIN without close_notify"),
            StreamEnd::Reset | StreamEnd::BrokenTls => Some("RST without close_notify"),
        };
        let verdict = bare.map_or(Verdict::Pass, |_| Verdict::Warn);
        journal.observe("tls-close-notify", None, verdict, bare.unwrap_or_default());
    }
}
