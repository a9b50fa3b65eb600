//! Redirects that are followed: where they lead, and whether credentials may be sent there.

use super::{ConnectAttempt, CredentialUse, Lifecycle, State};
use crate::client::RedirectPolicy;
use crate::client::error::Error;
use crate::transport;
use crate::transport::endpoint::Endpoint;
use crate::transport::proxy::place;
use crate::transport::redirect::{self, RedirectError, Redirects};

/// Whether an error is a redirect that is followed.
pub enum Redirected {
    /// The attempt goes on at another address.
    To(Box<ConnectAttempt>),
    /// It is none that is followed.
    Not(Box<ConnectAttempt>, Error),
}

impl Lifecycle {
    /// Follows a redirect, if the error is one and they are followed at all.
    pub(super) fn follow(&mut self, mut attempt: Box<ConnectAttempt>, error: Error) -> Redirected {
        let is_redirected = attempt.redirects.is_some();
        match self.next_server(&mut attempt, &error) {
            None if is_redirected => {
                let error = redirected(&attempt, error);
                Redirected::Not(attempt, error)
            }
            None => Redirected::Not(attempt, error),
            Some(Err(error)) => Redirected::Not(attempt, Error::Transport(error.into())),
            Some(Ok(next)) => {
                if !redirect::keeps_credentials(&attempt.plan.endpoint, &next) {
                    self.withhold_credentials(&mut attempt, &next);
                }
                attempt.plan.endpoint = next;
                Redirected::To(attempt)
            }
        }
    }

    /// An error of the try that is under way, with the server that redirects have led it to.
    pub fn with_redirect(&self, error: Error) -> Error {
        match &self.state {
            State::Dialling(attempt)
            | State::Handshaking(attempt)
            | State::AwaitingConnack(attempt)
                if attempt.redirects.is_some() =>
            {
                redirected(attempt, error)
            }
            State::Idle
            | State::Dialling(_)
            | State::Handshaking(_)
            | State::AwaitingConnack(_)
            | State::Online(_)
            | State::Backoff(_)
            | State::ReplacingSession(..)
            | State::Closing(_)
            | State::Closed => error,
        }
    }

    /// Where the error leads, if it is a redirect that is followed.
    fn next_server(
        &self,
        attempt: &mut ConnectAttempt,
        error: &Error,
    ) -> Option<Result<Endpoint, RedirectError>> {
        let Error::Transport(transport::Error::Upgrade(refusal)) = error.root() else {
            return None;
        };
        if self.policy.redirects != RedirectPolicy::Follow {
            return None;
        }
        let here = &attempt.plan.endpoint;
        attempt.redirects.get_or_insert_with(|| Redirects::from(here)).next(refusal)
    }

    /// What identifies the user at one server is not for another. The user is told once, and again
    /// when a later redirect leads elsewhere.
    fn withhold_credentials(&mut self, attempt: &mut ConnectAttempt, next: &Endpoint) {
        attempt.plan.credentials = CredentialUse::Withhold;
        let place = place(&next.host, next.port);
        if self.policy.identifying.is_empty() || self.withheld_from.as_ref() == Some(&place) {
            return;
        }
        let what = self.policy.identifying.join(", ");
        self.warn(format!("redirected to another server, {place}; withheld from it: {what}"));
        self.withheld_from = Some(place);
    }
}

fn redirected(attempt: &ConnectAttempt, error: Error) -> Error {
    let to = Box::new(attempt.plan.endpoint.clone());
    Error::Redirected { to, error: Box::new(error) }
}
