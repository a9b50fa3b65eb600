//! `sub`: messages go to stdout, and are acknowledged when they are there.

pub mod config;
mod exec;
mod filter;
mod receive;
mod retained;
mod sink;
mod subscriptions;
mod watch;

use std::io;
use std::ops::ControlFlow;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

use self::config::{Config, Destination, End, Subscriptions};
use self::exec::Exec;
use self::receive::{Arrival, Receiver, Settings};
use self::sink::Sink;
use self::watch::WatchSink;
use super::summary::SummaryPrinter;
use crate::client::{self, Client, Event};
use crate::exit::{Exit, worse};
use crate::format::layout::Layout;
use crate::format::summary::RunSummary;
use crate::mqtt::packet::Subscription;
use crate::mqtt::qos::QoS;
use crate::mqtt::reason::ReasonCode;
use crate::mqtt::session;
use crate::report::{self, Verbosity};
use crate::stdio::folder::Folder;
use crate::stdio::reader::Reader;
use crate::stdio::stdout::{self, Output, Progress, Target};
use crate::terminal::progress::{Position, Progress as ProgressBar};
use crate::terminal::screen;

/// How long the output may take to write what it has, when everything else is over.
const LAST_WRITE: Duration = Duration::from_millis(250);

/// Runs `mqttws sub`.
pub fn run(config: Config) -> Result<Exit> {
    let began = Instant::now();
    let target = target(&config.output.destination)?;
    warn_of_closed_stdout(&config);
    let is_watched = config.prints();
    let Config { client: options, output, verbosity, end, .. } = config;
    let limit = super::limit(began, end.timeout);
    let (client, _) = super::connect(options, limit)?;
    let reader = watch_reader(is_watched, &client)?;
    let sink = sink(&client, &output, target, verbosity)?;
    let (removes, latency) = (config.remove_retained, config.latency);
    let settings = Settings { end, output: &output, removes, latency, verbosity };
    let mut subscriber = Subscriber {
        client,
        receiver: Receiver::new(sink, config.filter, settings),
        reader,
        progress: progress(&output.destination, verbosity, began),
        subscriptions: config.subscriptions,
        deadline: limit.map(|(until, _)| until),
        end,
        output,
        signalled: false,
        unanswered: 0,
        denied: false,
    };
    subscriber.subscribe();
    let result = subscriber.run();
    // Whatever ended it: what was received is written, and what was written is acknowledged.
    let result = subscriber.finish_output(result);
    let result = subscriber.receiver.tell_cut(result);
    subscriber.progress.finish();
    if let Sink::Watch(watch) = &mut subscriber.receiver.sink {
        watch.end();
    }
    subscriber.end(result, SummaryPrinter::new(config.summary, verbosity, began), verbosity)
}

/// Where messages are written, ready for them.
fn sink(
    client: &Client,
    output: &config::Output,
    target: Target,
    verbosity: Verbosity,
) -> Result<Sink> {
    let layout = output.layout.clone();
    Ok(match &output.destination {
        Destination::Commands(commands) => {
            Sink::Commands(Box::new(Exec::start(commands, layout, verbosity, client)?))
        }
        Destination::Watch(watch) => {
            let output = start_output(client, layout, target)?;
            Sink::Watch(Box::new(WatchSink::new(*watch, output, Instant::now())))
        }
        Destination::Stdout | Destination::Folder(_) => {
            Sink::Output(start_output(client, layout, target)?)
        }
    })
}

/// The progress on stderr, where it does not disturb what is written.
fn progress(destination: &Destination, verbosity: Verbosity, began: Instant) -> ProgressBar {
    let stands_alone = match destination {
        Destination::Stdout => screen::stdout_is_kept(),
        Destination::Folder(_) => true,
        // Commands write to wherever we do, and to stderr.
        Destination::Commands(_) | Destination::Watch(_) => false,
    };
    ProgressBar::new(verbosity.shows_progress() && stands_alone, None, began)
}

/// Where the messages go; a folder is made if it is not there.
fn target(destination: &Destination) -> Result<Target> {
    let Destination::Folder(path) = destination else {
        let stdout = stdout::unbuffered_stdout().context("opening stdout")?;
        return Ok(Target::Stream(Box::new(stdout)));
    };
    let context = || format!("the folder {}", path.display());
    let (folder, names) = Folder::open(path.clone()).with_context(context)?;
    Ok(Target::Folder(folder, names))
}

fn start_output(client: &Client, layout: Layout, target: Target) -> Result<Output> {
    let remote = client.remote();
    Output::start(layout, target, move |progress| match progress {
        Progress::Written(number) => remote.written(number),
        Progress::Failed(error) => remote.output_failed(error),
    })
    .context("starting the output")
}

