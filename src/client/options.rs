//! What a client is asked to do.

use std::sync::Arc;
use std::time::Duration;

use super::credentials::CredentialSource;
use super::error::{AtServer, FlagPlace};
use crate::mqtt::session;
use crate::mqtt::version::Version;
use crate::transport::dial::Route;
use crate::transport::endpoint::Endpoint;
use crate::transport::tls::TlsOptions;

/// Larger messages, in bytes, are streamed where that is possible. Smaller ones are held in memory:
/// a connection that is lost in the middle of one leaves no trace of it in the output.
pub const LARGE_MESSAGE: usize = 1024 * 1024;

/// How the client leaves the broker when all is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Leaving {
    /// With DISCONNECT: the broker discards the will.
    Disconnect,
    /// With a DISCONNECT by which the broker publishes the will (MQTT 5 §3.14.2.1).
    DisconnectWithWill,
    /// By a reset of the connection, once the broker has answered a PINGREQ after everything else.
    Reset,
}

/// A line for the user that is no result: a warning, a packet of the log.
pub type LineHandler = Box<dyn Fn(&str)>;

/// How the versions that are tried were chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum VersionChoice {
    /// The program: whichever the broker understands.
    Ours,
    /// `-V`.
    Asked,
    /// This flag, which only the one version understands.
    NeededBy(&'static str),
}

/// The name of [`VersionChoice::NeededBy`] for a password without a user name.
pub const LONELY_PASSWORD: &str = "a password without a user name";

/// The versions of MQTT that are tried.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VersionsToTry {
    /// In this order; a later one only when an earlier one was refused as such.
    pub list: Vec<Version>,
    /// How they were chosen.
    pub choice: VersionChoice,
}

impl VersionsToTry {
    /// The flag that needs the only version that is tried.
    pub fn needed_by(&self) -> Option<&'static str> {
        match self.choice {
            VersionChoice::NeededBy(flag) => Some(flag),
            VersionChoice::Ours | VersionChoice::Asked => None,
        }
    }
}

/// What to do about a redirect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RedirectPolicy {
    /// Report it as an error that says where it leads.
    Report,
    /// Follow it, never from wss to ws.
    Follow,
}

/// What to do about a lost connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reconnect {
    /// The first delay is at most this.
    pub shortest: Duration,
    /// No delay is longer than this.
    pub longest: Duration,
    /// How often to try after each loss: 0 is never, `None` is without end.
    pub tries: Option<u32>,
}

impl Reconnect {
    /// The delay before try number `attempt` (from 0): exponential, with full jitter, so that a
    /// thousand clients of a restarted broker do not come back together. `random` is between 0 and
    /// 1.
    pub fn delay(&self, attempt: u32, random: f64) -> Duration {
        let factor = 2_u32.saturating_pow(attempt.min(31));
        self.shortest.saturating_mul(factor).min(self.longest).mul_f64(random.clamp(0.0, 1.0))
    }

    /// Whether another try is allowed after this many.
    pub fn allows(&self, attempts: u32) -> bool {
        self.tries.is_none_or(|tries| attempts < tries)
    }
}

/// What is sent in the upgrade, and what follows from the answer.
#[derive(Debug)]
pub struct UpgradeOptions {
    /// The subprotocols to offer; `None` offers `mqtt` (`mqttv3.1` for MQTT 3.1), and then the
    /// other.
    pub subprotocols: Option<Vec<String>>,
    /// More headers.
    pub headers: Vec<(String, String)>,
    /// What to do about redirects.
    pub redirects: RedirectPolicy,
}

/// For how long, and how often, a connection is tried.
#[derive(Debug, Clone, Copy)]
pub struct ConnectLimits {
    /// From name look-up to CONNACK.
    pub timeout: Duration,
    /// For how long a first connection is tried.
    pub wait: Duration,
    /// What to do when the connection is lost.
    pub reconnect: Reconnect,
}

/// Where lines for the user go.
pub struct LineHandlers {
    /// Warnings.
    pub warn: LineHandler,
    /// Notes.
    pub note: LineHandler,
    /// The log.
    pub trace: LineHandler,
    /// The log has the way to the server, the upgrade and the frames, too.
    pub log: bool,
}

/// What a client is asked to do.
pub struct Options {
    /// Where to.
    pub endpoint: Endpoint,
    /// More addresses of the same servers, which are tried in turn.
    pub other_endpoints: Vec<Endpoint>,
    /// How to get there.
    pub route: Arc<Route>,
    /// How to trust a `wss://` server.
    pub tls: TlsOptions,
    /// What the upgrade asks for.
    pub upgrade: UpgradeOptions,
    /// For how long, and how often, a connection is tried.
    pub limits: ConnectLimits,
    /// The versions to try.
    pub versions: VersionsToTry,
    /// The session; its version is the first of `versions`, and its strictness is that of the
    /// upgrade, too.
    pub session: session::Config,
    /// How the client leaves the broker.
    pub leaving: Leaving,
    /// Where credentials come from, if they may change or are not the same for all addresses;
    /// otherwise they are those of `session`, `upgrade` and `tls`.
    pub credentials: Option<Box<CredentialSource>>,
    /// The caller does nothing that may block, not even write a line, before it was handed an event
    /// that is more than success, or an error.
    pub brief: bool,
    /// Where lines for the user go.
    pub lines: LineHandlers,
}

impl Options {
    /// Whether nothing is done that may block before an event was handed out.
    pub fn keeps_brief(&self) -> bool {
        self.brief && !self.session.reports.trace && !self.lines.log
    }

    /// The context of an error before there is a connection.
    pub fn at_server(&self, doing: impl Into<String>) -> AtServer {
        AtServer {
            doing: doing.into(),
            endpoint: self.endpoint.clone(),
            has_server_name: self.tls.server_name.is_some(),
            flags: FlagPlace::CommandLine,
        }
    }
}
