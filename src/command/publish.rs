//! `pub`: records from the command line, a file or stdin become messages; it ends when all were
//! handed over.

mod closing;
mod coming;
mod composition;
pub mod config;
mod feed;
mod file;
mod filled_run;
mod input;
mod large_file;
pub mod message;
mod pace;
mod pending;
mod request;
mod tally;

use std::time::{Duration, Instant};

use anyhow::{Context, Result};

use self::closing::Ending;
use self::config::Config;
use self::feed::Feed;
use self::input::{Opened, RecordInput};
use self::message::Discouraged;
use self::tally::{AtMostOnce, GAPS, NOT_PROVEN, Tally, go_on};
use super::summary::SummaryPrinter;
use crate::client::{Client, Event, LARGE_MESSAGE};
use crate::exit::{Exit, worse};
use crate::format::count::count_of;
use crate::format::summary::RunSummary;
use crate::mqtt::packet::Publish;
use crate::mqtt::session;
use crate::report;
use crate::terminal::progress::{Part, Position, Progress, Unit, Wanted};
use crate::terminal::screen;

/// Runs `mqttws pub`.
pub fn run(config: Config) -> Result<Exit> {
    let began = Instant::now();
    let Config { client: options, input, messages, timeout, verbosity, .. } = config;
    let summary = SummaryPrinter::new(config.summary, verbosity, began);
    let maximum = options.session.receiving.maximum_packet;
    if let Some(request) = config.request {
        let feed = Feed::new(RecordInput::new(input, maximum)?, messages);
        return request::run(options, request, feed, verbosity, &summary);
    }
    let limit = super::limit(began, timeout);
    let shown = if verbosity.shows_progress() { Wanted::BarOrCount } else { Wanted::Nothing };
    match Opened::new(input, maximum)? {
        Opened::Large(file) => {
            file.check(&messages.format.largest_head(), options.session.version)?;
            let progress = Progress::new(shown, began);
            let feed = Feed::new(RecordInput::placeholder(&file), messages);
            file::run(options, file, feed, progress, limit, &summary)
        }
        Opened::Input(input) => {
            let progress = Progress::new(wanted_progress(&input, shown), began);
            let (client, _) = super::connect(options, limit)?;
            let feed = Feed::new(input, messages);
            let tally = feed.tally(summary.is_wanted());
            let tells_loss = verbosity.warns();
            let publisher = Publisher::new(client, feed, tally, progress);
            Publisher { limit, tells_loss, ..publisher }.publish_all(&summary)
        }
    }
}

/// The progress that says something about this input.
fn wanted_progress(input: &RecordInput, shown: Wanted) -> Wanted {
    match shown {
        Wanted::BarOrCount if !input.may_last() => Wanted::Nothing,
        Wanted::BarOrCount if !input.has_several() => Wanted::Bar,
        shown => shown,
    }
}

struct Publisher {
    client: Box<Client>,
    feed: Feed,
    tally: Tally,
    progress: Progress,
    /// The time of `-W`.
    limit: Option<(Instant, Duration)>,
    /// The length of the latest message, in bytes, if it is a large one.
    large: Option<u64>,
    /// The input could not be read to its end.
    input_error: Option<anyhow::Error>,
    /// The warning about properties that are left out is still due.
    tells_loss: bool,
    /// The message after which a PINGREQ was sent, until the server has answered it.
    proving: Option<Proving>,
    /// The signal that has ended a run without end, and until when what was published is waited
    /// for.
    stopped: Option<(i32, Instant)>,
}

/// A message of QoS 0 for which the server may end the connection. Nothing is sent after it until
/// the server is known to have taken it.
struct Proving {
    /// The message, by its number.
    message: u64,
    /// What is in doubt about it.
    doubts: Vec<Discouraged>,
    /// When a server that answers no PINGREQ is taken to have taken it.
    until: Instant,
}

