//! What is tried after a refusal, because real servers ask for it: the other subprotocol name, or
//! an older version; and what silence after CONNECT means.

use std::time::Instant;

use super::{
    Action, AddressOrder, ConnectAttempt, ConnectPurpose, CredentialUse, Lifecycle, Policy,
    Replacing,
};
use crate::client::VersionChoice;
use crate::client::error::{Error, Step, whole_tenths};
use crate::mqtt::reason::ReasonCode;
use crate::mqtt::version::Version;
use crate::transport::tls::TlsError;
use crate::transport::{self, Phase};
use crate::websocket::upgrade::UpgradeError;

/// A version may be met by silence for this part of `--connect-timeout`: there are three of them.
const SILENCE_PART: u32 = 3;

/// Which of the two names of the subprotocol is offered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Name {
    /// `mqtt`, and `mqttv3.1` for MQTT 3.1: the name in the document of that version.
    Usual,
    /// The other one.
    Other,
}

/// What is tried next, on a new connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fallback {
    OtherName,
    Version(Version),
}

/// What the upgrade offers.
pub fn subprotocols(policy: &Policy, version: Version, name: Name) -> Vec<String> {
    policy.subprotocols.clone().unwrap_or_else(|| {
        let is_old = (version == Version::V3_1) != (name == Name::Other);
        vec![if is_old { "mqttv3.1" } else { "mqtt" }.to_owned()]
    })
}

/// Whether the broker has not yet accepted a connection with this version: only then may silence
/// or an end of the connection be about it.
fn is_untried(attempt: &ConnectAttempt) -> bool {
    matches!(attempt.purpose, ConnectPurpose::First { .. })
        && attempt.replacing == Replacing::Nothing
}

/// When silence after a CONNECT that is sent now means that the version is not understood: only
/// where the user did not ask for it, and the broker has not accepted it before.
pub fn silent_at(policy: &Policy, attempt: &ConnectAttempt, now: Instant) -> Option<Instant> {
    let may_fall_back = is_untried(attempt)
        && policy.version_choice == VersionChoice::Ours
        && older(policy, attempt.plan.version).is_some();
    may_fall_back.then(|| now + policy.connect_timeout / SILENCE_PART)
}

fn older(policy: &Policy, version: Version) -> Option<Version> {
    policy.versions.iter().copied().find(|older| *older < version)
}

/// Some servers close, or answer 400, only because of the subprotocol's name.
fn other_name_may_help(policy: &Policy, attempt: &ConnectAttempt, error: &Error) -> bool {
    let may_help = match error.root() {
        Error::Transport(transport::Error::Upgrade(UpgradeError::Status(refusal))) => {
            refusal.status == 400
        }
        Error::Transport(
            transport::Error::Upgrade(UpgradeError::Closed | UpgradeError::Reset)
            | transport::Error::Tls(TlsError::ClientCertificateMissed),
        ) => true,
        _ => false,
    };
    may_help
        && policy.subprotocols.is_none()
        && attempt.name == Name::Usual
        && matches!(attempt.purpose, ConnectPurpose::First { .. })
}

/// Whether this error is evidence that the *version* was refused.
fn refuses_version(attempt: &ConnectAttempt, error: &Error) -> bool {
    match error.root() {
        Error::Refused { connack, .. } => is_about_version(connack.code),
        Error::Disconnected(disconnect) => is_untried(attempt) && is_about_version(disconnect.code),
        Error::RefusedSilently(error) => is_untried(attempt) && error.may_refuse_the_version(),
        _ => false,
    }
}

fn is_about_version(code: ReasonCode) -> bool {
    matches!(code, ReasonCode(0x01) | ReasonCode::UNSUPPORTED_PROTOCOL_VERSION)
}

fn next(policy: &Policy, attempt: &ConnectAttempt, error: &Error) -> Option<Fallback> {
    if other_name_may_help(policy, attempt, error) {
        return Some(Fallback::OtherName);
    }
    older(policy, attempt.plan.version)
        .filter(|_| refuses_version(attempt, error))
        .map(Fallback::Version)
}

/// The upgrade was taken, and then came something other than MQTT, or nothing.
const NOT_MQTT: u8 = 4;

/// How far a connection came that ended with this error: the one that came furthest is reported.
pub fn progress(error: &Error) -> u8 {
    match error.root() {
        Error::Local(_)
        | Error::Credentials(_)
        | Error::TlsSetup(_)
        | Error::Redirected { .. }
        | Error::WaitOver(_)
        | Error::ConnectTimedOut { step: Step::Credentials, .. } => 0,
        Error::Unreached(_) | Error::ConnectTimedOut { step: Step::Connection, .. } => 1,
        Error::ConnectTimedOut { step: Step::Transport(phase), .. } => phase_progress(*phase),
        Error::Transport(error) => transport_progress(error),
        Error::NotMqtt(_) | Error::Echo => NOT_MQTT,
        Error::RefusedSilently(error) if error.has_words() => 6,
        Error::ConnectTimedOut { step: Step::ConnAck | Step::ConnAckTo(_), .. }
        | Error::RefusedSilently(_)
        | Error::Lost(_)
        | Error::Silent(_)
        | Error::Violation(_) => 5,
        Error::Refused { connack, .. } if is_about_version(connack.code) => 6,
        Error::Refused { .. }
        | Error::Disconnected(_)
        | Error::Unanswered { .. }
        | Error::MessageCut { .. }
        | Error::NotReconnected { .. }
        | Error::Repeated { .. }
        | Error::Unreleased { .. }
        | Error::Interrupted(_) => 7,
    }
}

