//! `sub --to`: messages of one broker go to another, and each is acknowledged at the first when the
//! other has acknowledged it.
//!
//! Both clients belong to this thread, and [`Client::next_of_two`] waits for both.

mod begin;
pub mod config;
mod finish;
pub mod loops;
mod messages;
pub mod source;
mod tally;

use std::time::{Duration, Instant};

use anyhow::{Context, Result};

use self::config::MirrorConfig;
use self::messages::Messages;
use self::source::{SourceSubscriptions, bounded};
use super::subscribe::config::EndConditions;
use super::subscribe::start::Start;
use super::summary::SummaryPrinter;
use crate::client::{AtServer, Client, Error, Event, FlagPlace, Which};
use crate::exit::{Exit, worse};
use crate::mqtt::session;
use crate::report::{self, Verbosity};

/// Runs `mqttws sub --to`.
pub fn run(config: MirrorConfig) -> Result<Exit> {
    let began = Instant::now();
    let MirrorConfig { source, target, passage, end, .. } = config;
    // First of all: later a file of our own could have the descriptor of --ready-fd.
    let start = Start::new(config.start)?;
    let limit = super::limit(began, end.timeout);
    let (target, _) = super::connect(target, limit).map_err(at_target)?;
    let source = bounded(source, target.session(), &config.subscribe);
    let context = source.at_server("connecting to");
    let source = Client::new(source).context(context)?;
    let mut mirror = Mirror {
        messages: Messages::new(passage, config.verbosity),
        subscriptions: SourceSubscriptions::new(config.subscribe, config.subscribe_properties),
        source,
        target,
        times: MirrorTimes {
            end,
            deadline: limit.map(|(until, _)| until),
            ends: None,
            latest: began,
        },
        start,
        ending: MirrorEnding { exit: Exit::Done, failed: None, signal: None, early: None },
        verbosity: config.verbosity,
    };
    mirror.messages.target_connected(mirror.target.session());
    let result = mirror.mirror();
    mirror.start.end(mirror.ending.signal);
    mirror.end(result, SummaryPrinter::new(config.summary, config.verbosity, began))
}

/// An error of the target, whose flags stand in another place.
fn at_target(mut error: anyhow::Error) -> anyhow::Error {
    if let Some(at) = error.downcast_mut::<AtServer>() {
        at.flags = FlagPlace::TargetProfile;
    }
    error
}

/// Two clients, and what is on its way between them.
struct Mirror {
    source: Box<Client>,
    target: Box<Client>,
    messages: Messages,
    subscriptions: SourceSubscriptions,
    times: MirrorTimes,
    start: Start,
    ending: MirrorEnding,
    verbosity: Verbosity,
}

/// When the run is over, whatever has come.
struct MirrorTimes {
    end: EndConditions,
    /// The time of `-W`.
    deadline: Option<Instant>,
    /// When the time of `--for` is over, once it has begun.
    ends: Option<Instant>,
    /// When a message came the last time, or the source has answered.
    latest: Instant,
}

/// How the run ends.
struct MirrorEnding {
    /// The worst exit code of what was refused.
    exit: Exit,
    /// The client whose error has ended the run.
    failed: Option<Which>,
    /// The signal that has come.
    signal: Option<i32>,
    /// Why the run ended before what was asked was done.
    early: Option<String>,
}

/// The target is looked at first: what it acknowledges makes room.
const TARGET: Which = Which::First;

impl Mirror {
    /// Passes messages on until enough have come, and finishes what is on its way.
    fn mirror(&mut self) -> Result<Exit> {
        let exit = self.run()?;
        self.messages.stop_taking();
        self.finish(exit)
    }

    fn run(&mut self) -> Result<Exit> {
        loop {
            self.pump();
            if self.messages.tally.taken_is(self.times.end.count) {
                return Ok(Exit::Done);
            }
            let alarm = self.alarm();
            let (which, event) = self.next(alarm)?;
            if let Some(exit) = self.handle(which, event)? {
                return Ok(exit);
            }
        }
    }

    /// The next event of either client.
    fn next(&mut self, alarm: Option<Instant>) -> Result<(Which, Event)> {
        Client::next_of_two(&mut self.target, &mut self.source, alarm)
            .map_err(|(which, error)| self.failed(which, error))
    }

    /// Passes on what can be passed on, in both directions.
    fn pump(&mut self) {
        self.messages.pump(&mut self.source, &mut self.target);
        if self.messages.tally.refused > 0 {
            self.note(Exit::Denied);
        }
    }

    /// Something went wrong that does not end the run.
    fn note(&mut self, exit: Exit) {
        self.ending.exit = worse(self.ending.exit, exit);
    }

    /// The error of a client, with what was being done.
    fn failed(&mut self, which: Which, error: Error) -> anyhow::Error {
        self.ending.failed = Some(which);
        let (client, doing) = match which {
            Which::First => (&self.target, "mirroring to"),
            Which::Second if self.subscriptions.are_sent() => (&self.source, "subscribed at"),
            Which::Second => (&self.source, "connecting to"),
        };
        let error = super::while_doing(error.into(), || client.at_server(doing));
        if which == TARGET { at_target(error) } else { error }
    }

