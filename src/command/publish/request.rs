//! `pub --request`: each message asks for an answer, which is written as `sub` writes messages. The
//! response topic is subscribed to before anything is asked.

mod finish;

use std::time::Instant;

use anyhow::{Context, Result};

use super::config::RequestOptions;
use super::feed::Feed;
use super::pending::{Correlation, Pending, Waiting};
use super::tally::{IN_DOUBT, go_on};
use crate::client::{Client, Event, Options};
use crate::command::{self, refusal, summary::SummaryPrinter};
use crate::exit::{Exit, worse};
use crate::format::count::count_of;
use crate::format::statistics::Statistics;
use crate::mqtt::packet::{Publish, SubAck, Subscription};
use crate::mqtt::property::{Property, PropertyId};
use crate::mqtt::reason::ReasonCode;
use crate::mqtt::session::{self, Delivery};
use crate::mqtt::topic::{TopicFilter, TopicName};
use crate::report::{self, Verbosity};
use crate::stdio::stdout::{self, MessageWriter, OutputTarget};

/// Publishes the messages of `feed` as requests, and writes their answers.
// Not part of the caller, whose frame would hold what this one needs.
#[inline(never)]
pub fn run(
    options: Options,
    request: RequestOptions,
    mut feed: Feed,
    verbosity: Verbosity,
    summary: &SummaryPrinter,
) -> Result<Exit> {
    let topic = response_topic(&request, &options)?;
    let limit = command::limit(Instant::now(), request.timeout);
    let (mut client, established) = command::connect(options, limit)?;
    let output = start_output(&client, &request)?;
    feed.attach(&mut client)?;
    let is_many = feed.input.delimiter.is_some();
    let is_correlated =
        established.version.has_properties() && (request.response_topic.is_none() || is_many);
    let correlation = Correlation::new(request.correlation.clone(), is_correlated);
    let requester = Requester {
        client,
        feed,
        output,
        topic,
        response: ResponseTopic::Asked(Instant::now()),
        correlation,
        request,
        verbosity,
        pending: Pending::default(),
        answers: Answers::default(),
        exit: Exit::Done,
    };
    requester.request_all(summary)
}

fn start_output(client: &Client, request: &RequestOptions) -> Result<MessageWriter> {
    let stdout = stdout::unbuffered_stdout().context("opening stdout")?;
    let target = OutputTarget::Stream(Box::new(stdout));
    command::start_output(client, request.layout.clone(), target)
}

/// Where the answers arrive.
fn response_topic(request: &RequestOptions, options: &Options) -> Result<TopicName> {
    match &request.response_topic {
        Some(topic) => Ok(topic.clone()),
        None => command::own_topic("response", &options.session.client_id),
    }
}

/// Whether answers can come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum ResponseTopic {
    /// The broker was asked for the response topic then: nothing is requested before it answers.
    Asked(Instant),
    /// It has granted it.
    Granted,
}

/// What has come.
#[derive(Debug, Default)]
struct Answers {
    /// Requests that were published.
    requested: u64,
    /// The payloads of answers, in bytes.
    bytes: u64,
    /// How long each answer took.
    latency: Statistics,
    /// An answer took too long.
    is_late: bool,
}

struct Requester {
    client: Box<Client>,
    feed: Feed,
    output: MessageWriter,
    request: RequestOptions,
    /// Where the answers come.
    topic: TopicName,
    response: ResponseTopic,
    correlation: Correlation,
    verbosity: Verbosity,
    pending: Pending,
    answers: Answers,
    /// The worst exit code so far.
    exit: Exit,
}

impl Requester {
    /// Asks everything, writes the answers, closes the connection, and prints the summary.
    fn request_all(mut self, summary: &SummaryPrinter) -> Result<Exit> {
        let result = self.subscribe().and_then(|()| self.run());
        let result = self.finish_output(result);
        self.end(result, summary)
    }

    fn subscribe(&mut self) -> Result<()> {
        let filter = TopicFilter::new(self.topic.as_str().to_owned())?;
        let subscription = Subscription {
            retain_as_published: self.request.retain_as_published,
            retain_handling: self.request.retain_handling,
            ..Subscription::new(filter, self.feed.template().qos)
        };
        let properties = self.request.subscribe_properties.clone();
        self.client.subscribe(vec![subscription], properties);
        Ok(())
    }

