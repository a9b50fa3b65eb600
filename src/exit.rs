//! Exit codes, and the only table from an error to its code.

use std::fmt;
use std::process::ExitCode;

use crate::client;
use crate::mqtt::session::Violation;

/// The exit codes, a promise to scripts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// Done as asked.
    Done,
    /// A local failure: file, disk, output.
    Local,
    /// The command line makes no sense.
    Usage,
    /// Not reached: name, TCP.
    Unreached,
    /// TLS failed.
    Tls,
    /// The WebSocket upgrade failed.
    Upgrade,
    /// CONNECT refused, or DISCONNECT with an error.
    Refused,
    /// A SUBSCRIBE or a PUBLISH refused, or only some.
    Denied,
    /// Connection lost and not mended.
    Lost,
    /// The broker broke a protocol.
    Protocol,
    /// Timed out.
    TimedOut,
    /// Ended by this signal before what was asked was done.
    Signal(i32),
    /// The exit code of the command that `serve` ran.
    Command(u8),
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
            Exit::Signal(signal) => u8::try_from(128 + signal).unwrap_or(u8::MAX),
            Exit::Command(code) => code,
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
pub struct Usage(String);

impl Usage {
    /// `message` says which flag, and what was expected.
    pub fn new(message: impl Into<String>) -> Self {
        Self(message.into())
    }
}

impl fmt::Display for Usage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Usage {}

impl Exit {
    /// The code for an error.
    pub fn of(error: &anyhow::Error) -> Self {
        exit(error)
    }

    /// The higher, the more it says about a run in which several things happened.
    fn rank(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Local => 1,
            Self::TimedOut => 2,
            Self::Lost => 3,
            Self::Denied => 4,
            Self::Unreached | Self::Tls | Self::Upgrade | Self::Refused | Self::Protocol => 5,
            Self::Usage | Self::Command(_) => 6,
            // The user or the system wants to see what they did.
            Self::Signal(_) => 7,
        }
    }
}

/// The code of a run in which both happened: the one precedence. A message that the broker does not
/// take says more than a lost connection, that more than a missed deadline, and a local failure
/// that did not end the run says least.
pub fn worse(a: Exit, b: Exit) -> Exit {
    if b.rank() > a.rank() { b } else { a }
}

fn exit(error: &anyhow::Error) -> Exit {
    for cause in error.chain() {
        if let Some(error) = cause.downcast_ref::<client::Error>() {
            return client_exit(error);
        }
        if cause.is::<Usage>() {
            return Exit::Usage;
        }
    }
    Exit::Local
}

fn client_exit(error: &client::Error) -> Exit {
    use client::Error;
    match error.root() {
        Error::Local(_) | Error::TlsSetup(_) => Exit::Local,
        Error::Unreached(_) => Exit::Unreached,
        Error::ConnectTimedOut { .. } | Error::Unanswered { .. } => Exit::TimedOut,
        Error::Refused { .. }
        | Error::RefusedSilently(_)
        | Error::Violation(Violation::Authentication(_)) => Exit::Refused,
        Error::Disconnected(disconnect) if disconnect.code.is_error() => Exit::Refused,
        Error::Disconnected(_)
        | Error::Silent(_)
        | Error::MessageCut { .. }
        | Error::NotMended { .. } => Exit::Lost,
        Error::Transport(error) | Error::Lost(error) => transport_exit(error),
        // What [`Error::root`] never is.
        Error::Redirected { .. } => Exit::Upgrade,
        Error::NotMqtt(_) | Error::Violation(_) => Exit::Protocol,
        Error::Repeated { .. } => Exit::Denied,
        Error::Interrupted(signal) => Exit::Signal(*signal),
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
    fn codes_are_those_of_the_man_page() {
        let after = std::time::Duration::from_millis(500);
        let step = Step::Transport(Phase::Upgrade);
        let error = anyhow::Error::new(client::Error::ConnectTimedOut { step, after, tried: None })
            .context("connecting to ws://localhost/mqtt");
        assert_eq!(
            format!("{error:#}"),
            "connecting to ws://localhost/mqtt: no WebSocket upgrade within 0.5 s"
        );
        assert_eq!(u8::from(exit(&error)), 27);
        assert_eq!(u8::from(exit(&anyhow::anyhow!("a file"))), 1);
        assert_eq!(u8::from(exit(&Usage::new("x").into())), 2);
        assert_eq!(u8::from(Exit::Signal(15)), 143);
    }

    #[test]
    fn the_worse_of_two_codes_counts() {
        let order =
            [Exit::Done, Exit::Local, Exit::TimedOut, Exit::Lost, Exit::Denied, Exit::Signal(2)];
        for pair in order.windows(2) {
            assert_eq!(worse(pair[0], pair[1]), pair[1]);
            assert_eq!(worse(pair[1], pair[0]), pair[1]);
        }
    }
}
