//! A proxy that breaks connections at chosen bytes: cut, reset, stalled, half closed, split into
//! pieces. It must never know what the bytes mean.

use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use socket2::SockRef;

/// How long a read waits before it looks whether the connection is still wanted.
const TURN: Duration = Duration::from_millis(50);

/// What happens at a certain byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Both connections end.
    Cut,
    /// The client's connection ends with RST.
    Reset,
    /// This direction ends, the other does not.
    HalfClose,
    /// Nothing goes on in this direction for so long.
    Stall(Duration),
    /// Nothing goes on in this direction until [`Proxy::release`] or [`Proxy::close`].
    Hold,
}

/// What one direction of one connection goes through.
#[derive(Clone, Debug, Default)]
pub struct Path {
    /// Faults, each after so many bytes; in this order.
    pub faults: Vec<(u64, Fault)>,
    /// The sizes of the pieces, over and over, that the bytes are written in; whole when empty.
    pub pieces: Vec<usize>,
}

impl Path {
    /// One fault after `bytes`.
    pub fn failing(bytes: u64, fault: Fault) -> Self {
        Self { faults: vec![(bytes, fault)], ..Self::default() }
    }
}

/// What one connection goes through.
#[derive(Clone, Debug, Default)]
pub struct Plan {
    /// From the client to the broker.
    pub up: Path,
    /// From the broker to the client.
    pub down: Path,
}

/// One of the two directions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Direction {
    Up,
    Down,
}

/// Gives the plan of the connection with this number, from 0.
type Planner = dyn FnMut(usize) -> Plan + Send;

/// What all connections share.
struct Shared {
    upstream: u16,
    plans: Mutex<Box<Planner>>,
    /// Counts [`Proxy::close`]: connections of an earlier time end.
    epoch: AtomicUsize,
    is_open: AtomicBool,
    is_over: AtomicBool,
    connections: AtomicUsize,
    held: AtomicUsize,
    broken: AtomicUsize,
    /// Bytes forwarded to the broker, and to the client.
    forwarded: [AtomicU64; 2],
    /// When bytes came from the client.
    heard: Mutex<Vec<Instant>>,
    released: (Mutex<bool>, Condvar),
}

/// The proxy; its listener is gone when it is dropped.
pub struct Proxy {
    port: u16,
    shared: Arc<Shared>,
}

impl Proxy {
    /// Starts it before the port `upstream`.
    pub fn start(upstream: u16, plans: impl FnMut(usize) -> Plan + Send + 'static) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let shared = Arc::new(Shared {
            upstream,
            plans: Mutex::new(Box::new(plans)),
            epoch: AtomicUsize::new(0),
            held: AtomicUsize::new(0),
            is_open: AtomicBool::new(true),
            is_over: AtomicBool::new(false),
            connections: AtomicUsize::new(0),
            broken: AtomicUsize::new(0),
            forwarded: [AtomicU64::new(0), AtomicU64::new(0)],
            heard: Mutex::new(Vec::new()),
            released: (Mutex::new(false), Condvar::new()),
        });
        let serving = Arc::clone(&shared);
        thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                if serving.is_over.load(Ordering::SeqCst) {
                    return;
                }
                if serving.is_open.load(Ordering::SeqCst) {
                    serve(&serving, client);
                }
            }
        });
        Self { port, shared }
    }

    /// One that only counts.
    pub fn transparent(upstream: u16) -> Self {
        Self::start(upstream, |_| Plan::default())
    }

    /// What the client is to connect to.
    pub fn url(&self) -> String {
        format!("ws://127.0.0.1:{}/mqtt", self.port)
    }

    /// Ends every connection, and new ones at once, until [`Proxy::open`].
    pub fn close(&self) {
        self.shared.is_open.store(false, Ordering::SeqCst);
        self.shared.epoch.fetch_add(1, Ordering::SeqCst);
        self.shared.released.1.notify_all();
    }

    /// Lets connections pass again.
    pub fn open(&self) {
        self.shared.is_open.store(true, Ordering::SeqCst);
    }

    /// Lets every [`Fault::Hold`] go on.
    pub fn release(&self) {
        *self.shared.released.0.lock().unwrap() = true;
        self.shared.released.1.notify_all();
    }

    /// How many connections there were.
    pub fn connections(&self) -> usize {
        self.shared.connections.load(Ordering::SeqCst)
    }

    /// How many times a direction came to [`Fault::Hold`].
    pub fn held(&self) -> usize {
        self.shared.held.load(Ordering::SeqCst)
    }

    /// How many of them ended by a fault.
    pub fn broken(&self) -> usize {
        self.shared.broken.load(Ordering::SeqCst)
    }

    /// How many bytes went to the broker.
    pub fn bytes_up(&self) -> u64 {
        self.shared.forwarded[0].load(Ordering::SeqCst)
    }

    /// How many bytes went to the client.
    pub fn bytes_down(&self) -> u64 {
        self.shared.forwarded[1].load(Ordering::SeqCst)
    }

    /// When bytes came from the client, up to now.
    pub fn heard(&self) -> Vec<Instant> {
        self.shared.heard.lock().unwrap().clone()
    }
}

impl Drop for Proxy {
    /// Ends the connections, and wakes the listener so that it ends, too: from now on nobody is
    /// there.
    fn drop(&mut self) {
        self.shared.is_over.store(true, Ordering::SeqCst);
        self.close();
        TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)).ok();
    }
}

/// Two sockets joined.
struct Connection {
    shared: Arc<Shared>,
    client: TcpStream,
    broker: TcpStream,
    epoch: usize,
    /// A fault has ended it, or one direction of it.
    is_broken: AtomicBool,
    /// Both directions are to end.
    is_over: AtomicBool,
}

