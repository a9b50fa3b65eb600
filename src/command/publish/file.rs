//! `pub -f` of large files: their payloads are read and sent piece by piece, in constant memory;
//! after a lost connection a file is read again from its beginning.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use bytes::Bytes;

use super::closing::{self, Ending};
use super::feed::Feed;
use super::large_file::LargeFile;
use super::tally::{AtMostOnce, GAPS, IN_DOUBT, Tally};
use crate::client::{Client, Event, Options};
use crate::command;
use crate::command::summary::SummaryPrinter;
use crate::exit::{Exit, worse};
use crate::format::count::{count, count_of};
use crate::format::statistics::Statistics;
use crate::format::summary::RunSummary;
use crate::mqtt::qos::QoS;
use crate::mqtt::session;
use crate::report;
use crate::terminal::progress::{Part, Position, Progress, Unit};
use crate::terminal::screen;

/// How many blocks are given before the next check for events: enough that the check costs little,
/// few enough that a signal is noticed within milliseconds.
const BLOCKS_AT_ONCE: usize = 8;

/// Publishes the files as often as `feed` says; its messages have no payload of their own.
// Not part of the caller, whose frame would hold what this one needs.
#[inline(never)]
pub fn run(
    options: Options,
    file: LargeFile,
    feed: Feed,
    progress: Progress,
    limit: Option<(Instant, Duration)>,
    summary: &SummaryPrinter,
) -> Result<Exit> {
    let (mut client, _) = crate::command::connect(options, limit)?;
    client.attach_input(Box::new(file.blocks.source()))?;
    let total = file.length_of_all().map(|length| length.saturating_mul(feed.topics()));
    let mut publisher = FilePublisher {
        client,
        tally: feed.tally(false),
        file,
        feed,
        progress,
        limit,
        lengths: MessageLengths { all: total, ..MessageLengths::default() },
        state: TransferState::Due,
        given: 0,
        ahead: None,
        requested: None,
        acknowledged: Statistics::default(),
    };
    let result = publisher.run();
    publisher.end(result, summary)
}

/// How far the message is that was begun last.
#[derive(Debug, Clone, Copy)]
enum TransferState {
    /// It is over: the next message is due, if there is one.
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
struct FileBlock {
    /// Where it begins in the file.
    at: usize,
    bytes: Bytes,
}

/// Lengths of messages, in bytes.
#[derive(Debug, Default)]
struct MessageLengths {
    /// Of all of them, where that has an end.
    all: Option<u64>,
    /// Of those that are over.
    over: u64,
    /// Of those that were handed over.
    handed_over: u64,
}

struct FilePublisher {
    client: Box<Client>,
    file: LargeFile,
    feed: Feed,
    tally: Tally,
    progress: Progress,
    /// The time of `-W`.
    limit: Option<(Instant, Duration)>,
    lengths: MessageLengths,
    state: TransferState,
    /// How much of the payload was given to the session on the latest connection, in bytes.
    given: usize,
    /// A block that was read and not wholly given. Where it lies tells whether it is still of use.
    ahead: Option<FileBlock>,
    /// The block that begins here was asked for and has not come.
    requested: Option<usize>,
    /// How long acknowledgements took from the end of the payload.
    acknowledged: Statistics,
}

impl FilePublisher {
    fn run(&mut self) -> Result<Exit> {
        loop {
            if !self.begin()? {
                return Ok(Exit::Denied);
            }
            let goes_on = self.give();
            if self.is_finished() {
                self.note_end();
                if self.feed.is_done() {
                    return Ok(self.all_done());
                }
                continue;
            }
            if command::is_over(self.deadline()) {
                return Ok(Exit::TimedOut);
            }
            let event = match self.client.poll()? {
                Some(event) => event,
                None => match self.wait(goes_on)? {
                    Some(event) => event,
                    None => continue,
                },
            };
            if let Event::Interrupted(signal) = event {
                return Ok(Exit::Signal(signal.into()));
            }
            self.handle(event)?;
        }
    }

