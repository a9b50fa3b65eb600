//! How a stream becomes a WebSocket: TLS, the request, and the answer to it.

use std::io::{self, Read, Write};

use super::open::Open;
use super::tls::TlsError;
use super::{Error, HandshakeStage, Phase, Transport};
use crate::websocket::upgrade::{self, AcceptedUpgrade, Offer, Response, UpgradeError};

impl Transport {
    /// Advances TLS and upgrade as far as the delivered bytes allow. Returns the phase.
    pub fn advance(&mut self) -> Result<Phase, Error> {
        loop {
            let moved = match &self.stage {
                HandshakeStage::Security => self.advance_tls()?,
                HandshakeStage::Upgrade(_) => self.advance_upgrade()?,
                HandshakeStage::Open(_) => return Ok(Phase::Open),
            };
            if !moved {
                let phase = self.phase();
                return self.stalled(phase).map(|()| phase);
            }
        }
    }

    pub(super) fn phase(&self) -> Phase {
        match self.stage {
            HandshakeStage::Security => Phase::Tls,
            HandshakeStage::Upgrade(_) => Phase::Upgrade,
            HandshakeStage::Open(_) => Phase::Open,
        }
    }

    fn advance_tls(&mut self) -> Result<bool, Error> {
        match self.stream.handshake() {
            Ok(true) => {}
            Ok(false) => return Ok(false),
            Err(error) => {
                if let Some(certificate) = self.stream.presented() {
                    self.log.note(format_args!("* certificate: {certificate}"));
                }
                return Err(error);
            }
        }
        self.info.tls = self.stream.info();
        self.info.key_log_failure = self.stream.key_log_failure();
        if let Some(info) = &self.info.tls {
            self.log.tls(info);
        }
        if self.log.is_wanted() {
            self.log_request();
        }
        self.stage = HandshakeStage::Upgrade(Response::to(&self.offer));
        let request = self.offer.request.as_bytes();
        let sent = self.stream.write_all(request).and_then(|()| self.stream.flush());
        match sent {
            Ok(()) => Ok(true),
            Err(source) => Err(Error::from_stream(Phase::Upgrade, source)),
        }
    }

    fn advance_upgrade(&mut self) -> Result<bool, Error> {
        let HandshakeStage::Upgrade(answer) = &mut self.stage else { return Ok(false) };
        let mut buffer = [0; 4096];
        let accepted = match self.stream.read(&mut buffer) {
            Ok(0) => Err(answer.end()),
            Ok(count) => answer.feed(&buffer[..count], &self.offer),
            Err(error) => match error.kind() {
                io::ErrorKind::WouldBlock => {
                    let drained = answer.drained().map(|()| false);
                    return drained.map_err(|error| refused(error, &self.offer));
                }
                io::ErrorKind::ConnectionReset | io::ErrorKind::ConnectionAborted => {
                    Err(match answer.end() {
                        UpgradeError::Closed => UpgradeError::Reset,
                        error => error,
                    })
                }
                _ => return Err(Error::from_stream(Phase::Upgrade, error)),
            },
        };
        if self.log.is_wanted() {
            self.log_answer();
        }
        match accepted {
            Ok(Some(accepted)) => self.open(accepted),
            Ok(None) => {}
            Err(error) => return Err(self.not_upgraded(error)),
        }
        Ok(true)
    }

    /// The error of an upgrade that failed, with what TLS has shown before.
    fn not_upgraded(&self, error: UpgradeError) -> Error {
        let is_mute = matches!(error, UpgradeError::Closed | UpgradeError::Reset);
        let is_no_answer = is_mute || matches!(error, UpgradeError::NotHttp(_));
        if is_mute && self.stream.lacks_certificate() {
            TlsError::ClientCertificateMissed.into()
        } else if is_no_answer && self.has_chosen_http2() {
            UpgradeError::Http2Chosen.into()
        } else {
            refused(error, &self.offer)
        }
    }

    pub(super) fn has_chosen_http2(&self) -> bool {
        let alpn = self.info.tls.as_ref().and_then(|tls| tls.alpn.as_deref());
        alpn.is_some_and(|name| name.starts_with("h2"))
    }

    #[cold]
    fn log_request(&mut self) {
        self.info.request = upgrade::masked(&self.offer.request);
        self.log.head('>', &self.info.request);
    }

    /// Logs the head of the response once it is complete.
    #[cold]
    fn log_answer(&mut self) {
        let HandshakeStage::Upgrade(answer) = &self.stage else { return };
        let head = self.offer.echo.masked(&upgrade::masked(answer.head()));
        if head != self.info.answer {
            self.log.head('<', &head);
            self.info.answer = head;
        }
    }

    /// Begins the WebSocket after a successful upgrade.
    fn open(&mut self, accepted: AcceptedUpgrade) {
        self.info.subprotocol = accepted.subprotocol;
        self.info.warnings = accepted.warnings;
        self.stream.give_back(accepted.leftover);
        let log = self.log.is_wanted();
        self.stage = HandshakeStage::Open(Box::new(Open::new(self.max_message, self.framing, log)));
    }

    /// Reports a failed write once all delivered bytes are read. A peer that no longer reads will
    /// not send anything either. One that has closed shows as the end of the stream, and what it
    /// sent before explains more than the failed write.
    pub(super) fn stalled(&self, phase: Phase) -> Result<(), Error> {
        match self.stream.wire().write_error() {
            Some(error) if error.kind() == io::ErrorKind::TimedOut => {
                Err(Error::Io { phase, source: io::ErrorKind::TimedOut.into() })
            }
            _ => Ok(()),
        }
    }

    /// The time is up. Returns an error that explains more than "timed out", such as a refusal with
    /// half a body.
    pub fn expire(&mut self) -> Option<Error> {
        match &mut self.stage {
            HandshakeStage::Upgrade(answer) => match answer.expire() {
                Err(error) => Some(self.not_upgraded(error)),
                Ok(()) if self.has_chosen_http2() => Some(UpgradeError::Http2Chosen.into()),
                Ok(()) => None,
            },
            HandshakeStage::Security => {
                self.stream.other_protocol().map(|other| TlsError::NotTls(other).into())
            }
            HandshakeStage::Open(_) => None,
        }
    }
}

/// Adds the path and query of the request to a refusal.
fn refused(mut error: UpgradeError, offer: &Offer) -> Error {
    if let UpgradeError::Status(refusal) = &mut error {
        offer.target().clone_into(&mut refusal.target);
    }
    error.into()
}
