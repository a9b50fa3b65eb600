//! Many connections in one loop: it waits for all sockets at once, and serves those that are ready.
//! What is done with the connections is decided by a [`Driver`].
//!
//! mio rounds the time that it waits up to milliseconds. So the loop waits by `poll` for mio's own
//! descriptor, to the nanosecond, and asks mio without waiting which sockets are ready.

mod cause;
mod connection;
mod connections;
mod dial;
mod disturbing;
mod driver;
mod options;
mod places;
mod stage;
mod steering;
mod waker;

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};
use std::io;
use std::os::fd::{AsFd, AsRawFd};
use std::sync::Arc;
use std::time::{Duration, Instant};

use mio::unix::SourceFd;
use mio::{Events, Interest, Poll, Token};
use rustix::event::{PollFd, PollFlags, Timespec};

use crate::mqtt::session;
use crate::transport::wire::Chunk;

pub use cause::Cause;
use connection::{FleetConnection, Left, Queued};
pub use connections::{ManyConnections, TcpEnd};
pub use dial::FleetTarget;
#[cfg(test)]
pub use driver::Steps;
pub use driver::{Driver, Happening, Made};
pub use options::{FleetOptions, FleetServer};
use places::Places;
pub use stage::ConnectionStage;
pub use waker::FleetWaker;

pub use crate::signals::RunSignals;

pub use crate::transport::TlsHandshake;
pub use crate::transport::tls::TlsResumption;

/// How large a chunk to read into is, in bytes.
const CHUNK: usize = 64 * 1024;

/// How many bytes are read from one connection in a turn.
const READ_BYTES: usize = 64 * 1024;

/// How many connections are read in a turn before anything else is looked at.
const READS: usize = 64;

/// How many TLS handshakes are worked on in a turn: each costs some hundred microseconds.
const HANDSHAKES: usize = 16;

/// How many sockets one look reports at most.
const EVENTS: usize = 1024;

/// How long the loop waits at most: a process that was stopped while nothing was due notices it.
const HEARTBEAT: Duration = Duration::from_millis(50);

/// The token of the signals; the connections have those from 0.
const SIGNALS: Token = Token(usize::MAX - 1);

/// The token of what wakes the loop from another thread.
const WAKER: Token = Token(usize::MAX - 2);

/// Many connections.
pub struct Fleet {
    options: FleetOptions,
    poll: Poll,
    connections: Places,
    alarms: BinaryHeap<Reverse<(Instant, usize)>>,
    to_read: VecDeque<usize>,
    to_write: Vec<usize>,
    /// What happened while the driver acted, and is told to it next.
    happened: VecDeque<(usize, Happening)>,
    spare: Vec<Chunk>,
    /// `None` if another fleet of this process has them.
    signals: Option<Arc<RunSignals>>,
}

impl Fleet {
    /// A fleet without connections. Its driver is told of these signals.
    pub fn new(options: FleetOptions, signals: Arc<RunSignals>) -> io::Result<Self> {
        let mut fleet = Self::beside_another(options)?;
        for descriptor in signals.descriptors() {
            let mut source = SourceFd(&descriptor);
            fleet.poll.registry().register(&mut source, SIGNALS, Interest::READABLE)?;
        }
        fleet.signals = Some(signals);
        Ok(fleet)
    }

    /// A fleet without connections, in another thread than the one that is told of signals.
    pub fn beside_another(options: FleetOptions) -> io::Result<Self> {
        sharpen_clock();
        Ok(Self {
            options,
            poll: Poll::new()?,
            connections: Places::default(),
            alarms: BinaryHeap::new(),
            to_read: VecDeque::new(),
            to_write: Vec::new(),
            happened: VecDeque::new(),
            spare: Vec::new(),
            signals: None,
        })
    }

    /// What wakes this fleet from another thread.
    pub fn waker(&self) -> io::Result<FleetWaker> {
        FleetWaker::new(self.poll.registry(), WAKER)
    }

    /// Adds a connection, which does not begin yet; returns its number. `configure` changes what is
    /// not like that of all others, in any case the client id.
    pub fn add(&mut self, configure: impl FnOnce(&mut session::Config)) -> usize {
        let number = self.connections.len();
        let mut config = self.options.server(number).session.clone();
        configure(&mut config);
        self.connections.push(FleetConnection::new(config, Instant::now()));
        number
    }

    /// Leaves out a number, which another fleet has.
    pub fn leave_out(&mut self) {
        self.connections.leave_out();
    }

