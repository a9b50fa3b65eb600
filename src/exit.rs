//! Exit codes, and the only table from an error to its code.

use std::fmt;
use std::io;
use std::process::ExitCode;

use crate::client;
use crate::mqtt::session::{Unsubscribable, Violation};

/// The exit codes, a promise to scripts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// Done as asked.
    Done,
    /// A local failure: file, disk, output.
    Local,
    /// The command line makes no sense.
    Usage,
    /// Not reached: name, TCP, proxy.
    Unreached,
    /// TLS failed, while connecting for the first time.
    Tls,
    /// The WebSocket upgrade failed.
    Upgrade,
    /// CONNECT refused, or DISCONNECT with an error.
    Refused,
    /// A SUBSCRIBE or a PUBLISH refused, or only some.
    Denied,
    /// Connection lost, and not restored.
    Lost,
    /// The broker broke a protocol.
    Protocol,
    /// Timed out.
    TimedOut,
    /// Ended by this signal before what was asked was done.
    Signal(Signal),
    /// The command of `serve` was found and could not be run.
    CommandNotRun,
    /// The command of `serve` was not found.
    CommandNotFound,
    /// The exit code of the command that `serve` ran.
    Command(u8),
    /// What a monitoring plugin found (`ping --warn`, `--crit`).
    Plugin(PluginState),
}

/// What a monitoring plugin finds, in the order of its exit codes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PluginState {
    /// All is well.
    Ok,
    /// It is worse than it should be.
    Warning,
    /// It is too bad, or there is no connection.
    Critical,
    /// The plugin cannot say.
    Unknown,
}

impl PluginState {
    /// Its exit code (<https://www.monitoring-plugins.org/doc/guidelines.html>).
    fn code(self) -> u8 {
        match self {
            Self::Ok => 0,
            Self::Warning => 1,
            Self::Critical => 2,
            Self::Unknown => 3,
        }
    }
}

impl fmt::Display for PluginState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Ok => "OK",
            Self::Warning => "WARNING",
            Self::Critical => "CRITICAL",
            Self::Unknown => "UNKNOWN",
        })
    }
}

impl From<Exit> for PluginState {
    /// What a run that ended so says about the broker.
    fn from(exit: Exit) -> Self {
        match exit {
            Exit::Done => Self::Ok,
            Exit::Plugin(state) => state,
            Exit::Unreached
            | Exit::Tls
            | Exit::Upgrade
            | Exit::Refused
            | Exit::Lost
            | Exit::Protocol
            | Exit::TimedOut => Self::Critical,
            Exit::Local
            | Exit::Usage
            | Exit::Denied
            | Exit::Signal(_)
            | Exit::CommandNotRun
            | Exit::CommandNotFound
            | Exit::Command(_) => Self::Unknown,
        }
    }
}

/// The signals that end the program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signal {
    /// SIGHUP: the terminal is gone.
    Hangup,
    /// SIGINT: the user pressed Ctrl-C.
    Interrupt,
    /// SIGTERM, and any other signal.
    Terminate,
}

impl From<i32> for Signal {
    /// From the signal's number.
    fn from(number: i32) -> Self {
        match number {
            1 => Self::Hangup,
            2 => Self::Interrupt,
            _ => Self::Terminate,
        }
    }
}

impl From<Exit> for u8 {
    fn from(exit: Exit) -> Self {
        match exit {
            Exit::Done => 0,
            Exit::Local => 1,
            Exit::Usage => 2,
            Exit::Unreached => 3,
            Exit::Tls => 4,
            Exit::Upgrade => 5,
            Exit::Refused => 6,
            Exit::Denied => 7,
            Exit::Lost => 8,
            Exit::Protocol => 9,
            Exit::TimedOut => 27,
            // As shells and env(1) do.
            Exit::CommandNotRun => 126,
            Exit::CommandNotFound => 127,
            Exit::Signal(Signal::Hangup) => 129,
            Exit::Signal(Signal::Interrupt) => 130,
            Exit::Signal(Signal::Terminate) => 143,
            Exit::Command(code) => code,
            Exit::Plugin(state) => state.code(),
        }
    }
}