impl Publisher {
    /// A publisher without a time limit that does not tell what is lost.
    fn new(client: Box<Client>, feed: Feed, tally: Tally, progress: Progress) -> Self {
        Self {
            client,
            feed,
            tally,
            progress,
            limit: None,
            large: None,
            input_error: None,
            tells_loss: false,
            proving: None,
            stopped: None,
        }
    }

    fn attach_input(&mut self) -> Result<()> {
        if self.progress.is_on() {
            self.feed.look_for_end();
        }
        Ok(self.feed.attach(&mut self.client)?)
    }

    /// Publishes all messages, closes the connection, and prints the summary.
    fn publish_all(mut self, summary: &SummaryPrinter) -> Result<Exit> {
        self.attach_input()?;
        let result = self.run();
        self.progress.finish();
        self.end(result, summary)
    }

    fn run(&mut self) -> Result<Exit> {
        loop {
            self.publish_what_is_due();
            if self.is_finished() {
                return self.input_error.take().map_or_else(|| Ok(self.verdict()), Err);
            }
            if let Some(exit) = self.time_is_up() {
                return Ok(exit);
            }
            let event = match self.client.poll()? {
                Some(event) => event,
                None => match self.wait()? {
                    Some(event) => event,
                    None => continue,
                },
            };
            if let Event::Interrupted(signal) = event {
                if !self.stop(signal) {
                    return Ok(Exit::Signal(signal.into()));
                }
            } else {
                self.handle(event);
            }
        }
    }

    /// A run without end is over when it is interrupted: no more is published, and what was
    /// published is waited for. Whether that is so.
    fn stop(&mut self, signal: i32) -> bool {
        let is_end = self.feed.is_endless() && self.stopped.is_none();
        if is_end {
            self.feed.stop();
            self.stopped = Some((signal, Instant::now() + super::HURRIED_RELEASE));
        }
        is_end
    }

    /// The exit where there is no more time.
    fn time_is_up(&self) -> Option<Exit> {
        if super::is_over(self.deadline()) {
            return Some(Exit::TimedOut);
        }
        let (signal, until) = self.stopped?;
        super::is_over(Some(until)).then_some(Exit::Signal(signal.into()))
    }

    /// When the time of `-W` is up.
    fn deadline(&self) -> Option<Instant> {
        self.limit.map(|(until, _)| until)
    }

    /// Whether everything was handed over. What waits to be sent goes out with the DISCONNECT,
    /// where there is neither a time limit nor a bar for it.
    fn is_finished(&mut self) -> bool {
        if !self.feed.is_done() || self.proving.is_some() || !self.client.is_settled() {
            return false;
        }
        if self.limit.is_none() && !self.progress.is_on() {
            return true;
        }
        self.client.send();
        !self.client.has_unsent()
    }

    /// Waits for an event. Where more can be published at once it only checks for events: signals
    /// and Pings are answered, and a message that is acknowledged early leaves the memory early.
    fn wait(&mut self) -> Result<Option<Event>> {
        let goes_on = self.proving.is_none() && self.feed.can_go_on(&mut self.client);
        if self.progress.is_on() {
            let position = self.position();
            self.progress.update(position, Instant::now());
        }
        if goes_on {
            return Ok(self.client.turn()?);
        }
        let proving = self.proving.as_ref().map(|proving| proving.until);
        let stopped = self.stopped.map(|(_, until)| until);
        let (alarm, drawing) = (self.feed.alarm(), self.progress.deadline());
        let alarms = [alarm, drawing, self.deadline(), proving, stopped];
        Ok(Some(self.client.next(alarms.into_iter().flatten().min())?))
    }

    /// How far it has come: what counts was handed over as its QoS demands.
    fn position(&self) -> Position {
        let session = self.client.session();
        let in_flight = session.in_flight() as u64;
        Position {
            messages: self.tally.published.saturating_sub(in_flight + self.tally.refused),
            bytes: self.tally.bytes.saturating_sub(session.unacknowledged() as u64),
            whole: self.feed.handed_over(in_flight),
            message: self.large_message(),
        }
    }