    fn begin(&mut self, id: usize, intended: Instant, now: Instant) -> Result<(), Cause> {
        let local = self.options.local(id);
        let socket = self.options.server(id).target.begin(local);
        let socket = socket.map_err(|error| Cause::of_socket(&error))?;
        let descriptor = socket.as_fd().as_raw_fd();
        self.poll
            .registry()
            .register(
                &mut SourceFd(&descriptor),
                Token(id),
                Interest::READABLE | Interest::WRITABLE,
            )
            .map_err(|error| Cause::of_socket(&error))?;
        self.connections[id].begin(socket, intended, now);
        self.arm(id);
        Ok(())
    }

    /// Runs until the driver is over.
    pub fn run(&mut self, driver: &mut impl Driver) -> io::Result<()> {
        let mut events = Events::with_capacity(EVENTS);
        let mut due = None;
        loop {
            let began = Instant::now();
            let late = due.map_or(Duration::ZERO, |due| began.saturating_duration_since(due));
            self.tell(driver, began);
            driver.act(self, began);
            self.expire(driver, Instant::now());
            self.write();
            self.tell(driver, Instant::now());
            if driver.is_over() {
                return Ok(());
            }
            self.read(driver);
            self.write();
            driver.rest(Instant::now());
            if let Some(signals) = &self.signals {
                signals.note_turn();
            }
            // A loop that was not woken when it was to go on was away as if it worked.
            driver.note_turn(began.elapsed() + late);
            due = Some(self.wait(driver.next_due(), &mut events)?);
            self.note(&events, driver);
        }
    }

    /// Tells what happened while the driver could not listen.
    fn tell(&mut self, driver: &mut impl Driver, now: Instant) {
        while let Some((id, what)) = self.happened.pop_front() {
            driver.happened(id, what, now);
        }
    }

