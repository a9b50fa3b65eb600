//! The one way of a message that arrives, as a whole or in parts: filter, sink, count.

use std::time::Instant;

use anyhow::{Error, Result};
use bytes::Bytes;

use super::config::{Destination, MessageOptions, OutputOptions, WatchOptions};
use super::filter::{MessageFilter, Selection};
use super::judge::{Judge, MessageMeaning};
use super::retained::Removals;
use super::sink::Sink;
use crate::client;
use crate::command::latency::Latency;
use crate::exit::Exit;
use crate::format::count::count;
use crate::format::layout::Content;
use crate::mqtt::packet::Publish;
use crate::mqtt::session::{Delivery, Received};
use crate::report::{self, Verbosity};
use crate::stdio::written::Counts;

/// What arrives: a message, or a part of a large one.
pub enum Arrival<'a> {
    /// A message where it lies in the memory of the connection.
    Borrowed(Received<'a>),
    /// A message of its own.
    Owned(&'a Delivery),
    /// A large message, of which only the head is here; its payload has this length.
    Head(Delivery, usize),
    /// The next piece of its payload.
    Piece(Bytes),
    /// Its end.
    End,
}

/// Takes what arrives.
pub struct MessageReceiver {
    /// Where messages are written.
    pub sink: Sink,
    filter: MessageFilter,
    /// Judges the messages that the filter lets through, where not all of them count.
    pub judge: Option<Box<Judge>>,
    /// Retained messages that are to be removed when they were written, if any are.
    pub removals: Option<Removals>,
    /// How long messages took, if that is asked for.
    pub latency: Option<Latency>,
    /// A binary payload is still to be noted.
    notes_binary: bool,
    /// Messages are written, and nothing else is done about them.
    is_plain: bool,
    pub verbosity: Verbosity,
    /// `sub` ends after this many messages.
    count: Option<u64>,
    /// When something was last written, where `--idle` asks for it.
    latest: Option<Instant>,
    /// What was handed to the sink; at the end, what the sink has written.
    pub written: Counts,
    /// The large message that has begun.
    partial: Option<Partial>,
}

impl MessageReceiver {
    /// Takes what arrives as the options say; nothing has come yet.
    pub fn new(sink: Sink, options: &MessageOptions, verbosity: Verbosity) -> Self {
        let filter = MessageFilter::new(options.filter.clone(), options.unchanged);
        let removals = options.remove_retained.then(Removals::default);
        let latency = options.latency.then(Latency::default);
        let notes_binary = verbosity.warns() && shows_text(&options.output);
        let judge = Judge::new(&options.criteria);
        let does_more = removals.is_some() || latency.is_some() || notes_binary || judge.is_some();
        Self {
            sink,
            is_plain: filter.is_everything() && !does_more,
            filter,
            judge,
            removals,
            latency,
            notes_binary,
            verbosity,
            count: options.end.count,
            latest: options.end.idle.map(|_| Instant::now()),
            written: Counts::default(),
            partial: None,
        }
    }

    /// Takes a message or a part of one; the exit code where it is the last that is wanted.
    #[inline(always)]
    pub fn receive(&mut self, received: Arrival<'_>) -> Option<Exit> {
        match received {
            Arrival::Borrowed(mut message) => {
                // Where nothing is to be done but to write it, it is written from where it lies.
                let is_copied = self.is_plain
                    && self.sink.put_copy(message.number(), message.topic(), message.payload());
                if is_copied {
                    self.count(message.payload().len() as u64)
                } else {
                    self.whole(message.delivery())
                }
            }
            Arrival::Owned(delivery) => self.whole(delivery),
            Arrival::Head(delivery, length) => self.head(delivery, length),
            Arrival::Piece(piece) => {
                self.piece(piece);
                None
            }
            Arrival::End => self.end(),
        }
    }

    fn whole(&mut self, Delivery { number, publish }: &Delivery) -> Option<Exit> {
        let length = publish.payload.len();
        match self.filter.select(publish, length) {
            Selection::Wanted => {}
            Selection::Unwanted => {
                self.sink.skip(*number);
                return None;
            }
            Selection::TheEnd => {
                self.sink.skip(*number);
                return Some(self.ended_early());
            }
        }
        match self.judge.as_mut().map_or(MessageMeaning::Counts, |judge| judge.judge(publish)) {
            MessageMeaning::Counts => {}
            MessageMeaning::Other => {
                self.sink.skip(*number);
                return None;
            }
            MessageMeaning::Fails => {
                self.sink.skip(*number);
                return Some(Exit::Local);
            }
        }
        self.note_binary(&publish.payload);
        if let (Err(unfit), true) = (self.sink.put(*number, publish), self.verbosity.warns()) {
            let topic = publish.topic_or_empty();
            report::warn(&format!("the payload of a message to {topic} {unfit}"));
        }
        self.finish(*number, publish, length as u64)
    }

    fn head(&mut self, delivery: Delivery, length: usize) -> Option<Exit> {
        self.partial = Some(match self.filter.select(&delivery.publish, length) {
            Selection::Wanted => {
                self.sink.begin(&delivery.publish);
                Partial::Written(UnfinishedMessage { delivery, length, written: 0 })
            }
            Selection::Unwanted => Partial::LeftOut(delivery.number),
            Selection::TheEnd => return Some(Exit::Done),
        });
        None
    }

    fn piece(&mut self, piece: Bytes) {
        self.restart_idle();
        if let Some(Partial::Written(message)) = &mut self.partial {
            message.written += piece.len();
            self.sink.piece(piece);
        }
    }

    fn end(&mut self) -> Option<Exit> {
        match self.partial.take()? {
            Partial::LeftOut(number) => {
                self.sink.skip(number);
                None
            }
            Partial::Written(message) => {
                let Delivery { number, ref publish } = message.delivery;
                self.sink.end(number);
                self.finish(number, publish, message.length as u64)
            }
        }
    }

    /// A message was written, or will be, with a payload of `length` bytes.
    fn finish(&mut self, number: u64, publish: &Publish, length: u64) -> Option<Exit> {
        if let Some(latency) = &mut self.latency {
            latency.add(publish);
        }
        if let (Some(removals), Some(topic), true) =
            (&mut self.removals, &publish.topic, publish.retain)
        {
            removals.add(number, topic);
        }
        let end = self.count(length);
        let has_failed = self.judge.as_ref().is_some_and(|judge| judge.failure().is_some());
        if has_failed { Some(Exit::Local) } else { end }
    }

    #[inline(always)]
    fn count(&mut self, length: u64) -> Option<Exit> {
        self.written.messages += 1;
        self.written.bytes += length;
        self.restart_idle();
        (Some(self.written.messages) == self.count).then_some(Exit::Done)
    }

    /// The exit where no other retained message comes, before the messages of `-C` have come: a
    /// failure only if they had to match something.
    fn ended_early(&mut self) -> Exit {
        let Some(judge) = self.judge.as_mut().filter(|judge| judge.has_criteria()) else {
            return Exit::Done;
        };
        if self.count.is_none() || judge.expects_nothing() {
            return Exit::Done;
        }
        judge.fail_early(self.written.messages, self.count);
        Exit::Local
    }

    /// The time of `--idle` begins now.
    pub fn restart_idle(&mut self) {
        if self.latest.is_some() {
            self.latest = Some(Instant::now());
        }
    }

    /// The time since then does not count for `--idle`: nothing could come.
    pub fn suspend_idle(&mut self, since: Instant) {
        if let Some(latest) = &mut self.latest
            && *latest < since
        {
            *latest += since.elapsed();
        }
    }

    fn note_binary(&mut self, payload: &[u8]) {
        if self.notes_binary && is_binary(payload) {
            self.notes_binary = false;
            let bytes = count(payload.len() as u64, "byte");
            report::note(&format!("binary payload ({bytes}); --hex or --base64 shows it"));
        }
    }

    /// When something was last written, where `--idle` asks for it.
    pub fn latest(&self) -> Option<Instant> {
        self.latest
    }

    /// The bytes that were written, those of a message that has not ended included.
    pub fn bytes(&self) -> u64 {
        let unfinished = match &self.partial {
            Some(Partial::Written(message)) => message.written as u64,
            Some(Partial::LeftOut(_)) | None => 0,
        };
        self.written.bytes + unfinished
    }

    /// Whether a message is written as it comes, and has not ended.
    pub fn is_amidst(&self) -> bool {
        matches!(self.partial, Some(Partial::Written(_)))
    }

    /// Nothing more can be written.
    pub fn abandon(&mut self) {
        self.sink.abandon();
        self.partial = None;
    }

    /// The message that has begun will never come as a whole: an error, if some of it was written.
    pub fn cut(&mut self) -> Result<Option<Exit>> {
        match self.partial.take() {
            Some(Partial::Written(message)) => Err(message.lost().into()),
            Some(Partial::LeftOut(_)) | None => Ok(None),
        }
    }

    /// Reports it where `sub` ends in the middle of a message that is written as it comes.
    pub fn tell_cut(&mut self, result: Result<Exit>) -> Result<Exit> {
        match self.partial.take() {
            Some(Partial::Written(message)) => message.tell_cut(result, self.sink.is_done()),
            Some(Partial::LeftOut(_)) | None => result,
        }
    }
}

/// A large message that has begun.
#[derive(Debug)]
enum Partial {
    /// It is written as it comes.
    Written(UnfinishedMessage),
    /// It is left out; this is its number.
    LeftOut(u64),
}

/// A message that is written as it comes.
#[derive(Debug)]
struct UnfinishedMessage {
    /// The message, without its payload.
    delivery: Delivery,
    /// The length of its payload, in bytes.
    length: usize,
    /// How much of it was given to the output, in bytes.
    written: usize,
}

impl UnfinishedMessage {
    /// The connection was lost, and the rest does not come.
    fn lost(&self) -> client::Error {
        let (topic, written, length) = (self.topic().to_owned(), self.written, self.length);
        client::Error::MessageCut { topic, written, length }
    }

    /// Reports that `sub` ended in the middle of this message; perhaps (unless `is_sure`) before
    /// the output was written.
    fn tell_cut(&self, result: Result<Exit>, is_sure: bool) -> Result<Exit> {
        let Self { written, length, .. } = self;
        let topic = self.topic();
        match result {
            Ok(exit) => {
                let at_most = if is_sure { "" } else { "at most " };
                report::line(&format!(
                    "subscribed: ended in the middle of a message to {topic}: {at_most}{written} \
                     of {length} bytes were written"
                ));
                Ok(exit)
            }
            Err(error) if is_loss(&error) => Err(self.lost().into()),
            Err(error) => Err(error.context(format!(
                "in the middle of a message to {topic}, of which {written} of {length} bytes were \
                 written"
            ))),
        }
    }

    fn topic(&self) -> &str {
        self.delivery.publish.topic_or_empty()
    }
}

/// Whether only the network is to blame.
fn is_loss(error: &Error) -> bool {
    use client::Error::{Lost, Silent};
    let error = error.downcast_ref::<client::Error>();
    error.is_some_and(|error| matches!(error, Lost(_) | Silent(_)) && error.is_temporary())
}

/// Whether payloads are shown as text on a terminal.
fn shows_text(output: &OutputOptions) -> bool {
    match &output.destination {
        Destination::Watch(WatchOptions::Topics { encoding, .. }) => encoding.is_none(),
        Destination::Watch(WatchOptions::Tree { .. }) | Destination::Report(_) => false,
        Destination::Stdout | Destination::Folder(_) | Destination::Commands(_) => {
            output.layout.control_characters.are_escaped()
                && matches!(output.layout.content, Content::Payload { encoding: None, .. })
        }
    }
}

/// Whether a payload shown as text says little.
fn is_binary(payload: &[u8]) -> bool {
    memchr::memchr(0, payload).is_some() || std::str::from_utf8(payload).is_err()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_not_binary() {
        for text in ["", "grün 日本\r\n\t", "\x1b[31mred\x1b[0m"] {
            assert!(!is_binary(text.as_bytes()), "{text:?}");
        }
        for bytes in [&b"a\0b"[..], b"\xff", b"\x89PNG"] {
            assert!(is_binary(bytes), "{bytes:?}");
        }
    }
}
