//! The client of one connection: what a command can do with it, and [`Client::next`], the one loop
//! that waits.
//!
//! The loop mutates, drains, and only then waits: what has arrived is understood, what the
//! lifecycle wants is done, what the session wants sent is sent in few writes, and the next thing
//! that happens or the nearest deadline ends the wait.

mod connection;
pub mod credentials;
mod dialling;
mod driver;
mod error;
mod event_queue;
pub mod fleet;
pub mod lifecycle;
mod options;
mod pair;
mod renewal;
mod reporting;

use std::collections::VecDeque;
use std::io;
use std::ops::{ControlFlow, Range};
use std::rc::Rc;
use std::time::{Duration, Instant};

use bytes::Bytes;

use connection::Connection;
pub use connection::Established;
pub use error::{AtServer, Error, FlagPlace, Step};
use event_queue::EventQueue;
pub use event_queue::{Remote, Source};
use lifecycle::{
    ArrivingMessage, Awaited, ConnectionInput, Lifecycle, MissingAcknowledgement, Policy,
    SessionRemains,
};
pub use options::{
    ConnectLimits, LARGE_MESSAGE, LONELY_PASSWORD, Leaving, LineHandler, LineHandlers, Options,
    Reconnect, RedirectPolicy, UpgradeOptions, VersionChoice, VersionsToTry,
};
pub use pair::Which;

use crate::mqtt::packet::{PacketId, Publish, Subscription};
use crate::mqtt::property::Properties;
use crate::mqtt::qos::QoS;
use crate::mqtt::session::{self, Received, Session, Unsendable};
use crate::mqtt::topic::{TopicFilter, TopicSlice};
use crate::transport;
use crate::transport::endpoint::Endpoint;
use crate::transport::tls::TlsConfig;
use crate::websocket::upgrade::Echo;

