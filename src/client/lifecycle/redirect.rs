//! Redirects, where the user wants them followed: where they lead, and what may be said there.

use super::{Attempt, Lifecycle};
use crate::client::error::Error;
use crate::transport::redirect::{self, Redirects};
use crate::transport::{self};

/// What becomes of an error that may be a redirect.
pub enum Redirected {
    /// The attempt goes on at another address.
    To(Box<Attempt>),
    /// It is none that is followed.
    Not(Box<Attempt>, Error),
}

impl Lifecycle {
    /// Follows a redirect, if the error is one and they are followed at all.
    pub(super) fn follow(&mut self, mut attempt: Box<Attempt>, error: Error) -> Redirected {
        let is_redirected = attempt.redirects.is_some();
        let next = match error.root() {
            Error::Transport(transport::Error::Upgrade(refusal)) if self.policy.follow => {
                let here = &attempt.plan.endpoint;
                attempt.redirects.get_or_insert_with(|| Redirects::from(here)).next(refusal)
            }
            _ => None,
        };
        match next {
            None => {
                let to = attempt.plan.endpoint.to_string();
                let error = match error {
                    error if is_redirected => Error::Redirected { to, error: Box::new(error) },
                    error => error,
                };
                Redirected::Not(attempt, error)
            }
            Some(Err(error)) => Redirected::Not(attempt, Error::Transport(error.into())),
            Some(Ok(next)) => {
                if !redirect::keeps_credentials(&attempt.plan.endpoint, &next) {
                    self.withhold_credentials(&mut attempt, &next.host);
                }
                attempt.plan.endpoint = next;
                Redirected::To(attempt)
            }
        }
    }

    /// Credentials for one host are not for another.
    fn withhold_credentials(&mut self, attempt: &mut Attempt, host: &str) {
        let is_news = !std::mem::replace(&mut attempt.plan.withholds_credentials, true);
        if is_news && self.policy.has_credentials {
            self.warn(format!("redirected to {host}: user name and password are not sent there"));
        }
    }
}
