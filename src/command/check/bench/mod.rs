//! The bench: it owns the connections, deadlines, the evidence and what is cleaned up, so that a
//! probe is a few lines.

mod dial;
mod login;
mod mqtt;
mod outcome;
mod security;
mod upgrade;

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;

use super::answer::Answer;
use super::connection::Link;
use super::finding::{Finding, StepResult, Stop};
use super::journal::Journal;
use super::points::{Harm, Point};
use crate::exit::Exit;
use crate::mqtt::packet::Credentials;
use crate::mqtt::session::{Authentication, Authenticator, Login};
use crate::mqtt::version::Version;
use crate::signals::Signals;
use crate::transport::dial::Route;
use crate::transport::endpoint::Endpoint;
use crate::transport::poll::{Poller, Waker};
use crate::transport::tls::TlsConfig;
pub use login::is_version_refusal;
pub use outcome::{BEFORE_CONNACK, BEFORE_FENCE};
pub use upgrade::{Asked, TurnedAway};

/// The shortest time after which silence is judged.
const SHORTEST_PATIENCE: Duration = Duration::from_secs(2);

/// The longest.
const LONGEST_PATIENCE: Duration = Duration::from_secs(5);

/// How often parked connections are read while others are waited for.
const PARKED_TURN: Duration = Duration::from_millis(250);

/// How many connect times silence may last.
const ROUND_TRIPS: u32 = 10;

/// What is checked, and as whom.
pub struct CheckTarget {
    /// The server.
    pub endpoint: Endpoint,
    /// How it is reached.
    pub route: Arc<Route>,
    /// How it is trusted, with `wss`.
    pub tls: Option<TlsConfig>,
    /// The same without `--insecure`, to judge what the server shows.
    pub judge: Option<TlsConfig>,
    /// All steps of a point are asked: with `--full`, and where points are chosen.
    pub is_thorough: bool,
    /// More headers of the upgrade.
    pub headers: Vec<(String, String)>,
    /// User name and password.
    pub credentials: Credentials,
    /// `--auth-method`, with MQTT 5.
    pub authentication: Option<Authentication>,
    /// `-i`
    pub client_id: Option<String>,
    /// What every topic begins with.
    pub prefix: String,
    /// The versions that are tried, the newest first.
    pub versions: Vec<Version>,
    /// The user asks for these versions: one that is refused fails.
    pub versions_are_asked: bool,
    /// The upper bound of a point.
    pub timeout: Duration,
    /// Between two connections.
    pub pause: Duration,
    /// From look-up to CONNACK.
    pub connect_timeout: Duration,
    /// The length of `idle-survives`.
    pub idle_time: Duration,
    /// Points of the full set are asked: observed points may do more than to observe.
    pub asks_full: bool,
}

impl CheckTarget {
    /// How the user logs in.
    fn login(&self) -> Login {
        let (credentials, authentication) = (self.credentials.clone(), self.authentication.clone());
        Login { credentials, authentication }
    }
}

/// A connection of the bench.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Conn(usize);

/// Whether a version is spoken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Spoken {
    /// CONNACK 0 came.
    Yes,
    /// It was refused: how.
    No(String),
}

/// Why there is no connection at all, and the exit code for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// The exit code.
    pub exit: Exit,
    /// The reason in words.
    pub words: String,
}

/// The bench.
pub struct Bench {
    /// What is checked.
    pub target: CheckTarget,
    /// What was seen.
    pub journal: Journal,
    links: Vec<Option<Link>>,
    waker: Arc<Waker>,
    signals: Signals,
    /// The signal that ends the run.
    pub interrupted: Option<i32>,
    is_cleaning: bool,
    /// The version of the point that is asked; `None` for the newest.
    version: Option<Version>,
    spoken: BTreeMap<Version, Spoken>,
    shared: Option<(Version, Conn)>,
    parked: Vec<Conn>,
    /// When the parked connections were last read.
    parked_read: Instant,
    /// How many connections were made.
    pub connections: u64,
    patience: Duration,
    began: Instant,
    deadline: Instant,
    run: String,
    topic: String,
    topics: u32,
    /// Topics at which we have left a retained message.
    retained: Vec<String>,
    /// The steps of `--auth-method`.
    authenticator: Authenticator,
    /// Our sessions that outlive their connection.
    sessions: Vec<(Version, Bytes)>,
    /// What came for the user's request when it was first sent.
    plain_answer: Option<Answer>,
    /// The user's request was answered by 101 once.
    was_upgraded: bool,
    /// The user's request was refused in this point, and taken before.
    pub turned_away: Option<TurnedAway>,
    /// Why the latest connection did not come about.
    pub failure: Option<Failure>,
    /// The server ended a connection in the middle.
    pub saw_unexpected_end: bool,
}