    /// How much of a large message was sent.
    fn large_message(&self) -> Option<Part> {
        let (total, unsent) = (self.large?, self.client.unsent() as u64);
        let is_sent = unsent == 0 && self.feed.input.has_several();
        let done = total.saturating_sub(unsent);
        (!is_sent).then_some(Part { done, total, unit: Unit::Bytes, ends: None })
    }

    fn verdict(&mut self) -> Exit {
        if !self.client.session().is_online() {
            self.tally.connection_lost();
        }
        let mut exit = self.tally.exit;
        if self.tally.at_most_once == AtMostOnce::MaybeLost {
            report::line(GAPS);
            exit = worse(exit, Exit::Lost);
        }
        if self.feed.has_bad() { worse(exit, Exit::Local) } else { exit }
    }

    /// Publishes as much as the window, the outgoing buffer and the clock allow.
    fn publish_what_is_due(&mut self) {
        if self.proving.as_ref().is_some_and(|proving| proving.until <= Instant::now()) {
            self.proven();
        }
        while self.proving.is_none() {
            self.feed.publish_runs(&mut self.client, &mut self.tally);
            let Some((publish, message)) = self.feed.next_due(&self.client) else { break };
            self.publish(publish, message);
        }
        if self.feed.input.wants_more() {
            self.client.request_input();
        }
    }

    /// Publishes a message. One that cannot be sent is refused by this broker's limits, or it is a
    /// record that MQTT cannot carry.
    fn publish(&mut self, publish: Publish, message: u64) {
        let (qos, bytes) = (publish.qos, publish.payload.len() as u64);
        self.large = Some(bytes).filter(|bytes| *bytes >= LARGE_MESSAGE as u64);
        if !publish.properties.is_empty() {
            self.tell_loss();
        }
        let unproven = self.feed.unproven(&publish);
        match self.client.publish(publish, message) {
            Ok(()) => {
                self.tally.sent(1, bytes, qos);
                self.tally.clock(qos).published(message);
                if !unproven.is_empty() {
                    self.prove(message, unproven);
                }
            }
            Err(session::Unsendable::Encode(wrong)) => {
                self.feed.tell_bad(&wrong.to_string());
            }
            Err(unsendable) => {
                self.tally.sent(1, bytes, qos);
                self.tally.refuse(message, &unsendable.to_string());
            }
        }
    }

    /// Asks for a sign that the server goes on after this message.
    fn prove(&mut self, message: u64, doubts: Vec<Discouraged>) {
        self.client.ping();
        let until = Instant::now() + self.client.options().limits.timeout;
        self.proving = Some(Proving { message, doubts, until });
    }

    /// The server went on after the message.
    fn proven(&mut self) {
        if let Some(proving) = self.proving.take() {
            self.feed.proven(proving.doubts);
        }
    }

    /// The connection was lost.
    fn connection_lost(&mut self) {
        self.tally.connection_lost();
        if let Some(proving) = self.proving.take() {
            self.tally.refuse(proving.message, NOT_PROVEN);
        }
    }

    /// The error with how far it has come. If it came after a message which nothing has followed
    /// yet, it is about that.
    fn with_counts(&self, error: anyhow::Error) -> anyhow::Error {
        let first = self.first_unfinished();
        let in_doubt = self.client.session().in_flight() as u64;
        let error = self.tally.with_counts(error, self.feed.template(), in_doubt, first);
        match &self.proving {
            Some(Proving { message, .. }) if self.tally.is_numbered => {
                let record = self.tally.record_of(*message);
                error.context(format!("message {record} refused; go on with number {}", record + 1))
            }
            Some(_) | None => error,
        }
    }

