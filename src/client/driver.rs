//! Does what the lifecycle wants, and tells it what comes of it.

use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::connection::Connection;
use super::error::Unacknowledged;
use super::lifecycle::{Accepted, Evidence, Input, Output, Plan, Reading};
use super::poller::{SocketEvent, Wake};
use super::{Client, Error, Event, Options, Step, Take, VersionChoice};
use crate::mqtt::packet::ConnAck;
use crate::mqtt::reason::ReasonCode;
use crate::mqtt::session;
use crate::transport::dial::{DialError, Dialled};
use crate::transport::endpoint::Scheme;
use crate::transport::tls::TlsConfig;
use crate::transport::{self, Phase, redirect};

/// A server that reads nothing for so long is lost, whatever the keep alive.
const LONGEST_STUCK: Duration = Duration::from_secs(20);

impl Client {
    /// Does what the lifecycle wants.
    pub(super) fn perform(&mut self) {
        while let Some(output) = self.lifecycle.output() {
            match output {
                Output::Credentials => self.ask_for_credentials(),
                Output::ForgetSession(forget) => self.session.set_session_ending(forget),
                Output::Dial(plan) => self.dial(&plan),
                Output::Connect(version) => {
                    self.session.set_version(version);
                    self.session.connect();
                    self.send();
                }
                Output::Disconnect => self.begin_goodbye(),
                Output::Drop => self.drop_connection(),
                Output::Expire => self.expired(),
                Output::GiveUpSending => self.give_up_sending(),
                Output::Connected => self.connected(),
                Output::Event(event) => self.pending.push_back(Ok(event)),
                Output::Warn(line) => self.warn(&line),
                Output::Trace(line) => {
                    if self.options.session.reports.trace {
                        (self.options.trace)(&line);
                    }
                }
                Output::Fail(error) => self.pending.push_back(Err(error)),
            }
        }
    }

    fn tell(&mut self, input: Input) {
        self.lifecycle.handle(input, Instant::now());
    }

    /// The connection, or the try to make one, has failed.
    pub(super) fn failed(&mut self, error: Error) {
        let evidence = self.evidence();
        self.tell(Input::Failed(error, evidence));
    }

    fn evidence(&self) -> Evidence {
        let connection = self.connection.as_ref();
        Evidence {
            is_cut: self.session.loss_cuts_message(),
            unacknowledged: self.session.first_unfinished().map(|record| {
                let message = self.session.unfinished_message();
                Unacknowledged { record, message }
            }),
            sent: connection.and_then(|connection| connection.sent),
            traffic: connection.and_then(Connection::traffic),
            unanswered: self
                .session
                .pending_subscribe()
                .filter(|_| self.session.has_pending_subscribe())
                .map(|unanswered| unanswered.to_string()),
            is_subscriber: self.session.is_subscriber(),
        }
    }

    fn ask_for_credentials(&mut self) {
        if let Some(source) = &mut self.options.credentials {
            match source() {
                Ok(credentials) => self.session.set_credentials(credentials),
                Err(error) => self.failed(Error::Local(error)),
            }
        }
    }

    fn dial(&mut self, plan: &Plan) {
        self.session.withhold_credentials(plan.withholds_credentials);
        let route = Arc::clone(&self.options.route);
        let dialled = self
            .transport_options(plan)
            .map(|options| self.poller.dial(&options, route, plan.deadline).map(|()| options));
        match dialled {
            Ok(Ok(options)) => self.transport_options = Some(options),
            Ok(Err(error)) => self.failed(Error::Local(error)),
            Err(error) => self.failed(error),
        }
    }

    fn transport_options(&mut self, plan: &Plan) -> Result<transport::Options, Error> {
        let Options { route, follow, .. } = &self.options;
        // A redirect may lead to wss.
        let need_tls = plan.endpoint.scheme == Scheme::Wss || route.proxies.need_tls() || *follow;
        if need_tls {
            // Files of certificates may be anything, also pipes.
            self.guard();
        }
        let tls = need_tls.then(|| TlsConfig::new(&self.options.tls).map_err(Error::TlsSetup));
        let mut headers = self.options.headers.clone();
        if plan.withholds_credentials {
            headers.retain(|(name, _)| !redirect::is_for_one_host(name));
        }
        Ok(transport::Options {
            endpoint: plan.endpoint.clone(),
            tls: tls.transpose()?,
            subprotocols: plan.subprotocols.clone(),
            headers,
            strict: self.options.strict,
            max_message: self.options.session.receiving.maximum_packet,
            whole_pieces: self.options.session.sending.whole_packets,
            log: self.options.log,
        })
    }