impl Bench {
    /// A bench for this server; signals are noticed from now on.
    pub fn new(target: CheckTarget, journal: Journal) -> io::Result<Self> {
        let poller = Poller::new()?;
        let waker = Arc::clone(poller.waker());
        let signals = Signals::new(waker.writer())?;
        let now = Instant::now();
        Ok(Self {
            target,
            journal,
            links: Vec::new(),
            waker,
            signals,
            interrupted: None,
            is_cleaning: false,
            version: None,
            spoken: BTreeMap::new(),
            shared: None,
            parked: Vec::new(),
            parked_read: now,
            connections: 0,
            patience: SHORTEST_PATIENCE,
            began: now,
            deadline: now,
            run: std::iter::repeat_with(fastrand::alphanumeric).take(8).collect(),
            topic: String::new(),
            topics: 0,
            retained: Vec::new(),
            authenticator: Authenticator::default(),
            sessions: Vec::new(),
            plain_answer: None,
            was_upgraded: false,
            turned_away: None,
            failure: None,
            saw_unexpected_end: false,
        })
    }

    /// A point begins, in this version if it is asked in each.
    pub fn begin(&mut self, point: &'static Point, version: Option<Version>) {
        self.begin_as(point.name, version);
        self.journal.is_provoking = point.harm == Harm::Possible;
    }

    /// Something that is no point begins.
    pub fn begin_as(&mut self, name: &'static str, version: Option<Version>) {
        self.journal.begin(name);
        self.version = version;
        self.began = Instant::now();
        self.deadline = self.began + self.target.timeout;
        self.topics += 1;
        self.topic = format!("{}/{}/{name}/{}", self.target.prefix, self.run, self.topics);
        self.saw_unexpected_end = false;
        self.turned_away = None;
    }

    /// A point that waited goes on: with the topic that it began with, and a deadline from now.
    pub fn resume(&mut self, topic: String, since: Instant) {
        self.topic = topic;
        self.began = since;
    }

    /// The probe takes so long by itself: its deadline is so much later.
    pub fn allow(&mut self, time: Duration) {
        self.deadline += time;
    }

    /// How long silence lasts before it is judged (W).
    pub fn patience(&self) -> Duration {
        self.patience
    }

    /// The time since the point began.
    pub fn elapsed(&self) -> Duration {
        self.began.elapsed()
    }

    /// A topic of this point alone: T, with this behind it. `suffix` begins with `/` or is empty.
    pub fn topic(&self, suffix: &str) -> String {
        format!("{}{suffix}", self.topic)
    }

    /// A connection.
    pub fn link(&mut self, conn: Conn) -> &mut Link {
        let link = self.links.get_mut(conn.0).and_then(Option::as_mut);
        link.expect("a probe uses the connections that it opened and has not closed")
    }

