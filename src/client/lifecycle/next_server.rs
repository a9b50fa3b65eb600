//! Which server is tried when one fails. First come the other addresses of its name, then the other
//! servers that were named with it, and then the next address.

use std::time::Instant;

use super::round::Round;
use super::{Action, AddressOrder, ConnectAttempt, ConnectPurpose, CredentialUse, Lifecycle};
use crate::client::error::Error;
use crate::transport::endpoint::Endpoint;
use crate::transport::redirect::{self, Redirects};

/// The attempt and its error, where there is nothing more to try.
type Unchanged = (Box<ConnectAttempt>, Error);

impl Lifecycle {
    /// The error of a first try is that of this address.
    pub(super) fn failed_at(&mut self, address: usize, purpose: &ConnectPurpose) {
        if self.policy.addresses.len() > 1 && matches!(purpose, ConnectPurpose::First { .. }) {
            self.server.clone_from(self.policy.address(address));
        }
    }

    /// Tries the next server, if there is one and it may do better.
    #[cold]
    #[inline(never)]
    pub(super) fn try_next(
        &mut self,
        mut attempt: Box<ConnectAttempt>,
        error: Error,
        now: Instant,
    ) -> Result<(), Unchanged> {
        if !error.may_be_of_one_server() {
            return Err((attempt, error));
        }
        let has_time = now < attempt.round.own_end;
        if has_time && attempt.round.untried > 0 {
            self.try_rest_of_name(*attempt, error, now);
            return Ok(());
        }
        let named = attempt.redirects.as_mut().filter(|_| has_time).and_then(Redirects::another);
        if let Some(named) = named {
            self.try_named(*attempt, named, error, now);
        } else if attempt.round.left > 0 {
            self.try_next_address(*attempt, error, now);
        } else {
            return Err((attempt, error));
        }
        Ok(())
    }

    /// Another address of the same name.
    fn try_rest_of_name(&mut self, attempt: ConnectAttempt, error: Error, now: Instant) {
        let server = &attempt.plan.endpoint;
        let line = format!("{server}: {error}; trying another address of {}", server.host);
        self.actions.push_back(Action::Trace(line));
        let ConnectAttempt { purpose, mut round, plan, redirects, .. } = attempt;
        let furthest = Some(round.furthest_with(error));
        let mut next = self.attempt(purpose, round.address, round.left, round.ends, now);
        next.round.furthest = furthest;
        if redirects.is_some() {
            next.redirects = redirects;
            next.plan.credentials = plan.credentials;
            next.lead_to(plan.endpoint, now);
            next.plan.order = AddressOrder::Untried;
            return self.dial(Box::new(next));
        }
        next.plan.order = AddressOrder::Untried;
        self.start(next);
    }

    /// Another of the servers that one reference names.
    fn try_named(&mut self, attempt: ConnectAttempt, to: Endpoint, error: Error, now: Instant) {
        self.tell_of_next(&attempt.purpose, &attempt.plan.endpoint, &error, &to);
        let ConnectAttempt { purpose, mut round, plan, redirects, .. } = attempt;
        let furthest = Some(round.furthest_with(error));
        let mut next = self.attempt(purpose, round.address, round.left, round.ends, now);
        next.round = Round { furthest, ..round };
        next.redirects = redirects;
        next.plan.credentials = plan.credentials;
        next.plan.deadline = next.round.own_end;
        let by = next.redirects.as_ref().and_then(Redirects::named_by);
        let keeps = by.is_some_and(|by| redirect::keeps_credentials(by, &to));
        if plan.credentials == CredentialUse::Withhold || !keeps {
            self.withhold_credentials(&mut next, &to);
        }
        next.lead_to(to, now);
        self.dial(Box::new(next));
    }

    fn try_next_address(&mut self, attempt: ConnectAttempt, error: Error, now: Instant) {
        let ConnectAttempt { purpose, mut round, .. } = attempt;
        let address = (round.address + 1) % self.policy.addresses.len();
        let (here, there) = (self.policy.address(round.address), self.policy.address(address));
        self.tell_of_next(&purpose, &here.clone(), &error, &there.clone());
        let left = round.left - 1;
        let furthest = Some(round.furthest_with(error));
        let mut next = self.attempt(purpose, address, left, round.ends, now);
        next.round.furthest = furthest;
        self.start(next);
    }

    fn tell_of_next(
        &mut self,
        purpose: &ConnectPurpose,
        here: &Endpoint,
        error: &Error,
        there: &Endpoint,
    ) {
        let line = format!("{here}: {error}; trying {there}");
        match purpose {
            ConnectPurpose::First { attempts: 0 } => self.warn(line),
            ConnectPurpose::First { .. }
            | ConnectPurpose::Again { .. }
            | ConnectPurpose::EndSession(_) => self.actions.push_back(Action::Trace(line)),
        }
    }
}