    fn handle(&mut self, which: Which, event: Event) -> Result<Option<Exit>> {
        match event {
            Event::Interrupted(signal) => Ok(self.interrupted(signal)),
            Event::Alarm => Ok(self.time_is_up()),
            Event::Connected(_) | Event::Reconnected if which == TARGET => {
                self.messages.target_connected(self.target.session());
                Ok(None)
            }
            Event::Connected(_) => {
                self.source_connected();
                self.subscriptions.subscribe(&mut self.source, self.verbosity);
                Ok(None)
            }
            Event::Reconnected => {
                self.source_connected();
                Ok(None)
            }
            Event::Mqtt(event) => self.session_event(which, event),
            // There is no input, no output and no command, and what can be sent is sent after each
            // event.
            Event::Closed(_)
            | Event::Input(_)
            | Event::Written(_)
            | Event::OutputFailed(_)
            | Event::Woken
            | Event::WebSocketPong
            | Event::Sendable => Ok(None),
        }
    }

    fn source_connected(&mut self) {
        self.times.latest = Instant::now();
        self.messages.source_connected(self.source.session());
    }

    /// An event of one of the sessions.
    fn session_event(&mut self, which: Which, event: session::Event) -> Result<Option<Exit>> {
        match event {
            session::Event::Message(delivery) => {
                self.times.latest = Instant::now();
                self.messages.take(delivery.publish);
                Ok(None)
            }
            session::Event::Answered { packet, packet_id, code, reason } if which == TARGET => {
                self.messages.target_answered(packet, packet_id, code, reason.as_deref());
                Ok(None)
            }
            session::Event::Answered { packet, packet_id, .. } => {
                self.messages.source_answered(packet, packet_id);
                Ok(None)
            }
            session::Event::Pong if which == TARGET => {
                self.messages.target_confirmed();
                Ok(None)
            }
            session::Event::Subscribed(suback) => self.subscribed(&suback),
            session::Event::NotSubscribed { filter, why } => {
                report::line(&format!("subscribing to {filter}: refused: {why}"));
                self.note(Exit::Denied);
                let is_over = self.subscriptions.refuse(&filter) || self.start.needs_all();
                Ok(is_over.then_some(Exit::Denied))
            }
            // Messages come whole; nothing is subscribed to at the target, and what is published
            // there is answered as above.
            session::Event::MessageBegins { .. }
            | session::Event::Piece(_)
            | session::Event::MessageEnds
            | session::Event::MessageCut
            | session::Event::AllReleased
            | session::Event::Acknowledged { .. }
            | session::Event::SomeAcknowledged
            | session::Event::InDoubt { .. }
            | session::Event::Connected(_)
            | session::Event::Refused(_)
            | session::Event::Unsubscribed(_)
            | session::Event::Pong
            | session::Event::Disconnected(_) => Ok(None),
        }
    }

    /// When to wake, if nothing happens before.
    fn alarm(&self) -> Option<Instant> {
        [self.times.deadline, self.times.ends, self.idle_deadline()].into_iter().flatten().min()
    }

    /// The time of `--idle` counts while the source is read and has answered the SUBSCRIBE.
    fn idle_deadline(&self) -> Option<Instant> {
        let idle = self.times.end.idle?;
        let session = self.source.session();
        let counts = session.is_online()
            && self.subscriptions.are_sent()
            && !session.has_pending_subscribe()
            && !self.source.is_reading_paused();
        counts.then(|| self.times.latest + idle)
    }

    fn time_is_up(&mut self) -> Option<Exit> {
        let now = Instant::now();
        let is_due = |time: Option<Instant>| time.is_some_and(|time| time <= now);
        let told = |time: Option<Duration>| time.unwrap_or_default().as_secs_f64();
        if is_due(self.times.deadline) {
            let after = told(self.times.end.timeout);
            self.ending.early = Some(format!("timed out after {after} s"));
            return Some(Exit::TimedOut);
        }
        let is_over = is_due(self.times.ends) || is_due(self.idle_deadline());
        let is_short = self.times.end.count.is_some();
        is_over.then(|| {
            if is_short {
                let idle = is_due(self.idle_deadline());
                let what = if idle { self.times.end.idle } else { self.times.end.after };
                self.ending.early = Some(format!("ended after {} s", told(what)));
            }
            Exit::Done
        })
    }

    /// An endless mirror ends no other way.
    fn interrupted(&mut self, signal: i32) -> Option<Exit> {
        if self.ending.signal.replace(signal).is_some() {
            return None;
        }
        if self.times.end.count.is_none() {
            return Some(Exit::Done);
        }
        self.ending.early = Some("interrupted".to_owned());
        Some(Exit::Signal(signal.into()))
    }
}