    /// A connection and the journal, for what writes to both.
    fn both(&mut self, conn: Conn) -> (&mut Link, &mut Journal) {
        let link = self.links.get_mut(conn.0).and_then(Option::as_mut);
        let link = link.expect("a probe uses the connections that it opened and has not closed");
        (link, &mut self.journal)
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
                self.saw_unexpected_end = true;
                return Err(Stop::Ended { awaited, end });
            }
            if Instant::now() >= until {
                return Err(Stop::Silent { awaited: awaited.to_owned(), after: began.elapsed() });
            }
            let turn = self.turn(until);
            let (link, journal) = self.both(conn);
            link.pump(journal, turn);
            self.read_parked_in_turn();
            self.obey_signals()?;
        }
    }

    /// The earlier of this time and the deadline of the point.
    fn bounded(&self, until: Instant) -> Instant {
        if self.is_cleaning { until } else { until.min(self.deadline) }
    }

    /// Does nothing for this time but read what comes on this connection.
    pub fn pause(&mut self, conn: Conn, time: Duration) -> StepResult<()> {
        let until = self.bounded(Instant::now() + time);
        while Instant::now() < until {
            let turn = self.turn(until);
            let (link, journal) = self.both(conn);
            link.pump(journal, turn);
            self.read_parked_in_turn();
            self.obey_signals()?;
        }
        Ok(())
    }

    /// Does nothing for this time.
    pub fn idle(&mut self, time: Duration) -> StepResult<()> {
        let until = Instant::now() + time;
        let mut poller = Poller::sharing(&self.waker);
        while Instant::now() < until {
            poller.wait(Some(self.turn(until)), false, || false);
            self.read_parked_in_turn();
            self.obey_signals()?;
        }
        Ok(())
    }

    /// A signal ends the run; while cleaning up it does not.
    fn obey_signals(&mut self) -> StepResult<()> {
        if let Some(signal) = self.signals.take() {
            self.interrupted = Some(signal);
        }
        if self.interrupted.is_some() && !self.is_cleaning {
            return Err(Stop::Interrupted);
        }
        Ok(())
    }

    /// Keeps a connection beyond this point: it is read between the others, until
    /// [`Bench::close`].
    pub fn park(&mut self, conn: Conn) {
        self.parked.push(conn);
    }

    /// Takes what has come on parked connections, without waiting.
    pub fn read_parked(&mut self) {
        self.parked_read = Instant::now();
        for conn in self.parked.clone() {
            let (link, journal) = self.both(conn);
            if link.end.stream.is_none() {
                link.pump(journal, Instant::now());
            }
        }
    }

    /// The same, now and then: so that the time of what comes on them is known.
    fn read_parked_in_turn(&mut self) {
        if !self.parked.is_empty() && self.parked_read.elapsed() >= PARKED_TURN {
            self.read_parked();
        }
    }

    /// When waiting until this time must be interrupted to read parked connections.
    fn turn(&self, until: Instant) -> Instant {
        if self.parked.is_empty() { until } else { until.min(self.parked_read + PARKED_TURN) }
    }

    /// How long after the beginning of the point the server ended this connection.
    pub fn ended_after(&mut self, conn: Conn) -> Option<Duration> {
        let began = self.began;
        self.link(conn).ended_at.map(|at| at.saturating_duration_since(began))
    }

    /// Ends the connections of a point, but for those that are kept.
    pub fn end_point(&mut self) {
        for number in 0..self.links.len() {
            let conn = Conn(number);
            let is_kept = self.parked.contains(&conn)
                || self.shared.is_some_and(|(_, shared)| shared == conn);
            if !is_kept {
                self.close(conn);
            }
        }
        if let Some((_, conn)) = self.shared {
            if self.link(conn).has_ended() {
                self.shared = None;
                self.close(conn);
            } else {
                self.link(conn).mqtt.inbox.clear();
            }
        }
    }

    /// What was noted for an observed point, as its finding: a failure or a warning if there was
    /// one, `good` if there was something to look at.
    pub fn observed(&self, point: &'static str, good: &str) -> Finding {
        outcome::of_observations(&self.journal, point, self.version, good)
    }

    /// The version of the point that is asked, where it is asked in each; otherwise the newest
    /// that is spoken, as far as that is known.
    pub fn version(&self) -> Version {
        let spoken = |version: &&Version| self.spoken.get(version) == Some(&Spoken::Yes);
        let newest = self.target.versions.iter().find(spoken);
        self.version.or(newest.copied()).unwrap_or(Version::V5)
    }

    /// The version that the point is asked in, if it is asked in each.
    pub fn asked_version(&self) -> Option<Version> {
        self.version
    }

    /// Whether a version is spoken, as far as that is known.
    pub fn spoken(&self, version: Version) -> Option<&Spoken> {
        self.spoken.get(&version)
    }

    /// Notes whether a version is spoken.
    pub fn note_spoken(&mut self, version: Version, spoken: Spoken) {
        self.spoken.insert(version, spoken);
    }

    /// The versions that are known to be spoken, the newest first.
    pub fn versions(&self) -> Vec<Version> {
        let spoken = |version: &Version| self.spoken.get(version) == Some(&Spoken::Yes);
        self.target.versions.iter().copied().filter(spoken).collect()
    }
}
