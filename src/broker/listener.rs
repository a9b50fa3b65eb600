//! The broker's threads: one accepts connections, one routes, and two serve each connection.

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
use super::router::{ConnectionId, EndReason, Outgoing, Router};
use super::shared_connection::SharedConnection;
use super::{BrokerOptions, LogLine};
use crate::mqtt::packet::{Malformed, Packet};
use crate::websocket::frame::{GOING_AWAY, NORMAL, PROTOCOL_ERROR};

/// How many events are routed before what they caused is handed over.
const BURST: usize = 64;
/// How long a write may block before the writer looks whether it is still wanted.
const WRITE_PATIENCE: Duration = Duration::from_millis(200);

/// What reaches the router.
#[derive(Debug)]
pub enum RouterEvent {
    /// A WebSocket is open.
    Opened(Arc<SharedConnection>),
    /// Packets came in. None at all: a part of one did.
    Packets {
        /// From where.
        connection: ConnectionId,
        /// In order.
        packets: Vec<Packet>,
        /// How much memory they count for, in bytes.
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
pub struct BrokerShared {
    mailbox: SyncSender<RouterEvent>,
    path: String,
    max_packet: usize,
    log: Option<LogLine>,
    /// Every connection that has a thread.
    live: Mutex<HashMap<ConnectionId, Arc<SharedConnection>>>,
    /// One of them is gone.
    gone: Condvar,
    stopping: AtomicBool,
}

impl BrokerShared {
    /// For a broker with these options, whose router reads the other end of the mailbox.
    pub fn new(options: BrokerOptions, mailbox: SyncSender<RouterEvent>) -> Self {
        let BrokerOptions { path, max_packet, log, .. } = options;
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
        let _ = self.mailbox.send(RouterEvent::Stop);
        TcpStream::connect_timeout(&reachable(address), LINGER / 4).is_ok()
    }

    /// The path that is upgraded.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// Waits until all connections are gone, and cuts those that take too long.
    pub fn finish(&self) {
        let connections: Vec<_> = self.live().values().cloned().collect();
        for connection in connections {
            connection.end(Some(GOING_AWAY));
        }
        for patience in [LINGER + LINGER / 4, LINGER / 4] {
            let live = self.gone.wait_timeout_while(self.live(), patience, |live| !live.is_empty());
            let (live, _) = live.unwrap_or_else(PoisonError::into_inner);
            for connection in live.values() {
                connection.cut();
            }
        }
    }

    fn live(&self) -> MutexGuard<'_, HashMap<ConnectionId, Arc<SharedConnection>>> {
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
pub fn listen(listener: &TcpListener, shared: &Arc<BrokerShared>) {
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
    shared: &Arc<BrokerShared>,
) -> io::Result<()> {
    if shared.live().len() >= CONNECTIONS {
        return handshake::refuse_busy(&socket);
    }
    socket.set_nodelay(true)?;
    let live = LiveConnection {
        connection: Arc::new(SharedConnection::new(id, address, socket)),
        shared: Arc::clone(shared),
    };
    shared.live().insert(id, Arc::clone(&live.connection));
    thread::Builder::new().name(format!("reader {id}")).spawn(move || live.serve())?;
    Ok(())
}

/// A connection in the list of live ones; it is taken out when its thread has ended.
struct LiveConnection {
    connection: Arc<SharedConnection>,
    shared: Arc<BrokerShared>,
}

impl LiveConnection {
    /// The life of a connection.
    fn serve(&self) {
        let (connection, shared) = (&self.connection, &self.shared);
        match handshake::accept(&connection.socket, &shared.path) {
            Ok(Ok(leftover)) => {
                if let Err(error) = self.exchange(&leftover) {
                    shared.tell(&format!("{}: {error}", connection.address));
                }
            }
            Ok(Err(sentence)) => {
                shared.tell(&format!("{} was refused: {sentence}", connection.address));
            }
            Err(error) => {
                shared.tell(&format!("{} did not ask for anything: {error}", connection.address));
            }
        }
    }

    /// Reads here and writes in a second thread, until both have ended.
    fn exchange(&self, leftover: &[u8]) -> io::Result<()> {
        let (connection, shared) = (&self.connection, &self.shared);
        connection.socket.set_read_timeout(None)?;
        connection.socket.set_write_timeout(Some(WRITE_PATIENCE))?;
        shared.tell(&format!("{} is connected", connection.address));
        thread::scope(|scope| {
            let writer = thread::Builder::new().name(format!("writer {}", connection.id));
            writer.spawn_scoped(scope, || connection::write(connection, shared.context()))?;
            // Whatever happens to the reader, the writer must not wait for ever.
            let _on_end = OnReaderEnd(self);
            // It fails only when the router is gone: then `finish` ends this connection.
            let _ = shared.mailbox.send(RouterEvent::Opened(Arc::clone(connection)));
            connection::read(connection, shared.context(), leftover);
            shared.tell(&format!("{} is gone", connection.address));
            Ok(())
        })
    }
}

impl Drop for LiveConnection {
    fn drop(&mut self) {
        self.connection.cut();
        self.shared.live().remove(&self.connection.id);
        self.shared.gone.notify_all();
    }
}

/// However the reader ends, even by a panic: the router is told, and the writer ends.
struct OnReaderEnd<'a>(&'a LiveConnection);

impl Drop for OnReaderEnd<'_> {
    fn drop(&mut self) {
        let LiveConnection { connection, shared } = self.0;
        connection.end(None);
        let _ = shared.mailbox.send(RouterEvent::Lost(connection.id));
        connection.reader_gone();
    }
}

/// The router's thread.
pub struct RouterThread {
    /// The core.
    pub router: Router,
    /// What reaches it.
    pub inbox: Receiver<RouterEvent>,
    /// All open connections.
    pub connections: HashMap<ConnectionId, Arc<SharedConnection>>,
    /// What all threads share.
    pub shared: Arc<BrokerShared>,
}

impl RouterThread {
    /// Routes until the broker stops.
    pub fn run(mut self) {
        let mut events = Vec::new();
        let mut routed = Vec::new();
        while self.wait(&mut events) {
            events.extend(self.inbox.try_iter().take(BURST));
            let stop = events.iter().any(|event| matches!(event, RouterEvent::Stop));
            for event in events.drain(..) {
                self.route(event, &mut routed);
            }
            self.router.tick(Instant::now());
            self.hand_over();
            for (id, weight) in routed.drain(..) {
                if let Some(connection) = self.connections.get(&id) {
                    connection.routed(weight);
                }
            }
            if stop {
                return;
            }
        }
    }

