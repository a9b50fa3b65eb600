//! `pub`: records from the command line, a file or stdin become messages; it ends when all were
//! handed over.

mod input;
mod message;
pub mod pace;
mod request;

use std::time::Instant;

use anyhow::{Context, Result};

use self::input::{Input, Opened};
use self::message::{Maker, Message};
use self::pace::Pace;
use super::acknowledgements::Acknowledgements;
use super::stream;
use super::telling::Telling;
use super::timing;
use crate::cli;
use crate::client::{Client, Event};
use crate::exit::Exit;
use crate::mqtt::property::Place;
use crate::mqtt::qos::QoS;
use crate::mqtt::session::{self, Lifetime};
use crate::report;
use crate::terminal::progress::{Position, Progress};
use crate::terminal::screen;
use crate::terminal::summary::Account;

/// What a lost connection may mean for messages of QoS 0.
pub const GAPS: &str =
    "publishing: messages of QoS 0 may be missing: the connection was lost meanwhile";

/// Runs `mqttws pub`.
pub fn run(args: &cli::Publish) -> Result<Exit> {
    args.check()?;
    if args.answers.request {
        return request::run(args);
    }
    let began = Instant::now();
    let (mut options, properties) = args.conversation.resolve()?;
    // Exactly once is only possible in a session that outlives the connection; records may ask for
    // it.
    let qos = if args.json { QoS::ExactlyOnce } else { args.qos };
    options.session.lifetime = options.session.lifetime.max(Lifetime::for_publishing(qos));
    options.session.sending.topic_alias = args.topic_alias;
    // Nobody has asked for messages: what comes all the same is not kept.
    options.session.receiving.parts_above = Some(super::LARGE_MESSAGE);
    if args.latency {
        timing::require_version_5(&mut options)?;
    }
    let maker = Maker::new(args, properties.of(Place::Publish))?;
    let telling = Telling::new(args.summary, args.conversation.is_quiet(), began);
    let shows_progress = args.conversation.shows_progress();
    let mut input = match Opened::new(args, options.session.receiving.maximum_packet)? {
        Opened::Large(file) => {
            file.check(&maker.template, options.session.version)?;
            let length = (file.length as u64).saturating_mul(file.repeat);
            let progress = Progress::new(shows_progress, Some(length), began);
            return stream::run(options, maker.template, args.latency, file, progress, telling);
        }
        Opened::Input(input) => input,
    };
    options.session.reports.only_failures = args.summary.is_none();
    options.brief = input.source.is_none() && args.summary.is_none();
    let progress = Progress::new(shows_progress && input.is_stream(), input.length, began);
    let (mut client, _) = super::connect(options, None)?;
    if let Some(source) = input.source.take() {
        client.attach_input(source)?;
    }
    let context = match &maker.template.topic {
        Some(topic) => format!("publishing to {}", topic.as_str()),
        None => "publishing".to_owned(),
    };
    let mut publisher = Publisher {
        client,
        input,
        maker,
        pace: Pace::new(args),
        progress,
        context: context.clone(),
        strict: args.strict_input,
        timed: args.latency,
        acknowledgements: telling.is_asked_for().then(Acknowledgements::default),
        next: None,
        alarm: None,
        records: 0,
        published: 0,
        bytes: 0,
        refused: 0,
        bad: 0,
        input_error: None,
        at_most_once: false,
        quiet: args.conversation.is_quiet(),
        told_loss: false,
        gaps: false,
    };
    let result = publisher.run();
    publisher.progress.finish();
    publisher.end(result, context, telling)
}

#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own")]
struct Publisher {
    client: Client,
    input: Input,
    maker: Maker,
    pace: Pace,
    progress: Progress,
    /// What we are doing, in the words of an error.
    context: String,
    /// The first bad record is the last.
    strict: bool,
    /// Each message says when it was published.
    timed: bool,
    /// Until when, if that is of interest.
    acknowledgements: Option<Acknowledgements>,
    /// The record that was read and not published.
    next: Option<Message>,
    /// When it is due, if that is not yet.
    alarm: Option<Instant>,
    /// Records that were read: the number of the latest.
    records: u64,
    published: u64,
    bytes: u64,
    refused: u64,
    /// Records that made no sense.
    bad: u64,
    /// The input could not be read to its end.
    input_error: Option<anyhow::Error>,
    /// Something was published at QoS 0.
    at_most_once: bool,
    quiet: bool,
    /// It was told that properties were left out.
    told_loss: bool,
    /// The connection was lost with messages of QoS 0 on the way.
    gaps: bool,
}

