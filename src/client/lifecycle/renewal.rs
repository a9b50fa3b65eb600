//! Credentials that change while the program runs: they are asked for before a connection is made,
//! compared with those that a server has refused, and replaced before they end.

use std::time::{Duration, Instant};

use super::attempt::{AgainCause, ConnectPurpose};
use super::close::Closing;
use super::{Action, ConnectAttempt, CredentialsAsked, Lifecycle, State};
use crate::client::error::{Error, Step};
use crate::mqtt::reason::ReasonCode;
use crate::transport;
use crate::transport::endpoint::Endpoint;
use crate::transport::tls::TlsError;
use crate::websocket::upgrade::UpgradeError;

/// For how long other credentials are looked for after a refusal.
const SEARCH: Duration = Duration::from_secs(3);

/// A connection is renewed so long before its credentials end, at the most; those that last shortly
/// leave a quarter of their time.
const LONGEST_MARGIN: Duration = Duration::from_secs(60);

/// A connection lasts so long before it is renewed, at the least.
const SHORTEST_TIME: Duration = Duration::from_millis(100);

/// Whether credentials are other ones than those before them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CredentialChange {
    /// They are the same.
    Same,
    /// They are other ones, or there were none before.
    Other,
}

/// What came of asking for credentials.
#[derive(Debug)]
pub struct Fetched {
    /// The server that they are for, where `--url-command` names it.
    pub endpoint: Option<Endpoint>,
    /// Whether they have changed.
    pub change: CredentialChange,
    /// When the connection that is made with them has to be renewed.
    pub renew_at: Option<Instant>,
}

/// When a connection has to be renewed whose credentials were asked for at `began` and last so
/// long.
pub fn renewal_time(began: Instant, lifetime: Duration) -> Option<Instant> {
    let margin = (lifetime / 4).min(LONGEST_MARGIN);
    began.checked_add(lifetime.saturating_sub(margin).max(SHORTEST_TIME))
}

/// What is known of credentials that change.
#[derive(Debug, Default)]
pub struct Renewals {
    /// Why a server has refused the latest ones, and until when others are looked for.
    refused: Option<(Error, Instant)>,
    /// When the connection that is made next has to be renewed.
    next: Option<Instant>,
    stage: RenewalStage,
}

/// How far the renewal of the current connection has come.
#[derive(Debug, Default)]
enum RenewalStage {
    /// It is not due, or never.
    #[default]
    None,
    /// It begins at this time; so many times before asking has failed.
    At(Instant, u32),
    /// Credentials are being asked for; so many times before that has failed.
    Asking(u32),
    /// They are known: what is under way comes to its end.
    Finishing,
}

impl Renewals {
    /// A connection was accepted.
    pub fn connected(&mut self) {
        self.refused = None;
        self.stage = self.next.take().map_or(RenewalStage::None, |at| RenewalStage::At(at, 0));
    }

    /// The connection has ended.
    pub fn disconnected(&mut self) {
        self.stage = RenewalStage::None;
    }

    /// When the renewal begins.
    pub fn deadline(&self) -> Option<Instant> {
        match self.stage {
            RenewalStage::At(at, _) => Some(at),
            RenewalStage::None | RenewalStage::Asking(_) | RenewalStage::Finishing => None,
        }
    }
}

impl Lifecycle {
    /// Begins a try: asks for credentials if need be, and dials.
    pub(super) fn start(&mut self, attempt: ConnectAttempt) {
        let is_first = matches!(attempt.purpose, ConnectPurpose::First { attempts: 0 })
            && attempt.round.address == 0;
        let attempt = Box::new(attempt);
        match self.policy.credentials {
            CredentialsAsked::Never => self.dial(attempt),
            CredentialsAsked::Again | CredentialsAsked::Authorities if is_first => {
                self.dial(attempt);
            }
            CredentialsAsked::Again | CredentialsAsked::Authorities | CredentialsAsked::Always => {
                self.actions.push_back(Action::Fetch(attempt.plan.endpoint.clone()));
                self.state = State::Fetching(attempt);
            }
        }
    }

