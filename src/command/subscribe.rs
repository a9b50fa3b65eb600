//! `sub`: messages go to stdout, and are acknowledged when they are there.

mod exec;
mod removal;
mod selection;
mod sink;
mod wishes;

use std::io;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

use self::exec::Exec;
use self::removal::Removals;
use self::selection::{Selection, Verdict};
use self::sink::Sink;
use crate::cli;
use crate::cli::property::GivenProperties;
use crate::client::{Client, Event};
use crate::mqtt::packet::{RetainHandling, SubAck, Subscription};
use crate::mqtt::property::Place;
use crate::mqtt::qos::QoS;
use crate::mqtt::reason::ReasonCode;
use crate::mqtt::session::{self, Delivery};
use crate::mqtt::topic::TopicFilter;
use crate::report::{self, Exit};
use crate::terminal::format::Layout;
use crate::terminal::output::{self, Output, Progress, Target};

/// How long the output may take to write what it has, when everything else is over.
const LAST_WRITE: Duration = Duration::from_millis(250);

/// Runs `mqttws sub`.
pub fn run(args: &cli::Subscribe) -> Result<Exit> {
    let began = Instant::now();
    let deadline = args.timeout.map(|timeout| began + timeout);
    let mut options = args.connection.resolve()?;
    args.persistence.apply(&args.connection, &mut options)?;
    let properties = args.properties.apply(&args.connection, &mut options)?;
    wishes::require_version_5(args, &mut options)?;
    // A removal that is on its way must not be lost with the connection.
    options.session.outlives_connection = args.qos > QoS::AtMostOnce || args.remove_retained;
    let filters = wishes::filters(args)?;
    let (layout, target) = (wishes::layout(args)?, wishes::target(args)?);
    warn_of_closed_stdout(args);
    let (client, _) = super::connect(options)?;
    let output = match &args.commands.exec {
        Some(command) => Sink::Commands(Box::new(Exec::start(args, command, &client, layout)?)),
        None => Sink::Output(start_output(&client, layout, target)?),
    };
    let mut subscriber = Subscriber {
        client,
        output,
        args,
        filters,
        properties,
        selection: Selection::new(args),
        removals: Removals::default(),
        deadline,
        latest: Instant::now(),
        received: 0,
        bytes: 0,
        unanswered: 0,
        denied: false,
    };
    subscriber.subscribe();
    let result = subscriber.run();
    // Whatever ended it: what was received is written, and what was written is acknowledged.
    let result = subscriber.finish_output(result);
    subscriber.end(result, began)
}

fn start_output(client: &Client, layout: Layout, target: Target) -> Result<Output> {
    let postbox = client.postbox();
    Output::start(layout, target, move |progress| match progress {
        Progress::Written(number) => postbox.written(number),
        Progress::Failed(error) => postbox.output_failed(error),
    })
    .context("starting the output")
}

/// What is acknowledged is gone, and nobody has seen it.
fn warn_of_closed_stdout(args: &cli::Subscribe) {
    let prints = args.output_dir.is_none()
        && args.commands.exec.is_none()
        && !args.exit_after_answer
        && !args.remove_retained;
    if prints && args.qos > QoS::AtMostOnce && !args.connection.is_quiet() && output::stdout_may_be_closed() {
        report::warn("stdout is closed (or leads to /dev/null): messages are acknowledged and thrown away");
    }
}

struct Subscriber<'a> {
    client: Client,
    output: Sink,
    args: &'a cli::Subscribe,
    filters: Vec<TopicFilter>,
    properties: GivenProperties,
    selection: Selection<'a>,
    removals: Removals,
    deadline: Option<Instant>,
    /// When the latest message was written.
    latest: Instant,
    /// Messages that were written, and their payloads in bytes.
    received: u64,
    bytes: u64,
    /// SUBSCRIBE and UNSUBSCRIBE without their answer.
    unanswered: u32,
    /// Some filter was refused.
    denied: bool,
}