/// Who reads stdout, if that is what this is for.
fn watch_reader(matters: bool, client: &Client) -> Result<Reader> {
    let remote = client.remote();
    let reader = if matters { Reader::watch(move || remote.wake()) } else { Ok(Reader::default()) };
    reader.context("watching stdout")
}

/// What is acknowledged is gone, and nobody has seen it.
fn warn_of_closed_stdout(config: &Config) {
    let acknowledges = |subscription: &Subscription| subscription.qos > QoS::AtMostOnce;
    if config.prints()
        && config.subscriptions.subscribe.iter().any(acknowledges)
        && config.verbosity.warns()
        && stdout::stdout_may_be_closed()
    {
        report::warn(
            "stdout is closed (or leads to /dev/null): messages are acknowledged and thrown away",
        );
    }
}

struct Subscriber {
    client: Client,
    receiver: Receiver,
    reader: Reader,
    progress: ProgressBar,
    subscriptions: Subscriptions,
    /// When it ends.
    end: End,
    /// The time of `-W`.
    deadline: Option<Instant>,
    /// Where messages are written, and how.
    output: config::Output,
    /// We were interrupted.
    signalled: bool,
    /// SUBSCRIBE and UNSUBSCRIBE without their answer.
    unanswered: u32,
    /// Some filter was refused.
    denied: bool,
}