    /// The message that was begun last is over.
    fn note_end(&mut self) {
        let length = self.file.length as u64;
        self.lengths.over += length;
        if !matches!(self.state, TransferState::Refused) {
            self.lengths.handed_over += length;
        }
        self.state = TransferState::Due;
        if !self.feed.is_done() {
            self.given = 0;
        }
    }

    /// Every message is over.
    fn all_done(&mut self) -> Exit {
        if !self.client.session().is_online() {
            self.tell_gaps();
        }
        self.tally.exit
    }

    /// When the time of `-W` is up.
    fn deadline(&self) -> Option<Instant> {
        self.limit.map(|(until, _)| until)
    }

    /// Reports why it ended early, if it did.
    fn tell_end(&self, result: &Result<Exit>) {
        if let Ok(Exit::Signal(_)) = result {
            screen::begin_line(false);
            self.tell_unfinished("interrupted");
        } else if let (Ok(Exit::TimedOut), Some((_, after))) = (result, self.limit) {
            self.tell_unfinished(&format!("timed out after {} s", after.as_secs_f64()));
        }
    }

    /// Reports how much was sent when it ended early.
    fn tell_unfinished(&self, why: &str) {
        let sent = count_of(self.given as u64, self.file.length as u64, "byte");
        let Tally { published, refused, .. } = self.tally;
        let unfinished = self.client.session().in_flight() as u64 + refused;
        let finished = published.saturating_sub(unfinished);
        let of_which = match self.tally.at_most_once {
            _ if !self.tally.is_numbered => String::new(),
            AtMostOnce::Unused | AtMostOnce::Sent => {
                let were = if finished == 1 { "was" } else { "were" };
                let messages = count(finished, "message");
                let message = self.tally.record_of(published);
                format!(" of message {message}; {messages} {were} handed over")
            }
            AtMostOnce::MaybeLost => format!(
                " of message {}; earlier ones may be missing: the connection was lost meanwhile",
                self.tally.record_of(published)
            ),
        };
        report::line(&format!("publishing: {why} with {sent} sent{of_which}"));
    }

    /// Closes the connection, and prints the summary.
    fn end(mut self, result: Result<Exit>, summary: &SummaryPrinter) -> Result<Exit> {
        self.progress.finish();
        let session = self.client.session();
        let unfinished = session.first_unfinished().unwrap_or(self.tally.published + 1);
        let first = self.tally.record_of(unfinished);
        let (in_doubt, is_online) = (session.in_flight() as u64, session.is_online());
        let result = result
            .map_err(|error| self.tally.with_counts(error, self.feed.template(), in_doubt, first));
        if !is_online {
            self.tally.connection_lost();
        }
        self.given = self.given.saturating_sub(self.client.unsent());
        let limit = self.deadline();
        let closed = closing::close(&mut self.client, result, limit, &mut self.tally);
        if let Ok((_, Ending::Lost)) = closed {
            self.tally.connection_lost();
        }
        let context = self.tally.context.clone();
        let result = closed
            .map(|(exit, _)| exit)
            .map_err(|error| command::while_connected(error, context, &self.client));
        self.tell_end(&result);
        self.print_summary(&result, summary);
        command::with_earlier(result, self.tally.exit)
    }

    fn print_summary(&self, result: &Result<Exit>, summary: &SummaryPrinter) {
        let tally = &self.tally;
        // A run that ended early ended before its latest message was finished.
        let is_finished = matches!(result, Ok(Exit::Done | Exit::Denied | Exit::Lost));
        let messages = tally.published.saturating_sub(tally.refused + u64::from(!is_finished));
        summary.print(false, |took| RunSummary {
            verb: "published",
            messages,
            bytes: self.lengths.handed_over,
            refused: Some(tally.refused),
            took,
            times: Some(("acknowledgement", &self.acknowledged)),
        });
    }