impl Publisher {
    fn run(&mut self) -> Result<Exit> {
        loop {
            self.publish_what_is_there();
            if self.next.is_none() && self.input.is_done() && self.client.is_settled() {
                return self.input_error.take().map_or_else(|| Ok(self.verdict()), Err);
            }
            let event = match self.client.poll()? {
                Some(event) => event,
                None => self.wait()?,
            };
            if let Event::Interrupted(signal) = event {
                self.tell_interrupted();
                return Ok(Exit::Signal(signal));
            }
            self.handle(event);
        }
    }

    /// Waits; where the stream goes on it only looks what has come: a signal, a Ping, and what is
    /// acknowledged soon need not be remembered for long, and so fills no more memory than is near.
    fn wait(&mut self) -> Result<Event> {
        let goes_on = self.can_go_on();
        if self.progress.is_on() {
            let read = self.input.read;
            let position = Position { messages: self.published, bytes: self.bytes, read };
            self.progress.update(position, Instant::now());
        }
        let at_once = goes_on.then(Instant::now);
        let reminder = [at_once, self.alarm, self.progress.deadline()].into_iter().flatten().min();
        Ok(self.client.next_reminded(None, reminder)?)
    }

    fn verdict(&self) -> Exit {
        if self.refused > 0 {
            return Exit::Denied;
        }
        if self.gaps {
            report::failure(GAPS);
            return Exit::Lost;
        }
        if self.bad > 0 { Exit::Local } else { Exit::Done }
    }

    /// Publishes as much as the window, the outgoing buffer and the clock allow.
    fn publish_what_is_there(&mut self) {
        self.alarm = None;
        loop {
            self.publish_runs();
            if !(self.prepare() && self.can_publish() && self.is_due()) {
                break;
            }
            if let Some(message) = self.next.take() {
                self.publish(message);
            }
        }
        if self.input.wants_more() {
            self.client.request_input();
        }
    }

    /// The usual stream: every message is like the one before, but for its payload.
    fn publish_runs(&mut self) {
        let is_usual = self.next.is_none() && self.pace.is_free() && !self.timed;
        while is_usual
            && self.maker.takes_payloads()
            && let Some(block) = self.input.block()
        {
            let head = self.maker.head(block.bytes());
            let mut acknowledgements =
                self.acknowledgements.as_mut().filter(|_| head.qos > QoS::AtMostOnce);
            let (first, now) =
                (self.records + 1, acknowledgements.as_ref().map(|_| Instant::now()));
            let (mut record, bytes) = (first, &mut self.bytes);
            let count = self.client.publish_run(&head, first, |longest| {
                let payload = block.next_within(longest)?;
                *bytes += payload.len() as u64;
                if let (Some(acknowledgements), Some(now)) = (&mut acknowledgements, now) {
                    acknowledgements.published_at(record, now);
                }
                record += 1;
                Some(payload)
            });
            self.records += count;
            self.published += count;
            self.at_most_once |= count > 0 && head.qos == QoS::AtMostOnce;
            if count == 0 {
                return;
            }
        }
    }

    /// Makes a message of the next record that is one; whether there is one.
    fn prepare(&mut self) -> bool {
        while self.next.is_none() {
            let Some(record) = self.input.next() else { return false };
            self.records += 1;
            match self.maker.make(record) {
                Ok(message) => self.next = Some(message),
                Err(wrong) => self.tell_bad(&wrong),
            }
        }
        true
    }

    fn can_publish(&self) -> bool {
        let usual = self.maker.template.qos;
        self.client.can_publish(self.next.as_ref().map_or(usual, |message| message.qos(usual)))
    }

    fn is_due(&mut self) -> bool {
        let due = self.pace.due(self.next.as_ref().and_then(Message::time));
        self.alarm = due.filter(|due| *due > Instant::now());
        self.alarm.is_none()
    }

    fn publish(&mut self, message: Message) {
        let (mut publish, time) = self.maker.finish(message);
        if self.timed {
            timing::stamp(&mut publish);
        }
        if let Some(acknowledgements) =
            self.acknowledgements.as_mut().filter(|_| publish.qos > QoS::AtMostOnce)
        {
            acknowledgements.published(self.records);
        }
        if !self.pace.is_free() {
            self.pace.published(time, Instant::now());
        }
        self.published += 1;
        self.bytes += publish.payload.len() as u64;
        self.at_most_once |= publish.qos == QoS::AtMostOnce;
        if !publish.properties.is_empty() {
            self.tell_loss();
        }
        let result = self.client.publish(publish, self.records);
        self.judge(result);
    }

