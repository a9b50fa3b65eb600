//! Runs a program the way a user does, waits for it within a bound, and tells what came of it. It
//! must never know what the program is meant to do: that is for the tests.

use std::ffi::{OsStr, OsString};
use std::io::{Read, Write};
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread;
use std::time::{Duration, Instant};

/// How long a program may take when the test does not say.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// How much of an output a failed test shows.
const SHOWN: usize = 2000;

/// What is done with a pipe of the program that a test does not merely fill or collect.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Pipe {
    /// Standard input ends after its bytes; standard output is read to its end.
    Whole,
    /// Standard input stays open after its bytes until the program has ended.
    HeldOpen,
    /// Standard output is closed once a line has been read, as `head -1` does.
    OneLine,
    /// Standard output is closed before the program writes anything.
    Closed,
}

/// A program that is yet to be started.
pub struct Program {
    executable: OsString,
    arguments: Vec<OsString>,
    environment: Vec<(String, String)>,
    input: Vec<u8>,
    stdin: Pipe,
    stdout: Pipe,
}

impl Program {
    /// The `mqttws` of this build with `arguments`.
    pub fn new<S: AsRef<OsStr>>(arguments: impl IntoIterator<Item = S>) -> Self {
        Self::of(env!("CARGO_BIN_EXE_mqttws"), arguments)
    }

    /// Another executable, found by name.
    pub fn of<S: AsRef<OsStr>>(executable: &str, arguments: impl IntoIterator<Item = S>) -> Self {
        Self {
            executable: executable.into(),
            arguments: arguments.into_iter().map(|argument| argument.as_ref().to_owned()).collect(),
            environment: Vec::new(),
            input: Vec::new(),
            stdin: Pipe::Whole,
            stdout: Pipe::Whole,
        }
    }

    /// Sets an environment variable; all others but `PATH` are absent.
    pub fn env(mut self, name: &str, value: &str) -> Self {
        self.environment.push((name.to_owned(), value.to_owned()));
        self
    }

    /// What standard input holds before it ends.
    pub fn stdin(mut self, bytes: impl Into<Vec<u8>>) -> Self {
        self.input = bytes.into();
        self
    }

    /// Standard input that does not end while the program runs.
    pub fn stdin_held_open(mut self) -> Self {
        self.stdin = Pipe::HeldOpen;
        self
    }

    /// Standard output read by something like `head -1`.
    pub fn stdout_read_for_one_line(mut self) -> Self {
        self.stdout = Pipe::OneLine;
        self
    }

    /// Standard output that nobody reads.
    pub fn stdout_closed(mut self) -> Self {
        self.stdout = Pipe::Closed;
        self
    }

    /// Starts it and waits for its end.
    pub fn run(self) -> Outcome {
        self.spawn().finish()
    }

    /// Starts it.
    pub fn spawn(self) -> Running {
        let command_line = self.command_line();
        let path = std::env::var_os("PATH").unwrap_or_default();
        let mut child = Command::new(&self.executable)
            .args(&self.arguments)
            .env_clear()
            .env("PATH", path)
            .envs(self.environment)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("cannot start {command_line}: {error}"));
        let (sender, events) = mpsc::channel();
        let held = feed(child.stdin.take().unwrap(), self.input, self.stdin);
        collect(child.stdout.take().unwrap(), Stream::Stdout, self.stdout, sender.clone());
        collect(child.stderr.take().unwrap(), Stream::Stderr, Pipe::Whole, sender);
        Running {
            child,
            command_line,
            events,
            held: Some(held),
            stdout: Vec::new(),
            stderr: Vec::new(),
            started: Instant::now(),
        }
    }

    fn command_line(&self) -> String {
        let mut words = vec![self.executable.to_string_lossy().into_owned()];
        words.extend(
            self.arguments.iter().map(|argument| format!("{:?}", argument.to_string_lossy())),
        );
        words.join(" ")
    }
}

#[derive(Clone, Copy)]
enum Stream {
    Stdout,
    Stderr,
}

/// Writes `input` in a thread of its own; the pipe is held until the returned sender is dropped if
/// it is to be held open. A program that ends without reading everything is no failure of the test.
fn feed(mut pipe: ChildStdin, input: Vec<u8>, mode: Pipe) -> Sender<()> {
    let (held, release) = mpsc::channel();
    thread::spawn(move || {
        let written = pipe.write_all(&input);
        if mode == Pipe::HeldOpen && written.is_ok() {
            release.recv().ok();
        }
    });
    held
}

/// Reads a pipe in a thread of its own. The sender that it drops at the end is how the end is
/// known.
fn collect(
    mut pipe: impl Read + Send + 'static,
    stream: Stream,
    mode: Pipe,
    sender: Sender<(Stream, Vec<u8>)>,
) {
    if mode == Pipe::Closed {
        return;
    }
    thread::spawn(move || {
        let mut buffer = vec![0; 64 * 1024];
        while let Ok(length @ 1..) = pipe.read(&mut buffer) {
            let bytes = &buffer[..length];
            let line =
                bytes.iter().position(|byte| *byte == b'\n').filter(|_| mode == Pipe::OneLine);
            let taken = line.map_or(length, |end| end + 1);
            if sender.send((stream, bytes[..taken].to_vec())).is_err() || line.is_some() {
                break;
            }
        }
    });
}

/// A program that runs; killed when the test ends without having waited for it.
pub struct Running {
    child: Child,
    command_line: String,
    events: Receiver<(Stream, Vec<u8>)>,
    held: Option<Sender<()>>,
    stdout: Vec<u8>,
    stderr: Vec<u8>,
    started: Instant,
}

