//! Does what the lifecycle wants, and reports to it what comes of it.

use std::time::Instant;

use super::connection::Connection;
use super::error::Unacknowledged;
use super::event_queue::{DialEvent, Wake};
use super::lifecycle::{Action, ConnectionInput, LossFacts, Reading, SessionFound};
use super::{Client, Error, Event, Take};
use crate::mqtt::packet::ConnAck;
use crate::mqtt::reason::ReasonCode;
use crate::mqtt::session;
use crate::transport;
use crate::transport::poll::SocketEvent;

impl Client {
    /// Does what the lifecycle wants.
    pub(super) fn perform(&mut self) {
        while let Some(action) = self.lifecycle.action() {
            match action {
                Action::ForgetSession(forget) => self.session.set_session_ending(forget),
                Action::Fetch(endpoint) => self.fetch(endpoint),
                Action::Dial(plan) => self.dial(&plan),
                Action::Connect(version) => {
                    self.session.set_version(version);
                    self.session.connect();
                    self.send();
                }
                Action::Disconnect => self.begin_disconnect(),
                Action::Leave => self.leave(),
                Action::AskForAnswer => self.ask_for_answer(),
                Action::Reset => self.reset(),
                Action::Drop => self.drop_connection(),
                Action::Expire => self.expired(),
                Action::GiveUpSending => self.give_up_sending(),
                Action::Connected => self.connected(),
                Action::Event(event) => self.pending.push_back(Ok(event)),
                Action::Warn(line) => self.warn(&line),
                Action::Note(line) => self.note(&line),
                Action::Trace(line) => {
                    if self.options.session.reports.trace {
                        (self.options.lines.trace)(&line);
                    }
                }
                Action::Fail(error) => self.pending.push_back(Err(error)),
            }
        }
    }

    pub(super) fn feed(&mut self, input: ConnectionInput) {
        self.lifecycle.handle(input, Instant::now());
    }

    /// The connection, or the try to make one, has failed.
    pub(super) fn failed(&mut self, error: Error) {
        let facts = self.facts();
        self.feed(ConnectionInput::Failed(error, facts));
    }

    fn facts(&self) -> LossFacts {
        let connection = self.connection.as_ref();
        LossFacts {
            is_cut: self.session.loss_cuts_message(),
            unacknowledged: self.session.first_unfinished().map(|record| {
                let message = self.session.unfinished_message();
                Unacknowledged { record, message }
            }),
            sent: connection.and_then(Connection::sent),
            traffic: connection.and_then(Connection::traffic),
            unanswered: self
                .session
                .pending_subscribe()
                .filter(|_| self.session.has_pending_subscribe())
                .map(|unanswered| unanswered.to_string()),
            is_subscriber: self.session.is_subscriber(),
        }
    }

    fn drop_connection(&mut self) {
        self.trace();
        self.connection = None;
        self.transport_options = None;
        self.events.end_connection();
        self.session.lost();
    }

    fn connected(&mut self) {
        let version = self.session.config().version;
        if let Some(connection) = &self.connection {
            let established = Box::new(connection.established(version));
            self.pending.push_back(Ok(Event::Connected(established)));
        }
    }

    /// Decodes what has arrived, as far as the first event of the session.
    pub(super) fn drain(
        &mut self,
        take: Option<Take<'_>>,
    ) -> Result<Option<session::Event>, Error> {
        match self.lifecycle.reading() {
            Reading::Session if self.lifecycle.is_online() => {
                if self.is_reading_paused {
                    Ok(None)
                } else {
                    self.decode(take)
                }
            }
            Reading::Session => self.decode(None),
            Reading::Handshake => self.advance().map(|()| None),
            Reading::Connack => self.await_connack(),
            Reading::Discard => self.discard().map(|()| None),
            Reading::Nothing => Ok(None),
        }
    }

