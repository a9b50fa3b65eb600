//! The local broker of `mqttws serve`. The router is pure; one thread does the I/O of all
//! connections.

pub mod access;
mod alarms;
mod brokers;
mod connection;
mod connections;
mod descriptors;
pub mod deviation;
pub mod event;
mod event_loop;
pub mod fault;
mod handshake;
mod input;
pub mod limits;
mod listeners;
mod memory;
mod output;
mod refusals;
mod router;
mod socket;
#[cfg(test)]
mod tests;
pub mod tls;

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Instant;

use mio::net::TcpListener;

use access::Access;
use brokers::Brokers;
use connection::Service;
use deviation::{BrokerDeviations, KnownDeviation};
use event::{BrokerEvent, Observer};
use event_loop::{EventLoop, LoopControl};
use fault::FaultPlan;
use limits::{Limit, Limits, MESSAGE_BYTES, READ_BYTES};
use refusals::Refusals;
use tls::ServerTls;

use crate::mqtt::packet::Publish;
use crate::websocket::outbound::ServerOutbound;

/// Descriptors that are needed for other things than connections.
const OTHER_DESCRIPTORS: usize = 64;

/// Takes warnings, without a line end. It is called by the broker's thread.
pub type WarningLine = Arc<dyn Fn(&str) + Send + Sync>;

/// Where the user reads of requests that were refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RefusalsIn {
    /// Among the warnings.
    Warnings,
    /// In what the observer writes.
    Observer,
}

/// What is called when something happens.
#[derive(Clone)]
pub struct BrokerLog {
    /// What the user should know in any case.
    pub warning: WarningLine,
    /// Each packet, refusal and dropped message.
    pub observer: Option<Observer>,
    /// Where the user reads of refusals.
    pub refusals: RefusalsIn,
}

impl BrokerLog {
    fn warn(&self, line: &str) {
        (self.warning)(line);
    }

    fn tell(&self, event: &BrokerEvent<'_>) {
        if let Some(observer) = &self.observer {
            observer(event);
        }
    }

    fn note(&self, text: impl FnOnce() -> String) {
        if let Some(observer) = &self.observer {
            observer(&BrokerEvent::Note(&text()));
        }
    }
}

/// How a broker is started.
pub struct BrokerOptions {
    /// Where it listens; port 0 takes any that is free.
    pub address: SocketAddr,
    /// Where it listens, too, at the same port, if the machine has that address.
    pub also: Option<IpAddr>,
    /// The path that is upgraded, alone or after the name of a broker, for example `/mqtt`.
    pub path: String,
    /// What it offers at most.
    pub limits: Limits,
    /// Who may come in, and who may do what.
    pub access: Access,
    /// The messages that are retained from the beginning.
    pub retained: Vec<Publish>,
    /// What is done otherwise than the standards say.
    pub deviations: Vec<KnownDeviation>,
    /// How connections are encrypted, if they are.
    pub tls: Option<ServerTls>,
    /// What is called when something happens.
    pub log: BrokerLog,
    /// What goes wrong on purpose.
    pub faults: Option<FaultPlan>,
}

/// Raises the soft limit of descriptors of this process for many clients. Commands that are started
/// after it inherit the limit.
pub fn raise_limit(limits: &Limits) {
    descriptors::raise(limits.get(Limit::Connections) + OTHER_DESCRIPTORS);
}

/// A running broker: MQTT 3.1, 3.1.1 and 5 over WebSocket, everything in memory.
pub struct Broker {
    address: SocketAddr,
    path: String,
    scheme: &'static str,
    control: LoopControl,
    thread: Option<JoinHandle<Vec<Publish>>>,
}

/// Why a broker could not be started.
#[derive(Debug)]
pub enum StartError {
    /// The address cannot be bound, or the thread cannot be started.
    Listen(io::Error),
    /// There is room for so many of the retained messages, and not for all.
    NoRoom(usize),
}

impl From<io::Error> for StartError {
    fn from(error: io::Error) -> Self {
        Self::Listen(error)
    }
}

impl Broker {
    /// Starts to listen.
    pub fn start(options: BrokerOptions) -> Result<Self, StartError> {
        let BrokerOptions { address, also, path, limits, access, .. } = options;
        let BrokerOptions { retained, deviations, faults, tls, log, .. } = options;
        let (listeners, address) = listeners::bind(address, also, |address| {
            let listener = TcpListener::bind(address)?;
            let address = listener.local_addr()?;
            Ok((listener, address))
        })?;
        let tls = tls.map(|tls| tls.with_alpn(deviation::alpn(&deviations).names()));
        let scheme = if tls.is_some() { "wss" } else { "ws" };
        let mut brokers = Brokers::new(limits.clone(), access.users, access.acl);
        if !retained.is_empty() {
            brokers.load(retained, Instant::now()).map_err(StartError::NoRoom)?;
        }
        let service = Service {
            brokers,
            path: path.clone(),
            upgrades: access.upgrades,
            tls,
            log,
            faults: faults.map(Arc::new),
            refusals: Refusals::default(),
            deviations: BrokerDeviations::new(deviations, limits.get(Limit::Packet)),
            buffer: vec![0; READ_BYTES],
            frames: ServerOutbound::new(MESSAGE_BYTES),
        };
        let event_loop = EventLoop::new(listeners, limits, service)?;
        let control = event_loop.control();
        let thread = thread::Builder::new().name("broker".to_owned());
        let thread = Some(thread.spawn(move || event_loop.run())?);
        Ok(Self { address, path, scheme, control, thread })
    }

    /// The address that it listens on, the first of two.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// What a client on this machine connects to.
    pub fn url(&self) -> String {
        format!("{}://{}{}", self.scheme, reachable(self.address), self.path)
    }

    /// Resets every TCP connection, soon. Sessions, retained messages and the listener stay; wills
    /// are published.
    pub fn reset_connections(&self) {
        self.control.reset_connections();
    }

    /// Stops: clients get DISCONNECT 0x8B (MQTT 5) and Close 1001, wills are not published. Returns
    /// the retained messages, within two seconds.
    pub fn stop(mut self) -> Vec<Publish> {
        self.end()
    }

    fn end(&mut self) -> Vec<Publish> {
        self.control.stop();
        // A thread that panicked has ended, and what it held is gone.
        self.thread.take().and_then(|thread| thread.join().ok()).unwrap_or_default()
    }
}

/// Stops the broker.
impl Drop for Broker {
    fn drop(&mut self) {
        drop(self.end());
    }
}

/// Where a client on this machine reaches a listener.
fn reachable(address: SocketAddr) -> SocketAddr {
    let ip = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(ip, address.port())
}