/// A function that is shown messages, and may end the run of them.
pub type Take<'a> = &'a mut dyn FnMut(Received<'_>) -> ControlFlow<()>;

/// What [`Client::next`] found.
#[derive(Debug)]
pub enum Event {
    /// The broker has accepted the first connection.
    Connected(Box<Established>),
    /// The connection was lost, and was made again.
    Reconnected,
    /// The connection has ended as [`Client::close`] asked; an error says what was lost.
    Closed(Result<(), Box<Error>>),
    /// Something happened in the session.
    Mqtt(session::Event),
    /// The block of input that was asked for; `None` at its end.
    Input(io::Result<Option<Bytes>>),
    /// The output has written everything up to this message, and it was acknowledged.
    Written(u64),
    /// The output cannot be written.
    OutputFailed(io::Error),
    /// [`Remote::wake`] was called, or a SIGQUIT came that [`Client::watch_quit`] watches.
    Woken,
    /// SIGINT, SIGTERM or SIGHUP came.
    Interrupted(i32),
    /// The answer to [`Client::ping_websocket`].
    WebSocketPong,
    /// The server has read what waited to be sent: there may be room for more.
    Sendable,
    /// The alarm that was given to [`Client::next`] went off.
    Alarm,
}

/// A client, connected or not.
pub struct Client {
    options: Options,
    session: Session,
    events: EventQueue,
    lifecycle: Lifecycle,
    connection: Option<Connection>,
    /// Hides our secrets in what the server of the latest connection says.
    echo: Echo,
    /// What the connection that is being dialled will be opened with.
    transport_options: Option<transport::Options>,
    /// Events and errors that were not handed out yet.
    pending: VecDeque<Result<Event, Error>>,
    /// The time of the latest wake-up: good enough for everything until the next wait.
    now: Instant,
    is_reading_paused: bool,
    /// The warning about TLS secrets that were not written, once it was told.
    key_log_failure: Option<String>,
    /// TLS with what can be read only once.
    tls_of_pipes: Option<Box<TlsConfig>>,
}

impl Client {
    /// A client that begins to connect with the first [`Client::next`].
    /// It lies on the heap, so that who hands it on moves a pointer.
    pub fn new(options: Options) -> Result<Box<Self>, Error> {
        let events = EventQueue::new(options.keeps_brief()).map_err(Error::Local)?;
        let session = Session::new(options.session.clone());
        let now = Instant::now();
        let mut lifecycle = Lifecycle::new(Policy::of(&options), fastrand::u64(..));
        lifecycle.handle(ConnectionInput::Connect, now);
        Ok(Box::new(Self {
            options,
            session,
            events,
            lifecycle,
            connection: None,
            echo: Echo::default(),
            transport_options: None,
            pending: VecDeque::new(),
            now,
            is_reading_paused: false,
            key_log_failure: None,
            tls_of_pipes: None,
        }))
    }

    /// Waits until the broker has accepted the connection; at most until `limit`, which the user
    /// gave as so long.
    pub fn await_connected(
        &mut self,
        limit: Option<(Instant, Duration)>,
    ) -> Result<Established, Error> {
        loop {
            match self.next(limit.map(|(until, _)| until))? {
                Event::Connected(established) => return Ok(*established),
                Event::Interrupted(signal) => return Err(Error::Interrupted(signal)),
                Event::Alarm => {
                    let after = limit.map(|(_, after)| after).unwrap_or_default();
                    let error = self.late(after);
                    return Err(self.lifecycle.with_redirect(error));
                }
                // There is no session, no input and no output yet.
                Event::Reconnected
                | Event::Closed(_)
                | Event::Mqtt(_)
                | Event::Input(_)
                | Event::Written(_)
                | Event::OutputFailed(_)
                | Event::Woken
                | Event::WebSocketPong
                | Event::Sendable => {}
            }
        }
    }

    /// From now on SIGQUIT does not end the process: it is an [`Event::Woken`].
    pub fn watch_quit(&mut self) -> Result<(), Error> {
        self.events.watch_quit().map_err(Error::Local)
    }

    /// What other threads report with what they have written.
    pub fn remote(&self) -> Remote {
        self.events.remote()
    }

    /// The context of an error of the latest connection.
    pub fn at_server(&self, doing: impl Into<String>) -> AtServer {
        AtServer { endpoint: self.lifecycle.server().clone(), ..self.options.at_server(doing) }
    }

    /// The server that was chosen among several, or that a command has named, once there was a
    /// connection.
    pub fn chosen_server(&self) -> Option<&Endpoint> {
        let is_chosen = !self.options.other_endpoints.is_empty()
            || self.options.credentials.as_ref().is_some_and(|source| !source.commands.is_empty());
        is_chosen.then(|| self.lifecycle.server())
    }

    /// What the client was asked to do.
    pub fn options(&self) -> &Options {
        &self.options
    }

    /// The session, to look at.
    pub fn session(&self) -> &Session {
        &self.session
    }

    /// The caller is about to do something that may not end, and promised otherwise
    /// ([`Options::brief`]).
    fn guard(&self) {
        self.events.guard();
    }

    /// A line may be written about an event that is handed out now, unless it is a success.
    fn guard_before(&self, event: &Event) {
        if !matches!(
            event,
            Event::Mqtt(session::Event::SomeAcknowledged)
                | Event::Connected(_)
                | Event::Closed(Ok(()))
        ) {
            self.guard();
        }
    }

    /// When the connection before this one was lost or left, if there was one.
    pub fn before_ended(&self) -> Option<Instant> {
        self.lifecycle.before_ended()
    }

    /// When bytes came the last time on this connection.
    pub fn last_received(&self) -> Option<Instant> {
        self.connection.as_ref()?.received()
    }

    /// Blocks of input come from `source`, one for each [`Client::request_input`].
    pub fn attach_input(&mut self, source: Source) -> Result<(), Error> {
        self.events.attach_input(source).map_err(Error::Local)
    }

    /// Asks for one more [`Event::Input`].
    pub fn request_input(&self) {
        self.events.request_input();
    }

    /// Whether one more message of this QoS may be published now; if not, take the next event
    /// first.
    pub fn can_publish(&self, qos: QoS) -> bool {
        self.session.can_publish(qos) && !self.lifecycle.is_finishing()
    }

    /// Publishes a message; see [`Session::publish`]. It is sent before the next wait.
    pub fn publish(&mut self, publish: Publish, record: u64) -> Result<(), Unsendable> {
        self.session.publish(publish, record).inspect_err(|_| self.events.guard())
    }

    /// Publishes as many of a run of messages as may be sent now; see [`Session::publish_run`].
    pub fn publish_run(
        &mut self,
        head: &Rc<Publish>,
        record: u64,
        next: impl FnMut(usize) -> Option<Range<usize>>,
    ) -> u64 {
        self.session.publish_run(head, record, next)
    }

    /// The same for messages with topics of their own; see [`Session::publish_topic_run`].
    pub fn publish_topic_run<'a>(
        &mut self,
        head: &'a Rc<Publish>,
        message: u64,
        next: impl FnMut(usize) -> Option<(TopicSlice<'a>, Range<usize>)>,
    ) -> u64 {
        self.session.publish_topic_run(head, message, next)
    }

    /// Publishes a message whose payload is streamed; see [`Session::publish_stream`].
    pub fn publish_stream(
        &mut self,
        publish: Publish,
        length: usize,
        record: u64,
    ) -> Result<(), Unsendable> {
        self.session.publish_stream(publish, length, record)
    }

    /// Gives what is wanted of a block of it; see [`Session::stream`].
    pub fn stream(&mut self, at: usize, block: &Bytes) {
        self.session.stream(at, block);
    }

    /// Subscribes; see [`Session::subscribe`].
    pub fn subscribe(
        &mut self,
        subscriptions: Vec<Subscription>,
        properties: Properties,
    ) -> PacketId {
        self.session.subscribe(subscriptions, properties)
    }

    /// Unsubscribes; see [`Session::unsubscribe`].
    pub fn unsubscribe(&mut self, filters: Vec<TopicFilter>, properties: Properties) -> PacketId {
        self.session.unsubscribe(filters, properties)
    }

    /// The rest of the large message that has begun is of no interest; see
    /// [`Session::ignore_rest`].
    pub fn ignore_rest(&mut self) {
        self.session.ignore_rest();
    }

    /// Acknowledges every message up to this number; an output thread does it by
    /// [`Remote::written`].
    pub fn acknowledge_up_to(&mut self, number: u64) {
        self.session.acknowledge_up_to(number);
    }

    /// Sends a PINGREQ, if the broker has accepted the connection: nothing may come before CONNECT.
    pub fn ping(&mut self) {
        if self.lifecycle.is_online() {
            self.session.ping();
        }
    }

    /// Sends a WebSocket Ping, if the broker has accepted the connection; a failure shows as a lost
    /// connection.
    pub fn ping_websocket(&mut self) {
        if self.lifecycle.is_online()
            && let Some(connection) = &mut self.connection
        {
            let result = connection.ping();
            self.note_written(result);
        }
    }

    /// While reading is paused the broker cannot send more; the keep alive goes on.
    pub fn pause_reading(&mut self, is_paused: bool) {
        if self.is_reading_paused != is_paused {
            self.is_reading_paused = is_paused;
            self.session.hold(is_paused, self.now);
        }
    }

    /// Whether reading is paused.
    pub fn is_reading_paused(&self) -> bool {
        self.is_reading_paused
    }

    /// Begins to end the connection in order: what waits to be sent, DISCONNECT and Close. Then
    /// what the server still says is read, as long as it goes on, and [`Event::Closed`] reports
    /// whether anything was lost.
    pub fn close(&mut self) {
        let remains = if self.options.leaving == Leaving::Reset {
            // Another connection would keep the broker from publishing a delayed will.
            SessionRemains::Nothing
        } else if self.session.needs_ending_connection() {
            SessionRemains::Always
        } else if self.session.outlives_lost_connection() {
            SessionRemains::WithoutDisconnect
        } else {
            SessionRemains::Nothing
        };
        self.lifecycle.handle(ConnectionInput::Close(remains), Instant::now());
    }

    /// The same after `error`: in order if there is still a connection, and otherwise only the
    /// session is ended that no client will take up any more, if that can be done soon.
    pub fn abandon(&mut self, error: &Error) {
        if matches!(error, Error::Unanswered { .. }) {
            self.shorten_close();
        }
        if self.lifecycle.is_online() {
            return self.close();
        }
        // A DISCONNECT has ended it already.
        let is_told =
            matches!(error, Error::Violation(_)) && self.session.config().version.has_properties();
        let is_left = error.leaves_session()
            && !is_told
            && self.options.leaving != Leaving::Reset
            && self.session.outlives_lost_connection();
        let remains = if is_left { SessionRemains::Always } else { SessionRemains::Nothing };
        self.lifecycle.handle(ConnectionInput::Close(remains), Instant::now());
    }

    /// From now on only messages that were received before are taken, until the server has released
    /// them; see [`Session::stop_taking`].
    pub fn stop_taking(&mut self) {
        self.session.stop_taking();
        self.pause_reading(false);
    }

    /// Whether a server that does nothing is waited for only shortly.
    pub fn is_hurried(&self) -> bool {
        self.lifecycle.is_hurried()
    }

    /// From now on signals are not its business: another part of the program watches them, and
    /// did so before.
    pub fn leave_signals(&mut self) {
        self.events.leave_signals();
    }

    /// Allows the end that a signal has begun to take `more` time.
    pub fn extend_end(&self, more: Duration) {
        self.events.extend_end(more);
    }

    /// From now on a server that does nothing is waited for only shortly.
    pub fn shorten_close(&mut self) {
        self.lifecycle.handle(ConnectionInput::ShortenClose, Instant::now());
    }

    /// Whether something waits to be sent: what the server does not read, and what comes after it.
    pub fn has_unsent(&self) -> bool {
        self.is_congested() || self.session.has_unsent()
    }

    /// How much of what is published last waits to be sent, about, in bytes.
    pub fn unsent(&self) -> usize {
        self.session.unsent() + self.connection.as_ref().map_or(0, Connection::unsent)
    }

    /// Whether every message that was published is finished, and no event waits that may report
    /// how: only then may the caller end.
    pub fn is_settled(&self) -> bool {
        self.session.in_flight() == 0 && self.pending.is_empty() && !self.session.has_event()
    }

    /// The next event, if one can be had without waiting.
    pub fn poll(&mut self) -> Result<Option<Event>, Error> {
        self.poll_taking(None)
    }

    /// The same for a caller that has many messages to take: `take` is shown them one by one, as
    /// long as nothing else comes between and it does not break off. Those that need more than
    /// looking at are events all the same.
    pub fn poll_messages(&mut self, take: Take<'_>) -> Result<Option<Event>, Error> {
        self.poll_taking(Some(take))
    }

    fn poll_taking(&mut self, take: Option<Take<'_>>) -> Result<Option<Event>, Error> {
        self.perform();
        if self.pending.is_empty() {
            let event = self.drain(take);
            if self.session.was_useful() {
                self.lifecycle.note_progress();
            }
            self.trace();
            self.tell_deviations();
            match event {
                Ok(Some(event)) => {
                    let event = Event::Mqtt(event);
                    self.guard_before(&event);
                    return Ok(Some(event));
                }
                Ok(None) => {}
                Err(error) => self.failed(error),
            }
            self.perform();
        }
        self.take_pending()
    }

    fn take_pending(&mut self) -> Result<Option<Event>, Error> {
        match self.pending.pop_front() {
            Some(Ok(event)) => {
                self.guard_before(&event);
                Ok(Some(event))
            }
            Some(Err(error)) => {
                self.guard();
                Err(error)
            }
            None => Ok(None),
        }
    }

    /// The next event; waits for it until `alarm` at the most, after sending what there is to send.
    /// A connection that is lost is made again meanwhile, if it may be. After an error only what
    /// has nothing to do with the connection is found any more.
    pub fn next(&mut self, alarm: Option<Instant>) -> Result<Event, Error> {
        loop {
            if let Some(event) = self.step(alarm, true)? {
                return Ok(event);
            }
        }
    }

    /// The next event that is there already. Nothing is waited for, and what does not fill a write
    /// is left to the next one: the caller has more to send.
    pub fn turn(&mut self) -> Result<Option<Event>, Error> {
        match self.step(Some(self.now), false)? {
            Some(Event::Alarm) => Ok(None),
            event => Ok(event),
        }
    }

    /// What the server is waited for: not while we do not read, nor while it does not.
    fn awaited(&self) -> Awaited {
        if self.is_reading_paused {
            return Awaited::default();
        }
        let message = self.session.arriving_message();
        let packet = self.session.awaited_acknowledgement().filter(|_| !self.is_congested());
        let earlier = self.session.acknowledgements_received();
        Awaited {
            message: message.map(|(arrived, length)| ArrivingMessage { arrived, length }),
            acknowledgement: packet
                .map(|packet| MissingAcknowledgement { packet: packet.name(), earlier }),
        }
    }

    /// Mutate, drain, wait: once. Whether the server was silent for too long is judged when all
    /// that it sent is decoded.
    fn step(&mut self, alarm: Option<Instant>, waits: bool) -> Result<Option<Event>, Error> {
        if let ControlFlow::Break(found) = self.before_wait(alarm, waits)? {
            return Ok(found);
        }
        let until = [self.deadline(), alarm].into_iter().flatten().min();
        let wake = self.events.wait(until, self.is_congested());
        self.now = Instant::now();
        if let Some(wake) = wake {
            self.handle_wake(wake);
        }
        let is_late = alarm.is_some_and(|alarm| alarm <= self.now);
        Ok((is_late && self.pending.is_empty()).then_some(Event::Alarm))
    }

    /// All that comes before a wait: an event, or nothing and another turn, is why there is none.
    #[inline]
    fn before_wait(
        &mut self,
        alarm: Option<Instant>,
        waits: bool,
    ) -> Result<ControlFlow<Option<Event>>, Error> {
        if let Some(event) = self.poll()? {
            return Ok(ControlFlow::Break(Some(event)));
        }
        self.check_deadlines();
        self.perform();
        if !self.pending.is_empty() {
            return Ok(ControlFlow::Break(None));
        }
        if self.lifecycle.is_sending_disconnect() {
            self.continue_disconnect();
        } else if waits && alarm.is_none_or(|alarm| alarm > Instant::now()) {
            self.send();
        } else {
            self.gather();
        }
        if self.lifecycle.is_finishing() {
            self.finish_for_renewal();
        }
        let is_asking = self.session.has_pending_subscribe() && !self.is_reading_paused;
        self.lifecycle.note_asking(is_asking, self.now);
        self.lifecycle.note_awaited(self.awaited(), self.now);
        self.perform();
        Ok(ControlFlow::Continue(()))
    }
}
