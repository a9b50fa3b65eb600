//! `pub --request`: each message asks for an answer, which is written as `sub` writes messages. The
//! response topic is subscribed to before anything is asked.

mod ending;
mod pending;
mod wishes;

use std::time::Instant;

use anyhow::{Context, Result, ensure};

use self::ending::output_failed;
use self::pending::{Pending, Waiting};
use self::wishes::Correlation;
use super::input::Input;
use super::message::{Maker, Message};
use super::pace::Pace;
use crate::cli;
use crate::cli::property::GivenProperties;
use crate::client::{Client, Event};
use crate::exit::{Exit, Usage};
use crate::format::statistics::Statistics;
use crate::mqtt::packet::{RetainHandling, SubAck, Subscription};
use crate::mqtt::property::{Place, Property, PropertyId};
use crate::mqtt::reason::ReasonCode;
use crate::mqtt::session::{self, Delivery, Lifetime};
use crate::mqtt::topic::{TopicFilter, TopicName};
use crate::report;
use crate::stdio::stdout::Output;

/// How many requests wait for their answers at once, unless `-M` says otherwise: as many as with
/// mosquitto.
const IN_FLIGHT: u16 = 20;

/// Runs `mqttws pub --request`.
pub fn run(args: &cli::Publish) -> Result<Exit> {
    let began = Instant::now();
    let (mut options, properties) = args.conversation.resolve()?;
    wishes::require_version_5(args, &mut options)?;
    let of_publish = properties.of(Place::Publish);
    let given = of_publish.correlation_data().cloned();
    ensure!(
        of_publish.response_topic().is_none(),
        Usage::new("-D publish response-topic: with --request it is -e")
    );
    ensure!(
        given.is_none() || !args.is_many(),
        Usage::new(
            "-D publish correlation-data: it is for one request; each of several gets its own"
        )
    );
    options.session.lifetime = options.session.lifetime.max(Lifetime::for_publishing(args.qos));
    options.session.sending.topic_alias = args.topic_alias;
    let maker = Maker::new(args, of_publish)?;
    let input = Input::new(args, options.session.receiving.maximum_packet)?;
    let (layout, topic) = (wishes::layout(args)?, wishes::response_topic(args, &options)?);
    let limit =
        args.answers.timeout.and_then(|timeout| Some((began.checked_add(timeout)?, timeout)));
    let (client, established) = crate::command::connect(options, limit)?;
    let has_properties = established.version.has_properties();
    let correlated = has_properties && (args.answers.response_topic.is_none() || args.is_many());
    let output = wishes::start_output(&client, layout)?;
    let mut requester = Requester {
        client,
        input,
        maker,
        pace: Pace::new(args),
        output,
        args,
        properties,
        topic,
        has_properties,
        correlation: Correlation::new(given, correlated),
        subscribed: false,
        pending: Pending::default(),
        next: None,
        alarm: None,
        began: Instant::now(),
        records: 0,
        published: 0,
        bytes: 0,
        latency: Statistics::default(),
        faults: Faults::default(),
    };
    let result = requester.begin().and_then(|()| requester.run());
    let result = requester.finish_output(result);
    requester.end(result, began)
}

/// What went wrong and did not end it.
#[derive(Debug, Default)]
#[expect(clippy::struct_excessive_bools, reason = "each is a fault of its own")]
struct Faults {
    refused: bool,
    lost: bool,
    late: bool,
    bad: bool,
}

struct Requester<'a> {
    client: Client,
    input: Input,
    maker: Maker,
    pace: Pace,
    output: Output,
    args: &'a cli::Publish,
    properties: GivenProperties,
    /// Where the answers come.
    topic: TopicName,
    /// The broker speaks MQTT 5.
    has_properties: bool,
    correlation: Correlation,
    /// The broker has granted the response topic: nothing is asked before.
    subscribed: bool,
    pending: Pending,
    /// The record that was read and not published.
    next: Option<Message>,
    /// When it is due, if that is not yet.
    alarm: Option<Instant>,
    /// When the response topic was asked for.
    began: Instant,
    /// Records that were read: the number of the latest.
    records: u64,
    published: u64,
    /// Of the answers.
    bytes: u64,
    latency: Statistics,
    faults: Faults,
}

