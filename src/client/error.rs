//! Why the client cannot go on, sorted by the side that is to blame, each in one line. What to do
//! about it is in `report/hint.rs`, and its exit code in `exit.rs`.

use std::io;
use std::time::Duration;

use crate::mqtt::packet::{ConnAck, Disconnect, PacketType};
use crate::mqtt::property::Properties;
use crate::mqtt::qos::QoS;
use crate::mqtt::session::{Silence, Violation};
use crate::mqtt::version::Version;
use crate::transport::dial::DialError;
use crate::transport::endpoint::Endpoint;
use crate::transport::tls::TlsSetupError;
use crate::transport::{self, Phase};

/// The steps of a connection that one deadline covers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// Credentials are asked for, before anything else.
    Credentials,
    /// There is no TCP connection yet: a try may be under way, or the pause before the next try.
    Connection,
    /// One of the transport's.
    Transport(Phase),
    /// CONNECT is sent, CONNACK is awaited.
    ConnAck,
    /// The same for a version that another one was tried after.
    ConnAckTo(Version),
}

impl std::fmt::Display for Step {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Credentials => f.write_str("credentials"),
            Self::Connection => f.write_str("connection"),
            Self::Transport(phase) => phase.fmt(f),
            Self::ConnAck => f.write_str("CONNACK"),
            Self::ConnAckTo(version) => write!(f, "CONNACK to MQTT {version}"),
        }
    }
}

/// What the program was doing at which server: the context of an error, which also decides what may
/// help.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AtServer {
    /// What it was doing, such as "connecting to".
    pub doing: String,
    /// The server.
    pub endpoint: Endpoint,
    /// `--sni` gives the name that TLS sends.
    pub has_server_name: bool,
    /// Where the flags for this server stand.
    pub flags: FlagPlace,
}

/// Where the flags for a server stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FlagPlace {
    /// On the command line, or where it takes them from.
    CommandLine,
    /// In the profile of `--to-profile`.
    TargetProfile,
}

impl std::fmt::Display for AtServer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}", self.doing, self.endpoint.described())
    }
}

/// A time as messages tell it: rounded up to the tenth of a second.
pub fn whole_tenths(time: Duration) -> Duration {
    let tenths = u64::try_from(time.as_millis().div_ceil(100)).unwrap_or(u64::MAX);
    Duration::from_millis(tenths.saturating_mul(100))
}

/// A message that was sent and not acknowledged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unacknowledged {
    /// The caller's number for it.
    pub record: u64,
    /// Its topic and QoS; none of a QoS 2 message whose PUBREC came.
    pub message: Option<(String, QoS)>,
}

