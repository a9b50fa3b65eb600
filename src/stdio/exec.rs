//! `--exec`: a command for each message, a bounded number of them at once, each with a thread that
//! waits for it. The caller is woken when a command has ended, and is told how it ended and up to
//! which message all commands have ended.

mod environment;
mod process;
#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::ffi::OsString;
use std::io;
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use bytes::{Bytes, BytesMut};

use self::process::{Job, Running};
use super::local_time;
use super::written::Counts;
use crate::format::layout::Layout;
use crate::format::template::FormatError;
use crate::mqtt::packet::Publish;
use crate::signals::GroupGuard;

pub use self::environment::CREDENTIALS;
pub use self::process::{CommandOutcome, CommandStdout};

/// Which commands, and how.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The program and its arguments.
    pub words: Vec<OsString>,
    /// How many at once.
    pub jobs: usize,
    /// What becomes of their stdout.
    pub stdout: CommandStdout,
    /// What happens when one fails.
    pub on_failure: OnFailure,
    /// Sees to their ends where we cannot.
    pub guard: GroupGuard,
}

/// What happens when a command has failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnFailure {
    /// No other command is started.
    Stop,
    /// Others are started all the same.
    KeepGoing,
}

/// A message whose command has ended.
#[derive(Debug)]
pub struct EndedCommand {
    /// Its number.
    pub number: u64,
    /// The message, without its payload.
    pub publish: Publish,
    /// What became of the command.
    pub outcome: CommandOutcome,
}

/// A message that was put in; in their order.
#[derive(Debug)]
struct QueuedCommand {
    number: u64,
    /// The length of its payload.
    length: u64,
    state: CommandState,
}

/// How far the command of a message has come.
#[derive(Debug)]
enum CommandState {
    /// It runs, or waits to be started; the message without its payload.
    Running(Publish),
    /// It has ended.
    Ended,
    /// Nothing more follows for the message.
    Done,
}

/// The commands of a run, in the order of their messages.
#[derive(Debug)]
pub struct Commands {
    layout: Layout,
    jobs: Sender<Job>,
    outcomes: Receiver<(u64, CommandOutcome)>,
    running: Arc<Running>,
    entries: VecDeque<QueuedCommand>,
    /// Commands that were ordered and have not ended.
    unfinished: usize,
    /// The messages whose commands are done.
    counts: Counts,
    limit: usize,
}

impl Commands {
    /// Starts the threads; `wake` is called by them whenever [`Commands::ended`] has something to
    /// tell. What a command reads is a message in this layout.
    pub fn start(
        settings: &Settings,
        layout: Layout,
        wake: impl Fn() + Clone + Send + 'static,
    ) -> io::Result<Self> {
        let (jobs, orders) = mpsc::channel();
        let (report, outcomes) = mpsc::channel();
        let orders = Arc::new(Mutex::new(orders));
        let running = Arc::new(Running::new(settings.guard.clone()));
        for _ in 0..settings.jobs {
            let (orders, running, settings) =
                (Arc::clone(&orders), Arc::clone(&running), settings.clone());
            let (report, wake) = (report.clone(), wake.clone());
            let body = move || work(&orders, &running, &settings, &report, &wake);
            thread::Builder::new().name("commands".to_owned()).spawn(body)?;
        }
        let entries = VecDeque::new();
        Ok(Self {
            layout,
            jobs,
            outcomes,
            running,
            entries,
            unfinished: 0,
            counts: Counts::default(),
            limit: 2 * settings.jobs,
        })
    }

    /// Orders the command for a message.
    pub fn put(&mut self, number: u64, publish: &Publish) -> Result<(), FormatError> {
        let (input, result) = self.input(publish);
        let job = Job { number, variables: environment::variables(publish), input };
        let length = publish.payload.len() as u64;
        let publish = Publish { payload: Bytes::new(), ..publish.clone() };
        let state = CommandState::Running(publish);
        self.entries.push_back(QueuedCommand { number, length, state });
        self.unfinished += 1;
        // The threads outlive us.
        let _ = self.jobs.send(job);
        result
    }

    fn input(&self, publish: &Publish) -> (Bytes, Result<(), FormatError>) {
        if self.layout.is_bare() {
            return (publish.payload.clone(), Ok(()));
        }
        let mut text = BytesMut::new();
        let now = self.layout.needs_time().then(local_time);
        let result = self.layout.write(publish, now.as_ref(), &mut text);
        (text.freeze(), result)
    }

    /// Counts a message without a command: it is done in its turn.
    pub fn skip(&mut self, number: u64) {
        self.entries.push_back(QueuedCommand { number, length: 0, state: CommandState::Done });
    }

    /// A command that has ended.
    pub fn ended(&mut self) -> Option<EndedCommand> {
        let (number, outcome) = self.outcomes.try_recv().ok()?;
        self.unfinished -= 1;
        let entry = self.entries.iter_mut().find(|entry| entry.number == number)?;
        match std::mem::replace(&mut entry.state, CommandState::Ended) {
            CommandState::Running(publish) => Some(EndedCommand { number, publish, outcome }),
            CommandState::Ended | CommandState::Done => None,
        }
    }

    /// Marks a message as done: nothing more follows for it.
    pub fn done(&mut self, number: u64) {
        if let Some(entry) = self.entries.iter_mut().find(|entry| entry.number == number) {
            entry.state = CommandState::Done;
            self.counts.add(Counts { messages: 1, bytes: entry.length });
        }
    }

    /// How many messages were marked as done, and their payloads.
    pub fn counts(&self) -> Counts {
        self.counts
    }

    /// The last message up to which everything is done, if there is a new one.
    pub fn done_up_to(&mut self) -> Option<u64> {
        let is_done = |entry: &QueuedCommand| matches!(entry.state, CommandState::Done);
        let mut last = None;
        while self.entries.front().is_some_and(is_done) {
            last = self.entries.pop_front().map(|entry| entry.number);
        }
        last
    }

    /// Whether as many messages wait as are allowed.
    pub fn is_full(&self) -> bool {
        self.entries.len() >= self.limit
    }

    /// Whether no command runs, nor will without another message.
    pub fn is_idle(&self) -> bool {
        self.unfinished == 0
    }

    /// No other command is started: those that were ordered are dropped.
    pub fn stop(&self) {
        self.running.stop();
    }

    /// Passes a signal on to the commands that run; no other is started.
    pub fn signal(&self, signal: i32) {
        self.running.signal(signal);
    }

    /// Asks the commands that run to end; no other is started.
    pub fn terminate(&self) {
        self.running.terminate();
    }

    /// Ends the commands that run.
    pub fn kill(&self) {
        self.running.kill();
    }
}

fn work(
    orders: &Mutex<Receiver<Job>>,
    running: &Running,
    settings: &Settings,
    report: &Sender<(u64, CommandOutcome)>,
    wake: &impl Fn(),
) {
    loop {
        let order = orders.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok(job) = order else { return };
        let number = job.number;
        let outcome = running.run(&settings.words, job, settings.stdout);
        let failed = matches!(outcome, CommandOutcome::Failed(_));
        if failed && settings.on_failure == OnFailure::Stop {
            // Before another is taken: the caller learns of the failure too late for that.
            running.stop();
        }
        if report.send((number, outcome)).is_err() {
            return;
        }
        wake();
    }
}
