//! `sub --exec`: a command for each message, its output as the answer (`--reply`), and the
//! acknowledgement when both are done.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use bytes::Bytes;

use super::Subscriber;
use super::config;
use super::sink::Sink;
use crate::client::{Client, Event};
use crate::exit::{Exit, worse};
use crate::format::layout::Layout;
use crate::mqtt::packet::Publish;
use crate::mqtt::property::{Properties, Property, PropertyId};
use crate::mqtt::session;
use crate::mqtt::topic::TopicName;
use crate::report::{self, Verbosity};
use crate::stdio::exec::{Commands, Ended, Outcome, Settings};

/// How long a command may take to end after a signal; the program is given five seconds.
const OBEDIENCE: Duration = Duration::from_secs(3);

/// Marks the records of replies: removals of retained messages have the numbers of messages.
const REPLY: u64 = 1 << 63;

/// Runs the commands, and publishes what they answer.
#[expect(clippy::struct_excessive_bools, reason = "each is a wish or a fact of its own")]
pub struct Exec {
    pub(super) commands: Commands,
    /// Answers that wait until they may be published, each with the number of its message.
    replies: VecDeque<(u64, Publish)>,
    keep_going: bool,
    reply: bool,
    quiet: bool,
    failed: bool,
    /// They were asked to end, and then they are killed.
    kill_at: Option<Instant>,
}

impl Exec {
    /// Starts what runs the commands.
    pub fn start(
        config: &config::Commands,
        layout: Layout,
        verbosity: Verbosity,
        client: &Client,
    ) -> Result<Self> {
        let settings = Settings {
            command: config.command.clone(),
            jobs: config.jobs,
            capture: config.reply,
            keep_going: config.keep_going,
        };
        let remote = client.remote();
        let commands = Commands::start(&settings, layout, move || remote.wake())
            .context("starting the commands")?;
        Ok(Self {
            commands,
            replies: VecDeque::new(),
            keep_going: config.keep_going,
            reply: config.reply,
            quiet: !verbosity.warns(),
            failed: false,
            kill_at: None,
        })
    }

    /// Replies that wait for room need the acknowledgements of those before them: then we go on
    /// reading.
    pub fn is_full(&self) -> bool {
        self.commands.is_full() && self.replies.is_empty()
    }

    /// Whether no command runs and no reply waits.
    pub fn is_done(&self) -> bool {
        self.commands.is_idle() && self.replies.is_empty()
    }

    /// Whether a command has failed.
    pub fn has_failed(&self) -> bool {
        self.failed
    }

    /// A command has ended; whether it is the last one.
    fn ended(&mut self, Ended { number, publish, outcome }: Ended) -> bool {
        match outcome {
            Outcome::Done(output) => match self.answer(&publish, output) {
                Some(reply) => self.replies.push_back((number, reply)),
                None => self.commands.done(number),
            },
            Outcome::Dropped => {}
            Outcome::Failed(why) => {
                self.failed = true;
                let topic = publish.topic_or_empty();
                report::failure(&format!("running the command for a message to {topic}: {why}"));
                if self.keep_going {
                    self.commands.done(number);
                }
                return !self.keep_going;
            }
        }
        false
    }

    /// What is published of the output of a command.
    fn answer(&self, request: &Publish, output: Bytes) -> Option<Publish> {
        if !self.reply {
            return None;
        }
        let topic = request
            .properties
            .response_topic()
            .and_then(|topic| TopicName::new(topic.clone()).ok());
        if topic.is_none() && !self.quiet {
            let asked = request.topic_or_empty();
            report::warn(&format!(
                "a message to {asked} has no response topic: its answer is dropped"
            ));
        }
        let data = request.properties.correlation_data().cloned();
        Some(Publish {
            qos: request.qos,
            properties: data
                .map(|value| Property::binary(PropertyId::CorrelationData, value))
                .into_iter()
                .collect::<Properties>(),
            ..Publish::new(topic?, output)
        })
    }

    /// Publishes as many replies as may be now; whether all were taken.
    fn publish_replies(&mut self, client: &mut Client) -> bool {
        let mut taken = true;
        while self.replies.front().is_some_and(|(_, reply)| client.can_publish(reply.qos))
            && let Some((number, reply)) = self.replies.pop_front()
        {
            let topic = reply.topic.clone();
            if let Err(unsendable) = client.publish(reply, number | REPLY) {
                let topic = topic.as_ref().map_or("", TopicName::as_str);
                report::failure(&format!("replying to {topic}: refused: {unsendable}"));
                taken = false;
            }
            self.commands.done(number);
        }
        taken
    }
}

/// Whether a record is that of a reply.
pub fn is_reply(record: u64) -> bool {
    record & REPLY != 0
}