fn transport_progress(error: &transport::Error) -> u8 {
    use transport::Error as Transport;
    match error {
        Transport::Io { phase, .. } | Transport::BrokenTls { phase, .. } => phase_progress(*phase),
        Transport::Tls(_) => phase_progress(Phase::Tls),
        Transport::Upgrade(_) | Transport::Redirect(_) => phase_progress(Phase::Upgrade),
        Transport::WebSocket(_) | Transport::Ended { .. } => NOT_MQTT,
    }
}

fn phase_progress(phase: Phase) -> u8 {
    match phase {
        Phase::Name | Phase::Tcp | Phase::Proxy => 1,
        Phase::Tls => 2,
        Phase::Upgrade => 3,
        Phase::Open => 5,
    }
}

/// The one of two errors that came further; the first if both came as far.
pub fn furthest(first: Option<Error>, second: Error) -> Error {
    match first {
        Some(first) if progress(&first) >= progress(&second) => first,
        _ => second,
    }
}

impl Lifecycle {
    /// Dials once more with another name or an older version, if that may help; the error comes
    /// back if not.
    pub(super) fn fall_back(
        &mut self,
        mut attempt: Box<ConnectAttempt>,
        error: Error,
    ) -> Result<(), (Box<ConnectAttempt>, Error)> {
        let Some(fallback) = next(&self.policy, &attempt, &error) else {
            return Err((attempt, error));
        };
        match fallback {
            Fallback::OtherName => attempt.name = Name::Other,
            Fallback::Version(version) => attempt.plan.version = version,
        }
        self.dial_fallback(attempt, fallback, error);
        Ok(())
    }

    /// No byte came in answer to CONNECT: the next older version, on a new connection.
    pub(super) fn met_by_silence(&mut self, mut attempt: Box<ConnectAttempt>) {
        let Some(version) = older(&self.policy, attempt.plan.version) else {
            attempt.connack.silent_at = None;
            self.state = super::State::AwaitingConnack(attempt);
            return;
        };
        let step = Step::ConnAckTo(std::mem::replace(&mut attempt.plan.version, version));
        self.actions.push_back(Action::Drop);
        let after = whole_tenths(self.policy.connect_timeout / SILENCE_PART);
        let error = Error::ConnectTimedOut { step, after, tried: None };
        self.dial_fallback(attempt, Fallback::Version(version), error);
    }

    fn dial_fallback(
        &mut self,
        mut attempt: Box<ConnectAttempt>,
        fallback: Fallback,
        error: Error,
    ) {
        attempt.plan.endpoint.clone_from(self.policy.address(attempt.round.address));
        attempt.plan.order = AddressOrder::Same;
        attempt.redirects = None;
        attempt.plan.credentials = CredentialUse::Send;
        attempt.plan.subprotocols = subprotocols(&self.policy, attempt.plan.version, attempt.name);
        let next = match fallback {
            Fallback::OtherName => {
                format!("subprotocol {}", attempt.plan.subprotocols.join(", "))
            }
            Fallback::Version(version) => format!("MQTT {version}"),
        };
        self.actions.push_back(Action::Trace(format!("{error}; trying {next}")));
        attempt.earlier_error = Some(furthest(attempt.earlier_error.take(), error));
        self.dial(attempt);
    }

    /// Warns of a connection that was not the first to be tried.
    pub(super) fn warn_of_fallback(&mut self, attempt: &ConnectAttempt) {
        let Some(error) = &attempt.earlier_error else { return };
        let version = attempt.plan.version;
        let with = match &attempt.plan.subprotocols[..] {
            [] => "without a subprotocol".to_owned(),
            names => format!("and subprotocol {}", names.join(", ")),
        };
        let advice = match self.sparing_flags(attempt) {
            flags if flags.is_empty() => flags,
            flags => format!("; {flags} leaves that try out"),
        };
        self.warn(format!(
            "connected with MQTT {version} {with}; the first try failed: {error}{advice}"
        ));
    }

    /// The flags with which the connection would have been the first to be tried.
    fn sparing_flags(&self, attempt: &ConnectAttempt) -> String {
        let version = attempt.plan.version;
        let is_older = self.policy.versions.first() != Some(&version);
        let number = || format!("-V {}", version.to_string().replace('.', ""));
        let names = || format!("--subprotocol {}", attempt.plan.subprotocols.join(","));
        let flags = [is_older.then(number), (attempt.name == Name::Other).then(names)];
        flags.into_iter().flatten().collect::<Vec<_>>().join(" ")
    }
}