    /// Whether the message that was begun last is over.
    fn is_finished(&self) -> bool {
        let is_streaming = self.client.session().is_streaming();
        match self.state {
            TransferState::Due => false,
            // At QoS 1 and 2: it was acknowledged early, and its rest is not wanted any more.
            TransferState::Begun if self.feed.template().qos == QoS::AtMostOnce || is_streaming => {
                false
            }
            TransferState::Given(_) if is_streaming => false,
            TransferState::Begun | TransferState::Given(_) | TransferState::Refused => {
                self.client.is_settled()
            }
        }
    }

    /// Waits for an event; where more can be given at once (`goes_on`) it only checks for one.
    fn wait(&mut self, goes_on: bool) -> Result<Option<Event>> {
        if self.progress.is_on() {
            let position = self.position();
            self.progress.update(position, Instant::now());
        }
        if goes_on {
            return Ok(self.client.turn()?);
        }
        let alarms = [self.feed.alarm(), self.progress.deadline(), self.deadline()];
        Ok(Some(self.client.next(alarms.into_iter().flatten().min())?))
    }

    /// How much of all messages together was given to the connection.
    fn position(&self) -> Position {
        let bytes = self.lengths.over + self.given as u64;
        let Some(total) = self.lengths.all else {
            return Position { messages: self.tally.published, bytes, ..Position::default() };
        };
        let whole = Part { done: bytes.min(total), total, unit: Unit::Bytes, ends: None };
        Position { whole: Some(whole), ..Position::default() }
    }

    /// Sends the header as soon as it may be sent; whether the broker takes the message at all.
    fn begin(&mut self) -> Result<bool> {
        // A block that still comes is one of the file before.
        let is_blocked = self.file.has_several() && self.requested.is_some();
        if is_blocked || !matches!(self.state, TransferState::Due) {
            return Ok(true);
        }
        let Some((publish, message)) = self.feed.next_due(&self.client) else { return Ok(true) };
        let record = self.tally.record_of(message);
        if self.file.turns_to(record) {
            self.file.turn_to(record)?;
            self.ahead = None;
        }
        self.tally.sent(1, 0, publish.qos);
        self.state = TransferState::Begun;
        if let Err(unsendable) = self.client.publish_stream(publish, self.file.length, message) {
            self.refuse(message, &unsendable.to_string());
            return Ok(false);
        }
        if self.file.length == 0 {
            self.state = TransferState::Given(Instant::now());
        }
        Ok(true)
    }

    /// Gives the session as much of the file as it wants and as can be read at once, and sends it
    /// as far as the server reads; whether more can be given at once.
    fn give(&mut self) -> bool {
        // Sending makes room, at first perhaps for blocks that were given before.
        self.client.send();
        for _ in 0..BLOCKS_AT_ONCE {
            let wanted = self.client.session().stream_wants();
            if wanted.is_empty() || !self.look_ahead(wanted.start) {
                break;
            }
            if let Some(FileBlock { at, bytes }) = &self.ahead {
                self.client.stream(*at, bytes);
            }
            self.note_given();
            self.client.send();
        }
        let wanted = self.client.session().stream_wants();
        let is_ahead = !wanted.is_empty() && self.look_ahead(wanted.start);
        if !wanted.is_empty() && !is_ahead && self.requested.is_none() {
            self.requested = Some(wanted.start);
            self.file.blocks.want(wanted.start);
            self.client.request_input();
        }
        // The end of a message that was refused before makes room for the next.
        let is_due = matches!(self.state, TransferState::Due) && self.feed.alarm().is_none();
        is_ahead || (is_due && self.client.can_publish(self.feed.template().qos))
    }

