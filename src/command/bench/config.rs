//! What `bench` is asked to do.

use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use bytes::Bytes;

use super::conditions::{Condition, Tolerated};
use super::course::LoadCourse;
use super::disturbances::{Disturbances, WillUse};
use super::part::RunPart;
use super::payload::{HEAD, Sizes, Verification};
use super::plan::Plan;
use super::schedule::OfferedRate;
use crate::client;
use crate::client::fleet::TlsResumption;
use crate::mqtt::packet::Credentials;
use crate::mqtt::property::Properties;
use crate::mqtt::qos::QoS;
use crate::report::Verbosity;

/// The most loops.
pub const MOST_LOOPS: usize = 256;

/// What `bench` is asked to do.
pub struct Config {
    /// Where to connect, and how: one for each server.
    pub clients: Vec<client::Options>,
    /// Who the connections are, and where they come from.
    pub fleet: FleetPlan,
    /// Whether a server beyond this machine and private networks may be loaded.
    pub remote: RemoteLoad,
    /// The load.
    pub load: LoadPlan,
    /// What is printed, and what fails the run.
    pub report: ReportPlan,
    /// Which part of a run it is, and how often it is done.
    pub runs: RunPlan,
    /// Which lines go to stderr.
    pub verbosity: Verbosity,
}

/// Which part of a run it is, and how often it is done.
#[derive(Debug, Clone)]
pub struct RunPlan {
    /// The number of the run; `None` follows from the seed.
    pub run: Option<u32>,
    /// The part; its plan is that of the load.
    pub part: RunPart,
    /// The plan of the whole.
    pub whole: Plan,
    /// When sending begins, since 1970; `None` is as soon as all are connected.
    pub start_at: Option<Duration>,
    /// How often it is done.
    pub runs: usize,
    /// Reports that are put together; if there are any nothing else is done.
    pub merge: Vec<PathBuf>,
}

/// Who the connections are, and where they come from.
#[derive(Debug, Clone)]
pub struct FleetPlan {
    /// The client id of each (`-i`), with `%c` for its number; `None` makes them up.
    pub client_id: Option<String>,
    /// User names and passwords, which are dealt in turn (`--users`).
    pub users: Vec<Credentials>,
    /// Local addresses, which are dealt in turn (`--bind`).
    pub local: Vec<IpAddr>,
    /// Whether TLS sessions are continued (`--tls-resume`).
    pub resumption: TlsResumption,
    /// How many loops they are in; `None` is as many as there are cores for them.
    pub loops: Option<usize>,
}

/// Whether a server beyond this machine and private networks may be loaded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RemoteLoad {
    /// It is not.
    Spared,
    /// It may (`--allow-remote`).
    Allowed,
}

/// What is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BenchAction {
    /// The load.
    Run,
    /// The plan is printed (`--dry-run`).
    Print,
}

/// The load.
#[derive(Debug, Clone)]
pub struct LoadPlan {
    /// Connections and topics.
    pub plan: Plan,
    /// The pattern of the topics.
    pub topic: String,
    /// What subscribers subscribe to in place of the topics.
    pub filter: Option<String>,
    /// The messages.
    pub messages: MessagePlan,
    /// When they are sent.
    pub pace: LoadPace,
    /// How long it takes.
    pub times: TimePlan,
    /// Connections a second; `None` is all at once.
    pub connect_rate: Option<f64>,
    /// Whether a connection that is lost is made again.
    pub comeback: Comeback,
    /// Whether sessions outlive their connections.
    pub sessions: SessionKeeping,
    /// What is done to connections meanwhile.
    pub disturbances: Disturbances,
    /// From it everything follows that is random.
    pub seed: u64,
    /// Whether it is done, or printed.
    pub action: BenchAction,
}

impl LoadPlan {
    /// No publisher has more messages of QoS 1 and 2 unfinished than its server takes.
    pub fn allow_in_flight(&mut self, window: u64) {
        if self.messages.qos == QoS::AtMostOnce || self.plan.publishers == 0 {
            return;
        }
        let limited = |asked: Option<u64>| Some(asked.map_or(window, |asked| asked.min(window)));
        match &mut self.pace {
            LoadPace::Closed(limit) => *limit = limited(*limit),
            LoadPace::Open(_) => self.messages.window = limited(self.messages.window),
        }
    }

    /// Whether there is one more connection, for what is retained, or for wills.
    pub fn needs_watcher(&self) -> bool {
        self.messages.retain.leaves_something() || self.disturbances.wills == WillUse::Each
    }
}

/// Whether sessions outlive their connections.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SessionKeeping {
    /// They do not.
    Connection,
    /// By so many seconds; `u32::MAX` is without end. They are ended at the end of the run.
    Kept(u32),
}