    /// Waits until a socket is ready, or until `due`; returns when it was to go on at the latest.
    fn wait(&mut self, due: Option<Instant>, events: &mut Events) -> io::Result<Instant> {
        let alarm = self.alarms.peek().map(|Reverse((at, _))| *at);
        let now = Instant::now();
        let until = [due, alarm].into_iter().flatten().fold(now + HEARTBEAT, Instant::min).max(now);
        let is_idle = self.to_read.is_empty() && self.happened.is_empty();
        if is_idle && until > now {
            let mut ends = [PollFd::new(self.poll.registry(), PollFlags::IN)];
            let timeout = Timespec::try_from(until - now).ok();
            match rustix::event::poll(&mut ends, timeout.as_ref()) {
                Ok(_) | Err(rustix::io::Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
        match self.poll.poll(&mut *events, Some(Duration::ZERO)) {
            Err(error) if error.kind() != io::ErrorKind::Interrupted => Err(error),
            _ => Ok(until),
        }
    }

    /// Notes which sockets are ready.
    fn note(&mut self, events: &Events, driver: &mut impl Driver) {
        let now = Instant::now();
        for event in events {
            let id = match event.token() {
                SIGNALS => {
                    self.take_signals(driver, now);
                    continue;
                }
                WAKER => continue,
                Token(id) => id,
            };
            if self.connections[id].stage == ConnectionStage::Tcp {
                let has_come = event.is_writable() || event.is_error() || event.is_read_closed();
                if has_come {
                    self.connected(id, driver, now);
                }
                continue;
            }
            if event.is_writable() && self.connections[id].is_congested() {
                self.push(id, driver, now);
            }
            if event.is_read_closed() || event.is_error() {
                self.connections[id].note_end();
            }
            if event.is_readable() || event.is_read_closed() || event.is_error() {
                self.queue_read(id);
            }
        }
    }

    fn take_signals(&mut self, driver: &mut impl Driver, now: Instant) {
        let Some(signals) = &self.signals else { return };
        if signals.take_request() {
            driver.asked_for_figures(now);
        }
        while let Some(signal) = signals.take() {
            driver.interrupted(signal, now);
        }
    }

    /// TCP is there, or has failed.
    fn connected(&mut self, id: usize, driver: &mut impl Driver, now: Instant) {
        match self.connections[id].connected(&self.options.server(id).transport, now) {
            Ok(()) => self.queue_read(id),
            Err(cause) => self.fail(id, cause, driver, now),
        }
    }

    /// Writes what waits for a server that takes something again.
    fn push(&mut self, id: usize, driver: &mut impl Driver, now: Instant) {
        let connection = &mut self.connections[id];
        connection.write(now);
        if connection.is_congested() {
            return;
        }
        if connection.stage == ConnectionStage::Online {
            driver.happened(id, Happening::Sendable, now);
        }
        // What was read while it was congested may not be understood yet.
        self.queue_read(id);
    }

    /// Reads connections that are ready, each a part.
    fn read(&mut self, driver: &mut impl Driver) {
        let (mut handshakes, is_large) = (0, self.connections.is_large());
        for _ in 0..self.to_read.len().min(READS) {
            let Some(id) = self.to_read.pop_front() else { return };
            if self.connections[id].stage == ConnectionStage::Tls {
                handshakes += 1;
                if handshakes > HANDSHAKES {
                    self.to_read.push_back(id);
                    continue;
                }
            }
            let now = Instant::now();
            let connection = &mut self.connections[id];
            if connection.reading == Queued::Stalled {
                continue;
            }
            connection.reading = Queued::No;
            let was = connection.stage;
            let result = connection
                .understand(id, driver, now)
                .and_then(|()| connection.read(id, &mut self.spare, READ_BYTES, driver));
            let stage = connection.stage;
            if is_large {
                // Before the next one is read, so that there is one block at a time.
                connection.release_memory();
            }
            match result {
                Ok(left) => {
                    if left == Left::Something {
                        self.queue_read(id);
                    }
                    self.queue_write(id);
                }
                Err(cause) => self.fail(id, cause, driver, now),
            }
            if was != stage {
                self.arm(id);
            }
        }
    }

    /// Does what is due for connections that have waited for something.
    fn expire(&mut self, driver: &mut impl Driver, now: Instant) {
        let mut unread = Vec::new();
        while let Some(Reverse((at, id))) = self.alarms.peek().copied()
            && at <= now
        {
            self.alarms.pop();
            self.connections[id].armed = None;
            match self.connections[id].reading {
                Queued::No => {}
                // What has come may be what it waits for.
                Queued::Yes => {
                    unread.push(id);
                    continue;
                }
                Queued::Stalled => continue,
            }
            match self.connections[id].expire(self.options.server(id).timeout, now) {
                Ok(()) => {
                    self.queue_write(id);
                    self.arm(id);
                }
                Err(cause) => self.fail(id, cause, driver, now),
            }
        }
        for id in unread {
            self.arm(id);
        }
    }

    /// Notes when something is due for a connection.
    fn arm(&mut self, id: usize) {
        let connection = &mut self.connections[id];
        if let Some(at) = connection.deadline(self.options.server(id).timeout)
            && connection.armed.is_none_or(|armed| at < armed)
        {
            connection.armed = Some(at);
            self.alarms.push(Reverse((at, id)));
        }
    }

    /// A connection has ended.
    fn fail(&mut self, id: usize, cause: Cause, driver: &mut impl Driver, now: Instant) {
        let connection = &mut self.connections[id];
        let what = match connection.stage {
            ConnectionStage::Idle => return,
            ConnectionStage::Closing => Happening::Closed,
            ConnectionStage::Online => Happening::Lost(cause),
            ConnectionStage::Tcp
            | ConnectionStage::Tls
            | ConnectionStage::Upgrade
            | ConnectionStage::Connack => Happening::NotMade(cause),
        };
        connection.drop_link();
        driver.happened(id, what, now);
    }

    fn queue_read(&mut self, id: usize) {
        let connection = &mut self.connections[id];
        if connection.reading == Queued::No {
            connection.reading = Queued::Yes;
            self.to_read.push_back(id);
        }
    }

    fn queue_write(&mut self, id: usize) {
        let connection = &mut self.connections[id];
        if connection.writing == Queued::No {
            connection.writing = Queued::Yes;
            self.to_write.push(id);
        }
    }

    /// Writes what waits for each connection.
    fn write(&mut self) {
        let now = Instant::now();
        let mut ids = std::mem::take(&mut self.to_write);
        let is_large = self.connections.is_large();
        for id in ids.drain(..) {
            let connection = &mut self.connections[id];
            connection.writing = Queued::No;
            if !connection.is_congested() {
                connection.write(now);
            }
            if is_large {
                connection.release_memory();
            }
        }
        if self.to_write.is_empty() {
            self.to_write = ids;
        }
    }
}

/// Lets the kernel end waits when they are due, and not up to 50 µs later.
#[cfg(target_os = "linux")]
fn sharpen_clock() {
    // Where this is forbidden, waits are a little longer.
    let _ = rustix::thread::set_current_timer_slack(std::num::NonZeroU64::new(1));
}

#[cfg(not(target_os = "linux"))]
fn sharpen_clock() {}
