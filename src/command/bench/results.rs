//! What a run has found: the figures from which the report, the conditions and the exit code are
//! made.

use std::collections::BTreeMap;
use std::time::Duration;

use super::disturbances::{CutPlan, StallPlan};
use super::measure::LatencyTimes;
use super::payload::Verification;
use super::split::{DecidedCopies, SplitTally};
use crate::client::fleet::Cause;
use crate::mqtt::qos::QoS;
use crate::mqtt::reason::ReasonCode;

/// The connections.
#[derive(Debug, Clone, Default)]
pub struct ConnectionResults {
    /// How many were wanted.
    pub wanted: u64,
    /// How many were made at the first try.
    pub made: u64,
    /// Those that were not, by cause.
    pub failed: BTreeMap<Cause, u64>,
    /// The first that was not: its number, from 1, and the time since the start.
    pub first_failed: Option<(usize, Duration)>,
    /// How often a connection that was made was lost, by cause.
    pub disconnected: BTreeMap<Cause, u64>,
    /// How often one was made again.
    pub reconnected: u64,
    /// How many TLS handshakes continued an earlier session.
    pub resumed: u64,
    /// How long it took until all were made or had failed.
    pub took: Duration,
    /// How many messages the server takes at once, if it says so.
    pub receive_maximum: Option<u16>,
    /// The times.
    pub times: ConnectionTimes,
}

impl ConnectionResults {
    /// How many were not made.
    pub fn failures(&self) -> u64 {
        self.failed.values().sum()
    }

    /// How often one was lost.
    pub fn losses(&self) -> u64 {
        self.disconnected.values().sum()
    }

    /// The same connections in the next step, to which no fault has come yet.
    pub fn of_next_step(&self) -> Self {
        Self {
            failed: BTreeMap::new(),
            disconnected: BTreeMap::new(),
            reconnected: 0,
            ..self.clone()
        }
    }
}

/// How long the steps of connecting took.
#[derive(Debug, Clone, Default)]
pub struct ConnectionTimes {
    /// From the intended beginning to CONNACK.
    pub whole: LatencyTimes,
    /// TCP.
    pub tcp: LatencyTimes,
    /// TLS.
    pub tls: LatencyTimes,
    /// The upgrade.
    pub upgrade: LatencyTimes,
    /// From CONNECT to CONNACK.
    pub connack: LatencyTimes,
    /// From SUBSCRIBE to SUBACK.
    pub suback: LatencyTimes,
    /// From PINGREQ to PINGRESP.
    pub pong: LatencyTimes,
}

/// Connections that are made at a rate that grows from step to step.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct MakingResults {
    /// How many were to begin in the window.
    pub due: u64,
    /// How many of them never began: all connections were being made or ended.
    pub not_begun: u64,
    /// How many were made within the window, whenever they began.
    pub arrived: u64,
}

/// The messages of the window.
#[derive(Debug, Clone, Default)]
pub struct MessageResults {
    /// Handed to the connections.
    pub sent: u64,
    /// Acknowledged with success.
    pub acknowledged: u64,
    /// Refused, by code.
    pub refused: BTreeMap<ReasonCode, u64>,
    /// Neither, at the end.
    pub unacknowledged: u64,
    /// Due and never sent.
    pub unsent: u64,
    /// Copies that the readers must get.
    pub expected: u64,
    /// Copies that came within the window.
    pub received: u64,
    /// How long the window was.
    pub window: Duration,
    /// From the start of the run to its beginning.
    pub after: Duration,
    /// How many were due and not sent when it began.
    pub backlog: u64,
    /// How often a window of QoS 0 was emptied because nothing came for a second.
    pub emptied: u64,
}

impl MessageResults {
    /// How many were refused.
    pub fn refusals(&self) -> u64 {
        self.refused.values().sum()
    }

    /// Messages sent a second.
    pub fn sent_rate(&self) -> f64 {
        rate(self.sent, self.window)
    }

    /// Copies received a second.
    pub fn rate(&self) -> f64 {
        rate(self.received, self.window)
    }
}