    /// Whether credentials are being asked for, without which there is no connection.
    pub fn is_fetching(&self) -> bool {
        matches!(self.state, State::Fetching(_))
    }

    /// Whether the connection is renewed as soon as nothing is under way.
    #[inline]
    pub fn is_finishing(&self) -> bool {
        matches!(self.renewals.stage, RenewalStage::Finishing) && self.is_online()
    }

    /// The credentials are known.
    pub(super) fn fetched(&mut self, fetched: Fetched, now: Instant) {
        match self.take() {
            State::Fetching(attempt) => self.dial_fetched(attempt, fetched, now),
            State::Online(online) => {
                self.state = State::Online(online);
                if matches!(self.renewals.stage, RenewalStage::Asking(_)) {
                    self.renewals.stage = RenewalStage::Finishing;
                    self.renewals.next = fetched.renew_at;
                    self.set_address(self.latest.address, fetched.endpoint);
                }
            }
            // They belong to a try that was given up.
            state => self.state = state,
        }
    }

    fn dial_fetched(&mut self, mut attempt: Box<ConnectAttempt>, fetched: Fetched, now: Instant) {
        self.set_address(attempt.round.address, fetched.endpoint);
        attempt.plan.endpoint.clone_from(self.policy.address(attempt.round.address));
        self.renewals.next = fetched.renew_at;
        match (fetched.change, self.renewals.refused.take()) {
            (CredentialChange::Same, Some((error, until))) => {
                self.refused_again(attempt.purpose, error, until, now);
            }
            (CredentialChange::Other, _) | (CredentialChange::Same, None) => self.dial(attempt),
        }
    }

    /// The server that `--url-command` names takes the place of the one before.
    fn set_address(&mut self, index: usize, endpoint: Option<Endpoint>) {
        let Some(endpoint) = endpoint else { return };
        if !self.is_online() {
            self.server.clone_from(&endpoint);
        }
        if let Some(address) = self.policy.addresses.get_mut(index) {
            *address = endpoint;
        }
    }

    /// The credentials are still those that a server has refused.
    fn refused_again(
        &mut self,
        purpose: ConnectPurpose,
        error: Error,
        until: Instant,
        now: Instant,
    ) {
        match purpose {
            ConnectPurpose::Again { attempts, .. }
                if now < until && self.policy.retry.allows(attempts) =>
            {
                self.renewals.refused = Some((error, until));
                self.pause(purpose, attempts, now);
            }
            _ => self.give_up(error),
        }
    }

    /// The credentials could not be had.
    pub(super) fn fetch_failed(&mut self, error: Error, now: Instant) {
        match self.take() {
            State::Fetching(attempt) => self.attempt_failed(attempt, error, now),
            State::Online(online) => {
                self.state = State::Online(online);
                if let RenewalStage::Asking(failures) = self.renewals.stage {
                    self.warn(format!("{}: {error}; trying again", self.server));
                    let next = now + self.retries.delay(self.policy.retry, failures);
                    self.renewals.stage = RenewalStage::At(next, failures.saturating_add(1));
                }
            }
            state => self.state = state,
        }
    }

    /// Asks for the credentials of the next connection, if it is time.
    pub(super) fn begin_renewal(&mut self, now: Instant) {
        if let RenewalStage::At(at, failures) = self.renewals.stage
            && at <= now
        {
            self.renewals.stage = RenewalStage::Asking(failures);
            let endpoint = self.policy.address(self.latest.address).clone();
            self.actions.push_back(Action::Fetch(endpoint));
        }
    }

    /// Nothing is under way: leaves the connection for the next one.
    pub(super) fn quiet(&mut self, now: Instant) {
        if self.is_finishing() {
            self.leave_for_another("connecting again with new credentials", now);
        }
    }

