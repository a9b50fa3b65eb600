//! The broker's threads: one accepts, one routes, two serve each connection. It understands no
//! packet.

use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, TcpStream};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use super::connection::{self, Context};
use super::handshake;
use super::limits::{CONNECTIONS, LINGER};
use super::link::Link;
use super::router::{ConnectionId, End, Parcel, Router};
use super::{Log, Options};
use crate::mqtt::packet::{Malformed, Packet};
use crate::websocket::frame::{GOING_AWAY, NORMAL, PROTOCOL_ERROR};

/// How many events are routed before what they caused is handed over.
const BURST: usize = 64;
/// How long a write may block before the writer looks whether it is still wanted.
const WRITE_PATIENCE: Duration = Duration::from_millis(200);

/// What reaches the router.
#[derive(Debug)]
pub enum Event {
    /// A WebSocket is open.
    Opened(Arc<Link>),
    /// Packets came in. None at all: a part of one did.
    Packets {
        /// From where.
        connection: ConnectionId,
        /// In order.
        packets: Vec<Packet>,
        /// What they weigh.
        weight: usize,
    },
    /// What came in was not MQTT.
    Malformed {
        /// From where.
        connection: ConnectionId,
        /// What was wrong.
        error: Malformed,
    },
    /// A connection ended.
    Lost(ConnectionId),
    /// A connection that was full can be written to again.
    Relieved(ConnectionId),
    /// The broker stops.
    Stop,
}

/// What all threads share.
pub struct Shared {
    mailbox: SyncSender<Event>,
    path: String,
    max_packet: usize,
    log: Option<Log>,
    /// Every connection that has a thread.
    live: Mutex<HashMap<ConnectionId, Arc<Link>>>,
    /// One of them is gone.
    gone: Condvar,
    stopping: AtomicBool,
}

impl Shared {
    /// For a broker with these options, whose router reads the other end of the mailbox.
    pub fn new(options: Options, mailbox: SyncSender<Event>) -> Self {
        let Options { path, max_packet, log, .. } = options;
        Self {
            mailbox,
            path,
            max_packet,
            log,
            live: Mutex::default(),
            gone: Condvar::new(),
            stopping: AtomicBool::new(false),
        }
    }

    /// Tells the router and the listener to stop. True when the listener was woken.
    pub fn stop(&self, address: SocketAddr) -> bool {
        self.stopping.store(true, SeqCst);
        // It fails only when the router is gone already.
        let _ = self.mailbox.send(Event::Stop);
        TcpStream::connect_timeout(&reachable(address), LINGER / 4).is_ok()
    }

    /// The path that is upgraded.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// Waits until all connections are gone, and cuts those that take too long.
    pub fn finish(&self) {
        let links: Vec<_> = self.live().values().cloned().collect();
        for link in links {
            link.end(Some(GOING_AWAY));
        }
        for patience in [LINGER + LINGER / 4, LINGER / 4] {
            let live = self.gone.wait_timeout_while(self.live(), patience, |live| !live.is_empty());
            let (live, _) = live.unwrap_or_else(PoisonError::into_inner);
            for link in live.values() {
                link.cut();
            }
        }
    }

    fn live(&self) -> MutexGuard<'_, HashMap<ConnectionId, Arc<Link>>> {
        self.live.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn context(&self) -> Context<'_> {
        Context { mailbox: &self.mailbox, max_packet: self.max_packet, log: self.log.as_ref() }
    }

    fn tell(&self, line: &str) {
        if let Some(log) = &self.log {
            log(line);
        }
    }
}

/// Where a client on this machine reaches a listener.
pub fn reachable(address: SocketAddr) -> SocketAddr {
    let ip = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(ip, address.port())
}

/// Accepts connections until the broker stops.
pub fn listen(listener: &TcpListener, shared: &Arc<Shared>) {
    for id in 0.. {
        let accepted = listener.accept();
        if shared.stopping.load(SeqCst) {
            return;
        }
        match accepted.and_then(|(socket, address)| begin(id, socket, address, shared)) {
            Ok(()) => {}
            Err(error) => {
                shared.tell(&format!("a connection failed at once: {error}"));
                // Most likely we are out of descriptors or threads: do not spin until some are
                // free.
                thread::sleep(Duration::from_millis(20));
            }
        }
    }
}

/// Starts the thread of a new connection.
fn begin(
    id: ConnectionId,
    socket: TcpStream,
    address: SocketAddr,
    shared: &Arc<Shared>,
) -> io::Result<()> {
    if shared.live().len() >= CONNECTIONS {
        return handshake::refuse_busy(&socket);
    }
    socket.set_nodelay(true)?;
    let guard =
        Guard { link: Arc::new(Link::new(id, address, socket)), shared: Arc::clone(shared) };
    shared.live().insert(id, Arc::clone(&guard.link));
    thread::Builder::new().name(format!("reader {id}")).spawn(move || guard.serve())?;
    Ok(())
}

/// A connection in the list of live ones, for as long as it has a thread.
struct Guard {
    link: Arc<Link>,
    shared: Arc<Shared>,
}

impl Guard {
    /// The life of a connection.
    fn serve(&self) {
        let (link, shared) = (&self.link, &self.shared);
        match handshake::accept(&link.socket, &shared.path) {
            Ok(Ok(leftover)) => {
                if let Err(error) = self.exchange(&leftover) {
                    shared.tell(&format!("{}: {error}", link.address));
                }
            }
            Ok(Err(sentence)) => shared.tell(&format!("{} was refused: {sentence}", link.address)),
            Err(error) => {
                shared.tell(&format!("{} did not ask for anything: {error}", link.address));
            }
        }
    }

