//! What becomes of a message: wanted or not, written or drawn, counted. It must never know the client.

use std::time::Instant;

use super::manners::Manners;
use super::removal::Removals;
use super::selection::{Selection, Verdict};
use super::sink::Sink;
use crate::cli;
use crate::mqtt::session::Delivery;
use crate::report::{self, Exit};

/// Where messages go in.
pub struct Intake<'a> {
    args: &'a cli::Subscribe,
    /// Where they are written.
    pub output: Sink,
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
}

impl<'a> Intake<'a> {
    /// Nothing came yet.
    pub fn new(args: &'a cli::Subscribe, output: Sink, manners: Option<Box<Manners>>) -> Self {
        Self {
            args,
            output,
            selection: Selection::new(args),
            removals: Removals::default(),
            manners,
            latest: Instant::now(),
            received: 0,
            bytes: 0,
        }
    }

    /// A message came; it may be the last that is wanted.
    pub fn take(&mut self, delivery: &Delivery) -> Option<Exit> {
        let Delivery { number, publish } = delivery;
        match self.selection.verdict(publish) {
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
            let topic = publish.topic.as_ref().map_or("", |topic| topic.as_str());
            report::warn(&format!("the payload of a message to {topic} {unfit}"));
        }
        if let Some(topic) = publish.topic.as_ref().filter(|_| self.args.remove_retained && publish.retain) {
            self.removals.add(*number, topic);
        }
        self.received += 1;
        self.bytes += publish.payload.len() as u64;
        if self.args.idle.is_some() {
            self.latest = Instant::now();
        }
        (Some(self.received) == self.args.count).then_some(Exit::Done)
    }

    /// A message that is not written is acknowledged in its turn.
    fn leave_out(&mut self, number: u64) {
        if !self.manners.as_mut().is_some_and(|manners| manners.leave_out(number)) {
            self.output.skip(number);
        }
    }
}
