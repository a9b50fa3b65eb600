//! `sub`: messages go to stdout, and are acknowledged when they are there.

mod changes;
pub mod config;
mod early_end;
mod exec;
pub(in crate::command) mod filter;
mod finish;
mod granted;
mod judge;
mod rate;
mod receive;
mod reporting;
mod retained;
mod sink;
pub(in crate::command) mod start;
mod subscriptions;
mod verdict;
mod watch;

use std::io;
use std::ops::ControlFlow;
use std::time::Instant;

use anyhow::{Context, Result};

use self::config::{Config, Destination, MessageOptions, OutputOptions, SubscribeRequest};
use self::early_end::{CommandFailure, EarlyEnd};
use self::rate::RateTeller;
use self::receive::{Arrival, MessageReceiver};
use self::sink::Sink;
use self::start::Start;
use self::subscriptions::FilterState;
use super::summary::SummaryPrinter;
use crate::client::{Client, Event, LARGE_MESSAGE};
use crate::exit::{Exit, worse};
use crate::mqtt::packet::Subscription;
use crate::mqtt::qos::QoS;
use crate::mqtt::session;
use crate::report::{self, Verbosity};
use crate::stdio::exec::OnFailure;
use crate::stdio::stdout;
use crate::stdio::stdout_reader::StdoutReader;
use crate::stdio::written::Counts;
use crate::terminal::progress::{Part, Position, Progress, Unit, Wanted};
use crate::terminal::screen;

/// Runs `mqttws sub`.
// Not part of the caller, whose frame would hold what this one needs.
#[inline(never)]
pub fn run(config: Config) -> Result<Exit> {
    let began = Instant::now();
    let Config { client: options, subscriptions, messages, summary, start, verbosity } = config;
    // First of all: later a file of our own could have the descriptor of --ready-fd.
    let mut start = Start::new(start)?;
    let target = sink::target(&messages.output.destination)?;
    warn_of_closed_stdout(&messages, &subscriptions, verbosity);
    let limit = super::limit(began, messages.end.timeout);
    let (client, _) = super::connect(options, limit)?;
    if let Some(server) = client.chosen_server() {
        start.set_url(server.secret_url());
    }
    let reader = watch_reader(messages.prints(), &client)?;
    let rate = messages.rate_interval;
    let sink = Sink::start(&client, &messages.output, target, verbosity)?;
    let subscriber = Subscriber {
        client,
        receiver: MessageReceiver::new(sink, &messages, verbosity),
        reader,
        progress: progress(&messages.output.destination, verbosity, began),
        subscriptions: FilterState { asked: subscriptions, unanswered: 0, unstored: Vec::new() },
        rate: rate.map(|interval| Box::new(RateTeller::new(interval, Instant::now()))),
        times: EndTimes {
            deadline: limit.map(|(until, _)| until),
            ends: None,
            connected: Instant::now(),
        },
        verbosity,
        options: messages,
        start,
        ending: RunEnding { signal: None, unfinished: None, failure: None, exit: Exit::Done },
    };
    subscriber.receive_all(SummaryPrinter::new(summary, verbosity, began))
}

/// The progress on stderr, where it does not disturb what is written.
fn progress(destination: &Destination, verbosity: Verbosity, began: Instant) -> Progress {
    let stands_alone = match destination {
        Destination::Stdout => screen::stdout_is_file(),
        Destination::Folder(_) => true,
        // Commands write to the same places as we do, and to stderr.
        Destination::Commands(_) | Destination::Watch(_) | Destination::Report(_) => false,
    };
    let is_shown = verbosity.shows_progress() && stands_alone;
    Progress::new(if is_shown { Wanted::BarOrCount } else { Wanted::Nothing }, began)
}

/// Watches the reader of stdout, if messages go there.
fn watch_reader(matters: bool, client: &Client) -> Result<StdoutReader> {
    let remote = client.remote();
    let reader = if matters {
        StdoutReader::watch(move || remote.wake())
    } else {
        Ok(StdoutReader::default())
    };
    reader.context("watching stdout")
}