impl Subscriber {
    fn run(&mut self) -> Result<Exit> {
        loop {
            let (receiver, mut end) = (&mut self.receiver, None);
            let event = self.client.poll_messages(&mut |message| {
                end = receiver.receive(Arrival::Borrowed(message));
                if end.is_some() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
            })?;
            if let Some(exit) = end {
                return Ok(exit);
            }
            let event = match event {
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
        let drawing = self.draw();
        self.receiver.sink.flush();
        self.settle_commands();
        self.client.pause_reading(self.receiver.sink.is_full());
        let alarm = [self.deadline, self.idle_deadline(), drawing].into_iter().flatten().min();
        Ok(self.client.next(alarm)?)
    }

    /// Draws what is to be drawn, if anything; when it wants to be asked again.
    fn draw(&mut self) -> Option<Instant> {
        if self.progress.is_on() {
            let (messages, bytes) = (self.receiver.written.messages, self.receiver.bytes());
            self.progress.update(Position { messages, bytes, read: 0 }, Instant::now());
        }
        let frame = match &mut self.receiver.sink {
            Sink::Watch(watch) => Some(watch.draw()),
            Sink::Output(_) | Sink::Commands(_) => None,
        };
        frame.into_iter().chain(self.progress.deadline()).min()
    }

    /// The time of `--idle` begins when the broker has answered, on each connection.
    fn idle_deadline(&self) -> Option<Instant> {
        let session = self.client.session();
        let counts = session.is_online() && !session.has_pending_subscribe();
        Some(self.receiver.latest().filter(|_| counts)? + self.end.idle?)
    }

    fn handle(&mut self, event: Event) -> Result<Option<Exit>> {
        match event {
            Event::Mqtt(event) => self.handle_packet(event),
            Event::Written(number) => {
                self.receiver.sink.written(number);
                self.remove_retained(number);
                Ok(self.unread())
            }
            Event::Woken => Ok(self.look_at_commands().or_else(|| self.unread())),
            Event::OutputFailed(error) => {
                self.receiver.abandon();
                self.output_failed(error).map(Some)
            }
            Event::Interrupted(signal) => {
                self.signalled = true;
                self.interrupt_commands(signal);
                // Without line feeds the cursor stands after a message.
                let is_stdout = matches!(self.output.destination, Destination::Stdout);
                screen::begin_line(is_stdout && self.output.layout.end.is_none());
                Ok(Some(self.interrupted(signal)))
            }
            Event::Alarm => self.time_is_up(),
            Event::Reconnected => {
                self.receiver.restart_idle();
                Ok(None)
            }
            Event::Connected(_)
            | Event::Closed(_)
            | Event::Input(_)
            | Event::WebSocketPong
            | Event::Sendable => Ok(None),
        }
    }

    fn handle_packet(&mut self, event: session::Event) -> Result<Option<Exit>> {
        match event {
            session::Event::Message(delivery) => {
                Ok(self.receiver.receive(Arrival::Owned(&delivery)))
            }
            session::Event::MessageBegins { delivery, length } => {
                let end = self.receiver.receive(Arrival::Head(delivery, length));
                if !self.receiver.is_amidst() {
                    self.client.ignore_rest();
                }
                Ok(end)
            }
            session::Event::Piece(piece) => Ok(self.receiver.receive(Arrival::Piece(piece))),
            session::Event::MessageEnds => Ok(self.receiver.receive(Arrival::End)),
            session::Event::MessageCut => self.receiver.cut(),
            session::Event::Subscribed(suback) => {
                self.receiver.restart_idle();
                Ok(self.subscribed(&suback).or_else(|| self.answered()))
            }
            session::Event::NotSubscribed { filter, why } => Ok(self.not_subscribed(&filter, why)),
            session::Event::Unsubscribed(unsuback) => {
                self.unsubscribed(&unsuback);
                Ok(self.answered())
            }
            session::Event::Acknowledged { token: record, code, .. } => {
                self.acknowledged(record, code);
                if let Some(removals) = &mut self.receiver.removals {
                    removals.publish(&mut self.client);
                }
                Ok(self.look_at_commands())
            }
            session::Event::InDoubt { .. } => {
                self.in_doubt();
                Ok(None)
            }
            session::Event::Connected(_)
            | session::Event::Refused(_)
            | session::Event::SomeAcknowledged
            | session::Event::Pong
            | session::Event::Disconnected(_) => Ok(None),
        }
    }

    /// Removes the retained messages up to this number, which are written.
    fn remove_retained(&mut self, number: u64) {
        if let Some(removals) = &mut self.receiver.removals {
            removals.written(number);
            removals.publish(&mut self.client);
        }
    }

    /// The end, when the reader of stdout has gone and has got everything: whatever else comes
    /// stays with the broker.
    fn unread(&self) -> Option<Exit> {
        (self.reader.is_gone() && self.receiver.sink.is_done()).then_some(Exit::Done)
    }

    /// A removal of ours, or a reply, has arrived, or is refused.
    fn acknowledged(&mut self, record: u64, code: ReasonCode) {
        if code.is_error() {
            let what =
                if exec::is_reply(record) { "replying" } else { "removing a retained message" };
            report::failure(&format!("{what}: refused: {code}"));
            self.denied = true;
        }
    }

    /// A reply may have arrived, or not: nothing else is published at QoS 2.
    fn in_doubt(&mut self) {
        report::failure("replying: refused: in doubt: the broker has lost the session");
        self.denied = true;
    }

    /// Of `-W`, or of `--idle`; if not, it is time to draw.
    fn time_is_up(&self) -> Result<Option<Exit>> {
        let now = Instant::now();
        let is_due = |time: Option<Instant>| time.is_some_and(|time| time <= now);
        if is_due(self.deadline) {
            return self.timed_out().map(Some);
        }
        let is_idle = is_due(self.idle_deadline());
        Ok(is_idle.then(|| self.idle_is_over()))
    }

    /// The time of `-W` is up.
    fn timed_out(&self) -> Result<Exit> {
        let after = self.end.timeout.unwrap_or_default();
        let session = self.client.session();
        if let Some(pending) = session.pending_subscribe().filter(|_| self.unanswered > 0) {
            let what = pending.to_string();
            return Err(client::Error::Unanswered { what, after }.into());
        }
        self.tell_unfinished(&format!("timed out after {} s", after.as_secs_f64()));
        Ok(Exit::TimedOut)
    }

    /// The time of `--idle` is up: a message that has begun to arrive is not passed over.
    fn idle_is_over(&self) -> Exit {
        let arrived = self.client.session().partial_packet();
        if self.receiver.is_amidst() {
            Exit::TimedOut
        } else if arrived > 0 {
            report::failure(&format!(
                "subscribed: ended in the middle of a message of which {arrived} bytes had arrived"
            ));
            Exit::TimedOut
        } else {
            Exit::Done
        }
    }

    /// An endless subscription ends no other way.
    fn interrupted(&self, signal: i32) -> Exit {
        if self.end.count.is_none() {
            return Exit::Done;
        }
        self.tell_unfinished("interrupted");
        Exit::Signal(signal)
    }

    fn tell_unfinished(&self, why: &str) {
        let wanted = self.end.count.map(|count| format!(" of {count}")).unwrap_or_default();
        report::failure(&format!(
            "subscribed: {why} with {}{wanted} messages",
            self.receiver.written.messages
        ));
    }

    /// Waits until everything received is written, as long as the output can be written at all.
    fn finish_output(&mut self, mut result: Result<Exit>) -> Result<Exit> {
        if matches!(self.receiver.sink, Sink::Commands(_)) {
            return self.finish_commands(result);
        }
        self.progress.finish();
        self.receiver.sink.finish();
        self.client.pause_reading(true);
        // Who interrupts us does not want to wait for a reader that has stopped; everybody else
        // does.
        let hurry = match result {
            Ok(Exit::Signal(_) | Exit::TimedOut) => true,
            Ok(_) => self.end.count.is_none(),
            Err(_) => false,
        };
        let deadline = hurry.then(|| Instant::now() + LAST_WRITE);
        while !self.receiver.sink.is_done() {
            // The connection stays alive meanwhile, or what is written late could not be
            // acknowledged.
            match self.client.next(deadline) {
                Ok(Event::Written(number)) => {
                    self.receiver.sink.written(number);
                    if let Some(removals) = &mut self.receiver.removals {
                        removals.written(number);
                    }
                }
                Ok(Event::OutputFailed(error)) => {
                    self.receiver.abandon();
                    result = result.and_then(|exit| self.output_failed(error).map(|_| exit));
                }
                Ok(Event::Interrupted(signal)) => {
                    return result.map(|exit| if hurry { exit } else { self.interrupted(signal) });
                }
                Ok(Event::Alarm) => break,
                Ok(
                    Event::Connected(_)
                    | Event::Closed(_)
                    | Event::Mqtt(_)
                    | Event::Input(_)
                    | Event::Woken
                    | Event::WebSocketPong
                    | Event::Sendable
                    | Event::Reconnected,
                ) => {}
                Err(error) => result = result.and(Err(error.into())),
            }
        }
        result
    }

    /// Ends the connection, and says what came of it.
    fn end(
        mut self,
        result: Result<Exit>,
        summary: SummaryPrinter,
        verbosity: Verbosity,
    ) -> Result<Exit> {
        let result = result
            .map_err(|error| {
                super::while_doing(error, || {
                    format!("subscribed at {}", self.client.options().endpoint)
                })
            })
            .and_then(|exit| self.finish_removals(exit).map(|()| exit));
        if matches!(result, Ok(Exit::TimedOut)) {
            self.client.hurry();
        }
        let result = super::close_receiver(&mut self.client, result);
        let latency = self.receiver.latency.as_ref();
        summary.print(self.signalled, |took| RunSummary {
            verb: "received",
            messages: self.receiver.written.messages,
            bytes: self.receiver.written.bytes,
            refused: None,
            took,
            times: latency.map(|latency| ("latency", latency.times())),
        });
        if let Some(latency) = latency.filter(|_| verbosity.warns()) {
            latency.explain();
        }
        let denied = if self.denied { Exit::Denied } else { Exit::Done };
        let failed = if self.receiver.sink.has_failed() { Exit::Local } else { Exit::Done };
        Ok(worse(result?, worse(denied, failed)))
    }

    /// Waits until the broker has forgotten what was written and is to be forgotten.
    fn finish_removals(&mut self, exit: Exit) -> Result<()> {
        if self.receiver.removals.is_none() || matches!(exit, Exit::Signal(_)) {
            return Ok(());
        }
        self.client.pause_reading(false);
        let deadline = Instant::now() + self.client.options().connect_timeout;
        loop {
            let Some(removals) = &mut self.receiver.removals else { return Ok(()) };
            removals.publish(&mut self.client);
            if removals.is_done(&self.client) {
                return Ok(());
            }
            match self.client.next(Some(deadline)).context("removing retained messages")? {
                Event::Alarm => {
                    anyhow::bail!("removing retained messages: the broker does not answer")
                }
                Event::Interrupted(_) => return Ok(()),
                Event::Mqtt(session::Event::Acknowledged { code, .. }) if code.is_error() => {
                    self.denied = true;
                }
                Event::Connected(_)
                | Event::Closed(_)
                | Event::Mqtt(_)
                | Event::Input(_)
                | Event::Written(_)
                | Event::OutputFailed(_)
                | Event::Woken
                | Event::WebSocketPong
                | Event::Sendable
                | Event::Reconnected => {}
            }
        }
    }

    /// A reader that has seen enough is no failure.
    fn output_failed(&self, error: io::Error) -> Result<Exit> {
        if error.kind() == io::ErrorKind::BrokenPipe {
            return Ok(Exit::Done);
        }
        let place = match &self.output.destination {
            Destination::Folder(path) => path.display().to_string(),
            Destination::Stdout | Destination::Watch(_) | Destination::Commands(_) => {
                "stdout".to_owned()
            }
        };
        Err(error).context(format!("writing to {place}"))
    }
}
