//! What becomes of a message: wanted or not, written or drawn, counted. It must never know the
//! client.

use std::time::Instant;

use anyhow::Result;
use bytes::Bytes;

use super::manners::Manners;
use super::partial::Partial;
use super::removal::Removals;
use super::selection::{Selection, Verdict};
use super::sink::Sink;
use crate::cli;
use crate::exit::Exit;
use crate::mqtt::packet::Publish;
use crate::mqtt::session::{Delivery, Received};
use crate::report;

/// Where messages go in.
pub struct Intake<'a> {
    args: &'a cli::Subscribe,
    /// Where they are written.
    pub output: Sink,
    /// Messages are written, and nothing else is done about them.
    is_plain: bool,
    selection: Selection<'a>,
    /// Retained messages that are to be removed when they were written.
    pub removals: Removals,
    /// What is done beside writing messages, if anything.
    pub manners: Option<Box<Manners>>,
    /// When the latest message was written, where `--idle` asks for it.
    pub latest: Instant,
    /// Messages that were written, and their payloads in bytes.
    pub received: u64,
    /// See `received`.
    pub bytes: u64,
    /// The message that comes in parts.
    pub partial: Option<Partial>,
}

impl<'a> Intake<'a> {
    /// Nothing came yet.
    pub fn new(args: &'a cli::Subscribe, output: Sink, manners: Option<Box<Manners>>) -> Self {
        let selection = Selection::new(args);
        Self {
            args,
            output,
            is_plain: selection.is_everything() && manners.is_none() && !args.remove_retained,
            selection,
            removals: Removals::default(),
            manners,
            latest: Instant::now(),
            received: 0,
            bytes: 0,
            partial: None,
        }
    }

    /// One of a run of messages came. Where nothing is to be done but to write it, it is written
    /// from where it lies.
    pub fn show(&mut self, mut shown: Received<'_>) -> Option<Exit> {
        let is_copied =
            self.is_plain && self.output.put_copy(shown.number(), shown.topic(), shown.payload());
        if is_copied {
            self.count(shown.payload().len() as u64)
        } else {
            self.take(shown.delivery())
        }
    }

    /// A message came; it may be the last that is wanted.
    pub fn take(&mut self, delivery: &Delivery) -> Option<Exit> {
        let Delivery { number, publish } = delivery;
        match self.selection.verdict(publish, publish.payload.len()) {
            Verdict::Wanted => {}
            Verdict::Unwanted => {
                self.leave_out(*number);
                return None;
            }
            Verdict::TheEnd => {
                self.leave_out(*number);
                return Some(Exit::Done);
            }
        }
        let is_taken = self.manners.as_mut().is_some_and(|manners| manners.take(*number, publish));
        let written = if is_taken { Ok(()) } else { self.output.put(*number, publish) };
        if let (Err(unfit), false) = (written, self.args.conversation.is_quiet()) {
            let topic = publish.topic_or_empty();
            report::warn(&format!("the payload of a message to {topic} {unfit}"));
        }
        self.taken(*number, publish, publish.payload.len() as u64)
    }

    /// A message was written, or will be; it may be the last that is wanted.
    fn taken(&mut self, number: u64, publish: &Publish, length: u64) -> Option<Exit> {
        if let Some(topic) =
            publish.topic.as_ref().filter(|_| self.args.remove_retained && publish.retain)
        {
            self.removals.add(number, topic);
        }
        self.count(length)
    }

    fn count(&mut self, length: u64) -> Option<Exit> {
        self.received += 1;
        self.bytes += length;
        self.note_life();
        (Some(self.received) == self.args.count).then_some(Exit::Done)
    }

    /// `--idle` begins anew.
    fn note_life(&mut self) {
        if self.args.idle.is_some() {
            self.latest = Instant::now();
        }
    }

    /// A large message begins; it, too, may be the end.
    pub fn begin(&mut self, delivery: Delivery, length: usize) -> Option<Exit> {
        let is_wanted = match self.selection.verdict(&delivery.publish, length) {
            Verdict::Wanted => true,
            Verdict::Unwanted => false,
            Verdict::TheEnd => return Some(Exit::Done),
        };
        if is_wanted {
            self.output.begin(&delivery.publish);
        }
        self.partial = Some(Partial::new(delivery, length, is_wanted));
        None
    }

    /// A piece of it came.
    pub fn piece(&mut self, piece: Bytes) {
        self.note_life();
        if self.partial.as_mut().is_some_and(|partial| partial.add(piece.len())) {
            self.output.piece(piece);
        }
    }

    /// It has come as a whole.
    pub fn end(&mut self) -> Option<Exit> {
        let partial = self.partial.take()?;
        let Delivery { number, publish } = &partial.delivery;
        if !partial.is_wanted {
            self.leave_out(*number);
            return None;
        }
        if let Some(manners) = &mut self.manners {
            manners.take(*number, publish);
        }
        self.output.end(*number);
        self.taken(*number, publish, partial.length as u64)
    }

    /// Whether a message is written as it comes, and has not ended.
    pub fn is_amidst(&self) -> bool {
        self.partial.as_ref().is_some_and(|partial| partial.is_wanted)
    }

    /// Nothing more can be written.
    pub fn abandon(&mut self) {
        self.output.abandon();
        self.partial = None;
    }

    /// It will never come as a whole: what is wrong, if some of it was written.
    pub fn torn(&mut self) -> Option<anyhow::Error> {
        self.partial.take().filter(|partial| partial.is_wanted).map(|partial| partial.lost().into())
    }

    /// What ended us may have done so in the middle of a message that is written as it comes.
    pub fn told_as_cut(&mut self, result: Result<Exit>) -> Result<Exit> {
        match self.partial.take().filter(|partial| partial.is_wanted) {
            Some(partial) => partial.told(result, self.output.is_done()),
            None => result,
        }
    }

    /// A message that is not written is acknowledged in its turn.
    fn leave_out(&mut self, number: u64) {
        if !self.manners.as_mut().is_some_and(|manners| manners.leave_out(number)) {
            self.output.skip(number);
        }
    }
}
