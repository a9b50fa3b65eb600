//! `sub --exec`: a command for each message, its output as the answer (`--reply`), and the
//! acknowledgement when both are done.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use bytes::Bytes;

use super::config;
use crate::client::Client;
use crate::command::start::GroupWatch;
use crate::format::layout::Layout;
use crate::mqtt::packet::Publish;
use crate::mqtt::property::{Properties, Property, PropertyId};
use crate::mqtt::topic::TopicName;
use crate::report::{self, Verbosity};
use crate::stdio::exec::{
    CommandOutcome, CommandStdout, Commands, EndedCommand, OnFailure, Settings,
};

/// How long a command may take to end after a signal, before it is killed: less than the five
/// seconds after which a process that hangs is ended itself.
const TIME_TO_END: Duration = Duration::from_secs(3);

/// Marks the records of replies: removals of retained messages have the numbers of messages.
const REPLY: u64 = 1 << 63;

/// Runs the commands, and publishes what they answer.
pub struct Exec {
    pub(super) commands: Commands,
    /// Answers that wait until they may be published, each with the number of its message.
    pub(super) replies: VecDeque<(u64, Publish)>,
    options: config::CommandOptions,
    verbosity: Verbosity,
    /// They were asked to end, and then they are killed.
    pub(super) kill_at: Option<Instant>,
}

impl Exec {
    /// Starts what runs the commands.
    pub fn start(
        options: &config::CommandOptions,
        layout: Layout,
        verbosity: Verbosity,
        client: &Client,
    ) -> Result<Self> {
        let settings = Settings {
            words: options.words.clone(),
            jobs: options.jobs,
            stdout: if options.reply { CommandStdout::Captured } else { CommandStdout::Inherited },
            on_failure: options.on_failure,
            guard: GroupWatch::default().guard(),
        };
        let remote = client.remote();
        let commands = Commands::start(&settings, layout, move || remote.wake())
            .context("starting the commands")?;
        Ok(Self {
            commands,
            replies: VecDeque::new(),
            options: options.clone(),
            verbosity,
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

    /// Passes a signal on to the commands; they are killed if they do not end in time.
    pub fn interrupt(&mut self, signal: i32) {
        self.commands.signal(signal);
        self.kill_at.get_or_insert_with(|| Instant::now() + TIME_TO_END);
    }

    /// The time is up for the commands, too.
    pub fn terminate(&mut self) {
        self.commands.terminate();
        self.kill_at.get_or_insert_with(|| Instant::now() + TIME_TO_END);
    }

    /// Kills the commands that have not ended in time.
    pub fn kill(&mut self) {
        self.commands.kill();
        self.kill_at = None;
    }

    /// Looks at the commands that have ended; whether one of them has failed.
    pub fn take_ended(&mut self) -> bool {
        let mut has_failed = false;
        while let Some(ended) = self.commands.ended() {
            has_failed |= self.ended(ended);
        }
        has_failed
    }

    /// What follows a command that failed.
    pub fn on_failure(&self) -> OnFailure {
        self.options.on_failure
    }

    /// Whether what commands write is published.
    pub fn replies(&self) -> bool {
        self.options.reply
    }

    /// A command has ended; whether it has failed.
    fn ended(&mut self, EndedCommand { number, publish, outcome }: EndedCommand) -> bool {
        match outcome {
            CommandOutcome::Done(output) => match self.answer(&publish, output) {
                Some(reply) => self.replies.push_back((number, reply)),
                None => self.commands.done(number),
            },
            CommandOutcome::Dropped => {}
            CommandOutcome::Failed(why) => {
                let topic = publish.topic_or_empty();
                report::line(&format!("running the command for a message to {topic}: {why}"));
                if self.options.on_failure == OnFailure::KeepGoing {
                    self.commands.done(number);
                }
                return true;
            }
        }
        false
    }

    /// The reply that the output of a command becomes.
    fn answer(&self, request: &Publish, output: Bytes) -> Option<Publish> {
        if !self.options.reply {
            return None;
        }
        let topic = request
            .properties
            .response_topic()
            .and_then(|topic| TopicName::new(topic.clone()).ok());
        if topic.is_none() && self.verbosity.warns() {
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
    pub(super) fn publish_replies(&mut self, client: &mut Client) -> bool {
        let mut taken = true;
        while self.replies.front().is_some_and(|(_, reply)| client.can_publish(reply.qos))
            && let Some((number, reply)) = self.replies.pop_front()
        {
            let topic = reply.topic.clone();
            if let Err(unsendable) = client.publish(reply, number | REPLY) {
                let topic = topic.as_ref().map_or("", TopicName::as_str);
                report::line(&format!("replying to {topic}: refused: {unsendable}"));
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
