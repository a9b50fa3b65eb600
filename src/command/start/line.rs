//! What connects `sub` with the process that supervises its command: a pair of sockets. That
//! process has its end in the place of stdout. It says there how the command has ended, and that
//! `sub` closes the other end tells it that it is not needed any more, whether `sub` does so or
//! its death.

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::AsFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use rustix::process::{Signal, WaitStatus, getpid, kill_process};

/// Stands before the report, after what says why the command could not be run.
const MARK: char = '\0';

/// The most that is read, in bytes.
const LONGEST: u64 = 4096;

/// The end of the process that supervises.
#[derive(Debug)]
pub struct SupervisorLine {
    file: File,
    is_released: Arc<AtomicBool>,
}

impl SupervisorLine {
    /// Takes it from the place of stdout. When the other end is closed, this process gets SIGUSR1.
    pub fn open() -> io::Result<Self> {
        let file = File::from(io::stdout().as_fd().try_clone_to_owned()?);
        let mut watched = file.try_clone()?;
        let is_released = Arc::new(AtomicBool::new(false));
        let shared = Arc::clone(&is_released);
        let watch = move || {
            // Nothing is ever sent.
            let _ = watched.read(&mut [0]);
            shared.store(true, Ordering::SeqCst);
            let _ = kill_process(getpid(), Signal::USR1);
        };
        thread::Builder::new().name("line".to_owned()).spawn(watch)?;
        Ok(Self { file, is_released })
    }

    /// Whether the other end was closed.
    pub fn is_released(&self) -> bool {
        self.is_released.load(Ordering::SeqCst)
    }

    /// Says how the command has ended.
    pub fn report(&self, status: WaitStatus) {
        let text = match (status.exit_status(), status.terminating_signal()) {
            (Some(code), _) => format!("{MARK}exit {code}\n"),
            (None, Some(signal)) => format!("{MARK}signal {signal}\n"),
            (None, None) => return,
        };
        // It fails only where nobody is told any more.
        let _ = (&self.file).write_all(text.as_bytes());
    }
}

/// How a command ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SingleEnd {
    /// With exit code 0.
    Done,
    /// It failed, and how.
    Failed(String),
    /// It could not be run, and why.
    NotRun(String),
}

impl SingleEnd {
    /// From an exit code, or from the number of the signal that has ended it.
    pub fn of(code: Option<i32>, signal: Option<i32>) -> Self {
        match (code, signal) {
            (Some(0), _) => Self::Done,
            (Some(code), _) => Self::Failed(format!("it ended with exit code {code}")),
            (None, Some(signal)) => Self::Failed(format!("signal {signal} ended it")),
            (None, None) => Self::Failed("it did not end well".to_owned()),
        }
    }

    /// Reads what the process that supervises the command says about its end.
    pub fn read(line: &mut impl Read) -> Self {
        let mut text = Vec::new();
        let mut byte = [0];
        let has_end = |text: &[u8]| text.contains(&(MARK as u8)) && text.ends_with(b"\n");
        while (text.len() as u64) < LONGEST
            && !has_end(&text)
            && matches!(line.read(&mut byte), Ok(1))
        {
            text.push(byte[0]);
        }
        Self::parse(&String::from_utf8_lossy(&text))
    }

    fn parse(text: &str) -> Self {
        let (reason, report) = text.split_once(MARK).unwrap_or((text, ""));
        if !reason.is_empty() {
            return Self::NotRun(reason.to_owned());
        }
        let number = |word| report.trim_end().strip_prefix(word)?.parse().ok();
        match (number("exit "), number("signal ")) {
            (None, None) => Self::Failed("the process that supervises it was killed".to_owned()),
            (code, signal) => Self::of(code, signal),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_is_read_to_its_end() {
        let failed = |text: &str| SingleEnd::Failed(text.to_owned());
        for (text, expected) in [
            ("\0exit 0\n", SingleEnd::Done),
            ("\0exit 3\n\0exit 0\n", failed("it ended with exit code 3")),
            ("\0signal 9\n", failed("signal 9 ended it")),
            ("not found\0exit 1\n", SingleEnd::NotRun("not found".to_owned())),
            ("not\nfound\0exit 1\n", SingleEnd::NotRun("not\nfound".to_owned())),
            ("", failed("the process that supervises it was killed")),
            ("\0exit", failed("the process that supervises it was killed")),
        ] {
            assert_eq!(SingleEnd::read(&mut text.as_bytes()), expected, "{text:?}");
        }
    }
}
