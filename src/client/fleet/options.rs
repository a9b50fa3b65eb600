//! How the connections of a fleet are made: as a first connection to each server, which tried what
//! it understands, has found.

use std::net::IpAddr;
use std::time::Duration;

use super::dial::FleetTarget;
use crate::client::dialling::framing;
use crate::client::lifecycle::CredentialUse;
use crate::client::{Client, Error, Established};
use crate::mqtt::packet::Credentials;
use crate::mqtt::property::{Property, PropertyId};
use crate::mqtt::session::{self, Lifetime, Strictness};
use crate::mqtt::version::Version;
use crate::transport;
use crate::transport::dial::Reached;
use crate::transport::endpoint::Scheme;
use crate::transport::tls::TlsResumption;

/// How many messages each connection takes before it has acknowledged one: what is sent again after
/// a loss is not more than that.
const RECEIVE_MAXIMUM: u32 = 1000;

/// How the connections of a fleet to one server are made.
#[derive(Debug, Clone)]
pub struct FleetServer {
    /// Where to.
    pub target: FleetTarget,
    /// TLS, upgrade and frames.
    pub(super) transport: transport::Options,
    /// The session of each, but for the client id.
    pub(super) session: session::Config,
    /// How long making a connection may take, and the answer to a SUBSCRIBE.
    pub(super) timeout: Duration,
}

/// How all connections of a fleet are made.
#[derive(Debug, Clone)]
pub struct FleetOptions {
    /// The servers, to which the connections are dealt in turn; at least one.
    pub servers: Vec<FleetServer>,
    /// The local addresses, which are dealt likewise; none is whichever the system takes.
    pub local: Vec<IpAddr>,
}

impl FleetOptions {
    /// The server of a connection.
    pub(super) fn server(&self, number: usize) -> &FleetServer {
        &self.servers[number % self.servers.len()]
    }

    /// The local address of a connection, such that each goes with each server.
    pub(super) fn local(&self, number: usize) -> Option<IpAddr> {
        let round = number / self.servers.len();
        self.local.get(round % self.local.len().max(1)).copied()
    }
}

impl FleetServer {
    /// User name and password of each connection, as far as nothing else is said of one.
    pub fn log_in_with(&mut self, credentials: Credentials) {
        self.session.login.credentials = credentials;
    }

    /// Sessions outlive their connections by so many seconds (MQTT 5; before without end).
    pub fn keep_sessions(&mut self, expiry: u32) {
        self.session.lifetime = Lifetime::Persistent;
        self.session.session_expiry = expiry;
        self.session.clean_start = true;
    }

    /// Connections like this one. A server behind a proxy cannot be reached so.
    pub fn like(
        client: &mut Client,
        established: &Established,
        resumption: TlsResumption,
    ) -> Result<Self, Error> {
        let endpoint = client.lifecycle.server().clone();
        let is_secure = endpoint.scheme == Scheme::Wss;
        let tls = is_secure.then(|| client.tls_config(CredentialUse::Send)).transpose();
        let tls = tls.map_err(Error::TlsSetup)?.map(|tls| tls.for_many(resumption));
        let options = client.options();
        let target = match &established.address {
            Reached::Tcp(address) => FleetTarget::Tcp(*address),
            Reached::Unix(path) => FleetTarget::Unix(path.clone()),
            Reached::Proxied { .. } => {
                let error = std::io::Error::other("the server was reached through a proxy");
                return Err(Error::Local(error));
            }
        };
        // With the credentials that were fetched for this connection.
        let mut session = client.session().config().clone();
        session.version = established.version;
        let connect = &session.properties.connect;
        if session.version.has_properties() && connect.receive_maximum().is_none() {
            let maximum = Property::number(PropertyId::ReceiveMaximum, RECEIVE_MAXIMUM);
            session.properties.connect.set(maximum);
        }
        let transport = transport::Options {
            endpoint,
            tls,
            subprotocols: subprotocols(client, established),
            headers: options.upgrade.headers.clone(),
            secrets: session.secrets(),
            strict: session.receiving.strictness == Strictness::Strict,
            max_message: session.receiving.maximum_packet,
            framing: framing(session.sending.grouping),
            log: false,
        };
        Ok(Self { target, transport, session, timeout: options.limits.timeout })
    }
}

/// What is offered: what the user asked for, or what the first connection has found.
fn subprotocols(client: &Client, established: &Established) -> Vec<String> {
    if let Some(asked) = &client.options().upgrade.subprotocols {
        return asked.clone();
    }
    let usual = match established.version {
        Version::V3_1 => "mqttv3.1",
        Version::V3_1_1 | Version::V5 => "mqtt",
    };
    vec![established.info.subprotocol.clone().unwrap_or_else(|| usual.to_owned())]
}