/// Messages that are acknowledged and written to a closed stdout are lost.
fn warn_of_closed_stdout(
    messages: &MessageOptions,
    subscriptions: &SubscribeRequest,
    verbosity: Verbosity,
) {
    let acknowledges = |subscription: &Subscription| subscription.qos > QoS::AtMostOnce;
    if messages.prints()
        && subscriptions.subscribe.iter().any(acknowledges)
        && verbosity.warns()
        && stdout::stdout_may_be_closed()
    {
        report::warn(
            "stdout is closed (or leads to /dev/null): messages are acknowledged and thrown away",
        );
    }
}

struct Subscriber {
    client: Box<Client>,
    receiver: MessageReceiver,
    reader: StdoutReader,
    progress: Progress,
    subscriptions: FilterState,
    options: MessageOptions,
    /// Tells the rate of messages, if that is asked for.
    rate: Option<Box<RateTeller>>,
    times: EndTimes,
    verbosity: Verbosity,
    start: Start,
    ending: RunEnding,
}

/// When the run is over, whatever has come.
struct EndTimes {
    /// The time of `-W`.
    deadline: Option<Instant>,
    /// When the time of `--for` is over, once it has begun.
    ends: Option<Instant>,
    /// When the latest connection was made.
    connected: Instant,
}

/// How the run ends, and what is to be told about it.
struct RunEnding {
    /// The signal that has come.
    signal: Option<i32>,
    /// Why it ended before what was asked was done; still to be told.
    unfinished: Option<EarlyEnd>,
    /// How the command has failed, while the broker is asked for what it has until then.
    failure: Option<CommandFailure>,
    /// The worst exit code of what was refused, and of commands that failed.
    exit: Exit,
}