    /// What cannot be sent is refused by this broker, or it is nothing that MQTT can carry.
    fn judge(&mut self, result: Result<(), session::Unsendable>) {
        match result {
            Ok(()) => {}
            Err(session::Unsendable::Encode(wrong)) => {
                self.published -= 1;
                self.tell_bad(&wrong.to_string());
            }
            Err(unsendable) => self.refuse(self.records, &unsendable.to_string()),
        }
    }

    /// Before MQTT 5 there are no properties: what records have of them is lost.
    fn tell_loss(&mut self) {
        let version = self.client.session().config().version;
        if !version.has_properties() && !std::mem::replace(&mut self.told_loss, true) && !self.quiet
        {
            self.client.guard();
            report::warn(&format!(
                "the broker speaks MQTT {version}: properties of records are left out"
            ));
        }
    }

    /// Sends most of what was published; whether that made room for more that is there already.
    fn can_go_on(&mut self) -> bool {
        if self.next.is_none() || self.alarm.is_some() || !self.client.session().is_online() {
            return false;
        }
        self.client.gather();
        self.can_publish()
    }

    fn handle(&mut self, event: Event) {
        match event {
            Event::Input(block) => {
                let block = block.with_context(|| format!("reading {}", self.input.what));
                // What was read before is still handed over.
                self.input.add(block.unwrap_or_else(|error| {
                    self.input_error = Some(error);
                    None
                }));
            }
            Event::Mqtt(session::Event::Acknowledged { token: record, code, .. })
                if !code.is_error() =>
            {
                if let Some(acknowledgements) = &mut self.acknowledgements {
                    acknowledgements.acknowledged(record);
                }
            }
            Event::Mqtt(session::Event::Acknowledged { token: record, code, reason }) => {
                let words =
                    reason.map_or_else(|| code.to_string(), |reason| format!("{code} ({reason})"));
                self.refuse(record, &words);
            }
            Event::Mqtt(session::Event::InDoubt { token: record }) => {
                self.refuse(record, "in doubt: the broker has lost the session");
            }
            Event::Reconnected => self.gaps |= self.at_most_once,
            _ => {}
        }
    }

    /// Ends the connection, and says what came of it.
    fn end(self, result: Result<Exit>, context: String, telling: Telling) -> Result<Exit> {
        let unfinished = self.client.session().in_flight() as u64 + self.refused;
        let handed_over = self.published.saturating_sub(unfinished);
        let (bytes, refused) = (self.bytes, self.refused);
        let is_stream = self.input.delimiter.is_some();
        let result = result.map_err(|error| self.with_account(error));
        let result = super::close(self.client, result).context(context);
        let interrupted = is_stream && matches!(result, Ok(Exit::Signal(_)));
        let times = self.acknowledgements.as_ref().map(|done| ("acknowledgement", done.times()));
        telling.end(interrupted, |took| Account {
            verb: "published",
            messages: handed_over,
            bytes,
            refused: Some(refused),
            took,
            times,
        });
        result
    }

    /// What a script needs to know to go on from there.
    fn with_account(&self, error: anyhow::Error) -> anyhow::Error {
        let no_acknowledgements = self.published == 0 && self.maker.template.qos == QoS::AtMostOnce;
        if self.input.delimiter.is_none() || self.at_most_once || no_acknowledgements {
            return error;
        }
        let session = self.client.session();
        let in_doubt = session.in_flight() as u64;
        let acknowledged = self.published - in_doubt - self.refused;
        let first =
            session.first_unfinished().unwrap_or(self.records + u64::from(self.next.is_none()));
        error.context(format!(
            "gave up with {acknowledged} messages acknowledged and {in_doubt} in doubt; \
             go on with number {first}"
        ))
    }

    fn refuse(&mut self, record: u64, words: &str) {
        self.refused += 1;
        if let Some(acknowledgements) = &mut self.acknowledgements {
            acknowledgements.forget(record);
        }
        let what = if self.input.delimiter.is_some() {
            format!("message {record}")
        } else {
            "message".to_owned()
        };
        self.client.guard();
        report::failure(&format!("{}: {what} refused: {words}", self.context));
    }

    fn tell_bad(&mut self, wrong: &str) {
        self.bad += 1;
        self.client.guard();
        report::failure(&format!("reading {}: record {}: {wrong}", self.input.what, self.records));
        if self.strict {
            self.input.stop();
        }
    }

    fn tell_interrupted(&mut self) {
        self.progress.finish();
        screen::begin_line(false);
        let acknowledged = self.published - self.client.session().in_flight() as u64 - self.refused;
        report::failure(&format!(
            "publishing: interrupted after {} messages, {acknowledged} of them handed over",
            self.published
        ));
    }
}