    fn decode(&mut self, mut take: Option<Take<'_>>) -> Result<Option<session::Event>, Error> {
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
                return self.checked(event);
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

    /// What an event of the session means to the client: a DISCONNECT is an error.
    fn checked(&mut self, mut event: session::Event) -> Result<Option<session::Event>, Error> {
        event.replace_reasons(|reason| self.echo.masked(reason));
        match event {
            session::Event::Disconnected(disconnect) => Err(Error::Disconnected(disconnect)),
            event @ (session::Event::Acknowledged { .. }
            | session::Event::SomeAcknowledged
            | session::Event::Answered { .. }) => {
                self.lifecycle.note_acknowledgement();
                Ok(Some(event))
            }
            session::Event::Pong if self.lifecycle.is_leaving_by_reset() => {
                self.feed(ConnectionInput::Answered);
                Ok(None)
            }
            event => Ok(Some(event)),
        }
    }

    /// The next bytes for the session, as far as they have arrived.
    fn read(&mut self) -> Result<Option<bytes::Bytes>, Error> {
        let Some(connection) = &mut self.connection else { return Ok(None) };
        let read = connection.read();
        if connection.take_pong() {
            self.pending.push_back(Ok(Event::WebSocketPong));
        }
        while let Some(chunk) = connection.take_spent() {
            self.events.recycle(chunk);
        }
        self.trace_transport();
        read.map_err(Error::Lost)
    }

    /// TLS and upgrade.
    fn advance(&mut self) -> Result<(), Error> {
        let Some(connection) = &mut self.connection else { return Ok(()) };
        let advanced = connection.advance();
        while let Some(chunk) = connection.take_spent() {
            self.events.recycle(chunk);
        }
        self.trace_transport();
        if advanced.map_err(Error::Transport)? {
            self.feed(ConnectionInput::Opened);
        }
        Ok(())
    }

    /// CONNECT is sent: what comes is CONNACK, or a step of an authentication. What the session
    /// reports beside that is for the caller, as in any other state.
    fn await_connack(&mut self) -> Result<Option<session::Event>, Error> {
        let event = match (self.decode(None), &self.connection) {
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
                self.warn_of_tolerated();
                self.warn_of_key_log();
                self.feed(ConnectionInput::Accepted(accepted));
                Ok(None)
            }
            Some(session::Event::Refused(connack)) => {
                let version = self.session.config().version;
                let needed_by = self.options.versions.needed_by();
                Err(Error::Refused { connack, version, needed_by })
            }
            event => Ok(event),
        }
    }

    fn accepted(&self, connack: &ConnAck) -> SessionFound {
        match connack.session_present {
            true if self.session.is_stale(connack) => SessionFound::Stale,
            true => SessionFound::Resumed,
            false => SessionFound::New,
        }
    }

    /// Only the end of the connection counts.
    fn discard(&mut self) -> Result<(), Error> {
        while self.read()?.is_some() {}
        Ok(())
    }

    /// Takes what ended a wait.
    pub(super) fn handle_wake(&mut self, wake: Wake) {
        match wake {
            Wake::Signal(signal) => self.feed(ConnectionInput::Signal(signal)),
            Wake::Local(event) => {
                if let Event::Written(number) = &event {
                    self.session.acknowledge_up_to(*number);
                }
                self.feed(ConnectionInput::Local(event));
            }
            Wake::Dial(DialEvent::Note(line)) => (self.options.lines.trace)(&line),
            Wake::Dial(DialEvent::Fetched(fetched)) => self.fetched(*fetched),
            Wake::Dial(DialEvent::Dialled(dialled)) => self.dialled(dialled),
            Wake::Socket(event) => self.handle_socket(event),
        }
        self.perform();
    }

