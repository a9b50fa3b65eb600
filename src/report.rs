//! Any error becomes one line on stderr and an exit code: the only table from the one to the other.
//! Besides the terminal room, the only place that prints.

use std::fmt;
use std::process::ExitCode;
use std::time::SystemTime;

use clap::error::ErrorKind;

use crate::client;
use crate::hint;
use crate::mqtt::session::Violation;
use crate::terminal::{sanitise, stage};

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

/// A command line that clap does not accept, or a request for help.
#[derive(Debug)]
pub struct Misuse {
    error: clap::Error,
    verb: Option<String>,
}

impl Misuse {
    /// `verb` is the command that was typed, if it is one.
    pub fn new(error: clap::Error, verb: Option<&str>) -> Self {
        Self { error, verb: verb.map(str::to_owned) }
    }
}

impl fmt::Display for Misuse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.error.fmt(f)
    }
}

impl std::error::Error for Misuse {}

/// Prints an error as one line, with its hint; returns its exit code.
pub fn error(error: &anyhow::Error) -> Exit {
    if let Some(misuse) = error.downcast_ref::<Misuse>() {
        return usage(misuse);
    }
    let line = format!("{error:#}");
    match hint::of(error) {
        Some(hint) => print(&format!("{line}; {hint}")),
        None => print(&line),
    }
    exit(error)
}

/// Prints a failure that does not end the program at once, or a summary of one.
pub fn failure(line: &str) {
    print(line);
}

/// Prints what came of it all.
pub fn summary(line: &str) {
    print(line);
}

/// Prints what a program reads, as it is.
pub fn machine_summary(line: &str) {
    write(&format!("{line}\n"));
}

/// Prints what may help, and is no warning.
pub fn note(line: &str) {
    print(&format!("note: {line}"));
}

/// Prints a warning.
pub fn warn(line: &str) {
    print(&format!("warning: {line}"));
}

/// Prints a line of the packet log, with the seconds since 1970 in front, as mosquitto does.
pub fn trace(line: &str) {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    write(&format!("{}.{:03}: {}\n", now.as_secs(), now.subsec_millis(), one_line(line)));
}

/// Prints what clap found as one line; help and version, which it calls errors, go to stdout as they are.
fn usage(Misuse { error, verb }: &Misuse) -> Exit {
    if !error.use_stderr() {
        // Help that nobody reads any more is no failure.
        let _ = error.print();
        return Exit::Done;
    }
    if error.kind() == ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand {
        print("a command is missing: pub, sub, ping or serve; see mqttws --help");
        return Exit::Usage;
    }
    let text = error.render().to_string();
    let mut parts: Vec<&str> = text
        .lines()
        .map(str::trim)
        .take_while(|line| !line.starts_with("Usage:") && !line.starts_with("For more"))
        .filter(|line| !line.is_empty())
        .map(|line| line.strip_prefix("error: ").unwrap_or(line))
        .collect();
    let hint = verb.as_ref().map_or("see mqttws --help".to_owned(), |verb| format!("see mqttws help {verb}"));
    parts.push(&hint);
    print(&parts.join("; ").replace(":;", ":"));
    Exit::Usage
}

fn print(line: &str) {
    write(&format!("mqttws: {}\n", one_line(&without_numbers(line))));
}

/// "No such file or directory (os error 2)" has said it all before the number.
fn without_numbers(line: &str) -> String {
    let mut parts = line.split(" (os error ");
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |text, part| {
        let rest = part.trim_start_matches(|c: char| c.is_ascii_digit());
        text + rest.strip_prefix(')').unwrap_or(rest)
    })
}

/// Whatever a broker or a file put into an error stays one line, and does not drive the terminal.
fn one_line(line: &str) -> String {
    let harmless = |c: char| match c {
        '\n' | '\t' => c.escape_default().to_string(),
        c if sanitise::is_harmless(c) => c.to_string(),
        c => c.escape_default().to_string(),
    };
    line.chars().map(harmless).collect()
}

fn write(text: &str) {
    stage::write(text);
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
        Error::Disconnected(_) | Error::Silent(_) | Error::MessageTorn { .. } | Error::NotMended { .. } => {
            Exit::Lost
        }
        Error::Transport(error) | Error::Lost(error) => transport_exit(error),
        // What [`Error::root`] never is.
        Error::Redirected { .. } => Exit::Upgrade,
        Error::NotMqtt(_) | Error::Violation(_) => Exit::Protocol,
        Error::Interrupted(signal) => Exit::Signal(*signal),
    }
}

fn transport_exit(error: &crate::transport::Error) -> Exit {
    use crate::transport::Error;
    use crate::transport::Phase;
    use crate::transport::websocket::WebSocketError;
    match error {
        Error::Tls(_) | Error::Io { phase: Phase::Tls, .. } => Exit::Tls,
        Error::Upgrade(_) | Error::Io { phase: Phase::Upgrade, .. } => Exit::Upgrade,
        Error::WebSocket(WebSocketError::Closed { .. } | WebSocketError::Ended { .. })
        | Error::Io { phase: Phase::Open, .. } => Exit::Lost,
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
    fn numbers_of_errors_are_left_out() {
        assert_eq!(without_numbers("reading x: No such file (os error 2); y"), "reading x: No such file; y");
        assert_eq!(without_numbers("nothing"), "nothing");
    }

    #[test]
    fn a_line_stays_one_line() {
        assert_eq!(one_line("a\nb\x1b[2J"), "a\\nb\\u{1b}[2J");
        assert_eq!(one_line("a\u{202e}b ü"), "a\\u{202e}b ü");
    }
}
