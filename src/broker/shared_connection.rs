//! The state of one connection that its reader, its writer and the router share: packets to be
//! sent, the bytes that are received and not routed yet, and the waits for them.

use std::net::{Shutdown, SocketAddr, TcpStream};
use std::sync::atomic::{AtomicU8, Ordering::Relaxed};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use super::limits::{DEAF_BYTES, HOLD_BACK, LINGER, SLOW_BYTES, UNROUTED_BYTES};
use super::router::{Backlog, ConnectionId};
use crate::mqtt::packet::Packet;
use crate::mqtt::version::Version;

/// A connection, shared by its reader, its writer and the router's thread.
#[derive(Debug)]
pub struct SharedConnection {
    /// Its number.
    pub id: ConnectionId,
    /// The client's address.
    pub address: SocketAddr,
    /// The socket; reading and writing it is for its two threads alone.
    pub socket: TcpStream,
    /// How much is waiting to be sent to the client.
    pub backlog: Arc<Backlog>,
    version: AtomicU8,
    state: Mutex<ConnectionState>,
    /// There is something to write, or the connection ends.
    to_write: Condvar,
    /// Something was routed or written, or the connection ends.
    progress: Condvar,
}

#[derive(Debug, Default)]
struct ConnectionState {
    unwritten: Unwritten,
    /// The received bytes that wait for the router.
    unrouted: usize,
    /// The slow subscriber for which the reader should wait.
    hold_back_for: Option<Arc<SharedConnection>>,
    ending: Option<ConnectionEnd>,
    reader_gone: bool,
    /// Threads that wait for progress.
    waiting: usize,
}

/// Frames and packets to be written. Empty vectors keep their memory.
#[derive(Debug, Default)]
pub struct Unwritten {
    /// Whole control frames (Pong): they go first.
    pub frames: Vec<u8>,
    /// Packets, in order.
    pub packets: Vec<Packet>,
    /// Set when nothing will follow.
    pub ending: Option<ConnectionEnd>,
}

/// How a connection ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ConnectionEnd {
    /// The code of our Close frame (RFC 6455 §7.4); `None` if there is none to send (any more).
    pub close: Option<u16>,
    /// When this was decided.
    pub since: Instant,
}

impl SharedConnection {
    /// A connection that was just accepted.
    pub fn new(id: ConnectionId, address: SocketAddr, socket: TcpStream) -> Self {
        Self {
            id,
            address,
            socket,
            backlog: Arc::default(),
            version: AtomicU8::new(0),
            state: Mutex::default(),
            to_write: Condvar::new(),
            progress: Condvar::new(),
        }
    }

    /// The version that CONNECT asked for; packets to the client are written in it. Before, 3.1.1.
    pub fn version(&self) -> Version {
        match self.version.load(Relaxed) {
            3 => Version::V3_1,
            5 => Version::V5,
            _ => Version::V3_1_1,
        }
    }

    /// CONNECT was read; a second one, which is an error, changes nothing.
    pub fn set_version(&self, version: Version) {
        // It fails only if it was set before.
        let _ = self.version.compare_exchange(0, version.level(), Relaxed, Relaxed);
    }

    /// For the router: packets to write. The vector is left empty.
    pub fn post(&self, packets: &mut Vec<Packet>) {
        let mut state = self.lock();
        if state.ending.is_some() {
            packets.clear();
        } else if state.unwritten.packets.is_empty() {
            std::mem::swap(&mut state.unwritten.packets, packets);
        } else {
            state.unwritten.packets.append(packets);
        }
        drop(state);
        self.to_write.notify_one();
    }

    /// For the reader: a control frame to write.
    pub fn post_frame(&self, frame: &[u8]) {
        let mut state = self.lock();
        if state.ending.is_none() {
            self.backlog.add(frame.len());
            state.unwritten.frames.extend_from_slice(frame);
        }
        drop(state);
        self.to_write.notify_one();
    }