impl Subscriber<'_> {
    fn subscribe(&mut self) {
        let retain_handling = match (self.args.retain_handling, self.args.no_stale) {
            (Some(handling), _) => handling,
            (None, true) => RetainHandling::Never,
            (None, false) => RetainHandling::Always,
        };
        let subscription = |filter: &TopicFilter| Subscription {
            no_local: self.args.no_local,
            retain_as_published: self.args.retain_as_published,
            retain_handling,
            ..Subscription::new(filter.clone(), self.args.qos)
        };
        if !self.filters.is_empty() {
            let subscriptions = self.filters.iter().map(subscription).collect();
            self.client.subscribe(subscriptions, self.properties.of(Place::Subscribe));
            self.unanswered += 1;
        }
        if !self.args.give_back.is_empty() {
            let properties = self.properties.of(Place::Unsubscribe);
            self.client.unsubscribe(self.args.give_back.clone(), properties);
            self.unanswered += 1;
        }
    }

    fn run(&mut self) -> Result<Exit> {
        loop {
            let event = match self.client.poll()? {
                Some(event) => event,
                None => self.wait()?,
            };
            if let Some(exit) = self.handle(event)? {
                return Ok(exit);
            }
        }
    }

    /// A burst is over: it is written while we wait for the next one.
    fn wait(&mut self) -> Result<Event> {
        self.output.flush();
        self.settle_commands();
        self.client.hold(self.output.is_full());
        let idle = self.args.idle.map(|idle| self.latest + idle);
        let alarm = self.deadline.into_iter().chain(idle).min();
        Ok(self.client.next(alarm)?)
    }

    fn handle(&mut self, event: Event) -> Result<Option<Exit>> {
        match event {
            Event::Mqtt(session::Event::Message(delivery)) => Ok(self.message(&delivery)),
            Event::Mqtt(session::Event::Subscribed(suback)) => {
                Ok(self.subscribed(&suback).or_else(|| self.answered()))
            }
            Event::Mqtt(session::Event::Unsubscribed(_)) => Ok(self.answered()),
            Event::Written(number) => {
                self.output.written(number);
                self.removals.written(number);
                self.removals.publish(&mut self.client);
                Ok(None)
            }
            Event::Mqtt(session::Event::Acknowledged { record, code, .. }) => {
                self.acknowledged(record, code);
                self.removals.publish(&mut self.client);
                Ok(self.look_at_commands())
            }
            Event::Woken => Ok(self.look_at_commands()),
            Event::OutputFailed(error) => {
                self.output.abandon();
                self.output_failed(error).map(Some)
            }
            Event::Interrupted(signal) => {
                self.interrupt_commands(signal);
                Ok(Some(self.interrupted(signal)))
            }
            Event::Alarm => Ok(Some(self.time_is_up())),
            Event::Mqtt(_)
            | Event::Input(_)
            | Event::WebSocketPong
            | Event::Sendable
            | Event::Reconnected => Ok(None),
        }
    }

    /// A removal of ours, or a reply, has arrived, or is refused.
    fn acknowledged(&mut self, record: u64, code: ReasonCode) {
        if code.is_error() {
            let what = if exec::is_reply(record) { "replying" } else { "removing a retained message" };
            report::failure(&format!("{what}: refused: {code}"));
            self.denied = true;
        }
    }

    fn message(&mut self, delivery: &Delivery) -> Option<Exit> {
        let Delivery { number, publish } = delivery;
        match self.selection.verdict(publish) {
            Verdict::Wanted => {}
            Verdict::Unwanted => {
                self.output.skip(*number);
                return None;
            }
            Verdict::TheEnd => {
                self.output.skip(*number);
                return Some(Exit::Done);
            }
        }
        if let (Err(unfit), false) = (self.output.put(*number, publish), self.args.connection.is_quiet()) {
            let topic = publish.topic.as_ref().map_or("", |topic| topic.as_str());
            report::warn(&format!("the payload of a message to {topic} {unfit}"));
        }
        if let Some(topic) = publish.topic.as_ref().filter(|_| self.args.remove_retained && publish.retain) {
            self.removals.add(*number, topic);
        }
        self.received += 1;
        self.bytes += publish.payload.len() as u64;
        if self.args.idle.is_some() {
            self.latest = Instant::now();
        }
        (Some(self.received) == self.args.count).then_some(Exit::Done)
    }

    /// Of `-W`, or of `--idle`.
    fn time_is_up(&self) -> Exit {
        if self.deadline.is_none_or(|deadline| Instant::now() < deadline) {
            return Exit::Done;
        }
        let waited = self.args.timeout.unwrap_or_default().as_secs_f64();
        self.tell_unfinished(&format!("timed out after {waited} s"));
        Exit::TimedOut
    }

    /// Says which filters were refused; nothing is left to wait for when all were.
    fn subscribed(&mut self, suback: &SubAck) -> Option<Exit> {
        let mut refused = 0;
        for (filter, code) in self.filters.iter().zip(&suback.codes).filter(|(_, code)| code.is_error()) {
            report::failure(&format!("subscribing to {filter}: refused: {code}"));
            refused += 1;
        }
        self.denied |= refused > 0;
        (refused == self.filters.len()).then_some(Exit::Denied)
    }

    /// An endless subscription ends no other way.
    fn interrupted(&self, signal: i32) -> Exit {
        if self.args.count.is_none() {
            return Exit::Done;
        }
        self.tell_unfinished("interrupted");
        Exit::Signal(signal)
    }

    fn tell_unfinished(&self, why: &str) {
        let wanted = self.args.count.map(|count| format!(" of {count}")).unwrap_or_default();
        report::failure(&format!("subscribed: {why} with {}{wanted} messages", self.received));
    }

    /// With `-E` the last answer is the end, and without any filter there is nothing to wait for.
    fn answered(&mut self) -> Option<Exit> {
        self.unanswered = self.unanswered.saturating_sub(1);
        let leave = self.args.exit_after_answer || self.args.topic.is_empty();
        (leave && self.unanswered == 0).then_some(Exit::Done)
    }

    /// Waits until everything received is written, as long as the output can be written at all.
    fn finish_output(&mut self, mut result: Result<Exit>) -> Result<Exit> {
        if matches!(self.output, Sink::Commands(_)) {
            return self.finish_commands(result);
        }
        self.output.flush();
        self.client.hold(true);
        // Who interrupts us does not want to wait for a reader that has stopped; everybody else does.
        let hurry = match result {
            Ok(Exit::Signal(_) | Exit::TimedOut) => true,
            Ok(_) => self.args.count.is_none(),
            Err(_) => false,
        };
        let deadline = hurry.then(|| Instant::now() + LAST_WRITE);
        while !self.output.is_done() {
            // The connection stays alive meanwhile, or what is written late could not be acknowledged.
            let event = match &result {
                Ok(_) => self.client.next(deadline),
                Err(_) => Ok(self.client.await_output(deadline).unwrap_or(Event::Alarm)),
            };
            match event {
                Ok(Event::Written(number)) => {
                    self.output.written(number);
                    self.removals.written(number);
                }
                Ok(Event::OutputFailed(error)) => {
                    self.output.abandon();
                    result = result.and_then(|exit| self.output_failed(error).map(|_| exit));
                }
                Ok(Event::Interrupted(signal)) => {
                    return result.map(|exit| if hurry { exit } else { self.interrupted(signal) });
                }
                Ok(Event::Alarm) => break,
                Ok(_) => {}
                Err(error) => result = result.and(Err(error.into())),
            }
        }
        result
    }
}

