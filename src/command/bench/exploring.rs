//! The first connection to each server: what it understands, where it is, and whether it takes what
//! the load would send.

use std::net::{IpAddr, UdpSocket};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use bytes::Bytes;

use super::config::{FleetPlan, LoadPlan, MessagePlan, RemoteLoad};
use super::judge::ServerPlace;
use super::names;
use super::server::BenchServer;
use crate::client::fleet::{FleetServer, FleetTarget};
use crate::client::{self, Client, Established};
use crate::command;
use crate::exit::Usage;
use crate::mqtt::packet::Publish;
use crate::mqtt::session::{Session, Unsendable};
use crate::mqtt::topic::{TopicFilter, TopicName};

/// How long the first connection to a server may take to end.
const FAREWELL: Duration = Duration::from_millis(250);

/// What a server has to take.
pub struct PlannedLoad<'a> {
    /// The load.
    pub load: &'a LoadPlan,
    /// Its topics.
    pub topics: &'a [TopicName],
    /// The number of the run.
    pub run: u32,
}

impl PlannedLoad<'_> {
    /// Refuses what the server has said it does not take.
    fn check(&self, session: &Session) -> Result<()> {
        self.check_messages(session)?;
        self.check_filters(session)
    }

    fn check_messages(&self, session: &Session) -> Result<()> {
        let MessagePlan { qos, sizes, retain, properties, .. } = &self.load.messages;
        let (qos, retain) = (*qos, retain.leaves_something());
        let longest = self.topics.iter().max_by_key(|topic| topic.as_str().len());
        let sends = self.load.plan.publishers > 0 || retain;
        let Some(topic) = longest.filter(|_| sends) else { return Ok(()) };
        let plain = Publish::new(topic.clone(), Bytes::new());
        let head = Publish { qos, retain, properties: properties.publish.clone(), ..plain };
        session.check(&head, sizes.most()).map_err(|why| {
            let flag = match why {
                Unsendable::TooLarge { .. } => format!("--size {sizes}"),
                Unsendable::QoSNotSupported(_) => format!("-q {}", qos.bits()),
                Unsendable::RetainNotSupported => "-r, --retained".to_owned(),
                Unsendable::TopicAliasTooHigh(_) | Unsendable::Encode(_) => "-D publish".to_owned(),
            };
            Usage::new(format!("{flag}: {why}")).into()
        })
    }

    fn check_filters(&self, session: &Session) -> Result<()> {
        let plan = &self.load.plan;
        let Some(topic) = self.topics.first().filter(|_| plan.subscribers > 0) else {
            return Ok(());
        };
        let name = match &self.load.filter {
            Some(pattern) => names::expanded("--filter", pattern, self.run, 0, 0)?,
            None => topic.as_str().to_owned(),
        };
        let name = if plan.groups.is_some() { format!("$share/bench/{name}") } else { name };
        let filter = TopicFilter::new(name.clone())
            .map_err(|why| Usage::new(format!("--filter: {name}: {why}")))?;
        let properties = &self.load.messages.properties.subscribe;
        session
            .check_filter(&filter, properties)
            .with_context(|| format!("subscribing to {filter}: refused"))
    }
}

/// What a first connection to each server has found.
#[derive(Default)]
pub struct Explored {
    /// How all others connect.
    pub servers: Vec<FleetServer>,
    shown: Vec<BenchServer>,
    /// How many messages of a publisher may be unfinished at a server, of QoS 1 and 2.
    pub window: u64,
}

impl Explored {
    /// Connects to one more server, and leaves it again.
    pub fn add(
        &mut self,
        options: client::Options,
        fleet: &FleetPlan,
        remote: RemoteLoad,
        planned: &PlannedLoad<'_>,
    ) -> Result<&mut FleetServer> {
        check_remote(&options, remote)?;
        let (mut first, established) = command::connect(options, None)?;
        let server = FleetServer::like(&mut first, &established, fleet.resumption)
            .with_context(|| first.at_server("connecting to"))?;
        let place = place(&server.target);
        planned.check(first.session())?;
        let window = first.session().window(planned.load.messages.qos);
        self.window = self.window.max(window as u64);
        self.shown.push(shown(&first, &established, place));
        first.leave_signals();
        first.close();
        // It has shown how to connect; how it ends does not matter.
        let _ = command::await_closed(&mut first, Some(Instant::now() + FAREWELL), |_| {});
        self.servers.push(server);
        self.servers.last_mut().context("there is no server")
    }

    /// All of them in one.
    pub fn server(&mut self) -> Result<BenchServer> {
        let place =
            self.shown.iter().map(|server| server.place).find(|it| *it == ServerPlace::Here);
        let addresses: Vec<String> =
            self.shown.iter().map(|server| server.address.clone()).collect();
        let first = self.shown.drain(..).next().context("there is no server")?;
        let place = place.unwrap_or(first.place);
        Ok(BenchServer { address: addresses.join(" + "), place, ..first })
    }
}

/// A server beyond this machine and private networks must be allowed.
fn check_remote(options: &client::Options, remote: RemoteLoad) -> Result<()> {
    ensure!(
        remote == RemoteLoad::Allowed || command::check::is_near(options),
        Usage::new(format!(
            "{} is beyond this machine and private networks: a load for it needs --allow-remote",
            options.endpoint.host
        ))
    );
    Ok(())
}

/// Where the server is.
fn place(target: &FleetTarget) -> ServerPlace {
    match target {
        FleetTarget::Tcp(address) if !is_ours(address.ip()) => ServerPlace::Elsewhere,
        FleetTarget::Tcp(_) | FleetTarget::Unix(_) => ServerPlace::Here,
    }
}

/// Whether an address is one of this machine.
fn is_ours(ip: IpAddr) -> bool {
    ip.is_loopback() || UdpSocket::bind((ip, 0)).is_ok()
}

fn shown(client: &Client, established: &Established, place: ServerPlace) -> BenchServer {
    let tls = established.info.tls.as_ref();
    BenchServer {
        address: established.address.to_string(),
        scheme: if tls.is_some() { "wss" } else { "ws" },
        tls: tls.map(|tls| (tls.version.clone(), tls.cipher.clone())),
        subprotocol: established.info.subprotocol.clone(),
        mqtt: established.version.to_string(),
        receive_maximum: None,
        keep_alive: client.session().keep_alive().map_or(0, |time| time.as_secs()),
        place,
    }
}
