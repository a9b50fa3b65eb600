//! The hallway: joins the socket, the WebSocket and the MQTT session, and is the one place that
//! waits.
//!
//! [`Client::next`] mutates, drains, and only then waits: what has arrived is understood, what the
//! session wants sent is sent in few writes, and the next piece of mail or the nearest deadline
//! ends the wait.

mod bell;
mod congestion;
mod connect;
mod ending;
mod error;
mod line;
mod mailbox;
mod options;
mod outage;
mod reconnect;
mod redirect;
mod signals;
mod unanswered;

use std::collections::VecDeque;
use std::io;
use std::ops::{ControlFlow, Range};
use std::rc::Rc;
use std::time::Instant;

use bytes::Bytes;

pub use connect::Established;
pub use error::{Error, Step};
use mailbox::{Mail, Mailbox, SocketMail};
pub use mailbox::{Postbox, Source};
pub use options::{Notice, Options};
use outage::Outage;
pub use reconnect::Reconnect;
use unanswered::Asked;

use crate::mqtt::packet::{PacketId, Publish, Subscription};
use crate::mqtt::property::Properties;
use crate::mqtt::qos::QoS;
use crate::mqtt::session::{self, Received, Session, Unsendable};
use crate::mqtt::topic::TopicFilter;
use crate::transport::{self, Transport};

