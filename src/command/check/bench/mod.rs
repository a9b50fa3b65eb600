//! The bench: it owns the connections, deadlines, the evidence and what is cleaned up, so that a
//! probe is a few lines.

mod asked;
mod clean_up;
mod connections;
mod dial;
mod interrupts;
mod known;
mod leftovers;
mod login;
mod memory;
mod mqtt;
mod outcome;
mod security;
mod target;
mod upgrade;

use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::connection::Link;
use super::finding::{Doubt, Finding, StepResult, Stop};
use super::journal::Journal;
use super::points::Point;
use crate::exit::Exit;
use crate::mqtt::session::Authenticator;
use crate::mqtt::version::Version;
use crate::transport::poll::Poller;
use asked::{AskedPoint, RunTopics};
pub use connections::Conn;
use connections::Connections;
use interrupts::{Interrupts, RunStage};
use known::KnownServer;
pub use known::Spoken;
use leftovers::Leftovers;
pub use login::is_version_refusal;
pub use memory::BenchMemory;
pub use outcome::{BEFORE_CONNACK, BEFORE_FENCE};
pub use target::{CheckTarget, ServerAccess};
pub use upgrade::{Asked, TurnedAway};

/// The shortest time after which silence is judged.
const SHORTEST_PATIENCE: Duration = Duration::from_secs(2);

/// The longest.
const LONGEST_PATIENCE: Duration = Duration::from_secs(5);

/// How many connect times silence may last.
const ROUND_TRIPS: u32 = 10;

/// How many times as long as the slowest of a server's first answers silence may last.
const SLOW_ANSWERS: u32 = 2;

/// Why there is no connection at all, and the exit code for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// The exit code.
    pub exit: Exit,
    /// The reason in words.
    pub words: String,
    /// Whether another try may end otherwise.
    pub doubt: Doubt,
}

/// The bench.
pub struct Bench {
    /// What is checked.
    pub target: Arc<CheckTarget>,
    /// What was seen.
    pub journal: Journal,
    /// The connections.
    pub connections: Connections,
    /// The signals.
    pub interrupts: Interrupts,
    /// The point that is asked.
    pub asked: AskedPoint,
    topics: RunTopics,
    /// What is known of the server.
    pub known: KnownServer,
    /// What is removed at the end.
    pub leftovers: Leftovers,
    patience: Duration,
    /// The steps of `--auth-method`.
    authenticator: Authenticator,
    /// Why the latest connection did not come about.
    pub failure: Option<Failure>,
}

impl Bench {
    /// A bench for this server, of which this much is known; signals are noticed from now on.
    pub fn new(target: Arc<CheckTarget>, memory: BenchMemory) -> io::Result<Self> {
        let BenchMemory { journal, known, leftovers, opened } = memory;
        Ok(Self {
            journal,
            connections: Connections::new(opened),
            interrupts: Interrupts::new()?,
            asked: AskedPoint::new(None, target.timeout, String::new()),
            topics: RunTopics::new(&target.prefix),
            known,
            leftovers,
            patience: SHORTEST_PATIENCE,
            authenticator: Authenticator::default(),
            failure: None,
            target,
        })
    }

    /// A point begins, in this version if it is asked in each.
    pub fn begin(&mut self, point: &'static Point, version: Option<Version>) {
        self.begin_as(point.name, version);
        self.journal.harm = point.harm;
    }

    /// Something that is no point begins.
    pub fn begin_as(&mut self, name: &'static str, version: Option<Version>) {
        self.journal.begin(name);
        self.asked = AskedPoint::new(version, self.target.timeout, self.topics.next(name));
    }

    /// A point that waited goes on: with the topic that it began with, and a deadline from now.
    pub fn resume(&mut self, topic: String, since: Instant) {
        self.asked.topic = topic;
        self.asked.began = since;
    }

    /// The probe takes so long by itself: its deadline is so much later.
    pub fn allow(&mut self, time: Duration) {
        self.asked.deadline += time;
    }

    /// How long silence lasts before it is judged (W).
    pub fn patience(&self) -> Duration {
        self.patience
    }

    /// The time since the point began.
    pub fn elapsed(&self) -> Duration {
        self.asked.began.elapsed()
    }

    /// A topic of this point alone: T, with this behind it. `suffix` begins with `/` or is empty.
    pub fn topic(&self, suffix: &str) -> String {
        format!("{}{suffix}", self.asked.topic)
    }

    /// A connection.
    pub fn link(&mut self, conn: Conn) -> &mut Link {
        self.connections.link(conn)
    }