/// So many in this time, a second.
#[expect(clippy::cast_precision_loss, reason = "few digits are shown")]
pub fn rate(count: u64, time: Duration) -> f64 {
    if time.is_zero() { 0.0 } else { count as f64 / time.as_secs_f64() }
}

/// What the verification found, with the warm-up.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Verified {
    /// What was verified at all.
    pub extent: Verification,
    /// Copies that the readers must get.
    pub copies: u64,
    /// Those that never came.
    pub lost: u64,
    /// Second copies.
    pub duplicated: u64,
    /// Those of them that had the DUP flag.
    pub duplicated_with_dup: u64,
    /// First copies after a later message.
    pub reordered: u64,
    /// What is not what was sent, or came to whom it was not sent.
    pub corrupted: u64,
    /// What was sent while a reader was away without a session.
    pub missed: u64,
    /// Messages of another run.
    pub foreign: u64,
    /// Too old to tell whether they are late or double.
    pub undecided: u64,
    /// What is decided only when parts are put together whose readers are split.
    pub split: SplitTally,
}

impl Verified {
    /// Adds what is decided of copies that were published in another part.
    pub fn add_decided(&mut self, decided: DecidedCopies) {
        self.copies += decided.copies;
        self.lost += decided.lost;
        self.missed += decided.missed;
        self.undecided += decided.undecided;
    }
}

/// The times of the messages of the window.
#[derive(Debug, Clone, Default)]
pub struct Latencies {
    /// From the intended time to the reader.
    pub delivery: LatencyTimes,
    /// From the intended time to the acknowledgement.
    pub acknowledgement: LatencyTimes,
    /// How late the generator was.
    pub lateness: LatencyTimes,
    /// The p99 of the first and of the last third of the window.
    pub thirds: [LatencyTimes; 2],
}

/// The generator about itself.
#[derive(Debug, Clone, Default)]
pub struct GeneratorResults {
    /// The share of a core that the busiest loop took in the window.
    pub cpu: f64,
    /// The same of each loop.
    pub loops: Vec<f64>,
    /// The same while connecting.
    pub cpu_connecting: f64,
    /// The share of all cores that was busy in the window, with others.
    pub machine_busy: Option<f64>,
    /// The share of all cores that a hypervisor gave to others.
    pub steal: Option<f64>,
    /// The peak of the memory, in bytes.
    pub rss: u64,
    /// The memory before the first connection, in bytes.
    pub rss_before: u64,
    /// How long the turns of the loop took.
    pub turn: LatencyTimes,
    /// How many publishers the next two shares are of.
    pub publishers: u64,
    /// The share of the publishers' time in which the server did not take what was sent.
    pub blocked: f64,
    /// The same for a full window.
    pub window_full: f64,
    /// The longest turn, in nanoseconds, and the second of the window in which it ended.
    pub longest_turn: Option<(u64, u64)>,
}

/// One second of the window.
#[derive(Debug, Clone, Copy, Default)]
pub struct Second {
    /// Messages sent.
    pub sent: u64,
    /// Copies received.
    pub received: u64,
    /// The median and the 99th percentile of what came, in nanoseconds.
    pub quantiles: Option<(u64, u64)>,
    /// What had been sent and had not come at its end.
    pub missing: u64,
    /// Connections online at its end.
    pub online: u64,
    /// The 99th percentile of the lateness, in nanoseconds.
    pub lateness: Option<u64>,
    /// The share of a core that the loop took.
    pub cpu: f64,
}

/// What the groups of subscribers got that share their subscriptions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GroupResults {
    /// How many groups there are.
    pub groups: u64,
    /// How many subscribers they have together.
    pub members: u64,
    /// How many messages the member got that got least.
    pub least: u64,
    /// And the one that got most.
    pub most: u64,
    /// How many got none although their group got enough for all.
    pub starved: u64,
}

/// The messages that were retained before the readers subscribed.
#[derive(Debug, Clone, Default)]
pub struct RetainedResults {
    /// How many copies were to come.
    pub expected: u64,
    /// How many came.
    pub received: u64,
    /// How many came twice.
    pub duplicated: u64,
    /// From the SUBSCRIBE of a reader until a copy came.
    pub times: LatencyTimes,
    /// From the first SUBSCRIBE until all had come; `None` if some never did.
    pub complete: Option<Duration>,
}

