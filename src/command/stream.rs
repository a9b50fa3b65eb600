//! `pub -f` of a large file: its payload is read, masked and sent piece by piece, in constant
//! memory; after a lost connection it is read again from its beginning.

use std::time::Instant;

use anyhow::{Context, Result, bail};
use bytes::{Bytes, BytesMut};

use super::publish::pace::Pace;
use super::telling::Telling;
use super::timing;
use crate::client::{Client, Event, Options};
use crate::exit::Exit;
use crate::format::statistics::Statistics;
use crate::mqtt::packet::{PacketId, Publish};
use crate::mqtt::qos::QoS;
use crate::mqtt::session;
use crate::mqtt::version::Version;
use crate::report;
use crate::stdio::file::FileBlocks;
use crate::terminal::progress::{Position, Progress};
use crate::terminal::screen;
use crate::terminal::summary::Account;

/// After so many blocks we look what else has happened.
const BLOCKS_AT_ONCE: usize = 8;

/// A file that is published as one message.
pub struct Large {
    /// What it is called.
    pub name: String,
    /// Its content.
    pub blocks: FileBlocks,
    /// Its length when it was opened, in bytes.
    pub length: usize,
    /// How often it is published, from 1.
    pub repeat: u64,
    /// When each time.
    pub pace: Pace,
}

impl Large {
    /// Whether it fits into a packet like `template`.
    pub fn check(&self, template: &Publish, version: Version) -> Result<()> {
        let packet_id = (template.qos > QoS::AtMostOnce).then_some(PacketId::MIN);
        template
            .encode_header_for(packet_id, self.length, version, &mut BytesMut::new())
            .with_context(|| format!("reading {}", self.name))
    }
}

/// Publishes it; `timed` messages say when they were published.
pub fn run(
    options: Options,
    template: Publish,
    timed: bool,
    file: Large,
    progress: Progress,
    telling: Telling,
) -> Result<Exit> {
    let (mut client, _) = super::connect(options, None)?;
    let Large { name, blocks, length, repeat, pace } = file;
    client.attach_input(Box::new(blocks.source()))?;
    let context = format!("publishing to {}", template.topic_or_empty());
    let mut streamer = Streamer {
        client,
        template,
        timed,
        name,
        length,
        repeat,
        pace,
        published: 0,
        alarm: None,
        blocks,
        progress,
        stage: Stage::Due,
        given: 0,
        ahead: None,
        goes_on: false,
        requested: None,
        acknowledged: Statistics::default(),
        refused: 0,
        verdict: Exit::Done,
    };
    let result = streamer.run();
    streamer.progress.finish();
    let result = super::close(streamer.client, result).context(context);
    // Whatever ended it early has ended it before the latest was finished.
    let is_finished = matches!(result, Ok(Exit::Done | Exit::Denied | Exit::Lost));
    let missing = streamer.refused + u64::from(!is_finished);
    let messages = streamer.published.saturating_sub(missing);
    telling.end(false, |took| Account {
        verb: "published",
        messages,
        bytes: messages * length as u64,
        refused: Some(streamer.refused),
        took,
        times: Some(("acknowledgement", &streamer.acknowledged)),
    });
    result
}

/// How far the message is that was begun last.
#[derive(Debug, Clone, Copy)]
enum Stage {
    /// It is over: the next one is due, if there is one.
    Due,
    /// It was begun, and the session wants its payload on this connection or (QoS 1 and 2) on the
    /// next.
    Begun,
    /// The end of its payload was given to the session then.
    Given(Instant),
    /// The broker has refused it, or is in doubt about it.
    Refused,
}

/// Part of the file.
struct Block {
    /// Where it begins.
    at: usize,
    bytes: Bytes,
}

struct Streamer {
    client: Client,
    template: Publish,
    timed: bool,
    name: String,
    length: usize,
    /// How often it is to be published, and was begun.
    repeat: u64,
    published: u64,
    pace: Pace,
    /// When the next time is, if that is not yet.
    alarm: Option<Instant>,
    blocks: FileBlocks,
    progress: Progress,
    stage: Stage,
    /// How much of the payload was given to the session on the latest connection, in bytes.
    given: usize,
    /// A block that was read and not wholly given. Where it lies tells whether it is still of use.
    ahead: Option<Block>,
    /// More can be given at once: what else has happened is only looked at in passing.
    goes_on: bool,
    /// The block that begins here was asked for and has not come.
    requested: Option<usize>,
    /// How long acknowledgements took from the end of the payload.
    acknowledged: Statistics,
    refused: u64,
    verdict: Exit,
}

impl Streamer {
    fn run(&mut self) -> Result<Exit> {
        loop {
            if !self.begin() {
                return Ok(Exit::Denied);
            }
            self.give();
            if self.is_finished() {
                if self.published == self.repeat {
                    return Ok(self.verdict);
                }
                self.stage = Stage::Due;
                self.given = 0;
                continue;
            }
            let event = match self.client.poll()? {
                Some(event) => event,
                None => self.wait()?,
            };
            if let Event::Interrupted(signal) = event {
                self.progress.finish();
                screen::begin_line(false);
                report::failure(&format!(
                    "publishing: interrupted after {} of {} bytes",
                    self.given, self.length
                ));
                return Ok(Exit::Signal(signal));
            }
            self.handle(event)?;
        }
    }

