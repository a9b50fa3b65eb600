//! Lines on stderr: errors with their hints, warnings, notes and the packet log.

mod caret;
mod hint;
mod usage;

use std::io::{self, Write};
use std::time::SystemTime;

pub use self::caret::CaretError;
pub use self::usage::{HelpText, Misuse};
use crate::exit::{Exit, MarkedPlace, PluginMisuse, PluginState, Usage};
use crate::format::escape;
use crate::terminal::status_line;

/// Which lines are written to stderr beside errors.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verbosity {
    /// Nothing (`--quiet`).
    Quiet,
    /// Warnings, but no progress: the lines of the packet log (`-d`) would break it.
    Warnings,
    /// Warnings and progress.
    Progress,
}

impl Verbosity {
    /// Whether warnings are written.
    pub fn warns(self) -> bool {
        self >= Self::Warnings
    }

    /// Whether progress may be shown.
    pub fn shows_progress(self) -> bool {
        self == Self::Progress
    }
}

/// Prints an error as one line, with its hint; returns its exit code.
pub fn error(error: &anyhow::Error) -> Exit {
    if let Some(PluginMisuse(error)) = error.downcast_ref() {
        return plugin_misuse(error);
    }
    if let Some(misuse) = error.downcast_ref::<Misuse>() {
        if let Some(printed) = misuse.print_help() {
            return help_exit(printed);
        }
        line(&misuse.to_string());
        return Exit::Usage;
    }
    if let Some(help) = error.downcast_ref::<HelpText>() {
        return show(*help);
    }
    if let Some(caret) = error.downcast_ref::<CaretError>() {
        caret.print();
        return caret.exit;
    }
    line(&described(error));
    if let Some(place) = error.downcast_ref::<Usage>().and_then(Usage::place) {
        mark(place);
    }
    Exit::of(error)
}

/// Shows a word of the command line with a caret below a place in it.
fn mark(place: &MarkedPlace) {
    let (before, after) = (one_line(&place.before), one_line(&place.after));
    let column = before.chars().count();
    write(&format!("  {before}{after}\n  {:column$}^\n", ""));
}

/// An error and its hint in one line.
pub fn described(error: &anyhow::Error) -> String {
    let text = format!("{error:#}");
    let text = match hint::of(error) {
        Some(hint) => format!("{text}; {hint}"),
        None => text,
    };
    readable(&text)
}

/// The same for a monitoring system, which reads stdout and knows no other exit codes than those of
/// plugins; help remains help.
fn plugin_misuse(misuse: &anyhow::Error) -> Exit {
    if error(misuse) == Exit::Done {
        return Exit::Done;
    }
    let text = described(misuse);
    let line = plugin_line(PluginState::Unknown, text.trim_start_matches("mqttws: "));
    // A closed stdout is no failure here.
    let _ = writeln!(io::stdout(), "{line}");
    Exit::Plugin(PluginState::Unknown)
}

/// The line of a monitoring plugin, without performance data: a `|` would begin them.
pub fn plugin_line(state: PluginState, text: &str) -> String {
    format!("PING {state} - {}", one_line(text).replace('|', "/"))
}

/// Prints help; returns the exit code.
fn show(help: HelpText) -> Exit {
    match help {
        HelpText::Wanted(text) => {
            let mut stdout = io::stdout().lock();
            help_exit(stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()))
        }
        HelpText::Missing(text) => {
            write(text);
            Exit::Usage
        }
    }
}

/// The exit of help that was printed so. A reader that has seen enough is no failure.
fn help_exit(printed: io::Result<()>) -> Exit {
    match printed {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            line(&format!("writing to stdout: {error}"));
            Exit::Local
        }
        Ok(()) | Err(_) => Exit::Done,
    }
}

/// Prints a line that begins with the name of the program: a failure that does not end the program
/// at once, or a summary.
pub fn line(text: &str) {
    write(&format!("mqttws: {}\n", readable(text)));
}

/// Prints a summary for programs, without the name of the program.
pub fn machine_summary(text: &str) {
    write(&format!("{text}\n"));
}

/// Prints a note: something that may help.
pub fn note(text: &str) {
    line(&format!("note: {text}"));
}

/// Prints a warning.
pub fn warn(text: &str) {
    line(&format!("warning: {text}"));
}

/// Prints a line of the packet log, with the seconds since 1970 in front, as mosquitto does.
pub fn trace(line: &str) {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    write(&format!("{}.{:03}: {}\n", now.as_secs(), now.subsec_millis(), readable(line)));
}

/// A sentence for the terminal, in one line.
fn readable(text: &str) -> String {
    one_line(&without_numbers(text))
}

/// Removes the numbers of system errors: "No such file or directory (os error 2)" needs none.
fn without_numbers(line: &str) -> String {
    let mut parts = line.split(" (os error ");
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |text, part| {
        let rest = part.trim_start_matches(|c: char| c.is_ascii_digit());
        text + rest.strip_prefix(')').unwrap_or(rest)
    })
}

/// Escapes line breaks and control characters: text of a broker or a file in an error stays on one
/// line and does not control the terminal.
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