impl Subscriber {
    /// Receives as much as is wanted, and ends: whatever the reason, received messages are written,
    /// and written ones are acknowledged.
    fn receive_all(mut self, summary: SummaryPrinter) -> Result<Exit> {
        self.subscribe();
        let result = self.run();
        let command = self.start.end(self.ending.signal);
        let result = self.finish_output(result);
        self.tell_last_rate();
        self.tell_unfinished();
        let result = self.receiver.tell_cut(result);
        self.progress.finish();
        if let Sink::Watch(watch) = &mut self.receiver.sink {
            watch.end();
        }
        let result = self.end(result, summary);
        if let Some(command) = command {
            command.wait();
        }
        result
    }

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
        let is_full = self.receiver.sink.is_full();
        if is_full || self.client.is_reading_paused() {
            self.receiver.restart_idle();
        }
        self.client.pause_reading(is_full);
        let failure = self.ending.failure.as_ref().map(|failure| failure.until);
        let alarms = [self.times.deadline, self.times.ends, self.idle_deadline(), drawing, failure];
        Ok(self.client.next(alarms.into_iter().flatten().min())?)
    }

    /// Draws the progress and the frame of `--watch`, writes a report and tells the rate, as far as
    /// they are due; when to call this again.
    fn draw(&mut self) -> Option<Instant> {
        if self.progress.is_on() {
            let position = self.position();
            self.progress.update(position, Instant::now());
        }
        let frame = match &mut self.receiver.sink {
            Sink::Watch(watch) => Some(watch.draw()),
            Sink::Report(report) => report.tick(),
            Sink::Output(_) | Sink::Commands(_) => None,
        };
        let counts = self.received();
        let rate = self.rate.as_mut().and_then(|rate| rate.tick(counts, Instant::now()));
        [frame, rate, self.progress.deadline()].into_iter().flatten().min()
    }

    /// What has come, that of a large message that is arriving included.
    fn received(&self) -> Counts {
        Counts { messages: self.receiver.written.messages, bytes: self.receiver.bytes() }
    }

    /// Tells the rate once more, about what came since the last line.
    fn tell_last_rate(&mut self) {
        let counts = self.received();
        if let Some(rate) = &mut self.rate {
            rate.finish(counts, Instant::now());
        }
    }

    /// How far it has come; a large message that is arriving has a known end.
    fn position(&self) -> Position {
        let arriving = self.client.session().arriving_message();
        let large = arriving.filter(|(_, length)| *length >= LARGE_MESSAGE);
        let message = large.map(|(arrived, length)| Part {
            done: arrived as u64,
            total: length as u64,
            unit: Unit::Bytes,
            ends: None,
        });
        let (messages, bytes) = (self.receiver.written.messages, self.receiver.bytes());
        Position { messages, bytes, whole: None, message }
    }

    /// The time of `--idle` begins when the broker has answered, and again with each byte of a
    /// message that arrives slowly. It does not count while there is no connection, or no answer
    /// on it, nor while the output is full, as nothing is read then.
    fn idle_deadline(&self) -> Option<Instant> {
        let (idle, session) = (self.options.end.idle?, self.client.session());
        let is_read = session.is_online() && !self.receiver.sink.is_full();
        let counts = is_read && !session.has_pending_subscribe();
        let latest = self.receiver.latest().filter(|_| counts)?;
        let arriving = self.client.last_received().filter(|_| session.partial_packet() > 0);
        Some(arriving.map_or(latest, |arriving| arriving.max(latest)) + idle)
    }

    fn handle(&mut self, event: Event) -> Result<Option<Exit>> {
        match event {
            Event::Mqtt(event) => self.handle_packet(event),
            Event::Written(number) => {
                self.receiver.sink.written(number);
                self.remove_retained(number);
                Ok(self.unread())
            }
            Event::Woken => Ok(self
                .look_at_commands()
                .or_else(|| self.look_at_test_command())
                .or_else(|| self.unread())),
            Event::OutputFailed(error) => {
                self.receiver.abandon();
                self.output_failed(error).map(Some)
            }
            Event::Interrupted(signal) => Ok(Some(self.take_signal(signal))),
            Event::Alarm => self.time_is_up(),
            Event::Reconnected => {
                if let Some(since) = self.client.before_ended() {
                    self.receiver.suspend_idle(since);
                }
                self.times.connected = Instant::now();
                // What was asked for does not come any more.
                Ok(self.command_has_failed())
            }
            Event::Connected(_)
            | Event::Closed(_)
            | Event::Input(_)
            | Event::WebSocketPong
            | Event::Sendable => Ok(None),
        }
    }

    fn handle_packet(&mut self, event: session::Event) -> Result<Option<Exit>> {
        Ok(match event {
            session::Event::Message(delivery) => self.receiver.receive(Arrival::Owned(&delivery)),
            session::Event::MessageBegins { delivery, length } => {
                let end = self.receiver.receive(Arrival::Head(delivery, length));
                if !self.receiver.is_amidst() {
                    self.client.ignore_rest();
                }
                end
            }
            session::Event::Piece(piece) => self.receiver.receive(Arrival::Piece(piece)),
            session::Event::MessageEnds => self.receiver.receive(Arrival::End),
            session::Event::MessageCut => return self.receiver.cut(),
            session::Event::Subscribed(suback) => self.subscribed(&suback),
            session::Event::NotSubscribed { filter, why } => self.not_subscribed(&filter, why),
            session::Event::Unsubscribed(unsuback) => self.unsubscribed(&unsuback),
            session::Event::Pong => self.command_has_failed(),
            event @ (session::Event::Acknowledged { .. } | session::Event::InDoubt { .. }) => {
                self.handed_over(&event);
                self.publish_removals();
                self.look_at_commands()
            }
            session::Event::Connected(_)
            | session::Event::Refused(_)
            | session::Event::SomeAcknowledged
            | session::Event::AllReleased
            | session::Event::Answered { .. }
            | session::Event::Disconnected(_) => None,
        })
    }

    /// A signal has come: the commands get it, too.
    fn take_signal(&mut self, signal: i32) -> Exit {
        self.ending.signal = Some(signal);
        self.interrupt_commands(signal);
        // Without line feeds the cursor stands after a message.
        let OutputOptions { destination, layout } = &self.options.output;
        screen::begin_line(matches!(destination, Destination::Stdout) && layout.end.is_none());
        self.interrupted(signal)
    }

    /// Removes the retained messages up to this number, which are written.
    fn remove_retained(&mut self, number: u64) {
        if let Some(removals) = &mut self.receiver.removals {
            removals.written(number);
        }
        self.publish_removals();
    }

    fn publish_removals(&mut self) {
        if let Some(removals) = &mut self.receiver.removals {
            removals.publish(&mut self.client);
        }
    }

    /// The end, when the reader of stdout has gone and has got everything: whatever else comes
    /// stays with the broker.
    fn unread(&mut self) -> Option<Exit> {
        let is_unread = self.reader.is_gone() && self.receiver.sink.is_done();
        if is_unread {
            // The rest of a message that has begun is not wanted either.
            self.receiver.abandon();
        }
        is_unread.then_some(Exit::Done)
    }

    /// What became of a message of ours: a removal or, with a command's output, a reply. Only
    /// replies are published at QoS 2.
    fn handed_over(&mut self, event: &session::Event) {
        let why = match event {
            session::Event::Acknowledged { token, code, reason } if code.is_error() => {
                let is_reply = exec::is_reply(*token);
                let what = if is_reply { "replying" } else { "removing a retained message" };
                format!("{what}: refused: {}", super::refusal(*code, reason.as_deref()))
            }
            session::Event::InDoubt { .. } => {
                "replying: refused: in doubt: the broker has lost the session".to_owned()
            }
            session::Event::Acknowledged { .. }
            | session::Event::SomeAcknowledged
            | session::Event::Connected(_)
            | session::Event::Refused(_)
            | session::Event::Message(_)
            | session::Event::MessageBegins { .. }
            | session::Event::Piece(_)
            | session::Event::MessageEnds
            | session::Event::MessageCut
            | session::Event::Subscribed(_)
            | session::Event::NotSubscribed { .. }
            | session::Event::Unsubscribed(_)
            | session::Event::AllReleased
            | session::Event::Answered { .. }
            | session::Event::Pong
            | session::Event::Disconnected(_) => return,
        };
        report::line(&why);
        self.note(Exit::Denied);
    }

    /// Something went wrong that does not end the run.
    fn note(&mut self, exit: Exit) {
        self.ending.exit = worse(self.ending.exit, exit);
    }

    /// Looks at the commands that have ended, and acknowledges what is done.
    fn look_at_commands(&mut self) -> Option<Exit> {
        let exec = self.receiver.sink.commands()?;
        let has_failed = exec.take_ended();
        let is_over = has_failed && exec.on_failure() == OnFailure::Stop;
        let are_taken = exec.publish_replies(&mut self.client);
        if has_failed {
            self.note(Exit::Local);
        }
        if !are_taken {
            self.note(Exit::Denied);
        }
        self.settle_commands();
        is_over.then_some(Exit::Local)
    }

    /// Acknowledges what is done.
    fn settle_commands(&mut self) {
        let exec = self.receiver.sink.commands();
        if let Some(number) = exec.and_then(|exec| exec.commands.done_up_to()) {
            self.client.acknowledge_up_to(number);
            self.remove_retained(number);
        }
    }

    /// Passes a signal on to the commands.
    fn interrupt_commands(&mut self, signal: i32) {
        if let Some(exec) = self.receiver.sink.commands() {
            exec.interrupt(signal);
        }
    }

    fn output_failed(&self, error: io::Error) -> Result<Exit> {
        match &self.options.output.destination {
            Destination::Folder(path) => super::output_failed(error, &path.display().to_string()),
            Destination::Stdout
            | Destination::Watch(_)
            | Destination::Report(_)
            | Destination::Commands(_) => super::output_failed(error, "stdout"),
        }
    }
}
