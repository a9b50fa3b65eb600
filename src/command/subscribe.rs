//! `sub`: messages go to stdout, and are acknowledged when they are there.

mod answers;
mod exec;
mod intake;
mod manners;
mod partial;
mod removal;
mod selection;
mod sink;
mod wishes;

use std::io;
use std::ops::ControlFlow;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

use self::exec::Exec;
use self::intake::Intake;
use self::manners::Manners;
use self::partial::Partial;
use self::sink::Sink;
use super::telling::Telling;
use super::timing;
use crate::cli;
use crate::cli::property::GivenProperties;
use crate::cli::value::Summary;
use crate::client::{Client, Event};
use crate::exit::Exit;
use crate::format::layout::Layout;
use crate::mqtt::qos::QoS;
use crate::mqtt::reason::ReasonCode;
use crate::mqtt::session::{self, Lifetime};
use crate::mqtt::topic::TopicFilter;
use crate::report;
use crate::stdio::reader::Reader;
use crate::stdio::stdout::{self, Output, Progress, Target};
use crate::terminal::screen;
use crate::terminal::summary::Account;

/// How long the output may take to write what it has, when everything else is over.
const LAST_WRITE: Duration = Duration::from_millis(250);

/// Runs `mqttws sub`.
pub fn run(args: &cli::Subscribe) -> Result<Exit> {
    let began = Instant::now();
    let (mut options, properties) = args.conversation.resolve()?;
    wishes::require_version_5(args, &mut options)?;
    if args.latency {
        timing::require_version_5(&mut options)?;
    }
    // A removal that is on its way must not be lost with the connection.
    let qos = if args.remove_retained { QoS::AtLeastOnce.max(args.qos) } else { args.qos };
    options.session.lifetime = options.session.lifetime.max(Lifetime::for_subscribing(qos));
    let filters = wishes::filters(args)?;
    let (layout, target) = (wishes::layout(args)?, wishes::target(args)?);
    options.session.receiving.parts_above = wishes::parts_above(args, &layout);
    warn_of_closed_stdout(args);
    let limit = args.timeout.and_then(|timeout| Some((began.checked_add(timeout)?, timeout)));
    let (client, _) = super::connect(options, limit)?;
    let reader = watch_reader(args, &client)?;
    let manners = Manners::new(args, &layout, began);
    let output = match &args.commands.exec {
        Some(command) => Sink::Commands(Box::new(Exec::start(args, command, &client, layout)?)),
        None => Sink::Output(start_output(&client, layout, target)?),
    };
    let mut subscriber = Subscriber {
        client,
        intake: Intake::new(args, output, manners),
        reader,
        args,
        filters,
        properties,
        deadline: limit.map(|(until, _)| until),
        signalled: false,
        unanswered: 0,
        denied: false,
    };
    subscriber.subscribe();
    let result = subscriber.run();
    // Whatever ended it: what was received is written, and what was written is acknowledged.
    let result = subscriber.finish_output(result);
    let result = subscriber.intake.told_as_cut(result);
    if let Some(manners) = &mut subscriber.intake.manners {
        manners.leave();
    }
    let form = args.summary.or(args.latency.then_some(Summary::Text));
    subscriber.end(result, Telling::new(form, args.conversation.is_quiet(), began))
}

fn start_output(client: &Client, layout: Layout, target: Target) -> Result<Output> {
    let postbox = client.postbox();
    Output::start(layout, target, move |progress| match progress {
        Progress::Written(number) => postbox.written(number),
        Progress::Failed(error) => postbox.output_failed(error),
    })
    .context("starting the output")
}

/// Whether messages on stdout are what is wanted.
fn prints(args: &cli::Subscribe) -> bool {
    args.output_dir.is_none()
        && args.commands.exec.is_none()
        && !args.exit_after_answer
        && !args.remove_retained
}

/// Who reads stdout, if that is what this is for.
fn watch_reader(args: &cli::Subscribe, client: &Client) -> Result<Reader> {
    let postbox = client.postbox();
    let reader =
        if prints(args) { Reader::watch(move || postbox.wake()) } else { Ok(Reader::default()) };
    reader.context("watching stdout")
}

/// What is acknowledged is gone, and nobody has seen it.
fn warn_of_closed_stdout(args: &cli::Subscribe) {
    if prints(args)
        && args.qos > QoS::AtMostOnce
        && !args.conversation.is_quiet()
        && stdout::stdout_may_be_closed()
    {
        report::warn(
            "stdout is closed (or leads to /dev/null): messages are acknowledged and thrown away",
        );
    }
}

struct Subscriber<'a> {
    client: Client,
    intake: Intake<'a>,
    reader: Reader,
    args: &'a cli::Subscribe,
    filters: Vec<TopicFilter>,
    properties: GivenProperties,
    deadline: Option<Instant>,
    /// We were interrupted.
    signalled: bool,
    /// SUBSCRIBE and UNSUBSCRIBE without their answer.
    unanswered: u32,
    /// Some filter was refused.
    denied: bool,
}

