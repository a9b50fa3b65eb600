//! Why a connection of a fleet was not made or was lost, in a few fixed words that can be counted.

use std::fmt;
use std::io;
use std::str::FromStr;

use crate::mqtt::reason::ReasonCode;
use crate::transport::{self, Phase};
use crate::websocket::WebSocketError;
use crate::websocket::upgrade::UpgradeError;

use super::stage::ConnectionStage;

/// Why a connection was not made, or was lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Cause {
    /// The server refused TCP.
    TcpRefused,
    /// The connection was reset in this stage.
    Reset(ConnectionStage),
    /// TCP failed in another way.
    TcpFailed,
    /// `--connect-timeout` passed in this stage.
    Timeout(ConnectionStage),
    /// The TLS handshake failed, or TLS broke later.
    Tls,
    /// The upgrade was answered by this HTTP status.
    Http(u16),
    /// The upgrade failed in another way.
    Upgrade,
    /// CONNACK refused.
    Connack(ReasonCode),
    /// SUBACK refused a filter.
    Suback(ReasonCode),
    /// The server ended the connection with DISCONNECT.
    Disconnect(ReasonCode),
    /// The server sent a Close frame, with this code if there was one.
    Close(Option<u16>),
    /// The stream ended in this stage.
    Ended(ConnectionStage),
    /// A PINGREQ was not answered.
    Silent,
    /// The server broke a protocol.
    Protocol,
    /// No local port was left.
    LocalPorts,
    /// No file descriptor was left.
    LocalDescriptors,
}

impl Cause {
    /// Whether it is a limit of this machine, and no fault of the server.
    pub fn is_local(self) -> bool {
        matches!(self, Self::LocalPorts | Self::LocalDescriptors)
    }

    /// Whether the server has said no, in whatever words: no busy machine explains it.
    pub fn is_answer(self) -> bool {
        match self {
            Self::TcpRefused
            | Self::Http(_)
            | Self::Connack(_)
            | Self::Suback(_)
            | Self::Disconnect(_)
            | Self::Close(_)
            | Self::Reset(_)
            | Self::Ended(_)
            | Self::Tls
            | Self::Upgrade
            | Self::Protocol => true,
            Self::TcpFailed
            | Self::Timeout(_)
            | Self::Silent
            | Self::LocalPorts
            | Self::LocalDescriptors => false,
        }
    }

    /// Whether it came after CONNECT was sent: the server may have begun a session.
    pub fn is_after_connect(self) -> bool {
        match self {
            Self::Timeout(stage) | Self::Reset(stage) | Self::Ended(stage) => {
                stage >= ConnectionStage::Connack
            }
            Self::Suback(_)
            | Self::Disconnect(_)
            | Self::Close(_)
            | Self::Silent
            | Self::Protocol => true,
            Self::TcpRefused
            | Self::TcpFailed
            | Self::Tls
            | Self::Http(_)
            | Self::Upgrade
            | Self::Connack(_)
            | Self::LocalPorts
            | Self::LocalDescriptors => false,
        }
    }

    /// The cause of an error of a socket before there is a stream.
    pub fn of_socket(error: &io::Error) -> Self {
        use rustix::io::Errno;
        let number = error.raw_os_error();
        let is = |errno: Errno| number == Some(errno.raw_os_error());
        if is(Errno::MFILE) || is(Errno::NFILE) {
            return Self::LocalDescriptors;
        }
        // A connection to a port that is in use by both ends is reported so, too.
        if is(Errno::ADDRNOTAVAIL) || is(Errno::ADDRINUSE) {
            return Self::LocalPorts;
        }
        match error.kind() {
            io::ErrorKind::ConnectionRefused => Self::TcpRefused,
            io::ErrorKind::ConnectionReset => Self::Reset(ConnectionStage::Tcp),
            io::ErrorKind::TimedOut => Self::Timeout(ConnectionStage::Tcp),
            _ => Self::TcpFailed,
        }
    }

    /// The cause of an error of the transport in this stage.
    pub fn of_transport(error: &transport::Error, stage: ConnectionStage) -> Self {
        use transport::Error;
        match error {
            Error::Tls(_) | Error::BrokenTls { .. } => Self::Tls,
            Error::Upgrade(error) => Self::of_upgrade(error),
            Error::Redirect(_) => Self::Upgrade,
            Error::WebSocket(WebSocketError::Closed { code, .. }) => Self::Close(*code),
            Error::WebSocket(_) => Self::Protocol,
            Error::Ended { cause: Some(source) } | Error::Io { phase: Phase::Open, source }
                if is_reset(source) =>
            {
                Self::Reset(stage)
            }
            Error::Ended { .. } | Error::Io { phase: Phase::Open, .. } => Self::Ended(stage),
            Error::Io { source, .. } => Self::of_socket(source),
        }
    }

    fn of_upgrade(error: &UpgradeError) -> Self {
        match error {
            UpgradeError::Status(response) => Self::Http(response.status),
            UpgradeError::Closed => Self::Ended(ConnectionStage::Upgrade),
            UpgradeError::Reset => Self::Reset(ConnectionStage::Upgrade),
            _ => Self::Upgrade,
        }
    }
}