/// Why the client cannot go on.
#[derive(Debug)]
pub enum Error {
    /// A thread, a signal or a certificate file of ours failed.
    Local(io::Error),
    /// Credentials could not be read, or their command has failed; with the name of the flag.
    Credentials(String),
    /// The TLS options cannot be used.
    TlsSetup(TlsSetupError),
    /// The address was not reached.
    Unreached(DialError),
    /// TLS or the upgrade failed, or the connection ended before it could be used.
    Transport(transport::Error),
    /// `--connect-timeout` passed in this step.
    ConnectTimedOut {
        /// What was not finished.
        step: Step,
        /// The whole budget.
        after: Duration,
        /// What was tried, and what came of it.
        tried: Option<String>,
    },
    /// A redirect was followed, and then this happened.
    Redirected {
        /// Where it led.
        to: Box<Endpoint>,
        /// What happened there.
        error: Box<Error>,
    },
    /// The broker answered CONNECT with a refusal.
    Refused {
        /// Its answer.
        connack: Box<ConnAck>,
        /// The version that CONNECT asked for.
        version: Version,
        /// The flag that only this version understands, if one was given.
        needed_by: Option<&'static str>,
    },
    /// No connection was made, although it was tried for as long as `--wait` says.
    WaitOver(Box<Error>),
    /// The broker closed the connection instead of answering CONNECT.
    RefusedSilently(transport::Error),
    /// The broker sent DISCONNECT.
    Disconnected(Box<Disconnect>),
    /// The connection is lost.
    Lost(transport::Error),
    /// The connection is lost: the broker did not answer a PINGREQ.
    Silent(Silence),
    /// The broker did not answer a SUBSCRIBE or an UNSUBSCRIBE.
    Unanswered {
        /// What we were doing.
        what: String,
        /// For how long there was no answer.
        after: Duration,
    },
    /// The connection was lost in the middle of a message that was passed on as it came, and the
    /// message does not come again.
    MessageCut {
        /// Its topic.
        topic: String,
        /// How much of its payload was passed on, in bytes.
        written: usize,
        /// How much there is of it, in bytes.
        length: usize,
    },
    /// The broker has not finished QoS 2 messages that were received and acknowledged: the next run
    /// may get them again.
    Unreleased {
        /// How many there are.
        count: usize,
    },
    /// The connection is lost, and as many tries as were allowed did not make it again.
    NotReconnected {
        /// What the last one met.
        last: Box<Error>,
        /// How many there were.
        tries: u32,
    },
    /// The broker has ended one connection after the other when it got the same message.
    Repeated {
        /// The message.
        packet: Unacknowledged,
        /// Its number, if there are others.
        number: Option<u64>,
    },
    /// The server speaks WebSocket and no MQTT; the text that it sent.
    NotMqtt(String),
    /// The server sends back what it is sent: it answered CONNECT by a CONNECT.
    Echo,
    /// The broker broke MQTT.
    Violation(Violation),
    /// SIGHUP, SIGINT or SIGTERM came while we could do nothing else.
    Interrupted(i32),
}

impl std::fmt::Display for Error {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Local(error) => error.fmt(f),
            Self::Credentials(words) => f.write_str(words),
            Self::TlsSetup(error) => error.fmt(f),
            Self::Unreached(error) => error.fmt(f),
            Self::ConnectTimedOut { step, after, tried } => {
                write_timed_out(f, *step, *after, tried.as_deref())
            }
            Self::Redirected { to, error } => write!(f, "redirected to {to}: {error}"),
            Self::Refused { connack, version, .. } => write_refused(f, connack, *version),
            Self::WaitOver(error) => error.fmt(f),
            Self::RefusedSilently(error) => write!(f, "no answer to CONNECT: {error}"),
            Self::Disconnected(disconnect) => write_disconnected(f, disconnect),
            Self::Lost(error) if error.is_end() => write!(f, "connection lost: {error}"),
            Self::Transport(error) | Self::Lost(error) => error.fmt(f),
            Self::Silent(silence) => write_silence(f, silence.waited),
            Self::Unanswered { what, after } => {
                write!(f, "{what}: no answer from the broker within {} s", after.as_secs_f64())
            }
            Self::MessageCut { topic, written, length } => {
                write!(f, "connection lost in the middle of a message to {topic}: ")?;
                write!(f, "{written} of {length} bytes were written")
            }
            Self::Unreleased { count } => write_unreleased(f, *count),
            Self::NotReconnected { last, tries } => {
                let noun = if *tries == 1 { "try" } else { "tries" };
                write!(f, "connection lost, and {tries} {noun} to connect again failed: {last}")
            }
            Self::Repeated { packet, number } => write_repeated(f, packet, *number),
            Self::NotMqtt(said) => {
                write!(f, "the WebSocket server does not speak MQTT (it sent \"{said}\")")
            }
            Self::Echo => {
                f.write_str("the server sends our own CONNECT back: it is an echo server")
            }
            Self::Violation(violation) => write!(f, "the broker broke the protocol: {violation}"),
            Self::Interrupted(_) => f.write_str("interrupted"),
        }
    }
}

impl std::error::Error for Error {}

