//! The local broker of `mqttws serve`. The router is pure; the listener and the threads of the
//! connections do the I/O.

#[cfg_attr(not(test), expect(dead_code, reason = "the event loop will ask it"))]
mod access;
mod connection;
pub mod event;
mod frames;
mod handshake;
mod limits;
mod listener;
mod router;
mod router_thread;
mod shared_connection;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::{Arc, mpsc};
use std::thread::{self, JoinHandle};

use event::Observer;
use listener::BrokerShared;
use router::Router;
use router_thread::RouterThread;

/// How a broker is started.
pub struct BrokerOptions {
    /// Where it listens; port 0 takes any that is free.
    pub address: SocketAddr,
    /// The only path that is upgraded, for example `/mqtt`.
    pub path: String,
    /// The largest MQTT packet that it takes, in bytes.
    pub max_packet: usize,
    /// Who is told of each packet, refusal and dropped message.
    pub observer: Option<Observer>,
}

/// A running broker: MQTT 3.1, 3.1.1 and 5 over WebSocket, everything in memory.
pub struct Broker {
    address: SocketAddr,
    shared: Arc<BrokerShared>,
    router: Option<JoinHandle<()>>,
    listener: Option<JoinHandle<()>>,
}

impl Broker {
    /// Starts to listen.
    ///
    /// # Errors
    /// When the address cannot be bound or a thread cannot be started.
    pub fn start(options: BrokerOptions) -> io::Result<Self> {
        let socket = TcpListener::bind(options.address)?;
        let address = socket.local_addr()?;
        let (mailbox, inbox) = mpsc::sync_channel(limits::MAILBOX);
        let router = Router::new(u32::try_from(options.max_packet).unwrap_or(u32::MAX));
        let observer = options.observer.clone();
        let shared = Arc::new(BrokerShared::new(options, mailbox));
        let router_thread = RouterThread { router, inbox, connections: HashMap::new(), observer };
        let router =
            thread::Builder::new().name("router".to_owned()).spawn(move || router_thread.run())?;
        let mut broker =
            Self { address, shared: Arc::clone(&shared), router: Some(router), listener: None };
        let listener = thread::Builder::new().name("listener".to_owned());
        broker.listener = Some(listener.spawn(move || listener::listen(&socket, &shared))?);
        Ok(broker)
    }

    /// The address that it listens on.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// What a client on this machine connects to.
    pub fn url(&self) -> String {
        format!("ws://{}{}", listener::reachable(self.address()), self.shared.path())
    }

    /// Stops: clients get DISCONNECT 0x8B (MQTT 5) and Close 1001, wills are not published. Returns
    /// within two seconds.
    pub fn stop(self) {
        drop(self);
    }
}

/// Stops the broker.
impl Drop for Broker {
    fn drop(&mut self) {
        let woken = self.shared.stop(self.address);
        // A thread that panicked has ended, which is all that matters here.
        if let Some(router) = self.router.take() {
            let _ = router.join();
        }
        if let Some(listener) = self.listener.take().filter(|_| woken) {
            let _ = listener.join();
        }
        self.shared.finish();
    }
}