fn is_reset(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe)
}

impl fmt::Display for Cause {
    /// The word for programs, such as `connack-0x97`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TcpRefused => f.write_str("tcp-refused"),
            Self::Reset(stage) => write!(f, "reset-{}", stage.word()),
            Self::TcpFailed => f.write_str("tcp-failed"),
            Self::Timeout(stage) => write!(f, "timeout-{}", stage.word()),
            Self::Tls => f.write_str("tls-failed"),
            Self::Http(status) => write!(f, "http-{status}"),
            Self::Upgrade => f.write_str("upgrade-failed"),
            Self::Connack(code) => write!(f, "connack-0x{:02x}", code.0),
            Self::Suback(code) => write!(f, "suback-0x{:02x}", code.0),
            Self::Disconnect(code) => write!(f, "disconnect-0x{:02x}", code.0),
            Self::Close(Some(code)) => write!(f, "close-{code}"),
            Self::Close(None) => f.write_str("close"),
            Self::Ended(stage) => write!(f, "ended-{}", stage.word()),
            Self::Silent => f.write_str("silent"),
            Self::Protocol => f.write_str("protocol"),
            Self::LocalPorts => f.write_str("local-ports"),
            Self::LocalDescriptors => f.write_str("local-descriptors"),
        }
    }
}

impl Cause {
    /// The cause in words.
    pub fn words(self) -> String {
        match self {
            Self::TcpRefused => "TCP refused".to_owned(),
            Self::Reset(stage) => format!("connection reset {}", stage.during()),
            Self::TcpFailed => "TCP failed".to_owned(),
            Self::Timeout(stage) => format!("no {} within --connect-timeout", stage.awaited()),
            Self::Tls => "TLS failed".to_owned(),
            Self::Http(status) => format!("HTTP {status}"),
            Self::Upgrade => "the upgrade failed".to_owned(),
            Self::Connack(code) => format!("CONNACK 0x{:02x} ({})", code.0, code.connack_name()),
            Self::Suback(code) => format!("SUBACK 0x{:02x} ({})", code.0, code.words()),
            Self::Disconnect(code) => format!("DISCONNECT 0x{:02x} ({})", code.0, code.words()),
            Self::Close(Some(code)) => format!("Close {code}"),
            Self::Close(None) => "Close without a code".to_owned(),
            Self::Ended(stage) => format!("connection closed {}", stage.during()),
            Self::Silent => "PINGREQ not answered".to_owned(),
            Self::Protocol => "the server broke the protocol".to_owned(),
            Self::LocalPorts => "no local port was left".to_owned(),
            Self::LocalDescriptors => "no file descriptor was left".to_owned(),
        }
    }
}

impl FromStr for Cause {
    type Err = ();

    /// The cause of a word for programs.
    fn from_str(word: &str) -> Result<Self, ()> {
        let plain = [
            Self::TcpRefused,
            Self::TcpFailed,
            Self::Tls,
            Self::Upgrade,
            Self::Close(None),
            Self::Silent,
            Self::Protocol,
            Self::LocalPorts,
            Self::LocalDescriptors,
        ];
        if let Some(cause) = plain.into_iter().find(|cause| cause.to_string() == word) {
            return Ok(cause);
        }
        let (kind, rest) = word.split_once('-').ok_or(())?;
        let code = || {
            let code = rest.strip_prefix("0x").and_then(|code| u8::from_str_radix(code, 16).ok());
            code.map(ReasonCode).ok_or(())
        };
        let stage = || ConnectionStage::of_word(rest).ok_or(());
        let number = || rest.parse::<u16>().map_err(|_| ());
        match kind {
            "reset" => stage().map(Self::Reset),
            "timeout" => stage().map(Self::Timeout),
            "ended" => stage().map(Self::Ended),
            "http" => number().map(Self::Http),
            "close" => number().map(|code| Self::Close(Some(code))),
            "connack" => code().map(Self::Connack),
            "suback" => code().map(Self::Suback),
            "disconnect" => code().map(Self::Disconnect),
            _ => Err(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cause_is_read_as_it_is_written() {
        for word in [
            "tcp-refused",
            "reset-upgrade",
            "tcp-failed",
            "timeout-tls",
            "tls-failed",
            "http-403",
            "upgrade-failed",
            "connack-0x97",
            "suback-0x87",
            "disconnect-0x8b",
            "close-1006",
            "close",
            "ended-online",
            "silent",
            "protocol",
            "local-ports",
            "local-descriptors",
        ] {
            assert_eq!(word.parse::<Cause>().map(|cause| cause.to_string()), Ok(word.to_owned()));
        }
        for wrong in ["", "http", "http-x", "http-70000", "connack-97", "reset-x", "foo-1"] {
            assert!(wrong.parse::<Cause>().is_err(), "{wrong}");
        }
    }
}