    /// Before MQTT 5 there are no properties: those of records are lost.
    fn tell_loss(&mut self) {
        let version = self.client.session().config().version;
        if !version.has_properties() && std::mem::take(&mut self.tells_loss) {
            report::warn(&format!(
                "the broker speaks MQTT {version}: properties of records are left out"
            ));
        }
    }

    fn handle(&mut self, event: Event) {
        match event {
            Event::Input(block) => {
                let block = block.with_context(|| format!("reading {}", self.feed.input.what));
                // The records that were read before are still published.
                self.feed.input.add(block.unwrap_or_else(|error| {
                    self.input_error = Some(error);
                    None
                }));
            }
            Event::Mqtt(session::Event::Pong) => self.proven(),
            Event::Mqtt(event) => self.tally.count(event),
            Event::Reconnected => self.connection_lost(),
            Event::Written(_)
            | Event::OutputFailed(_)
            | Event::Woken
            | Event::Connected(_)
            | Event::Closed(_)
            | Event::Interrupted(_)
            | Event::WebSocketPong
            | Event::Sendable
            | Event::Alarm => {}
        }
    }

    /// Closes the connection, and prints the summary.
    fn end(mut self, result: Result<Exit>, summary: &SummaryPrinter) -> Result<Exit> {
        let result = result.map_err(|error| self.with_counts(error));
        if !self.client.session().is_online() {
            self.tally.connection_lost();
        }
        let limit = self.deadline();
        let closed = closing::close(&mut self.client, result, limit, &mut self.tally);
        if let Ok((_, Ending::Lost)) = closed {
            self.tally.connection_lost();
        }
        let result = closed.map(|(exit, _)| exit);
        self.tell_end(&result);
        let messages = self.handed_over();
        let is_interrupted = matches!(result, Ok(Exit::Signal(_))) || self.stopped.is_some();
        let interrupted = self.tally.is_numbered && is_interrupted;
        let Self { tally, client, .. } = self;
        let result = result.map_err(|error| super::while_connected(error, tally.context, &client));
        let times = tally.acknowledgements.as_ref().map(|done| ("acknowledgement", done.times()));
        summary.print(interrupted, |took| RunSummary {
            verb: "published",
            messages,
            bytes: tally.bytes,
            refused: Some(tally.refused),
            took,
            times,
        });
        super::with_earlier(result, tally.exit)
    }

    /// How many messages were handed over.
    fn handed_over(&self) -> u64 {
        let unfinished = self.client.session().in_flight() as u64 + self.tally.refused;
        self.tally.published.saturating_sub(unfinished)
    }

    /// The number of the first record that was not handed over.
    fn first_unfinished(&self) -> u64 {
        let unfinished = self.client.session().first_unfinished();
        unfinished.map_or(self.feed.first_untaken(), |message| self.tally.record_of(message))
    }

    /// Reports why it ended early, if it did.
    fn tell_end(&mut self, result: &Result<Exit>) {
        if let Ok(Exit::Signal(_)) = result {
            self.progress.finish();
            screen::begin_line(false);
            self.tell_unfinished("interrupted");
        } else if let (Ok(Exit::TimedOut), Some((_, after))) = (result, self.limit) {
            self.tell_unfinished(&format!("timed out after {} s", after.as_secs_f64()));
        }
    }

    /// Reports how much was handed over when it ended early, and where to go on.
    fn tell_unfinished(&self, why: &str) {
        let published = self.tally.published;
        let in_flight = self.client.session().in_flight() as u64;
        let acknowledged = published - in_flight - self.tally.refused;
        let more = if self.tally.at_most_once == AtMostOnce::MaybeLost {
            "; of those of QoS 0 some may be missing: the connection was lost meanwhile".to_owned()
        } else if self.tally.is_numbered {
            go_on(self.first_unfinished(), self.feed.untouched())
        } else {
            String::new()
        };
        let messages = count_of(acknowledged, published, "message");
        report::line(&format!("publishing: {why} with {messages} handed over{more}"));
    }
}