    /// Waits for the next event or the router's deadline. False when there will be no event any
    /// more.
    fn wait(&self, events: &mut Vec<RouterEvent>) -> bool {
        let event = match self.router.deadline() {
            Some(at) => self.inbox.recv_timeout(at.saturating_duration_since(Instant::now())),
            None => self.inbox.recv().map_err(|_| RecvTimeoutError::Disconnected),
        };
        let alive = !matches!(event, Err(RecvTimeoutError::Disconnected));
        events.extend(event);
        alive
    }

    /// Gives one event to the router. A panic there, a bug of ours, costs one connection.
    fn route(&mut self, event: RouterEvent, routed: &mut Vec<(ConnectionId, usize)>) {
        let connection = match &event {
            RouterEvent::Packets { connection, weight, .. } => {
                routed.push((*connection, *weight));
                Some(*connection)
            }
            RouterEvent::Malformed { connection, .. } | RouterEvent::Lost(connection) => {
                Some(*connection)
            }
            RouterEvent::Opened(_) | RouterEvent::Relieved(_) | RouterEvent::Stop => None,
        };
        let outcome = catch_unwind(AssertUnwindSafe(|| self.route_unguarded(event)));
        if let (Err(_), Some(id)) = (outcome, connection) {
            let _ = catch_unwind(AssertUnwindSafe(|| self.router.lost(id, Instant::now())));
        }
    }

    fn route_unguarded(&mut self, event: RouterEvent) {
        let now = Instant::now();
        match event {
            RouterEvent::Opened(connection) => {
                self.router.open(connection.id, Arc::clone(&connection.backlog), now);
                self.connections.insert(connection.id, connection);
            }
            RouterEvent::Packets { connection, packets, .. } => {
                self.router.heard(connection, now);
                for packet in packets {
                    self.router.receive(connection, packet, now);
                }
            }
            RouterEvent::Malformed { connection, error } => {
                self.router.malformed(connection, &error, now);
            }
            RouterEvent::Lost(connection) => {
                self.router.lost(connection, now);
                self.connections.remove(&connection);
            }
            RouterEvent::Relieved(connection) => self.router.relieved(connection, now),
            RouterEvent::Stop => self.router.stop(now),
        }
    }

    /// Gives every connection what the router has for it.
    fn hand_over(&mut self) {
        let Self { router, connections, shared, .. } = self;
        router.drain(|mut outgoing| deliver(&mut outgoing, connections));
        for note in router.notes() {
            shared.tell(&note);
        }
    }
}

fn deliver(
    outgoing: &mut Outgoing<'_>,
    connections: &HashMap<ConnectionId, Arc<SharedConnection>>,
) {
    let Some(connection) = connections.get(&outgoing.connection) else {
        return outgoing.packets.clear();
    };
    if !outgoing.packets.is_empty() {
        connection.post(outgoing.packets);
    }
    if let Some(subscriber) = outgoing.hold_back_for.and_then(|id| connections.get(&id)) {
        connection.hold_back_for(subscriber);
    }
    if let Some(end) = outgoing.end {
        connection.end(close_code(end));
    }
}

/// The Close frame that follows the last packet.
fn close_code(end: EndReason) -> Option<u16> {
    match end {
        EndReason::Lost => None,
        EndReason::Done | EndReason::Refused | EndReason::Silent | EndReason::TakenOver => {
            Some(NORMAL)
        }
        EndReason::Misbehaved => Some(PROTOCOL_ERROR),
        EndReason::Stopped => Some(GOING_AWAY),
    }
}