impl Error {
    /// Whether a connection that the broker had accepted was lost.
    pub fn is_loss(&self) -> bool {
        match self {
            Self::Lost(_)
            | Self::Silent(_)
            | Self::MessageCut { .. }
            | Self::NotReconnected { .. } => true,
            Self::Local(_)
            | Self::Credentials(_)
            | Self::TlsSetup(_)
            | Self::Unreached(_)
            | Self::Transport(_)
            | Self::ConnectTimedOut { .. }
            | Self::Redirected { .. }
            | Self::WaitOver(_)
            | Self::Refused { .. }
            | Self::RefusedSilently(_)
            | Self::Disconnected(_)
            | Self::Unreleased { .. }
            | Self::Repeated { .. }
            | Self::Unanswered { .. }
            | Self::NotMqtt(_)
            | Self::Echo
            | Self::Violation(_)
            | Self::Interrupted(_) => false,
        }
    }

    /// Whether there were no credentials to connect with, so that no server was asked.
    pub fn is_before_connecting(&self) -> bool {
        matches!(
            self.root(),
            Self::Credentials(_) | Self::ConnectTimedOut { step: Step::Credentials, .. }
        )
    }

    /// The error itself, wherever a redirect has led to it.
    pub fn root(&self) -> &Self {
        match self {
            Self::Redirected { error, .. } | Self::WaitOver(error) => error.root(),
            error => error,
        }
    }
}

fn write_timed_out(
    f: &mut std::fmt::Formatter<'_>,
    step: Step,
    after: Duration,
    tried: Option<&str>,
) -> std::fmt::Result {
    write!(f, "no {step} within {} s", after.as_secs_f64())?;
    tried.map_or(Ok(()), |tried| write!(f, " ({tried})"))
}

fn write_disconnected(
    f: &mut std::fmt::Formatter<'_>,
    disconnect: &Disconnect,
) -> std::fmt::Result {
    let words = disconnect.code.name(PacketType::Disconnect);
    write!(f, "the broker disconnected us: {words}")?;
    write_properties(f, &disconnect.properties)
}

fn write_silence(f: &mut std::fmt::Formatter<'_>, waited: Duration) -> std::fmt::Result {
    let seconds = waited.as_secs();
    write!(f, "connection lost: the broker did not answer a PINGREQ within {seconds} s")
}

fn write_unreleased(f: &mut std::fmt::Formatter<'_>, count: usize) -> std::fmt::Result {
    f.write_str("the broker has sent no PUBREL for ")?;
    match count {
        1 => f.write_str("a message that was received: it may send it again"),
        _ => write!(f, "{count} messages that were received: it may send them again"),
    }
}

fn write_refused(
    f: &mut std::fmt::Formatter<'_>,
    connack: &ConnAck,
    version: Version,
) -> std::fmt::Result {
    let words = connack.code.connack_name();
    match connack.code.0 {
        0x01 | 0x84 => write!(f, "the broker refused MQTT {version}: {words}")?,
        _ => write!(f, "the broker refused: {words}")?,
    }
    write_properties(f, &connack.properties)
}

fn write_repeated(
    f: &mut std::fmt::Formatter<'_>,
    packet: &Unacknowledged,
    number: Option<u64>,
) -> std::fmt::Result {
    f.write_str("the server ended three connections in a row on ")?;
    match number {
        Some(number) => write!(f, "message {number}")?,
        None => f.write_str("this message")?,
    }
    let Some((topic, qos)) = &packet.message else { return Ok(()) };
    write!(f, " (topic {}, QoS {qos})", topic.escape_debug())
}

/// The Reason String of the broker, and the server that it names instead (MQTT 5 §4.11).
fn write_properties(f: &mut std::fmt::Formatter<'_>, properties: &Properties) -> std::fmt::Result {
    if let Some(reason) = properties.reason_string() {
        write!(f, " ({})", reason.escape_debug())?;
    }
    if let Some(server) = properties.server_reference() {
        write!(f, ": it sends its clients to {}", server.escape_debug())?;
    }
    Ok(())
}
