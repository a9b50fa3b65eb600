//! Redirects that are followed: where they lead, and whether credentials may be sent there.

use std::time::Instant;

use super::attempt::{AgainCause, ConnectPurpose};
use super::online::LONG_LIVED;
use super::{Action, AddressOrder, ConnectAttempt, CredentialUse, Lifecycle, State};
use crate::client::RedirectPolicy;
use crate::client::error::Error;
use crate::mqtt::reason::ReasonCode;
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
    pub(super) fn follow(
        &mut self,
        mut attempt: Box<ConnectAttempt>,
        error: Error,
        now: Instant,
    ) -> Redirected {
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
                attempt.lead_to(next, now);
                Redirected::To(attempt)
            }
        }
    }

    /// An error of the try that is under way, with the server that redirects have led it to.
    pub fn with_redirect(&self, error: Error) -> Error {
        match &self.state {
            State::Fetching(attempt)
            | State::Dialling(attempt)
            | State::Handshaking(attempt)
            | State::AwaitingConnack(attempt)
                if attempt.redirects.is_some() =>
            {
                redirected(attempt, error)
            }
            State::Idle
            | State::Fetching(_)
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
        if self.policy.redirects != RedirectPolicy::Follow {
            return None;
        }
        let ConnectAttempt { plan, redirects, .. } = attempt;
        let stations = redirects.get_or_insert_with(|| Redirects::from(&plan.endpoint));
        match error.root() {
            Error::Transport(transport::Error::Upgrade(refusal)) => stations.next(refusal),
            error => Some(stations.next_reference(server_reference(error)?)),
        }
    }

    /// Whether a DISCONNECT sends the client to another server that it may go to: the one that is
    /// named, or the next address.
    pub(super) fn is_sent_on(&self, error: &Error) -> bool {
        let is_named =
            self.policy.redirects == RedirectPolicy::Follow && server_reference(error).is_some();
        let Error::Disconnected(disconnect) = error else { return false };
        is_named || (names_another(disconnect.code) && self.policy.addresses.len() > 1)
    }

    /// Goes to the server that a DISCONNECT names, if that is followed (MQTT 5 §4.11).
    pub(super) fn follow_disconnect(
        &mut self,
        error: &Error,
        since: Instant,
        now: Instant,
    ) -> bool {
        let reference = server_reference(error).map(str::to_owned);
        let Some(reference) = reference.filter(|_| self.is_sent_on(error)) else { return false };
        let is_lasting = now.saturating_duration_since(since) >= LONG_LIVED;
        let stations = self.stations.take().filter(|_| !is_lasting);
        let mut stations = stations.unwrap_or_else(|| Redirects::from(&self.server));
        match stations.next_reference(&reference) {
            Ok(next) => self.dial_named(next, stations, error, now),
            Err(error) => self.fail(Error::Transport(error.into())),
        }
        true
    }

    fn dial_named(&mut self, next: Endpoint, stations: Redirects, error: &Error, now: Instant) {
        self.actions.push_back(Action::Drop);
        self.warn(format!("{}: {error}; going on at {next}", self.server));
        let purpose = ConnectPurpose::Again { since: now, attempts: 0, cause: AgainCause::Loss };
        let left = self.policy.addresses.len().saturating_sub(1);
        let round_ends = self.deadline_of(&purpose, now);
        let mut attempt = self.attempt(purpose, self.latest.address, left, round_ends, now);
        attempt.plan.credentials = self.latest.credentials;
        if !redirect::keeps_credentials(&self.server, &next) {
            self.withhold_credentials(&mut attempt, &next);
        }
        attempt.redirects = Some(stations);
        attempt.lead_to(next, now);
        self.dial(Box::new(attempt));
    }

    /// What identifies the user at one server is not for another. The user is told once, and again
    /// when a later redirect leads elsewhere.
    pub(super) fn withhold_credentials(&mut self, attempt: &mut ConnectAttempt, next: &Endpoint) {
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

impl ConnectAttempt {
    /// Goes on at a server to which this one has led, which has its share of the time if several
    /// were named.
    pub(super) fn lead_to(&mut self, next: Endpoint, now: Instant) {
        let others = self.redirects.as_ref().map_or(0, Redirects::others);
        if let Some(share) = u32::try_from(others).ok().filter(|others| *others > 0) {
            let left = self.round.own_end.saturating_duration_since(now);
            self.plan.deadline = now + left / (share + 1);
        }
        self.plan.order = AddressOrder::First;
        self.plan.endpoint = next;
    }
}

/// By this code a server sends its client to another one.
pub fn names_another(code: ReasonCode) -> bool {
    matches!(code, ReasonCode::USE_ANOTHER_SERVER | ReasonCode::SERVER_MOVED)
}

/// The server that a CONNACK or a DISCONNECT names instead of its own (MQTT 5 §4.11).
fn server_reference(error: &Error) -> Option<&str> {
    let (code, properties) = match error.root() {
        Error::Refused { connack, .. } => (connack.code, &connack.properties),
        Error::Disconnected(disconnect) => (disconnect.code, &disconnect.properties),
        _ => return None,
    };
    properties.server_reference().filter(|_| names_another(code)).map(|reference| &**reference)
}

fn redirected(attempt: &ConnectAttempt, error: Error) -> Error {
    let to = Box::new(attempt.plan.endpoint.clone());
    Error::Redirected { to, error: Box::new(error) }
}