    fn handle_socket(&mut self, event: SocketEvent) {
        match event {
            SocketEvent::Bytes(chunk) => {
                if let Some(connection) = &mut self.connection {
                    connection.receive(chunk, self.now);
                    self.lifecycle.handle(ConnectionInput::Received, self.now);
                }
            }
            SocketEvent::End(error) => {
                if let Some(connection) = &mut self.connection {
                    connection.receive_end(error);
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
        if let Some(connection) = &mut self.connection {
            let result = connection.flush();
            self.note_written(result);
        }
        self.trace();
    }

    /// The same for a caller that has more to send at once: what does not fill a write is sent with
    /// that, or before the next wait.
    pub fn gather(&mut self) {
        if let Some(connection) = &mut self.connection {
            let result = connection.write_from(&mut self.session, self.now);
            self.note_written(result);
        }
    }

    /// Reports a write that failed to the lifecycle.
    pub(super) fn note_written(&mut self, result: Result<(), transport::Error>) {
        if let Err(error) = result {
            self.feed(ConnectionInput::WriteFailed(error));
        }
    }

    /// Goes on with what waits for a server that did not read.
    fn push(&mut self) {
        let Some(connection) = &mut self.connection else { return };
        let (is_moving, result) = connection.push();
        if is_moving {
            self.feed(ConnectionInput::Taken);
        }
        self.note_written(result);
    }

    pub(super) fn is_congested(&self) -> bool {
        self.connection.as_ref().is_some_and(Connection::is_congested)
    }

    fn stuck_until(&self) -> Option<Instant> {
        self.connection.as_ref()?.stuck_until(self.session.keep_alive())
    }

    fn give_up_sending(&mut self) {
        if let Some(connection) = &mut self.connection {
            let error = connection.give_up_writing();
            self.feed(ConnectionInput::WriteFailed(error));
        }
    }

    /// When something is due, if nothing happens before.
    pub(super) fn deadline(&self) -> Option<Instant> {
        let deadlines = [self.session.deadline(), self.stuck_until(), self.lifecycle.deadline()];
        deadlines.into_iter().flatten().min()
    }

    /// Does what is due: a PINGREQ, giving up a server that does nothing, the next try.
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
            let facts = self.facts();
            self.lifecycle.handle(ConnectionInput::Time(facts), now);
        }
    }

    /// DISCONNECT and Close follow what waits: in one write, where that is little.
    fn begin_disconnect(&mut self) {
        let publishes_will = self.lifecycle.is_left_with_will();
        self.session.disconnect(if publishes_will {
            ReasonCode::DISCONNECT_WITH_WILL_MESSAGE
        } else {
            ReasonCode::SUCCESS
        });
        self.send_disconnect();
    }

    pub(super) fn send_disconnect(&mut self) {
        self.gather();
        if let Some(connection) = &mut self.connection {
            connection.put_close();
        }
        self.continue_disconnect();
    }

    /// Goes on until all is sent.
    pub(super) fn continue_disconnect(&mut self) {
        self.send();
        if self.is_congested() || !self.lifecycle.is_sending_disconnect() {
            return;
        }
        if self.lifecycle.is_leaving_by_reset() {
            return self.feed(ConnectionInput::Sent);
        }
        let Some(connection) = &mut self.connection else { return };
        // After DISCONNECT the server may end the connection before it has read the rest.
        let is_sent = connection.close();
        self.trace_transport();
        if is_sent {
            self.feed(ConnectionInput::Sent);
        }
    }

    /// Sends the broker the reason of our DISCONNECT, if it can still be sent.
    fn violated(&mut self, mut violation: session::Violation) -> Error {
        violation.replace_words(|words| self.echo.masked(words));
        if self.lifecycle.is_online() || self.lifecycle.reading() == Reading::Connack {
            self.send();
            if let Some(connection) = &mut self.connection {
                connection.close();
            }
        }
        Error::Violation(violation)
    }

    /// A PINGREQ follows what waits: its answer means that the server has got everything.
    fn ask_for_answer(&mut self) {
        self.session.ping();
        self.continue_disconnect();
    }

    fn reset(&mut self) {
        if let Some(connection) = self.connection.take() {
            connection.reset();
        }
    }
}