    fn run(&mut self) -> Result<Exit> {
        loop {
            self.request_what_is_due();
            if self.is_done() {
                let bad = if self.feed.has_bad() { Exit::Local } else { Exit::Done };
                return Ok(worse(self.exit, bad));
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
        let is_over = self.feed.is_done() && self.pending.is_empty();
        is_over && (self.answers.is_late || self.client.is_settled())
    }

    /// Publishes as many requests as may wait for their answers at once, and as the window and the
    /// clock allow.
    fn request_what_is_due(&mut self) {
        while self.response == ResponseTopic::Granted
            && self.has_room()
            && let Some((publish, record)) = self.feed.next_due(&self.client)
        {
            self.publish(publish, record);
        }
        if self.feed.input.wants_more() {
            self.client.request_input();
        }
    }

    fn has_room(&self) -> bool {
        let is_one = matches!(self.correlation, Correlation::None);
        let room = if is_one { 1 } else { self.request.most_waiting };
        self.pending.len() < usize::from(room)
    }

    fn publish(&mut self, mut publish: Publish, record: u64) {
        let has_properties = self.client.session().config().version.has_properties();
        let correlation = self.correlation.of(record).filter(|_| has_properties);
        if has_properties {
            publish
                .properties
                .set(Property::text(PropertyId::ResponseTopic, self.topic.as_str().into()));
            if let Some(data) = &correlation {
                publish.properties.set(Property::binary(PropertyId::CorrelationData, data.clone()));
            }
        }
        let (qos, since) = (publish.qos.min(self.feed.template().qos), Instant::now());
        match self.client.publish(publish, record) {
            Ok(()) => {
                self.answers.requested += 1;
                self.pending.add(Waiting { record, correlation, qos, since });
            }
            Err(unsendable) => self.refuse(record, &unsendable.to_string()),
        }
    }

    /// Waits for an event; the answers that came are written meanwhile.
    fn wait(&mut self) -> Result<Event> {
        self.output.flush();
        self.client.pause_reading(self.output.is_full());
        let deadline = self.request.timeout.and_then(|patience| match self.response {
            ResponseTopic::Asked(since) => since.checked_add(patience),
            ResponseTopic::Granted => self.pending.deadline(patience),
        });
        let alarm = [deadline, self.feed.alarm()].into_iter().flatten().min();
        Ok(self.client.next(alarm)?)
    }

    fn handle(&mut self, event: Event) -> Result<Option<Exit>> {
        match event {
            Event::Mqtt(event) => return Ok(self.handle_packet(event)),
            Event::Input(block) => {
                let block = block.with_context(|| format!("reading {}", self.feed.input.what))?;
                self.feed.input.add(block);
            }
            Event::Written(number) => self.output.written(number),
            Event::OutputFailed(error) => {
                self.output.abandon();
                return command::output_failed(error, "stdout").map(Some);
            }
            Event::Interrupted(signal) => {
                self.tell_interrupted();
                return Ok(Some(Exit::Signal(signal.into())));
            }
            Event::Alarm => return Ok(self.time_is_up()),
            Event::Reconnected => self.tell_lost(),
            Event::WebSocketPong
            | Event::Woken
            | Event::Connected(_)
            | Event::Closed(_)
            | Event::Sendable => {}
        }
        Ok(None)
    }

    /// With which record a script can go on, where there are several.
    fn go_on(&self) -> String {
        if self.feed.input.delimiter.is_none() {
            return String::new();
        }
        let untaken = self.feed.first_untaken();
        go_on(self.pending.first().unwrap_or(untaken), untaken)
    }

    fn tell_interrupted(&self) {
        if let ResponseTopic::Asked(_) = self.response {
            let (topic, go_on) = (&self.topic, self.go_on());
            return report::line(&format!("subscribing to {topic}: interrupted{go_on}"));
        }
        let (answered, requested) = (self.answers.latency.count(), self.answers.requested);
        let context = self.context();
        let answers = count_of(answered, requested, "answer");
        report::line(&format!("{context}: interrupted with {answers}{}", self.go_on()));
    }

    fn handle_packet(&mut self, event: session::Event) -> Option<Exit> {
        match event {
            session::Event::Message(delivery) => self.message(&delivery),
            session::Event::Subscribed(suback) => return self.granted(&suback),
            session::Event::NotSubscribed { filter, why } => {
                report::line(&format!("subscribing to {filter}: refused: {why}"));
                return Some(Exit::Denied);
            }
            event @ (session::Event::Acknowledged { .. } | session::Event::InDoubt { .. }) => {
                self.handed_over(event);
            }
            session::Event::Connected(_)
            | session::Event::Refused(_)
            | session::Event::MessageBegins { .. }
            | session::Event::Piece(_)
            | session::Event::MessageEnds
            | session::Event::MessageCut
            | session::Event::SomeAcknowledged
            | session::Event::Unsubscribed(_)
            | session::Event::AllReleased
            | session::Event::Answered { .. }
            | session::Event::Pong
            | session::Event::Disconnected(_) => {}
        }
        None
    }

    /// What became of a request on its way to the broker.
    fn handed_over(&mut self, event: session::Event) {
        match event {
            session::Event::Acknowledged { token: record, code, reason } => {
                self.acknowledged(record, code, reason.as_deref());
            }
            // A request that was answered has arrived.
            session::Event::InDoubt { token: record } if self.pending.is_waiting(record) => {
                self.refuse(record, IN_DOUBT);
            }
            session::Event::InDoubt { .. }
            | session::Event::Connected(_)
            | session::Event::Refused(_)
            | session::Event::Message(_)
            | session::Event::MessageBegins { .. }
            | session::Event::Piece(_)
            | session::Event::MessageEnds
            | session::Event::MessageCut
            | session::Event::SomeAcknowledged
            | session::Event::Subscribed(_)
            | session::Event::NotSubscribed { .. }
            | session::Event::Unsubscribed(_)
            | session::Event::AllReleased
            | session::Event::Answered { .. }
            | session::Event::Pong
            | session::Event::Disconnected(_) => {}
        }
    }

    fn message(&mut self, Delivery { number, publish }: &Delivery) {
        let Some(waiting) = self.pending.answered(publish) else {
            return self.output.skip(*number);
        };
        let written = self.output.put(*number, publish);
        if let (Err(unfit), true) = (written, self.verbosity.warns()) {
            report::warn(&format!("the payload of an answer {unfit}"));
        }
        self.answers.bytes += publish.payload.len() as u64;
        self.answers.latency.add(waiting.since.elapsed());
    }

    fn granted(&mut self, suback: &SubAck) -> Option<Exit> {
        if let Some(code) = suback.codes.iter().find(|code| code.is_error()) {
            let is_ours = self.request.response_topic.is_none();
            let hint = if is_ours { "; name one that you may subscribe to with -e" } else { "" };
            let why = refusal(*code, suback.reason());
            report::line(&format!("subscribing to {}: refused: {why}{hint}", self.topic));
            return Some(Exit::Denied);
        }
        self.response = ResponseTopic::Granted;
        None
    }

    fn acknowledged(&mut self, record: u64, code: ReasonCode, reason: Option<&str>) {
        if code.is_error() {
            self.refuse(record, &refusal(code, reason));
        } else if code == ReasonCode::NO_MATCHING_SUBSCRIBERS && self.verbosity.warns() {
            report::warn(&format!("{}: nobody is subscribed to its topic", self.what(record)));
        }
    }

    fn refuse(&mut self, record: u64, words: &str) {
        self.pending.give_up(record);
        self.exit = worse(self.exit, Exit::Denied);
        report::line(&format!("{}: refused: {words}", self.what(record)));
    }

    fn time_is_up(&mut self) -> Option<Exit> {
        let (patience, now) = (self.request.timeout?, Instant::now());
        let seconds = patience.as_secs_f64();
        if let ResponseTopic::Asked(since) = self.response
            && since.checked_add(patience).is_some_and(|end| end <= now)
        {
            report::line(&format!("subscribing to {}: no answer within {seconds} s", self.topic));
            return Some(Exit::TimedOut);
        }
        while let Some(waiting) = self.pending.overdue(patience, now) {
            self.answers.is_late = true;
            self.exit = worse(self.exit, Exit::TimedOut);
            let what = self.what(waiting.record);
            report::line(&format!("{what}: no answer within {seconds} s"));
        }
        None
    }

    fn tell_lost(&mut self) {
        while let Some(waiting) = self.pending.lost() {
            self.exit = worse(self.exit, Exit::Lost);
            let what = self.what(waiting.record);
            report::line(&format!(
                "{what}: it or its answer may be lost with the connection; use -q 1"
            ));
        }
    }

    /// The request, in the words of an error.
    fn context(&self) -> String {
        match &self.feed.template().topic {
            Some(topic) => format!("asking {topic}"),
            None => "asking".to_owned(),
        }
    }

    fn what(&self, record: u64) -> String {
        if self.feed.input.delimiter.is_some() {
            format!("{}: request {record}", self.context())
        } else {
            self.context()
        }
    }
}