impl Subscriber<'_> {
    /// Ends the connection, and says what came of it.
    fn end(mut self, result: Result<Exit>, began: Instant) -> Result<Exit> {
        let result = result
            .with_context(|| format!("subscribed at {}", self.client.options().endpoint))
            .and_then(|exit| self.finish_removals(exit).map(|()| exit));
        let exit = match result {
            Ok(exit) => exit,
            Err(error) => {
                super::leave(self.client, &error);
                return Err(error);
            }
        };
        if exit == Exit::TimedOut {
            self.client.hurry();
        }
        // Nothing of ours can be lost any more.
        let _ = self.client.close();
        if self.args.summary {
            report::summary(&super::summary("received", self.received, self.bytes, began.elapsed()));
        }
        Ok(match exit {
            Exit::Done if self.denied => Exit::Denied,
            Exit::Done if self.output.has_failed() => Exit::Local,
            exit => exit,
        })
    }

    /// Waits until the broker has forgotten what was written and is to be forgotten.
    fn finish_removals(&mut self, exit: Exit) -> Result<()> {
        if !self.args.remove_retained || matches!(exit, Exit::Signal(_)) {
            return Ok(());
        }
        self.client.hold(false);
        let deadline = Instant::now() + self.client.options().connect_timeout;
        loop {
            self.removals.publish(&mut self.client);
            if self.removals.is_done(&self.client) {
                return Ok(());
            }
            match self.client.next(Some(deadline)).context("removing retained messages")? {
                Event::Alarm => anyhow::bail!("removing retained messages: the broker does not answer"),
                Event::Interrupted(_) => return Ok(()),
                Event::Mqtt(session::Event::Acknowledged { code, .. }) if code.is_error() => {
                    self.denied = true;
                }
                _ => {}
            }
        }
    }

    /// A reader that has seen enough is no failure.
    fn output_failed(&self, error: io::Error) -> Result<Exit> {
        if error.kind() == io::ErrorKind::BrokenPipe {
            return Ok(Exit::Done);
        }
        let target = self.args.output_dir.as_ref().map(|path| path.display().to_string());
        Err(error).context(format!("writing to {}", target.as_deref().unwrap_or("stdout")))
    }
}
