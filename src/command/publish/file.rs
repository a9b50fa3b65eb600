//! `pub -f` of a large file: its payload is read and sent piece by piece, in constant memory; after
//! a lost connection it is read again from its beginning.

use std::time::Instant;

use anyhow::{Context, Result, bail};
use bytes::{Bytes, BytesMut};

use super::feed::Feed;
use super::tally::{IN_DOUBT, Tally};
use crate::client::{Client, Event, Options};
use crate::command::summary::SummaryPrinter;
use crate::exit::{Exit, worse};
use crate::format::statistics::Statistics;
use crate::format::summary::RunSummary;
use crate::mqtt::packet::{PacketId, Publish};
use crate::mqtt::qos::QoS;
use crate::mqtt::session;
use crate::mqtt::version::Version;
use crate::report;
use crate::stdio::file::FileBlocks;
use crate::terminal::progress::{Position, Progress};
use crate::terminal::screen;

/// After so many blocks we look what else has happened.
const BLOCKS_AT_ONCE: usize = 8;

/// A file that is published as one message, once or several times.
pub struct LargeFile {
    /// Its name, in the words of a line.
    pub name: String,
    /// Its content.
    pub blocks: FileBlocks,
    /// Its length when it was opened, in bytes.
    pub length: usize,
}

impl LargeFile {
    /// Whether it fits into a packet like `template`.
    pub fn check(&self, template: &Publish, version: Version) -> Result<()> {
        let packet_id = (template.qos > QoS::AtMostOnce).then_some(PacketId::MIN);
        template
            .encode_header_for(packet_id, self.length, version, &mut BytesMut::new())
            .with_context(|| format!("reading {}", self.name))
    }
}

