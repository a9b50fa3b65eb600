//! Lines on stderr: errors with their hints, warnings, notes and the packet log.

mod hint;

use std::fmt;
use std::time::SystemTime;

use clap::error::ErrorKind;

use crate::exit::Exit;
use crate::format::escape;
use crate::terminal::status_line;

/// What is said on stderr beside results and errors.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verbosity {
    /// Nothing (`--quiet`).
    Quiet,
    /// Warnings; progress would be torn by the lines of the log.
    Warnings,
    /// Warnings and progress.
    Progress,
}

impl Verbosity {
    /// Whether warnings are wanted.
    pub fn warns(self) -> bool {
        self >= Self::Warnings
    }

    /// Whether progress may be shown.
    pub fn shows_progress(self) -> bool {
        self == Self::Progress
    }
}

/// A command line that clap does not accept, or a request for help.
#[derive(Debug)]
pub struct Misuse {
    error: clap::Error,
    verb: Option<String>,
}

impl Misuse {
    /// `verb` is the command that was typed, if it is one.
    pub fn new(error: clap::Error, verb: Option<&str>) -> Self {
        Self { error, verb: verb.map(str::to_owned) }
    }
}

impl fmt::Display for Misuse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.error.fmt(f)
    }
}

impl std::error::Error for Misuse {}

/// Prints an error as one line, with its hint; returns its exit code.
pub fn error(error: &anyhow::Error) -> Exit {
    if let Some(misuse) = error.downcast_ref::<Misuse>() {
        return usage(misuse);
    }
    let line = format!("{error:#}");
    match hint::of(error) {
        Some(hint) => print(&format!("{line}; {hint}")),
        None => print(&line),
    }
    Exit::of(error)
}

/// Prints a failure that does not end the program at once, or a summary of one.
pub fn failure(line: &str) {
    print(line);
}

/// Prints what came of it all.
pub fn summary(line: &str) {
    print(line);
}

/// Prints what a program reads, as it is.
pub fn machine_summary(line: &str) {
    write(&format!("{line}\n"));
}

/// Prints what may help, and is no warning.
pub fn note(line: &str) {
    print(&format!("note: {line}"));
}

/// Prints a warning.
pub fn warn(line: &str) {
    print(&format!("warning: {line}"));
}

/// Prints a line of the packet log, with the seconds since 1970 in front, as mosquitto does.
pub fn trace(line: &str) {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    write(&format!("{}.{:03}: {}\n", now.as_secs(), now.subsec_millis(), one_line(line)));
}

/// Prints what clap found as one line; help and version, which it calls errors, go to stdout as
/// they are.
fn usage(Misuse { error, verb }: &Misuse) -> Exit {
    if !error.use_stderr() {
        // Help that nobody reads any more is no failure.
        let _ = error.print();
        return Exit::Done;
    }
    if error.kind() == ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand {
        print("a command is missing: pub, sub, ping or serve; see mqttws --help");
        return Exit::Usage;
    }
    let text = error.render().to_string();
    let mut parts: Vec<&str> = text
        .lines()
        .map(str::trim)
        .take_while(|line| !line.starts_with("Usage:") && !line.starts_with("For more"))
        .filter(|line| !line.is_empty())
        .map(|line| line.strip_prefix("error: ").unwrap_or(line))
        .collect();
    let hint = verb
        .as_ref()
        .map_or("see mqttws --help".to_owned(), |verb| format!("see mqttws help {verb}"));
    parts.push(&hint);
    print(&parts.join("; ").replace(":;", ":"));
    Exit::Usage
}

fn print(line: &str) {
    write(&format!("mqttws: {}\n", one_line(&without_numbers(line))));
}

/// "No such file or directory (os error 2)" has said it all before the number.
fn without_numbers(line: &str) -> String {
    let mut parts = line.split(" (os error ");
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |text, part| {
        let rest = part.trim_start_matches(|c: char| c.is_ascii_digit());
        text + rest.strip_prefix(')').unwrap_or(rest)
    })
}

/// Whatever a broker or a file put into an error stays one line, and does not drive the terminal.
fn one_line(line: &str) -> String {
    let harmless = |c: char| match c {
        '\n' | '\t' => c.escape_default().to_string(),
        c if escape::is_harmless(c) => c.to_string(),
        c => c.escape_default().to_string(),
    };
    line.chars().map(harmless).collect()
}

fn write(text: &str) {
    status_line::write(text);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_errors_are_left_out() {
        assert_eq!(
            without_numbers("reading x: No such file (os error 2); y"),
            "reading x: No such file; y"
        );
        assert_eq!(without_numbers("nothing"), "nothing");
    }

    #[test]
    fn a_line_stays_one_line() {
        assert_eq!(one_line("a\nb\x1b[2J"), "a\\nb\\u{1b}[2J");
        assert_eq!(one_line("a\u{202e}b ü"), "a\\u{202e}b ü");
    }
}