    fn dialled(&mut self, dialled: Result<Dialled, DialError>) {
        let error = match (dialled, self.transport_options.take()) {
            (Ok(dialled), Some(options)) => {
                match Connection::start(dialled, &options, Instant::now()) {
                    Ok(connection) => {
                        self.connection = Some(connection);
                        return self.tell(Input::Dialled);
                    }
                    Err(error) => Error::Transport(error),
                }
            }
            (Ok(_), None) => return,
            (Err(error), _) if error.timed_out() => Error::ConnectTimedOut {
                step: Step::Transport(error.phase()),
                after: self.lifecycle.budget(),
                tried: error.tells_more().then(|| error.to_string()),
            },
            (Err(error), _) => Error::Unreached(error),
        };
        self.failed(error);
    }

    fn drop_connection(&mut self) {
        self.trace();
        self.connection = None;
        self.transport_options = None;
        self.poller.hang_up();
        self.session.lost();
    }

    /// The time for this step is up.
    fn expired(&mut self) {
        let error = self.late(self.lifecycle.budget());
        self.failed(error);
    }

    /// What was not finished within so long.
    pub(super) fn late(&mut self, after: Duration) -> Error {
        let step = match (self.lifecycle.reading(), &self.connection) {
            (Reading::Connack | Reading::Discard | Reading::Session, _) => Step::ConnAck,
            (_, Some(connection)) => Step::Transport(connection.phase()),
            (_, None) => Step::Transport(Phase::Name),
        };
        let error = Error::ConnectTimedOut { step, after, tried: None };
        match &mut self.connection {
            Some(connection) => connection.explain(error),
            None => error,
        }
    }

    fn connected(&mut self) {
        let version = self.session.config().version;
        if let Some(connection) = &self.connection {
            let established = Box::new(connection.established(version));
            self.pending.push_back(Ok(Event::Connected(established)));
        }
    }

    /// Understands what has arrived, as far as the first event of the session.
    pub(super) fn drain(
        &mut self,
        take: Option<Take<'_>>,
    ) -> Result<Option<session::Event>, Error> {
        match self.lifecycle.reading() {
            Reading::Session if self.lifecycle.is_online() => {
                if self.is_reading_paused {
                    Ok(None)
                } else {
                    self.understand(take)
                }
            }
            Reading::Session => {
                let event = self.understand(None);
                self.lifecycle.note_pubrels(self.session.awaits_pubrel());
                event
            }
            Reading::Handshake => self.advance().map(|()| None),
            Reading::Connack => self.await_connack().map(|()| None),
            Reading::Discard => self.discard().map(|()| None),
            Reading::Nothing => Ok(None),
        }
    }

    fn understand(&mut self, mut take: Option<Take<'_>>) -> Result<Option<session::Event>, Error> {
        loop {
            if let Some(take) = &mut take
                && self
                    .session
                    .for_each_publish(take)
                    .map_err(|violation| self.violated(violation))?
                    .is_break()
            {
                return Ok(None);
            }
            if let Some(event) =
                self.session.poll(self.now).map_err(|violation| self.violated(violation))?
            {
                return self.judge(event);
            }
            // Answers that wait for a server that does not read hold reading back.
            if self.session.must_stop_reading() {
                self.gather();
                if self.session.must_stop_reading() {
                    return Ok(None);
                }
            }
            match self.read()? {
                Some(bytes) => self.session.receive(bytes, self.now),
                None => return Ok(None),
            }
        }
    }

    /// What a session event means here: a DISCONNECT is an error.
    fn judge(&mut self, event: session::Event) -> Result<Option<session::Event>, Error> {
        match event {
            session::Event::Disconnected(disconnect) => Err(Error::Disconnected(disconnect)),
            event @ (session::Event::Acknowledged { .. } | session::Event::SomeAcknowledged) => {
                self.lifecycle.note_acknowledgement();
                Ok(Some(event))
            }
            event => Ok(Some(event)),
        }
    }

    /// The next bytes for the session, as far as they have arrived.
    fn read(&mut self) -> Result<Option<bytes::Bytes>, Error> {
        let Some(Connection { transport, .. }) = &mut self.connection else { return Ok(None) };
        let read = transport.read();
        if transport.take_pong() {
            self.pending.push_back(Ok(Event::WebSocketPong));
        }
        while let Some(chunk) = transport.take_spent() {
            self.poller.recycle(chunk);
        }
        self.trace_transport();
        read.map_err(Error::Lost)
    }