/// Whether a connection that is lost is made again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Comeback {
    /// After about a second, again and again.
    Soon,
    /// Never (`--no-reconnect`).
    Never,
}

/// The messages.
#[derive(Debug, Clone)]
pub struct MessagePlan {
    /// How they are published.
    pub qos: QoS,
    /// How they are subscribed to.
    pub sub_qos: QoS,
    /// How long their payloads are.
    pub sizes: Sizes,
    /// What is verified of them.
    pub verification: Verification,
    /// What they hold in place of random bytes (`--body`).
    pub body: Option<BodyFile>,
    /// With `--rate`: how many messages of a publisher may be unfinished.
    pub window: Option<u64>,
    /// Properties of their packets.
    pub properties: MessageProperties,
    /// What the server is asked to retain.
    pub retain: RetainUse,
}

impl MessagePlan {
    /// Whether each has the head that says which it is, and when it was due.
    pub fn have_heads(&self) -> bool {
        self.verification == Verification::Full || self.sizes.least() >= HEAD
    }
}

/// A file that was read for `--body`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BodyFile {
    /// Its name.
    pub name: String,
    /// What it holds: a byte at least.
    pub bytes: Bytes,
}

/// Properties of MQTT 5 packets (`-D`); those of CONNECT and DISCONNECT are part of the session.
#[derive(Debug, Clone, Default)]
pub struct MessageProperties {
    /// Of each PUBLISH.
    pub publish: Properties,
    /// Of each SUBSCRIBE.
    pub subscribe: Properties,
    /// Of each will.
    pub will: Properties,
}

/// What the server is asked to retain; it is removed at the end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RetainUse {
    /// Nothing.
    Nothing,
    /// Every message (`-r`).
    Every,
    /// One message of each topic, before the subscribers subscribe (`--retained`).
    Before,
    /// Both.
    Both,
}

impl RetainUse {
    /// Whether the messages have the retain flag.
    pub fn is_flagged(self) -> bool {
        matches!(self, Self::Every | Self::Both)
    }

    /// Whether each topic has a retained message before the subscribers subscribe.
    pub fn is_set_before(self) -> bool {
        matches!(self, Self::Before | Self::Both)
    }

    /// Whether something is to be removed at the end.
    pub fn leaves_something(self) -> bool {
        self != Self::Nothing
    }
}

/// When messages are sent.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum LoadPace {
    /// At times that do not depend on the server.
    Open(OfferedRate),
    /// Each publisher sends as soon as fewer than so many of its messages are unfinished; `None` is
    /// without limit.
    Closed(Option<u64>),
}

/// How long the run takes.
#[derive(Debug, Clone, Copy)]
pub struct TimePlan {
    /// The length of the window.
    pub length: WindowLength,
    /// The time before it, in which messages are sent and verified and not measured.
    pub warmup: Duration,
    /// How long to wait for what is missing since something came.
    pub drain: Duration,
    /// Whether there are several windows, one after the other.
    pub course: LoadCourse,
}

/// The length of the window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WindowLength {
    /// This time.
    Time(Duration),
    /// Until so many messages are sent (`-C`).
    Count(u64),
}

/// What is printed, and what fails the run.
#[derive(Debug, Clone)]
pub struct ReportPlan {
    /// The form on stdout.
    pub form: BenchForm,
    /// The file that gets the object of `--json`.
    pub json: Option<PathBuf>,
    /// What percentiles are written to (`--hgrm`).
    pub hgrm: Option<PathBuf>,
    /// The report of an earlier run that this one is compared with.
    pub baseline: Option<PathBuf>,
    /// The conditions of `--fail`.
    pub conditions: Vec<Condition>,
    /// The implied conditions that do not count (`--tolerate`).
    pub tolerated: Vec<Tolerated>,
    /// Whether a condition that is true ends the run.
    pub haste: Haste,
    /// How often a line is printed while it runs (`--report`).
    pub interval: Option<Duration>,
    /// `--max-lateness`
    pub max_lateness: MaxLateness,
    /// The command line, with secrets masked.
    pub arguments: Vec<String>,
}

/// Whether a condition that is true ends the run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Haste {
    /// It does not.
    ToTheEnd,
    /// It does (`--fail-fast`).
    FailFast,
}

/// The form of the report on stdout.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BenchForm {
    /// Lines.
    Text,
    /// An object (`--json`).
    Json,
}

/// How late the generator may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MaxLateness {
    /// 1 ms, or a tenth of the latency if that is more.
    Usual,
    /// This time.
    Time(Duration),
    /// It does not matter.
    Never,
}