    /// A connection and the journal, for what writes to both.
    fn both(&mut self, conn: Conn) -> (&mut Link, &mut Journal) {
        (self.connections.link(conn), &mut self.journal)
    }

    /// Waits until `found` finds what is `awaited`, for at most `patience`.
    pub fn wait<T>(
        &mut self,
        conn: Conn,
        awaited: &str,
        patience: Duration,
        mut found: impl FnMut(&mut Link) -> Option<T>,
    ) -> StepResult<T> {
        let began = Instant::now();
        let until = self.bounded(began + patience);
        loop {
            let link = self.link(conn);
            if let Some(found) = found(link) {
                return Ok(found);
            }
            if link.has_ended() {
                let (awaited, end) = (awaited.to_owned(), link.end.clone());
                self.asked.saw_unexpected_end = true;
                return Err(Stop::Ended { awaited, end });
            }
            if Instant::now() >= until {
                return Err(self.silence(awaited, patience, began.elapsed()));
            }
            self.pump(conn, until)?;
        }
    }

    /// Something did not come in this time. Where the point had no time left to wait for it, that
    /// says nothing but that the server is slow.
    fn silence(&self, awaited: &str, patience: Duration, after: Duration) -> Stop {
        let timeout = self.target.timeout;
        if after >= patience.min(self.patience).min(timeout) {
            return Stop::Silent { awaited: awaited.to_owned(), after };
        }
        let timeout = timeout.as_secs_f64();
        let words = format!("not done within {timeout} s, {awaited} was awaited: see --timeout");
        Stop::Found(Finding::unknown(words))
    }

    /// Takes what comes on this connection until this time, and on parked ones in turn. Returns at
    /// once when something came.
    fn pump(&mut self, conn: Conn, until: Instant) -> StepResult<()> {
        let turn = self.connections.turn(until);
        let (link, journal) = self.both(conn);
        link.pump(journal, turn);
        self.after_turn()
    }

    fn after_turn(&mut self) -> StepResult<()> {
        self.connections.read_parked_in_turn(&mut self.journal);
        self.interrupts.obey()
    }

    /// The earlier of this time and the deadline of the point.
    fn bounded(&self, until: Instant) -> Instant {
        match self.interrupts.stage {
            RunStage::Asking => until.min(self.asked.deadline),
            RunStage::CleaningUp => until,
        }
    }

    /// Does nothing for this time but read what comes on this connection.
    pub fn pause(&mut self, conn: Conn, time: Duration) -> StepResult<()> {
        let until = self.bounded(Instant::now() + time);
        while Instant::now() < until {
            self.pump(conn, until)?;
        }
        Ok(())
    }

    /// Does nothing for this time.
    pub fn idle(&mut self, time: Duration) -> StepResult<()> {
        let until = Instant::now() + time;
        let mut poller = Poller::sharing(&self.interrupts.waker);
        while Instant::now() < until {
            poller.wait(Some(self.connections.turn(until)), false, || false);
            self.after_turn()?;
        }
        Ok(())
    }

    /// How long after the beginning of the point the server ended this connection.
    pub fn ended_after(&mut self, conn: Conn) -> Option<Duration> {
        let began = self.asked.began;
        self.link(conn).ended_at.map(|at| at.saturating_duration_since(began))
    }

    /// Ends the connections of a point, but for those that are kept.
    pub fn end_point(&mut self) {
        for conn in self.connections.all() {
            if !self.connections.is_kept(conn) {
                self.close(conn);
            }
        }
        if let Some((_, conn)) = self.connections.shared {
            if self.link(conn).has_ended() {
                self.end_shared();
            } else {
                self.link(conn).mqtt.inbox.clear();
            }
        }
    }

    /// What was noted for an observed point, as its finding: a failure or a warning if there was
    /// one, `good` if there was something to look at.
    pub fn observed(&self, point: &'static str, good: &str) -> Finding {
        outcome::of_observations(&self.journal, point, self.asked.version, good)
    }

    /// The version of the point that is asked, where it is asked in each; otherwise the newest
    /// that is spoken, as far as that is known.
    pub fn version(&self) -> Version {
        self.asked.version.or_else(|| self.newest()).unwrap_or(Version::V5)
    }

    /// The newest version that is known to be spoken.
    pub fn newest(&self) -> Option<Version> {
        self.known.newest()
    }

    /// What another bench needs to go on.
    pub fn memory(&self) -> BenchMemory {
        let Self { journal, known, leftovers, connections, .. } = self;
        BenchMemory {
            journal: journal.clone(),
            known: known.clone(),
            leftovers: leftovers.clone(),
            opened: connections.opened,
        }
    }
}