    /// Whether the block ahead has this byte of the file, after reading it if that can be done at
    /// once.
    fn look_ahead(&mut self, at: usize) -> bool {
        let is_there = |block: &FileBlock| (block.at..block.at + block.bytes.len()).contains(&at);
        if !self.ahead.as_ref().is_some_and(is_there) {
            // First, so that its memory can be used again.
            self.ahead = None;
            let is_requested = self.requested.is_some();
            let bytes = if is_requested { None } else { self.file.blocks.at_once(at) };
            self.ahead = bytes.map(|bytes| FileBlock { at, bytes });
        }
        self.ahead.is_some()
    }

    /// After a block was given.
    fn note_given(&mut self) {
        if self.client.session().is_streaming() {
            self.given = self.client.session().stream_wants().start;
            if matches!(self.state, TransferState::Given(_)) {
                // On another connection.
                self.state = TransferState::Begun;
            }
        } else {
            self.given = self.file.length;
            if matches!(self.state, TransferState::Begun) {
                self.state = TransferState::Given(Instant::now());
            }
        }
    }

    fn handle(&mut self, event: Event) -> Result<()> {
        match event {
            Event::Input(block) => {
                let at = self.requested.take();
                match (at, block.with_context(|| format!("reading {}", self.file.name))?) {
                    (Some(at), Some(bytes)) => self.ahead = Some(FileBlock { at, bytes }),
                    _ => bail!(
                        "reading {}: the file became shorter while it was read",
                        self.file.name
                    ),
                }
            }
            Event::Reconnected => self.reconnected(),
            Event::Mqtt(event) => self.handle_packet(event),
            Event::Written(_)
            | Event::OutputFailed(_)
            | Event::Woken
            | Event::Connected(_)
            | Event::Closed(_)
            | Event::Interrupted(_)
            | Event::WebSocketPong
            | Event::Sendable
            | Event::Alarm => {}
        }
        Ok(())
    }

    fn handle_packet(&mut self, event: session::Event) {
        match event {
            session::Event::Acknowledged { token: message, code, reason } => {
                if code.is_error() {
                    self.refuse(message, &self.tally.refusal(code, reason.as_deref()));
                } else if let TransferState::Given(at) = self.state {
                    self.acknowledged.add(at.elapsed());
                }
            }
            session::Event::InDoubt { token: message } => self.refuse(message, IN_DOUBT),
            // Nothing is subscribed to, and only acknowledgements are of interest.
            session::Event::SomeAcknowledged
            | session::Event::Connected(_)
            | session::Event::Refused(_)
            | session::Event::Message(_)
            | session::Event::MessageBegins { .. }
            | session::Event::Piece(_)
            | session::Event::MessageEnds
            | session::Event::MessageCut
            | session::Event::Subscribed(_)
            | session::Event::NotSubscribed { .. }
            | session::Event::Unsubscribed(_)
            | session::Event::AllReleased
            | session::Event::Answered { .. }
            | session::Event::Pong
            | session::Event::Disconnected(_) => {}
        }
    }

    /// After a lost connection: messages of QoS 0 may be lost with it.
    fn reconnected(&mut self) {
        if self.feed.template().qos > QoS::AtMostOnce {
            return;
        }
        if matches!(self.state, TransferState::Begun) {
            // The broker never got the whole message, so the next one is no duplicate.
            self.tally.published -= 1;
            self.state = TransferState::Due;
            self.feed.again();
        }
        self.tell_gaps();
    }

    /// The connection was lost: messages of QoS 0 that were sent before may be lost with it.
    fn tell_gaps(&mut self) {
        let is_at_most_once = self.feed.template().qos == QoS::AtMostOnce;
        if is_at_most_once && self.tally.published > 0 && self.tally.exit == Exit::Done {
            report::line(GAPS);
            self.tally.exit = worse(self.tally.exit, Exit::Lost);
        }
    }

    fn refuse(&mut self, message: u64, words: &str) {
        self.tally.refuse(message, words);
        self.state = TransferState::Refused;
    }
}