/// Who is shown messages, and may break off.
pub type Take<'a> = &'a mut dyn FnMut(Received<'_>) -> ControlFlow<()>;

/// What [`Client::next`] found.
#[derive(Debug)]
pub enum Event {
    /// Something happened in the session.
    Mqtt(session::Event),
    /// The block of input that was asked for; `None` at its end.
    Input(io::Result<Option<Bytes>>),
    /// The output has written everything up to this message, and it was acknowledged.
    Written(u64),
    /// The output cannot be written.
    OutputFailed(io::Error),
    /// [`Postbox::wake`] was called.
    Woken,
    /// SIGINT or SIGTERM came.
    Interrupted(i32),
    /// The answer to [`Client::ping_websocket`].
    WebSocketPong,
    /// The server has read what waited to be sent: there may be room for more.
    Sendable,
    /// The connection was lost, and is there again.
    Reconnected,
    /// The alarm that was given to [`Client::next`] went off.
    Alarm,
}

/// A connected client.
pub struct Client {
    options: Options,
    session: Session,
    mailbox: Mailbox,
    transport: Option<Transport>,
    /// The time of the latest wake-up: good enough for everything until the next wait.
    now: Instant,
    /// What came while something else was awaited.
    pending: VecDeque<Event>,
    /// A write failed: until then we listen to what the broker may still have to say.
    failing: Option<(transport::Error, Instant)>,
    held: bool,
    /// Nobody wants to wait for a server that does not read any more.
    hurried: bool,
    /// The connection is lost, and to be mended.
    outage: Option<Outage>,
    /// A SUBSCRIBE or UNSUBSCRIBE awaits its answer.
    asked: Option<Asked>,
    /// When the connection was made.
    since: Instant,
    /// How many tries to connect again it took since a connection was last of use: one that is lost
    /// before anything came over it is no reason to begin the delays anew.
    fruitless: u32,
}

impl Client {
    /// Where an output thread tells what it has written.
    pub fn postbox(&self) -> Postbox {
        self.mailbox.postbox()
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
    pub fn guard(&self) {
        self.mailbox.guard();
    }

    /// Of what is handed over now a line may be written, unless all is well.
    fn guard_before(&self, event: &Event) {
        if !matches!(event, Event::Mqtt(session::Event::SomeAcknowledged)) {
            self.guard();
        }
    }

    /// Blocks of input come from `source`, one for each [`Client::request_input`].
    pub fn attach_input(&mut self, source: Source) -> Result<(), Error> {
        self.mailbox.attach_input(source).map_err(Error::Local)
    }

    /// Asks for one more [`Event::Input`].
    pub fn request_input(&self) {
        self.mailbox.request_input();
    }

    /// Whether one more message of this QoS may be published now; if not, take the next event
    /// first.
    pub fn can_publish(&self, qos: QoS) -> bool {
        self.session.can_publish(qos)
    }

    /// Publishes a message; see [`Session::publish`]. It is sent before the next wait.
    pub fn publish(&mut self, publish: Publish, record: u64) -> Result<(), Unsendable> {
        self.session.publish(publish, record)
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

    /// Gives subscriptions back; see [`Session::unsubscribe`].
    pub fn unsubscribe(&mut self, filters: Vec<TopicFilter>, properties: Properties) -> PacketId {
        self.session.unsubscribe(filters, properties)
    }

    /// The rest of the large message that has begun is of no interest; see
    /// [`Session::ignore_rest`].
    pub fn ignore(&mut self) {
        self.session.ignore_rest();
    }

    /// Acknowledges every message up to this number; an output thread does it by
    /// [`Postbox::written`].
    pub fn settle(&mut self, number: u64) {
        self.session.acknowledge_up_to(number);
    }

    /// Sends a PINGREQ.
    pub fn ping(&mut self) {
        self.session.ping();
    }

    /// Sends a WebSocket Ping; a failure shows as a lost connection.
    pub fn ping_websocket(&mut self) {
        let result = self.transport.as_mut().map_or(Ok(()), Transport::ping);
        self.note_failure(result);
    }

    /// While held, nothing is read from the broker, so that it feels our slow reader; the keep
    /// alive goes on.
    pub fn hold(&mut self, held: bool) {
        if self.held != held {
            self.held = held;
            self.session.hold(held, self.now);
        }
    }

    /// Whether everything that was published has come to its end, and no event waits that may say
    /// to what end: only then may the caller end.
    pub fn is_settled(&self) -> bool {
        self.session.in_flight() == 0 && self.pending.is_empty() && !self.session.has_event()
    }

    /// The next event, if one can be had without waiting.
    pub fn poll(&mut self) -> Result<Option<Event>, Error> {
        self.poll_taking(None)
    }

    /// The same for who has many messages to take: `take` is shown them one by one, as long as
    /// nothing else comes between and it does not break off. Those that need more than looking at
    /// are events all the same.
    pub fn poll_messages(&mut self, take: Take<'_>) -> Result<Option<Event>, Error> {
        self.poll_taking(Some(take))
    }

    fn poll_taking(&mut self, take: Option<Take<'_>>) -> Result<Option<Event>, Error> {
        let event = match self.pending.pop_front() {
            Some(event) => Ok(Some(event)),
            None => self
                .drain(take)
                .map(|event| event.map(Event::Mqtt).or_else(|| self.pending.pop_front())),
        };
        if self.session.was_useful() {
            self.fruitless = 0;
        }
        self.trace();
        match &event {
            Ok(Some(event)) => self.guard_before(event),
            Ok(None) => {}
            Err(_) => self.guard(),
        }
        event.or_else(|error| self.suffer(error).map(|()| None))
    }

    /// The next event; waits for it until `alarm` at the most, after sending what there is to send.
    /// A lost connection is mended meanwhile, if it may be.
    pub fn next(&mut self, alarm: Option<Instant>) -> Result<Event, Error> {
        self.next_reminded(alarm, None)
    }

    /// The same with a second alarm that has time: a try to connect again is not cut short by it,
    /// or who wants to be reminded often would never be connected to a server that is far away.
    pub fn next_reminded(
        &mut self,
        alarm: Option<Instant>,
        reminder: Option<Instant>,
    ) -> Result<Event, Error> {
        loop {
            match self.step(alarm, reminder) {
                Ok(None) => {}
                Ok(Some(event)) => {
                    self.guard_before(&event);
                    return Ok(event);
                }
                Err(Error::Interrupted(signal)) => return Ok(Event::Interrupted(signal)),
                Err(error) => return Err(error),
            }
        }
    }

    /// Mutate, drain, wait: once. Whether the server was silent for too long is judged when all
    /// that it said is understood.
    fn step(
        &mut self,
        alarm: Option<Instant>,
        reminder: Option<Instant>,
    ) -> Result<Option<Event>, Error> {
        let first = earliest(alarm, reminder);
        if let Some(event) = self.poll()? {
            return Ok(Some(event));
        }
        if let Err(error) = self.check_deadlines() {
            self.suffer(error)?;
        }
        // Who does not wait has more to send, and this may leave with it.
        let waits = first.is_none_or(|alarm| alarm > Instant::now());
        if waits {
            self.send();
        } else {
            self.gather();
        }
        self.await_answer();
        let mail = self.wait(earliest(self.deadline(), first));
        self.now = Instant::now();
        if let Some(mail) = mail {
            let was_congested = self.is_congested();
            let event = self.deliver(mail);
            self.pending.extend(event);
            if was_congested && !self.is_congested() {
                self.send();
                self.pending.push_back(Event::Sendable);
            }
        }
        if first.is_some_and(|alarm| alarm <= self.now) && self.pending.is_empty() {
            return Ok(Some(Event::Alarm));
        }
        self.mend(alarm)
    }

    fn deadline(&self) -> Option<Instant> {
        let outage = self.outage.as_ref().map(Outage::next_try);
        let failing = self.failing.as_ref().map(|(_, until)| *until);
        let answer = self.asked.as_ref().map(|asked| asked.until(self.options.connect_timeout));
        [self.session.deadline(), self.stuck_until(), outage, failing, answer]
            .into_iter()
            .flatten()
            .min()
    }

    fn check_deadlines(&mut self) -> Result<(), Error> {
        if self.session.deadline().is_some_and(|deadline| deadline <= self.now) {
            self.session.expire(self.now).map_err(Error::Silent)?;
        }
        self.give_up_when_stuck();
        self.check_answer()?;
        match self.failing.take() {
            Some((error, until)) if until <= self.now => Err(Error::Lost(error)),
            failing => {
                self.failing = failing;
                Ok(())
            }
        }
    }

    /// Understands what has arrived, as far as the first event; nothing while we are held.
    fn drain(&mut self, take: Option<Take<'_>>) -> Result<Option<session::Event>, Error> {
        if self.held || self.outage.is_some() { Ok(None) } else { self.understand(take) }
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
                return Self::judged(event);
            }
            if self.session.must_stop_reading() {
                self.gather();
                if self.session.must_stop_reading() {
                    return Ok(None);
                }
            }
            let Some(transport) = self.transport.as_mut() else { return Ok(None) };
            let read = transport.read();
            if transport.take_pong() {
                self.pending.push_back(Event::WebSocketPong);
            }
            while let Some(chunk) = transport.take_spent() {
                self.mailbox.recycle(chunk);
            }
            self.trace_transport();
            match read {
                Ok(Some(bytes)) => self.session.receive(bytes, self.now),
                Ok(None) => return Ok(None),
                Err(error) => return Err(Error::Lost(error)),
            }
        }
    }

    /// Puts mail where it belongs; what concerns the caller is an event.
    fn deliver(&mut self, mail: Mail) -> Option<Event> {
        match mail {
            Mail::Socket(mail) => {
                self.hear(mail);
                None
            }
            Mail::Input(block) => Some(Event::Input(block)),
            Mail::Written(number) => {
                self.session.acknowledge_up_to(number);
                Some(Event::Written(number))
            }
            Mail::OutputFailed(error) => Some(Event::OutputFailed(error)),
            Mail::Woken => Some(Event::Woken),
            Mail::Signal(signal) => {
                self.hurry();
                Some(Event::Interrupted(signal))
            }
        }
    }

    fn hear(&mut self, mail: SocketMail) {
        let Some(transport) = &mut self.transport else { return };
        match mail {
            SocketMail::Bytes(chunk) => {
                transport.deliver(chunk);
                self.heard();
            }
            SocketMail::End(error) => transport.end(error),
            SocketMail::Writable => self.push(),
            SocketMail::Note(_) | SocketMail::Dialled(_) => {}
        }
    }

    /// Writes the log: packets before the frames that carry them.
    fn trace(&mut self) {
        while let Some(line) = self.session.traced() {
            (self.options.trace)(&line);
        }
        self.trace_transport();
    }

    fn trace_transport(&mut self) {
        while self.options.log
            && let Some(line) = self.transport.as_mut().and_then(Transport::traced)
        {
            (self.options.trace)(&line);
        }
    }
}

fn earliest(one: Option<Instant>, other: Option<Instant>) -> Option<Instant> {
    match (one, other) {
        (Some(one), Some(other)) => Some(one.min(other)),
        (one, other) => one.or(other),
    }
}
