//! What to type instead of a command line that was refused, where its shape shows what was meant:
//! one table from shapes to lines.

mod line;
mod names;
mod plain;
mod similar;

use std::ffi::OsString;

use clap::error::{ContextKind, ContextValue, ErrorKind};

use self::line::Line;
use crate::cli::property;
use crate::exit::Usage;
use crate::report::Misuse;
use crate::transport::endpoint::Endpoint;

pub use similar::similar;

/// Why a command line was refused, as far as the table needs it.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Fault {
    /// There is no such command.
    Command(String),
    /// There is no such flag.
    Flag(String),
    /// A flag, as it is shown in help, without its value.
    NoValue(String),
    /// A word where none belongs, or a flag or a word is missing.
    Words,
    /// Anything else.
    Other,
}

/// A row of the table: what to say, if the command line has this shape.
type Row = fn(&Line, &Fault, &clap::Command) -> Option<String>;

/// The table. The first row that fits counts.
const TABLE: [Row; 13] = [
    typographic,
    names::single_dash,
    names::flags_before_the_command,
    names::command,
    names::version_of_a_command,
    names::flag,
    property_of_too_few_words,
    swallowed_flag,
    value_without_equals,
    plain::command_of_serve,
    plain::value_of_a_switch,
    plain::places,
    no_value,
];

/// The error, with a better line if the shape of the command line shows what was meant. `typed`
/// gives the command line in our own words, and `command` describes it.
pub fn explained(
    error: anyhow::Error,
    typed: impl FnOnce() -> Option<Vec<OsString>>,
    command: impl FnOnce() -> clap::Command,
) -> anyhow::Error {
    let fault = match error.downcast_ref::<Misuse>() {
        Some(misuse) if misuse.is_plain_error() => fault(misuse.error()),
        None if error.is::<Usage>() => Fault::Other,
        _ => return error,
    };
    let Some(words) = typed() else { return error };
    let mut command = command();
    command.build();
    let line = Line::read(&words, &command);
    let Some(text) = TABLE.iter().find_map(|row| row(&line, &fault, &command)) else {
        return error;
    };
    match error.downcast::<Misuse>() {
        Ok(misuse) => misuse.saying(text).into(),
        Err(_) => Usage::new(text).into(),
    }
}

/// What clap found.
fn fault(error: &clap::Error) -> Fault {
    let text = |kind| match error.get(kind) {
        Some(ContextValue::String(text)) => text.clone(),
        _ => String::new(),
    };
    match error.kind() {
        ErrorKind::InvalidSubcommand => Fault::Command(text(ContextKind::InvalidSubcommand)),
        ErrorKind::UnknownArgument => match text(ContextKind::InvalidArg) {
            flag if flag.starts_with('-') => Fault::Flag(flag),
            _ => Fault::Words,
        },
        ErrorKind::MissingRequiredArgument => Fault::Words,
        ErrorKind::InvalidValue if text(ContextKind::InvalidValue).is_empty() => {
            Fault::NoValue(text(ContextKind::InvalidArg))
        }
        _ => Fault::Other,
    }
}

/// The flag of a command whose name is similar to this one.
pub fn similar_name(name: &str, command: &clap::Command) -> Option<String> {
    similar(name, names::longs(command)).map(str::to_owned)
}

/// Text that was copied from a page or a document in which hyphens and quotes were made prettier.
fn typographic(line: &Line, _: &Fault, _: &clap::Command) -> Option<String> {
    const DASHES: [char; 6] = ['\u{2010}', '\u{2011}', '\u{2012}', '–', '—', '−'];
    const QUOTES: [char; 6] = ['“', '”', '„', '‘', '’', '«'];
    let messages = line.values("message");
    let mut words = line.typed.iter().filter(|word| !messages.contains(&word.as_str()));
    let word = words.find(|word| word.starts_with(DASHES) || word.starts_with(QUOTES))?;
    let first = word.chars().next()?;
    let (kind, instead) = if DASHES.contains(&first) { ("dash", "-") } else { ("quote", "'") };
    Some(format!(
        "{} begins with the typographic {kind} {first}, as word processors make it: type {instead}",
        shown(word)
    ))
}

/// A flag that became the value of the one before it, because that has none.
fn swallowed_flag(line: &Line, fault: &Fault, command: &clap::Command) -> Option<String> {
    let is_about_words = *fault == Fault::Words
        || (*fault == Fault::Other && !line.plain().is_empty() && line.verb != "serve");
    let of = command.find_subcommand(&line.verb).filter(|_| is_about_words)?;
    let (id, value) = line.flags_with_values().find(|(_, value)| is_flag(value, of))?;
    let flag = of.get_arguments().find(|arg| arg.get_id() == id)?;
    Some(format!("{flag} took the next word, {value}, for its value: is that missing?"))
}

/// Whether this word is a flag of the command, and nothing else.
fn is_flag(word: &str, command: &clap::Command) -> bool {
    match word.strip_prefix("--") {
        Some(long) => command.get_arguments().any(|arg| line::names(arg).contains(&long)),
        None => command
            .get_arguments()
            .filter_map(clap::Arg::get_short)
            .any(|short| word.strip_prefix('-').is_some_and(|rest| rest.chars().eq([short]))),
    }
}

