//! Redirects, where the user wants them followed: one attempt after the other, and what may be said
//! to whom.

use std::time::Instant;

use super::{Client, Error, Established};
use crate::mqtt::packet::Credentials;
use crate::mqtt::version::Version;
use crate::transport;
use crate::transport::redirect::{self, Redirects};

impl Client {
    /// One attempt to connect, and as many as redirects ask for.
    pub(super) fn attempt_following(
        &mut self,
        options: &transport::Options,
        version: Version,
        deadline: Instant,
    ) -> Result<Established, Error> {
        self.session.withhold_credentials(false);
        let mut error = match self.attempt(options, version, deadline) {
            Err(error) if self.options.follow => error,
            result => return result,
        };
        let mut way = Redirects::from(&options.endpoint);
        let mut options = options.clone();
        loop {
            let Error::Transport(transport::Error::Upgrade(refusal)) = error.root() else {
                return Err(error);
            };
            let Some(next) = way.next(refusal) else { return Err(error) };
            let next = next.map_err(|error| Error::Transport(error.into()))?;
            if !redirect::keeps_credentials(&options.endpoint, &next) {
                options.headers.retain(|(name, _)| !redirect::is_for_one_host(name));
                self.withhold_credentials(&next.host);
            }
            options.endpoint = next;
            match self.attempt(&options, version, deadline) {
                Ok(established) => return Ok(established),
                Err(inner) => {
                    let to = options.endpoint.to_string();
                    error = Error::Redirected { to, error: Box::new(inner) };
                }
            }
        }
    }

    /// What proves who we are to one host is not for another.
    fn withhold_credentials(&mut self, host: &str) {
        let config = self.session.config();
        let has_credentials = config.login.credentials != Credentials::default()
            || config.login.authentication.is_some();
        if has_credentials && self.session.withhold_credentials(true) {
            self.warn(&format!("redirected to {host}: user name and password are not sent there"));
        }
    }
}
