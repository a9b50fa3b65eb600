//! From an address to CONNACK: dial, TLS, upgrade and CONNECT under one deadline, and the second
//! tries that experience with real servers asks for (interop.md §5.1): the other subprotocol name,
//! an older version.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::error::{Error, Step};
use super::mailbox::{Mail, Mailbox, SocketMail};
use super::{Client, Event, Options};
use crate::mqtt::packet::ConnAck;
use crate::mqtt::session::{self, Session};
use crate::mqtt::version::Version;
use crate::transport::dial::{Dialled, Reached};
use crate::transport::endpoint::Scheme;
use crate::transport::tls::{TlsConfig, TlsError};
use crate::transport::{self, HandshakeInfo, Phase, Transport};
use crate::websocket::upgrade::UpgradeError;

/// How long the dialling thread may take longer than the deadline, before a name look-up is to
/// blame.
const GRACE: Duration = Duration::from_millis(100);

/// How long each step of the connection took.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Timings {
    /// Name look-up; zero for a literal address.
    pub name: Duration,
    /// TCP connection.
    pub tcp: Duration,
    /// The proxy; `None` without one.
    pub proxy: Option<Duration>,
    /// TLS handshake; `None` for `ws://`.
    pub tls: Option<Duration>,
    /// WebSocket upgrade.
    pub upgrade: Duration,
    /// From CONNECT to CONNACK.
    pub connack: Duration,
}

/// What was reached.
#[derive(Debug, Clone)]
pub struct Established {
    /// The address that answered.
    pub address: Reached,
    /// What TLS and the upgrade agreed on.
    pub info: HandshakeInfo,
    /// The version that the broker took.
    pub version: Version,
    /// How long each step took.
    pub timings: Timings,
    /// The broker's answer.
    pub connack: Box<ConnAck>,
}

impl Client {
    /// Connects, and returns when the broker has accepted; everything within the connect timeout.
    pub fn connect(options: Options) -> Result<(Self, Established), Error> {
        let mailbox = Mailbox::new(options.brief && !options.session.reports.trace && !options.log)
            .map_err(Error::Local)?;
        let session = Session::new(options.session.clone());
        let mut client = Self {
            options,
            session,
            mailbox,
            transport: None,
            now: Instant::now(),
            pending: VecDeque::new(),
            failing: None,
            held: false,
            hurried: false,
            outage: None,
            asked: None,
            since: Instant::now(),
            fruitless: 0,
        };
        let established = client.connect_patiently()?;
        Ok((client, established))
    }

    /// Tries what there is to try, until something works or the reason is one that no other try can
    /// mend.
    pub(super) fn establish(&mut self, deadline: Instant) -> Result<Established, Error> {
        let established = self.establish_once(deadline)?;
        self.replace_stale_session(established, deadline)
    }

    pub(super) fn establish_once(&mut self, deadline: Instant) -> Result<Established, Error> {
        let mut options = self.transport_options()?;
        let mut version = self.session.config().version;
        let mut second_name = false;
        // A later try must not hide what the first one found.
        let mut first_error = None;
        loop {
            options.subprotocols = self.subprotocols(version, second_name);
            let error = match self.attempt_following(&options, version, deadline) {
                Ok(established) => {
                    self.tell_fallback(&options, version, first_error.as_ref());
                    return Ok(established);
                }
                Err(error) => error,
            };
            if matches!(error, Error::Interrupted(_)) {
                return Err(error);
            } else if self.other_name_may_help(&error) && !second_name {
                second_name = true;
                let names = self.subprotocols(version, true);
                self.tell_next_try(&error, &format!("subprotocol {}", names.join(", ")));
            } else if let Some(older) = self.older_version(version, &error) {
                version = older;
                self.tell_next_try(&error, &format!("MQTT {version}"));
            } else {
                return Err(first_error.unwrap_or(error));
            }
            first_error.get_or_insert(error);
        }
    }

    fn transport_options(&self) -> Result<transport::Options, Error> {
        let Options { route, follow, .. } = &self.options;
        // A redirect may lead to wss.
        let need_tls =
            self.options.endpoint.scheme == Scheme::Wss || route.proxies.need_tls() || *follow;
        if need_tls {
            // Files of certificates may be anything, also pipes.
            self.guard();
        }
        let tls = need_tls.then(|| TlsConfig::new(&self.options.tls).map_err(Error::TlsSetup));
        Ok(transport::Options {
            endpoint: self.options.endpoint.clone(),
            tls: tls.transpose()?,
            subprotocols: Vec::new(),
            headers: self.options.headers.clone(),
            strict: self.options.strict,
            max_message: self.options.session.receiving.maximum_packet,
            whole_pieces: self.options.session.sending.whole_packets,
            log: self.options.log,
        })
    }