    /// Reads here and writes in a second thread, until both have ended.
    fn exchange(&self, leftover: &[u8]) -> io::Result<()> {
        let (link, shared) = (&self.link, &self.shared);
        link.socket.set_read_timeout(None)?;
        link.socket.set_write_timeout(Some(WRITE_PATIENCE))?;
        shared.tell(&format!("{} is connected", link.address));
        thread::scope(|scope| {
            let writer = thread::Builder::new().name(format!("writer {}", link.id));
            writer.spawn_scoped(scope, || connection::write(link, shared.context()))?;
            // Whatever happens to the reader, the writer must not wait for ever.
            let _leave = Leave(self);
            // It fails only when the router is gone: then `finish` ends this connection.
            let _ = shared.mailbox.send(Event::Opened(Arc::clone(link)));
            connection::read(link, shared.context(), leftover);
            shared.tell(&format!("{} is gone", link.address));
            Ok(())
        })
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        self.link.cut();
        self.shared.live().remove(&self.link.id);
        self.shared.gone.notify_all();
    }
}

/// The reader leaves, in whatever way: the router learns of it, and the writer ends.
struct Leave<'a>(&'a Guard);

impl Drop for Leave<'_> {
    fn drop(&mut self) {
        let Guard { link, shared } = self.0;
        link.end(None);
        let _ = shared.mailbox.send(Event::Lost(link.id));
        link.reader_gone();
    }
}

/// The router's thread.
pub struct Hub {
    /// The core.
    pub router: Router,
    /// What reaches it.
    pub inbox: Receiver<Event>,
    /// Who is connected.
    pub links: HashMap<ConnectionId, Arc<Link>>,
    /// What all threads share.
    pub shared: Arc<Shared>,
}

impl Hub {
    /// Routes until the broker stops.
    pub fn run(mut self) {
        let mut events = Vec::new();
        let mut routed = Vec::new();
        while self.wait(&mut events) {
            events.extend(self.inbox.try_iter().take(BURST));
            let stop = events.iter().any(|event| matches!(event, Event::Stop));
            for event in events.drain(..) {
                self.route(event, &mut routed);
            }
            self.router.tick(Instant::now());
            self.hand_over();
            for (id, weight) in routed.drain(..) {
                if let Some(link) = self.links.get(&id) {
                    link.routed(weight);
                }
            }
            if stop {
                return;
            }
        }
    }

    /// Waits for the next event or the router's deadline. False when there will be no event any
    /// more.
    fn wait(&self, events: &mut Vec<Event>) -> bool {
        let event = match self.router.deadline() {
            Some(at) => self.inbox.recv_timeout(at.saturating_duration_since(Instant::now())),
            None => self.inbox.recv().map_err(|_| RecvTimeoutError::Disconnected),
        };
        let alive = !matches!(event, Err(RecvTimeoutError::Disconnected));
        events.extend(event);
        alive
    }

    /// Gives one event to the router. A panic there, a bug of ours, costs one connection.
    fn route(&mut self, event: Event, routed: &mut Vec<(ConnectionId, usize)>) {
        let connection = match &event {
            Event::Packets { connection, weight, .. } => {
                routed.push((*connection, *weight));
                Some(*connection)
            }
            Event::Malformed { connection, .. } | Event::Lost(connection) => Some(*connection),
            Event::Opened(_) | Event::Relieved(_) | Event::Stop => None,
        };
        let outcome = catch_unwind(AssertUnwindSafe(|| self.route_unguarded(event)));
        if let (Err(_), Some(id)) = (outcome, connection) {
            let _ = catch_unwind(AssertUnwindSafe(|| self.router.lost(id, Instant::now())));
        }
    }

    fn route_unguarded(&mut self, event: Event) {
        let now = Instant::now();
        match event {
            Event::Opened(link) => {
                self.router.open(link.id, Arc::clone(&link.gauge), now);
                self.links.insert(link.id, link);
            }
            Event::Packets { connection, packets, .. } => {
                self.router.heard(connection, now);
                for packet in packets {
                    self.router.receive(connection, packet, now);
                }
            }
            Event::Malformed { connection, error } => {
                self.router.malformed(connection, &error, now);
            }
            Event::Lost(connection) => {
                self.router.lost(connection, now);
                self.links.remove(&connection);
            }
            Event::Relieved(connection) => self.router.relieved(connection, now),
            Event::Stop => self.router.stop(now),
        }
    }

    /// Gives every connection what the router has for it.
    fn hand_over(&mut self) {
        let Self { router, links, shared, .. } = self;
        router.drain(|mut parcel| deliver(&mut parcel, links));
        for note in router.notes() {
            shared.tell(&note);
        }
    }
}

fn deliver(parcel: &mut Parcel<'_>, links: &HashMap<ConnectionId, Arc<Link>>) {
    let Some(link) = links.get(&parcel.connection) else { return parcel.packets.clear() };
    if !parcel.packets.is_empty() {
        link.post(parcel.packets);
    }
    if let Some(subscriber) = parcel.hold_back_for.and_then(|id| links.get(&id)) {
        link.hold_back_for(subscriber);
    }
    if let Some(end) = parcel.end {
        link.end(close_code(end));
    }
}

/// The Close frame that follows the last packet.
fn close_code(end: End) -> Option<u16> {
    match end {
        End::Lost => None,
        End::Done | End::Refused | End::Silent | End::TakenOver => Some(NORMAL),
        End::Misbehaved => Some(PROTOCOL_ERROR),
        End::Stopped => Some(GOING_AWAY),
    }
}