    /// Whether the message that was begun last is over.
    fn is_finished(&self) -> bool {
        let is_streaming = self.client.session().is_streaming();
        match self.stage {
            Stage::Due => false,
            // At QoS 1 and 2 it was acknowledged early, and the rest of it is not wanted any more.
            Stage::Begun if self.template.qos == QoS::AtMostOnce || is_streaming => false,
            Stage::Given(_) if is_streaming => false,
            Stage::Begun | Stage::Given(_) | Stage::Refused => self.client.is_settled(),
        }
    }

    fn wait(&mut self) -> Result<Event> {
        if self.progress.is_on() {
            let before = self.published.saturating_sub(1) * self.length as u64;
            let position = Position { messages: 0, bytes: 0, read: before + self.given as u64 };
            self.progress.update(position, Instant::now());
        }
        let at_once = self.goes_on.then(Instant::now);
        let reminder = [at_once, self.alarm, self.progress.deadline()].into_iter().flatten().min();
        Ok(self.client.next_reminded(None, reminder)?)
    }

    /// Sends the header as soon as it may be sent; whether the broker takes the message at all.
    fn begin(&mut self) -> bool {
        self.alarm = None;
        if !matches!(self.stage, Stage::Due) || !self.client.can_publish(self.template.qos) {
            return true;
        }
        let now = Instant::now();
        self.alarm = self.pace.due(None).filter(|due| *due > now);
        if self.alarm.is_some() {
            return true;
        }
        self.pace.published(None, now);
        self.published += 1;
        self.stage = Stage::Begun;
        if self.timed {
            timing::stamp(&mut self.template);
        }
        match self.client.publish_stream(self.template.clone(), self.length, 1) {
            Ok(()) => true,
            Err(unsendable) => {
                self.refuse(&unsendable.to_string());
                false
            }
        }
    }

    /// Gives the session what it wants of what is there, and sends it, as far as the server reads
    /// it.
    fn give(&mut self) {
        // Sending makes room, at first perhaps for what was given before.
        self.client.send();
        for _ in 0..BLOCKS_AT_ONCE {
            let wanted = self.client.session().stream_wants();
            if wanted.is_empty() || !self.look_ahead(wanted.start) {
                break;
            }
            if let Some(Block { at, bytes }) = &self.ahead {
                self.client.stream(*at, bytes);
            }
            self.note_given();
            self.client.send();
        }
        let wanted = self.client.session().stream_wants();
        self.goes_on = !wanted.is_empty() && self.look_ahead(wanted.start);
        if !wanted.is_empty() && !self.goes_on && self.requested.is_none() {
            self.requested = Some(wanted.start);
            self.blocks.want(wanted.start);
            self.client.request_input();
        }
        // The end of a message that was refused before makes room for the next.
        let is_due = matches!(self.stage, Stage::Due) && self.alarm.is_none();
        self.goes_on |= is_due && self.client.can_publish(self.template.qos);
    }

    /// Whether the block ahead has this byte of the file, after reading it if that can be done at
    /// once.
    fn look_ahead(&mut self, at: usize) -> bool {
        let is_there = |block: &Block| (block.at..block.at + block.bytes.len()).contains(&at);
        if !self.ahead.as_ref().is_some_and(is_there) {
            // First, so that its memory can be used again.
            self.ahead = None;
            let is_requested = self.requested.is_some();
            let bytes = if is_requested { None } else { self.blocks.at_once(at) };
            self.ahead = bytes.map(|bytes| Block { at, bytes });
        }
        self.ahead.is_some()
    }

    /// After a block was given.
    fn note_given(&mut self) {
        if self.client.session().is_streaming() {
            self.given = self.client.session().stream_wants().start;
            if matches!(self.stage, Stage::Given(_)) {
                // On another connection.
                self.stage = Stage::Begun;
            }
        } else {
            self.given = self.length;
            if matches!(self.stage, Stage::Begun) {
                self.stage = Stage::Given(Instant::now());
            }
        }
    }

    fn handle(&mut self, event: Event) -> Result<()> {
        match event {
            Event::Input(block) => {
                let at = self.requested.take();
                match (at, block.with_context(|| format!("reading {}", self.name))?) {
                    (Some(at), Some(bytes)) => self.ahead = Some(Block { at, bytes }),
                    _ => bail!("reading {}: it became shorter while it was read", self.name),
                }
            }
            Event::Reconnected if self.template.qos == QoS::AtMostOnce => self.begin_again(),
            Event::Mqtt(session::Event::Acknowledged { code, reason, .. }) if code.is_error() => {
                self.refuse(
                    &reason.map_or_else(|| code.to_string(), |reason| format!("{code} ({reason})")),
                );
            }
            Event::Mqtt(session::Event::Acknowledged { .. }) => {
                if let Stage::Given(at) = self.stage {
                    self.acknowledged.add(at.elapsed());
                }
            }
            Event::Mqtt(session::Event::InDoubt { .. }) => {
                self.refuse("in doubt: the broker has lost the session");
            }
            _ => {}
        }
        Ok(())
    }

    /// After a lost connection at QoS 0.
    fn begin_again(&mut self) {
        if matches!(self.stage, Stage::Begun) {
            // The broker never got the whole of it, so it cannot be a duplicate.
            self.published -= 1;
            self.stage = Stage::Due;
        }
        if self.published > 0 && self.verdict == Exit::Done {
            report::failure(super::publish::GAPS);
            self.verdict = Exit::Lost;
        }
    }

    fn refuse(&mut self, words: &str) {
        let topic = self.template.topic_or_empty();
        report::failure(&format!("publishing to {topic}: message refused: {words}"));
        self.refused += 1;
        self.verdict = Exit::Denied;
        self.stage = Stage::Refused;
    }
}