impl Running {
    /// Its process.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Sends a signal by name (`INT`, `TERM`).
    pub fn signal(&self, name: &str) {
        let kill = format!("kill -{name} {}", self.child.id());
        let status = Command::new("sh").args(["-c", &kill]).status().unwrap();
        assert!(status.success(), "{kill}: {status}");
    }

    /// Ends standard input that was held open.
    pub fn end_stdin(&mut self) {
        self.held = None;
    }

    /// Waits until standard output holds a whole line that satisfies `wanted`, and returns that
    /// line.
    pub fn wait_for_line(&mut self, wanted: impl Fn(&str) -> bool) -> String {
        self.wait_for_line_within(PATIENCE, wanted)
    }

    /// The same, for `limit` at most.
    pub fn wait_for_line_within(
        &mut self,
        limit: Duration,
        wanted: impl Fn(&str) -> bool,
    ) -> String {
        let deadline = Instant::now() + limit;
        let mut looked_at = 0;
        loop {
            let whole =
                self.stdout.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
            let text = String::from_utf8_lossy(&self.stdout[looked_at..whole.max(looked_at)]);
            if let Some(line) = text.split_inclusive('\n').find(|line| wanted(line)) {
                return line.trim_end().to_owned();
            }
            looked_at = whole;
            if !self.wait_for_event(deadline) {
                let outcome = self.reap();
                panic!("it ended, or {limit:?} passed, before the line came\n{outcome}");
            }
        }
    }

    /// Waits until standard error holds these words.
    pub fn wait_for_words(&mut self, words: &str) {
        let deadline = Instant::now() + PATIENCE;
        while !String::from_utf8_lossy(&self.stderr).contains(words) {
            if !self.wait_for_event(deadline) {
                let outcome = self.reap();
                panic!("it ended, or {PATIENCE:?} passed, before {words:?} came\n{outcome}");
            }
        }
    }

    /// Waits for the end, for [`PATIENCE`] at most.
    pub fn finish(self) -> Outcome {
        self.finish_within(PATIENCE)
    }

    /// Waits for the end; one that takes longer than `limit` is killed and fails the test.
    pub fn finish_within(mut self, limit: Duration) -> Outcome {
        let deadline = Instant::now() + limit;
        while self.wait_for_event(deadline) {}
        let ended = self.has_ended(deadline);
        let outcome = self.reap();
        assert!(ended, "it had not ended after {limit:?} and was killed\n{outcome}");
        outcome
    }

    /// Takes the next piece of output; false when both outputs have ended or the time is up.
    fn wait_for_event(&mut self, deadline: Instant) -> bool {
        let left = deadline.saturating_duration_since(Instant::now());
        match self.events.recv_timeout(left) {
            Ok((Stream::Stdout, bytes)) => self.stdout.extend(bytes),
            Ok((Stream::Stderr, bytes)) => self.stderr.extend(bytes),
            Err(_) => return false,
        }
        true
    }

    /// Whether it ends before the deadline. Its outputs have ended (the kernel closes them just
    /// before a process can be waited for), so the loop turns once or twice; it is there to bound
    /// the wait.
    fn has_ended(&mut self, deadline: Instant) -> bool {
        loop {
            match self.child.try_wait().unwrap() {
                Some(_) => return true,
                None if Instant::now() >= deadline => return false,
                None => thread::park_timeout(Duration::from_millis(1)),
            }
        }
    }

    /// Makes sure that it is gone, by its own handle.
    fn reap(&mut self) -> Outcome {
        let took = self.started.elapsed();
        self.child.kill().ok();
        let status = self.child.wait().unwrap();
        self.held = None;
        Outcome {
            command_line: std::mem::take(&mut self.command_line),
            status,
            stdout: std::mem::take(&mut self.stdout),
            stderr: std::mem::take(&mut self.stderr),
            took,
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

/// How a program ended and what it wrote. Displayed, it is a bug report.
pub struct Outcome {
    command_line: String,
    status: ExitStatus,
    /// Everything that was read of standard output.
    pub stdout: Vec<u8>,
    /// Everything that was read of standard error.
    pub stderr: Vec<u8>,
    /// From start to end.
    pub took: Duration,
}

impl Outcome {
    /// The exit code; none when a signal ended it.
    pub fn code(&self) -> Option<i32> {
        self.status.code()
    }

    /// Compares the exit code and both outputs exactly.
    pub fn expect(&self, code: i32, stdout: impl AsRef<[u8]>, stderr: &str) {
        let stdout = stdout.as_ref();
        let same =
            self.code() == Some(code) && self.stdout == stdout && self.stderr == stderr.as_bytes();
        assert!(
            same,
            "not what was expected: exit code {code}\n--- stdout ({} bytes)\n{}\n--- stderr\n{}\nbut:\n{self}",
            stdout.len(),
            shown(stdout),
            shown(stderr.as_bytes()),
        );
    }
}

impl std::fmt::Display for Outcome {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        writeln!(formatter, "$ {}", self.command_line)?;
        writeln!(formatter, "{} after {:?}", self.status, self.took)?;
        writeln!(formatter, "--- stdout ({} bytes)\n{}", self.stdout.len(), shown(&self.stdout))?;
        write!(formatter, "--- stderr ({} bytes)\n{}", self.stderr.len(), shown(&self.stderr))
    }
}

/// Bytes as text that a terminal survives, line by line, cut short when long.
fn shown(bytes: &[u8]) -> String {
    let text = bytes[..bytes.len().min(SHOWN)].escape_ascii().to_string().replace("\\n", "\\n\n");
    if bytes.len() > SHOWN { format!("{text}... (cut)") } else { text }
}