/// `-D content-type text/plain`: the packet is missing, and the next flag became a part of it.
fn property_of_too_few_words(line: &Line, _: &Fault, command: &clap::Command) -> Option<String> {
    let of = command.find_subcommand(&line.verb)?;
    let mut values = line.values("property").into_iter();
    let value = values.find(|value| value.split(property::JOINT).any(|word| is_flag(word, of)))?;
    // Later words may be secrets.
    let words = value.split(property::JOINT).take(2).take_while(|word| !is_flag(word, of));
    let words: Vec<String> = words.map(|word| format!(" {}", shown(word))).collect();
    Some(format!(
        "-D{}: it takes COMMAND NAME VALUE, as in -D publish content-type text/plain",
        words.concat()
    ))
}

/// `--summary json`, `--json run.json`: a value that may be left out stands after `=`.
fn value_without_equals(line: &Line, _: &Fault, command: &clap::Command) -> Option<String> {
    let of = command.find_subcommand(&line.verb)?;
    let needs_equals =
        |id: &str| of.get_arguments().find(|arg| arg.get_id() == id && arg.is_require_equals_set());
    let (arg, word) = line.before_plain().find_map(|(id, word)| Some((needs_equals(id)?, word)))?;
    let is_file = |name: &str| name == "FILE" && !word.contains(':');
    let mut names = arg.get_value_names()?.iter();
    let known = names.any(|name| name.as_str() == word || is_file(name));
    let long = arg.get_long().filter(|_| known)?;
    Some(format!("the value of --{long} stands after =: --{long}={word}"))
}

/// A flag without its value, where something may have taken that away.
fn no_value(line: &Line, fault: &Fault, _: &clap::Command) -> Option<String> {
    let Fault::NoValue(flag) = fault else { return None };
    if flag.starts_with("--host ") {
        let what = if line.verb == "serve" { "an address to listen on" } else { "a host" };
        return Some(format!("-h takes {what}; help is --help"));
    }
    let why = match flag.split(' ').next()? {
        "--topic" | "--filter-out" | "--unsubscribe" => {
            "; the shell takes an unquoted # for a comment: write '#'"
        }
        "--protocol-version" => "; that of the program itself is shown by mqttws --version",
        "--no-proxy" => ": '*' for all hosts",
        _ => return None,
    };
    Some(format!("{flag} needs a value{why}"))
}

/// The URL that a word without a scheme is probably meant for, and what to know about its port.
pub fn with_scheme(word: &str) -> Option<String> {
    let (scheme, rest) = match word.split_once([':', '/']) {
        Some((scheme @ ("ws" | "wss" | "http" | "https" | "mqtt" | "mqtts"), rest)) => {
            (Some(scheme), rest.trim_start_matches([':', '/']))
        }
        _ => (None, word),
    };
    // What stands before an @ may be a password.
    if rest.contains('@') {
        return None;
    }
    let parsed = Endpoint::parse(&format!("ws://{rest}")).ok()?;
    let is_tls = matches!(scheme, Some("wss" | "https" | "mqtts"))
        || matches!(parsed.port, 443 | 8084 | 8443 | 8883 | 8884);
    let url = format!("{}://{rest}", if is_tls { "wss" } else { "ws" });
    let url = if rest.contains('/') { url } else { format!("{url}/mqtt") };
    let note = match parsed.port {
        port @ (1883 | 8883) => format!(" ({port} is mostly the port of MQTT without WebSockets)"),
        _ => String::new(),
    };
    Some(format!("{}{note}", shown(&url)))
}

/// A word as the shell takes it, shortened if it is long.
fn shown(word: &str) -> String {
    const LONGEST: usize = 100;
    let is_bare = !word.is_empty()
        && word.chars().all(|c| c.is_alphanumeric() || "_./:@%+=,-?&~".contains(c));
    match word.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("'{}...'", &word[..end]),
        None if is_bare => word.to_owned(),
        None => format!("'{}'", word.replace('\'', r"'\''")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_without_a_scheme() {
        let plain = " (1883 is mostly the port of MQTT without WebSockets)";
        for (word, expected) in [
            ("localhost", Some("ws://localhost/mqtt".to_owned())),
            ("localhost:1883", Some(format!("ws://localhost:1883/mqtt{plain}"))),
            ("h:8443/ws", Some("wss://h:8443/ws".to_owned())),
            ("[::1]:9001", Some("'ws://[::1]:9001/mqtt'".to_owned())),
            ("ws:h", Some("ws://h/mqtt".to_owned())),
            ("wss:/h/a", Some("wss://h/a".to_owned())),
            ("ws//h:1", Some("ws://h:1/mqtt".to_owned())),
            ("ann:s3cret@h:1", None),
            ("h:port", None),
            ("a b", None),
        ] {
            assert_eq!(with_scheme(word), expected, "{word}");
        }
    }

    #[test]
    fn words_are_shown_as_the_shell_takes_them() {
        for (word, expected) in
            [("lab/door", "lab/door"), ("lab/#", "'lab/#'"), ("it's", r"'it'\''s'"), ("", "''")]
        {
            assert_eq!(shown(word), expected);
        }
        assert_eq!(shown(&"x".repeat(200)).len(), 105);
    }
}
