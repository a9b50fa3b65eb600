//! `sub`: messages go to stdout, and are acknowledged when they are there.

use std::io;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

use crate::cli;
use crate::client::{Client, Event};
use crate::mqtt::packet::{SubAck, Subscription};
use crate::mqtt::property::Properties;
use crate::mqtt::qos::QoS;
use crate::mqtt::session;
use crate::mqtt::topic::TopicFilter;
use crate::report::{self, Exit};
use crate::terminal::format::Layout;
use crate::terminal::output::{self, Output, Progress};

/// How long the output may take to write what it has, when everything else is over.
const LAST_WRITE: Duration = Duration::from_millis(250);

/// Runs `mqttws sub`.
pub fn run(args: &cli::Subscribe) -> Result<Exit> {
    let deadline = args.timeout.map(|timeout| Instant::now() + timeout);
    let mut options = args.connection.resolve()?;
    args.persistence.apply(&args.connection, &mut options)?;
    options.session.outlives_connection = args.qos > QoS::AtMostOnce;
    let (client, _) = super::connect(options)?;
    let postbox = client.postbox();
    let layout =
        Layout { verbose: args.verbose, newline: !args.no_newline, sanitise: output::stdout_is_terminal() };
    let sink = output::unbuffered_stdout().context("opening stdout")?;
    let output = Output::start(layout, sink, move |progress| match progress {
        Progress::Written(number) => postbox.written(number),
        Progress::Failed(error) => postbox.output_failed(error),
    })
    .context("starting the output")?;
    let mut subscriber =
        Subscriber { client, output, args, deadline, received: 0, unanswered: 0, denied: false };
    subscriber.subscribe();
    let result = subscriber.run();
    // Whatever ended it: what was received is written, and what was written is acknowledged.
    let result = subscriber.finish_output(result);
    let Subscriber { client, denied, .. } = subscriber;
    match result {
        Ok(exit) => {
            // Nothing of ours can be lost any more.
            let _ = client.close();
            Ok(if denied && exit == Exit::Done { Exit::Denied } else { exit })
        }
        Err(error) => {
            let context = format!("subscribed at {}", client.options().endpoint);
            super::leave(client, &error);
            Err(error.context(context))
        }
    }
}

struct Subscriber<'a> {
    client: Client,
    output: Output,
    args: &'a cli::Subscribe,
    deadline: Option<Instant>,
    received: u64,
    /// SUBSCRIBE and UNSUBSCRIBE without their answer.
    unanswered: u32,
    /// Some filter was refused.
    denied: bool,
}

impl Subscriber<'_> {
    fn subscribe(&mut self) {
        let filters = &self.args.topic;
        let subscription = |filter: &TopicFilter| Subscription::new(filter.clone(), self.args.qos);
        if !filters.is_empty() {
            self.client.subscribe(filters.iter().map(subscription).collect(), Properties::default());
            self.unanswered += 1;
        }
        if !self.args.give_back.is_empty() {
            self.client.unsubscribe(self.args.give_back.clone(), Properties::default());
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
        self.client.hold(self.output.is_full());
        Ok(self.client.next(self.deadline)?)
    }

    fn handle(&mut self, event: Event) -> Result<Option<Exit>> {
        match event {
            Event::Mqtt(session::Event::Message(delivery)) => {
                self.output.put(delivery.number, &delivery.publish);
                self.received += 1;
                Ok((Some(self.received) == self.args.count).then_some(Exit::Done))
            }
            Event::Mqtt(session::Event::Subscribed(suback)) => {
                Ok(self.subscribed(&suback).or_else(|| self.answered()))
            }
            Event::Mqtt(session::Event::Unsubscribed(_)) => Ok(self.answered()),
            Event::Written(number) => {
                self.output.written(number);
                Ok(None)
            }
            Event::OutputFailed(error) => {
                self.output.abandon();
                output_failed(error).map(Some)
            }
            Event::Interrupted(signal) => Ok(Some(self.interrupted(signal))),
            Event::Alarm => {
                let waited = self.args.timeout.unwrap_or_default().as_secs_f64();
                self.tell_unfinished(&format!("timed out after {waited} s"));
                Ok(Some(Exit::TimedOut))
            }
            Event::Mqtt(_) | Event::Input(_) | Event::WebSocketPong | Event::Reconnected => Ok(None),
        }
    }

    /// Says which filters were refused; nothing is left to wait for when all were.
    fn subscribed(&mut self, suback: &SubAck) -> Option<Exit> {
        let mut refused = 0;
        for (filter, code) in self.args.topic.iter().zip(&suback.codes).filter(|(_, code)| code.is_error()) {
            report::failure(&format!("subscribing to {filter}: refused: {code}"));
            refused += 1;
        }
        self.denied = refused > 0;
        (refused == self.args.topic.len()).then_some(Exit::Denied)
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
                Ok(Event::Written(number)) => self.output.written(number),
                Ok(Event::OutputFailed(error)) => {
                    self.output.abandon();
                    result = result.and_then(|exit| output_failed(error).map(|_| exit));
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

/// A reader that has seen enough is no failure.
fn output_failed(error: io::Error) -> Result<Exit> {
    if error.kind() == io::ErrorKind::BrokenPipe {
        return Ok(Exit::Done);
    }
    Err(error).context("writing to stdout")
}