impl Subscriber<'_> {
    fn run(&mut self) -> Result<Exit> {
        loop {
            let (intake, mut end) = (&mut self.intake, None);
            let event = self.client.poll_messages(&mut |shown| {
                end = intake.show(shown);
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
        self.intake.output.flush();
        self.settle_commands();
        self.client.hold(self.intake.output.is_full());
        let alarm = self.deadline.into_iter().chain(self.idle_deadline()).min();
        Ok(self.client.next_reminded(alarm, drawing)?)
    }

    /// Draws what is to be drawn beside the output, if anything; when it wants to be asked again.
    fn draw(&mut self) -> Option<Instant> {
        let manners = self.intake.manners.as_mut()?;
        let bytes = self.intake.bytes + self.intake.partial.as_ref().map_or(0, Partial::written);
        manners.draw(self.intake.received, bytes, &mut self.intake.output)
    }

    fn idle_deadline(&self) -> Option<Instant> {
        self.args.idle.map(|idle| self.intake.latest + idle)
    }

    fn handle(&mut self, event: Event) -> Result<Option<Exit>> {
        match event {
            Event::Mqtt(session::Event::Message(delivery)) => Ok(self.intake.take(&delivery)),
            Event::Mqtt(
                part @ (session::Event::MessageBegins { .. }
                | session::Event::Piece(_)
                | session::Event::MessageEnds
                | session::Event::MessageCut),
            ) => self.part(part),
            Event::Mqtt(session::Event::Subscribed(suback)) => {
                Ok(self.subscribed(&suback).or_else(|| self.answered()))
            }
            Event::Mqtt(session::Event::NotSubscribed { filter, why }) => {
                Ok(self.not_subscribed(&filter, why))
            }
            Event::Mqtt(session::Event::Unsubscribed(unsuback)) => {
                self.unsubscribed(&unsuback);
                Ok(self.answered())
            }
            Event::Written(number) => {
                self.intake.output.written(number);
                self.intake.removals.written(number);
                self.intake.removals.publish(&mut self.client);
                Ok(self.unread())
            }
            Event::Mqtt(session::Event::Acknowledged { token: record, code, .. }) => {
                self.acknowledged(record, code);
                self.intake.removals.publish(&mut self.client);
                Ok(self.look_at_commands())
            }
            Event::Mqtt(session::Event::InDoubt { .. }) => {
                self.in_doubt();
                Ok(None)
            }
            Event::Woken => Ok(self.look_at_commands().or_else(|| self.unread())),
            Event::OutputFailed(error) => {
                self.intake.abandon();
                self.output_failed(error).map(Some)
            }
            Event::Interrupted(signal) => {
                self.signalled = true;
                self.interrupt_commands(signal);
                screen::begin_line(self.args.no_newline);
                Ok(Some(self.interrupted(signal)))
            }
            Event::Alarm => Ok(self.time_is_up()),
            Event::Mqtt(_)
            | Event::Input(_)
            | Event::WebSocketPong
            | Event::Sendable
            | Event::Connected(_)
            | Event::Closed(_)
            | Event::Reconnected => Ok(None),
        }
    }

    /// The end, when the reader of stdout has gone and has got everything: whatever else comes
    /// stays with the broker.
    fn unread(&self) -> Option<Exit> {
        (self.reader.is_gone() && self.intake.output.is_done()).then_some(Exit::Done)
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
    fn time_is_up(&self) -> Option<Exit> {
        let now = Instant::now();
        if self.deadline.is_none_or(|deadline| now < deadline) {
            let exit = if self.intake.is_amidst() { Exit::TimedOut } else { Exit::Done };
            return self.idle_deadline().filter(|idle| *idle <= now).map(|_| exit);
        }
        let waited = self.args.timeout.unwrap_or_default().as_secs_f64();
        self.tell_unfinished(&format!("timed out after {waited} s"));
        Some(Exit::TimedOut)
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
        report::failure(&format!(
            "subscribed: {why} with {}{wanted} messages",
            self.intake.received
        ));
    }

    /// Waits until everything received is written, as long as the output can be written at all.
    fn finish_output(&mut self, mut result: Result<Exit>) -> Result<Exit> {
        if matches!(self.intake.output, Sink::Commands(_)) {
            return self.finish_commands(result);
        }
        if let Some(manners) = &mut self.intake.manners {
            manners.finish(&mut self.intake.output);
        }
        self.intake.output.flush();
        self.client.hold(true);
        // Who interrupts us does not want to wait for a reader that has stopped; everybody else
        // does.
        let hurry = match result {
            Ok(Exit::Signal(_) | Exit::TimedOut) => true,
            Ok(_) => self.args.count.is_none(),
            Err(_) => false,
        };
        let deadline = hurry.then(|| Instant::now() + LAST_WRITE);
        while !self.intake.output.is_done() {
            // The connection stays alive meanwhile, or what is written late could not be
            // acknowledged.
            let event = match &result {
                Ok(_) => self.client.next(deadline),
                Err(_) => Ok(self.client.await_output(deadline).unwrap_or(Event::Alarm)),
            };
            match event {
                Ok(Event::Written(number)) => {
                    self.intake.output.written(number);
                    self.intake.removals.written(number);
                }
                Ok(Event::OutputFailed(error)) => {
                    self.intake.abandon();
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
    fn end(mut self, result: Result<Exit>, telling: Telling) -> Result<Exit> {
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
        match &result {
            // Nothing of ours can be lost any more.
            Ok(_) => drop(self.client.close()),
            Err(error) => super::leave(self.client, error),
        }
        let latency = self.intake.manners.as_ref().and_then(|manners| manners.latency());
        telling.end(self.signalled, |took| Account {
            verb: "received",
            messages: self.intake.received,
            bytes: self.intake.bytes,
            refused: None,
            took,
            times: latency.map(|latency| ("latency", latency.times())),
        });
        if let Some(latency) = latency.filter(|_| !self.args.conversation.is_quiet()) {
            latency.explain();
        }
        Ok(match result? {
            Exit::Done if self.denied => Exit::Denied,
            Exit::Done if self.intake.output.has_failed() => Exit::Local,
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
            self.intake.removals.publish(&mut self.client);
            if self.intake.removals.is_done(&self.client) {
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