    fn subprotocols(&self, version: Version, second_name: bool) -> Vec<String> {
        self.options.subprotocols.clone().unwrap_or_else(|| {
            // The founding document's name goes with the founding document's version.
            let old = (version == Version::V3_1) != second_name;
            vec![if old { "mqttv3.1" } else { "mqtt" }.to_owned()]
        })
    }

    /// Some servers close, or answer 400, only because of the subprotocol's name.
    fn other_name_may_help(&self, error: &Error) -> bool {
        let may_help = match error.root() {
            Error::Transport(transport::Error::Upgrade(UpgradeError::Status(refusal))) => {
                refusal.status == 400
            }
            Error::Transport(
                transport::Error::Upgrade(UpgradeError::Closed)
                | transport::Error::Tls(TlsError::ClientCertificateMissed),
            ) => true,
            _ => false,
        };
        may_help && self.options.subprotocols.is_none() && self.outage.is_none()
    }

    /// The next version to try, if this error is evidence that the *version* was refused
    /// (interop.md §5.1).
    fn older_version(&self, version: Version, error: &Error) -> Option<Version> {
        let refused = match error.root() {
            Error::Refused { connack, .. } => matches!(connack.code.0, 0x01 | 0x84),
            // What was accepted before the connection was lost is not what this end is about.
            Error::RefusedSilently(error) => {
                self.outage.is_none() && error.may_refuse_the_version()
            }
            _ => false,
        };
        self.options.versions.iter().copied().find(|older| refused && *older < version)
    }

    fn tell_next_try(&self, error: &Error, next: &str) {
        if self.options.session.reports.trace {
            (self.options.trace)(&format!("{error}; trying {next}"));
        }
    }

    fn tell_fallback(
        &self,
        options: &transport::Options,
        version: Version,
        first_error: Option<&Error>,
    ) {
        if let Some(error) = first_error {
            let names = options.subprotocols.join(", ");
            self.warn(&format!(
                "connected with MQTT {version} and subprotocol {names}; the first try failed: {error}"
            ));
        }
    }

    pub(super) fn attempt(
        &mut self,
        options: &transport::Options,
        version: Version,
        deadline: Instant,
    ) -> Result<Established, Error> {
        let dialled = self.dial(options, deadline)?;
        let Dialled { socket, reached, lookup, connect, proxy, tunnel, .. } = dialled;
        let mut timings = Timings { name: lookup, tcp: connect, proxy, ..Timings::default() };
        self.transport = Some(Transport::start(socket, tunnel, options).map_err(Error::Transport)?);
        self.open_transport(&mut timings, deadline)?;
        self.session.set_version(version);
        let connack = self.open_session(&mut timings, deadline);
        self.trace();
        let connack = connack?;
        let info = self.transport.as_ref().map(Transport::info).cloned().unwrap_or_default();
        for warning in &info.warnings {
            self.warn(warning);
        }
        Ok(Established { address: reached, info, version, timings, connack })
    }

    fn dial(&mut self, options: &transport::Options, deadline: Instant) -> Result<Dialled, Error> {
        self.transport = None;
        self.failing = None;
        let route = Arc::clone(&self.options.route);
        self.mailbox.dial(options, route, deadline).map_err(Error::Local)?;
        loop {
            match self.await_socket(Step::Transport(Phase::Name), deadline + GRACE)? {
                SocketMail::Dialled(Ok(dialled)) => return Ok(dialled),
                SocketMail::Dialled(Err(error)) if error.timed_out() => {
                    let (step, after) =
                        (Step::Transport(error.phase()), self.options.connect_timeout);
                    let tried = error.tells_more().then(|| error.to_string());
                    return Err(Error::ConnectTimedOut { step, after, tried });
                }
                SocketMail::Dialled(Err(error)) => return Err(Error::Unreached(error)),
                SocketMail::Note(line) => (self.options.trace)(&line),
                SocketMail::Bytes(_) | SocketMail::End(_) | SocketMail::Writable => {}
            }
        }
    }