    /// TLS and upgrade.
    fn advance(&mut self) -> Result<(), Error> {
        let Some(connection) = &mut self.connection else { return Ok(()) };
        let advanced = connection.advance();
        while let Some(chunk) = connection.transport.take_spent() {
            self.poller.recycle(chunk);
        }
        self.trace_transport();
        if advanced.map_err(Error::Transport)? {
            self.tell(Input::Opened);
        }
        Ok(())
    }

    /// CONNECT is sent: what comes is CONNACK, or a step of an authentication.
    fn await_connack(&mut self) -> Result<(), Error> {
        let event = match (self.understand(None), &self.connection) {
            (Err(error), Some(connection)) => return Err(connection.before_connack(error)),
            (event, _) => event?,
        };
        match event {
            Some(session::Event::Connected(connack)) => {
                self.session.hold(self.is_reading_paused, self.now);
                let accepted = self.accepted(&connack);
                if let Some(connection) = &mut self.connection {
                    connection.accepted();
                }
                self.tell_tolerated();
                self.tell(Input::Accepted(accepted));
                Ok(())
            }
            Some(session::Event::Refused(connack)) => {
                let version = self.session.config().version;
                let needed_by = match self.options.version_choice {
                    VersionChoice::NeededBy(flag) => Some(flag),
                    VersionChoice::Ours | VersionChoice::Asked => None,
                };
                Err(Error::Refused { connack, version, needed_by })
            }
            Some(_) | None => Ok(()),
        }
    }

    fn accepted(&self, connack: &ConnAck) -> Accepted {
        match connack.session_present {
            true if self.session.is_stale(connack) => Accepted::Stale,
            true => Accepted::Resumed,
            false => Accepted::New,
        }
    }

    /// What was tolerated in the upgrade.
    fn tell_tolerated(&self) {
        if let Some(connection) = &self.connection
            && !self.lifecycle.is_ending_session()
        {
            connection.transport.info().warnings.iter().for_each(|line| self.warn(line));
        }
    }

    /// Only the end of the connection counts.
    fn discard(&mut self) -> Result<(), Error> {
        while self.read()?.is_some() {}
        Ok(())
    }

    /// Something happened.
    pub(super) fn hear(&mut self, wake: Wake) {
        match wake {
            Wake::Signal(signal) => self.tell(Input::Signal(signal)),
            Wake::Local(event) => {
                if let Event::Written(number) = &event {
                    self.session.acknowledge_up_to(*number);
                }
                self.tell(Input::Local(event));
            }
            Wake::Socket(event) => self.hear_socket(event),
        }
        self.perform();
    }

    fn hear_socket(&mut self, event: SocketEvent) {
        match event {
            SocketEvent::Note(line) => (self.options.trace)(&line),
            SocketEvent::Dialled(dialled) => self.dialled(dialled),
            SocketEvent::Bytes(chunk) => {
                if let Some(connection) = &mut self.connection {
                    connection.transport.deliver(chunk);
                    connection.received = Some(self.now);
                    self.lifecycle.handle(Input::Received, self.now);
                }
            }
            SocketEvent::End(error) => {
                if let Some(connection) = &mut self.connection {
                    connection.transport.end(error);
                }
            }
            SocketEvent::Writable => {
                let was_congested = self.is_congested();
                self.push();
                if was_congested && !self.is_congested() && self.lifecycle.is_online() {
                    self.send();
                    self.pending.push_back(Ok(Event::Sendable));
                }
            }
        }
    }

    /// Sends what there is to send, as far as the server reads it.
    pub fn send(&mut self) {
        self.gather();
        if let Some(connection) = self.connection.as_mut().filter(|it| it.takes_frames()) {
            let result = connection.transport.flush();
            self.note_failure(result);
        }
        self.trace();
    }

    /// The same for a caller that has more to send at once: what does not fill a write is sent with
    /// that, or before the next wait.
    pub fn gather(&mut self) {
        let Some(connection) = self.connection.as_mut().filter(|it| it.takes_frames()) else {
            return;
        };
        let mut result = Ok(());
        while !connection.transport.is_congested()
            && result.is_ok()
            && let Some(piece) = self.session.outgoing(self.now)
        {
            connection.sent = Some(self.now);
            result = connection.transport.write(piece);
        }
        self.note_failure(result);
    }

