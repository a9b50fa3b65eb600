//! `pub`: records from the command line, a file or stdin become messages; it ends when all were
//! handed over.

pub mod config;
mod feed;
mod file;
mod input;
mod message;
mod pace;
mod pending;
mod request;
mod tally;

use std::time::Instant;

use anyhow::{Context, Result};

use self::config::Config;
use self::feed::Feed;
use self::input::{Opened, RecordInput};
use self::tally::{AtMostOnce, GAPS, Tally};
use super::summary::SummaryPrinter;
use crate::client::{Client, Event};
use crate::exit::{Exit, worse};
use crate::format::summary::RunSummary;
use crate::mqtt::packet::Publish;
use crate::mqtt::session;
use crate::report;
use crate::terminal::progress::{Position, Progress};
use crate::terminal::screen;

/// Runs `mqttws pub`.
pub fn run(config: Config) -> Result<Exit> {
    let began = Instant::now();
    let Config { client: options, input, repeat, messages, verbosity, .. } = config;
    let summary = SummaryPrinter::new(config.summary, verbosity, began);
    let maximum = options.session.receiving.maximum_packet;
    if let Some(request) = config.request {
        let feed = Feed::new(RecordInput::new(input, repeat, maximum)?, messages);
        return request::run(options, request, feed, verbosity, &summary);
    }
    match Opened::new(input, repeat, maximum)? {
        Opened::Large(file) => {
            file.check(&messages.format.template, options.session.version)?;
            let length = (file.length as u64).saturating_mul(repeat);
            let progress = Progress::new(verbosity.shows_progress(), Some(length), began);
            let feed = Feed::new(RecordInput::placeholder(file.name.clone(), repeat), messages);
            file::run(options, file, feed, progress, &summary)
        }
        Opened::Input(input) => {
            let is_shown = verbosity.shows_progress() && input.is_stream();
            let progress = Progress::new(is_shown, input.length, began);
            let (mut client, _) = super::connect(options, None)?;
            let mut feed = Feed::new(input, messages);
            feed.attach(&mut client)?;
            let is_numbered = feed.input.has_several();
            let tally = Tally::new(feed.context(), is_numbered, summary.is_wanted());
            let tells_loss = verbosity.warns();
            let publisher =
                Publisher { client, feed, tally, progress, input_error: None, tells_loss };
            publisher.publish_all(&summary)
        }
    }
}

struct Publisher {
    client: Client,
    feed: Feed,
    tally: Tally,
    progress: Progress,
    /// The input could not be read to its end.
    input_error: Option<anyhow::Error>,
    /// The warning about properties that are left out is still due.
    tells_loss: bool,
}

impl Publisher {
    /// Publishes all messages, closes the connection, and prints the summary.
    fn publish_all(mut self, summary: &SummaryPrinter) -> Result<Exit> {
        let result = self.run();
        self.progress.finish();
        self.end(result, summary)
    }

    fn run(&mut self) -> Result<Exit> {
        loop {
            self.publish_what_is_due();
            if self.feed.is_done() && self.client.is_settled() {
                return self.input_error.take().map_or_else(|| Ok(self.verdict()), Err);
            }
            let event = match self.client.poll()? {
                Some(event) => event,
                None => match self.wait()? {
                    Some(event) => event,
                    None => continue,
                },
            };
            if let Event::Interrupted(signal) = event {
                return Ok(Exit::Signal(signal.into()));
            }
            self.handle(event);
        }
    }

    /// Waits for an event. Where more can be published at once it only checks for events: signals
    /// and Pings are answered, and a message that is acknowledged early leaves the memory early.
    fn wait(&mut self) -> Result<Option<Event>> {
        let goes_on = self.feed.can_go_on(&mut self.client);
        if self.progress.is_on() {
            let (messages, bytes) = (self.tally.published, self.tally.bytes);
            let position = Position { messages, bytes, read: self.feed.input.read };
            self.progress.update(position, Instant::now());
        }
        if goes_on {
            return Ok(self.client.turn()?);
        }
        let alarm = [self.feed.alarm(), self.progress.deadline()].into_iter().flatten().min();
        Ok(Some(self.client.next(alarm)?))
    }

    fn verdict(&self) -> Exit {
        let mut exit = self.tally.exit;
        if self.tally.at_most_once == AtMostOnce::MaybeLost && exit == Exit::Done {
            report::line(GAPS);
            exit = Exit::Lost;
        }
        if self.feed.has_bad() { worse(exit, Exit::Local) } else { exit }
    }

    /// Publishes as much as the window, the outgoing buffer and the clock allow.
    fn publish_what_is_due(&mut self) {
        loop {
            self.feed.publish_runs(&mut self.client, &mut self.tally);
            let Some((publish, record)) = self.feed.next_due(&self.client) else { break };
            self.publish(publish, record);
        }
        if self.feed.input.wants_more() {
            self.client.request_input();
        }
    }

    /// Publishes a message. One that cannot be sent is refused by this broker's limits, or it is a
    /// record that MQTT cannot carry.
    fn publish(&mut self, publish: Publish, record: u64) {
        let (qos, bytes) = (publish.qos, publish.payload.len() as u64);
        if !publish.properties.is_empty() {
            self.tell_loss();
        }
        match self.client.publish(publish, record) {
            Ok(()) => {
                self.tally.sent(1, bytes, qos);
                self.tally.clock(qos).published(record);
            }
            Err(session::Unsendable::Encode(wrong)) => {
                self.feed.tell_bad(&wrong.to_string());
            }
            Err(unsendable) => {
                self.tally.sent(1, bytes, qos);
                self.tally.refuse(record, &unsendable.to_string());
            }
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
            Event::Mqtt(event) => self.tally.count(event),
            Event::Reconnected => self.tally.reconnected(),
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
        let first = self.first_unfinished();
        let in_doubt = self.client.session().in_flight() as u64;
        let result = result
            .map_err(|error| self.tally.with_counts(error, self.feed.template(), in_doubt, first));
        let tally = &mut self.tally;
        let result = super::close(&mut self.client, result, |event| tally.count(event));
        let is_interrupted = matches!(result, Ok(Exit::Signal(_)));
        if is_interrupted {
            self.tell_interrupted();
        }
        let unfinished = self.client.session().in_flight() as u64 + self.tally.refused;
        let messages = self.tally.published.saturating_sub(unfinished);
        let interrupted = self.tally.is_numbered && is_interrupted;
        let Self { tally, .. } = self;
        let result = result.context(tally.context);
        let times = tally.acknowledgements.as_ref().map(|done| ("acknowledgement", done.times()));
        summary.print(interrupted, |took| RunSummary {
            verb: "published",
            messages,
            bytes: tally.bytes,
            refused: Some(tally.refused),
            took,
            times,
        });
        result
    }

    /// The number of the first record that was not handed over.
    fn first_unfinished(&self) -> u64 {
        self.client.session().first_unfinished().unwrap_or(self.feed.first_untaken())
    }

    fn tell_interrupted(&mut self) {
        self.progress.finish();
        screen::begin_line(false);
        let published = self.tally.published;
        let in_flight = self.client.session().in_flight() as u64;
        let acknowledged = published - in_flight - self.tally.refused;
        let more = if self.tally.at_most_once == AtMostOnce::MaybeLost {
            "; of those of QoS 0 some may be missing: the connection was lost meanwhile".to_owned()
        } else if self.tally.is_numbered {
            format!("; go on with number {}", self.first_unfinished())
        } else {
            String::new()
        };
        report::line(&format!(
            "publishing: interrupted after {published} messages, {acknowledged} of them handed \
             over{more}"
        ));
    }
}