/// Publishes the file as often as `feed` says; its messages have no payload of their own.
pub fn run(
    options: Options,
    file: LargeFile,
    feed: Feed,
    progress: Progress,
    summary: &SummaryPrinter,
) -> Result<Exit> {
    let (mut client, _) = crate::command::connect(options, None)?;
    client.attach_input(Box::new(file.blocks.source()))?;
    let context = super::context(feed.template());
    let mut publisher = FilePublisher {
        client,
        file,
        feed,
        tally: Tally::new(context.clone(), false, false),
        progress,
        stage: Stage::Due,
        given: 0,
        ahead: None,
        goes_on: false,
        requested: None,
        acknowledged: Statistics::default(),
    };
    let result = publisher.run();
    publisher.progress.finish();
    let FilePublisher { mut client, file, feed, mut tally, acknowledged, .. } = publisher;
    let result = result.map_err(|error| tally.named(error, feed.template()));
    let result = crate::command::close(&mut client, result, |client, event| {
        tally.count(client, event);
    });
    let result = result.context(context);
    // Whatever ended it early has ended it before the latest was finished.
    let is_finished = matches!(result, Ok(Exit::Done | Exit::Denied | Exit::Lost));
    let messages = tally.published.saturating_sub(tally.refused + u64::from(!is_finished));
    summary.print(false, |took| RunSummary {
        verb: "published",
        messages,
        bytes: messages * file.length as u64,
        refused: Some(tally.refused),
        took,
        times: Some(("acknowledgement", &acknowledged)),
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

struct FilePublisher {
    client: Client,
    file: LargeFile,
    feed: Feed,
    tally: Tally,
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
}

impl FilePublisher {
    fn run(&mut self) -> Result<Exit> {
        loop {
            if !self.begin() {
                return Ok(Exit::Denied);
            }
            self.give();
            if self.is_finished() {
                if self.feed.is_done() {
                    return Ok(self.tally.exit);
                }
                self.stage = Stage::Due;
                self.given = 0;
                continue;
            }
            let event = match self.client.poll()? {
                Some(event) => event,
                None => match self.wait()? {
                    Some(event) => event,
                    None => continue,
                },
            };
            if let Event::Interrupted(signal) = event {
                self.progress.finish();
                screen::begin_line(false);
                report::failure(&format!(
                    "publishing: interrupted after {} of {} bytes",
                    self.given, self.file.length
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
            Stage::Begun if self.feed.template().qos == QoS::AtMostOnce || is_streaming => false,
            Stage::Given(_) if is_streaming => false,
            Stage::Begun | Stage::Given(_) | Stage::Refused => self.client.is_settled(),
        }
    }

    fn wait(&mut self) -> Result<Option<Event>> {
        if self.progress.is_on() {
            let before = self.tally.published.saturating_sub(1) * self.file.length as u64;
            let position = Position { messages: 0, bytes: 0, read: before + self.given as u64 };
            self.progress.update(position, Instant::now());
        }
        if self.goes_on {
            return Ok(self.client.turn()?);
        }
        let alarm = [self.feed.alarm(), self.progress.deadline()].into_iter().flatten().min();
        Ok(Some(self.client.next(alarm)?))
    }

    /// Sends the header as soon as it may be sent; whether the broker takes the message at all.
    fn begin(&mut self) -> bool {
        if !matches!(self.stage, Stage::Due) {
            return true;
        }
        let Some((publish, record)) = self.feed.next_due(&self.client) else { return true };
        self.tally.sent(1, 0, publish.qos);
        self.stage = Stage::Begun;
        match self.client.publish_stream(publish, self.file.length, record) {
            Ok(()) => true,
            Err(unsendable) => {
                self.refuse(record, &unsendable.to_string());
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
            self.file.blocks.want(wanted.start);
            self.client.request_input();
        }
        // The end of a message that was refused before makes room for the next.
        let is_due = matches!(self.stage, Stage::Due) && self.feed.alarm().is_none();
        self.goes_on |= is_due && self.client.can_publish(self.feed.template().qos);
    }

    /// Whether the block ahead has this byte of the file, after reading it if that can be done at
    /// once.
    fn look_ahead(&mut self, at: usize) -> bool {
        let is_there = |block: &Block| (block.at..block.at + block.bytes.len()).contains(&at);
        if !self.ahead.as_ref().is_some_and(is_there) {
            // First, so that its memory can be used again.
            self.ahead = None;
            let is_requested = self.requested.is_some();
            let bytes = if is_requested { None } else { self.file.blocks.at_once(at) };
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
            self.given = self.file.length;
            if matches!(self.stage, Stage::Begun) {
                self.stage = Stage::Given(Instant::now());
            }
        }
    }

    fn handle(&mut self, event: Event) -> Result<()> {
        match event {
            Event::Input(block) => {
                let at = self.requested.take();
                match (at, block.with_context(|| format!("reading {}", self.file.name))?) {
                    (Some(at), Some(bytes)) => self.ahead = Some(Block { at, bytes }),
                    _ => bail!("reading {}: it became shorter while it was read", self.file.name),
                }
            }
            Event::Reconnected => self.reconnected(),
            Event::Mqtt(session::Event::Acknowledged { token: record, code, reason }) => {
                if let (Stage::Given(at), false) = (self.stage, code.is_error()) {
                    self.acknowledged.add(at.elapsed());
                }
                if code.is_error() {
                    self.refuse(record, &super::tally::refusal(code, reason.as_deref()));
                }
            }
            Event::Mqtt(session::Event::InDoubt { token: record }) => self.refuse(record, IN_DOUBT),
            Event::Connected(_)
            | Event::Closed(_)
            | Event::Mqtt(_)
            | Event::Written(_)
            | Event::OutputFailed(_)
            | Event::Woken
            | Event::Interrupted(_)
            | Event::WebSocketPong
            | Event::Sendable
            | Event::Alarm => {}
        }
        Ok(())
    }

    /// After a lost connection: what was published at QoS 0 may be lost with it.
    fn reconnected(&mut self) {
        if self.feed.template().qos > QoS::AtMostOnce {
            return;
        }
        if matches!(self.stage, Stage::Begun) {
            // The broker never got the whole of it, so it cannot be a duplicate.
            self.tally.published -= 1;
            self.stage = Stage::Due;
            self.feed.again();
        }
        if self.tally.published > 0 && self.tally.exit == Exit::Done {
            report::failure(super::GAPS);
            self.tally.exit = worse(self.tally.exit, Exit::Lost);
        }
    }

    fn refuse(&mut self, record: u64, words: &str) {
        self.tally.refuse(&self.client, record, words);
        self.stage = Stage::Refused;
    }
}
