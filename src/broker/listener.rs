//! Accepts connections, and starts and ends the two threads of each.

use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::sync::mpsc::SyncSender;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use super::BrokerOptions;
use super::connection::{self, Context};
use super::event::{BrokerEvent, Observer};
use super::handshake;
use super::limits::{CONNECTIONS, LINGER};
use super::router::ConnectionId;
use super::router_thread::RouterEvent;
use super::shared_connection::SharedConnection;
use crate::websocket::frame::GOING_AWAY;

/// How long a write may block before the writer checks whether the connection has ended.
const WRITE_PATIENCE: Duration = Duration::from_millis(200);

/// The state that all threads share.
pub struct BrokerShared {
    mailbox: SyncSender<RouterEvent>,
    path: String,
    max_packet: usize,
    observer: Option<Observer>,
    /// Every connection that has a thread.
    live: Mutex<HashMap<ConnectionId, Arc<SharedConnection>>>,
    /// Signalled when one of them has ended.
    gone: Condvar,
    stopping: AtomicBool,
}

impl BrokerShared {
    /// For a broker with these options, whose router reads the other end of the mailbox.
    pub fn new(options: BrokerOptions, mailbox: SyncSender<RouterEvent>) -> Self {
        let BrokerOptions { path, max_packet, observer, .. } = options;
        Self {
            mailbox,
            path,
            max_packet,
            observer,
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

    /// Waits until all connections have ended, and cuts those that take too long.
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
        Context {
            mailbox: &self.mailbox,
            max_packet: self.max_packet,
            observer: self.observer.as_ref(),
        }
    }

    fn note(&self, text: &str) {
        self.tell(&BrokerEvent::Note(text));
    }

    fn tell(&self, event: &BrokerEvent<'_>) {
        if let Some(observer) = &self.observer {
            observer(event);
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
                shared.note(&format!("a connection failed at once: {error}"));
                // Most likely there are no descriptors or threads left: do not spin until some are
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

/// A connection in the list of live ones; it is removed when its thread has ended.
struct LiveConnection {
    connection: Arc<SharedConnection>,
    shared: Arc<BrokerShared>,
}

impl LiveConnection {
    /// Serves the connection until it ends.
    fn serve(&self) {
        let (connection, shared) = (&self.connection, &self.shared);
        match handshake::accept(&connection.socket, &shared.path) {
            Ok(Ok(leftover)) => {
                if let Err(error) = self.exchange(&leftover) {
                    shared.note(&format!("{}: {error}", connection.address));
                }
            }
            Ok(Err(sentence)) => {
                shared.note(&format!("{} was refused: {sentence}", connection.address));
            }
            Err(error) => {
                shared.note(&format!("{} did not ask for anything: {error}", connection.address));
            }
        }
    }

    /// Reads here and writes in a second thread, until both have ended.
    fn exchange(&self, leftover: &[u8]) -> io::Result<()> {
        let (connection, shared) = (&self.connection, &self.shared);
        connection.socket.set_read_timeout(None)?;
        connection.socket.set_write_timeout(Some(WRITE_PATIENCE))?;
        shared.tell(&BrokerEvent::Opened(connection.address));
        thread::scope(|scope| {
            let writer = thread::Builder::new().name(format!("writer {}", connection.id));
            writer.spawn_scoped(scope, || connection::write(connection, shared.context()))?;
            // However the reader ends, the writer must not wait for ever.
            let _on_end = OnReaderEnd(self);
            // It fails only when the router is gone: then `finish` ends this connection.
            let _ = shared.mailbox.send(RouterEvent::Opened(Arc::clone(connection)));
            connection::read(connection, shared.context(), leftover);
            shared.tell(&BrokerEvent::Closed(connection.address));
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

/// However the reader ends, even by a panic, tells the router and ends the writer.
struct OnReaderEnd<'a>(&'a LiveConnection);

impl Drop for OnReaderEnd<'_> {
    fn drop(&mut self) {
        let LiveConnection { connection, shared } = self.0;
        connection.end(None);
        let _ = shared.mailbox.send(RouterEvent::Lost(connection.id));
        connection.reader_gone();
    }
}
