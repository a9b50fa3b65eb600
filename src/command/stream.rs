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
    let (mut client, _) = super::connect(options)?;
    let Large { name, blocks, length, repeat, pace } = file;
    client.attach_input(Box::new(blocks.source()))?;
    let context =
        format!("publishing to {}", template.topic.as_ref().map_or("", |topic| topic.as_str()));
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
        begun: false,
        given: 0,
        ahead: None,
        goes_on: false,
        requested: false,
        stale: false,
        all_given: None,
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
    telling.end(false, |took| RunSummary {
        verb: "published",
        messages,
        bytes: messages * length as u64,
        refused: Some(streamer.refused),
        took,
        times: Some(("acknowledgement", &streamer.acknowledged)),
    });
    result
}

#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own")]
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
    /// PUBLISH was begun, on this connection or (QoS 1 and 2) on one before.
    begun: bool,
    /// How much of the payload was given to the session on this connection, in bytes.
    given: usize,
    /// A block that was read and not given.
    ahead: Option<Bytes>,
    /// More can be given at once: what else has happened is only looked at in passing.
    goes_on: bool,
    /// A block was asked for and has not come.
    requested: bool,
    /// The block that was asked for is of the reading before.
    stale: bool,
    /// When the end of the payload was given to the session.
    all_given: Option<Instant>,
    /// How long the acknowledgement took from there.
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
            if self.begun && self.given == self.length && self.client.session().in_flight() == 0 {
                if self.published == self.repeat {
                    return Ok(self.verdict);
                }
                self.begun = false;
                self.read_again();
                continue;
            }
            let event = match self.client.poll()? {
                Some(event) => event,
                None => self.wait()?,
            };
            if let Event::Interrupted(signal) = event {
                self.progress.finish();
                screen::begin_line(false);
                report::line(&format!(
                    "publishing: interrupted after {} of {} bytes",
                    self.given, self.length
                ));
                return Ok(Exit::Signal(signal.into()));
            }
            self.handle(event)?;
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
        if self.begun || !self.client.can_publish(self.template.qos) {
            return true;
        }
        let now = Instant::now();
        self.alarm = self.pace.due(None).filter(|due| *due > now);
        if self.alarm.is_some() {
            return true;
        }
        self.pace.published(None, now);
        self.published += 1;
        self.begun = true;
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
            if self.ahead.is_none() && wanted > 0 && !self.requested && self.given < self.length {
                self.ahead = self.blocks.at_once(self.given);
            }
            let Some(block) = self.ahead.as_mut().filter(|_| wanted > 0) else { break };
            let piece = block.split_to(wanted.min(block.len()));
            if block.is_empty() {
                self.ahead = None;
            }
            self.given += piece.len();
            self.client.stream(piece);
            self.all_given = (self.given == self.length).then(Instant::now);
            self.client.send();
        }
        self.goes_on = self.client.session().stream_wants() > 0 && self.given < self.length;
        if self.goes_on && self.ahead.is_none() && !self.requested {
            self.ahead = self.blocks.at_once(self.given);
            if self.ahead.is_none() {
                self.requested = true;
                self.blocks.want(self.given);
                self.client.request_input();
            }
        }
        self.goes_on &= self.ahead.is_some();
    }

    fn handle(&mut self, event: Event) -> Result<()> {
        match event {
            Event::Input(block) => {
                self.requested = false;
                let block = block.with_context(|| format!("reading {}", self.name))?;
                if std::mem::take(&mut self.stale) {
                    return Ok(());
                }
                match block {
                    Some(block) => self.ahead = Some(block),
                    None => bail!("reading {}: it became shorter while it was read", self.name),
                }
            }
            Event::Mqtt(session::Event::StreamAgain { .. }) => self.read_again(),
            Event::Reconnected if self.template.qos == QoS::AtMostOnce => self.begin_again(),
            Event::Mqtt(session::Event::Acknowledged { code, reason, .. }) if code.is_error() => {
                self.refuse(
                    &reason.map_or_else(|| code.to_string(), |reason| format!("{code} ({reason})")),
                );
            }
            Event::Mqtt(session::Event::Acknowledged { .. }) => {
                self.all_given.iter().for_each(|given| self.acknowledged.add(given.elapsed()));
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
        if self.begun && self.given < self.length {
            // The broker never got the whole of it, so it cannot be a duplicate.
            self.published -= 1;
            self.begun = false;
            self.read_again();
        }
        if self.published > 0 && self.verdict == Exit::Done {
            report::line(super::publish::GAPS);
            self.verdict = Exit::Lost;
        }
    }

    fn read_again(&mut self) {
        self.given = 0;
        self.ahead = None;
        self.stale = self.requested;
    }

    fn refuse(&mut self, words: &str) {
        let topic = self.template.topic.as_ref().map_or("", |topic| topic.as_str());
        report::line(&format!("publishing to {topic}: message refused: {words}"));
        self.refused += 1;
        self.verdict = Exit::Denied;
        self.given = self.length;
    }
}