impl From<client::fleet::Cause> for Exit {
    /// The exit of a load for which no connection could be made.
    fn from(cause: client::fleet::Cause) -> Self {
        use client::fleet::{Cause, ConnectionStage};
        match cause {
            Cause::LocalPorts | Cause::LocalDescriptors => Self::Local,
            Cause::TcpRefused
            | Cause::TcpFailed
            | Cause::Reset(ConnectionStage::Tcp | ConnectionStage::Idle) => Self::Unreached,
            Cause::Timeout(_) => Self::TimedOut,
            Cause::Tls
            | Cause::Reset(ConnectionStage::Tls)
            | Cause::Ended(ConnectionStage::Tls) => Self::Tls,
            Cause::Http(_)
            | Cause::Upgrade
            | Cause::Reset(ConnectionStage::Upgrade)
            | Cause::Ended(
                ConnectionStage::Upgrade | ConnectionStage::Tcp | ConnectionStage::Idle,
            ) => Self::Upgrade,
            Cause::Connack(_) | Cause::Disconnect(_) => Self::Refused,
            Cause::Suback(_) => Self::Denied,
            Cause::Protocol => Self::Protocol,
            Cause::Close(_) | Cause::Silent | Cause::Reset(_) | Cause::Ended(_) => Self::Lost,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        u8::from(exit).into()
    }
}

/// A command line that clap accepts and that still makes no sense.
#[derive(Debug)]
pub struct Usage {
    message: String,
    place: Option<MarkedPlace>,
}

/// A place in a word of the command line.
#[derive(Debug, PartialEq, Eq)]
pub struct MarkedPlace {
    /// What comes before it.
    pub before: String,
    /// What begins there.
    pub after: String,
}

impl Usage {
    /// `message` says which flag, and what was expected.
    pub fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), place: None }
    }

    /// The same for one place in the word, which is shown.
    pub fn at(message: impl Into<String>, place: MarkedPlace) -> Self {
        Self { message: message.into(), place: Some(place) }
    }

    /// The place that is shown.
    pub fn place(&self) -> Option<&MarkedPlace> {
        self.place.as_ref()
    }
}

impl fmt::Display for Usage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Usage {}

/// The command line of a monitoring plugin makes no sense, or a file that it names cannot be read.
#[derive(Debug)]
pub struct PluginMisuse(pub anyhow::Error);

impl fmt::Display for PluginMisuse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl std::error::Error for PluginMisuse {}

/// The command of `serve` could not be started.
#[derive(Debug)]
pub struct CommandNotStarted(pub io::Error);

impl fmt::Display for CommandNotStarted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl std::error::Error for CommandNotStarted {}

impl Exit {
    /// The code for an error.
    pub fn of(error: &anyhow::Error) -> Self {
        for cause in error.chain() {
            if let Some(error) = cause.downcast_ref::<client::Error>() {
                return client_exit(error);
            }
            if cause.is::<Unsubscribable>() {
                return Self::Denied;
            }
            if cause.is::<PluginMisuse>() {
                return Self::Plugin(PluginState::Unknown);
            }
            if cause.is::<Usage>() {
                return Self::Usage;
            }
            if let Some(CommandNotStarted(error)) = cause.downcast_ref() {
                return match error.kind() {
                    io::ErrorKind::NotFound => Self::CommandNotFound,
                    _ => Self::CommandNotRun,
                };
            }
        }
        Self::Local
    }

    /// The place in the order of precedence.
    fn rank(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Local => 1,
            Self::TimedOut => 2,
            Self::Lost => 3,
            Self::Denied => 4,
            Self::Signal(_) => 5,
            // These end a run, and say why.
            Self::Usage
            | Self::Unreached
            | Self::Tls
            | Self::Upgrade
            | Self::Refused
            | Self::Protocol
            | Self::CommandNotRun
            | Self::CommandNotFound
            | Self::Command(_)
            | Self::Plugin(_) => 6,
        }
    }
}

/// The exit of a run in which both happened: the one that says more about what the user has to do.
/// A message that was refused stays refused when the connection is lost or the time is up after it;
/// of two of the same rank the first counts.
pub fn worse(one: Exit, other: Exit) -> Exit {
    if other.rank() > one.rank() { other } else { one }
}