impl Subscriber {
    /// Looks at the commands that have ended, and acknowledges what is done.
    pub(super) fn look_at_commands(&mut self) -> Option<Exit> {
        let Sink::Commands(exec) = &mut self.receiver.sink else { return None };
        let mut is_over = false;
        while let Some(ended) = exec.commands.ended() {
            is_over |= exec.ended(ended);
        }
        self.denied |= !exec.publish_replies(&mut self.client);
        self.settle_commands();
        is_over.then_some(Exit::Local)
    }

    /// Acknowledges what is done.
    pub(super) fn settle_commands(&mut self) {
        if let Sink::Commands(exec) = &mut self.receiver.sink
            && let Some(number) = exec.commands.done_up_to()
        {
            self.client.acknowledge_up_to(number);
            self.remove_retained(number);
        }
    }

    /// Passes a signal on to the commands.
    pub(super) fn interrupt_commands(&mut self, signal: i32) {
        if let Sink::Commands(exec) = &mut self.receiver.sink {
            exec.commands.signal(signal);
            exec.kill_at.get_or_insert_with(|| Instant::now() + OBEDIENCE);
        }
    }

    /// The time is up for the commands, too.
    fn terminate_commands(&mut self) {
        if let Sink::Commands(exec) = &mut self.receiver.sink {
            exec.commands.terminate();
            exec.kill_at.get_or_insert_with(|| Instant::now() + OBEDIENCE);
        }
    }

    /// Waits until every command has ended, and every answer is on its way.
    pub(super) fn finish_commands(&mut self, mut result: Result<Exit>) -> Result<Exit> {
        self.settle_commands();
        match result {
            Ok(Exit::Done) => {}
            Ok(Exit::TimedOut) => self.terminate_commands(),
            _ => self.stop_commands(),
        }
        loop {
            if result.is_err() {
                // They have nowhere to go.
                self.forget_replies();
            }
            if self.receiver.sink.is_done() {
                break;
            }
            let alarm =
                if let Sink::Commands(exec) = &self.receiver.sink { exec.kill_at } else { None };
            // Only acknowledgements of replies are of interest any more.
            self.client.pause_reading(!self.replies() || self.receiver.sink.is_full());
            result = match self.client.next(alarm) {
                Ok(event) => self.finish_command(&event, result),
                // Nothing can be acknowledged any more; those that run end all the same.
                Err(error) => {
                    self.stop_commands();
                    result.and(Err(error.into()))
                }
            };
        }
        self.await_replies(result)
    }

    fn finish_command(&mut self, event: &Event, result: Result<Exit>) -> Result<Exit> {
        match *event {
            Event::Interrupted(signal) => {
                self.interrupt_commands(signal);
                return result
                    .map(|exit| if exit == Exit::Done { self.interrupted(signal) } else { exit });
            }
            Event::Alarm => {
                if let Sink::Commands(exec) = &mut self.receiver.sink {
                    exec.commands.kill();
                    exec.kill_at = None;
                }
                self.forget_replies();
            }
            Event::Mqtt(session::Event::Acknowledged { token: record, code, .. }) => {
                self.acknowledged(record, code);
            }
            Event::Mqtt(session::Event::InDoubt { .. }) => self.in_doubt(),
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
        match self.look_at_commands() {
            Some(exit) => result.map(|before| worse(before, exit)),
            None => result,
        }
    }

    fn stop_commands(&mut self) {
        if let Sink::Commands(exec) = &mut self.receiver.sink {
            exec.commands.stop();
        }
    }

    fn replies(&self) -> bool {
        matches!(&self.receiver.sink, Sink::Commands(exec) if exec.reply)
    }

    fn forget_replies(&mut self) {
        if let Sink::Commands(exec) = &mut self.receiver.sink {
            exec.replies.clear();
        }
    }

    /// Waits for the acknowledgements of the answers.
    fn await_replies(&mut self, result: Result<Exit>) -> Result<Exit> {
        let is_wanted = self.replies() && !matches!(result, Err(_) | Ok(Exit::Signal(_)));
        if !is_wanted {
            return result;
        }
        self.client.pause_reading(false);
        let deadline = Instant::now() + self.client.options().connect_timeout;
        while !self.client.is_settled() {
            match self.client.next(Some(deadline)).context("replying")? {
                Event::Alarm => anyhow::bail!("replying: the broker does not acknowledge"),
                Event::Interrupted(_) => break,
                Event::Mqtt(session::Event::Acknowledged { token: record, code, .. }) => {
                    self.acknowledged(record, code);
                }
                Event::Mqtt(session::Event::InDoubt { .. }) => self.in_doubt(),
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
        result
    }
}