    /// Ends the connection after what was posted; the first reason counts.
    pub fn end(&self, close: Option<u16>) {
        let mut state = self.lock();
        state.ending.get_or_insert(ConnectionEnd { close, since: Instant::now() });
        state.hold_back_for = None;
        drop(state);
        self.to_write.notify_one();
        self.progress.notify_all();
    }

    /// Whether the connection ends, and since when.
    pub fn ending(&self) -> Option<ConnectionEnd> {
        self.lock().ending
    }

    /// For the writer: waits for something to write and takes all of it.
    pub fn take(&self, unwritten: &mut Unwritten) {
        let idle = |state: &mut ConnectionState| {
            state.ending.is_none()
                && state.unwritten.frames.is_empty()
                && state.unwritten.packets.is_empty()
        };
        let mut state =
            self.to_write.wait_while(self.lock(), idle).unwrap_or_else(PoisonError::into_inner);
        std::mem::swap(&mut state.unwritten, unwritten);
        unwritten.ending = state.ending;
    }

    /// For the writer: this many bytes were written. True if the router waits for that.
    #[must_use]
    pub fn wrote(&self, weight: usize) -> bool {
        let relieved = self.backlog.sent(weight);
        if self.lock().waiting > 0 {
            self.progress.notify_all();
        }
        relieved
    }

    /// For the reader: announces a batch of packets for the router. Waits until there is room for
    /// it, until the client itself reads, and until a slow subscriber has caught up or its time is
    /// over.
    pub fn admit(&self, weight: usize) {
        let crowded = |state: &ConnectionState| {
            state.unrouted > 0 && state.unrouted + weight > UNROUTED_BYTES
        };
        let deaf = || self.backlog.unsent() > DEAF_BYTES;
        let mut state = self.lock();
        state.waiting += 1;
        state = self
            .progress
            .wait_while(state, |state| state.ending.is_none() && (crowded(state) || deaf()))
            .unwrap_or_else(PoisonError::into_inner);
        state.waiting -= 1;
        state.unrouted += weight;
        let subscriber = state.hold_back_for.take();
        drop(state);
        if let Some(subscriber) = subscriber {
            subscriber.wait_until_less_slow();
        }
    }

    /// For the router: a batch of this weight was routed.
    pub fn routed(&self, weight: usize) {
        let mut state = self.lock();
        state.unrouted -= weight;
        if state.waiting > 0 {
            self.progress.notify_all();
        }
    }

    /// For the router: asks the reader to wait for a slow subscriber before its next batch.
    pub fn hold_back_for(&self, subscriber: &Arc<SharedConnection>) {
        let mut state = self.lock();
        if state.ending.is_none() {
            state.hold_back_for = Some(Arc::clone(subscriber));
        }
    }

    /// For the reader: it will not read again.
    pub fn reader_gone(&self) {
        self.lock().reader_gone = true;
        self.progress.notify_all();
    }

    /// For the writer: waits, but not for long, until the reader has seen the other side's end.
    pub fn wait_for_reader(&self) {
        let mut state = self.lock();
        state.waiting += 1;
        drop(self.progress.wait_timeout_while(state, LINGER, |state| !state.reader_gone));
        self.lock().waiting -= 1;
    }

    /// Ends both directions of the socket, and so its two threads.
    pub fn cut(&self) {
        // It may be closed already.
        let _ = self.socket.shutdown(Shutdown::Both);
    }

    /// Waits until half of this subscriber's backlog is gone. If its time runs out, no other
    /// publisher waits for it.
    fn wait_until_less_slow(&self) {
        let slow = |state: &mut ConnectionState| {
            state.ending.is_none() && self.backlog.total() > SLOW_BYTES / 2
        };
        let mut state = self.lock();
        state.waiting += 1;
        let waited = self.progress.wait_timeout_while(state, HOLD_BACK, slow);
        let (mut state, timeout) = waited.unwrap_or_else(PoisonError::into_inner);
        state.waiting -= 1;
        if timeout.timed_out() {
            self.backlog.set_stuck();
        }
    }

    /// No code panics while it holds the lock; if it did, the state would still be consistent.
    fn lock(&self) -> MutexGuard<'_, ConnectionState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