/// Connects `client` with the broker. It is closed at once when the broker is not there.
fn serve(shared: &Arc<Shared>, client: TcpStream) {
    let number = shared.connections.fetch_add(1, Ordering::SeqCst);
    let plan = (shared.plans.lock().unwrap())(number);
    let Ok(broker) = TcpStream::connect((Ipv4Addr::LOCALHOST, shared.upstream)) else { return };
    for socket in [&client, &broker] {
        socket.set_nodelay(true).ok();
        socket.set_read_timeout(Some(TURN)).ok();
    }
    let epoch = shared.epoch.load(Ordering::SeqCst);
    let (is_broken, is_over) = (AtomicBool::new(false), AtomicBool::new(false));
    let shared = Arc::clone(shared);
    let connection = Arc::new(Connection { shared, client, broker, epoch, is_broken, is_over });
    for (direction, path) in [(Direction::Up, plan.up), (Direction::Down, plan.down)] {
        let connection = Arc::clone(&connection);
        thread::spawn(move || connection.pump(direction, &path));
    }
}

impl Connection {
    /// Forwards one direction to its end.
    fn pump(&self, direction: Direction, path: &Path) {
        let mut passed = 0;
        for &(at, fault) in &path.faults {
            if !self.forward(direction, path, &mut passed, at) {
                return;
            }
            match fault {
                Fault::Stall(duration) => thread::sleep(duration),
                Fault::Hold => self.hold(),
                Fault::HalfClose => {
                    self.count();
                    self.target(direction).shutdown(Shutdown::Write).ok();
                    return;
                }
                Fault::Cut | Fault::Reset => return self.break_off(fault),
            }
        }
        self.forward(direction, path, &mut passed, u64::MAX);
    }

    /// Forwards up to the byte `end`; false when the connection ended before.
    fn forward(&self, direction: Direction, path: &Path, passed: &mut u64, end: u64) -> bool {
        let (mut source, mut target) = (self.source(direction), self.target(direction));
        let mut buffer = vec![0; 64 * 1024];
        while *passed < end {
            let left = usize::try_from(end - *passed).unwrap_or(usize::MAX).min(buffer.len());
            if !self.wait_for_bytes(source) {
                target.shutdown(Shutdown::Write).ok();
                return false;
            }
            let Ok(length @ 1..) = source.read(&mut buffer[..left]) else { continue };
            if direction == Direction::Up {
                self.shared.heard.lock().unwrap().push(Instant::now());
            }
            if !write_in_pieces(&mut target, &buffer[..length], &path.pieces) {
                source.shutdown(Shutdown::Read).ok();
                return false;
            }
            *passed += length as u64;
            self.shared.forwarded[direction as usize].fetch_add(length as u64, Ordering::SeqCst);
        }
        true
    }

    /// Waits until there are bytes, without taking any; false at the end of the connection.
    fn wait_for_bytes(&self, source: &TcpStream) -> bool {
        loop {
            let peeked = source.peek(&mut [0]);
            if self.is_over.load(Ordering::SeqCst) {
                return false;
            }
            if self.is_closed() {
                self.end();
                return false;
            }
            match peeked {
                Ok(0) => return false,
                Ok(_) => return true,
                Err(error) if is_turn(&error) => {}
                Err(_) => return false,
            }
        }
    }

    fn hold(&self) {
        self.shared.held.fetch_add(1, Ordering::SeqCst);
        let (released, condition) = &self.shared.released;
        let mut released = released.lock().unwrap();
        while !*released && !self.is_closed() {
            released = condition.wait_timeout(released, TURN).unwrap().0;
        }
    }

    /// Counts this connection as broken, once.
    fn count(&self) {
        let is_new = !self.is_broken.swap(true, Ordering::SeqCst);
        self.shared.broken.fetch_add(usize::from(is_new), Ordering::SeqCst);
    }

    fn is_closed(&self) -> bool {
        self.epoch != self.shared.epoch.load(Ordering::SeqCst)
    }

    /// Ends both connections. The client's socket is closed when both directions have ended: a
    /// `shutdown` would send FIN before the RST.
    fn break_off(&self, fault: Fault) {
        self.count();
        self.is_over.store(true, Ordering::SeqCst);
        if fault == Fault::Reset {
            SockRef::from(&self.client).set_linger(Some(Duration::ZERO)).unwrap();
            self.broker.shutdown(Shutdown::Both).ok();
        } else {
            self.end();
        }
    }

    fn end(&self) {
        self.client.shutdown(Shutdown::Both).ok();
        self.broker.shutdown(Shutdown::Both).ok();
    }

    fn source(&self, direction: Direction) -> &TcpStream {
        if direction == Direction::Up { &self.client } else { &self.broker }
    }

    fn target(&self, direction: Direction) -> &TcpStream {
        if direction == Direction::Up { &self.broker } else { &self.client }
    }
}

/// Whether a read only waited long enough to look around.
fn is_turn(error: &std::io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::Interrupted)
}

/// Whether all of it could be written.
fn write_in_pieces(target: &mut &TcpStream, mut bytes: &[u8], pieces: &[usize]) -> bool {
    let mut sizes = pieces.iter().copied().cycle();
    while !bytes.is_empty() {
        let (piece, rest) = bytes.split_at(sizes.next().unwrap_or(usize::MAX).min(bytes.len()));
        if target.write_all(piece).is_err() {
            return false;
        }
        bytes = rest;
    }
    true
}