    /// After a failed write nothing more is written.
    pub(super) fn note_failure(&mut self, result: Result<(), transport::Error>) {
        if let Err(error) = result
            && let Some(connection) = &mut self.connection
        {
            connection.is_failing = true;
            self.tell(Input::WriteFailed(error));
        }
    }

    /// Goes on with what waits to be written.
    fn push(&mut self) {
        let Some(connection) = &mut self.connection else { return };
        let before = connection.transport.stuck_since();
        let pushed = connection.transport.push();
        if before != connection.transport.stuck_since() {
            self.tell(Input::Taken);
        }
        self.note_failure(pushed);
    }

    pub(super) fn is_congested(&self) -> bool {
        self.connection.as_ref().is_some_and(|connection| connection.transport.is_congested())
    }

    /// When a server that reads nothing counts as lost: when it should have cut us off for our
    /// silence `[MQTT-3.1.2-22]`.
    fn stuck_until(&self) -> Option<Instant> {
        let since = self.connection.as_ref()?.transport.stuck_since()?;
        let silence = self.session.keep_alive().map_or(LONGEST_STUCK, |interval| interval * 3 / 2);
        Some(since + silence.min(LONGEST_STUCK))
    }

    fn give_up_sending(&mut self) {
        if let Some(connection) = &mut self.connection {
            connection.transport.give_up();
            let source = io::ErrorKind::TimedOut.into();
            self.note_failure(Err(transport::Error::Io { phase: Phase::Open, source }));
        }
    }

    /// When something is due, if nothing happens before.
    pub(super) fn deadline(&self) -> Option<Instant> {
        let deadlines = [self.session.deadline(), self.stuck_until(), self.lifecycle.deadline()];
        deadlines.into_iter().flatten().min()
    }

    /// Does what is due: a PINGREQ, the end of a server's time, the next try.
    pub(super) fn check_deadlines(&mut self) {
        let now = self.now;
        if self.session.deadline().is_some_and(|deadline| deadline <= now)
            && let Err(silence) = self.session.expire(now)
        {
            self.failed(Error::Silent(silence));
        }
        if self.stuck_until().is_some_and(|until| until <= now) {
            self.give_up_sending();
        }
        if self.lifecycle.deadline().is_some_and(|deadline| deadline <= now) {
            let evidence = self.evidence();
            self.lifecycle.handle(Input::Time(evidence), now);
        }
    }

    /// DISCONNECT and Close follow what waits: in one write, where that is little.
    fn begin_goodbye(&mut self) {
        self.session.disconnect(ReasonCode::SUCCESS);
        self.gather();
        if let Some(connection) = &mut self.connection {
            connection.transport.put_close();
        }
        self.say_goodbye();
    }

    /// Goes on until all is sent.
    pub(super) fn say_goodbye(&mut self) {
        self.send();
        if self.is_congested() || !self.lifecycle.is_saying_goodbye() {
            return;
        }
        let Some(connection) = &mut self.connection else { return };
        // After DISCONNECT the server may be gone before it has heard the rest.
        let is_sent = connection.end();
        self.trace_transport();
        if is_sent {
            self.tell(Input::Sent);
        }
    }

    /// Tells the broker what it did wrong, as far as it still listens.
    fn violated(&mut self, violation: session::Violation) -> Error {
        if self.lifecycle.is_online() || self.lifecycle.reading() == Reading::Connack {
            self.send();
            if let Some(connection) = &mut self.connection {
                connection.end();
            }
        }
        Error::Violation(violation)
    }

    /// A warning may be written to where nobody reads.
    fn warn(&self, line: &str) {
        self.guard();
        (self.options.warn)(line);
    }

    /// Warns of what the session has taken although it is against the protocol.
    pub(super) fn tell_deviations(&mut self) {
        while let Some(deviation) = self.session.next_deviation() {
            self.warn(&deviation.to_string());
        }
    }

    /// Writes the log: packets before the frames that carry them.
    pub(super) fn trace(&mut self) {
        while let Some(line) = self.session.traced() {
            (self.options.trace)(&line);
        }
        self.trace_transport();
    }

    fn trace_transport(&mut self) {
        while self.options.log
            && let Some(line) =
                self.connection.as_mut().and_then(|connection| connection.transport.traced())
        {
            (self.options.trace)(&line);
        }
    }
}
