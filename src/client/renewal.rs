//! Asks for credentials that may change, and leaves a connection whose credentials end.

use std::time::{Duration, Instant};

use super::credentials::FreshCredentials;
use super::lifecycle::{ConnectionInput, CredentialChange, CredentialUse, Fetched, renewal_time};
use super::{Client, Error, Step};
use crate::transport::endpoint::Endpoint;
use crate::transport::tls::{TlsConfig, TlsSetupError};

impl Client {
    /// Asks for the credentials of this server.
    #[cold]
    #[inline(never)]
    pub(super) fn fetch(&mut self, endpoint: Endpoint) {
        let Some(source) = &mut self.options.credentials else { return };
        // A command may do anything, and a file may be a pipe.
        self.events.guard();
        source.asked = Some(Instant::now());
        if let Err(error) = self.events.fetch(source, endpoint) {
            self.feed(ConnectionInput::FetchFailed(Error::Local(error)));
        }
    }

    /// The credentials came, or did not.
    #[cold]
    #[inline(never)]
    pub(super) fn fetched(&mut self, fetched: Result<FreshCredentials, String>) {
        let Some(source) = &mut self.options.credentials else { return };
        let fresh = match fetched {
            Ok(fresh) => fresh,
            Err(words) => {
                return self.feed(ConnectionInput::FetchFailed(Error::Credentials(words)));
            }
        };
        let is_same = source.mark.replace(fresh.mark) == Some(fresh.mark);
        let change = if is_same { CredentialChange::Same } else { CredentialChange::Other };
        let renew_at = source.asked.zip(fresh.lifetime);
        let renew_at = renew_at.and_then(|(asked, lifetime)| renewal_time(asked, lifetime));
        self.session.set_login(fresh.login);
        self.options.upgrade.headers = fresh.headers;
        let endpoint = fresh.endpoint;
        self.feed(ConnectionInput::Fetched(Fetched { endpoint, change, renew_at }));
    }

    /// The error of credentials that did not come within `after`.
    #[cold]
    #[inline(never)]
    pub(super) fn late_credentials(&self, after: Duration) -> Error {
        let tried = self.options.credentials.as_ref().map(|source| source.described());
        Error::ConnectTimedOut { step: Step::Credentials, after, tried }
    }

    /// TLS with what its files hold now; with what they held at first where they can be read only
    /// once, such as pipes.
    pub(super) fn tls_config(&mut self, server: CredentialUse) -> Result<TlsConfig, TlsSetupError> {
        let options = &self.options.tls;
        let config = if let Some(config) = &self.tls_of_pipes {
            TlsConfig::clone(config)
        } else {
            let config = TlsConfig::new(options)?;
            if options.reads_pipes() {
                self.tls_of_pipes = Some(Box::new(config.clone()));
            }
            config
        };
        Ok(match server {
            CredentialUse::Send => config,
            CredentialUse::Withhold => config.for_another_server(),
        })
    }

    /// Ends the connection that is to be renewed once nothing is under way in its session.
    #[cold]
    #[inline(never)]
    pub(super) fn finish_for_renewal(&mut self) {
        self.session.stop_taking_for_renewal();
        if self.session.is_quiet() && self.pending.is_empty() {
            self.feed(ConnectionInput::Quiet);
            self.perform();
        }
    }

    /// DISCONNECT and Close follow what waits; the session stays at the server.
    #[cold]
    #[inline(never)]
    pub(super) fn leave(&mut self) {
        self.session.leave();
        self.send_disconnect();
    }
}