impl Requester<'_> {
    fn begin(&mut self) -> Result<()> {
        if let Some(source) = self.input.source.take() {
            self.client.attach_input(source)?;
        }
        let flags = &self.args.answers;
        let subscription = Subscription {
            retain_as_published: flags.retain_as_published,
            retain_handling: flags.retain_handling.unwrap_or(RetainHandling::Always),
            ..Subscription::new(TopicFilter::new(self.topic.as_str().to_owned())?, self.args.qos)
        };
        self.client.subscribe(vec![subscription], self.properties.of(Place::Subscribe));
        Ok(())
    }

    fn run(&mut self) -> Result<Exit> {
        loop {
            self.ask_what_is_there();
            if self.is_done() {
                return Ok(self.verdict());
            }
            let event = match self.client.poll()? {
                Some(event) => event,
                None => self.wait()?,
            };
            if let Some(exit) = self.handle(event)? {
                return Ok(exit);
            }
        }
    }

    /// After a request whose answer came too late its acknowledgement is not waited for, either.
    fn is_done(&self) -> bool {
        let is_over = self.next.is_none() && self.input.is_done() && self.pending.is_empty();
        is_over && (self.faults.late || self.client.is_settled())
    }

    fn verdict(&self) -> Exit {
        match &self.faults {
            Faults { refused: true, .. } => Exit::Denied,
            Faults { lost: true, .. } => Exit::Lost,
            Faults { late: true, .. } => Exit::TimedOut,
            Faults { bad: true, .. } => Exit::Local,
            _ => Exit::Done,
        }
    }

    /// Publishes as many requests as may wait for their answers at once, and as the window and the
    /// clock allow.
    fn ask_what_is_there(&mut self) {
        self.alarm = None;
        while self.subscribed
            && self.has_room()
            && self.prepare()
            && self.can_publish()
            && self.is_due()
        {
            if let Some(message) = self.next.take() {
                self.ask(message);
            }
        }
        if self.input.wants_more() {
            self.client.request_input();
        }
    }

    fn has_room(&self) -> bool {
        let asked = self
            .client
            .session()
            .config()
            .sending
            .max_inflight
            .map_or(IN_FLIGHT, std::num::NonZeroU16::get);
        let room = if matches!(self.correlation, Correlation::None) { 1 } else { asked };
        self.pending.len() < usize::from(room)
    }

    fn prepare(&mut self) -> bool {
        while self.next.is_none() {
            let Some(record) = self.input.next() else { return false };
            self.records += 1;
            match self.maker.make(record) {
                Ok(message) => self.next = Some(message),
                Err(wrong) => {
                    self.faults.bad = true;
                    let (what, number) = (&self.input.what, self.records);
                    report::failure(&format!("reading {what}: record {number}: {wrong}"));
                    if self.args.strict_input {
                        self.input.stop();
                    }
                }
            }
        }
        true
    }

    fn can_publish(&self) -> bool {
        let usual = self.maker.template.qos;
        self.client.can_publish(self.next.as_ref().map_or(usual, |message| message.qos(usual)))
    }

    fn is_due(&mut self) -> bool {
        self.alarm = self.pace.due(None).filter(|due| *due > Instant::now());
        self.alarm.is_none()
    }

    fn ask(&mut self, message: Message) {
        let (mut publish, _) = self.maker.finish(message);
        let now = Instant::now();
        self.pace.published(None, now);
        let (record, correlation) = (self.records, self.correlation.of(self.records));
        if self.has_properties {
            publish
                .properties
                .set(Property::text(PropertyId::ResponseTopic, self.topic.as_str().into()));
            if let Some(data) = &correlation {
                publish.properties.set(Property::binary(PropertyId::CorrelationData, data.clone()));
            }
        }
        let correlation = correlation.filter(|_| self.has_properties);
        let qos = publish.qos.min(self.args.qos);
        match self.client.publish(publish, record) {
            Ok(()) => {
                self.published += 1;
                self.pending.add(Waiting { record, correlation, qos, since: now });
            }
            Err(unsendable) => self.refuse(record, &unsendable.to_string()),
        }
    }

    /// What came is written while we wait.
    fn wait(&mut self) -> Result<Event> {
        self.output.flush();
        self.client.hold(self.output.is_full());
        let patience = self.args.answers.timeout;
        let deadline = match patience {
            Some(patience) if !self.subscribed => self.began.checked_add(patience),
            Some(patience) => self.pending.deadline(patience),
            None => None,
        };
        Ok(self.client.next_reminded(deadline, self.alarm)?)
    }

    fn handle(&mut self, event: Event) -> Result<Option<Exit>> {
        match event {
            Event::Mqtt(session::Event::Message(delivery)) => self.message(&delivery),
            Event::Mqtt(session::Event::Subscribed(suback)) => return Ok(self.granted(&suback)),
            Event::Mqtt(session::Event::NotSubscribed { filter, why }) => {
                report::failure(&format!("subscribing to {filter}: refused: {why}"));
                return Ok(Some(Exit::Denied));
            }
            Event::Mqtt(session::Event::Acknowledged { token: record, code, reason }) => {
                let words =
                    reason.map_or_else(|| code.to_string(), |reason| format!("{code} ({reason})"));
                self.acknowledged(record, code, &words);
            }
            Event::Mqtt(session::Event::InDoubt { token: record }) => {
                // What was answered has arrived.
                if self.pending.is_waiting(record) {
                    self.refuse(record, "in doubt: the broker has lost the session");
                }
            }
            Event::Input(block) => {
                self.input.add(block.with_context(|| format!("reading {}", self.input.what))?);
            }
            Event::Written(number) => self.output.written(number),
            Event::OutputFailed(error) => {
                self.output.abandon();
                return output_failed(error).map(Some);
            }
            Event::Interrupted(signal) => {
                report::failure(&format!(
                    "{}: interrupted with {} of {} answers",
                    self.context(),
                    self.latency.count(),
                    self.published
                ));
                return Ok(Some(Exit::Signal(signal)));
            }
            Event::Alarm => return Ok(self.time_is_up()),
            Event::Reconnected => self.tell_lost(),
            Event::Mqtt(_)
            | Event::WebSocketPong
            | Event::Woken
            | Event::Sendable
            | Event::Connected(_)
            | Event::Closed(_) => {}
        }
        Ok(None)
    }

    fn message(&mut self, Delivery { number, publish }: &Delivery) {
        let Some(waiting) = self.pending.answered(publish) else {
            return self.output.skip(*number);
        };
        if let (Err(unfit), false) =
            (self.output.put(*number, publish), self.args.conversation.is_quiet())
        {
            report::warn(&format!("the payload of an answer {unfit}"));
        }
        self.bytes += publish.payload.len() as u64;
        self.latency.add(waiting.since.elapsed());
    }

    fn granted(&mut self, suback: &SubAck) -> Option<Exit> {
        if let Some(code) = suback.codes.iter().find(|code| code.is_error()) {
            let is_ours = self.args.answers.response_topic.is_none();
            let hint = if is_ours { "; name one that you may subscribe to with -e" } else { "" };
            report::failure(&format!("subscribing to {}: refused: {code}{hint}", self.topic));
            return Some(Exit::Denied);
        }
        self.subscribed = true;
        None
    }

    fn acknowledged(&mut self, record: u64, code: ReasonCode, words: &str) {
        if code.is_error() {
            self.refuse(record, words);
        } else if code == ReasonCode::NO_MATCHING_SUBSCRIBERS && !self.args.conversation.is_quiet()
        {
            report::warn(&format!("{}: nobody is subscribed who could answer", self.what(record)));
        }
    }

    fn refuse(&mut self, record: u64, words: &str) {
        self.pending.give_up(record);
        self.faults.refused = true;
        report::failure(&format!("{}: refused: {words}", self.what(record)));
    }

    fn time_is_up(&mut self) -> Option<Exit> {
        let (Some(patience), now) = (self.args.answers.timeout, Instant::now()) else {
            return None;
        };
        let seconds = patience.as_secs_f64();
        if !self.subscribed && self.began.checked_add(patience).is_some_and(|end| end <= now) {
            report::failure(&format!(
                "subscribing to {}: no answer within {seconds} s",
                self.topic
            ));
            return Some(Exit::TimedOut);
        }
        while let Some(waiting) = self.pending.overdue(patience, now) {
            self.faults.late = true;
            report::failure(&format!(
                "{}: no answer within {seconds} s",
                self.what(waiting.record)
            ));
        }
        None
    }

    fn tell_lost(&mut self) {
        while let Some(waiting) = self.pending.lost() {
            self.faults.lost = true;
            let what = self.what(waiting.record);
            report::failure(&format!(
                "{what}: it or its answer may be lost with the connection; use -q 1"
            ));
        }
    }

    /// What is asked, in the words of an error.
    fn context(&self) -> String {
        match &self.maker.template.topic {
            Some(topic) => format!("asking {topic}"),
            None => "asking".to_owned(),
        }
    }

    fn what(&self, record: u64) -> String {
        if self.args.is_many() {
            format!("{}: request {record}", self.context())
        } else {
            self.context()
        }
    }
}