    /// The caller wants the server to send again what it has sent on this connection.
    pub(super) fn connect_again(&mut self, now: Instant) {
        if self.is_online() {
            self.leave_for_another("connecting again for what was left to the server", now);
        }
    }

    fn leave_for_another(&mut self, words: &str, now: Instant) {
        self.renewals.disconnected();
        let purpose = ConnectPurpose::Again { since: now, attempts: 0, cause: AgainCause::Renewal };
        let left = self.policy.addresses.len().saturating_sub(1);
        let round_ends = self.deadline_of(&purpose, now);
        let attempt = self.attempt(purpose, self.latest.address, left, round_ends, now);
        self.actions.push_back(Action::Trace(format!("{}: {words}", self.server)));
        self.actions.push_back(Action::Leave);
        let closing = Closing::before_another(self.closing_time, now);
        self.state = State::ReplacingSession(Box::new(attempt), closing);
    }

    /// Whether another try may succeed because something changes at our side.
    fn may_change(&self, error: &Error) -> bool {
        match error.root() {
            // A file may be read while it is being replaced.
            Error::Credentials(_)
            | Error::TlsSetup(_)
            | Error::ConnectTimedOut { step: Step::Credentials, .. } => true,
            error => self.is_refusal(error),
        }
    }

    /// Whether this is over once our files, or commands, say something else.
    fn is_refusal(&self, error: &Error) -> bool {
        match self.policy.credentials {
            CredentialsAsked::Never => false,
            CredentialsAsked::Authorities => error.distrusts_server(),
            CredentialsAsked::Again | CredentialsAsked::Always => {
                error.refuses_credentials() || error.distrusts_server()
            }
        }
    }

    /// Whether a connection is tried again that has failed so; if it was refused, only with other
    /// credentials.
    pub(super) fn may_be_made_again(&self, error: &Error) -> bool {
        error.is_temporary() || self.may_change(error)
    }

    /// Keeps a refusal, after which only other credentials are tried; whether it is one.
    pub(super) fn keep_refusal(&mut self, error: Error, now: Instant) {
        if self.is_refusal(&error) {
            self.renewals.refused = Some((error, now + SEARCH));
        }
    }

    /// What the user is told about a try that failed after a loss, if that is more than that the
    /// server is away.
    pub(super) fn warn_of_failed_try(&mut self, cause: AgainCause, error: &Error) {
        let is_ours = self.may_change(error);
        if !is_ours && cause == AgainCause::Loss {
            return;
        }
        let next = match error {
            error if is_ours && error.refuses_credentials() => "looking for other credentials",
            error if is_ours && error.distrusts_server() => "looking for other authorities",
            _ => "trying again",
        };
        self.warn(format!("{}: {error}; {next}", self.server));
    }
}

impl Error {
    /// Whether the given authorities do not vouch for the server, but newer ones may.
    fn distrusts_server(&self) -> bool {
        match self.root() {
            Self::Transport(transport::Error::Tls(TlsError::Certificate(fault))) => {
                fault.is_about_given_file()
            }
            _ => false,
        }
    }

    /// Whether a server has refused what identifies the user.
    pub fn refuses_credentials(&self) -> bool {
        match self.root() {
            Self::Refused { connack, .. } => matches!(
                connack.code,
                // Before MQTT 5: "bad user name or password" and "not authorized".
                ReasonCode(4 | 5)
                    | ReasonCode::BAD_USER_NAME_OR_PASSWORD
                    | ReasonCode::NOT_AUTHORIZED
            ),
            Self::Disconnected(disconnect) => disconnect.code == ReasonCode::NOT_AUTHORIZED,
            Self::Transport(transport::Error::Upgrade(UpgradeError::Status(refusal))) => {
                matches!(refusal.status, 401 | 403)
            }
            Self::Transport(transport::Error::Tls(TlsError::ClientCertificateRefused(_))) => true,
            _ => false,
        }
    }
}