/// The wills.
#[derive(Debug, Clone, Default)]
pub struct WillResults {
    /// How many were due.
    pub expected: u64,
    /// How many of those came.
    pub received: u64,
    /// How many came that should not have.
    pub unexpected: u64,
    /// From the cut until the will came.
    pub delay: LatencyTimes,
}

/// A cut, and what followed.
#[derive(Debug, Clone)]
pub struct CutResults {
    /// What was cut, when and how.
    pub plan: CutPlan,
    /// How many connections were online and were cut.
    pub count: u64,
    /// From the cut until a connection was back, with its subscriptions.
    pub back: LatencyTimes,
    /// Until all were back; `None` if some never were.
    pub all_back: Option<Duration>,
    /// Tries to come back that failed, by cause.
    pub failed: BTreeMap<Cause, u64>,
    /// How many found their session again.
    pub session_present: u64,
    /// How many copies came to or from a connection only after it was back.
    pub waited: u64,
    /// From the cut until the last of them came.
    pub last_waited: Option<Duration>,
    /// From the cut until the p99 of the delivery was as before.
    pub settled: Option<Duration>,
}

/// A stall, and what the others saw.
#[derive(Debug, Clone)]
pub struct StallResults {
    /// Which connections did not read, when and for how long.
    pub plan: StallPlan,
    /// How many they were.
    pub count: u64,
    /// The delivery between others of what was due meanwhile.
    pub others: LatencyTimes,
    /// How many copies came to them only after it.
    pub waited: u64,
    /// From the end of the stall until the last of them came.
    pub last_waited: Option<Duration>,
    /// How many of them were disconnected.
    pub disconnected: u64,
}

/// Connections that were ended and made anew all the time.
#[derive(Debug, Clone, Default)]
pub struct ChurnResults {
    /// How many were ended.
    pub ended: u64,
    /// From the end of a connection until it was back, with its subscriptions.
    pub back: LatencyTimes,
    /// Tries to come back that failed, by cause.
    pub failed: BTreeMap<Cause, u64>,
    /// How many found their session again.
    pub session_present: u64,
}

/// What came of what was done to connections on purpose.
#[derive(Debug, Clone, Default)]
pub struct DisturbanceResults {
    /// The cuts that happened.
    pub cuts: Vec<CutResults>,
    /// All times until connections were back.
    pub back: LatencyTimes,
    /// The delivery of what was not near a cut.
    pub away: LatencyTimes,
    /// The stalls that happened.
    pub stalls: Vec<StallResults>,
    /// What was made anew.
    pub churn: ChurnResults,
    /// What was retained before the readers subscribed.
    pub retained: Option<RetainedResults>,
    /// The wills.
    pub wills: Option<WillResults>,
    /// How many sessions could not be ended.
    pub sessions_left: u64,
    /// How many retained messages could not be set or removed.
    pub retained_left: u64,
}

/// How the run came to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum LoadEnding {
    /// As planned.
    #[default]
    Complete,
    /// By this signal, so long after the start.
    Interrupted(i32, Duration),
    /// A condition was true so long after the start (`--fail-fast`).
    FailedFast(Duration),
    /// It goes on: so long after the start, and so many copies are missing.
    Running(Duration, u64),
}

/// Everything that was found.
#[derive(Debug, Clone, Default)]
pub struct Results {
    /// The connections.
    pub connections: ConnectionResults,
    /// The connections of a step that ramps their rate.
    pub making: MakingResults,
    /// The messages of the window.
    pub messages: MessageResults,
    /// The verification.
    pub verified: Verified,
    /// The times of messages.
    pub latencies: Latencies,
    /// The generator.
    pub generator: GeneratorResults,
    /// The seconds of the window.
    pub series: Vec<Second>,
    /// How long the connections stood, where there was nothing else to do, and how many did.
    pub held: Option<(Duration, u64)>,
    /// The lowest QoS that was granted.
    pub granted: Option<QoS>,
    /// What the groups got that share subscriptions.
    pub groups: Option<GroupResults>,
    /// What was done to connections on purpose.
    pub disturbances: DisturbanceResults,
    /// How it ended.
    pub ending: LoadEnding,
}