fn client_exit(error: &client::Error) -> Exit {
    use client::Error;
    match error.root() {
        Error::Local(_) | Error::Credentials(_) | Error::TlsSetup(_) => Exit::Local,
        Error::Unreached(_) => Exit::Unreached,
        Error::ConnectTimedOut { .. } | Error::Unanswered { .. } => Exit::TimedOut,
        Error::Refused { .. }
        | Error::RefusedSilently(_)
        | Error::Violation(Violation::Authentication(_)) => Exit::Refused,
        Error::Disconnected(disconnect) if disconnect.code.is_error() => Exit::Refused,
        Error::Disconnected(_)
        | Error::Silent(_)
        | Error::MessageCut { .. }
        | Error::Unreleased { .. }
        | Error::NotReconnected { .. } => Exit::Lost,
        Error::Transport(error) | Error::Lost(error) => transport_exit(error),
        // [`Error::root`] never returns them.
        Error::Redirected { .. } | Error::WaitOver(_) => Exit::Upgrade,
        Error::NotMqtt(_) | Error::Echo | Error::Violation(_) => Exit::Protocol,
        Error::Repeated { .. } => Exit::Denied,
        Error::Interrupted(signal) => Exit::Signal((*signal).into()),
    }
}

fn transport_exit(error: &crate::transport::Error) -> Exit {
    use crate::transport::Error;
    use crate::transport::Phase;
    use crate::websocket::WebSocketError;
    match error {
        Error::WebSocket(WebSocketError::Closed { .. })
        | Error::Ended { .. }
        | Error::BrokenTls { phase: Phase::Open, .. }
        | Error::Io { phase: Phase::Open, .. } => Exit::Lost,
        Error::Tls(_) | Error::BrokenTls { .. } | Error::Io { phase: Phase::Tls, .. } => Exit::Tls,
        Error::Upgrade(_) | Error::Redirect(_) | Error::Io { phase: Phase::Upgrade, .. } => {
            Exit::Upgrade
        }
        Error::WebSocket(_) => Exit::Protocol,
        Error::Io { .. } => Exit::Unreached,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::Step;
    use crate::transport::Phase;

    #[test]
    fn the_worse_of_two_is_told() {
        let signal = Exit::Signal(Signal::Interrupt);
        let order =
            [Exit::Done, Exit::Local, Exit::TimedOut, Exit::Lost, Exit::Denied, signal, Exit::Tls];
        for (at, less) in order.into_iter().enumerate() {
            assert_eq!(worse(less, less), less);
            for more in &order[at + 1..] {
                assert_eq!((worse(less, *more), worse(*more, less)), (*more, *more));
            }
        }
        assert_eq!(worse(Exit::Refused, Exit::Protocol), Exit::Refused);
    }

    #[test]
    fn codes_are_those_of_the_man_page() {
        let after = std::time::Duration::from_millis(500);
        let step = Step::Transport(Phase::Upgrade);
        let error = anyhow::Error::new(client::Error::ConnectTimedOut { step, after, tried: None })
            .context("connecting to ws://localhost/mqtt");
        assert_eq!(
            format!("{error:#}"),
            "connecting to ws://localhost/mqtt: no WebSocket upgrade within 0.5 s"
        );
        assert_eq!(u8::from(Exit::of(&error)), 27);
        assert_eq!(u8::from(Exit::of(&anyhow::anyhow!("a file"))), 1);
        assert_eq!(u8::from(Exit::of(&Usage::new("x").into())), 2);
        let not_started = |kind: io::ErrorKind| CommandNotStarted(kind.into()).into();
        assert_eq!(u8::from(Exit::of(&not_started(io::ErrorKind::PermissionDenied))), 126);
        assert_eq!(u8::from(Exit::of(&not_started(io::ErrorKind::NotFound))), 127);
        for (number, code) in [(1, 129), (2, 130), (15, 143)] {
            assert_eq!(u8::from(Exit::Signal(number.into())), code);
        }
    }
}
