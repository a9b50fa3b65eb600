//! The connections of a run: those of a point, the shared one, and those that are kept beyond
//! their point.

use std::time::{Duration, Instant};

use crate::command::check::connection::Link;
use crate::command::check::journal::Journal;
use crate::mqtt::version::Version;

/// How often parked connections are read while others are waited for.
const PARKED_TURN: Duration = Duration::from_millis(250);

/// A connection of the bench.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Conn(usize);

/// The connections.
pub struct Connections {
    links: Vec<Option<Link>>,
    /// The connection that ordinary points of a version share.
    pub shared: Option<(Version, Conn)>,
    parked: Vec<Conn>,
    /// When the parked connections were last read.
    parked_read: Instant,
    /// How many connections were made.
    pub opened: u64,
}

impl Connections {
    /// None yet, where so many were made before.
    pub fn new(opened: u64) -> Self {
        let parked_read = Instant::now();
        Self { links: Vec::new(), shared: None, parked: Vec::new(), parked_read, opened }
    }

    /// Adds a connection.
    pub fn add(&mut self, link: Link) -> Conn {
        self.links.push(Some(link));
        Conn(self.links.len() - 1)
    }

    /// A connection that a probe holds.
    pub fn link(&mut self, conn: Conn) -> &mut Link {
        self.find(conn).expect("a probe uses the connections that it opened and has not closed")
    }

    /// A connection, if it was not taken out.
    pub fn find(&mut self, conn: Conn) -> Option<&mut Link> {
        self.links.get_mut(conn.0).and_then(Option::as_mut)
    }

    /// Takes a connection out, to end it.
    pub fn take(&mut self, conn: Conn) -> Option<Link> {
        self.parked.retain(|parked| *parked != conn);
        self.links.get_mut(conn.0).and_then(Option::take)
    }

    /// All connections, also those that were taken out.
    pub fn all(&self) -> Vec<Conn> {
        (0..self.links.len()).map(Conn).collect()
    }

    /// Whether a connection is kept beyond its point.
    pub fn is_kept(&self, conn: Conn) -> bool {
        self.parked.contains(&conn) || self.shared.is_some_and(|(_, shared)| shared == conn)
    }

    /// Whether the point has one connection at most.
    pub fn is_alone(&self) -> bool {
        let open = self.links.iter().flatten().filter(|link| !link.has_ended()).count();
        open <= self.parked.len() + usize::from(self.shared.is_some())
    }

    /// Keeps a connection beyond this point: it is read between the others, until it is taken out.
    pub fn park(&mut self, conn: Conn) {
        self.parked.push(conn);
    }

    /// Takes what has come on parked connections, without waiting.
    pub fn read_parked(&mut self, journal: &mut Journal) {
        self.parked_read = Instant::now();
        for conn in self.parked.clone() {
            let link = self.link(conn);
            if link.end.stream.is_none() {
                link.pump(journal, Instant::now());
            }
        }
    }

    /// The same, now and then: so that the time of what comes on them is known.
    pub fn read_parked_in_turn(&mut self, journal: &mut Journal) {
        if !self.parked.is_empty() && self.parked_read.elapsed() >= PARKED_TURN {
            self.read_parked(journal);
        }
    }

    /// When waiting until this time must be interrupted to read parked connections.
    pub fn turn(&self, until: Instant) -> Instant {
        if self.parked.is_empty() { until } else { until.min(self.parked_read + PARKED_TURN) }
    }
}