    /// TLS and upgrade.
    fn open_transport(&mut self, timings: &mut Timings, deadline: Instant) -> Result<(), Error> {
        let mut began = Instant::now();
        let mut phase = None;
        loop {
            let Some(transport) = &mut self.transport else { return Ok(()) };
            let reached = transport.advance();
            self.trace_transport();
            let reached = reached.map_err(Error::Transport)?;
            let Some(transport) = &mut self.transport else { return Ok(()) };
            while let Some(chunk) = transport.take_spent() {
                self.mailbox.recycle(chunk);
            }
            if phase == Some(Phase::Tls) && reached != Phase::Tls {
                timings.tls = Some(began.elapsed());
                began = Instant::now();
            }
            if reached == Phase::Open {
                timings.upgrade = began.elapsed();
                return Ok(());
            }
            phase = Some(reached);
            match self.await_socket(Step::Transport(reached), deadline) {
                Ok(mail) => self.hear(mail),
                Err(error) => return Err(self.explained(error)),
            }
        }
    }

    /// CONNECT and CONNACK.
    fn open_session(
        &mut self,
        timings: &mut Timings,
        deadline: Instant,
    ) -> Result<Box<ConnAck>, Error> {
        let began = Instant::now();
        self.now = began;
        self.session.connect();
        loop {
            self.send();
            match self.understand(None) {
                Ok(Some(session::Event::Connected(connack))) => {
                    timings.connack = began.elapsed();
                    self.session.hold(self.held, self.now);
                    return Ok(connack);
                }
                Ok(Some(session::Event::Refused(connack))) => {
                    let version = self.session.config().version;
                    return Err(Error::Refused { connack, version });
                }
                Ok(Some(_)) => continue,
                Ok(None) => {}
                Err(Error::Lost(error)) => return Err(lost_before_connack(error)),
                Err(Error::Violation(violation)) => return Err(self.not_mqtt(violation)),
                Err(error) => return Err(error),
            }
            self.check_deadlines()?;
            let until = self.failing.as_ref().map_or(deadline, |(_, until)| deadline.min(*until));
            match self.await_socket(Step::ConnAck, until) {
                Ok(mail) => self.hear(mail),
                Err(error) => {
                    let error = self.with_warnings(error);
                    return Err(self
                        .failing
                        .take()
                        .map_or(error, |(failed, _)| Error::Lost(failed)));
                }
            }
            self.now = Instant::now();
        }
    }

    /// What answers in text is no broker that broke the protocol.
    fn not_mqtt(&mut self, violation: session::Violation) -> Error {
        let said = self.transport.as_ref().and_then(Transport::first_text);
        said.map_or(Error::Violation(violation), Error::NotMqtt)
    }

    /// The next mail of the socket. Other mail has to wait, but for a signal.
    fn await_socket(&mut self, step: Step, deadline: Instant) -> Result<SocketMail, Error> {
        loop {
            match self.wait(Some(deadline)) {
                None => return Err(self.timed_out(step)),
                Some(Mail::Socket(mail)) => return Ok(mail),
                Some(mail) => match self.deliver(mail) {
                    Some(Event::Interrupted(signal)) => return Err(Error::Interrupted(signal)),
                    event => self.pending.extend(event),
                },
            }
        }
    }

    /// Half an answer explains more than that the time was up.
    fn explained(&mut self, error: Error) -> Error {
        let explanation = self.transport.as_mut().and_then(Transport::expire);
        match error {
            Error::ConnectTimedOut { step, after, .. } => explanation.map_or_else(
                || {
                    let beginning = self.transport.as_ref().and_then(Transport::beginning);
                    Error::ConnectTimedOut { step, after, tried: beginning.map(str::to_owned) }
                },
                Error::Transport,
            ),
            error => error,
        }
    }

    /// What was tolerated in the upgrade may be why there is no CONNACK.
    fn with_warnings(&self, error: Error) -> Error {
        let warnings =
            self.transport.as_ref().map(|transport| transport.info().warnings.join("; "));
        match error {
            Error::ConnectTimedOut { step, after, .. } => {
                let tried = warnings.filter(|warnings| !warnings.is_empty());
                Error::ConnectTimedOut { step, after, tried }
            }
            error => error,
        }
    }

    fn timed_out(&self, step: Step) -> Error {
        Error::ConnectTimedOut { step, after: self.options.connect_timeout, tried: None }
    }
}

/// A protocol error is one also before CONNACK; an end of the connection is a refusal without a
/// reason.
fn lost_before_connack(error: transport::Error) -> Error {
    if error.is_end() { Error::RefusedSilently(error) } else { Error::Lost(error) }
}
